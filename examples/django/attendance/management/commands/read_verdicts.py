"""Reads the journal into rows of attendance."""

import math
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections
from rollcall import LineKind, Trimmed

from attendance import register
from attendance.models import Cursor
from attendance.server import rollcall_for_commands


class Command(BaseCommand):
    help = (
        "Reads verdicts and check-ins from Rollcall's journal into rows of attendance, and goes on until it is stopped. "
        "It may be stopped and started at any time: each line becomes a row once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="end when all that is there was read: for cron")
        parser.add_argument("--after", type=int, help="begin after this line, and not where it stopped")

    def handle(self, *args: Any, once: bool, after: int | None, **options: Any) -> None:
        if after is not None:
            Cursor.objects.update_or_create(gallery=register.gallery(), defaults={"newest": after})
        try:
            self.once() if once else self.watch()
        except Trimmed as error:
            raise CommandError(f"{error.message}. Lines were deleted by age before they were read here: go on with --after {error.after}") from None

    def once(self) -> None:
        while True:
            page = rollcall_for_commands().list_lines(after=register.newest(), page_size=1000, kinds=(LineKind.VERDICT, LineKind.CHECK_IN))
            self.say(register.take(page.lines, page.next_after))
            if page.end:
                return

    def watch(self) -> None:
        for answer in rollcall_for_commands().watch_verdicts(after=register.newest(), patience=math.inf):
            close_old_connections()  # there may have been hours of silence, and databases end silent connections
            self.say(register.take(answer.lines, answer.newest))

    def say(self, rows: int) -> None:
        if rows:
            self.stdout.write(f"{rows} rows, up to line {register.newest()}")
