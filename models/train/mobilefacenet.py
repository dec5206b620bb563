"""MobileFaceNet (Chen et al. 2018, arXiv:1804.07573) as base.py writes it, in a form that can be rounded and trained.

Between two convolutions of a block a channel may be scaled, and where its slope allows it turned over, if the next
convolution undoes it: the network computes the same. So a channel with a slope beyond -1..1 is turned over, and every
channel is scaled until the mean of its squares is 1, which is what whole numbers need. A PReLU is then the larger of x and
slope * x.
"""

import numpy as np
import onnx
import torch
import torch.nn as nn
import torch.nn.functional as F
from onnx import numpy_helper

SIDE, MEAN, STD = 112, 127.5, 128.0


class Round(torch.autograd.Function):
    """x and, where there is a slope, max(x, slope * x), rounded to scale * (low..high). On the way back it is as if nothing were
    rounded, but nothing of what is beyond the ends. (torch's own function for this takes twice as long on a processor.)"""

    @staticmethod
    def forward(ctx, x, slope, scale, low, high):
        whole, bent = x.div(scale).round_(), None
        within = (whole >= low) & (whole <= high)
        whole.clamp_(low, high)
        if slope is not None:
            times = (whole * slope).round_().clamp_(low, high)
            bent = times > whole
            whole = torch.maximum(whole, times)
        ctx.save_for_backward(within, bent, slope)
        return whole.mul_(scale)

    @staticmethod
    def backward(ctx, g):
        within, bent, slope = ctx.saved_tensors
        return within * (g if slope is None else torch.where(bent, g * slope, g)), None, None, None, None


class Grid(nn.Module):
    """The 256 values, 0 among them, that what is between two layers is rounded to: scale * (0..255 - zero). At first it is off
    and rounds nothing."""

    def __init__(self):
        super().__init__()
        self.on, self.seen = False, None
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("zero", torch.zeros((), dtype=torch.int32))

    def forward(self, x, slope=None):
        """x, and PReLU with this slope [channels] where there is one."""
        if slope is not None:
            slope = slope.to(x.dtype)[:, None, None]
        if self.on:
            zero = self.zero.item()
            return Round.apply(x, slope, self.scale.item(), -zero, 255 - zero)
        if self.seen is not None:
            self.seen = x.transpose(0, 1).flatten(1)[:, ::1 + x[:, 0].numel() // 4096], slope
        return x if slope is None else torch.maximum(x, slope * x)

    def fit(self):
        """Turns it on, with the ends, of 256 pairs, that give what was seen, with its PReLU, with the least mean square of
        errors. What comes before a flat slope may well be beyond them."""
        (x, slope), self.seen = self.seen, None
        slope = None if slope is None else slope.flatten(1)
        want = x if slope is None else torch.maximum(x, slope * x)
        best, low, high = None, min(x.min().item(), 0), x.max().item()
        for down in np.linspace(0, 1, 16):
            for up in np.linspace(0.25, 1, 16):
                scale = (up * high - down * low) / 255
                zero = round(-down * low / scale)
                error = (want - Round.apply(x, slope, scale, -zero, 255 - zero)).square().mean().item()
                if best is None or error < best[0]:
                    best = error, scale, zero
        _, scale, zero = best
        self.scale.fill_(scale)
        self.zero.fill_(zero)
        self.on = True


class Conv(nn.Module):
    """A convolution that pads as TensorFlow does, and the PReLU after it if there is one. Both give numbers on one grid."""

    def __init__(self, weight, bias, stride, pads, groups, slope=None):
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)
        self.stride, self.groups = stride, groups
        self.pads = pads  # top, left, bottom, right
        self.register_buffer("slope", slope)
        self.grid = Grid()
        self.whole = False  # whether the weights are rounded

    def forward(self, x):
        weight = self.weight
        if self.whole:
            weight = weight + (self.whole_weight() * self.weight_scale() - weight).detach()
        top, left, bottom, right = self.pads
        if self.groups > 1 and top < bottom:
            # With a stride of 2 torch's way back through the three such convolutions takes half of a step.
            x = F.conv2d(x, weight, self.bias, padding=1, groups=self.groups)[:, :, 1::2, 1::2]
        elif top < bottom:
            x = F.conv2d(F.pad(x, (left, right, top, bottom)), weight, self.bias, self.stride)
        else:
            x = F.conv2d(x, weight, self.bias, padding=top, groups=self.groups)
        return self.grid(x, self.slope)

    def weight_scale(self):
        """The step [channels,1,1,1] of the whole numbers -127..127 that the weights are rounded to. A processor without VNNI
        adds the products with two neighbouring inputs in 16 bits: the sizes of two such weights are 128 at most in all."""
        weight = self.weight.detach().abs()
        most = weight.amax((1, 2, 3), keepdim=True) / 127
        if self.groups > 1:
            return most
        return torch.maximum(most, (weight[:, ::2] + weight[:, 1::2]).amax((1, 2, 3), keepdim=True) / 128)

    def whole_weight(self):
        return (self.weight.detach() / self.weight_scale()).round()

    def slope_scale(self):
        """The step of the whole numbers -127..127 that the slopes are rounded to."""
        return self.slope.abs().max() / 127

    def scale_out(self, k):
        """Multiplies the results by k [channels]; negative ones only where no slope stands between."""
        self.weight.data *= k.view(-1, 1, 1, 1)
        self.bias.data *= k

    def scale_in(self, k):
        self.weight.data *= k.view(-1, 1, 1, 1) if self.groups > 1 else k.view(1, -1, 1, 1)


