"""Writes trained networks as ONNX files with their contracts.

The locator's weights are stored in half precision and unpacked by nodes that ONNX Runtime does away with when it loads
the file: it computes in single precision all the same. The embedder is quantised: it computes in whole numbers of eight
bits, with a scale for each channel of the weights.
"""

import copy
import os
import tempfile

import numpy as np
import onnx
import torch
import torch.nn as nn
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from contract import write_contract
from data import FACE, TEMPLATE
from networks import LOCATOR_SIDE

OPSET = 17
SECOND_LOOK = 1.35
LARGE = 256  # numbers; smaller weights stay in single precision


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


def halve(path):
    """Stores the large weights of a file in half precision."""
    model = onnx.load(path)
    graph, unpacked = model.graph, []
    for weight in list(graph.initializer):
        values, name = numpy_helper.to_array(weight), weight.name
        if weight.data_type != TensorProto.FLOAT or values.size < LARGE:
            continue
        graph.initializer.remove(weight)
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), name + "_half"))
        unpacked.append(helper.make_node("Cast", [name + "_half"], [name], to=TensorProto.FLOAT))
    nodes = unpacked + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    save(model, path)


class Shown(CalibrationDataReader):
    """Hands out inputs, by which the ranges of what is between the layers are found."""

    def __init__(self, tensors):
        self.left = iter([{"crop": t[None].numpy()} for t in tensors])

    def get_next(self):
        return next(self.left, None)


def quantise(source, shown, path):
    """Writes the network of the file source in whole numbers. shown [n,3,side,side] are typical inputs."""
    with tempfile.TemporaryDirectory() as folder:
        ready = os.path.join(folder, "ready.onnx")
        quant_pre_process(source, ready, skip_symbolic_shape=True)
        model = onnx.load(ready)
        pad_within(model.graph)
        onnx.save(model, ready)
        # The first layer sees few channels, with which whole numbers are slower.
        stem = [n.name for n in model.graph.node if n.name in ("/stem/Conv", "/MaxPool", "/LeakyRelu")]
        # Weights of seven bits: of eight, two products would overflow the sum that a processor without VNNI makes.
        quantize_static(ready, path, Shown(shown), quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, nodes_to_exclude=stem,
                        # The embedding itself is not rounded to eight bits.
                        extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm"]})
    save(onnx.load(path), path)


def pad_within(graph):
    """Leaves the padding that a Stage does, one cell on the right and below, to the convolution after it."""
    for pad in [n for n in graph.node if n.op_type == "Pad"]:
        convolution, = [n for n in graph.node if pad.output[0] in n.input]
        next(a for a in convolution.attribute if a.name == "pads").ints[:] = [0, 0, 1, 1]
        convolution.input[0] = pad.input[0]
    wanted = {o.name for o in graph.output}
    for node in reversed(list(graph.node)):  # what made the amounts of the padding has no use any more
        if wanted.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            wanted.update(node.input)


def save(model, path):
    for node in model.graph.node:
        node.doc_string = ""
    onnx.checker.check_model(model)
    onnx.save(model, path)


def input_of(side, fit):
    return {"width": side, "height": side, "layout": "NCHW", "colour": "RGB",
            "mean": [127.5] * 3, "std": [127.5] * 3, "fit": fit}


def locator(net, folder):
    path = os.path.join(folder, "rollcall-points.onnx")
    write(Scored(net), LOCATOR_SIDE, ["landmarks", "score"], path)
    halve(path)
    write_contract(folder, "rollcall-points", {"input": input_of(LOCATOR_SIDE, "letterbox"), "decoder": "points",
                                          "second_look": SECOND_LOOK})


def write_embedder(net, path):
    net = copy.deepcopy(net)
    for stage in net.stages:
        stage.fuse()
    write(net, FACE, ["embedding"], path)


def embedder(net, shown, folder):
    """shown [n,3,112,112] are typical inputs."""
    with tempfile.TemporaryDirectory() as scratch:
        single = os.path.join(scratch, "single.onnx")
        write_embedder(net, single)
        quantise(single, shown, os.path.join(folder, "rollcall-mini.onnx"))
    template = [[round(float(v), 4) for v in p] for p in TEMPLATE]
    write_contract(folder, "rollcall-mini", {"input": input_of(FACE, "align"), "template": template,
                                       "output": {"dimension": net.head.out_features}})
