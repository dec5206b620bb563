"""Compares Rollcall's index with others, on one thread, in turns. index.sh starts it.

Each index is a process of its own with the same vectors. Round by round, each answers
queries for a moment while the others wait, so that whatever else the machine does
hits all of them. What is printed are medians of the rounds, and medians of the ratios
within each round.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

from figures import conditions, figure, heading, note, output

HERE = pathlib.Path(__file__).parent

# One thread each. These two are all that is set. OpenBLAS, on which numpy and faiss rest,
# reads the first as well; its own variable (OPENBLAS_NUM_THREADS) once made faiss slower.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "GOMAXPROCS": "1"}

SPREAD = 0.8  # of a student's crops around the centre, as in bench/vectors.go
UNIT = 1e-4  # how far from 1 a length may be, as package index has it
EQUAL = 1e-6  # two similarities that differ by less are the same in float32
FEW = 200  # queries that are enough to see that an exact search is one

BATCH_EVERY = 2  # rounds: one call with all queries may take many seconds

# What another graph is told to consider, from little to much, until it finds as much as ours.
EFFORTS = [10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 400, 512, 640, 800, 1000]

EXACT, GRAPH = "exact", "graph"
OURS = {EXACT: "rollcall exact", GRAPH: "rollcall graph"}
KINDS = {
    "rollcall exact": EXACT,
    "faiss flat": EXACT,
    "faiss int8, refined": EXACT,
    "numpy": EXACT,
    "usearch exact": EXACT,
    "chromem-go": EXACT,
    "rollcall graph": GRAPH,
    "hnswlib": GRAPH,
    "faiss graph": GRAPH,
    "usearch": GRAPH,
    "usearch int8": GRAPH,
}
NO_BATCHES = ["chromem-go"]


class Contender:
    """The process of one index, which does nothing between what it is asked."""

    def __init__(self, name, programs, files, dimension):
        command = {
            "rollcall exact": [programs / "ours", "exact"],
            "rollcall graph": [programs / "ours", "hnsw"],
            "chromem-go": [programs / "chromem"],
        }.get(name, [sys.executable, HERE / "contender.py", name])
        self.name, self.kind, self.ef = name, KINDS[name], None
        self.process = subprocess.Popen(
            [*command, *files, str(dimension)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | ENVIRONMENT)
        self.searches, self.batches = [], []
        self.processor, self.took = 0.0, 0.0  # in turns

    def ask(self, *command):
        try:
            print(*command, file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            sys.exit(f"{self.name} ended early: what it wrote above says why")

    def build(self, count):
        self.call = self.ask("call")["median"]
        before = self.memory()
        self.insertions = count / self.ask("add")
        self.bytes = (self.memory() - before) / count

    def memory(self):
        """Bytes of memory that are not parts of files."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(status.split("RssAnon:")[1].split()[0])

    def turn(self, seconds, batch):
        clock, start = self.clock(), time.monotonic()
        self.searches.append(self.ask("search", seconds))
        if batch and self.kind == EXACT and self.name not in NO_BATCHES:
            self.batches.append(self.ask("batch"))
        self.processor += self.clock() - clock
        self.took += time.monotonic() - start

    def clock(self):
        """The processor time of the process, in seconds."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def generate(students, crops, queries, dimension):
    """The gallery, in random order, and the queries, which are more crops of random students."""
    random_numbers = np.random.default_rng(1)

    def around(centres):
        noise = random_numbers.standard_normal(centres.shape, np.float32)
        return unit(centres + noise * np.float32(SPREAD / dimension**0.5))

    centres = unit(random_numbers.standard_normal((students, dimension), np.float32))
    gallery = around(np.repeat(centres, crops, axis=0))
    return random_numbers.permutation(gallery), around(centres[random_numbers.integers(students, size=queries)])


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def read(options):
    """The files' vectors. People who follow each other in the file do not after it."""

    def vectors(name):
        numbers = np.fromfile(name, np.float32)
        if len(numbers) == 0 or len(numbers) % options.dimension:
            sys.exit(f"{name} has {len(numbers)} numbers, which are no vectors of {options.dimension}: is --dimension right?")
        numbers = numbers.reshape(-1, options.dimension)
        if not np.allclose(np.linalg.norm(numbers, axis=1), 1, atol=UNIT):
            sys.exit(f"{name} has vectors that are not of unit length: is --dimension right, and are they normalised?")
        return numbers

    return np.random.default_rng(1).permutation(vectors(options.gallery)), vectors(options.queries)


class Truth:
    """Knows the greatest similarity to each query, by plain products in float64."""

    def __init__(self, gallery, queries):
        self.gallery, self.queries = gallery, queries.astype(np.float64)
        parts = np.array_split(gallery, 1 + len(gallery) // 10_000)
        self.best = np.max([(part.astype(np.float64) @ self.queries.T).max(axis=0) for part in parts], axis=0)

    def recall(self, contender):
        """The share of the queries whose nearest the contender finds."""
        answers = contender.ask("answers", FEW if contender.kind == EXACT else len(self.queries))
        first = self.gallery[[hits[0] for hits in answers]].astype(np.float64)
        similarities = np.sum(first * self.queries[: len(first)], axis=1)
        return float(np.mean(similarities >= self.best[: len(first)] - EQUAL))


def compare(title, gallery, queries, options):
    """Measures every index with one set of vectors."""
    note(f"{title}: the truth")
    truth = Truth(gallery, queries)
    count, dimension = gallery.shape
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name) for name in ("gallery", "queries")]
        gallery.tofile(files[0])
        queries.tofile(files[1])
        contenders = []
        for name in KINDS:
            note(f"{title}: {name} inserts {count} vectors")
            contender = Contender(name, options.programs, files, dimension)
            contenders.append(contender)
            contender.build(count)
            contender.recall = truth.recall(contender)
            if name == OURS[GRAPH]:
                aim = contender.recall
            elif contender.kind == GRAPH:
                least_effort(contender, truth, aim)
        order = random.Random(1)
        for number in range(options.rounds):
            note(f"{title}: round {number + 1} of {options.rounds}")
            for contender in order.sample(contenders, len(contenders)):
                contender.turn(options.seconds, number % BATCH_EVERY == 0)
        for contender in contenders:
            contender.process.stdin.close()
            contender.process.wait()
    return {"title": title, "vectors": count, "dimension": dimension, "queries": len(queries),
            "programs": [row(contender, contenders) for contender in contenders]}


