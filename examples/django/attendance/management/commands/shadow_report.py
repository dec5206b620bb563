"""Says how the old system and Rollcall differ."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.timezone import make_aware

from attendance import shadow
from attendance.models import Comparison


class Command(BaseCommand):
    help = "Compares what the old system and Rollcall said about the same pictures, and lists the differences."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", type=datetime.fromisoformat, help="only from this day on, such as 2026-11-01")

    def handle(self, *args: Any, since: datetime | None, **options: Any) -> None:
        comparisons = Comparison.objects.order_by("time")
        if since:
            comparisons = comparisons.filter(time__gte=make_aware(since))
        counts = shadow.report(comparisons)
        self.stdout.write(f"the same student    {counts.same}")
        self.stdout.write(f"nobody              {counts.nobody}")
        self.stdout.write(f"only the old system {counts.only_old}")
        self.stdout.write(f"only Rollcall       {counts.only_new}")
        self.stdout.write(f"another student     {counts.another}")
        self.stdout.write(f"Rollcall not asked  {counts.not_asked}")
        for c in comparisons.iterator():
            if shadow.kind(c) in ("only_old", "only_new", "another"):
                self.stdout.write(
                    f"{c.time:%Y-%m-%d %H:%M:%S}  old {c.old or '-'}  new {c.new or '-'}  {c.verdict}  "
                    f"similarity {c.similarity:.3f}, threshold {c.threshold:.3f}"
                )
