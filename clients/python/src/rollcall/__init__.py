"""Rollcall: whose face is this?

Client and AsyncClient call a Rollcall server. Each call of its contract is a method, and each
message a frozen dataclass:

    from rollcall import Client, Verdict

    with Client("http://127.0.0.1:8787", token=token) as client:
        answer = client.identify("probe.jpg")
        if answer.verdict == Verdict.MATCH:
            print(answer.student_id)

What the server refuses is raised as a RollcallError, or as one of its subclasses.
"""

from .async_client import AsyncClient
from .client import Client
from .enrolment import Enrolment, EnrolmentReport, Progress, Refused, crop_id_of
from .errors import (
    BadImage,
    Busy,
    DuplicateFace,
    InvalidRequest,
    NoConsent,
    NotFound,
    PermissionDenied,
    RollcallError,
    TimedOut,
    Trimmed,
    Unauthenticated,
    Unavailable,
    UnlikeStudent,
    UnusableCrop,
)
from .messages import *  # noqa: F403
from .messages import __all__ as _messages
from .wire import Image

__all__ = [
    "AsyncClient",
    "BadImage",
    "Busy",
    "Client",
    "DuplicateFace",
    "Enrolment",
    "EnrolmentReport",
    "Image",
    "InvalidRequest",
    "NoConsent",
    "NotFound",
    "PermissionDenied",
    "Progress",
    "Refused",
    "RollcallError",
    "TimedOut",
    "Trimmed",
    "Unauthenticated",
    "Unavailable",
    "UnlikeStudent",
    "UnusableCrop",
    "crop_id_of",
    *_messages,
]
