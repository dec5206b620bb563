"""Prints what the quantisation does to the locator that points.py trained: its time on one core, and its error
(validation people, this folder's own crops). See README.md."""

import argparse
import os
import tempfile
import time

import numpy as np
import onnxruntime as ort
import torch

import data
import export
import locator
from networks import LOCATOR_SIDE, Locator

HERE = os.path.dirname(os.path.abspath(__file__))
RUNS = 1000


class Session:
    """An ONNX file as a network."""

    def __init__(self, path):
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(path, options)

    def __call__(self, x):
        return [torch.from_numpy(a) for a in self.session.run(None, {"crop": x.numpy()})]


def times(sessions):
    """The median time of each with one crop, in ms."""
    x, spent = torch.zeros(1, 3, LOCATOR_SIDE, LOCATOR_SIDE), {name: [] for name in sessions}
    for _ in range(RUNS):  # by turns, so that what else the machine does meets all
        for name, session in sessions.items():
            began = time.perf_counter()
            session(x)
            spent[name].append(time.perf_counter() - began)
    return {name: 1000 * np.median(t) for name, t in spent.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--faces", default=os.path.join(HERE, "../../../shared/faces"))
    p.add_argument("--work", default="work", help="folder of points.py")
    o = p.parse_args()
    faces = data.Faces(o.faces, o.work)
    with tempfile.TemporaryDirectory() as folder:
        single, whole = os.path.join(folder, "single.onnx"), os.path.join(folder, "int8.onnx")
        net, shown = Locator(), locator.typical(faces)
        net.load_state_dict(torch.load(os.path.join(o.work, "locator.pt"), weights_only=True)["average"])
        export.write_locator(net, single)
        export.quantise(single, shown, export.LOCATOR_SINGLE, whole)
        sessions = {"single precision": Session(single), "int8": Session(whole)}
        spent, cutter = times(sessions), locator.Cutter(faces)
        for name, session in sessions.items():
            print(f"{name}: {spent[name]:.2f} ms, {locator.evaluate(session, cutter, faces.validation)}", flush=True)


if __name__ == "__main__":
    main()
