"""Prints how exact the landmarks of faces.csv are: YuNet, which found them, is asked again about moved views of the
same pictures. No locator can be nearer to them, on average, than the mean of all that YuNet says. See README.md."""

import argparse
import os

import cv2
import numpy as np

import data

HERE = os.path.dirname(os.path.abspath(__file__))
SIDE = 640  # of YuNet's input
VIEWS = 12
SCALE = (2.2, 2.9)  # pixels of the input for one of the picture; it was 2.56 when the landmarks were found


def view(rng, flip):
    """A transform [2,3] from a picture to YuNet's input: turned by up to 6 degrees, moved by up to 16 pixels."""
    scale, turn = rng.uniform(*SCALE), np.radians(rng.uniform(-6, 6))
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    m = np.array([[-c if flip else c, -s], [-s if flip else s, c]])
    middle = np.full((2, 1), (data.SIDE - 1) / 2)
    return np.concatenate([m, (SIDE - 1) / 2 + rng.uniform(-16, 16, (2, 1)) - m @ middle], 1).astype(np.float32)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--faces", default=os.path.join(HERE, "../../../shared/faces"))
    p.add_argument("--yunet", default=os.path.join(HERE, "../../../shared/models/yunet-2023mar.onnx"))
    p.add_argument("--work", default="work", help="folder for the decoded pictures")
    p.add_argument("--pictures", type=int, default=200)
    o = p.parse_args()
    faces = data.Faces(o.faces, o.work)
    detector = cv2.FaceDetectorYN.create(o.yunet, "", (SIDE, SIDE), 0.3)
    rng = np.random.default_rng(0)
    once, together = [], []
    for i in rng.choice(faces.train, o.pictures, False):
        listed, answers = faces.landmarks[i], []
        for k in range(VIEWS):
            m = view(rng, k % 2)
            picture = cv2.warpAffine(faces.pictures[i], m, (SIDE, SIDE))
            found = detector.detect(np.ascontiguousarray(picture[:, :, ::-1]))[1]
            if found is None:
                continue
            points = found[:, 4:14].reshape(-1, 5, 2)
            points = data.apply(np.repeat(cv2.invertAffineTransform(m)[None], len(points), 0), points)
            points = points[:, data.MIRRORED] if k % 2 else points
            answers.append(min(points, key=lambda p: np.linalg.norm(p - listed)))  # others are in the background
        if answers:
            off = lambda points: np.linalg.norm(points - listed, axis=1).mean() / np.linalg.norm(listed[1] - listed[0])
            once.append(off(answers[0]))
            together.append(off(np.mean(answers, 0)))
    for name, errors in ("one view", once), (f"mean of {VIEWS} views", together):
        print(f"{name}: {np.mean(errors):.1%} of the eye distance, 95th percentile {np.percentile(errors, 95):.1%}")


if __name__ == "__main__":
    main()
