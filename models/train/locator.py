"""Trains rollcall-points: crop -> five landmarks and a score."""

import os

import cv2
import numpy as np
import torch
import torch.nn.functional as F

import augment
import loop
from data import ARCFACE, FACE, MIRRORED, apply, similarity
from networks import LOCATOR_SIDE, Locator

BATCH = 96
NEGATIVES = 24  # of a batch
BORDERS = [cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101]


def cut(picture, centre, side, turn, flip=False, border=cv2.BORDER_CONSTANT):
    """The square around centre, in pixels of the picture, turned, as the locator's input, and the transform [2,3]
    to its pixels."""
    k = LOCATOR_SIDE / side
    c, s = k * np.cos(turn), k * np.sin(turn)
    m = np.array([[-c if flip else c, -s], [-s if flip else s, c]])
    m = np.concatenate([m, (LOCATOR_SIDE - 1) / 2 - m @ np.reshape(centre, (2, 1))], 1)
    finer = int(np.clip(round(1 / k), 1, 6))  # shrinking takes the mean of all pixels, as the program does
    big = m * finer
    big[:, 2] += (finer - 1) / 2
    out = cv2.warpAffine(picture, big, (LOCATOR_SIDE * finer,) * 2, flags=cv2.INTER_LINEAR, borderMode=border)
    if finer > 1:
        out = cv2.resize(out, (LOCATOR_SIDE, LOCATOR_SIDE), interpolation=cv2.INTER_AREA)
    return out, m


# The program looks twice: the second time at the upright square that is 1.35 times as large as the face that was found
# the first time. Half of the crops are such, with what errors the first look makes.
SECOND = {"grow": (1.15, 1.6), "shift": 0.07, "turn": 10}


