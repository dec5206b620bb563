"""The client that waits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

import httpx

from . import exchange, messages, wire
from .calls import Calls
from .connection import Connection
from .enrolment import Enrolment, EnrolmentReport, Progress, enroll_in_threads, named
from .errors import RollcallError

T = TypeVar("T")


class Client(Calls):
    """Calls a Rollcall server, and waits for its answers. It may be used by several threads at
    once. A process that was forked needs a client of its own.

    Args:
        server: The address, such as "http://127.0.0.1:8787".
        token: Who calls. It is never logged.
        gallery: The gallery that calls are about; without it, the caller's only one, or "default".
        ca: A PEM file with the authority that signed the server's certificate: the ca.crt of
            "rollcall tls init". Without it, those that this machine trusts.
        timeout: How many seconds one try of a call may take.
        patience: For how many seconds a call is made again that the server refuses for the
            moment (unavailable, resource_exhausted), with the delay that it asks for.
            0: never. So a call takes patience and timeout together at most.

    Proxies and logins that the environment names (HTTP_PROXY, .netrc) are not used: pictures
    go to the server and nowhere else.
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
        self._http = httpx.Client(**self._connection.options)

    def __repr__(self) -> str:
        return f"Client({self._connection.server!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections."""
        self._http.close()

    def check_ready(self, timeout: float = 5.0) -> None:
        """Raises Unavailable, with the reason, while the server cannot do all of its work."""
        try:
            got = self._http.get("/readyz", timeout=timeout)
        except httpx.HTTPError as error:
            raise exchange.failure(error) from None
        exchange.read_ready(got)

    def enroll(self, item: Enrolment, *, timeout: float | None = None) -> messages.EmbedResponse:
        """Enrols one picture of a student: Embed, with an id for the crop."""
        return self.embed(timeout=timeout, **named(item))

    def enroll_many(
        self,
        items: Iterable[Enrolment],
        *,
        concurrency: int = 4,
        progress: Callable[[Progress], None] | None = None,
    ) -> EnrolmentReport:
        """Enrols many pictures, several at a time; those of one student one after the other, in
        their order.

        A picture that is refused does not end it: the report has it. What concerns all
        pictures does: no server, a wrong token. Call it again with the same items then: it is
        idempotent, and pictures without a crop_id that are enrolled already are not sent again.

        Args:
            items: The pictures. They are read as they are needed.
            concurrency: How many calls are made at once. More than the server has cores bring little.
            progress: Is called after each picture, by one thread at a time.
        """
        return enroll_in_threads(self, items, concurrency, progress)

    def all_lines(
        self, *, after: int = 0, kinds: tuple[messages.LineKind, ...] = (), student_id: str = "", timeout: float | None = None
    ) -> Iterator[messages.Line]:
        """Yields the lines of the journal that are there, from the one after a number on."""
        while True:
            page = self.list_lines(after=after, page_size=1000, kinds=kinds, student_id=student_id, timeout=timeout)
            yield from page.lines
            after = page.next_after
            if page.end:
                return

    def watch_verdicts(
        self, *, after: int = 0, timeout: float | None = None, patience: float | None = None
    ) -> Iterator[messages.WatchVerdictsResponse]:
        """Yields verdicts and check-ins: first those after a number that are there, then new ones
        for as long as the caller likes. Where the server is away it comes again and goes on with
        the next line.

        Keep newest of each answer in the same transaction as what you make of its lines, and begin
        with it again. Answers without lines come now and then.

        Args:
            after: Begin after the line with this number; 0: with the first line.
            timeout: How many seconds the server may be silent.
            patience: How many seconds the server may be away; without it, as long as for calls.
        """
        patient = exchange.Patience(self._connection.patience if patience is None else patience)
        while True:
            try:
                for answer in super().watch_verdicts(after=after, timeout=timeout):
                    patient.succeeded()
                    after = answer.newest
                    yield answer
                raise exchange.failure(None)  # it has no end
            except RollcallError as error:
                time.sleep(patient.pause(error, True))

    def record_check_in(
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
        return super().record_check_in(student_id, method, cancels=cancels, by=by, request_id=request_id, timeout=timeout)

    def _call(self, procedure: str, request: Any, answer: type[T], timeout: float | None, repeatable: bool) -> T:
        steps = self._connection.call(procedure, request, answer, timeout, repeatable)
        got: httpx.Response | httpx.HTTPError | None = None
        while True:
            try:
                step = steps.send(got)
            except StopIteration as done:
                return cast(T, done.value)
            if isinstance(step, exchange.Pause):
                time.sleep(step.seconds)
                got = None
                continue
            try:
                got = self._http.post(step.path, headers=step.headers, content=step.content, timeout=step.timeout)
            except httpx.HTTPError as error:
                got = error

    def _stream(self, procedure: str, request: Any, answer: type[T], timeout: float | None) -> Iterator[T]:
        stream = exchange.Stream(answer)
        try:
            with self._http.stream(
                "POST",
                f"/{procedure}",
                headers=exchange.headers("application/connect+json", None),
                content=wire.frame(request),
                timeout=timeout or exchange.STREAM_TIMEOUT,
            ) as got:
                if got.status_code != 200:
                    got.read()
                    exchange.read(got)
                for part in got.iter_raw():
                    yield from stream.feed(part)
        except httpx.HTTPError as error:
            stream.closed(error)
        stream.closed()
