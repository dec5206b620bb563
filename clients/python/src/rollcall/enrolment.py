"""Enrolling many pictures: several at a time, and none of them twice."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import unicodedata
from collections.abc import Callable, Iterable, Sequence, Sized
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from . import errors, messages, wire
from .calls import AsyncCalls, Calls
from .wire import Image


@dataclass(frozen=True)
class Enrolment:
    """A picture of a student."""

    student_id: str
    """The student."""
    image: Image = field(repr=False)
    """The crop, or with face a photo."""
    crop_id: str = ""
    """The id to store it under. Empty: one that is made of the student and the picture's bytes, so
    that the same picture of the student is the same crop."""
    groups: Sequence[str] = ()
    """Groups to add the student to."""
    face: messages.Face = messages.Face.UNSPECIFIED
    """Which face of a photo is meant. Unspecified: the image is a crop."""
    landmarks: Sequence[messages.Point] = ()
    """The five landmarks, if they are known."""
    allow_duplicate: bool = False
    """Enrol it even if it looks like a crop of another student: twins."""
    allow_unlike: bool = False
    """Enrol it even if it is unlike the student's other crops."""


@dataclass(frozen=True)
class Refused:
    """A picture that was not enrolled."""

    item: Enrolment
    error: errors.RollcallError | OSError
    """Why: the server refused it, or its file cannot be read."""


@dataclass(frozen=True)
class Progress:
    """How far it is after a picture."""

    done: int
    """How many pictures were looked at."""
    total: int | None
    """Of how many; None: the items have no length."""
    item: Enrolment
    """The picture."""
    error: errors.RollcallError | OSError | None
    """Why it was not enrolled; None: it is."""


@dataclass(frozen=True)
class EnrolmentReport:
    """What became of all pictures."""

    enrolled: int
    """How many are enrolled by this call for the first time."""
    replaced: int
    """How many were sent and replaced what was there."""
    known: int
    """How many were there already, and not sent."""
    refused: Sequence[Refused]
    """Those that are not enrolled, in no order."""


def crop_id_of(student_id: str, image: bytes) -> str:
    """Returns the id of a crop that has none of its own. It tells nothing about the student."""
    return hashlib.sha256(student_id.encode() + b"\0" + image).hexdigest()


def named(item: Enrolment) -> dict[str, Any]:
    """Returns the arguments of Embed for a picture."""
    image = wire.image_bytes(item.image)
    arguments = {f: getattr(item, f) for f in item.__dataclass_fields__}
    return arguments | {"image": image, "crop_id": item.crop_id or crop_id_of(item.student_id, image)}


class Tally:
    """Counts what becomes of pictures, and remembers what is there. Several threads may use it,
    if only one at a time is about the same student.

    It asks for no crop that may be missing: each such question would be a refusal in the journal.
    """

    def __init__(
        self, items: Iterable[Enrolment], enrolled: Iterable[messages.Student], progress: Callable[[Progress], None] | None
    ) -> None:
        self._lock = threading.Lock()
        self._progress = progress
        self._total = len(items) if isinstance(items, Sized) else None
        self._done = self._enrolled = self._replaced = self._known = 0
        self._refused: list[Refused] = []
        self._recipe = ""  # by which the server embeds: the first answer tells it
        self._enrolled_before = {student.student_id for student in enrolled}
        self._crops: dict[str, Sequence[messages.Crop]] = {}

    def must_look_up(self, item: Enrolment) -> bool:
        """Says whether the student's crops have to be asked for."""
        student_id = _nfc(item.student_id)
        return bool(self._recipe) and not item.crop_id and student_id in self._enrolled_before and student_id not in self._crops

    def found(self, item: Enrolment, student: messages.Student | None) -> None:
        """Notes a student with its crops."""
        self._crops[_nfc(item.student_id)] = student.crops if student else ()

    def is_known(self, item: Enrolment, crop_id: str) -> bool:
        """Says whether the student has this crop, embedded as the server embeds now."""
        crops = self._crops.get(_nfc(item.student_id), ())
        return any(crop.crop_id == crop_id and any(e.recipe == self._recipe for e in crop.embeddings) for crop in crops)

    def note(self, item: Enrolment, outcome: messages.EmbedResponse | Exception | None) -> None:
        """Counts what became of a picture: None, it was known. Raises an error that concerns all."""
        if isinstance(outcome, Exception) and not _is_about_one(outcome):
            raise outcome
        with self._lock:
            self._done += 1
            error = None
            if outcome is None:
                self._known += 1
            elif isinstance(outcome, messages.EmbedResponse):
                self._recipe = outcome.recipe
                self._replaced += outcome.replaced
                self._enrolled += not outcome.replaced
            elif isinstance(outcome, (errors.RollcallError, OSError)):
                error = outcome
                self._refused.append(Refused(item, outcome))
            if self._progress:
                self._progress(Progress(self._done, self._total, item, error))

    def report(self) -> EnrolmentReport:
        """Returns the counts."""
        return EnrolmentReport(self._enrolled, self._replaced, self._known, tuple(self._refused))


