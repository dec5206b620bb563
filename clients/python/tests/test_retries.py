"""Calls of a server that refuses, breaks off or says nothing, over real connections."""

from __future__ import annotations

import asyncio
import http.server
import json
import pickle
import socket
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
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append((time.monotonic(), self.path, body, self.headers))
        step = self.server.script.pop(0)
        if callable(step):
            step(self)
            return
        status, answer = step
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
