"""Trains rollcall-mini: aligned face -> embedding, as near to the teacher's as it gets."""

import os

import numpy as np
import torch
import torch.nn.functional as F

import augment
import loop
import synth
from data import FACE
from networks import Embedder
from teacher import MEAN

BATCH = 96
REAL = 44  # of a batch; the others are invented
FITTED = 10_000  # faces that the first full layer is fitted to
PAIRS = 10  # of the real ones, pairs of pictures of one person


def jitter(rng, strength=1.0):
    """A small move of the aligned face [2,3]: a locator errs."""
    k = np.exp(strength * rng.normal(0, 0.035))
    turn = strength * rng.normal(0, 0.05)
    c, s = k * np.cos(turn), k * np.sin(turn)
    m = np.array([[c, -s], [s, c]])
    middle = np.full((2, 1), (FACE - 1) / 2)
    return np.concatenate([m, middle - m @ middle + strength * rng.normal(0, 1.3, (2, 1))], 1)


def denoised(targets, people, own=0.65):
    """The targets of pictures [n,128], each drawn towards the mean of its person's."""
    _, person = np.unique(people, return_inverse=True)
    mean = np.zeros((person.max() + 1, targets.shape[1]), np.float32)
    np.add.at(mean, person, targets)
    mean /= np.bincount(person)[:, None]
    out = own * targets + (1 - own) * mean[person]
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def spread_out(targets, pictures, share=0.9, ridge=1e-3):
    """The targets in a frame where they fill more of the sphere. All of the teacher's descriptors lie in a cap: two
    people's have a cosine of 0.84. To subtract their mean would spread them, but mix up distances (the teacher's true
    positive rate falls from 96 to 70 %). There is a direction, though, in which they are all but the same; to
    subtract that moves the origin, hardly changes distances (95 %), and leaves two people at a cosine of 0.2."""
    second = pictures.T @ pictures / len(pictures)
    u = np.linalg.solve(second + ridge * np.eye(len(second)), pictures.mean(0))
    u /= np.linalg.norm(u)
    out = targets - share * (pictures @ u).mean() * u
    return (out / np.linalg.norm(out, axis=1, keepdims=True)).astype(np.float32)


def aims(faces, targets):
    """What the network is to answer, [n,128] unit vectors: targets, as from targets.compute, made better."""
    n = len(faces.train)
    both = (targets[:n] + targets[n:2 * n]) / 2  # of a picture and its mirror image
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    wanted = targets.copy()
    wanted[:n] = wanted[n:2 * n] = denoised(both, faces.people[faces.train])
    return torch.from_numpy(spread_out(wanted, both))


@torch.no_grad()
def begin(faces, teacher, recipes, wanted, seed=3, ridge=0.3):
    """A wide network with the teacher's filters, and with the full layer that comes nearest to what is wanted of FITTED
    recipes, moved a little (ridge regression)."""
    net, renderer = Embedder(wide=True), synth.Renderer(faces)
    weight, bias = teacher.conv["conv32_down"]
    # The teacher's input is (x-mean)/255, the student's (x-127.5)/127.5.
    net.stem.weight.copy_(weight / 2)
    away = torch.from_numpy((127.5 - MEAN) / 255).view(1, 3, 1, 1)
    net.stem.bias.copy_(bias + (weight * away).sum((1, 2, 3)))
    for name, stage in zip(net.BLOCKS, net.stages):
        for part, convolution in (("/conv1", stage.first), ("/conv2", stage.second)):
            weight, bias = teacher.conv[name + part]
            convolution.weight.copy_(weight)
            convolution.bias.copy_(bias)
    net.to(memory_format=torch.channels_last)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(recipes))[:FITTED]
    recipes, wanted = recipes[chosen], wanted[chosen]
    x = torch.empty(len(recipes), net.head.in_features)
    for at in range(0, len(recipes), BATCH):
        batch = slice(at, at + BATCH)
        crops = [augment.degrade(renderer.render(r, jitter(rng)), rng, 0.1, 0.5) for r in recipes[batch]]
        x[batch] = net.features(augment.relight(np.stack(crops), rng, 0.5, 0.05))
    middle, goal = x.mean(0), wanted.mean(0)
    x -= middle
    kernel = x.T @ x
    kernel += ridge * kernel.diagonal().mean() * torch.eye(len(kernel))
    solved = torch.linalg.solve(kernel, x.T @ (wanted - goal))
    net.head.weight.copy_(solved.T)
    net.head.bias.copy_(goal - middle @ solved)
    return net


