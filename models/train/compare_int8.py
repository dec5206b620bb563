"""Prints what the quantisation does to the embedder that rebuild.py trained: its time on one core, and its accuracy
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
import synth
from networks import Embedder

HERE = os.path.dirname(os.path.abspath(__file__))
RUNS = 500


def session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(path, options)


def embed(session, tensors):
    e = np.concatenate([session.run(None, {"crop": t[None]})[0] for t in tensors])
    return e / np.linalg.norm(e, axis=1, keepdims=True)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--faces", default=os.path.join(HERE, "../../../shared/faces"))
    p.add_argument("--work", default="work", help="folder of rebuild.py")
    o = p.parse_args()
    faces = data.Faces(o.faces, o.work)
    net = Embedder()
    net.load_state_dict(torch.load(os.path.join(o.work, "embedder.pt"), weights_only=True)["average"])
    tensors = augment.plain(embedder.validation_crops(faces, synth.Renderer(faces))).numpy()
    people = faces.people[faces.validation]

    with tempfile.TemporaryDirectory() as folder:
        single, whole = os.path.join(folder, "single.onnx"), os.path.join(folder, "int8.onnx")
        export.write_embedder(net, single)
        export.quantise(single, embedder.typical(faces), whole)
        sessions = {"single precision": session(single), "int8": session(whole)}
    times = {name: [] for name in sessions}
    for _ in range(RUNS):  # by turns, so that what else the machine does meets both
        for name, s in sessions.items():
            began = time.perf_counter()
            s.run(None, {"crop": tensors[:1]})
            times[name].append(time.perf_counter() - began)
    for name, s in sessions.items():
        print(f"{name}: {1000 * np.median(times[name]):.2f} ms, {embedder.verify(embed(s, tensors), people)}")


if __name__ == "__main__":
    main()
