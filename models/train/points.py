"""Makes rollcall-points: trains the locator and writes its file and contract. See README.md."""

import argparse
import os
import time

import torch

import data
import export
import locator
import loop

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS = 11_700


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--faces", default=os.path.join(HERE, "../../../shared/faces"), help="folder with faces.csv and faces-192.tar")
    p.add_argument("--work", default="work", help="folder for what lies between; an interrupted run goes on from it")
    p.add_argument("--out", default=os.path.join(HERE, "../builtin"), help="folder of the contracts and ONNX files")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--steps", type=int, default=STEPS)
    p.add_argument("--minutes", type=float, help="end the training when so much time has passed, instead of after its steps")
    o = p.parse_args()
    loop.keep_memory()
    torch.set_num_threads(o.threads)
    os.makedirs(o.work, exist_ok=True)
    faces = data.Faces(o.faces, o.work)
    until = time.time() + 60 * o.minutes if o.minutes else None
    net = locator.run(faces, o.work, o.steps, until=until, log=lambda line: print(line, flush=True))
    export.locator(net, locator.typical(faces), o.out)


if __name__ == "__main__":
    main()