def relations(found, wanted, scale):
    """How far the similarities within a batch are off, in standard deviations. Pairs that are alike, or that are
    taken for alike, count more: they decide the verdicts."""
    a, b = found @ found.T, wanted @ wanted.T
    off = ~torch.eye(len(a), dtype=torch.bool)
    a, b = (a[off] - scale[0]) / scale[1], (b[off] - scale[0]) / scale[1]
    weight = 1 + 2 * F.relu(torch.maximum(a.detach(), b) - 1)
    return (weight * (a - b) ** 2).sum() / weight.sum()


def run(net, faces, recipes, wanted, path, steps, most, seed=1, until=None, log=print):
    """Trains the network on recipes and what is wanted of them, as from targets.compute and aims. See loop.train."""
    torch.manual_seed(seed)
    renderer, n = synth.Renderer(faces), len(faces.train)
    people = faces.people[faces.train]
    order = np.argsort(people, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(people[order]) > 0])
    groups = [g for g in np.split(order, starts[1:]) if len(g) > 1]

    mean = wanted[:n].mean(0)
    spread = float(((wanted[:n] - mean) ** 2).sum(1).mean())
    sample = wanted[np.random.default_rng(0).choice(n, 1000, False)]
    gram = (sample @ sample.T)[~torch.eye(1000, dtype=torch.bool)]
    scale = float(gram.mean()), float(gram.std())

    check = validation_crops(faces, renderer)
    evaluate = lambda net: verify(embed(net, check), faces.people[faces.validation])
    if not os.path.exists(path):
        log(f"begin: {evaluate(net)}")

    def make(step):
        rng = np.random.default_rng((seed, step))
        chosen = [rng.choice(groups[g], 2, False) for g in rng.integers(0, len(groups), PAIRS)]
        chosen = np.concatenate([*chosen, rng.integers(0, n, REAL - 2 * PAIRS)])
        chosen = np.concatenate([chosen + n * rng.integers(0, 2, REAL), rng.integers(2 * n, len(recipes), BATCH - REAL)])
        pictures = []
        for i in chosen:
            picture = renderer.render(recipes[i], jitter(rng))
            picture = augment.degrade(picture, rng, 0.15, 0.4)
            if rng.random() < 0.15:
                w, h = rng.integers(10, 40, 2)
                x, y = rng.integers(0, FACE - w), rng.integers(0, FACE - h)
                picture[y:y + h, x:x + w] = rng.integers(0, 256, 3)
            pictures.append(picture)
        return augment.relight(np.stack(pictures), rng, 0.8, 0.08), wanted[chosen]

    def loss(net, batch):
        x, t = batch
        e = F.normalize(net(x), dim=1)
        return ((e - t) ** 2).sum(1).mean() / spread + 0.5 * relations(e, t, scale)

    return loop.train(net, make, loss, steps, most, path, evaluate, every=300, until=until, log=log)


def typical(faces, n=300, seed=4):
    """Inputs of train people [n,3,112,112], half of them moved and relit."""
    renderer, rng = synth.Renderer(faces), np.random.default_rng(seed)
    recipes = synth.real(rng.choice(faces.train, n, False), False)
    as_is = np.stack([renderer.render(r) for r in recipes[::2]])
    changed = np.stack([renderer.render(r, jitter(rng)) for r in recipes[1::2]])
    return torch.cat([augment.plain(as_is), augment.relight(changed, rng)])


def validation_crops(faces, renderer, seed=9):
    rng = np.random.default_rng(seed)
    return np.stack([renderer.render(r, jitter(rng, 0.7)) for r in synth.real(faces.validation, False)])


@torch.inference_mode()
def embed(net, crops):
    return torch.cat([F.normalize(net(augment.plain(c)), dim=1) for c in np.array_split(crops, len(crops) // 128 + 1)]).numpy()


def verify(embeddings, people, seed=5):
    """Accuracy of as many pairs of different people as there are of one person (at the best threshold), and the true
    positive rate at a false match rate of 1e-3 of all pairs."""
    a, b = np.triu_indices(len(people), 1)
    similarity = (embeddings @ embeddings.T)[a, b]
    same = people[a] == people[b]
    genuine, impostor = similarity[same], similarity[~same]
    threshold = np.quantile(impostor, 1 - 1e-3)
    few = np.sort(np.random.default_rng(seed).choice(impostor, len(genuine), False))
    order = np.sort(genuine)
    right = len(order) - np.arange(len(order)) + np.searchsorted(few, order)
    return {"accuracy": round(float(right.max() / (2 * len(order))), 4),
            "tpr": round(float((genuine > threshold).mean()), 4), "threshold": round(float(threshold), 4)}
