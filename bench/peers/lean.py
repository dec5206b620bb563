"""Compares Rollcall with a lean Python server, over HTTP, in turns. lean.sh starts it.

Round by round, each server is started, asked by one client and then by several, and stopped, so
that whatever else the machine does hits all of them. What is printed are medians of the rounds,
and medians of the ratios within each round.
"""

import argparse
import base64
import contextlib
import itertools
import json
import os
import pathlib
import random
import signal
import statistics
import sys

import crops
from figures import HERE, conditions, figure, heading, note, output
from servers import Server, call, rollcall, write

SIDE = 160  # pixels of the crops
ENROLLED = 1_000  # crops, one each of as many people
PROBES = 3  # crops of one student at most, so that nobody with many pictures decides
FPIR = 0.01  # at which recognition is compared
WARM_SECONDS = 0.5  # of calls before a server is measured
SHIFT = 97  # how many probes further each round begins

PACKAGES = ["fastapi", "uvicorn", "onnxruntime", "opencv-python-headless", "numpy"]

# What makes the lean server fast differs with the load: all of these are tried. YuNet gets a crop as
# it comes (0), or at the size that its examples use.
LEAN = list(itertools.product([0, 320], [1, 2], [1, 2]))  # YuNet's side, workers, threads


class Lean:
    """How the lean server is started and called."""

    def __init__(self, yunet, workers, threads, options):
        self.store = f"lean-{yunet}"  # the same gallery for every number of workers and threads
        environment = {
            "LEAN_STORE": str(options.programs / f"{self.store}.sqlite"), "LEAN_SIDE": str(yunet), "LEAN_THREADS": str(threads),
            "LEAN_YUNET": str(options.shared / "models/yunet-2023mar.onnx"),
            "LEAN_EMBEDDER": str(options.shared / "models/mobilefacenet-192.onnx")}
        command = [sys.executable, "-m", "uvicorn", "leanserver:app", "--app-dir", HERE, "--port", "PORT",
                   "--workers", str(workers), "--no-access-log", "--log-level", "warning"]
        name = f"lean, YuNet at {yunet or SIDE}, {count(workers, 'worker')}, {count(threads, 'thread')}"
        self.server = Server(name, options.programs, command, environment)

    def enrol(self, person, jpeg):
        return call(f"/students/{person}/crops/{person}-1", "image/jpeg", jpeg)

    def identify(self, jpeg):
        return call("/identify", "image/jpeg", jpeg)

    def best(self, answer):
        """The most similar student and the similarity."""
        found = json.loads(answer)
        return found["student"], found["similarity"]


class Rollcall:
    """How Rollcall is started and called: with JSON, in which images are base64."""

    def __init__(self, name, options, *flags):
        self.store = name
        self.server = rollcall(name, options.programs, *flags)

    def enrol(self, person, jpeg):
        return self.call("Embed", image=jpeg, crop_id=f"{person}/1", student_id=person, allow_duplicate=True)

    def identify(self, jpeg):
        return self.call("Identify", image=jpeg)

    def call(self, method, image, **fields):
        body = json.dumps({"image": base64.b64encode(image).decode()} | fields).encode()
        return call(f"/rollcall.v1.AttendanceService/{method}", "application/json", body)

    def best(self, answer):
        candidates = json.loads(answer).get("candidates", [])
        return (candidates[0]["student_id"], candidates[0]["similarity"]) if candidates else (None, 0.0)


def count(number, what):
    return f"{number} {what}{'s' if number > 1 else ''}"


def contenders(options):
    """Rollcall with the lean server's models, Rollcall as it comes, and every lean server."""
    models, built_in = options.programs / "models", options.programs / "no-models"
    program, shared = options.programs / "rollcall", options.shared / "models"
    output(program, "models", "add", "--models-dir", models, "yunet", shared / "yunet-2023mar.onnx")
    output(program, "models", "add", "--models-dir", models, "--contract", shared / "mobilefacenet-192.json",
           "mobilefacenet-192", shared / "mobilefacenet-192.onnx")
    ours = [
        Rollcall("rollcall, its built-in models", options, "--models-dir", built_in),
        Rollcall("rollcall, the same models", options, "--models-dir", models, "--model", "mobilefacenet-192", "--locator", "yunet"),
    ]
    return ours + [Lean(*settings, options) for settings in LEAN]


class People:
    """Who is enrolled and who is asked for. Students, who are asked for with other crops than they
    are enrolled with, and strangers are of the split test; people of train fill the gallery up."""

    def __init__(self, folder, quick):
        pictures = {"test": {}, "train": {}}
        for face in crops.read(folder):
            pictures[face.split].setdefault(face.person, []).append(face)
        tested = list(pictures["test"].values())
        students = [faces for faces in tested if len(faces) > 1][: 20 if quick else None]
        others = list(pictures["train"].values())[: 20 if quick else ENROLLED - len(students)]
        enrolled = [faces[0] for faces in students + others]
        probes = [face for faces in students for face in faces[1 : 1 + PROBES]]
        strangers = [faces[0] for faces in tested if len(faces) == 1][: 20 if quick else None]
        jpegs = iter(crops.cut(folder, enrolled + probes + strangers, SIDE))
        self.enrolled = [(face.person, next(jpegs)) for face in enrolled]
        self.probes = [(face.person, next(jpegs)) for face in probes]
        self.strangers = [next(jpegs) for _ in strangers]


