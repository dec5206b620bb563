"""Tests with the real server: rollcall.testing starts it, and pictures of real faces come from the
tar file that ROLLCALL_FACES names. Without them the tests are skipped."""

import atexit
import functools
import os
import tarfile
import tempfile
import unittest
import uuid

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import TestCase, override_settings
from rollcall.testing import Server

from attendance.models import Picture, Student
from attendance.server import forget_clients


@functools.cache
def server() -> Server:
    try:
        server = Server()
    except FileNotFoundError as error:
        raise unittest.SkipTest(str(error)) from None
    atexit.register(server.__exit__)
    return server.__enter__()


@functools.cache
def pictures() -> tarfile.TarFile:
    if "ROLLCALL_FACES" not in os.environ:
        raise unittest.SkipTest("no real faces: ROLLCALL_FACES names no tar file of them")
    return tarfile.open(os.environ["ROLLCALL_FACES"])


def face(name: str) -> bytes:
    file = pictures().extractfile(f"./{name}.jpg")
    assert file is not None
    return file.read()


PEOPLE = {"s74": "p0074", "s720": "p0720", "s908": "p0908"}
STRANGER = "p1186_001"


class RollcallTestCase(TestCase):
    """A test with a gallery of its own, three students, and somebody who may do everything."""

    def setUp(self) -> None:
        pictures()
        media = tempfile.TemporaryDirectory()
        self.addCleanup(media.cleanup)
        gallery = f"test-{uuid.uuid4()}"
        with server().client() as admin:
            admin.create_gallery(gallery)
        self.rollcall = server().client(gallery=gallery)
        self.addCleanup(self.rollcall.close)
        changed = {**settings.ROLLCALL, "server": server().address, "gallery": gallery, "token": None}
        override = override_settings(ROLLCALL=changed, MEDIA_ROOT=media.name)
        override.enable()
        self.addCleanup(override.disable)
        forget_clients()
        self.addCleanup(forget_clients)
        for number in PEOPLE:
            Student.objects.create(number=number, name=f"Name of {number}", group="3b")
        self.client.force_login(User.objects.create_superuser("office"))

    def keep(self, number: str, content: bytes) -> Picture:
        """Keeps a picture that is not enrolled yet."""
        student = Student.objects.get(number=number)
        return Picture.objects.create(student=student, image=ContentFile(content, f"{number}.jpg"))
