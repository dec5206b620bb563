"""Compares Rollcall with DeepFace on the same networks, in turns. deepface.sh starts it.

DeepFace runs in the process that calls it, Rollcall answers over HTTP. Both get a JPEG of the
network's size, do not look for a face, and return an embedding. Round by round, each is called
while the others wait, so that whatever else the machine does hits all of them. What is printed are
medians of the rounds, and medians of the ratios within each round.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys

import numpy as np

import crops
from figures import HERE, conditions, figure, heading, note, output
from servers import call, data, rollcall, write

CROPS = 16  # one each of as many people
SHIFT = 17  # how many crops further each round begins
WARM_SECONDS = 2  # of calls before the rounds: TensorFlow traces, and every thread starts

PACKAGES = ["deepface", "tensorflow", "tf_keras", "tf2onnx", "onnxruntime", "numpy"]

# What DeepFace calls a network, what Rollcall calls it, its file, the side of its input in pixels.
NETWORKS = [("Facenet", "facenet", "facenet_weights", 160), ("ArcFace", "deepface-arcface", "arcface_weights", 112)]
BACKENDS = {"ONNX": "onnx", "TensorFlow": "tensorflow"}


class DeepFace:
    """DeepFace with one network and backend: a process with all cores, or one for each core."""

    def __init__(self, network, backend, file, cores, options):
        self.name = f"DeepFace, {backend}, " + ("one process" if cores == ["all"] else "a process for each core")
        environment = os.environ | {
            "DEEPFACE_HOME": str(options.programs), "DEEPFACE_BACKEND_ENGINE": BACKENDS[backend], "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.log = options.programs / f"{network} {self.name}.log"
        with open(self.log, "ab") as log:
            self.processes = [
                subprocess.Popen([sys.executable, HERE / "caller.py", network, file, core], env=environment, text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
                for core in cores]

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()

    def ask(self, callers, seconds):
        """The answer of each process; the callers are spread over them."""
        try:
            for process in self.processes:
                print(callers // len(self.processes), seconds, file=process.stdin, flush=True)
            return [json.loads(process.stdout.readline()) for process in self.processes]
        except (BrokenPipeError, json.JSONDecodeError):
            raise SystemExit(f"{self.name} ended early; its last lines:\n{self.log.read_text()[-2000:]}") from None

    def embeddings(self):
        return self.ask(len(self.processes), 0)[0]

    def turn(self, callers, seconds, number):
        parts = self.ask(callers, seconds)
        return {"ms": statistics.median(ms for part in parts for ms in part["ms"]), "rate": sum(part["rate"] for part in parts),
                "cpu_ms": statistics.mean(part["cpu_ms"] for part in parts)}


class Rollcall:
    """Rollcall with one network."""

    def __init__(self, model, weights, jpegs, options):
        self.name, self.programs = "rollcall", options.programs
        models, digest = options.programs / model, hashlib.sha256(weights.read_bytes()).hexdigest()
        output(options.programs / "rollcall", "models", "add", "--models-dir", models, "--sha256", digest, model, weights)
        name = f"rollcall with {model}"
        self.token = output(options.programs / "rollcall", "tokens", "create", "bench", "--role", "admin", "--embeddings",
                            "--data", data(name, options.programs))
        self.calls = [self.embed(jpeg) for jpeg in jpegs]
        self.asking = [self.embed(jpeg, return_embedding=True) for jpeg in jpegs]
        self.server = rollcall(name, options.programs, "--models-dir", models, "--model", model)

    def embed(self, jpeg, **fields):
        body = json.dumps({"image": base64.b64encode(jpeg).decode()} | fields).encode()
        return call("/rollcall.v1.AttendanceService/Embed", "application/json", body, self.token)

    def start(self):
        self.server.start(self.calls[0])

    def embeddings(self):
        answers = self.server.ask(write(self.programs / "calls", self.asking), 1)["answers"]
        return [json.loads(answer["body"])["embedding"] for answer in answers]

    def turn(self, callers, seconds, number):
        return self.server.turn(write(self.programs / "calls", self.calls), callers, seconds, number * SHIFT)


def compare(network, options, stack):
    """Measures one network."""
    name, model, weights, side = network
    faces = [face for face in crops.read(options.shared / "faces") if face.split == "test"]
    one_each = list({face.person: face for face in faces}.values())[:CROPS]
    jpegs = crops.cut(options.shared / "faces", one_each, side, loosely=False)
    file = options.programs / f"{name}.crops"
    file.write_text("".join(base64.b64encode(jpeg).decode() + "\n" for jpeg in jpegs))
    ours = Rollcall(model, options.programs / f".deepface/weights/{weights}.onnx", jpegs, options)
    stack.callback(ours.server.stop)
    ours.start()
    contenders = [ours]
    for backend in BACKENDS:
        for cores in (["all"], [str(core) for core in sorted(os.sched_getaffinity(0))]):
            contenders.append(DeepFace(name, backend, file, cores, options))
            stack.callback(contenders[-1].stop)
    embeddings = unit(ours.embeddings())
    for contender in contenders:
        note(f"{name}: {contender.name} warms up")
        contender.same = similarities(embeddings, unit(contender.embeddings()))
        contender.turn(options.callers, WARM_SECONDS, 0)
        contender.one, contender.many = [], []
    order = random.Random(1)
    for number in range(options.rounds):
        note(f"{name}: round {number + 1} of {options.rounds}")
        for contender in order.sample(contenders, len(contenders)):
            if not contender.name.endswith("each core"):  # one caller calls one process
                contender.one.append(contender.turn(1, options.seconds, number))
            contender.many.append(contender.turn(options.callers, options.seconds, number))
    return {"network": name, "side": side, "dimension": len(embeddings[0]), "contenders": [row(c, ours) for c in contenders]}


def unit(vectors):
    return np.array(vectors) / np.linalg.norm(vectors, axis=1, keepdims=True)


def similarities(ours, theirs):
    """The least similarity of the two embeddings of a crop, and the share of the crops of which the other's
    embedding is the nearest: random networks make similar embeddings of all faces."""
    every = ours @ theirs.T
    return float(every.diagonal().min()), float(np.mean(every.argmax(axis=1) == np.arange(len(every))))


def row(contender, ours):
    """The medians, and how many times as fast Rollcall is."""

    def median(turns, key):
        return statistics.median(turn[key] for turn in turns)

    def ratio(slow, fast, key):
        return statistics.median(a[key] / b[key] for a, b in zip(slow, fast))

    found = {
        "program": contender.name, "similarity": contender.same[0], "nearest": contender.same[1],
        "many_per_second": median(contender.many, "rate"), "many_ratio": ratio(ours.many, contender.many, "rate"),
        "cpu_ms": median(contender.many, "cpu_ms"), "cpu_ratio": ratio(contender.many, ours.many, "cpu_ms"),
    }
    if contender.one:
        found |= {"one_ms": median(contender.one, "ms"), "one_ratio": ratio(contender.one, ours.one, "ms")}
    return found


def markdown(result):
    yield heading(result)
    yield f"\n`{result['command']}`"
    callers = result["callers"]
    for network in result["networks"]:
        yield (f"\n**{network['network']}**, {network['side']} x {network['side']} pixels, {network['dimension']} components\n\n"
               f"| program | one caller, ms | x | embeddings a second, {callers} callers | x | processor time of one, ms | x "
               f"| least similarity to rollcall's | nearest is the same crop |\n|---|---|---|---|---|---|---|---|---|")
        for c in network["contenders"]:
            one = f"{figure(c['one_ms'])} | {c['one_ratio']:.2f}" if "one_ms" in c else " | "
            yield (f"| {c['program']} | {one} | {figure(c['many_per_second'])} | {c['many_ratio']:.2f} | {figure(c['cpu_ms'])} "
                   f"| {c['cpu_ratio']:.2f} | {c['similarity']:.5f} | {c['nearest']:.0%} |")
    yield "\nx: how many times as fast Rollcall is, in the same rounds."


def parse():
    parser = argparse.ArgumentParser(prog="deepface.sh", description="Compares Rollcall with DeepFace on the same networks.")
    parser.add_argument("--programs", type=pathlib.Path, help=argparse.SUPPRESS)  # where deepface.sh put programs and networks
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything works")
    parser.add_argument("--shared", type=pathlib.Path, default=HERE / "../../../shared", help="folder with faces (default: beside the clone)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of turns (default: 7)")
    parser.add_argument("--seconds", type=float, default=4, help="seconds that one caller, and then several, call in a turn (default: 4)")
    parser.add_argument("--callers", type=int, default=8, help="callers at once, spread over the processes (default: 8)")
    parser.add_argument("--json", help="file to write the figures to")
    options = parser.parse_args()
    if options.callers % len(os.sched_getaffinity(0)):
        parser.error("--callers cannot be spread evenly over a process for each core")
    if options.quick:
        options.rounds, options.seconds = 1, 0.5
    return options


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))  # so that what was started is stopped
    command = " ".join(["bench/peers/deepface.sh", *sys.argv[3:]])  # without --programs, which deepface.sh adds
    result = conditions(PACKAGES) | {"command": command, "rounds": options.rounds, "seconds": options.seconds, "callers": options.callers, "networks": []}
    for network in NETWORKS:
        with contextlib.ExitStack() as stack:
            result["networks"].append(compare(network, options, stack))
    result["load"].append(os.getloadavg()[0])
    print("\n".join(markdown(result)))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


main()
