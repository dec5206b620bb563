"""Writes the vectors of the old system for "rollcall import"."""

import json
import math
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from attendance.enrolment import item_of_row
from attendance.models import Picture


class Command(BaseCommand):
    help = (
        'Writes the DeepFace vectors of the pictures as lines of JSON, for "rollcall import" (docs/export.md). '
        "Rollcall must have the same file of the same model, or nobody is recognised: if it does not, use enrol_students."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file")
        parser.add_argument("--model", required=True, help="the model's name in Rollcall: facenet512, say")
        parser.add_argument("--digest", required=True, help='SHA-256 of its file: "rollcall models list" shows it')
        parser.add_argument("--recipe", required=True, help='how the old system cut and aligned faces: "deepface, retinaface", say')
        parser.add_argument("--dimension", type=int, default=512)

    def handle(self, *args: Any, file: str, model: str, digest: str, recipe: str, dimension: int, **options: Any) -> None:
        written = 0
        with open(file, "w", encoding="utf-8") as out:

            def write(line: dict[str, Any]) -> None:
                out.write(json.dumps(line) + "\n")

            write({"format": "rollcall-export", "version": 1})
            for picture in Picture.objects.filter(deepface__isnull=False).select_related("student").iterator():
                vector = unit(picture.deepface, dimension)
                if vector is None:
                    self.stdout.write(f"{picture.student.number}: {picture.image.name}: left out: no vector of {dimension} numbers")
                    continue
                embedding = {"model": model, "digest": digest, "recipe": recipe, "vector": vector}
                student = picture.student
                write({"crop": {
                    "crop_id": item_of_row(picture).crop_id, "student_id": student.number, "groups": [student.group], "embeddings": [embedding],
                }})
                written += 1
            write({"end": written})
        self.stdout.write(f"{written} vectors written to {file}: delete it after the import, because faces can be rebuilt from it")


def unit(vector: Any, dimension: int) -> list[float] | None:
    """Returns a vector with length 1, or None if it is none: DeepFace does not scale them."""
    if not isinstance(vector, list) or len(vector) != dimension:
        return None
    length = math.sqrt(sum(x * x for x in vector))
    if not 0 < length < math.inf:
        return None
    return [x / length for x in vector]
