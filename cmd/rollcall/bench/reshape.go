package bench

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
const (
	modelGraph     = 7  // ModelProto.graph
	graphInput     = 11 // GraphProto.input
	graphOutput    = 12 // GraphProto.output
	graphValueInfo = 13 // GraphProto.value_info
	valueName      = 1  // ValueInfoProto.name
	valueType      = 2  // ValueInfoProto.type
	typeTensor     = 1  // TypeProto.tensor_type
	tensorShape    = 2  // TypeProto.Tensor.shape
	shapeDim       = 1  // TensorShapeProto.dim
	dimValue       = 1  // TensorShapeProto.Dimension.dim_value
)

// reshape gives a model's input another size, as package embedder does where a
// contract asks for it: the bare loop has to run what the server runs. The sizes
// that the file notes for outputs and inner tensors go.
func reshape(onnx []byte, input string, dims []int64) ([]byte, error) {
	var shape []byte
	for _, d := range dims {
		dim := protowire.AppendVarint(protowire.AppendTag(nil, dimValue, protowire.VarintType), uint64(d))
		shape = protowire.AppendBytes(protowire.AppendTag(shape, shapeDim, protowire.BytesType), dim)
	}
	toShape := []protowire.Number{valueType, typeTensor, tensorShape}
	return edit(onnx, []protowire.Number{modelGraph}, func(graph []byte) ([]byte, error) {
		graph, err := edit(graph, []protowire.Number{graphInput}, func(value []byte) ([]byte, error) {
			named := false
			_, err := edit(value, []protowire.Number{valueName}, func(name []byte) ([]byte, error) {
				named = string(name) == input
				return name, nil
			})
			if err != nil || !named {
				return value, err
			}
			return edit(value, toShape, func([]byte) ([]byte, error) { return shape, nil })
		})
		if err != nil {
			return nil, err
		}
		drop := func([]byte) ([]byte, error) { return nil, nil }
		if graph, err = edit(graph, append([]protowire.Number{graphOutput}, toShape...), drop); err != nil {
			return nil, err
		}
		return edit(graph, []protowire.Number{graphValueInfo}, drop)
	})
}

// edit copies a protobuf message and replaces the messages that a path of field
// numbers leads to. A replacement of nil takes the field out.
func edit(message []byte, path []protowire.Number, replace func([]byte) ([]byte, error)) ([]byte, error) {
	if len(path) == 0 {
		return replace(message)
	}
	out := make([]byte, 0, len(message))
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeField(message)
		if n < 0 {
			return nil, fmt.Errorf("not an ONNX file: %w", protowire.ParseError(n))
		}
		field := message[:n]
		message = message[n:]
		if kind != protowire.BytesType || number != path[0] {
			out = append(out, field...)
			continue
		}
		_, _, tag := protowire.ConsumeTag(field)
		body, n := protowire.ConsumeBytes(field[tag:])
		if n < 0 {
			return nil, fmt.Errorf("not an ONNX file: %w", protowire.ParseError(n))
		}
		body, err := edit(body, path[1:], replace)
		if err != nil {
			return nil, err
		}
		if body != nil {
			out = protowire.AppendBytes(protowire.AppendTag(out, number, protowire.BytesType), body)
		}
	}
	return out, nil
}
