"""What the server refuses, as exceptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class RollcallError(Exception):
    """A call that was refused or failed. Neither an image nor a token is in it.

    str(error) says what happened and what to do, for a person. Programs look at the class,
    the code and the reason.
    """

    code: str
    """The code, as Connect names it: "invalid_argument"."""
    reason: str
    """The stable reason: "NOT_AN_IMAGE"; empty: the answer came from something else than Rollcall."""
    field: str
    """The field of the request that is wrong; empty: none."""
    metadata: Mapping[str, str]
    """The figures behind it: "measured" and "limit" of an unusable crop, say."""
    retry_delay: float | None
    """After how many seconds the same call may succeed, if the server says so."""

    def __init__(
        self,
        code: str,
        reason: str,
        message: str,
        field: str = "",
        metadata: Mapping[str, str] | None = None,
        retry_delay: float | None = None,
    ) -> None:
        super().__init__(code, reason, message, field, metadata or {}, retry_delay)
        self.code = code
        self.reason = reason
        self.message = message
        self.field = field
        self.metadata = metadata or {}
        self.retry_delay = retry_delay

    def __str__(self) -> str:
        return f"{self.message} ({self.reason or self.code})"


class InvalidRequest(RollcallError):
    """Something about the request is wrong: see field."""


class BadImage(InvalidRequest):
    """What was sent is no picture, a broken one, or one that is too large."""


class UnusableCrop(InvalidRequest):
    """The picture cannot be judged, and the message says what to do: take another one."""


class UnlikeStudent(InvalidRequest):
    """The face is unlike the student's other crops: is it the right student?"""


class DuplicateFace(RollcallError):
    """The face is enrolled under another student, whom metadata["student_id"] names."""


class NoConsent(RollcallError):
    """Nothing of the student may be enrolled, by what was said about it."""


class NotFound(RollcallError):
    """There is no such student, crop, gallery or change."""


class Unauthenticated(RollcallError):
    """The server wants a token, or another one."""


class PermissionDenied(RollcallError):
    """The role of the token may not make this call."""


class Trimmed(RollcallError):
    """The lines of the journal after this number were deleted by age: begin after that of after."""

    @property
    def after(self) -> int:
        """The number of the last line that was deleted."""
        return int(self.metadata.get("after", "0"))


class Busy(RollcallError):
    """Too many callers wait, for longer than the client's patience."""


class Unavailable(RollcallError):
    """The server cannot be reached, starts or stops, or cannot write to its disk."""


class TimedOut(RollcallError):
    """The call took longer than its timeout. Whether it was done is not known."""


_OF_REASON: dict[str, type[RollcallError]] = {
    "EMPTY_IMAGE": BadImage,
    "NOT_AN_IMAGE": BadImage,
    "BROKEN_IMAGE": BadImage,
    "IMAGE_TOO_LARGE": BadImage,
    "NO_FACE": UnusableCrop,
    "TOO_SMALL": UnusableCrop,
    "TOO_DARK": UnusableCrop,
    "TOO_BRIGHT": UnusableCrop,
    "TOO_BLURRED": UnusableCrop,
    "LOW_QUALITY": UnusableCrop,
    "SEVERAL_FACES": UnusableCrop,
    "NOT_UPRIGHT": UnusableCrop,
    "DISTORTED": UnusableCrop,
    "UNLIKE_STUDENT": UnlikeStudent,
    "DUPLICATE_FACE": DuplicateFace,
    "NO_CONSENT": NoConsent,
    "TRIMMED": Trimmed,
}

_OF_CODE: dict[str, type[RollcallError]] = {
    "invalid_argument": InvalidRequest,
    "not_found": NotFound,
    "unauthenticated": Unauthenticated,
    "permission_denied": PermissionDenied,
    "resource_exhausted": Busy,
    "unavailable": Unavailable,
    "deadline_exceeded": TimedOut,
}

# What an answer means that Rollcall did not write: that of a proxy in front of it.
_OF_STATUS = {400: "internal", 401: "unauthenticated", 403: "permission_denied", 404: "unimplemented", 429: "unavailable", 502: "unavailable", 503: "unavailable", 504: "unavailable"}


def read_error(status: int, content: bytes) -> RollcallError:
    """Reads the answer of a call that was refused."""
    try:
        answer = json.loads(content)
        answer["code"]
    except (ValueError, TypeError, KeyError):
        return make_error(_OF_STATUS.get(status, "unknown"), "", f"HTTP {status}, and not from Rollcall: is the address right, and what is in front of it?")
    return of_answer(answer)


def of_answer(answer: Any) -> RollcallError:
    """Reads an error as Connect writes it."""
    reason, field, metadata, delay = "", "", {}, None
    for detail in answer.get("details", []):
        debug = detail.get("debug") or {}
        kind = detail.get("type")
        if kind == "google.rpc.ErrorInfo":
            reason, metadata = debug.get("reason", ""), debug.get("metadata", {})
        elif kind == "google.rpc.BadRequest":
            field = next((v.get("field", "") for v in debug.get("fieldViolations", [])), "")
        elif kind == "google.rpc.RetryInfo":
            delay = float(debug.get("retryDelay", "0s").rstrip("s"))
    return make_error(answer["code"], reason, answer.get("message", ""), field, metadata, delay)


def make_error(
    code: str, reason: str, message: str, field: str = "", metadata: Mapping[str, str] | None = None, retry_delay: float | None = None
) -> RollcallError:
    """Makes the exception of the class that the reason or the code has."""
    cls = _OF_REASON.get(reason) or _OF_CODE.get(code) or RollcallError
    return cls(code, reason, message, field, metadata, retry_delay)
