"""Writes trained networks as ONNX files with their contracts.

Weights are stored in half precision, those of the large full layer in bytes, and unpacked by nodes that ONNX Runtime
does away with when it loads the file: it computes in single precision all the same.
"""

import os

import numpy as np
import onnx
import torch
import torch.nn as nn
from onnx import TensorProto, helper, numpy_helper

from contract import write_contract
from data import FACE, TEMPLATE
from networks import LOCATOR_SIDE

OPSET = 17
SECOND_LOOK = 1.35
LARGE = 256  # numbers; smaller weights stay in single precision
VAST = 100_000  # numbers; the weights of a full layer of this size are stored in bytes, with a scale for each output


class Scored(nn.Module):
    """A locator whose score is a probability."""

    def __init__(self, locator):
        super().__init__()
        self.locator = locator

    def forward(self, x):
        landmarks, logit = self.locator(x)
        return landmarks, torch.sigmoid(logit)


def write(net, side, outputs, path):
    net = net.eval().to(memory_format=torch.contiguous_format)
    axes = {name: {0: "N"} for name in ["crop", *outputs]}
    torch.onnx.export(net, torch.zeros(1, 3, side, side), path, dynamo=False, opset_version=OPSET, do_constant_folding=True,
                      input_names=["crop"], output_names=outputs, dynamic_axes=axes)
    model = onnx.load(path)
    graph, unpacked = model.graph, []
    for weight in list(graph.initializer):
        values, name = numpy_helper.to_array(weight), weight.name
        if weight.data_type != TensorProto.FLOAT or values.size < LARGE:
            continue
        graph.initializer.remove(weight)
        if values.ndim == 2 and values.size > VAST:
            scale = np.abs(values).max(1, keepdims=True) / 127
            graph.initializer.append(numpy_helper.from_array(np.rint(values / scale).astype(np.int8), name + "_bytes"))
            graph.initializer.append(numpy_helper.from_array(scale, name + "_scale"))
            unpacked += [helper.make_node("Cast", [name + "_bytes"], [name + "_whole"], to=TensorProto.FLOAT),
                         helper.make_node("Mul", [name + "_whole", name + "_scale"], [name])]
        else:
            graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), name + "_half"))
            unpacked.append(helper.make_node("Cast", [name + "_half"], [name], to=TensorProto.FLOAT))
    nodes = unpacked + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    for node in graph.node:
        node.doc_string = ""
    onnx.checker.check_model(model)
    onnx.save(model, path)


def input_of(side, fit):
    return {"width": side, "height": side, "layout": "NCHW", "colour": "RGB",
            "mean": [127.5] * 3, "std": [127.5] * 3, "fit": fit}


def locator(net, folder):
    write(Scored(net), LOCATOR_SIDE, ["landmarks", "score"], os.path.join(folder, "rollcall-points.onnx"))
    write_contract(folder, "rollcall-points", {"input": input_of(LOCATOR_SIDE, "letterbox"), "decoder": "points",
                                          "second_look": SECOND_LOOK})


def embedder(net, folder):
    write(net, FACE, ["embedding"], os.path.join(folder, "rollcall-mini.onnx"))
    template = [[round(float(v), 4) for v in p] for p in TEMPLATE]
    write_contract(folder, "rollcall-mini", {"input": input_of(FACE, "align"), "template": template,
                                       "output": {"dimension": net.head.out_features}})
