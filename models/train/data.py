"""The pictures, their landmarks, and how crops are cut from them.

Pictures are RGB, uint8; points are (x, y) in pixels, (0, 0) being the centre of the upper left one. A transform is
a 2x3 matrix that takes points of the source to points of the result.
"""

import csv
import os
import tarfile

import cv2
import numpy as np

cv2.setNumThreads(1)

SIDE = 192  # of the pictures
FACE = 112  # side of an aligned face
ARCFACE = np.array([(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)],
                   np.float32)  # where landmarks go in the 112x112 of most embedders
MIRRORED = [1, 0, 2, 4, 3]  # the order of the landmarks in a mirrored picture
VALIDATION = 7  # train people whose number ends so are kept for choosing and for calibration


class Faces:
    """All pictures of a folder as in ../../../shared/faces: pictures [n,192,192,3], landmarks [n,5,2], people [n],
    and the indices train, validation and test. Decoded pictures are kept in cache, a folder."""

    def __init__(self, folder, cache):
        with open(os.path.join(folder, "faces.csv"), newline="") as f:
            rows = list(csv.reader(f))[1:]
        self.names = [r[0] for r in rows]
        self.people = np.array([int(r[1][1:]) for r in rows])
        self.landmarks = np.array([[float(v) for v in r[3:]] for r in rows], np.float32).reshape(-1, 5, 2)
        self.pictures = self._decode(os.path.join(folder, "faces-192.tar"), os.path.join(cache, "pictures.npy"))

        is_train = np.array([r[2] == "train" for r in rows])
        kept = self.people % 10 == VALIDATION
        self.train = np.flatnonzero(is_train & ~kept)
        self.validation = np.flatnonzero(is_train & kept)
        self.test = np.flatnonzero(~is_train)

    def _decode(self, tar, cached):
        if not os.path.exists(cached):
            place = {name: i for i, name in enumerate(self.names)}
            pictures = np.zeros((len(self.names), SIDE, SIDE, 3), np.uint8)
            with tarfile.open(tar) as t:
                for member in t:
                    i = place.get(os.path.basename(member.name))
                    if i is not None:
                        jpeg = np.frombuffer(t.extractfile(member).read(), np.uint8)
                        pictures[i] = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[:, :, ::-1]
            os.makedirs(os.path.dirname(cached), exist_ok=True)
            with open(cached + ".part", "wb") as f:
                np.save(f, pictures)
            os.replace(cached + ".part", cached)
        return np.load(cached, mmap_mode="r")


def similarity(source, target):
    """The similarity transforms [n,2,3] that take landmarks source [n,5,2] nearest to target [5,2] or [n,5,2]
    (least squares; Umeyama 1991 without mirroring, in closed form for the plane)."""
    target = np.broadcast_to(target, source.shape)
    ms, mt = source.mean(1, keepdims=True), target.mean(1, keepdims=True)
    s, t = source - ms, target - mt
    norm = (s ** 2).sum((1, 2))
    a = (s * t).sum((1, 2)) / norm
    b = (s[..., 0] * t[..., 1] - s[..., 1] * t[..., 0]).sum(1) / norm
    m = np.empty((len(source), 2, 3), np.float32)
    m[:, 0, 0], m[:, 0, 1], m[:, 1, 0], m[:, 1, 1] = a, -b, b, a
    m[:, :, 2] = mt[:, 0] - np.einsum("nij,nj->ni", m[:, :, :2], ms[:, 0])
    return m


def apply(m, points):
    """The points [n,k,2] taken through the transforms m [n,2,3]."""
    return np.einsum("nij,nkj->nki", m[:, :, :2], points) + m[:, None, :, 2]


def warp(pictures, m, side, border=cv2.BORDER_CONSTANT):
    """The pictures [n] through m [n,2,3], each a square of side pixels; black outside."""
    out = np.empty((len(pictures), side, side, 3), np.uint8)
    for i, p in enumerate(pictures):
        cv2.warpAffine(p, m[i], (side, side), dst=out[i], flags=cv2.INTER_LINEAR, borderMode=border)
    return out
