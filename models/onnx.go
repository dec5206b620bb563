package models

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// maxFileBytes bounds an ONNX file and the archive that it is downloaded in. One protobuf message, and so
// an ONNX file in one piece, can hold 2 GiB.
const maxFileBytes = 2 << 30

// Field numbers of onnx.proto (ONNX 1.x, github.com/onnx/onnx/blob/main/onnx/onnx.proto).
const (
	modelIRVersion     = 1  // ModelProto.ir_version
	modelGraph         = 7  // ModelProto.graph
	graphInitializer   = 5  // GraphProto.initializer
	tensorDataLocation = 14 // TensorProto.data_location
	dataLocationExtern = 1  // TensorProto.EXTERNAL
)

// Wire types of the protobuf encoding.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

var errWire = errors.New("not a protobuf message")

// inspect refuses what can never be loaded, with a reason that a person can act on. It does not read the
// graph: package embedder does.
func inspect(data []byte) error {
	if what := notONNX(data); what != "" {
		return errors.New("not an ONNX file but " + what)
	}
	var version, graph, external bool
	err := eachField(data, func(field int, value uint64, message []byte) error {
		switch field {
		case modelIRVersion:
			version = true
		case modelGraph:
			graph = true
			found, err := hasExternalData(message)
			external = external || found
			return err
		}
		return nil
	})
	switch {
	case err != nil || !version || !graph:
		return errors.New("not an ONNX file, or one that is cut short")
	case external:
		return errors.New("the ONNX file keeps its weights in another file (external data), which is not supported: save it in one piece first, for example with onnx.save(onnx.load(old), new) in Python")
	}
	return nil
}

// notONNX names what people often send instead of an ONNX file, or returns "" when data is none of that.
func notONNX(data []byte) string {
	start := bytes.ToLower(bytes.TrimSpace(data[:min(len(data), 512)]))
	switch {
	case len(data) == 0:
		return "an empty file"
	case bytes.HasPrefix(start, []byte("version https://git-lfs")):
		return "a Git LFS pointer: fetch the file itself with git lfs pull"
	case bytes.HasPrefix(start, []byte("<")):
		return "a web page: the address may lead to a login or an error page instead of the file"
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return "a zip archive: take the ONNX file out of it first"
	case bytes.HasPrefix(data, []byte("\x89HDF")):
		return "a Keras HDF5 file: convert it to ONNX first"
	}
	return ""
}

func hasExternalData(graph []byte) (bool, error) {
	var external bool
	err := eachField(graph, func(field int, _ uint64, tensor []byte) error {
		if field != graphInitializer {
			return nil
		}
		return eachField(tensor, func(field int, value uint64, _ []byte) error {
			if field == tensorDataLocation && value == dataLocationExtern {
				external = true
			}
			return nil
		})
	})
	return external, err
}

// eachField calls visit for every field of a protobuf message, with the value of a varint or the bytes of a
// length-delimited field. For fields of fixed size it passes neither.
func eachField(message []byte, visit func(field int, value uint64, bytes []byte) error) error {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 || tag>>3 == 0 {
			return errWire
		}
		message = message[n:]
		var value uint64
		var payload []byte
		size := 0
		switch tag & 7 {
		case wireVarint:
			value, size = binary.Uvarint(message)
			if size <= 0 {
				return errWire
			}
		case wireFixed64:
			size = 8
		case wireFixed32:
			size = 4
		case wireBytes:
			length, n := binary.Uvarint(message)
			if n <= 0 || length > uint64(len(message)-n) {
				return errWire
			}
			payload = message[n : n+int(length)]
			size = n + int(length)
		default:
			return errWire
		}
		if size > len(message) {
			return errWire
		}
		if err := visit(int(tag>>3), value, payload); err != nil {
			return err
		}
		message = message[size:]
	}
	return nil
}
