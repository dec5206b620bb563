"""Reads the graph of a TFLite file: its operators in order, with the weights. Knows the few operators and options that
convolutional face networks use."""

import numpy as np
import tflite

OPERATORS = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
ACTIVATIONS = {tflite.ActivationFunctionType.NONE: None, tflite.ActivationFunctionType.RELU: "Relu"}
DTYPES = {tflite.TensorType.FLOAT16: np.float16, tflite.TensorType.FLOAT32: np.float32, tflite.TensorType.INT32: np.int32}


class Operator:
    """kind is TFLite's name, such as CONV_2D; inputs and outputs are numbers of tensors."""

    def __init__(self, kind, inputs, outputs, table):
        self.kind, self.inputs, self.outputs, self._table = kind, inputs, outputs, table

    def options(self, kind):
        """The operator's options, such as tflite.Conv2DOptions."""
        options = kind()
        options.Init(self._table.Bytes, self._table.Pos)
        return options


class Graph:
    """inputs and outputs are numbers of tensors; shapes [dims] and constants [dims] are by number."""

    def __init__(self, data):
        model = tflite.Model.GetRootAsModel(data, 0)
        graph = model.Subgraphs(0)
        self.inputs, self.outputs = graph.InputsAsNumpy().tolist(), graph.OutputsAsNumpy().tolist()
        self.shapes, self.constants = {}, {}
        for i in range(graph.TensorsLength()):
            tensor = graph.Tensors(i)
            self.shapes[i] = tensor.ShapeAsNumpy().tolist() if tensor.ShapeLength() else []
            buffer = model.Buffers(tensor.Buffer())
            if buffer.DataLength():
                self.constants[i] = buffer.DataAsNumpy().view(DTYPES[tensor.Type()]).reshape(self.shapes[i])
        self.operators = []
        for i in range(graph.OperatorsLength()):
            op = graph.Operators(i)
            code = model.OperatorCodes(op.OpcodeIndex())
            kind = OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            self.operators.append(Operator(kind, op.InputsAsNumpy().tolist(), op.OutputsAsNumpy().tolist(), op.BuiltinOptions()))


def same_padding(size, kernel, stride):
    """What TFLite's SAME adds before and after an axis."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
