"""How messages are written and read: the JSON of the contract, and the frames of its streams."""

from __future__ import annotations

import base64
import enum
import functools
import json
import os
import re
import struct
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timezone
from typing import Any, Protocol, TypeVar, Union

T = TypeVar("T")


class Readable(Protocol):
    """A file that was opened for reading bytes. It is read from where it stands to its end."""

    def read(self) -> bytes: ...


Image = Union[bytes, bytearray, memoryview, str, os.PathLike[str], Readable]
"""A picture: its bytes, the path of its file, or the open file."""


class ContractEnum(str, enum.Enum):
    """An enumeration of the contract. A value that only a newer server knows becomes a member too."""

    __str__ = str.__str__

    @classmethod
    def _missing_(cls, value: object) -> ContractEnum | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return cls._value2member_map_.setdefault(value, member)  # type: ignore[return-value]


def image_bytes(image: Image) -> bytes:
    """Returns the bytes of a picture."""
    if isinstance(image, (bytes, bytearray, memoryview)):
        return bytes(image)
    if isinstance(image, (str, os.PathLike)):
        with open(image, "rb") as file:
            return file.read()
    content = image.read()
    if not isinstance(content, bytes):
        raise TypeError("an image must be a file that was opened for reading bytes")
    return content


def encode(message: Any) -> dict[str, Any]:
    """Returns a message as the server reads it. A field that has its default is left out."""
    out: dict[str, Any] = {}
    cls: Any = type(message)
    for f, kind in _fields(cls):
        value = getattr(message, f.name)
        if value is None or value == f.default and not _is_optional(kind):
            continue
        out[_name(f.name)] = _encode_list(f.name, value, kind) if _is_list(kind) else _encode_one(value, kind)
    return out


def _encode_list(name: str, values: Any, kind: Any) -> list[Any]:
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{name} must be a list, not a single value")
    (item,) = typing.get_args(kind)
    return [_encode_one(value, item) for value in values]


def _encode_one(value: Any, kind: Any) -> Any:
    if kind == Image:
        return base64.b64encode(image_bytes(value)).decode("ascii")
    if is_dataclass(value):
        return encode(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time needs its time zone: datetime.now(timezone.utc), say")
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    return value


def decode(cls: type[T], message: Any) -> T:
    """Makes a message of what the server sent. Fields that only a newer server knows are left out."""
    known = {}
    kind: Any = cls
    for name, sent, read in _readers(kind):
        if message.get(sent) is not None:
            known[name] = read(message[sent])
    return cls(**known)


@functools.cache
def _fields(cls: Any) -> list[tuple[Any, Any]]:
    kinds = typing.get_type_hints(cls)
    return [(f, kinds[f.name]) for f in fields(cls)]


@functools.cache
def _readers(cls: Any) -> list[tuple[str, str, Callable[[Any], Any]]]:
    return [(f.name, _name(f.name), _reader(kind)) for f, kind in _fields(cls)]


def _name(attribute: str) -> str:
    # from_ is "from", which Python keeps for itself.
    return attribute.rstrip("_")


def _is_list(kind: Any) -> bool:
    return typing.get_origin(kind) is Sequence


def _is_optional(kind: Any) -> bool:
    return type(None) in typing.get_args(kind)


def _reader(kind: Any) -> Callable[[Any], Any]:
    cls: Any = kind
    if _is_list(kind):
        read = _reader(typing.get_args(kind)[0])
        return lambda values: tuple(read(value) for value in values)
    if _is_optional(kind):
        (cls,) = (one for one in typing.get_args(kind) if one is not type(None))
    if is_dataclass(cls):
        return functools.partial(decode, typing.cast(Any, cls))
    if typing.get_origin(cls) is Mapping:
        return dict
    if cls is datetime:
        return read_time
    if cls is bytes:
        return base64.b64decode
    # int and float read texts too: whole numbers of 64 bits, NaN and infinity are texts.
    return typing.cast("Callable[[Any], Any]", cls)


_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")


def read_time(text: str) -> datetime:
    """Reads a time as the server writes it, to the microsecond."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time of the contract")
    whole = datetime.fromisoformat(match[1]).replace(tzinfo=timezone.utc)
    return whole.replace(microsecond=int((match[2] or "0").ljust(9, "0")[:6]))


_END = 2  # the flag of a stream's last frame
_HEAD = struct.Struct(">BI")


def frame(message: Any) -> bytes:
    """Returns the only message that a stream asks with."""
    content = json.dumps(encode(message)).encode()
    return _HEAD.pack(0, len(content)) + content


class Frames:
    """Takes a stream apart as it arrives."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, part: bytes) -> Iterator[tuple[bool, Any]]:
        """Yields whether a frame is the last one, and its content, for each that is complete."""
        self._rest += part
        while len(self._rest) >= _HEAD.size:
            flag, size = _HEAD.unpack_from(self._rest)
            whole = _HEAD.size + size
            if len(self._rest) < whole:
                return
            content = bytes(self._rest[_HEAD.size : whole])
            del self._rest[:whole]
            yield bool(flag & _END), json.loads(content)