def _nfc(student_id: str) -> str:
    return unicodedata.normalize("NFC", student_id)  # as the server returns ids


def _is_about_one(error: Exception) -> bool:
    if isinstance(error, errors.RollcallError):
        return error.code in ("invalid_argument", "already_exists") or isinstance(error, errors.NoConsent)
    return isinstance(error, OSError)


def enroll_in_threads(
    client: Calls, items: Iterable[Enrolment], concurrency: int, progress: Callable[[Progress], None] | None
) -> EnrolmentReport:
    """Does what Client.enroll_many says."""
    tally = Tally(items, client.all_students(page_size=1000), progress)
    newest: dict[str, Future[None]] = {}  # of each student

    def one(item: Enrolment, before: Future[None] | None) -> None:
        if before is not None:
            wait([before])  # it was begun earlier, so that a thread works on it
        try:
            outcome: messages.EmbedResponse | Exception | None = send(item)
        except (errors.RollcallError, OSError) as error:
            outcome = error
        tally.note(item, outcome)

    def send(item: Enrolment) -> messages.EmbedResponse | None:
        arguments = named(item)
        if tally.must_look_up(item):
            try:
                tally.found(item, client.get_student(item.student_id).student)
            except errors.NotFound:  # deleted meanwhile
                tally.found(item, None)
        if not item.crop_id and tally.is_known(item, arguments["crop_id"]):
            return None
        return client.embed(**arguments)

    with ThreadPoolExecutor(concurrency, "rollcall-enroll") as pool:
        pending: set[Future[None]] = set()
        try:
            for item in items:
                future = pool.submit(one, item, newest.get(item.student_id))
                newest[item.student_id] = future
                pending.add(future)
                if len(pending) >= 2 * concurrency:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
            for future in pending:
                future.result()
        finally:
            pool.shutdown(cancel_futures=True)
    return tally.report()


async def enroll_in_tasks(
    client: AsyncCalls, items: Iterable[Enrolment], concurrency: int, progress: Callable[[Progress], None] | None
) -> EnrolmentReport:
    """Does what AsyncClient.enroll_many says."""
    tally = Tally(items, [student async for student in client.all_students(page_size=1000)], progress)
    newest: dict[str, asyncio.Task[None]] = {}  # of each student
    turns = asyncio.Semaphore(concurrency)

    async def one(item: Enrolment, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            async with turns:
                outcome: messages.EmbedResponse | Exception | None = await send(item)
        except (errors.RollcallError, OSError) as error:
            outcome = error
        tally.note(item, outcome)

    async def send(item: Enrolment) -> messages.EmbedResponse | None:
        arguments = await asyncio.to_thread(named, item)
        if tally.must_look_up(item):
            try:
                tally.found(item, (await client.get_student(item.student_id)).student)
            except errors.NotFound:  # deleted meanwhile
                tally.found(item, None)
        if not item.crop_id and tally.is_known(item, arguments["crop_id"]):
            return None
        return await client.embed(**arguments)

    pending: set[asyncio.Task[None]] = set()
    try:
        for item in items:
            task = asyncio.create_task(one(item, newest.get(item.student_id)))
            newest[item.student_id] = task
            pending.add(task)
            if len(pending) >= 2 * concurrency:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.gather(*done)
        await asyncio.gather(*pending)
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
    return tally.report()
