"""How pictures become crops in Rollcall, and whether both agree."""

from collections.abc import Iterator
from dataclasses import dataclass

from rollcall import Client, Crop, Enrolment, Face, NotFound, crop_id_of

from .models import Picture, Student

# What begins so came from this database. Other crops, from a tablet say, are left alone.
PREFIX = "django-"


def item_of(student: Student, content: bytes) -> Enrolment:
    """Returns what is enrolled for a picture. It may show more than the face, but one face alone."""
    return Enrolment(
        student.number, content, crop_id=PREFIX + crop_id_of(student.number, content), groups=[student.group], face=Face.ONLY
    )


def item_of_row(picture: Picture) -> Enrolment:
    with picture.image.open("rb") as file:
        return item_of(picture.student, file.read())


@dataclass(frozen=True)
class Difference:
    """Something in which the database and Rollcall differ."""

    kind: str
    """missing, moved, corrected, deleted, deleted student, or group."""
    student: str
    crop_id: str
    message: str


def differences(client: Client) -> Iterator[Difference]:
    """Compares the pictures that were enrolled with what Rollcall has of them."""
    rows = {picture.crop_id: picture for picture in Picture.objects.exclude(crop_id="").select_related("student")}
    students = {student.number: student for student in Student.objects.all()}
    seen = set()
    for listed in client.all_students(page_size=1000):
        number = listed.student_id
        student = students.get(number)
        crops = crops_of(client, number)
        for crop in crops:
            row = rows.get(crop.crop_id)
            if not crop.crop_id.startswith(PREFIX):
                continue
            seen.add(crop.crop_id)
            if row is None:
                if student is not None:
                    yield Difference("deleted", number, crop.crop_id, f"{number}: a picture was deleted here, and is still enrolled")
            elif row.student.number != number:
                kind = "corrected" if crop.corrected else "moved"
                where = "by hand in Rollcall: look at it" if crop.corrected else "in Rollcall"
                yield Difference(kind, row.student.number, crop.crop_id, f"{row.student.number}: a picture belongs to {number} {where}")
        if student is None:
            if any(crop.crop_id.startswith(PREFIX) for crop in crops):
                yield Difference("deleted student", number, "", f"{number}: was deleted here, and is still enrolled")
        elif student.group not in listed.groups:
            yield Difference("group", number, "", f"{number}: is in {student.group}, and in Rollcall in {', '.join(listed.groups) or 'no group'}")
    for crop_id, row in rows.items():
        if crop_id not in seen:
            yield Difference("missing", row.student.number, crop_id, f"{row.student.number}: a picture was enrolled, and is no more")


def crops_of(client: Client, number: str) -> tuple[Crop, ...]:
    try:
        student = client.get_student(number).student
    except NotFound:  # deleted since it was listed
        return ()
    return tuple(student.crops) if student else ()


def settle(client: Client, difference: Difference, prune: bool) -> bool:
    """Makes Rollcall as the database is, and returns whether it did. What was deleted here is
    erased there only with prune: this may be an old copy of the database. Pictures whose crop_id is
    emptied are enrolled with those that wait."""
    if difference.kind == "moved":
        # Not AssignCrop: that is for people who correct what they see.
        client.delete_crop(difference.crop_id)
        Picture.objects.filter(crop_id=difference.crop_id).update(crop_id="")
    elif difference.kind == "group":
        student = Student.objects.get(number=difference.student)
        client.update_student(student.number, [student.group])
    elif difference.kind == "missing":
        Picture.objects.filter(crop_id=difference.crop_id).update(crop_id="")
    elif difference.kind == "deleted" and prune:
        client.delete_crop(difference.crop_id)
    elif difference.kind == "deleted student" and prune:
        client.delete_student(difference.student)
    else:
        return False
    return True
