from __future__ import annotations

import os
import tarfile
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def face() -> Callable[[str], bytes]:
    """Returns a picture of the tar file that ROLLCALL_FACES names: "p0074_001", person and number."""
    path = os.environ.get("ROLLCALL_FACES")
    if not path:
        pytest.skip("no real faces: ROLLCALL_FACES names no tar file of them")
    pictures = tarfile.open(path)
    names = {os.path.basename(name): name for name in pictures.getnames()}

    def read(name: str) -> bytes:
        file = pictures.extractfile(names[f"{name}.jpg"])
        assert file is not None
        return file.read()

    return read
