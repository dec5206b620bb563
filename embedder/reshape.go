package embedder

import "google.golang.org/protobuf/encoding/protowire"

// reshape returns the ONNX file with the shape of one input replaced by dims. It drops the shapes that the
// file notes for inner tensors and leaves those of the outputs open, so that ONNX Runtime computes them
// anew from the input. That suits models made of convolutions. ONNX Runtime refuses a model with a full
// layer or a fixed Reshape inside when it loads or first runs it.
//
// It works on the wire format and copies everything that it does not know unchanged, so a file of any ONNX
// version passes through. onnx must be a file that [Check] accepts.
//
// Why: YuNet is published for 640 x 640 pixels, which costs 17.5 ms a run on one core. A crop of a face
// needs only 320 x 320, which costs 4.7 ms.
func reshape(onnx []byte, input string, dims []int64) ([]byte, error) {
	return rewrite(onnx, func(number protowire.Number, graph []byte) ([]byte, bool, error) {
		if number != modelGraph {
			return graph, true, nil
		}
		graph, err := rewrite(graph, func(number protowire.Number, body []byte) ([]byte, bool, error) {
			switch number {
			case graphValueInfo:
				return nil, false, nil
			case graphInput:
				t, err := readValue(body)
				if err != nil || t.name != input {
					return body, true, err
				}
				return encodeValue(tensorInfo{name: t.name, elem: t.elem, dims: dims}), true, nil
			case graphOutput:
				t, err := readValue(body)
				for i := range t.dims {
					t.dims[i] = free
				}
				return encodeValue(t), true, err
			}
			return body, true, nil
		})
		return graph, true, err
	})
}

// rewrite copies a protobuf message and passes every length-delimited field through edit, which
// returns its new bytes and whether it stays.
func rewrite(message []byte, edit func(number protowire.Number, body []byte) (edited []byte, keep bool, err error)) ([]byte, error) {
	out := make([]byte, 0, len(message))
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeField(message)
		if n < 0 {
			return nil, errNotONNX
		}
		field := message[:n]
		message = message[n:]
		if kind != protowire.BytesType {
			out = append(out, field...)
			continue
		}
		_, _, tag := protowire.ConsumeTag(field)
		body, n := protowire.ConsumeBytes(field[tag:])
		if n < 0 {
			return nil, errNotONNX
		}
		edited, keep, err := edit(number, body)
		if err != nil {
			return nil, errNotONNX
		}
		if keep {
			out = protowire.AppendTag(out, number, protowire.BytesType)
			out = protowire.AppendBytes(out, edited)
		}
	}
	return out, nil
}

// encodeValue writes a ValueInfoProto.
func encodeValue(t tensorInfo) []byte {
	var shape, tensor, typ, value []byte
	for _, d := range t.dims {
		var dim []byte // empty: open
		if d != free {
			dim = protowire.AppendTag(dim, dimValue, protowire.VarintType)
			dim = protowire.AppendVarint(dim, uint64(d))
		}
		shape = appendMessage(shape, shapeDim, dim)
	}
	tensor = protowire.AppendTag(tensor, tensorTypeElem, protowire.VarintType)
	tensor = protowire.AppendVarint(tensor, t.elem)
	if t.dims != nil {
		tensor = appendMessage(tensor, tensorTypeShape, shape)
	}
	typ = appendMessage(typ, typeTensor, tensor)
	value = appendMessage(value, valueName, []byte(t.name))
	return appendMessage(value, valueType, typ)
}

func appendMessage(out []byte, number protowire.Number, body []byte) []byte {
	out = protowire.AppendTag(out, number, protowire.BytesType)
	return protowire.AppendBytes(out, body)
}
