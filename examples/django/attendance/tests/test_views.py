from io import StringIO

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import override_settings

from attendance import shadow
from attendance.models import Attendance, Comparison, Picture
from attendance.server import forget_clients
from attendance.tests import PEOPLE, STRANGER, RollcallTestCase, face


class Views(RollcallTestCase):
    def upload(self, path: str, content: bytes):
        return self.client.post(path, {"picture": SimpleUploadedFile("a.jpg", content, "image/jpeg")})

    def enrol(self, number: str, picture: str):
        return self.upload(f"/students/{number}/pictures", face(picture))

    def test_a_picture_is_enrolled_once_and_recognised(self) -> None:
        for number, person in PEOPLE.items():
            for again in range(2):
                answer = self.enrol(number, f"{person}_001")
                self.assertEqual(answer.status_code, 200, answer.content)
                self.assertEqual(answer.json()["pictures"], 1)
        self.assertEqual(Picture.objects.count(), 3)
        kept = Picture.objects.get(student__number="s74")
        self.assertEqual(kept.image.read(), face("p0074_001"))
        self.assertEqual(self.rollcall.get_crop(kept.crop_id).crop.student_id, "s74")

        answer = self.upload("/check-in", face("p0074_003"))
        self.assertEqual(answer.json(), {"status": "match", "student": {"number": "s74", "name": "Name of s74"}})
        self.assertEqual(self.upload("/check-in", face(STRANGER)).json()["status"], "unknown")
        self.assertEqual(Attendance.objects.count(), 0)  # the journal's lines make the rows

    def test_what_is_refused_is_not_kept(self) -> None:
        self.enrol("s74", "p0074_001")
        for number, content, reason in (
            ("s720", b"no picture", "NOT_AN_IMAGE"),
            ("s720", face("p0074_001"), "DUPLICATE_FACE"),
            ("s74", face(STRANGER), "UNLIKE_STUDENT"),
        ):
            answer = self.upload(f"/students/{number}/pictures", content)
            self.assertEqual((answer.status_code, answer.json()["error"]), (422, reason))
            self.assertTrue(answer.json()["message"])
        self.assertEqual(Picture.objects.count(), 1)
        self.assertEqual(self.client.post("/students/s74/pictures").status_code, 400)
        self.assertEqual(self.enrol("nobody", "p0074_001").status_code, 404)

    def test_a_server_that_is_away_is_said_so(self) -> None:
        away = {**settings.ROLLCALL, "server": "http://127.0.0.1:1", "patience": 0}
        with override_settings(ROLLCALL=away):
            forget_clients()
            answer = self.upload("/check-in", face("p0074_003"))
            self.assertEqual((answer.status_code, answer.json()["error"]), (503, "UNREACHABLE"))
            self.assertEqual(answer.headers["Retry-After"], "1")
            self.assertEqual(self.client.get("/health").status_code, 503)
        forget_clients()
        self.assertEqual(self.client.get("/health").json(), {"rollcall": "ok"})

    def test_who_may_not_is_refused(self) -> None:
        self.client.force_login(User.objects.create_user("child"))
        for path in ("/check-in", "/students/s74/pictures"):
            self.assertEqual(self.upload(path, face("p0074_003")).status_code, 403)


def old_system(picture: bytes) -> str:
    """Recognises one student, takes another one for the first, and nobody else."""
    return "s74" if picture in (face("p0074_003"), face("p0908_003")) else ""


@override_settings(ROLLCALL_MODE="shadow", OLD_RECOGNISER="attendance.tests.test_views.old_system")
class Shadow(RollcallTestCase):
    def test_the_old_system_answers_and_both_are_recorded(self) -> None:
        for number, person in PEOPLE.items():
            self.client.post(f"/students/{number}/pictures", {"picture": SimpleUploadedFile("a.jpg", face(f"{person}_001"))})
        for picture, says in (("p0074_003", "match"), ("p0908_003", "match"), ("p0720_003", "unknown"), (STRANGER, "unknown")):
            answer = self.client.post("/check-in", {"picture": SimpleUploadedFile("a.jpg", face(picture))})
            self.assertEqual(answer.json()["status"], says)
        with override_settings(ROLLCALL={**settings.ROLLCALL, "server": "http://127.0.0.1:1", "patience": 0}):
            forget_clients()
            answer = self.client.post("/check-in", {"picture": SimpleUploadedFile("a.jpg", face("p0074_003"))})
            self.assertEqual(answer.json()["student"]["number"], "s74")
        self.assertEqual(shadow.report(Comparison.objects.all()), shadow.Report(same=1, another=1, only_new=1, nobody=1, not_asked=1))
        out = StringIO()
        call_command("shadow_report", since=None, stdout=out)
        self.assertRegex(out.getvalue(), r"old s74  new s908  MATCH  similarity 0\.\d+")
        self.assertRegex(out.getvalue(), r"old -  new s720  MATCH")
