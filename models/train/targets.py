"""Computes what the student is to answer: the teacher's descriptors of the train people's pictures, of their mirror
images, and of invented faces. Written to the folder cache, in parts, so that a run that was stopped goes on."""

import os

import numpy as np

import synth
from teacher import Teacher

BATCH = 64
DRAWN = 30_000  # invented faces at a time: to ask for more later leaves the first ones as they are


def compute(faces, cache, weights, invented, seed=1, log=print):
    """Returns recipes [n] and descriptors [n,128]: first the train pictures, then their mirror images, then the
    invented faces. weights is the folder "model" of the teacher's package."""
    drawn = [synth.invent(faces.train, faces.people, min(DRAWN, invented - at), np.random.default_rng(seed + at // DRAWN))
             for at in range(0, invented, DRAWN)]
    recipes = np.concatenate([synth.real(faces.train, False), synth.real(faces.train, True), *drawn])
    path = os.path.join(cache, "targets.f32")
    have = os.path.getsize(path) // 512 if os.path.exists(path) else 0
    if have < len(recipes):
        renderer, teacher = synth.Renderer(faces), Teacher(weights)
        with open(path, "ab") as f:
            f.truncate(have * 512)
            for at in range(have, len(recipes), BATCH):
                f.write(teacher(renderer.chips(recipes[at:at + BATCH])).astype("<f4").tobytes())
                if at // BATCH % 50 == 0:
                    f.flush()
                    log(f"targets: {at} of {len(recipes)}")
    return recipes, np.fromfile(path, "<f4").reshape(-1, 128)[:len(recipes)]
