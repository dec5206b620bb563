package storage

import (
	"encoding/binary"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The types of a field on the wire, in the low three bits of its tag.
const (
	varintType  = uint64(protowire.VarintType)
	fixed32Type = uint64(protowire.Fixed32Type)
	bytesType   = uint64(protowire.BytesType)
)

// fields calls read with the tag of each field of a protobuf message, and with
// what it holds: a number in x, or a part of b. It reports whether the message
// parses and every read returned true.
func fields(b []byte, read func(tag, x uint64, b []byte) bool) bool {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || num > protowire.MaxValidNumber {
			return false
		}
		b = b[n:]
		var x uint64
		var content []byte
		switch typ {
		case protowire.VarintType:
			x, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var x32 uint32
			x32, n = protowire.ConsumeFixed32(b)
			x = uint64(x32)
		case protowire.BytesType:
			content, n = protowire.ConsumeBytes(b)
		default: // no field of ours
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 || !read(uint64(num)<<3|uint64(typ), x, content) {
			return false
		}
		b = b[n:]
	}
	return true
}

// wireTime is a google.protobuf.Timestamp.
type wireTime struct {
	found   bool
	seconds int64
	nanos   int32
}

func (t *wireTime) read(b []byte) bool {
	t.found = true
	return fields(b, func(tag, x uint64, _ []byte) bool {
		switch tag {
		case 1<<3 | varintType:
			t.seconds = int64(x)
		case 2<<3 | varintType:
			t.nanos = int32(x)
		}
		return true
	})
}

// to sets the time, as readTime does.
func (t *wireTime) to(to *time.Time) bool {
	if !t.found {
		return true
	}
	return readTime(&timestamppb.Timestamp{Seconds: t.seconds, Nanos: t.nanos}, to)
}

// readFloats fills to with the little-endian floats of b, which holds as many.
// Reading four at a time takes two thirds of the time of one at a time
// (BenchmarkDecode).
func readFloats(to []float32, b []byte) {
	for ; len(to) >= 4 && len(b) >= 16; to, b = to[4:], b[16:] {
		to[0] = math.Float32frombits(binary.LittleEndian.Uint32(b))
		to[1] = math.Float32frombits(binary.LittleEndian.Uint32(b[4:]))
		to[2] = math.Float32frombits(binary.LittleEndian.Uint32(b[8:]))
		to[3] = math.Float32frombits(binary.LittleEndian.Uint32(b[12:]))
	}
	for i := range to {
		to[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
}

// again returns b as a string. It returns last if that has the same bytes.
func again(last *string, b []byte) string {
	if *last != string(b) {
		*last = string(b)
	}
	return *last
}
