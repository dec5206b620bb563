"""Cuts crops from the pictures of ../shared/faces, as a detector does, for servers to be asked with."""

import csv
import math
import random
import tarfile
from typing import NamedTuple

import cv2
import numpy as np

from alignment import SIDE, TEMPLATE, similarity

# How differently a detector cuts: as in bench/crops.go.
GROW, SHIFT, TURN = 0.6, 0.1, 15  # share of the side, share of the side, degrees
QUALITY = 90  # of the JPEG


class Face(NamedTuple):
    """A row of faces.csv."""

    name: str
    person: str
    split: str  # train or test
    landmarks: np.ndarray  # [5][2], pixels of the picture


def read(folder):
    """The faces, in the order of the table."""
    with open(folder / "faces.csv", newline="") as table:
        _, *rows = csv.reader(table)
    return [Face(*row[:3], np.array(row[3:], float).reshape(5, 2)) for row in rows]


def cut(folder, faces, side, loosely=True):
    """The JPEG of each face's crop, side x side pixels: as a detector cuts, or else just as the
    template is."""
    missing = {face.name: face for face in faces}
    crops = {}
    with tarfile.open(folder / "faces-192.tar") as archive:
        for member in archive:
            face = missing.pop(member.name.rpartition("/")[2], None)
            if face:
                picture = cv2.imdecode(np.frombuffer(archive.extractfile(member).read(), np.uint8), cv2.IMREAD_COLOR)
                crops[face.name] = encode(cv2.warpAffine(picture, square(face, side, loosely), (side, side)))
    return [crops[face.name] for face in faces]


def square(face, side, loosely):
    """The matrix from the picture to the crop. Each crop is cut differently, as its name decides."""
    grow = shift_x = shift_y = turn = 0.0
    if loosely:
        chosen = random.Random(face.name)
        grow, turn = chosen.uniform(0, GROW), math.radians(chosen.uniform(-TURN, TURN))
        shift_x, shift_y = chosen.uniform(-SHIFT, SHIFT), chosen.uniform(-SHIFT, SHIFT)
    to_template = similarity(face.landmarks, TEMPLATE)
    scale = side / SIDE / (1 + grow)
    sine, cosine = scale * math.sin(turn), scale * math.cos(turn)
    around_middle = np.array([[cosine, -sine], [sine, cosine]])
    middle = np.full(2, (SIDE - 1) / 2)
    matrix = around_middle @ to_template
    matrix[:, 2] += (side - 1) / 2 - around_middle @ middle + side * np.array([shift_x, shift_y])
    return matrix


def encode(picture):
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
