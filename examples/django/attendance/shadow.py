"""Shadow mode: the old system answers, and Rollcall is asked about the same picture."""

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import QuerySet
from django.http import JsonResponse
from django.utils.module_loading import import_string
from rollcall import Face, RollcallError

from .models import Comparison, Student
from .server import rollcall


def no_old_system(picture: bytes) -> str:
    raise NotImplementedError("OLD_RECOGNISER names the function of the old system: bytes -> number or ''")


def check_in(picture: bytes) -> JsonResponse:
    """Answers what the old system says, and records what both say."""
    recognise: Callable[[bytes], str] = import_string(settings.OLD_RECOGNISER)
    old = recognise(picture)
    record(picture, old)
    if not old:
        return JsonResponse({"status": "unknown", "message": "not recognised: please see the office"})
    student = Student.objects.filter(number=old).first()
    return JsonResponse({"status": "match", "student": {"number": old, "name": student.name if student else ""}})


def record(picture: bytes, old: str) -> Comparison:
    """Asks Rollcall, and records both verdicts. It never fails because of Rollcall: the door goes on."""
    try:
        answer = rollcall().identify(picture, face=Face.LARGEST, timeout=2)
    except RollcallError as error:
        return Comparison.objects.create(old=old, error=str(error))
    return Comparison.objects.create(
        old=old, new=answer.student_id, verdict=answer.verdict.name, similarity=answer.similarity, threshold=answer.threshold
    )


@dataclass(frozen=True)
class Report:
    """How often both agreed."""

    same: int = 0
    nobody: int = 0
    only_old: int = 0
    only_new: int = 0
    another: int = 0
    not_asked: int = 0


def kind(c: Comparison) -> str:
    """Says which of the report's figures a comparison belongs to."""
    if c.error:
        return "not_asked"
    if c.old == c.new:
        return "same" if c.old else "nobody"
    if c.old and c.new:
        return "another"
    return "only_old" if c.old else "only_new"


def report(comparisons: QuerySet[Comparison]) -> Report:
    counts: dict[str, int] = {}
    for c in comparisons.iterator():
        counts[kind(c)] = counts.get(kind(c), 0) + 1
    return Report(**counts)
