package embedder

import (
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// stored is a weight whose values an ONNX file keeps in another file.
type stored struct {
	tensorInfo
	offset, length int64 // in bytes
}

// count is how many numbers it has.
func (s stored) count() int { return tensor{dims: s.dims}.length() }

// readStored reads what an ONNX file says about its weights in another file.
func readStored(onnx []byte) (all []stored, err error) {
	err = eachField(onnx, func(number protowire.Number, _ uint64, graph []byte) error {
		if number != modelGraph {
			return nil
		}
		return eachField(graph, func(number protowire.Number, _ uint64, body []byte) error {
			if number != graphInitializer {
				return nil
			}
			s := stored{offset: -1}
			err := s.read(body)
			if s.offset >= 0 {
				all = append(all, s)
			}
			return err
		})
	})
	return all, err
}

// read reads a TensorProto.
func (s *stored) read(body []byte) error {
	return eachField(body, func(number protowire.Number, value uint64, field []byte) error {
		switch number {
		case tensorDims:
			return s.readDims(value, field)
		case tensorElem:
			s.elem = value
		case tensorName:
			s.name = string(field)
		case tensorExternal:
			return s.readEntry(field)
		}
		return nil
	})
}

// readDims reads one dimension, or all of them in the packed form.
func (s *stored) readDims(value uint64, packed []byte) error {
	if packed == nil {
		s.dims = append(s.dims, int64(value))
		return nil
	}
	for len(packed) > 0 {
		d, n := protowire.ConsumeVarint(packed)
		if n < 0 {
			return protowire.ParseError(n)
		}
		s.dims = append(s.dims, int64(d))
		packed = packed[n:]
	}
	return nil
}

// readEntry reads where the values are.
func (s *stored) readEntry(entry []byte) error {
	var key, value string
	err := eachField(entry, func(number protowire.Number, _ uint64, text []byte) error {
		switch number {
		case entryKey:
			key = string(text)
		case entryValue:
			value = string(text)
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch key {
	case "offset":
		s.offset, err = strconv.ParseInt(value, 10, 64)
	case "length":
		s.length, err = strconv.ParseInt(value, 10, 64)
	}
	return err
}
