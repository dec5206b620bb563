"""The locator's network: plain 3x3 convolutions, which ONNX Runtime computes faster than many small ones. It takes RGB
scaled to -1..1, [n,3,side,side]."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

LOCATOR_SIDE = 64  # of the locator's input, in pixels


def conv(inputs, outputs, size=3, stride=1, relu=True):
    layers = [nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class Block(nn.Module):
    """Two convolutions and a way past them (He et al. 2015), as in ResNet-D where it halves the picture."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = conv(inputs, outputs, 3, stride)
        self.second = conv(outputs, outputs, relu=False)
        self.past = nn.Identity()
        if stride > 1:
            self.past = nn.Sequential(nn.AvgPool2d(stride), conv(inputs, outputs, 1, relu=False))
        nn.init.constant_(self.second[1].weight, 0.2)  # begins as little more than the way past

    def forward(self, x):
        return F.relu(self.second(self.first(x)) + self.past(x))

    def fuse(self):
        """See at_once. Of an evaluated block, not of one in training."""
        if not isinstance(self.past, nn.Identity):
            mean, (widen, norm) = self.past
            self.past = at_once(mean, fuse_conv_bn_eval(widen, norm))


def at_once(mean, widen):
    """One convolution in place of a mean and the 1x1 convolution after it: the same sums in less time."""
    k = mean.kernel_size
    both = nn.Conv2d(widen.in_channels, widen.out_channels, k, k)
    both.weight = nn.Parameter(widen.weight.repeat(1, 1, k, k) / k ** 2)
    both.bias = widen.bias
    return both


class Locator(nn.Module):
    """[n,3,64,64] -> landmarks [n,10] as fractions of the side, and the logit [n,1] of the score.

    Each landmark is the mean of places on a grid of 16x16, weighted by a heat map; the places are learnt, so that a
    landmark can lie outside the crop.
    """

    def __init__(self, stem=16, widths=(32, 48, 96)):
        super().__init__()
        a, b, c = widths
        self.stem = conv(3, stem, 3, 2)
        self.fine, self.middle = Block(stem, a, 2), Block(a, b, 2)
        self.coarse = nn.Sequential(Block(b, c, 2), Block(c, c, 1))
        self.widen, self.refine = conv(c, b, 1, relu=False), conv(b, a, 1, relu=False)
        self.smooth = conv(a, a)
        self.heat = nn.Conv2d(a, 5, 1)
        self.score = nn.Linear(c, 1)
        cells = LOCATOR_SIDE // 4
        place = (torch.arange(cells) * 4 + 1.5) / LOCATOR_SIDE
        self.cells = cells * cells
        x, y = place.repeat(cells), place.repeat_interleave(cells)
        self.places = nn.Parameter(0.5 + 1.15 * (torch.stack([x, y], 1) - 0.5))

    def forward(self, x):
        fine = self.fine(self.stem(x))
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = F.relu(middle + F.interpolate(self.widen(coarse), scale_factor=2, mode="nearest"))
        fine = self.smooth(F.relu(fine + F.interpolate(self.refine(middle), scale_factor=2, mode="nearest")))
        heat = torch.softmax(self.heat(fine).reshape(-1, 5, self.cells), 2)
        return torch.flatten(heat @ self.places, 1), self.score(coarse.mean((2, 3)))
