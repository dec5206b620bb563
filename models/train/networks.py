"""The two networks: plain 3x3 convolutions, which ONNX Runtime computes faster than many small ones. Both take RGB
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


class Stage(nn.Module):
    """A block as the teacher has it, whose scales are part of the convolutions; with down, half as large and twice as
    deep. inner is how many channels there are between its convolutions."""

    def __init__(self, inputs, inner, outputs, down):
        super().__init__()
        self.down = down
        self.first = nn.Conv2d(inputs, inner, 3, 2 if down else 1, 0 if down else 1)
        self.second = nn.Conv2d(inner, outputs, 3, 1, 1)
        self.past = nn.Identity()
        if down:
            widen = nn.Conv2d(inputs, outputs, 1, bias=False)
            nn.init.dirac_(widen.weight)  # more channels, as yet empty
            self.past = nn.Sequential(nn.AvgPool2d(2), widen)

    def within(self, x):
        """What is between the convolutions."""
        if self.down and x.shape[2] % 2 == 0:
            x = F.pad(x, (0, 1, 0, 1))
        return F.relu(self.first(x))

    def forward(self, x):
        return F.relu(self.second(self.within(x)) + self.past(x))

    def fuse(self):
        """See at_once."""
        if self.down:
            self.past = at_once(*self.past)


class Embedder(nn.Module):
    """[n,3,112,112] -> [n,dimension], not normalised. The embedding is the unit vector.

    It is the teacher up to its last two halvings, which hold three quarters of its weights, with a full layer in their
    place. A wide one has as many filters as the teacher and as large ones; shrink.py makes the other of it.
    """

    BLOCKS = ["conv32_1", "conv32_2", "conv32_3", "conv64_down", "conv64_1", "conv64_2", "conv64_3", "conv128_down",
              "conv128_1", "conv128_2"]
    INNER = {32: 32, 64: 64, 128: 64}  # channels within a stage

    def __init__(self, dimension=128, wide=False):
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 7 if wide else 5, 2)
        stages, width = [], 32
        for name in self.BLOCKS:
            w = int(name[4:].split("_")[0])
            stages.append(Stage(width, w if wide else self.INNER[w], w, name.endswith("_down")))
            width = w
        self.stages = nn.Sequential(*stages)
        cells = 6  # a side: 112, 53 or 54, 26, 13, 6
        self.head = nn.Linear(width * cells * cells, dimension)

    def begin(self, x):
        """What the stages get."""
        # A leaky one that does not leak: of a plain one ONNX Runtime makes a part of the rounding to eight bits, which it
        # then does before the maximum, where there are four times as many numbers.
        return F.leaky_relu(F.max_pool2d(self.stem(x), 3, 2), 0.0)

    def features(self, x):
        return torch.flatten(self.stages(self.begin(x)), 1)

    def forward(self, x):
        return self.head(self.features(x))


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
