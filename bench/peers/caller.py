"""DeepFace in the comparison: a process that calls it when networks.py tells it to.

    caller.py MODEL CROPS CORE

CROPS is a file of JPEGs, a line of base64 each. With a CORE the process stays on that core, so that
DeepFace's libraries use one thread; "all" is every core. Each line of the standard input is how many
threads call at once, and for how many seconds; 0 seconds: the embeddings are asked for, of each crop
once. It is answered with a line of JSON.
"""

import base64
import io
import itertools
import json
import os
import pathlib
import sys
import threading
import time

MODEL, CROPS, CORE = sys.argv[1:]
if CORE != "all":
    os.sched_setaffinity(0, [int(CORE)])  # before the libraries count the cores

from deepface import DeepFace

crops = [base64.b64decode(line) for line in pathlib.Path(CROPS).read_text().splitlines()]
turns = itertools.cycle(crops)


def represent(jpeg):
    """The embedding. The crop is not searched for a face, and not aligned: there Rollcall does the same."""
    return DeepFace.represent(io.BytesIO(jpeg), model_name=MODEL, detector_backend="skip")[0]["embedding"]


def call(until, times):
    """Calls one crop after the other, and notes the seconds of each."""
    now = time.perf_counter()
    while now < until:
        represent(next(turns))
        end = time.perf_counter()
        times.append(end - now)
        now = end


def turn(callers, seconds):
    clock, start = time.process_time(), time.perf_counter()
    times = [[] for _ in range(callers)]
    threads = [threading.Thread(target=call, args=(start + seconds, t)) for t in times]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ms = [1e3 * seconds for t in times for seconds in t]
    return {"ms": ms, "rate": len(ms) / (time.perf_counter() - start), "cpu_ms": 1e3 * (time.process_time() - clock) / len(ms)}


def main():
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever DeepFace prints is no answer
    for line in sys.stdin:
        callers, seconds = int(line.split()[0]), float(line.split()[1])
        print(json.dumps(turn(callers, seconds) if seconds else [represent(jpeg) for jpeg in crops]), file=answers, flush=True)


main()
