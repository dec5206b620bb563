"""Where calls go, and as whom."""

from __future__ import annotations

import os
import ssl
import urllib.parse
from typing import Any, TypeVar

from . import exchange

T = TypeVar("T")


class Connection:
    """What Client and AsyncClient are told when they are made."""

    def __init__(
        self, server: str, token: str | None, gallery: str | None, ca: str | os.PathLike[str] | None, timeout: float, patience: float
    ) -> None:
        if "://" not in server:
            raise ValueError(f"{server!r} is no address: it begins with http:// or https://")
        self.server = server
        self.patience = patience
        self._timeout = timeout
        headers = {"User-Agent": "rollcall-python"}
        if token:
            token = token.strip()
            if not (token.isascii() and token.isprintable()):
                raise ValueError("the token has characters that no token has")
            headers["Authorization"] = f"Bearer {token}"
        if gallery:
            headers["Rollcall-Gallery"] = urllib.parse.quote(gallery, safe="")
        self.options: dict[str, Any] = {
            "base_url": server,
            "headers": headers,
            "timeout": timeout,
            "verify": ssl.create_default_context(cafile=ca),
            "trust_env": False,
        }

    def call(
        self, procedure: str, request: Any, answer: type[T], timeout: float | None, repeatable: bool
    ) -> exchange.Steps[T]:
        """Returns the steps of a call."""
        return exchange.call(procedure, request, answer, timeout or self._timeout, self.patience, repeatable)
