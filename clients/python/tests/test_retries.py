"""Calls of a server that refuses, breaks off or says nothing, over real connections."""

from __future__ import annotations

import asyncio
import http.server
import json
import pickle
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import rollcall
from rollcall import AsyncClient, Client, RollcallError

Script = list[Any]  # what is answered in turn: (status, body), or a function of the handler


def refusal(code: str, reason: str, delay: str = "", field: str = "", **metadata: str) -> dict[str, Any]:
    details: list[Any] = [{"type": "google.rpc.ErrorInfo", "value": "", "debug": {"reason": reason, "domain": "rollcall", "metadata": metadata}}]
    if delay:
        details.append({"type": "google.rpc.RetryInfo", "value": "", "debug": {"retryDelay": delay}})
    if field:
        details.append({"type": "google.rpc.BadRequest", "value": "", "debug": {"fieldViolations": [{"field": field}]}})
    return {"code": code, "message": "what happened", "details": details}


class Scripted(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        self.script: Script = []
        self.calls: list[tuple[float, str, bytes, Any]] = []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append((time.monotonic(), self.path, self.body, self.headers))
        step = self.server.script.pop(0)
        if callable(step):
            step(self)
            return
        self.answer(*step)

    def answer(self, status: int, answer: Any) -> None:
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def cut(handler: Handler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


@pytest.fixture
def server() -> Iterator[Scripted]:
    server = Scripted()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


Run = Callable[..., Any]


@pytest.fixture(params=["Client", "AsyncClient"])
def run(request: pytest.FixtureRequest, server: Scripted) -> Run:
    """Makes a call by either client."""

    def call(name: str, *args: Any, options: dict[str, Any] = {}, **kwargs: Any) -> Any:
        if request.param == "Client":
            with Client(server.url, **options) as client:
                return getattr(client, name)(*args, **kwargs)

        async def awaited() -> Any:
            async with AsyncClient(server.url, **options) as client:
                return await getattr(client, name)(*args, **kwargs)

        return asyncio.run(awaited())

    return call


def test_a_call_comes_again_after_the_delay_that_the_server_names(server: Scripted, run: Run) -> None:
    server.script = [
        (429, refusal("resource_exhausted", "QUEUE_FULL", "0.200s")),
        (503, refusal("unavailable", "DRAINING", "0.1s")),
        (200, {"verdict": "VERDICT_UNKNOWN"}),
    ]
    assert run("identify", b"x").verdict == rollcall.Verdict.UNKNOWN
    (first, path, body, _), (second, _, _, _), (third, _, again, _) = server.calls
    assert path == "/rollcall.v1.AttendanceService/Identify" and body == again == b'{"image": "eA=="}'
    assert second - first >= 0.2 and third - second >= 0.1


@pytest.mark.parametrize("patience", [0, 0.3])
def test_patience_ends(server: Scripted, run: Run, patience: float) -> None:
    server.script = [(429, refusal("resource_exhausted", "QUEUE_FULL", "0.200s"))] * 9
    with pytest.raises(rollcall.Busy) as refused:
        run("identify", b"x", options={"patience": patience})
    assert len(server.calls) == (2 if patience else 1)
    assert refused.value.retry_delay == 0.2


@pytest.mark.parametrize("code", ["invalid_argument", "not_found", "already_exists", "internal", "deadline_exceeded", "unauthenticated", "failed_precondition"])
def test_nothing_else_comes_again(server: Scripted, run: Run, code: str) -> None:
    server.script = [(400, refusal(code, "X", "0.01s"))]
    with pytest.raises(RollcallError) as refused:
        run("identify", b"x")
    assert refused.value.code == code and len(server.calls) == 1


def test_a_lost_connection_repeats_only_what_may_be_repeated(server: Scripted, run: Run) -> None:
    server.script = [cut, (200, {"student_id": "s1"})]
    assert run("identify", b"x").student_id == "s1"
    server.script = [cut, (200, {})]
    with pytest.raises(rollcall.Unavailable, match="CONNECTION_LOST"):
        run("merge_students", "a", "b")
    assert len(server.calls) == 3


def test_a_check_in_that_comes_again_is_the_same_one(server: Scripted, run: Run) -> None:
    server.script = [cut, (200, {"number": "7"})]
    assert run("record_check_in", "s1", rollcall.Method.CARD).number == 7
    sent = [json.loads(body) for _, _, body, _ in server.calls]
    assert sent[0] == sent[1] and sent[0]["request_id"] and sent[0]["method"] == "METHOD_CARD"


def test_a_server_that_says_nothing_times_out(server: Scripted, run: Run) -> None:
    server.script = [lambda handler: time.sleep(0.5)]
    with pytest.raises(rollcall.TimedOut):
        run("identify", b"x", timeout=0.2)
    assert server.calls[0][3]["Connect-Timeout-Ms"] == "200" and len(server.calls) == 1


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with Client(f"http://127.0.0.1:{taken.getsockname()[1]}", patience=0) as client:
            with pytest.raises(rollcall.Unavailable, match="UNREACHABLE"):
                client.list_students()


def test_an_answer_that_is_not_from_rollcall(server: Scripted, run: Run) -> None:
    for status, want in ((502, "unavailable"), (404, "unimplemented"), (302, "unknown"), (200, "unknown")):
        server.script = [(status, b"<html>")]
        with pytest.raises(RollcallError, match="not from Rollcall") as refused:
            run("identify", b"x", options={"patience": 0})
        assert (refused.value.code, refused.value.reason) == (want, "")


def test_an_error_has_all_that_the_server_says(server: Scripted, run: Run) -> None:
    said = refusal("invalid_argument", "TOO_SMALL", field="image", measured="12.5", limit="24")
    server.script = [(400, said)]
    with pytest.raises(rollcall.UnusableCrop) as refused:
        run("embed", b"x", crop_id="c")
    for error in (refused.value, pickle.loads(pickle.dumps(refused.value))):
        assert (error.code, error.reason, error.field, error.metadata) == (
            "invalid_argument", "TOO_SMALL", "image", {"measured": "12.5", "limit": "24"})
        assert str(error) == "what happened (TOO_SMALL)"
    assert isinstance(refused.value, rollcall.InvalidRequest)


def test_no_token_and_no_image_is_logged(server: Scripted, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    server.script = [(400, refusal("invalid_argument", "NOT_AN_IMAGE"))]
    with caplog.at_level("DEBUG"), pytest.raises(rollcall.BadImage) as refused:
        run("identify", b"the picture", options={"token": "the-token", "gallery": "Grundschule Süd"})
    (_, _, _, headers), = server.calls
    assert headers["Authorization"] == "Bearer the-token" and headers["Rollcall-Gallery"] == "Grundschule%20S%C3%BCd"
    written = caplog.text + repr(refused.value)
    assert caplog.text and "the-token" not in written and "dGhlIHBpY3R1cmU" not in written and "the picture" not in written


def test_proxies_of_the_environment_are_not_used(server: Scripted, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    server.script = [(200, {})]
    run("list_students", options={"patience": 0})


def test_a_token_that_is_none_is_not_repeated(server: Scripted, run: Run) -> None:
    server.script = [(200, {})]
    run("list_students", options={"token": "from-a-file\n"})
    assert server.calls[0][3]["Authorization"] == "Bearer from-a-file"
    with pytest.raises(ValueError) as refused:
        run("list_students", options={"token": "the-token\nX: y"})
    assert "the-token" not in str(refused.value)


def part(*contents: Any, then: Callable[[Handler], None] = cut) -> Callable[[Handler], None]:
    """Answers with parts of a stream; then breaks off, or does something else."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for last, content in contents:
            text = json.dumps(content).encode()
            handler.wfile.write(struct.pack(">BI", 2 if last else 0, len(text)) + text)
        handler.wfile.flush()
        then(handler)

    return answer


def lines(*numbers: int) -> tuple[bool, Any]:
    return False, {"lines": [{"number": str(n)} for n in numbers], "newest": str(numbers[-1])}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_watch_goes_on_after_all_that_can_happen(server: Scripted, asynchronous: bool) -> None:
    ended = (True, {"error": refusal("unavailable", "DRAINING", "0.01s")})
    server.script = [
        part(lines(1, 2), lines(3)),
        cut,
        (503, refusal("unavailable", "STARTING", "0.01s")),
        part(lines(4), ended),
        part((False, {"newest": "6"}), (True, {})),
        part(lines(7), then=lambda handler: time.sleep(1)),  # silent for longer than the timeout
        part(lines(8), (True, {"error": refusal("not_found", "GALLERY_NOT_FOUND")})),
    ]
    heard: list[int] = []

    def hear(answer: rollcall.WatchVerdictsResponse) -> None:
        heard.extend(line.number for line in answer.lines)

    async def awaited() -> None:
        async with AsyncClient(server.url) as client:
            async for answer in client.watch_verdicts(timeout=0.3):
                hear(answer)

    with pytest.raises(rollcall.NotFound):
        if asynchronous:
            asyncio.run(awaited())
        else:
            with Client(server.url) as client:
                for answer in client.watch_verdicts(timeout=0.3):
                    hear(answer)
    assert heard == [1, 2, 3, 4, 7, 8]
    asked = [json.loads(body[5:]).get("after", 0) for _, _, body, _ in server.calls]
    assert asked == [0, 3, 3, 3, 4, 6, 7]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_watch_whose_patience_ends(server: Scripted, asynchronous: bool) -> None:
    server.script = [part(lines(1))] + [(503, refusal("unavailable", "STARTING", "0.1s"))] * 9

    async def awaited() -> None:
        async with AsyncClient(server.url) as client:
            async for _ in client.watch_verdicts(patience=0.8):
                pass

    with pytest.raises(rollcall.Unavailable):
        if asynchronous:
            asyncio.run(awaited())
        else:
            with Client(server.url) as client:
                list(client.watch_verdicts(patience=0.8))
    assert 2 < len(server.calls) < 10


@pytest.mark.parametrize("asynchronous", [False, True])
def test_many_are_enrolled_some_at_a_time_and_those_of_a_student_in_order(server: Scripted, asynchronous: bool) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    lock = threading.Lock()
    at_work: list[str] = []
    most, sent = 0, []

    def embed(handler: Handler) -> None:
        nonlocal most
        request = json.loads(handler.body)
        with lock:
            assert request["student_id"] not in at_work
            at_work.append(request["student_id"])
            most = max(most, len(at_work))
            sent.append(request["crop_id"])
        time.sleep(rng.random() / 100)
        with lock:
            at_work.remove(request["student_id"])
        handler.answer(200, {"stored": True})

    server.script = [(200, {})] + [embed] * 60
    items = [rollcall.Enrolment(f"s{rng.randrange(6)}", b"x", crop_id=str(n)) for n in range(60)]
    read = 0

    def given() -> Iterator[rollcall.Enrolment]:
        nonlocal read
        for item in items:
            read += 1
            assert read <= len(sent) + 8  # twice as many as work at once
            yield item

    async def awaited() -> rollcall.EnrolmentReport:
        async with AsyncClient(server.url) as client:
            return await client.enroll_many(given(), concurrency=4)

    if asynchronous:
        report = asyncio.run(awaited())
    else:
        with Client(server.url) as client:
            report = client.enroll_many(given(), concurrency=4)
    assert report.enrolled == 60 and 2 <= most <= 4
    order = {item.student_id: [i.crop_id for i in items if i.student_id == item.student_id] for item in items}
    for student, crops in order.items():
        assert [crop for crop in sent if crop in crops] == crops, student


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_concerns_all_ends_many(server: Scripted, asynchronous: bool) -> None:
    server.script = [(200, {}), (200, {})] + [(401, refusal("unauthenticated", "REVOKED_TOKEN"))] * 40
    items = [rollcall.Enrolment(f"s{n}", b"x") for n in range(40)]

    async def awaited() -> None:
        async with AsyncClient(server.url) as client:
            await client.enroll_many(items)

    with pytest.raises(rollcall.Unauthenticated):
        if asynchronous:
            asyncio.run(awaited())
        else:
            with Client(server.url) as client:
                client.enroll_many(items)
    assert len(server.calls) < 20
