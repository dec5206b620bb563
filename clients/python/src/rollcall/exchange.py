"""How a call is made, and made again, without a word about who waits: Client and AsyncClient do what is yielded here."""

from __future__ import annotations

import json
import random
import ssl
import time
import uuid
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx

from . import errors, wire

T = TypeVar("T")

UNREACHABLE = "UNREACHABLE"
"""The reason where no connection could be made: the call was not made."""
CONNECTION_LOST = "CONNECTION_LOST"
"""The reason where a connection ended before its answer: whether the call was made is not known."""

CERTIFICATE = "CERTIFICATE"
"""The reason where the server's certificate is not trusted: the call was not made."""

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0
"""Seconds before the first retry where the server names no delay, and at most; each is twice the one before."""


@dataclass(frozen=True)
class Send:
    """Make this request, and send back its response or the error of httpx."""

    path: str
    headers: dict[str, str]
    content: bytes
    timeout: float


@dataclass(frozen=True)
class Pause:
    """Wait for some seconds."""

    seconds: float


Steps = Generator["Send | Pause", "httpx.Response | httpx.HTTPError | None", T]


class Patience:
    """How long to come again: for so many seconds from the first failure."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.succeeded()

    def succeeded(self) -> None:
        """Begins anew."""
        self._until: float | None = None
        self._pause = FIRST_PAUSE

    def pause(self, error: errors.RollcallError, repeatable: bool) -> float:
        """Returns how many seconds to wait before the next try, or raises the error."""
        now = time.monotonic()
        if self._until is None:
            self._until = now + self._seconds
        passing = isinstance(error, (errors.Unavailable, errors.Busy)) and error.reason != CERTIFICATE
        if not passing or error.reason == CONNECTION_LOST and not repeatable:
            raise error
        seconds = error.retry_delay
        if seconds is None:
            # Others wait too: half as long or one and a half times.
            seconds = self._pause * random.uniform(0.5, 1.5)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        if now + seconds > self._until:
            raise error
        return seconds


def call(procedure: str, request: Any, answer: type[T], timeout: float, patience: float, repeatable: bool) -> Steps[T]:
    """Makes a call that has one answer."""
    content = json.dumps(wire.encode(request)).encode()
    send = Send(f"/{procedure}", headers("application/json", timeout), content, timeout)
    patient = Patience(patience)
    while True:
        got = yield send
        try:
            return wire.decode(answer, read(got))
        except errors.RollcallError as error:
            seconds = patient.pause(error, repeatable)
        yield Pause(seconds)


def headers(kind: str, timeout: float | None) -> dict[str, str]:
    """Returns the headers of a call. The server gives up when the caller does."""
    out = {"Content-Type": kind, "Connect-Protocol-Version": "1"}
    if timeout is not None:
        out["Connect-Timeout-Ms"] = str(max(1, int(timeout * 1000)))
    return out


def read(got: httpx.Response | httpx.HTTPError | None) -> Any:
    """Returns what was answered, or raises what was refused."""
    if not isinstance(got, httpx.Response):
        raise failure(got)
    if got.status_code != 200:
        raise errors.read_error(got.status_code, got.content)
    try:
        return got.json()
    except ValueError:
        raise errors.read_error(got.status_code, b"") from None


def failure(error: Exception | None) -> errors.RollcallError:
    """Says what an error of httpx means; None: a connection that was closed too early."""
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        if _is_about_certificate(error):
            message = f"the server's certificate is not trusted: {error}. Give the file of its authority as ca, and call it by a name that the certificate has"
            return errors.make_error("unavailable", CERTIFICATE, message)
        return errors.make_error("unavailable", UNREACHABLE, f"the server cannot be reached: {error or 'no answer'}")
    if isinstance(error, httpx.TimeoutException):
        return errors.make_error("deadline_exceeded", "", "the call took longer than its timeout")
    return errors.make_error("unavailable", CONNECTION_LOST, f"the connection ended before the answer was whole{f': {error}' if error else ''}")


def _is_about_certificate(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


def read_ready(got: httpx.Response) -> None:
    """Raises what /readyz says is missing."""
    if got.status_code != 200:
        reason, _, message = got.text.strip().partition(": ")
        raise errors.make_error("unavailable", reason, message or f"HTTP {got.status_code}")


def request_id() -> str:
    """Draws the key of a check-in."""
    return str(uuid.uuid4())


STREAM_TIMEOUT = 90.0
"""Seconds that a stream may be silent. The server says something every 30 seconds."""


class Stream(Generic[T]):
    """Reads the answers of a stream."""

    def __init__(self, answer: type[T]) -> None:
        self._answer = answer
        self._frames = wire.Frames()
        self._ended = False

    def feed(self, part: bytes) -> Iterator[T]:
        """Yields the answers that are complete, and raises the error that ends the stream."""
        for last, content in self._frames.feed(part):
            if not last:
                yield wire.decode(self._answer, content)
                continue
            self._ended = True
            if "error" in content:
                raise errors.of_answer(content["error"])

    def closed(self, error: Exception | None = None) -> None:
        """Raises an error if the connection closed, or fell silent, before the end of the stream."""
        if isinstance(error, httpx.ReadTimeout):
            error = None
        if error or not self._ended:
            raise failure(error) from None