class Block(nn.Module):
    """1x1 to more channels, 3x3 on each, 1x1 to few; and what came in is added, if it has the same shape."""

    def __init__(self, expand, depthwise, project, residual):
        super().__init__()
        self.expand, self.depthwise, self.project, self.residual = expand, depthwise, project, residual
        self.grid = Grid()  # of the sum

    def forward(self, x):
        y = self.project(self.depthwise(self.expand(x)))
        return self.grid(x + y) if self.residual else y


class MobileFaceNet(nn.Module):
    """[n,3,112,112], (RGB-127.5)/128 -> [n,192], not of unit length; with features=True also what each block answers."""

    def __init__(self, path):
        super().__init__()
        convs, residual, head = read(path)
        # Between the third and the fourth convolution nothing stands and nothing else reads: they are one.
        first, second = convs[2], convs[3]
        w = second["weight"][:, :, 0, 0].double()
        second["bias"] = (w @ first["bias"].double() + second["bias"]).float()
        second["weight"] = (w @ first["weight"][:, :, 0, 0].double()).float()[:, :, None, None]
        convs = [Conv(**c) for c in convs[:2] + convs[3:]]
        self.stem, self.spread = convs[:2]
        blocks = [convs[i:i + 3] for i in range(2, len(convs) - 2, 3)]
        self.blocks = nn.ModuleList(Block(*three, residual=r) for three, r in zip(blocks, residual))
        self.widen, self.gather = convs[-2:]
        self.head = nn.Linear(head[0].shape[1], head[0].shape[0])
        self.head.weight.data, self.head.bias.data = head

    def forward(self, x, features=False):
        x = self.spread(self.stem(x))
        answers = []
        for block in self.blocks:
            x = block(x)
            answers.append(x)
        x = self.head(self.gather(self.widen(x)).flatten(1))
        return (x, answers) if features else x

    def pairs(self):
        """The convolutions with a PReLU between them."""
        yield self.stem, self.spread
        yield self.spread, self.blocks[0].expand
        for block in self.blocks:
            yield block.expand, block.depthwise
            yield block.depthwise, block.project
        yield self.widen, self.gather

    def streams(self):
        """For each sum that blocks add to: the convolutions that write it, those that read it, and its last block."""
        writers, readers = [], []
        for i, block in enumerate(self.blocks):
            writers.append(block.project)
            last = i + 1 == len(self.blocks)
            readers.append(self.widen if last else self.blocks[i + 1].expand)
            if last or not self.blocks[i + 1].residual:
                yield writers, readers, i
                writers, readers = [], []

    @torch.no_grad()
    def round(self, x):
        """Goes over to whole numbers up to the last 1x1 convolution, with grids that fit the inputs x [n,3,112,112]. To round
        what comes after would lose as much as all before."""
        grids = [m.grid for m in self.modules() if isinstance(m, Conv) and m not in (self.widen, self.gather)]
        grids += [b.grid for b in self.blocks if b.residual]
        for g in grids:
            g.seen = True
        self(x)
        for g in grids:
            g.fit()
        for m in self.modules():
            if isinstance(m, Conv) and m not in (self.widen, self.gather):
                m.whole = m is not self.stem
                if m.slope is not None:
                    m.slope = (m.slope / m.slope_scale()).round() * m.slope_scale()

    @torch.no_grad()
    def normalise(self, x):
        """Brings slopes to -1..1 and channels to 1, as they are for the inputs x [n,3,112,112]."""
        for before, after in self.pairs():
            over = before.slope.abs() > 1
            before.scale_out(torch.where(over, -1.0, 1.0))
            after.scale_in(torch.where(over, -before.slope, 1.0))
            before.slope = torch.where(over, 1 / before.slope, before.slope)
        size = {}
        hooks = [m.register_forward_hook(lambda m, _, y: size.update({m: y.square().mean((0, 2, 3)).sqrt()}))
                 for m in [before for before, _ in self.pairs()] + list(self.blocks)]
        self(x)
        for hook in hooks:
            hook.remove()
        for before, after in self.pairs():
            r = size[before].clamp_min(1e-3)
            before.scale_out(1 / r)
            after.scale_in(r)
        for writers, readers, last in self.streams():
            r = size[self.blocks[last]].clamp_min(1e-3)
            for w in writers:
                w.scale_out(1 / r)
            for w in readers:
                w.scale_in(r)


def read(path):
    """The convolutions of base.py's file in their order, which blocks have a residual, and the last matrix with its bias."""
    graph = onnx.load(path).graph
    values = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    tensor = lambda name: torch.from_numpy(values[name].copy())
    convs, residual, head = [], [], None
    for node in graph.node:
        at = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Conv":
            weight = tensor(node.input[1])
            convs.append({"weight": weight, "bias": tensor(node.input[2]), "stride": at["strides"][0], "pads": at.get("pads", [0] * 4),
                          "groups": at["group"], "slope": None})
        elif node.op_type == "PRelu":
            convs[-1]["slope"] = tensor(node.input[1]).flatten()
        elif node.op_type == "Add":
            residual.append(len(convs))
        elif node.op_type == "Gemm":
            head = tensor(node.input[1]), tensor(node.input[2])
    blocks = range(6, len(convs) - 1, 3)  # after stem, spread, the one that is merged, and three of the first block
    return convs, [end in residual for end in blocks], head
