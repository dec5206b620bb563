"""Lines of Rollcall's journal become rows of attendance, each once."""

from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from rollcall import Line, LineKind, Method, Verdict

from .models import Attendance, Cursor


def gallery() -> str:
    return settings.ROLLCALL["gallery"] or "default"


def newest() -> int:
    """Returns the number of the line up to which the journal was read."""
    cursor, _ = Cursor.objects.get_or_create(gallery=gallery())
    return cursor.newest


def take(lines: Sequence[Line], up_to: int) -> int:
    """Writes what lines say, and how far they go, in one transaction. Lines that were taken
    before, by another process too, are left out. Returns how many rows it wrote or took back."""
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().get(gallery=gallery())
        done = sum(_take(line) for line in lines if line.number > cursor.newest)
        cursor.newest = max(cursor.newest, up_to)
        cursor.save()
    return done


def _take(line: Line) -> bool:
    if line.kind == LineKind.CHECK_IN and line.method == Method.CANCELLED:
        return bool(Attendance.objects.filter(line=line.cancels).update(cancelled_by=line.number))
    if line.kind == LineKind.VERDICT:
        doors = settings.ROLLCALL["doors"]
        counts = line.verdict == Verdict.MATCH and (not doors or line.token in doors)
    else:
        counts = line.kind == LineKind.CHECK_IN
    if not counts or not line.student_id:  # without a student: it was erased
        return False
    method = "face" if line.kind == LineKind.VERDICT else line.method.name.lower()
    Attendance.objects.create(line=line.number, number=line.student_id, time=line.time, method=method)
    return True