class Cutter:
    """Cuts crops with and without a face from faces' pictures."""

    def __init__(self, faces):
        self.pictures, self.landmarks = faces.pictures, faces.landmarks
        fit = similarity(faces.landmarks, ARCFACE)
        scale = np.hypot(fit[:, 0, 0], fit[:, 1, 0])
        self.size = FACE / scale  # side of the face's square, in pixels of the picture
        middle = np.array([(FACE - 1) / 2] * 2, np.float32)
        self.centre = np.einsum("nji,nj->ni", fit[:, :, :2], middle - fit[:, :, 2]) / scale[:, None] ** 2

    def face(self, i, rng, grow=(0.85, 2.6), shift=0.2, turn=30, flip=None, varied=True):
        """A crop whose side is grow[0]..grow[1] sides of the face, and its landmarks as fractions."""
        side = self.size[i] * np.exp(rng.uniform(*np.log(grow)))
        centre = self.centre[i] + rng.uniform(-shift, shift, 2) * side
        angle = np.radians(rng.uniform(-turn, turn))
        flip = rng.random() < 0.5 if flip is None else flip
        border = BORDERS[rng.choice(3, p=[0.5, 0.25, 0.25])] if varied else cv2.BORDER_CONSTANT
        crop, m = cut(self.pictures[i], centre, side, angle, flip, border)
        points = apply(m[None], self.landmarks[i][None])[0] / LOCATOR_SIDE
        return crop, (points[MIRRORED] if flip else points).astype(np.float32)

    def patch(self, i, rng):
        """A square of the picture without a face: beside the face or a small part of it."""
        h = self.pictures.shape[1]
        points = self.landmarks[i]
        for _ in range(20):
            side = np.exp(rng.uniform(np.log(16), np.log(100)))
            centre = rng.uniform(-0.1 * h, 1.1 * h, 2)
            inside = (np.abs(points - centre).max(1) < 0.55 * side).sum()
            if inside == 0 or inside == 1 and side < 0.3 * self.size[i]:
                break
        else:
            return self.drawn(rng)
        return cut(self.pictures[i], centre, side, np.radians(rng.uniform(-180, 180)), rng.random() < 0.5,
                   BORDERS[rng.choice(3)])[0]

    def drawn(self, rng):
        """A picture of nothing: flat, a slope, noise, shapes."""
        n = LOCATOR_SIDE
        out = np.empty((n, n, 3), np.float32)
        out[:] = rng.uniform(0, 255, 3)
        kind = rng.integers(4)
        if kind == 1:
            out += rng.uniform(-2, 2, 3) * np.linspace(-60, 60, n)[:, None, None] + \
                rng.uniform(-2, 2, 3) * np.linspace(-60, 60, n)[None, :, None]
        if kind == 2:
            k = int(rng.integers(2, n))
            noise = rng.uniform(0, 255, (k, k, 3 if rng.random() < 0.5 else 1)).astype(np.float32)
            out = cv2.resize(noise, (n, n), interpolation=cv2.INTER_CUBIC).reshape(n, n, -1) + np.zeros_like(out)
        if kind == 3:
            for _ in range(rng.integers(1, 10)):
                colour = tuple(map(float, rng.uniform(0, 255, 3)))
                p, q = rng.integers(0, n, 2), rng.integers(4, n // 2, 2)
                if rng.random() < 0.5:
                    cv2.ellipse(out, (int(p[0]), int(p[1])), (int(q[0]), int(q[1])), float(rng.uniform(0, 180)), 0, 360, colour, -1)
                else:
                    cv2.rectangle(out, (int(p[0]), int(p[1])), (int(p[0] + q[0]), int(p[1] + q[1])), colour, -1)
        return np.clip(out, 0, 255).astype(np.uint8)

    def hide(self, crop, rng):
        """The crop with a part covered."""
        n = LOCATOR_SIDE
        w, h = rng.integers(n // 10, n // 3, 2)
        x, y = rng.integers(0, n - w), rng.integers(0, n - h)
        crop[y:y + h, x:x + w] = rng.integers(0, 256, 3)


def run(faces, cache, steps, seed=1, until=None, log=print):
    """Trains and returns the network."""
    torch.manual_seed(seed)
    cutter = Cutter(faces)

    def make(step):
        rng = np.random.default_rng((seed, step))
        crops, points = [], []
        for k, i in enumerate(rng.choice(faces.train, BATCH - NEGATIVES)):
            crop, at = cutter.face(i, rng, **(SECOND if k % 2 else {}))
            if rng.random() < 0.15:
                crop = crop.copy()
                cutter.hide(crop, rng)
            crops.append(augment.degrade(crop, rng, 0.25, 0.35))
            points.append(at)
        for i in rng.choice(faces.train, NEGATIVES):
            crops.append(cutter.drawn(rng) if rng.random() < 0.2 else cutter.patch(i, rng))
        x = augment.relight(np.stack(crops), rng, grey=0.2)
        return x, torch.from_numpy(np.stack(points)), torch.cat([torch.ones(BATCH - NEGATIVES), torch.zeros(NEGATIVES)])

    def loss(net, batch, done):
        x, points, faces_here = batch
        found, logit = net(x)
        found = found[:len(points)].view(-1, 5, 2)
        eyes = (points[:, 1] - points[:, 0]).norm(dim=1).view(-1, 1, 1)
        away = ((found - points) / eyes * 100).abs()  # in hundredths of the eye distance
        wing = torch.where(away < 10, 10 * torch.log1p(away / 2), away - 10 + 10 * np.log(6.0)).mean()
        return 0.1 * wing + F.binary_cross_entropy_with_logits(logit[:, 0], faces_here)

    return loop.train(Locator(), make, loss, steps, 3e-3, os.path.join(cache, "locator.pt"),
                      lambda net, done: evaluate(net, cutter, faces.validation), until=until, log=log)


def typical(faces, n=300, seed=5):
    """Inputs of train people [n,3,64,64], half of them as second looks see them."""
    cutter, rng = Cutter(faces), np.random.default_rng(seed)
    crops = []
    for k, i in enumerate(rng.choice(faces.train, n, False)):
        crop, _ = cutter.face(i, rng, **(SECOND if k % 2 else {}))
        crops.append(augment.degrade(crop, rng, 0.2, 0.3))
    return augment.relight(np.stack(crops), rng)


def evaluate(net, cutter, indices):
    """The error in eye distances, mean and 95th percentile, of first and second looks, and the area under the curve of
    faces and patches."""
    figures = {}
    for name, limits in (("first", {"grow": (1, 2.5)}), ("second", {"grow": (1.25, 1.45), "shift": 0.04, "turn": 5})):
        rng = np.random.default_rng(7)
        crops, points = [], []
        for i in indices:
            crop, at = cutter.face(i, rng, flip=False, varied=False, **limits)
            crops.append(augment.degrade(crop, rng, 0.2, 0.5))
            points.append(at)
        found, yes = answers(net, augment.relight(np.stack(crops), rng, 0.7, 0.1))
        points = np.stack(points)
        eyes = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)
        error = np.linalg.norm(found.reshape(-1, 5, 2) - points, axis=2).mean(1) / eyes
        figures[name] = round(float(error.mean()), 4), round(float(np.percentile(error, 95)), 4)
        if name == "first":
            no = np.sort(answers(net, augment.plain(np.stack([cutter.patch(i, rng) for i in indices])))[1].ravel())
            figures["auc"] = round(float(np.searchsorted(no, yes.ravel()).mean() / len(no)), 5)
    return figures


def answers(net, x):
    found, logits = zip(*[net(part) for part in x.split(128)])
    return torch.cat(found).numpy(), torch.cat(logits).numpy()