def least_effort(contender, truth, recall):
    """Makes the graph search with the least effort that finds as much as ours, or as much
    as it ever does."""

    def make(ef):
        contender.ask("effort", ef)
        contender.ef, contender.recall = ef, truth.recall(contender)
        return contender.recall

    enough = min(recall, make(EFFORTS[-1]))
    next(ef for ef in EFFORTS if make(ef) >= enough)


def row(contender, contenders):
    ours = next(c for c in contenders if c.name == OURS[contender.kind])

    def against(times, rounds):
        """How many times longer than our search in the same rounds."""
        return statistics.median(time / (s["median"] - ours.call) for time, s in zip(times, rounds))

    searches = [s["median"] for s in contender.searches]
    found = {
        "program": contender.name, "kind": contender.kind, "ef": contender.ef, "recall_at_1": contender.recall,
        "search_ms": 1e3 * statistics.median(searches),
        "search_mean_ms": 1e3 * statistics.median(s["mean"] for s in contender.searches),
        "call_ms": 1e3 * contender.call, "times_ours": against([time - contender.call for time in searches], ours.searches),
        "bytes_per_vector": contender.bytes, "insertions_per_second": contender.insertions,
        "cores": contender.processor / contender.took,
    }
    if contender.batches:
        found["batch_ms"] = 1e3 * statistics.median(contender.batches)
        found["batch_times_ours"] = against(contender.batches, ours.batches)
    return found


def markdown(result):
    yield heading(result)
    for found in result["sets"]:
        yield (f"\n**{found['title']}**: {found['vectors']:,} x {found['dimension']}, {found['queries']:,} queries\n\n"
               "| program | recall@1 | a search, ms | of it the call | x ours | in batches, ms | x ours | bytes a vector | insertions a second |\n"
               "|---|---|---|---|---|---|---|---|---|")
        for p in found["programs"]:
            effort = f" (ef {p['ef']})" if p["ef"] else ""
            batch = f"{figure(p['batch_ms'])} | {p['batch_times_ours']:.2f}" if "batch_ms" in p else " | "
            yield (f"| {p['program']}{effort} | {p['recall_at_1']:.4f} | {figure(p['search_ms'])} | {figure(p['call_ms'])} | "
                   f"{p['times_ours']:.1f} | {batch} | {p['bytes_per_vector']:,.0f} | {p['insertions_per_second']:,.0f} |")
        cores = [p["cores"] for p in found["programs"]]
        yield f"\nProcessor time in a second of searching: {min(cores):.2f} to {max(cores):.2f} s."


def chromem(programs):
    """The version of chromem-go that was built."""
    return next(line.split()[2] for line in output("go", "version", "-m", programs / "chromem").splitlines() if "chromem-go" in line)


def parse():
    parser = argparse.ArgumentParser(prog="index.sh", description="Compares Rollcall's index with others.")
    parser.add_argument("--programs", type=pathlib.Path, help=argparse.SUPPRESS)  # where index.sh built the Go programs
    parser.add_argument("--quick", action="store_true", help="small and short, to see that everything works")
    parser.add_argument("--gallery", help="file of vectors (little-endian float32 of unit length) to measure beside generated ones")
    parser.add_argument("--queries", help="file of vectors to ask for")
    parser.add_argument("--dimension", type=int, default=128, help="of the vectors in these files (default: 128)")
    parser.add_argument("--only", type=int, metavar="N", help="measure the set number N alone: the files', if there are any, come first")
    parser.add_argument("--rounds", type=int, default=11, help="rounds of turns (default: 11)")
    parser.add_argument("--seconds", type=float, default=0.25, help="seconds that a turn takes (default: 0.25)")
    parser.add_argument("--json", help="file to write the figures to")
    options = parser.parse_args()
    if bool(options.gallery) != bool(options.queries):
        parser.error("--gallery and --queries go together")
    return options


def main():
    options = parse()
    if options.quick:
        options.rounds, options.seconds = 3, 0.02
    sizes = [(200, 64)] if options.quick else [(2_000, 128), (20_000, 128), (20_000, 512)]
    sets = [(f"{students:,} students, 5 crops each", lambda s=students, d=dimension: generate(s, 5, 1_000, d))
            for students, dimension in sizes]
    if options.gallery:
        sets.insert(0, ("the files", lambda: read(options)))
    if options.only:
        sets = sets[options.only - 1 : options.only] or sys.exit(f"--only: there are {len(sets)} sets")
    found = conditions(["faiss-cpu", "hnswlib", "usearch", "numpy"], **{"chromem-go": chromem(options.programs)})
    result = found | {
        "environment": ENVIRONMENT, "rounds": options.rounds, "seconds": options.seconds,
        "sets": [compare(title, *make(), options) for title, make in sets],
    }
    result["load"].append(os.getloadavg()[0])
    print("\n".join(markdown(result)))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


main()
