package embedder

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// The field numbers of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) that are needed
// here, as MESSAGE_field. They have not changed since ONNX 1.0.
const (
	modelGraph = 7 // ModelProto.graph

	graphInitializer = 5  // GraphProto.initializer
	graphInput       = 11 // GraphProto.input
	graphOutput      = 12 // GraphProto.output
	graphValueInfo   = 13 // GraphProto.value_info

	tensorName     = 8  // TensorProto.name
	tensorExternal = 13 // TensorProto.external_data

	entryKey   = 1 // StringStringEntryProto.key
	entryValue = 2 // StringStringEntryProto.value

	valueName = 1 // ValueInfoProto.name
	valueType = 2 // ValueInfoProto.type

	typeTensor = 1 // TypeProto.tensor_type

	tensorTypeElem  = 1 // TypeProto.Tensor.elem_type
	tensorTypeShape = 2 // TypeProto.Tensor.shape

	shapeDim = 1 // TensorShapeProto.dim
	dimValue = 1 // TensorShapeProto.Dimension.dim_value
)

// elemFloat is TensorProto.DataType FLOAT, the only type that contracts allow.
const elemFloat = 1

// elemNames names the other types that a model may have, for messages.
var elemNames = map[uint64]string{
	0: "no tensor", elemFloat: "float32", 2: "uint8", 3: "int8", 5: "int16", 6: "int32", 7: "int64",
	9: "bool", 10: "float16", 11: "float64", 16: "bfloat16",
}

// free stands for a dimension that the file leaves open.
const free = -1

// tensorInfo is what a file says about an input or output.
type tensorInfo struct {
	name string
	elem uint64  // TensorProto.DataType; 0: not a tensor
	dims []int64 // free where open; nil where the file gives no shape
}

func (t tensorInfo) elemName() string {
	if name, ok := elemNames[t.elem]; ok {
		return name
	}
	return fmt.Sprintf("of ONNX type %d", t.elem)
}

// shapeString writes a shape as "1 x 3 x 112 x 112", with ? for free dimensions.
func shapeString(dims []int64) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = "?"
		if d != free {
			parts[i] = fmt.Sprint(d)
		}
	}
	return strings.Join(parts, " x ")
}

// graphInfo is the inputs and outputs of a model.
type graphInfo struct {
	inputs, outputs []tensorInfo // inputs without those that are weights
}

// errNotONNX: the bytes are not a protobuf message with a graph.
var errNotONNX = errors.New("not an ONNX file, or one that is cut short")

// readGraph reads the inputs and outputs from an ONNX file. Weights are skipped, not copied.
func readGraph(onnx []byte) (graphInfo, error) {
	var info graphInfo
	weights := make(map[string]bool)
	var inputs []tensorInfo
	found := false
	err := eachField(onnx, func(number protowire.Number, _ uint64, graph []byte) error {
		if number != modelGraph {
			return nil
		}
		found = true
		return eachField(graph, func(number protowire.Number, _ uint64, body []byte) error {
			switch number {
			case graphInitializer:
				return eachField(body, func(number protowire.Number, _ uint64, name []byte) error {
					if number == tensorName {
						weights[string(name)] = true
					}
					return nil
				})
			case graphInput, graphOutput:
				t, err := readValue(body)
				if number == graphInput {
					inputs = append(inputs, t)
				} else {
					info.outputs = append(info.outputs, t)
				}
				return err
			}
			return nil
		})
	})
	if err != nil || !found {
		return graphInfo{}, errNotONNX
	}
	// Before IR version 4 weights had to be listed among the inputs.
	for _, t := range inputs {
		if !weights[t.name] {
			info.inputs = append(info.inputs, t)
		}
	}
	return info, nil
}

// readValue reads a ValueInfoProto.
func readValue(body []byte) (tensorInfo, error) {
	var t tensorInfo
	err := eachField(body, func(number protowire.Number, _ uint64, field []byte) error {
		switch number {
		case valueName:
			t.name = string(field)
		case valueType:
			return eachField(field, func(number protowire.Number, _ uint64, tensor []byte) error {
				if number != typeTensor {
					return nil
				}
				return t.readTensorType(tensor)
			})
		}
		return nil
	})
	return t, err
}

// readTensorType reads a TypeProto.Tensor.
func (t *tensorInfo) readTensorType(tensor []byte) error {
	return eachField(tensor, func(number protowire.Number, value uint64, shape []byte) error {
		switch number {
		case tensorTypeElem:
			t.elem = value
		case tensorTypeShape:
			t.dims = []int64{}
			return eachField(shape, func(number protowire.Number, _ uint64, dim []byte) error {
				if number != shapeDim {
					return nil
				}
				d := int64(free)
				err := eachField(dim, func(number protowire.Number, value uint64, _ []byte) error {
					// Some exports write an open dimension as 0 or -1.
					if number == dimValue && int64(value) > 0 {
						d = int64(value)
					}
					return nil
				})
				t.dims = append(t.dims, d)
				return err
			})
		}
		return nil
	})
}

// eachField calls visit for every field of a protobuf message. value is the value of a varint, body the
// bytes of a length-delimited field.
func eachField(message []byte, visit func(number protowire.Number, value uint64, body []byte) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		var value uint64
		var body []byte
		switch kind {
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			body, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := visit(number, value, body); err != nil {
			return err
		}
		message = message[n:]
	}
	return nil
}
