"""Starts the servers of a comparison, asks them, and reads what they take of the machine."""

import base64
import contextlib
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import time
import urllib.error
import urllib.request

START_SECONDS = 120  # that a server may take to answer
STOP_SECONDS = 30  # that it may take to end


def call(path, kind, body, token=""):
    """A call to a server: what follows its address, the body's type, the body, and who calls."""
    return {"path": path, "type": kind, "body": base64.b64encode(body).decode(), "token": token}


def write(file, calls):
    """Writes calls for Server.ask, and returns the file."""
    file.write_text("".join(json.dumps(c) + "\n" for c in calls))
    return file


class Server:
    """A server that can be started and stopped again and again, with all its processes."""

    def __init__(self, name, programs, command, environment):
        """PORT in the command stands for the port."""
        self.name, self.programs, self.command = name, programs, command
        # Our own flags, and what makes OpenBLAS slow, may be set here for other programs.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("ROLLCALL_", "OPENBLAS_"))}
        self.environment = inherited | environment
        self.log = programs / f"{name}.log"
        self.process = None

    def start(self, first):
        """Starts it, and returns the seconds until it has answered the first call."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        with open(self.log, "ab") as log:
            start = time.monotonic()
            self.process = subprocess.Popen(
                [str(part).replace("PORT", str(port)) for part in self.command], env=self.environment,
                stdout=log, stderr=log, start_new_session=True)  # a session is how pids finds them all
        while not self.answers(first):
            if self.process.poll() is not None or time.monotonic() - start > START_SECONDS:
                raise SystemExit(f"{self.name} does not answer; its last lines:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.002)
        return time.monotonic() - start

    def answers(self, first):
        headers = {"Content-Type": first["type"]} | ({"Authorization": f"Bearer {first['token']}"} if first["token"] else {})
        request = urllib.request.Request(self.url + first["path"], base64.b64decode(first["body"]), headers)
        try:
            with urllib.request.urlopen(request) as response:
                return response.status == 200
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise SystemExit(f"{self.name} refuses the first call: {error.read()[:500]}") from error
            return False
        except OSError:
            return False

    def stop(self):
        """Ends what was started, and waits for it."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def ask(self, file, callers, seconds=0.0, first=0):
        """What ask/main.go reports of the calls in file; 0 seconds: each call once."""
        command = [self.programs / "ask", self.url, file, str(callers), str(seconds), str(first)]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)

    def turn(self, file, callers, seconds, first):
        """Asks for a while; every call has to be answered with 200."""
        clock = self.clock()
        found = self.ask(file, callers, seconds, first)
        answers = found["answers"]
        bad = next((a for a in answers if a["status"] != 200), None)
        if bad:
            raise SystemExit(f"{self.name} answers {bad['status']}: {bad['body'][:500]}")
        return {"calls": len(answers), "rate": len(answers) / found["seconds"],
                "ms": statistics.median(a["ms"] for a in answers), "cpu_ms": 1e3 * (self.clock() - clock) / len(answers)}

    def pids(self):
        """Its processes."""
        return [int(stat[0]) for stat in stats() if int(stat[4]) == self.process.pid]

    def clock(self):
        """Seconds of processor time that its processes have taken."""
        ticks = sum(int(stat[12]) + int(stat[13]) for stat in stats() if int(stat[4]) == self.process.pid)
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Bytes in RAM; what processes share counts once (PSS)."""
        rollups = [pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.pids()]
        return sum(1024 * int(rollup.split("\nPss:")[1].split()[0]) for rollup in rollups)


def stats():
    """The fields of /proc/*/stat, without the name, of every process: [0] is the pid, [4] the session,
    [12] and [13] the processor time."""
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                yield [folder.name, *(folder / "stat").read_text().rpartition(")")[2].split()]
            except OSError:
                continue  # it has ended


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def data(name, programs):
    """The data folder of a Rollcall."""
    return programs / f"{name}.data"


def rollcall(name, programs, *flags):
    """Rollcall with its own flags, a models folder of its own and a data folder of its own. It refuses no caller
    that asks often."""
    command = [programs / "rollcall", "serve", "--listen", "127.0.0.1:PORT", "--data", data(name, programs),
               "--requests-per-second", "0", "--crops-per-minute", "0", *flags]
    return Server(name, programs, command, {})
