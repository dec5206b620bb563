"""A server for tests: the fixtures rollcall_server and rollcall_client of pytest, and Server for others.

The program is that of the environment variable ROLLCALL_BINARY, or "rollcall" in the path. Where
there is none, tests that ask for it are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Iterator

import pytest

from .client import Client
from .errors import Unavailable


class Server:
    """A server in a folder of its own, on a free port of this machine. Use it with "with".

    Args:
        arguments: More flags of "rollcall serve".

    Raises:
        FileNotFoundError: There is no program.
        RuntimeError: It does not start; the message is what it said.
    """

    def __init__(self, *arguments: str) -> None:
        binary = os.environ.get("ROLLCALL_BINARY") or shutil.which("rollcall")
        if not binary:
            raise FileNotFoundError("there is no rollcall: build it, and put its path into ROLLCALL_BINARY")
        self.binary = binary
        """The path of the program."""
        self._arguments = arguments
        self._folder = tempfile.TemporaryDirectory(prefix="rollcall-testing-")
        self._address = "127.0.0.1:0"
        self.address = ""
        """Where it answers, such as "http://127.0.0.1:40143"."""
        self.log = ""
        """What it has said."""

    def __enter__(self) -> Server:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Starts it, after stop at the same address and with the same data."""
        self._process = subprocess.Popen(
            [self.binary, "serve", "--data", os.path.join(self._folder.name, "data"), "--listen", self._address, *self._arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(self._process, ready), daemon=True)
        self._reader.start()
        if not ready.wait(120) or not self.address:
            self.stop()
            raise RuntimeError(f"rollcall serve does not start:\n{self.log}")

    def _read(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.log += line
            if " answers at " in line:
                self.address = line.split(" answers at ")[1].split()[0]
                self._address = self.address.split("://")[1]
            if line.startswith("Try it"):  # the last that it says: it has its model
                ready.set()
        ready.set()

    def stop(self) -> None:
        """Stops it as Ctrl-C would."""
        process = getattr(self, "_process", None)
        if process is None:
            return
        process.terminate()
        process.wait()
        self._reader.join()
        self.address = ""

    def client(self, **options: object) -> Client:
        """Makes a client of it, with options of Client."""
        return Client(self.address, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def rollcall_server() -> Iterator[Server]:
    """A server for all tests of a run."""
    try:
        server = Server()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
def rollcall_client(rollcall_server: Server) -> Iterator[Client]:
    """A client of rollcall_server, with a gallery of its own that is deleted afterwards."""
    gallery = f"test-{uuid.uuid4()}"
    with rollcall_server.client() as admin, rollcall_server.client(gallery=gallery) as client:
        admin.create_gallery(gallery)
        yield client
        try:
            admin.delete_gallery(gallery)
        except Unavailable:
            pass  # the test has stopped the server
