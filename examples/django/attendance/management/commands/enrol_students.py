"""Enrols the pictures of the database, and settles what differs."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rollcall import Enrolment, Progress

from attendance import enrolment
from attendance.models import Picture
from attendance.server import rollcall_for_commands


class Command(BaseCommand):
    help = (
        "Enrols the pictures that are not enrolled yet, and settles what differs: pictures that moved to another "
        "student, and changes of class. It may be interrupted and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; list the differences, and exit with 1 if there are any")
        parser.add_argument("--prune", action="store_true", help="also erase from Rollcall what was deleted here")

    def handle(self, *args: Any, check: bool, prune: bool, **options: Any) -> None:
        client = rollcall_for_commands()
        waiting = Picture.objects.filter(crop_id="")
        open_ = 0
        for difference in list(enrolment.differences(client)):
            settled = not check and enrolment.settle(client, difference, prune)
            self.stdout.write(("settled: " if settled else f"{difference.kind}: ") + difference.message)
            open_ += not settled
        if check:
            if waiting.exists():
                self.stdout.write(f"not enrolled: {waiting.count()} pictures, {waiting.exclude(refused='').count()} of them refused")
            if open_ or waiting.exists():
                raise CommandError("the database and Rollcall differ")
            self.stdout.write("no difference")
            return
        self.enrol(waiting.select_related("student").order_by("student__number", "id"))
        if open_:
            self.stdout.write(f"{open_} differences are left: --prune erases what was deleted here")

    def enrol(self, waiting: Any) -> None:
        total = waiting.count()
        rows: dict[str, list[Picture]] = {}  # by the ids of their crops

        def items() -> Iterator[Enrolment]:
            for picture in waiting.iterator():
                try:
                    item = enrolment.item_of_row(picture)
                except OSError as error:
                    self.note(picture, "", f"the file cannot be read: {error}")
                    continue
                rows.setdefault(item.crop_id, []).append(picture)
                yield item

        finished: list[tuple[str, str]] = []  # crop and error, written by the thread that may use the database

        def progress(p: Progress) -> None:
            finished.append((p.item.crop_id, str(p.error or "")))
            if p.done % 100 == 0 or p.done == total:
                self.stderr.write(f"{p.done} of {total} pictures")

        try:
            report = rollcall_for_commands().enroll_many(items(), progress=progress)
        finally:
            for crop_id, error in finished:
                for picture in rows[crop_id]:
                    self.note(picture, "" if error else crop_id, error)
        self.stdout.write(f"{report.enrolled + report.replaced} of {total} pictures enrolled")

    def note(self, picture: Picture, crop_id: str, refused: str) -> None:
        Picture.objects.filter(pk=picture.pk).update(crop_id=crop_id, refused=refused)
        if refused:
            self.stdout.write(f"{picture.student.number}: {picture.image.name}: {refused}")
