"""Writes MediaPipe's face detectors as ONNX.

The general converter, tf2onnx, needs TensorFlow and keeps the order of the axes (NHWC), which ONNX Runtime's convolutions
do not like. Here the graph is written anew in NCHW, with the weights as they are stored, in half precision, and a Cast to
single beside each, which ONNX Runtime computes once, when it loads the file.

ONNX Runtime computes convolutions on blocks of 16 channels (8 without AVX-512), and between them reorders what other
operations touch. So the channels between the layers are filled up to whole blocks with zeros, and where the original pads
channels, a convolution with weights of zero makes them. Nothing has to be reordered then, and additions and activations
become part of the convolutions. It computes the same and saves a third of the short range's time and a fifth of the full
range's.
"""

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

from tflite_graph import ACTIVATIONS, same_padding

OPSET = 17
IR_VERSION = 8
TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
BLOCK = 16  # channels that ONNX Runtime computes together


class Converter:
    """Makes an ONNX graph from a tflite_graph.Graph."""

    def __init__(self, graph):
        self.graph = graph
        self.nodes, self.weights = [], []
        self.half = {}  # tensor: the weights it is the dequantised copy of
        self.flat = set()  # tensors in the original's order of axes, behind a Reshape
        self.alias = {}  # tensor: the one that holds the same
        # Tensors without channels of zeros: the input and the last ones.
        self.narrow = {graph.inputs[0], *(op.inputs[0] for op in graph.operators if op.kind == "RESHAPE")}

    def name(self, tensor):
        return f"t{self.alias.get(tensor, tensor)}"

    def channels(self, tensor):
        """Returns how many channels a tensor has here, those of zeros included."""
        c = self.shape(tensor)[-1]
        return c if tensor in self.narrow else -(-c // BLOCK) * BLOCK

    def shape(self, tensor):
        return self.graph.shapes[tensor]

    def constant(self, tensor):
        """Returns the values of a tensor that is stored in the file."""
        return self.graph.constants[self.half.get(tensor, tensor)]

    def add(self, kind, inputs, outputs, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))

    def store(self, name, values):
        """Stores weights and returns the name of their value in single precision."""
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        if values.dtype != np.float16:
            return name
        self.add("Cast", [name], [name + "f"], to=TensorProto.FLOAT)
        return name + "f"

    def convert(self, input_name, output_names):
        """Returns the ONNX model. output_names are those of the original's outputs, in their order."""
        for op in self.graph.operators:
            getattr(self, "op_" + op.kind.lower())(op, op.inputs, op.outputs[0])
        source = self.graph.inputs[0]
        n, h, w, c = self.shape(source)
        rename = {self.name(source): input_name}
        outputs = []
        for tensor, name in zip(self.graph.outputs, output_names):
            rename[self.name(tensor)] = name
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, self.shape(tensor)))
        for node in self.nodes:
            node.input[:] = [rename.get(x, x) for x in node.input]
            node.output[:] = [rename.get(x, x) for x in node.output]
        graph = helper.make_graph(self.nodes, "faces", [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, [n, c, h, w])],
                                  outputs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="rollcall")
        onnx.checker.check_model(model, full_check=True)
        return model

    def window(self, source, kernel, o):
        _, h, w, _ = self.shape(source)
        pads = [(0, 0), (0, 0)]
        if o.Padding() == tflite.Padding.SAME:
            pads = [same_padding(h, kernel[0], o.StrideH()), same_padding(w, kernel[1], o.StrideW())]
        return {"kernel_shape": kernel, "strides": [o.StrideH(), o.StrideW()], "pads": [*np.transpose(pads).reshape(-1).tolist()]}

    def activate(self, kind, out):
        """Returns the name to compute into where an activation follows."""
        return self.name(out) + "a" if ACTIVATIONS[kind] else self.name(out)

    def finish(self, made, out):
        if made != self.name(out):
            self.add("Relu", [made], [self.name(out)])

    def convolve(self, source, weights, bias, out, o, depthwise):
        made = self.activate(o.FusedActivationFunction(), out)
        more = self.channels(out) - weights.shape[0]
        more_in = 0 if depthwise else self.channels(source) - weights.shape[1]
        weights = np.pad(weights, [(0, more), (0, more_in), (0, 0), (0, 0)])
        bias = np.pad(self.constant(bias), (0, more))
        inputs = [self.name(source), self.store(f"w{out}", weights), self.store(f"b{out}", bias)]
        group = weights.shape[0] if depthwise else 1
        self.add("Conv", inputs, [made], group=group, **self.window(source, list(weights.shape[2:]), o))
        self.finish(made, out)

    def op_dequantize(self, op, inputs, out):
        self.half[out] = inputs[0]

    def op_conv_2d(self, op, inputs, out):
        weights = self.constant(inputs[1]).transpose(0, 3, 1, 2)
        self.convolve(inputs[0], weights, inputs[2], out, op.options(tflite.Conv2DOptions), False)

    def op_depthwise_conv_2d(self, op, inputs, out):
        weights = self.constant(inputs[1]).transpose(3, 0, 1, 2)
        self.convolve(inputs[0], weights, inputs[2], out, op.options(tflite.DepthwiseConv2DOptions), True)

    def op_relu(self, op, inputs, out):
        self.add("Relu", [self.name(inputs[0])], [self.name(out)])

    def op_add(self, op, inputs, out):
        made = self.activate(op.options(tflite.AddOptions).FusedActivationFunction(), out)
        self.add("Add", [self.name(i) for i in inputs], [made])
        self.finish(made, out)

    def op_max_pool_2d(self, op, inputs, out):
        o = op.options(tflite.Pool2DOptions)
        self.add("MaxPool", [self.name(inputs[0])], [self.name(out)], **self.window(inputs[0], [o.FilterHeight(), o.FilterWidth()], o))

    def op_pad(self, op, inputs, out):
        pads = self.constant(inputs[1])
        if pads[:3].any() or pads[3, 0]:
            raise ValueError("only channels can be padded, and only at their end")
        have = self.channels(inputs[0])
        more = self.channels(out) - have
        if more == 0:
            self.alias[out] = self.alias.get(inputs[0], inputs[0])
            return
        zeros = self.store(f"z{out}", np.zeros((more, have, 1, 1), np.float16))
        self.add("Conv", [self.name(inputs[0]), zeros], [f"z{out}z"], kernel_shape=[1, 1])
        self.add("Concat", [self.name(inputs[0]), f"z{out}z"], [self.name(out)], axis=1)

    def op_resize_bilinear(self, op, inputs, out):
        o = op.options(tflite.ResizeBilinearOptions)
        way = "align_corners" if o.AlignCorners() else "half_pixel" if o.HalfPixelCenters() else "asymmetric"
        n, h, w, c = self.shape(out)
        _, from_h, from_w, _ = self.shape(inputs[0])
        scales = self.store(f"s{out}", np.array([1, 1, h / from_h, w / from_w], np.float32))
        self.add("Resize", [self.name(inputs[0]), "", scales], [self.name(out)], mode="linear", coordinate_transformation_mode=way)

    def op_reshape(self, op, inputs, out):
        turned = self.name(out) + "t"
        self.add("Transpose", [self.name(inputs[0])], [turned], perm=TO_NHWC)
        # The anchors stay open, so that the network can be loaded for a larger input.
        shape = self.store(f"r{out}", np.array([1, -1, self.shape(out)[-1]], np.int64))
        self.add("Reshape", [turned, shape], [self.name(out)])
        self.flat.add(out)

    def op_concatenation(self, op, inputs, out):
        axis = op.options(tflite.ConcatenationOptions).Axis()
        if not self.flat.issuperset(inputs):
            axis = TO_NCHW.index(axis % 4)
        self.add("Concat", [self.name(i) for i in inputs], [self.name(out)], axis=axis)
