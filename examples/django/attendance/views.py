"""What the office and the door call. Both answer in JSON."""

import math

from django.conf import settings
from django.contrib.auth.decorators import permission_required
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_POST
from rollcall import Busy, Face, IdentifyResponse, InvalidRequest, RollcallError, TimedOut, Unavailable, Verdict

from . import enrolment, shadow
from .models import Picture, Student
from .server import rollcall


@require_POST
@permission_required("attendance.add_picture", raise_exception=True)
def enrol(request: HttpRequest, number: str) -> JsonResponse:
    """Enrols an uploaded picture of a student, and keeps it. The same picture again changes nothing."""
    student = get_object_or_404(Student, number=number)
    upload = request.FILES.get("picture")
    if upload is None:
        return JsonResponse({"error": "NO_PICTURE", "message": "send the file as picture"}, status=400)
    content = upload.read()
    item = enrolment.item_of(student, content)
    try:
        answer = rollcall().enroll(item)
    except RollcallError as error:
        return refused(error)
    # Enrolled first: what Rollcall refuses is not kept. If this fails, enrol_students --check
    # shows the crop that has no picture here.
    with transaction.atomic():
        if not Picture.objects.filter(crop_id=item.crop_id).exists():
            upload.seek(0)
            Picture.objects.create(student=student, image=upload, crop_id=item.crop_id)
    score = answer.quality.score if answer.quality else 0
    return JsonResponse({"crop_id": answer.crop_id, "quality": round(score, 2), "pictures": answer.student_crops})


@require_POST
@permission_required("attendance.check_in", raise_exception=True)
def check_in(request: HttpRequest) -> JsonResponse:
    """Answers with the student on a picture, or why there is none.

    It writes no attendance: the verdict is a line of Rollcall's journal, and read_verdicts makes a
    row of each line, also of those of paired tablets.
    """
    upload = request.FILES.get("picture")
    if upload is None:
        return JsonResponse({"error": "NO_PICTURE", "message": "send the file as picture"}, status=400)
    content = upload.read()
    if settings.ROLLCALL_MODE == "shadow":
        return shadow.check_in(content)
    try:
        answer = rollcall().identify(content, face=Face.LARGEST)
    except RollcallError as error:
        return refused(error)
    return JsonResponse(said(answer))


def said(answer: IdentifyResponse) -> dict[str, object]:
    """Makes of a verdict what the door shows."""
    verdict = answer.verdict
    if verdict == Verdict.MATCH:
        return {"status": "match", "student": shown(answer.student_id)}
    if verdict == Verdict.AMBIGUOUS:
        return {"status": "ask", "students": [shown(c.student_id) for c in answer.candidates[:2]]}
    if verdict == Verdict.UNUSABLE:
        wrong = answer.quality.shortfalls if answer.quality else ()
        return {"status": "again", "reasons": [r.name for r in answer.reasons], "message": " ".join(s.message for s in wrong)}
    return {"status": "unknown", "message": "not recognised: please see the office"}


def shown(number: str) -> dict[str, str]:
    student = Student.objects.filter(number=number).first()
    return {"number": number, "name": student.name if student else ""}


def refused(error: RollcallError) -> JsonResponse:
    """Makes an answer of an error: 503 if it may work later, 422 if the picture or the student
    has to be another one. Anything else is a fault of ours, which Django reports."""
    answer = {"error": error.reason or error.code, "message": error.message}
    if isinstance(error, (Busy, Unavailable, TimedOut)):
        again = math.ceil(error.retry_delay or 1)
        return JsonResponse(answer, status=503, headers={"Retry-After": str(again)})
    if isinstance(error, InvalidRequest) or error.reason in ("DUPLICATE_FACE", "NO_CONSENT"):
        return JsonResponse(answer, status=422)
    raise error


@require_GET
def health(_: HttpRequest) -> JsonResponse:
    """Says whether check-ins would work now: for a load balancer or a monitor."""
    try:
        rollcall().check_ready(timeout=2)
    except RollcallError as error:
        return JsonResponse({"rollcall": error.reason}, status=503)
    return JsonResponse({"rollcall": "ok"})
