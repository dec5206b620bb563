"""Settings of the example. What is about Rollcall is at the top; the rest is any project's."""

import os
from pathlib import Path

ROLLCALL = {
    "server": os.environ.get("ROLLCALL_SERVER", "http://127.0.0.1:8787"),
    # One token may do what these views and commands do: an admin's. Or give each its own:
    # "checkin" to the door, "enroll" to the office, "register" to read_verdicts.
    "token": os.environ.get("ROLLCALL_TOKEN"),
    "gallery": os.environ.get("ROLLCALL_GALLERY"),
    "ca": os.environ.get("ROLLCALL_CA"),
    # A person waits for a view: 5 seconds for one try, and 2 more if the server is busy.
    "timeout": 5.0,
    "patience": 2.0,
    # Nobody waits for a command: it outlives a restart of the server.
    "patience_of_commands": 120.0,
    # Names of the tokens whose matches count as a check-in; empty: all.
    "doors": [],
}

# "live": Rollcall answers at the door. "shadow": the old system answers, and Rollcall is asked
# too, so that both can be compared (attendance/shadow.py).
ROLLCALL_MODE = os.environ.get("ROLLCALL_MODE", "live")
# In shadow mode, the function of the old system: bytes of a picture -> student's number or "".
OLD_RECOGNISER = os.environ.get("OLD_RECOGNISER", "attendance.shadow.no_old_system")

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ.get("SECRET_KEY", "only for this example")
DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "attendance"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "school.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("DATABASE", BASE_DIR / "db.sqlite3")}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MEDIA_ROOT = BASE_DIR / "media"
USE_TZ = True
# A class photo of 16 MiB, and the rest of the form.
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 << 20
