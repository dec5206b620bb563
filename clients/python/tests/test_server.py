"""Against the real server, which rollcall.testing starts."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import pathlib
import subprocess
import threading
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest

import rollcall
from rollcall import AsyncClient, Client, Enrolment, Method, Progress, Verdict, calls, messages, wire
from rollcall.testing import Server

Face = Callable[[str], bytes]

STUDENTS = {"s74": "p0074", "s720": "p0720", "s908": "p0908"}


def pictures(face: Face) -> list[Enrolment]:
    return [Enrolment(student, face(f"{person}_{n:03}"), groups=["3b"]) for student, person in STUDENTS.items() for n in (1, 2)]


def filled(kind: Any) -> Any:
    """Returns a value of a type that is not its default."""
    if typing.get_origin(kind) is Sequence:
        return [filled(typing.get_args(kind)[0])]
    if type(None) in typing.get_args(kind):
        return filled(typing.get_args(kind)[0])
    if kind == wire.Image:
        return b"x"
    if typing.get_origin(kind) is Mapping:
        return {"a": "b"}
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return typing.cast(Any, kind)(**{f.name: filled(hints[f.name]) for f in dataclasses.fields(kind)})
    if kind is datetime:
        return datetime.now(timezone.utc)
    if issubclass(kind, wire.ContractEnum):
        return list(kind)[1]
    return {str: "a", int: 1, float: 0.25, bool: True}[kind]


def test_the_server_knows_each_field_of_each_request(rollcall_server: Server) -> None:
    # What it does with the values does not matter here: most of them contradict each other.
    asked = []

    class Recorder(calls.Calls):
        def _call(self, procedure: str, request: Any, answer: Any, *_: Any) -> Any:
            asked.append((procedure, type(request)))

        _stream: Any = _call

    recorder = Recorder()
    for name, method in vars(calls.Calls).items():
        if not name.startswith(("_", "all_")):
            getattr(recorder, name)(**{name: [] for name in inspect.signature(method).parameters if name != "self"})
    assert len(asked) > 30
    http = httpx.Client(base_url=rollcall_server.address, headers={"Rollcall-Gallery": "none"})
    for procedure, request in asked:
        content = wire.encode(filled(request))
        assert len(content) == len(dataclasses.fields(request))
        got = http.post(f"/{procedure}", json=content)
        said = got.json().get("message", "")
        assert "is not a field of" not in said and "must be a" not in said, (procedure, said)
    http.close()


def test_enrol_identify_and_what_an_application_asks(rollcall_client: Client, face: Face) -> None:
    client = rollcall_client
    heard: list[Progress] = []
    report = client.enroll_many(pictures(face), progress=heard.append)
    assert (report.enrolled, report.replaced, report.known, report.refused) == (6, 0, 0, ())
    assert [p.done for p in heard] == [1, 2, 3, 4, 5, 6] and {p.total for p in heard} == {6}

    answer = client.identify(face("p0074_003"), scope=rollcall.Scope(groups=["3b"]))
    assert answer.verdict == Verdict.MATCH and answer.student_id == "s74" and answer.students_in_scope == 3
    assert answer.similarity > answer.threshold and answer.quality and answer.quality.width == 192
    stranger = client.identify(face("p1186_001"))
    assert stranger.verdict == Verdict.UNKNOWN and stranger.reasons == (rollcall.Reason.BELOW_THRESHOLD,)
    assert client.verify("s908", face("p0908_003")).verdict == Verdict.MATCH
    burst = client.identify_burst([face("p0074_003"), rollcall.BurstFrame(image=face("p0074_004"))])
    assert burst.student_id == "s74" and [frame.counted for frame in burst.frames] == [True, True]
    called = client.roll_call(probes=[face("p0908_003"), face("p1186_001")])
    assert called.absent == ("s720", "s74") and called.unknown == (1,) and called.seats[0].student_id == "s908"
    found = client.detect(face("p0074_003"))
    assert len(found.faces) == 1 and len(found.faces[0].landmarks) == 5

    students = {student.student_id: student for student in client.all_students(page_size=1)}
    assert list(students) == sorted(STUDENTS) and students["s74"].groups == ("3b",)
    student = client.get_student("s74").student
    assert student and len(student.crops) == 2 and student.created and student.created.tzinfo
    crop = student.crops[0].crop_id
    change = client.assign_crop(crop, student_id="s720", expected_student_id="s74").change
    assert client.get_crop(crop).crop == rollcall.Crop(**{**vars(student.crops[0]), "student_id": "s720", "corrected": True, "updated": client.get_crop(crop).crop.updated})  # type: ignore[union-attr]
    client.undo_change(change)
    assert {c.cause for c in client.all_changes(page_size=2)} >= {"enrol", "assign"}
    client.delete_crop(crop)
    with pytest.raises(rollcall.NotFound):
        client.get_crop(crop)

    settings = client.update_settings(require_consent=True).settings
    assert settings and settings.require_consent and settings.fpir == 0.001
    with pytest.raises(rollcall.NoConsent):
        client.enroll(Enrolment("s5", face("p1186_001")))
    client.set_consent("s5", rollcall.Consent(state=rollcall.ConsentState.GIVEN, reference="form 12"))
    assert client.enroll(Enrolment("s5", face("p1186_001"))).enrolled
    receipt = client.delete_student("s5").receipt
    assert receipt and (receipt.crops, receipt.embeddings) == (1, 1)


def test_enrolling_again_sends_only_what_is_new_and_reports_what_is_refused(rollcall_client: Client, face: Face) -> None:
    client = rollcall_client
    items = pictures(face)
    client.enroll_many(items[:3])
    wrong = [
        Enrolment("s74", b"no picture"),
        Enrolment("s74", "/nowhere.jpg"),
        Enrolment("another", items[0].image),
        Enrolment("s74", face("p1186_001")),
    ]
    report = client.enroll_many(iter(items[:1] + items + wrong), concurrency=3)
    # The first one is always sent: its answer says how the server embeds now.
    assert report.enrolled == 3 and report.replaced + report.known == 4 and report.replaced <= 3
    refused = {type(r.error): r.item for r in report.refused}
    assert refused == {rollcall.BadImage: wrong[0], FileNotFoundError: wrong[1], rollcall.DuplicateFace: wrong[2], rollcall.UnlikeStudent: wrong[3]}
    assert {s.student_id: s.crop_count for s in client.all_students()} == {"s720": 2, "s74": 2, "s908": 2}
    # Not a question about what is not there: each would be a refusal in the journal.
    procedures = [line.procedure for line in client.all_lines(kinds=(rollcall.LineKind.REFUSAL,))]
    assert set(procedures) <= {"/rollcall.v1.AttendanceService/Embed"}


def test_enrolling_ends_when_all_would_fail(rollcall_server: Server, face: Face) -> None:
    with rollcall_server.client(gallery="not there") as client, pytest.raises(rollcall.NotFound):
        client.enroll_many(pictures(face))


def test_asyncio(rollcall_client: Client, rollcall_server: Server, face: Face) -> None:
    gallery = rollcall_client._connection.options["headers"]["Rollcall-Gallery"]

    async def run() -> None:
        async with AsyncClient(rollcall_server.address, gallery=gallery) as client:
            await client.check_ready()
            report = await client.enroll_many(pictures(face) + [Enrolment("s74", b"no picture")])
            assert report.enrolled == 6 and [type(r.error) for r in report.refused] == [rollcall.BadImage]
            again = await client.enroll_many(pictures(face))
            assert again.enrolled == 0 and again.known > 0
            answers = await asyncio.gather(*(client.identify(face(f"{person}_003")) for person in STUDENTS.values()))
            assert [a.student_id for a in answers] == list(STUDENTS)
            assert [s.student_id async for s in client.all_students(page_size=2)] == sorted(STUDENTS)
            number = (await client.record_check_in("s1", Method.BY_HAND, by="office")).number
            assert [line.number async for line in client.all_lines(after=number - 1)] == [number]
            async for answer in client.watch_verdicts(after=number - 1):
                assert answer.newest == number and answer.lines[0].by == "office"
                break
            with pytest.raises(rollcall.NotFound):
                await client.get_student("none")

    asyncio.run(run())


def test_a_watch_goes_on_where_it_was_when_the_server_comes_back() -> None:
    with Server() as server, server.client(patience=60) as client:
        heard: list[int] = []
        done = threading.Event()

        def watch() -> None:
            with server.client(patience=60) as watcher:
                for answer in watcher.watch_verdicts(after=0):
                    heard.extend(line.number for line in answer.lines)
                    if len(heard) >= 6:
                        break
            done.set()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        sent = [client.record_check_in(f"s{n}", Method.CARD).number for n in range(3)]
        server.stop()
        server.start()
        sent += [client.record_check_in(f"s{n}", Method.PIN).number for n in range(3)]
        assert done.wait(60)
        assert heard == sent


def test_tokens_and_what_they_may(face: Face) -> None:
    with Server() as server, server.client() as client:
        secret = client.create_token("office", rollcall.Role.ADMIN).secret
        with pytest.raises(rollcall.Unauthenticated, match="NO_TOKEN"):
            client.list_students()
        with server.client(token=secret) as admin:
            door = admin.create_token("door", rollcall.Role.CHECKIN)
            assert door.token and door.token.role == rollcall.Role.CHECKIN
            with server.client(token=door.secret) as at_door:
                assert at_door.identify(face("p0074_001")).verdict == Verdict.UNKNOWN
                with pytest.raises(rollcall.PermissionDenied):
                    at_door.list_students()
                admin.revoke_token(door.token.token_id)
                with pytest.raises(rollcall.Unauthenticated, match="REVOKED_TOKEN"):
                    at_door.identify(face("p0074_001"))



def test_tls_and_whom_to_trust(tmp_path: pathlib.Path, rollcall_server: Server) -> None:
    subprocess.run([rollcall_server.binary, "tls", "init", "127.0.0.1"], cwd=tmp_path, check=True, capture_output=True)
    folder = tmp_path / "rollcall-tls"
    with Server("--tls-cert", str(folder / "server.crt"), "--tls-key", str(folder / "server.key")) as server:
        with server.client(ca=folder / "ca.crt") as client:
            assert client.list_galleries().galleries == (rollcall.Gallery("default"),)
        with server.client() as client, pytest.raises(rollcall.Unavailable, match="CERTIFICATE"):
            client.list_galleries()
