"""Writes a MobileFaceNet in whole numbers of eight bits as an ONNX file. A PReLU is the larger of x and slope * x: a 1x1
convolution of each channel, and Max. (QLinearMul would take three times as long as such a convolution.) The first
convolution, which sees three channels, and all from the last 1x1 one on stay in single precision; the last matrix is stored
in half."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mobilefacenet import SIDE

OPSET, IR = 17, 8  # what ONNX Runtime has read for years


class Writer:
    def __init__(self):
        self.nodes, self.weights = [], []

    def constant(self, name, value):
        self.weights.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def add(self, kind, inputs, name, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def grid(self, grid, name):
        """The names of the grid's scale and zero."""
        return [self.constant(name + "_scale", np.float32(grid.scale.item())), self.constant(name + "_zero", np.uint8(grid.zero.item()))]

    def convolution(self, x, conv, name):
        """The convolution in single precision."""
        inputs = [x, self.constant(name + "_weight", conv.weight.detach().numpy()), self.constant(name + "_bias", conv.bias.detach().numpy())]
        return self.add("Conv", inputs, name, kernel_shape=conv.weight.shape[2:], strides=[conv.stride] * 2, pads=list(conv.pads),
                        group=conv.groups)

    def whole(self, x, before, conv, name):
        """The convolution of whole numbers x on the grid before, with its PReLU; and the grid that the results lie on."""
        scale = conv.weight_scale().numpy().ravel()
        weight = conv.whole_weight().numpy().astype(np.int8)
        bias = np.rint(conv.bias.detach().numpy() / (scale * before.scale.item())).astype(np.int32)
        lies, on = self.grid(before, name + "_before"), self.grid(conv.grid, name)
        inputs = [x, *lies, self.constant(name + "_weight", weight), self.constant(name + "_weight_scale", scale),
                  self.constant(name + "_weight_zero", np.zeros(len(scale), np.int8)), *on, self.constant(name + "_bias", bias)]
        y = self.add("QLinearConv", inputs, name, kernel_shape=weight.shape[2:], strides=[conv.stride] * 2, pads=list(conv.pads),
                     group=conv.groups)
        return self.prelu(y, on, conv, name) if conv.slope is not None else y

    def prelu(self, y, on, conv, name):
        scale = conv.slope_scale().item()
        slope = np.rint(conv.slope.numpy() / scale).astype(np.int8)[:, None, None, None]
        inputs = [y, *on, self.constant(name + "_slope", slope), self.constant(name + "_slope_scale", np.float32(scale)),
                  self.constant(name + "_slope_zero", np.int8(0)), *on]
        return self.add("Max", [y, self.add("QLinearConv", inputs, name + "_times", kernel_shape=[1, 1], group=len(slope))], name + "_active")


def write(net, path, name):
    w = Writer()
    on = w.grid(net.stem.grid, "stem_on")
    x = w.add("QuantizeLinear", [w.convolution("crop", net.stem, "stem"), *on], "stem_whole")
    x, lies = w.prelu(x, on, net.stem, "stem"), net.stem.grid
    x, lies = w.whole(x, lies, net.spread, "spread"), net.spread.grid
    for i, block in enumerate(net.blocks):
        y, on = x, lies
        for part in ("expand", "depthwise", "project"):
            conv = getattr(block, part)
            y, on = w.whole(y, on, conv, f"block{i}_{part}"), conv.grid
        if block.residual:
            inputs = [x, *w.grid(lies, f"block{i}_in"), y, *w.grid(on, f"block{i}_answer"), *w.grid(block.grid, f"block{i}")]
            y, on = w.add("QLinearAdd", inputs, f"block{i}_sum", domain="com.microsoft"), block.grid
        x, lies = y, on
    x = w.add("DequantizeLinear", [x, *w.grid(lies, "last")], "features")
    x = w.convolution(x, net.widen, "widen")
    x = w.add("PRelu", [x, w.constant("widen_slope", net.widen.slope.numpy()[:, None, None])], "widen_active")
    x = w.add("Flatten", [w.convolution(x, net.gather, "gather")], "flat")
    for part in ("weight", "bias"):
        half = w.constant(f"head_{part}_half", getattr(net.head, part).detach().numpy().astype(np.float16))
        w.add("Cast", [half], f"head_{part}", to=TensorProto.FLOAT)
    w.add("Gemm", [x, "head_weight", "head_bias"], "embedding", transB=1)
    graph = helper.make_graph(
        w.nodes, name, [helper.make_tensor_value_info("crop", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, net.head.out_features])], w.weights)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="rollcall")
    onnx.checker.check_model(model)
    onnx.save(model, path)