def enrol(contender, people, options):
    """Enrols everybody and says how well the server answers."""
    server, clients = contender.server, options.clients
    note(f"{server.name}: {len(people.enrolled)} crops are enrolled")
    file = write(options.programs / "enrol", [contender.enrol(*crop) for crop in people.enrolled])
    identify = [contender.identify(jpeg) for _, jpeg in people.probes] + [contender.identify(jpeg) for jpeg in people.strangers]
    server.start(identify[0])
    enrolments = server.ask(file, clients)
    taken = sum(answer["status"] == 200 for answer in enrolments["answers"])
    answers = server.ask(write(options.programs / "identify", identify), clients)["answers"]
    server.stop()
    found = [(None, 0.0)] * len(identify)  # what is refused is not recognised
    for answer in answers:
        if answer["status"] == 200:
            found[answer["call"]] = contender.best(answer["body"])
    usable = [c for n, c in enumerate(identify[: len(people.probes)]) if found[n][0]]
    return {"enrolled": taken, "enrolments_per_second": taken / enrolments["seconds"],
            "calls": str(write(options.programs / f"{contender.store}.calls", usable))} | recognition(found, people)


def recognition(found, people):
    """The shares of probes whose student comes first, and that also reach the least similarity that
    lets no more than FPIR of the strangers get a name."""
    strangers = sorted((similarity for _, similarity in found[len(people.probes) :]), reverse=True)
    least = strangers[int(FPIR * len(strangers))]
    right = [similarity for (student, similarity), (person, _) in zip(found, people.probes) if student == person]
    return {"first": len(right) / len(people.probes), "recognised": sum(s > least for s in right) / len(people.probes)}


def turn(server, calls, number, options):
    """A round of one server."""
    first = number * SHIFT
    start = server.start(json.loads(open(calls).readline()))
    server.turn(calls, options.clients, WARM_SECONDS, first)
    one = server.turn(calls, 1, options.seconds, first)
    many = server.turn(calls, options.clients, options.seconds, first)
    memory = server.memory()
    server.stop()
    return {"one_ms": one["ms"], "many_per_second": many["rate"], "cpu_ms": many["cpu_ms"], "start_s": start, "memory": memory}


def compare(options, stack):
    people = People(options.shared / "faces", options.quick)
    servers = contenders(options)
    for contender in servers:
        stack.callback(contender.server.stop)
    galleries = {}
    for contender in servers:
        if contender.store not in galleries:
            galleries[contender.store] = enrol(contender, people, options)
    rounds, order = {contender: [] for contender in servers}, random.Random(1)
    for number in range(options.rounds):
        for contender in order.sample(servers, len(servers)):
            note(f"round {number + 1} of {options.rounds}: {contender.server.name}")
            rounds[contender].append(turn(contender.server, galleries[contender.store]["calls"], number, options))
    return {"enrolled": len(people.enrolled), "probes": len(people.probes), "strangers": len(people.strangers),
            "servers": rows({c.server.name: (turns, galleries[c.store]) for c, turns in rounds.items()})}


BEST = {"one_ms": min, "many_per_second": max, "cpu_ms": min, "start_s": min, "memory": min}


def rows(measured):
    """The medians of each server, and of its ratios to the lean server that is best in it."""
    medians = {name: {key: statistics.median(t[key] for t in turns) for key in BEST} for name, (turns, _) in measured.items()}
    lean = [name for name in medians if name.startswith("lean")]
    for name, (turns, gallery) in measured.items():
        row = {"server": name} | gallery | medians[name]
        for key, best in BEST.items():
            others, _ = measured[best(lean, key=lambda other: medians[other][key])]
            row[f"{key}_ratio"] = statistics.median(ours[key] / theirs[key] for ours, theirs in zip(turns, others))
        yield row


def markdown(result):
    yield heading(result)
    yield f"\n`{result['command']}`: {result['probes']} probes of students and {result['strangers']} of strangers.\n"
    clients = result["clients"]
    yield (f"| server | identify, one client, ms | x | identified a second, {clients} clients | x | processor time of one, ms | x "
           f"| start to first answer, s | x | memory, MB | x | enrolled a second, {clients} clients | enrolled "
           f"| student comes first | recognised at FPIR {FPIR:.0%} |")
    yield "|" + "---|" * 15
    for row in result["servers"]:
        cells = [row["server"]]
        for key in BEST:
            cells += [figure(row[key] / (1e6 if key == "memory" else 1)), f"{row[f'{key}_ratio']:.2f}"]
        cells += [figure(row["enrolments_per_second"]), f"{row['enrolled']:,} of {result['enrolled']:,}",
                  f"{row['first']:.1%}", f"{row['recognised']:.1%}"]
        yield f"| {' | '.join(cells)} |"
    yield "\nx: the figure divided by that of the lean server that is best in it, in the same rounds."


def parse():
    parser = argparse.ArgumentParser(prog="lean.sh", description="Compares Rollcall with a lean Python server.")
    parser.add_argument("--programs", type=pathlib.Path, help=argparse.SUPPRESS)  # where lean.sh built the Go programs
    parser.add_argument("--quick", action="store_true", help="few people, one short round, to see that everything works")
    parser.add_argument("--shared", type=pathlib.Path, default=HERE / "../../../shared", help="folder with faces and models (default: beside the clone)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of turns (default: 7)")
    parser.add_argument("--seconds", type=float, default=4, help="seconds that one client, and then several, ask in a turn (default: 4)")
    parser.add_argument("--clients", type=int, default=8, help="clients at once (default: 8)")
    parser.add_argument("--json", help="file to write the figures to")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.5
    return options


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))  # so that the servers are stopped
    command = " ".join(["bench/peers/lean.sh", *sys.argv[3:]])  # without --programs, which lean.sh adds
    result = conditions(PACKAGES) | {"command": command, "rounds": options.rounds, "seconds": options.seconds, "clients": options.clients}
    with contextlib.ExitStack() as stack:
        result |= compare(options, stack)
    result["load"].append(os.getloadavg()[0])
    result["servers"] = list(result["servers"])
    print("\n".join(markdown(result)))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


main()
