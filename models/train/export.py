"""Writes the trained locator as an ONNX file with its contract.

It computes in whole numbers of eight bits, with a scale for each channel of the weights, but for the first layer, which
sees few channels and is slower so, and for the last ones.
"""

import copy
import os
import tempfile

import onnx
import torch
import torch.nn as nn
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from contract import write_contract
from networks import LOCATOR_SIDE, Block

OPSET = 17
SECOND_LOOK = 1.35
# Parts of the names of nodes that compute in single precision.
LOCATOR_SINGLE = ["/stem/", "/heat/", "/score/", "Reshape", "Softmax", "MatMul", "ReduceMean", "Sigmoid"]


class Scored(nn.Module):
    """A locator whose score is a probability."""

    def __init__(self, locator):
        super().__init__()
        self.locator = locator

    def forward(self, x):
        landmarks, logit = self.locator(x)
        return landmarks, torch.sigmoid(logit)


def write(net, side, outputs, path):
    """Writes the network in single precision."""
    net = net.eval().to(memory_format=torch.contiguous_format)
    axes = {name: {0: "N"} for name in ["crop", *outputs]}
    torch.onnx.export(net, torch.zeros(1, 3, side, side), path, dynamo=False, opset_version=OPSET, do_constant_folding=True,
                      input_names=["crop"], output_names=outputs, dynamic_axes=axes)


class Shown(CalibrationDataReader):
    """Hands out inputs, by which the ranges of what is between the layers are found."""

    def __init__(self, tensors):
        self.left = iter([{"crop": t[None].numpy()} for t in tensors])

    def get_next(self):
        return next(self.left, None)


def quantise(source, shown, single, path):
    """Writes the network of the file source in whole numbers, but for nodes with one of single in their names.
    shown [n,3,side,side] are typical inputs."""
    with tempfile.TemporaryDirectory() as folder:
        ready = os.path.join(folder, "ready.onnx")
        quant_pre_process(source, ready, skip_symbolic_shape=True)
        names = [n.name for n in onnx.load(ready).graph.node]
        for part in single:
            if not any(part in name for name in names):
                raise ValueError(f"no node of the network is named {part}, which was to stay in single precision")
        exclude = [name for name in names if any(part in name for part in single)]
        # Weights of seven bits: of eight, two products would overflow the sum that a processor without VNNI makes.
        quantize_static(ready, path, Shown(shown), quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, nodes_to_exclude=exclude)
    save(onnx.load(path), path)


def save(model, path):
    for node in model.graph.node:
        node.doc_string = ""
    onnx.checker.check_model(model)
    onnx.save(model, path)


def input_of(side, fit):
    return {"width": side, "height": side, "layout": "NCHW", "colour": "RGB",
            "mean": [127.5] * 3, "std": [127.5] * 3, "fit": fit}


def fused(net):
    """A copy of the network with fewer convolutions."""
    net = copy.deepcopy(net).eval()
    for part in net.modules():
        if isinstance(part, Block):
            part.fuse()
    return net


def write_locator(net, path):
    write(Scored(fused(net)), LOCATOR_SIDE, ["landmarks", "score"], path)


def locator(net, shown, folder):
    """shown [n,3,64,64] are typical inputs."""
    path = os.path.join(folder, "rollcall-points.onnx")
    write_locator(net, path)
    quantise(path, shown, LOCATOR_SINGLE, path)
    write_contract(folder, "rollcall-points", {"input": input_of(LOCATOR_SIDE, "letterbox"), "decoder": "points",
                                          "second_look": SECOND_LOOK})
