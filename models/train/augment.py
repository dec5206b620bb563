"""What cameras and files do to pictures."""

import cv2
import numpy as np
import torch


def degrade(picture, rng, chance, least=0.3):
    """Coarse, blurred or compressed, each with the given chance. least is the smallest share of the resolution that
    is left."""
    side = picture.shape[0]
    if rng.random() < chance:
        small = max(8, int(side * rng.uniform(least, 1)))
        picture = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
        picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR)
    if rng.random() < chance:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.4) * side / 112)
    if rng.random() < chance / 2:
        k = int(rng.integers(3, 8))  # moved while the shutter was open
        kernel = np.zeros((k, k), np.float32)
        cv2.line(kernel, (0, int(rng.integers(0, k))), (k - 1, int(rng.integers(0, k))), 1)
        picture = cv2.filter2D(picture, -1, kernel / kernel.sum())
    if rng.random() < chance:
        ok, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))])
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return picture


def relight(batch, rng, strength=1.0, grey=0.1):
    """The tensor [n,3,side,side] of a network from pictures [n,side,side,3] uint8, each in another light: gamma,
    brightness, contrast, colour, noise, a slope of light from one side; some grey."""
    n, side = batch.shape[:2]
    f = lambda *shape: rng.standard_normal((n, *shape)).astype(np.float32)
    x = torch.from_numpy(batch).permute(0, 3, 1, 2).float().div_(255)
    t = lambda a: torch.from_numpy(a.astype(np.float32)).view(n, -1, 1, 1)
    gain = np.exp(strength * (0.25 * f(1) + 0.06 * f(3)))
    dark = rng.random(n) < 0.12 * strength
    gain[dark] *= rng.uniform(0.2, 0.7, (dark.sum(), 1))
    ramp = torch.linspace(-1, 1, side)
    light = 1 + t(0.15 * strength * f(1)) * ramp.view(1, 1, 1, side) + t(0.1 * strength * f(1)) * ramp.view(1, 1, side, 1)
    contrast, mean = t(np.exp(0.2 * strength * f(1))), x.mean((1, 2, 3), keepdim=True)
    x = ((x - mean) * contrast + mean).mul_(light).mul_(t(gain))
    x.clamp_(1e-3, 1)
    bent = rng.random(n) < 0.3
    if bent.any():
        x[bent] = x[bent] ** torch.from_numpy(np.exp(0.3 * strength * f(1)[bent])).view(-1, 1, 1, 1)
    noisy = np.flatnonzero(rng.random(n) < 0.2 * strength)
    if len(noisy):
        x[noisy] += torch.from_numpy(rng.standard_normal((len(noisy), 3, side, side), np.float32)) * \
            torch.from_numpy(rng.uniform(0.005, 0.05, (len(noisy), 1, 1, 1)).astype(np.float32))
    grey = np.flatnonzero(rng.random(n) < grey)
    if len(grey):
        luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
        x[grey] = (x[grey] * luma).sum(1, keepdim=True)
    return x.clamp_(0, 1).mul_(2).sub_(1).contiguous(memory_format=torch.channels_last)


def plain(batch):
    """The tensor of pictures as they are."""
    x = torch.from_numpy(batch).permute(0, 3, 1, 2).float().sub_(127.5).div_(127.5)
    return x.contiguous(memory_format=torch.channels_last)
