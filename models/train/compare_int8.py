"""Prints what the quantisation does to the models that rebuild.py trained: their time on one core, and their accuracy
(validation people, this folder's own crops). See README.md."""

import argparse
import os
import tempfile
import time

import numpy as np
import onnxruntime as ort
import torch

import augment
import data
import embedder
import export
import locator
import synth
from networks import LOCATOR_SIDE, Embedder, Locator

HERE = os.path.dirname(os.path.abspath(__file__))
RUNS = 1000


class Session:
    """An ONNX file as a network."""

    def __init__(self, path):
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(path, options)

    def __call__(self, x):
        answers = [torch.from_numpy(a) for a in self.session.run(None, {"crop": x.numpy()})]
        return answers if len(answers) > 1 else answers[0]


def times(sessions, side):
    """The median time of each with one crop, in ms."""
    x, spent = torch.zeros(1, 3, side, side), {name: [] for name in sessions}
    for _ in range(RUNS):  # by turns, so that what else the machine does meets all
        for name, session in sessions.items():
            began = time.perf_counter()
            session(x)
            spent[name].append(time.perf_counter() - began)
    return {name: 1000 * np.median(t) for name, t in spent.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--faces", default=os.path.join(HERE, "../../../shared/faces"))
    p.add_argument("--work", default="work", help="folder of rebuild.py")
    o = p.parse_args()
    faces = data.Faces(o.faces, o.work)

    def trained(net, name):
        net.load_state_dict(torch.load(os.path.join(o.work, name), weights_only=True)["average"])
        return net

    def compare(what, side, single, whole, evaluate):
        sessions = {"single precision": Session(single), "int8": Session(whole)}
        spent = times(sessions, side)
        for name, session in sessions.items():
            print(f"{what}, {name}: {spent[name]:.2f} ms, {evaluate(session)}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        single, whole = os.path.join(folder, "single.onnx"), os.path.join(folder, "int8.onnx")
        net, shown = trained(Locator(), "locator.pt"), locator.typical(faces)
        export.write_locator(net, single)
        export.quantise(single, shown, export.LOCATOR_SINGLE, whole)
        cutter = locator.Cutter(faces)
        compare("locator", LOCATOR_SIDE, single, whole, lambda s: locator.evaluate(s, cutter, faces.validation))

        shown = embedder.typical(faces)
        export.write_embedder(trained(Embedder(), "embedder.pt"), single)
        export.quantise(single, shown, export.EMBEDDER_SINGLE, whole)
        check, people = embedder.validation_crops(faces, synth.Renderer(faces)), faces.people[faces.validation]
        compare("embedder", data.FACE, single, whole, lambda s: embedder.verify(embedder.embed(s, check), people))


if __name__ == "__main__":
    main()
