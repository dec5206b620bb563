"""Rebuilds the built-in models: python rebuild.py --faces FOLDER --teacher FOLDER. See README.md."""

import argparse
import os
import time

import torch

import data
import embedder
import export
import locator
import loop
import targets
from networks import Embedder
from shrink import shrink
from teacher import Teacher

HERE = os.path.dirname(os.path.abspath(__file__))

LOCATOR_STEPS, WIDE_STEPS, EMBEDDER_STEPS, INVENTED = 11_700, 4000, 4700, 180_000
LOCATOR_SHARE, WIDE_SHARE = 0.2, 0.6  # of --minutes, when the locator and the wide embedder are done


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--faces", default=os.path.join(HERE, "../../../shared/faces"), help="folder with faces.csv, faces-192.tar, teacher.f32")
    p.add_argument("--teacher", default="package/model", help='folder "model" of the npm package @vladmandic/face-api')
    p.add_argument("--work", default="work", help="folder for what lies between; an interrupted run goes on from it")
    p.add_argument("--out", default=os.path.join(HERE, "../builtin"), help="folder of the contracts and ONNX files")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--only", choices=["locator", "embedder"], help="train one of the two")
    p.add_argument("--locator-steps", type=int, default=LOCATOR_STEPS)
    p.add_argument("--wide-steps", type=int, default=WIDE_STEPS)
    p.add_argument("--embedder-steps", type=int, default=EMBEDDER_STEPS)
    p.add_argument("--minutes", type=float, help="end the trainings when so much time has passed in all, instead of after their steps")
    p.add_argument("--invented", type=int, default=INVENTED, help="faces that the teacher is asked about beside the pictures")
    o = p.parse_args()
    loop.keep_memory()
    began = time.time()
    until = lambda share: began + 60 * o.minutes * share if o.minutes else None
    torch.set_num_threads(o.threads)
    os.makedirs(o.work, exist_ok=True)
    log = lambda line: print(line, flush=True)
    faces = data.Faces(o.faces, o.work)
    if o.only != "embedder":
        net = locator.run(faces, o.work, o.locator_steps, until=until(LOCATOR_SHARE), log=log)
        export.locator(net, locator.typical(faces), o.out)
    if o.only != "locator":
        recipes, answers = targets.compute(faces, o.work, o.teacher, o.invented, log=log)
        wanted = embedder.aims(faces, answers)
        path = os.path.join(o.work, "wide.pt")
        wide = Embedder(wide=True) if os.path.exists(path) else embedder.begin(faces, Teacher(o.teacher), recipes, wanted)
        wide = embedder.run(wide, faces, recipes, wanted, path, o.wide_steps, 3e-4, until=until(WIDE_SHARE), log=log)
        path = os.path.join(o.work, "embedder.pt")
        net = Embedder() if os.path.exists(path) else shrink(wide, embedder.typical(faces, 1500), log)
        net = embedder.run(net, faces, recipes, wanted, path, o.embedder_steps, 2e-4, until=until(1), log=log)
        export.embedder(net, embedder.typical(faces), o.out)


if __name__ == "__main__":
    main()
