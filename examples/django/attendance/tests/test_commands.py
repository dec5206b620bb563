import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import StringIO

from django.conf import settings
from django.core.management import CommandError, call_command
from rollcall import Client, Enrolment, Method, Role
from rollcall.testing import Server

from attendance import register
from attendance.models import Attendance, Picture, Student
from attendance.server import forget_clients
from attendance.tests import PEOPLE, STRANGER, RollcallTestCase, face


def run(*command: str, **options) -> str:
    out = StringIO()
    call_command(*command, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


class EnrolStudents(RollcallTestCase):
    def enrolled(self) -> dict[str, int]:
        return {s.student_id: s.crop_count for s in self.rollcall.all_students()}

    def test_the_pictures_are_enrolled_and_what_changes_is_settled(self) -> None:
        for number, person in PEOPLE.items():
            for n in (1, 2):
                self.keep(number, face(f"{person}_{n:03}"))
        bad = self.keep("s74", b"no picture")
        gone = self.keep("s74", b"x")
        os.remove(gone.image.path)
        with self.assertRaises(CommandError):
            run("enrol_students", check=True)
        said = run("enrol_students")
        self.assertIn("6 of 8 pictures enrolled", said)
        self.assertEqual(self.enrolled(), {"s74": 2, "s720": 2, "s908": 2})
        bad.refresh_from_db()
        gone.refresh_from_db()
        self.assertIn("NOT_AN_IMAGE", bad.refused)
        self.assertIn("cannot be read", gone.refused)
        Picture.objects.filter(crop_id="").delete()
        self.assertEqual(run("enrol_students", check=True), "no difference\n")

        # A crop from a tablet, and a student of somebody else, are left alone.
        self.rollcall.enroll(Enrolment("s74", face("p0074_003"), crop_id="tablet"))
        self.rollcall.enroll(Enrolment("guest", face(STRANGER)))
        self.assertEqual(run("enrol_students", check=True), "no difference\n")

        # Here a picture is deleted, a student too, and one changes the class. There a crop is deleted.
        first, second = Picture.objects.filter(student__number="s74").order_by("id")
        first.delete()
        self.rollcall.delete_crop(second.crop_id)
        Student.objects.get(number="s720").delete()
        Student.objects.filter(number="s908").update(group="4b")
        out = StringIO()
        with self.assertRaises(CommandError):
            call_command("enrol_students", check=True, stdout=out)
        kinds = sorted(line.split(":")[0] for line in out.getvalue().splitlines())
        self.assertEqual(kinds, ["deleted", "deleted student", "group", "missing"])
        self.assertEqual(self.enrolled(), {"guest": 1, "s74": 2, "s720": 2, "s908": 2})

        self.assertIn("2 differences are left", run("enrol_students"))
        self.assertEqual(self.enrolled(), {"guest": 1, "s74": 3, "s720": 2, "s908": 2})
        self.assertEqual(self.rollcall.get_student("s908").student.groups, ("4b",))
        run("enrol_students", prune=True)
        self.assertEqual(self.enrolled(), {"guest": 1, "s74": 2, "s908": 2})
        self.assertEqual(run("enrol_students", check=True), "no difference\n")

    def test_a_picture_that_moved_moves_and_moves_back(self) -> None:
        picture = self.keep("s720", face("p0074_001"))  # of the wrong student
        run("enrol_students")
        for number in ("s74", "s720", "s74"):
            picture.student = Student.objects.get(number=number)
            picture.save(update_fields=["student"])
            run("enrol_students")
            picture.refresh_from_db()
            self.assertEqual(self.rollcall.get_crop(picture.crop_id).crop.student_id, number)
            self.assertEqual(run("enrol_students", check=True), "no difference\n")

    def test_what_a_person_corrected_is_only_reported(self) -> None:
        picture = self.keep("s720", face("p0074_001"))
        run("enrol_students")
        picture.refresh_from_db()
        self.rollcall.assign_crop(picture.crop_id, student_id="s74")
        self.assertIn("by hand", run("enrol_students", prune=True))
        self.assertEqual(self.rollcall.get_crop(picture.crop_id).crop.student_id, "s74")


def until(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within 30 seconds")


class ReadVerdicts(RollcallTestCase):
    def test_lines_become_rows_once_and_are_taken_back(self) -> None:
        self.rollcall.enroll(Enrolment("s74", face("p0074_001")))
        line = self.rollcall.identify(face("p0074_003"), await_line=True).line
        self.rollcall.identify(face(STRANGER), await_line=True)
        card = self.rollcall.record_check_in("s908", Method.CARD).number
        run("read_verdicts", once=True)
        rows = list(Attendance.objects.order_by("line").values_list("line", "number", "method", "cancelled_by"))
        self.assertEqual(rows, [(line, "s74", "face", None), (card, "s908", "card", None)])
        back = self.rollcall.record_check_in("s74", Method.CANCELLED, cancels=line).number
        run("read_verdicts", once=True)
        self.assertEqual(Attendance.objects.get(line=line).cancelled_by, back)
        # The same lines again, as after a crash of another reader, change nothing.
        lines = list(self.rollcall.all_lines())
        self.assertEqual(register.take(lines, lines[-1].number), 0)
        run("read_verdicts", once=True)
        self.assertEqual(Attendance.objects.count(), 2)

    def test_only_the_doors_count(self) -> None:
        with self.settings(ROLLCALL={**settings.ROLLCALL, "doors": ["door"]}):
            self.rollcall.enroll(Enrolment("s74", face("p0074_001")))
            self.rollcall.identify(face("p0074_003"), await_line=True)
            run("read_verdicts", once=True)
        self.assertEqual(Attendance.objects.count(), 0)

    def test_a_reader_that_is_killed_goes_on_and_so_does_one_whose_server_restarts(self) -> None:
        with tempfile.TemporaryDirectory() as folder, Server() as of_its_own, of_its_own.client(patience=60) as client:
            database = os.path.join(folder, "db.sqlite3")
            environment = {**os.environ, "DATABASE": database, "ROLLCALL_SERVER": of_its_own.address, "DJANGO_SETTINGS_MODULE": "school.settings"}
            manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
            subprocess.run([*manage, "migrate", "-v0"], env=environment, check=True)
            rows = sqlite3.connect(database)

            def lines() -> list[int]:
                return [line for (line,) in rows.execute("SELECT line FROM attendance_attendance ORDER BY line")]

            sent: list[int] = []
            for what in ("kill", "restart", "end"):
                reader = subprocess.Popen([*manage, "read_verdicts"], env=environment, stdout=subprocess.DEVNULL)
                try:
                    sent += [client.record_check_in(f"s{n}", Method.CARD).number for n in range(20)]
                    until(lambda: len(lines()) >= len(sent) - 15)
                    if what == "restart":
                        of_its_own.stop()
                        of_its_own.start()
                        sent += [client.record_check_in(f"s{n}", Method.PIN).number for n in range(5)]
                    if what != "kill":
                        until(lambda: len(lines()) >= len(sent))
                finally:
                    reader.kill()
                    reader.wait()
            self.assertEqual(lines(), sent)
            rows.close()


class ExportVectors(RollcallTestCase):
    def test_vectors_of_before_are_written_as_import_reads_them(self) -> None:
        with tempfile.TemporaryDirectory() as folder, Server() as of_its_own, of_its_own.client() as client:
            token = client.create_token("head", Role.ADMIN, embeddings=True).secret
            with of_its_own.client(token=token) as head:
                path = pathlib.Path(folder, "school.jsonl")
                self.export(head, path)
                self.recognised_after_import(of_its_own, token, path)

    def export(self, head: Client, path: pathlib.Path) -> None:
        # Vectors of the server's own model stand for DeepFace's, which are not of unit length.
        made = {}
        for number, person in PEOPLE.items():
            picture = self.keep(number, face(f"{person}_001"))
            made[number] = head.embed(face(f"{person}_001"), return_embedding=True)
            picture.deepface = [23.5 * x for x in made[number].embedding]
            picture.save()
        bad = self.keep("s74", face("p0074_002"))
        bad.deepface = [0.0] * 192
        bad.save()
        one = made["s74"]
        said = run("export_vectors", str(path), model=one.model, digest=one.digest, recipe=one.recipe, dimension=one.dimension)
        self.assertIn("3 vectors written", said)
        self.assertIn("left out", said)
        first, *crops, last = (json.loads(line) for line in path.read_text().splitlines())
        self.assertEqual((first, last), ({"format": "rollcall-export", "version": 1}, {"end": 3}))
        for crop in (line["crop"] for line in crops):
            (embedding,) = crop["embeddings"]
            self.assertEqual(crop["groups"], ["3b"])
            for got, want in zip(embedding["vector"], made[crop["student_id"]].embedding, strict=True):
                self.assertAlmostEqual(got, want, places=6)

    def recognised_after_import(self, of_its_own: Server, token: str, path: pathlib.Path) -> None:
        environment = {**os.environ, "ROLLCALL_TOKEN": token, "ROLLCALL_SERVER": of_its_own.address}
        if subprocess.run([of_its_own.binary, "import", "--help"], capture_output=True).returncode:
            self.skipTest("this rollcall has no import")
        subprocess.run([of_its_own.binary, "import", str(path)], env=environment, check=True, capture_output=True)
        with of_its_own.client(token=token) as client:
            for number, person in PEOPLE.items():
                self.assertEqual(client.identify(face(f"{person}_003")).student_id, number)
        # The pictures have the ids that the import gave them, so that enrol_students goes on from there.
        with self.settings(ROLLCALL={**settings.ROLLCALL, "server": of_its_own.address, "token": token, "gallery": None}):
            forget_clients()
            run("enrol_students")
            self.assertEqual(run("enrol_students", check=True), "no difference\n")
            with of_its_own.client(token=token) as client:
                self.assertEqual({s.student_id: s.crop_count for s in client.all_students()}, {"s74": 2, "s720": 1, "s908": 1})
