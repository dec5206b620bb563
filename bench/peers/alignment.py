"""Where embedders want the five landmarks of a face, and how a picture is brought there."""

import numpy as np

SIDE = 112  # pixels of the square that the template is in

# The template that InsightFace published for ArcFace: eyes, nose, corners of the mouth.
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


def similarity(points, template):
    """The [2][3] matrix that turns, scales and shifts points to the template, with the least squares."""
    x, y = points.T
    one, none = np.ones(len(points)), np.zeros(len(points))
    rows = np.concatenate([np.stack([x, -y, one, none], 1), np.stack([y, x, none, one], 1)])
    a, b, dx, dy = np.linalg.lstsq(rows, template.T.ravel(), rcond=None)[0]
    return np.array([[a, -b, dx], [b, a, dy]])
