"""How the comparisons say where and when they measured, and how they print figures."""

import datetime
import importlib.metadata
import math
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent


def conditions(packages, **more):
    """The machine, the day, the versions and the load. Who measures appends the load at the end."""
    versions = {"rollcall": output("git", "-C", HERE, "rev-parse", "--short", "HEAD")}
    versions |= {name: importlib.metadata.version(name) for name in packages} | more
    versions |= {"Python": sys.version.split()[0], "Go": output("go", "env", "GOVERSION")}
    return {"machine": machine(), "date": datetime.date.today().isoformat(), "load": [os.getloadavg()[0]], "versions": versions}


def heading(found):
    """The first lines of a report, of what conditions returned."""
    loads = " to ".join(f"{load:.1f}" for load in found["load"])
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return f"{found['machine']}, {found['date']}, load {loads}. {versions}."


def machine():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{os.cpu_count()} cores of {line.split(':')[1].strip()}"
    return f"{os.cpu_count()} cores of {os.uname().machine}"


def figure(value):
    """Three digits that count."""
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}" if 0 < value < 100 else f"{value:.0f}"


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def note(text):
    print(text, file=sys.stderr, flush=True)
