from __future__ import annotations

import io
import json
import pathlib
import random
import struct
from datetime import datetime, timedelta, timezone

import pytest

from rollcall import messages, wire


def test_a_message_is_read_as_the_server_writes_it() -> None:
    sent = {
        "verdict": "VERDICT_MATCH",
        "student_id": "s1",
        "similarity": 1,
        "threshold": "NaN",
        "candidates": [{"student_id": "s1", "crops": [{"crop_id": "c", "alone": True}]}],
        "reasons": ["REASON_OF_A_NEWER_SERVER"],
        "exact": False,
        "line": "18446744073709551615",
        "field_of_a_newer_server": {},
    }
    read = wire.decode(messages.IdentifyResponse, sent)
    assert read.verdict is messages.Verdict.MATCH and read.student_id == "s1"
    assert isinstance(read.similarity, float) and read.threshold != read.threshold
    assert read.candidates[0].crops[0] == messages.CropSimilarity(crop_id="c", alone=True)
    assert read.reasons == (messages.Reason("REASON_OF_A_NEWER_SERVER"),)
    assert read.exact is False and read.fpir is None and read.quality is None
    assert read.line == 2**64 - 1
    assert wire.decode(messages.IdentifyResponse, {}) == messages.IdentifyResponse()


def test_what_has_its_default_is_not_sent_and_an_optional_field_is() -> None:
    assert wire.encode(messages.IdentifyRequest(image=b"x")) == {"image": "eA=="}
    assert wire.encode(messages.UpdateSettingsRequest(margin=0.0, require_consent=False)) == {"margin": 0.0, "require_consent": False}
    assert wire.encode(messages.AssignCropRequest("c", "", "")) == {"crop_id": "c", "expected_student_id": ""}
    scope = messages.Scope(groups=["3b"])
    assert wire.encode(messages.IdentifyRequest(crop_id="c", scope=scope)) == {"crop_id": "c", "scope": {"groups": ["3b"]}}


def test_a_text_is_no_list() -> None:
    with pytest.raises(TypeError, match="groups must be a list"):
        wire.encode(messages.EmbedRequest(image=b"x", groups="3b"))


def test_an_image_may_be_bytes_a_path_or_a_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"picture")
    for image in (b"picture", bytearray(b"picture"), memoryview(b"picture"), path, str(path), io.BytesIO(b"picture")):
        assert wire.encode(messages.EmbedRequest(image=image)) == {"image": "cGljdHVyZQ=="}
    with pytest.raises(TypeError, match="for reading bytes"), path.open() as text:
        wire.image_bytes(text)  # type: ignore[arg-type]


def test_times_are_read_and_written() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(200):
        want = datetime(2000, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=rng.randrange(10**15))
        digits = rng.choice([0, 3, 6, 9])
        kept = want.microsecond if digits else 0
        if digits == 3:
            kept -= kept % 1000
        fraction = f".{kept:06}000"[: digits + 1] if digits else ""
        assert wire.read_time(want.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z") == want.replace(microsecond=kept)
        (sent,) = wire.encode(messages.ListLinesRequest(from_=want)).values()
        assert wire.read_time(sent) == want
    with pytest.raises(ValueError, match="time zone"):
        wire.encode(messages.ListLinesRequest(until=datetime(2026, 1, 1)))


def test_frames_are_whole_however_they_arrive() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    want = [(False, {"newest": str(n), "text": "x" * rng.randrange(300)}) for n in range(50)] + [(True, {})]
    stream = b""
    for last, content in want:
        text = json.dumps(content).encode()
        stream += struct.pack(">BI", 2 if last else 0, len(text)) + text
    for _ in range(20):
        frames, got, at = wire.Frames(), [], 0
        while at < len(stream):
            size = rng.choice([1, 2, 5, 100, 2000])
            got += list(frames.feed(stream[at : at + size]))
            at += size
        assert got == want


def test_a_repr_holds_no_image_no_embedding_and_no_secret() -> None:
    for message in (
        messages.EmbedRequest(image=b"secret"),
        messages.EmbedResponse(embedding=(0.123456,)),
        messages.BurstFrame(image="secret"),
        messages.RollCallRequest(photo=b"secret"),
        messages.CreateTokenResponse(secret="secret"),
        messages.CreatePairingCodeResponse(code="secret"),
    ):
        assert "secret" not in repr(message) and "0.123456" not in repr(message)
