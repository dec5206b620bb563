"""The client for asyncio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, TypeVar, cast

import httpx

from . import exchange, messages, wire
from .calls import AsyncCalls
from .connection import Connection
from .enrolment import Enrolment, EnrolmentReport, Progress, enroll_in_tasks, named
from .errors import RollcallError

T = TypeVar("T")


class AsyncClient(AsyncCalls):
    """Client for asyncio: the same arguments, and the same calls to be awaited. A client belongs to
    the event loop that it was first used in.
    """

    def __init__(
        self,
        server: str = "http://127.0.0.1:8787",
        *,
        token: str | None = None,
        gallery: str | None = None,
        ca: str | os.PathLike[str] | None = None,
        timeout: float = 30.0,
        patience: float = 10.0,
    ) -> None:
        self._connection = Connection(server, token, gallery, ca, timeout, patience)
        self._http = httpx.AsyncClient(**self._connection.options)

    def __repr__(self) -> str:
        return f"AsyncClient({self._connection.server!r})"

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connections."""
        await self._http.aclose()

    async def check_ready(self, timeout: float = 5.0) -> None:
        """Raises Unavailable, with the reason, while the server cannot do all of its work."""
        try:
            got = await self._http.get("/readyz", timeout=timeout)
        except httpx.HTTPError as error:
            raise exchange.failure(error) from None
        exchange.read_ready(got)

    async def enroll(self, item: Enrolment, *, timeout: float | None = None) -> messages.EmbedResponse:
        """Enrols one picture of a student: Embed, with an id for the crop."""
        return await self.embed(timeout=timeout, **named(item))

    async def enroll_many(
        self,
        items: Iterable[Enrolment],
        *,
        concurrency: int = 4,
        progress: Callable[[Progress], None] | None = None,
    ) -> EnrolmentReport:
        """Client.enroll_many."""
        return await enroll_in_tasks(self, items, concurrency, progress)

    async def all_lines(
        self, *, after: int = 0, kinds: tuple[messages.LineKind, ...] = (), student_id: str = "", timeout: float | None = None
    ) -> AsyncIterator[messages.Line]:
        """Yields the lines of the journal that are there, from the one after a number on."""
        while True:
            page = await self.list_lines(after=after, page_size=1000, kinds=kinds, student_id=student_id, timeout=timeout)
            for line in page.lines:
                yield line
            after = page.next_after
            if page.end:
                return

    async def watch_verdicts(
        self, *, after: int = 0, timeout: float | None = None, patience: float | None = None
    ) -> AsyncIterator[messages.WatchVerdictsResponse]:
        """Client.watch_verdicts."""
        patient = exchange.Patience(self._connection.patience if patience is None else patience)
        while True:
            try:
                async for answer in super().watch_verdicts(after=after, timeout=timeout):
                    patient.succeeded()
                    after = answer.newest
                    yield answer
                raise exchange.failure(None)  # it has no end
            except RollcallError as error:
                await asyncio.sleep(patient.pause(error, True))

    async def record_check_in(
        self,
        student_id: str,
        method: messages.Method,
        *,
        cancels: int = 0,
        by: str = "",
        request_id: str = "",
        timeout: float | None = None,
    ) -> messages.RecordCheckInResponse:
        """RecordCheckIn of the contract. Without a request_id it draws one, so that making the
        call again after a failure records it once."""
        request_id = request_id or exchange.request_id()
        return await super().record_check_in(student_id, method, cancels=cancels, by=by, request_id=request_id, timeout=timeout)

    async def _call(self, procedure: str, request: Any, answer: type[T], timeout: float | None, repeatable: bool) -> T:
        steps = self._connection.call(procedure, request, answer, timeout, repeatable)
        got: httpx.Response | httpx.HTTPError | None = None
        while True:
            try:
                step = steps.send(got)
            except StopIteration as done:
                return cast(T, done.value)
            if isinstance(step, exchange.Pause):
                await asyncio.sleep(step.seconds)
                got = None
                continue
            try:
                got = await self._http.post(step.path, headers=step.headers, content=step.content, timeout=step.timeout)
            except httpx.HTTPError as error:
                got = error

    async def _stream(self, procedure: str, request: Any, answer: type[T], timeout: float | None) -> AsyncIterator[T]:
        stream = exchange.Stream(answer)
        try:
            async with self._http.stream(
                "POST",
                f"/{procedure}",
                headers=exchange.headers("application/connect+json", None),
                content=wire.frame(request),
                timeout=timeout or exchange.STREAM_TIMEOUT,
            ) as got:
                if got.status_code != 200:
                    await got.aread()
                    exchange.read(got)
                async for part in got.aiter_raw():
                    for one in stream.feed(part):
                        yield one
        except httpx.HTTPError as error:
            stream.closed(error)
        stream.closed()
