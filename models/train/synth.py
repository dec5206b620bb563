"""Faces that nobody has: two aligned train faces made into one. The teacher describes them, so that the student sees
more identities than the pictures hold. A recipe is a row of numbers; render draws it, in any resolution and place."""

import cv2
import numpy as np

from data import CHIP, CHIP_TEMPLATE, FACE, MIRRORED, SIDE, TEMPLATE, apply, similarity

# Kinds of recipes.
REAL, BLEND, HALVES, INNER = range(4)

KIND = np.dtype([("kind", "i1"), ("a", "i4"), ("b", "i4"), ("flip_a", "?"), ("flip_b", "?"),
                 ("alpha", "f4"),  # weight of b's shape, and with BLEND of its pixels
                 ("angle", "f4"),  # of the edge between a and b, with HALVES; radians
                 ("place", "f4")])  # of the edge, in pixels of the aligned face from the centre


def real(indices, flip):
    r = np.zeros(len(indices), KIND)
    r["a"] = r["b"] = indices
    r["flip_a"] = flip
    return r


def invent(indices, people, n, rng):
    """n recipes of pictures from indices."""
    r = np.zeros(n, KIND)
    r["kind"] = rng.choice([BLEND, HALVES, INNER], n, p=[0.6, 0.25, 0.15])
    r["a"], r["b"] = rng.choice(indices, n), rng.choice(indices, n)
    r["flip_a"], r["flip_b"] = rng.random(n) < 0.5, rng.random(n) < 0.5
    r["alpha"] = rng.uniform(0.25, 0.75, n)
    r["angle"] = rng.choice([0.0, np.pi / 2], n) + rng.normal(0, 0.15, n)
    r["place"] = rng.normal(0, 8, n)
    mirror = (r["kind"] == HALVES) & (rng.random(n) < 0.3)  # both halves of one face alike: another face
    r["b"][mirror] = r["a"][mirror]
    r["flip_b"][mirror] = ~r["flip_a"][mirror]
    r["angle"][mirror], r["place"][mirror] = 0, 0
    return r


def _affine(source, target):
    """The affine transform [2,3] that takes source [5,2] nearest to target [5,2]."""
    one = np.concatenate([source, np.ones((5, 1), np.float32)], 1)
    return np.linalg.lstsq(one, target, rcond=None)[0].T


class Renderer:
    def __init__(self, faces):
        self.pictures, landmarks = faces.pictures, faces.landmarks
        mirrored = landmarks[:, MIRRORED] * np.array([-1, 1], np.float32) + np.array([SIDE - 1, 0], np.float32)
        self.landmarks = [landmarks, mirrored]
        self.similar = [similarity(l, TEMPLATE) for l in self.landmarks]
        self.aligned = [apply(m, l) for m, l in zip(self.similar, self.landmarks)]

    def render(self, recipe, jitter=None, side=FACE):
        """One picture [side,side,3] of a recipe. jitter [2,3] moves the aligned face of FACE pixels."""
        kind, a, b, fa, fb, alpha, angle, place = recipe.item()
        k = side / FACE
        view = np.array([[k, 0, (k - 1) / 2], [0, k, (k - 1) / 2]])
        if jitter is not None:
            view = _chain(view, jitter)
        if kind == REAL:
            return self._draw(a, fa, _chain(view, self.similar[fa][a]), side)
        shape = (1 - alpha) * self.aligned[fa][a] + alpha * self.aligned[fb][b]
        one = self._draw(a, fa, _chain(view, _affine(self.landmarks[fa][a], shape)), side)
        two = self._draw(b, fb, _chain(view, _affine(self.landmarks[fb][b], shape)), side)
        if kind == BLEND:
            return cv2.addWeighted(one, 1 - alpha, two, alpha, 0)
        back = _invert(view)
        x = np.arange(side, dtype=np.float32)
        middle = (FACE - 1) / 2
        u = (back[0, 0] * x + back[0, 2] - middle)[None, :] + (back[0, 1] * x)[:, None]
        v = (back[1, 0] * x + back[1, 2] - middle)[None, :] + (back[1, 1] * x)[:, None]
        if kind == HALVES:
            over = u * np.cos(angle) + v * np.sin(angle) - place
        else:
            over = 30 + place / 2 - np.sqrt(u * u + (v * 0.8) ** 2)
        weight = np.clip(over / 10 + 0.5, 0, 1)[..., None]
        return (one + (two.astype(np.float32) - one) * weight).astype(np.uint8)

    def chips(self, recipes):
        return np.stack([self.render(r, side=CHIP) for r in recipes])

    def _draw(self, i, flip, m, side):
        if flip:  # the mirrored picture through m
            m = _chain(m, np.array([[-1, 0, SIDE - 1], [0, 1, 0]]))
        return cv2.warpAffine(self.pictures[i], m, (side, side), flags=cv2.INTER_LINEAR)


def _chain(second, first):
    """The transform first, then second."""
    m = second[:, :2] @ first
    m[:, 2] += second[:, 2]
    return m


def _invert(m):
    a = np.linalg.inv(m[:, :2])
    return np.concatenate([a, -a @ m[:, 2:]], 1)
