"""Makes rollcall-base-2: MobileFaceNet (base.py) in whole numbers of eight bits, which compute in half the time, and taught to
answer what it answered before. See README.md.

    python distil.py                 # goes on where it was interrupted
"""

import argparse
import copy
import os
import time

import numpy as np
import torch
import torch.nn.functional as F

import augment
import base
import data
import loop
import whole
from contract import write_contract
from mobilefacenet import MEAN, SIDE, STD, MobileFaceNet

HERE = os.path.dirname(os.path.abspath(__file__))
NAME = "rollcall-base-2"
JITTER = 0.05  # of the eye distance: how far found landmarks are from the listed ones
BATCH, STEPS, RATE = 64, 1000, 1e-4


def aligned(faces, indices, rng, jitter):
    """The pictures, aligned as by landmarks that are so far off: [n,112,112,3]."""
    points = faces.landmarks[indices]
    eyes = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)[:, None, None]
    points = points + jitter * eyes * rng.standard_normal(points.shape).astype(np.float32)
    return data.warp(faces.pictures[indices], data.similarity(points, data.ARCFACE), SIDE)


def views(faces, indices, rng):
    """The pictures as cameras and locators give them, some mirrored, coarse or blurred: [n,112,112,3]."""
    squares = aligned(faces, indices, rng, JITTER)
    turned = rng.random(len(indices)) < 0.5
    squares[turned] = squares[turned, :, ::-1]
    return np.stack([augment.degrade(np.ascontiguousarray(s), rng, 0.25) for s in squares])


def tensor(squares):
    """The network's input of pictures [n,112,112,3] as they are."""
    x = (torch.as_tensor(squares).permute(0, 3, 1, 2).float() - MEAN) / STD
    return x.contiguous(memory_format=torch.channels_last)


def batch(faces, rng):
    """Views in another light. Half of them are made of two, which are like faces of other people: laid over each other, or here
    the one and there the other."""
    x = augment.relight(views(faces, rng.choice(faces.train, BATCH), rng), rng, 0.5, 0.05) * (127.5 / STD)
    share = torch.from_numpy(rng.uniform(0.5, 1, (BATCH // 4, 1, 1, 1)).astype(np.float32)).expand(-1, 1, SIDE, SIDE)
    coarse = torch.from_numpy(rng.standard_normal((BATCH // 4, 1, 4, 4)).astype(np.float32))
    share = torch.cat([share, F.interpolate(4 * coarse, (SIDE, SIDE), mode="bicubic").sigmoid()])
    n = BATCH // 2
    x[:n] = share * x[:n] + (1 - share) * x[n:]
    return x


class Judge:
    """Compares a network with its teacher on the validation people."""

    def __init__(self, faces, teacher):
        self.x = tensor(aligned(faces, faces.validation, np.random.default_rng(5), JITTER))
        self.people = faces.people[faces.validation]
        self.expected = self.answers(teacher)

    @torch.inference_mode()
    def answers(self, net):
        return F.normalize(torch.cat([net(part) for part in self.x.split(128)]))

    def figures(self, found):
        """The mean cosine to the teacher's embeddings, and how many pairs of one person, each person counting alike, are
        above the similarity that a share of the pairs of two people reaches."""
        a, b = torch.triu_indices(len(found), len(found), 1)
        similarity = (found @ found.T)[a, b].numpy()
        same = self.people[a] == self.people[b]
        weight = 1 / np.bincount(self.people)[self.people[a[same]]]
        others = np.sort(similarity[~same])[::-1]
        figures = {"cosine": (found * self.expected).sum(1).mean().item()}
        for share in (1e-3, 1e-4, 1e-5):
            figures[f"{share:.0e}"] = np.average(similarity[same] > others[int(share * len(others))], weights=weight)
        return {k: round(float(v), 4) for k, v in figures.items()}


def lesson(teacher):
    """The loss: how far the embedding's direction is from the teacher's, and, less and less, the blocks' answers."""
    def loss(net, x, done):
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                expected, steps = teacher(x, features=True)
            found, answers = net(x, features=True)
        away = 1 - F.cosine_similarity(found.float(), expected.float()).mean()
        off = sum((a.float() - b.float()).square().mean() / b.float().square().mean() for a, b in zip(answers, steps))
        return 10 * away + (1 - done) * off / len(steps)
    return loss


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--faces", default=os.path.join(HERE, "../../../shared/faces"), help="folder with faces.csv and faces-192.tar")
    p.add_argument("--work", default="work", help="folder for what lies between; an interrupted run goes on from it")
    p.add_argument("--out", default=os.path.join(HERE, "../builtin"), help="folder of the contracts and ONNX files")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--minutes", type=float, help="end the training when so much time has passed, instead of after its steps")
    o = p.parse_args()
    loop.keep_memory()
    torch.set_num_threads(o.threads)
    os.makedirs(o.work, exist_ok=True)
    faces = data.Faces(o.faces, o.work)
    teacher = MobileFaceNet(base.file(o.work)).eval()
    rng = np.random.default_rng(3)
    typical = tensor(views(faces, rng.choice(faces.train, 256, False), rng))
    teacher.normalise(typical)
    teacher.requires_grad_(False).to(memory_format=torch.channels_last)
    judge = Judge(faces, teacher)
    print("the teacher:", judge.figures(judge.expected), flush=True)
    net = copy.deepcopy(teacher)
    net.round(typical)
    print("rounded:", judge.figures(judge.answers(net)), flush=True)
    until = time.time() + 60 * o.minutes if o.minutes else None
    net = loop.train(net.requires_grad_(True), lambda step: batch(faces, np.random.default_rng((1, step))), lesson(teacher), STEPS, RATE,
                     os.path.join(o.work, "whole.pt"), lambda net, done: judge.figures(judge.answers(net)), every=50, decay=0,
                     until=until, log=lambda line: print(line, flush=True))
    whole.write(net, os.path.join(o.out, NAME + ".onnx"), NAME)
    template = [[round(float(v), 4) for v in point] for point in data.ARCFACE]
    write_contract(o.out, NAME, {"input": {"width": SIDE, "height": SIDE, "layout": "NCHW", "colour": "RGB",
                                          "mean": [MEAN] * 3, "std": [STD] * 3, "fit": "align"},
                                "template": template, "output": {"dimension": net.head.out_features}})


if __name__ == "__main__":
    main()
