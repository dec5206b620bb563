package rpc

import (
	"encoding/binary"

	"connectrpc.com/connect"
)

// envelopeBytes are what gRPC puts before a message: whether it is compressed, and
// its length.
const envelopeBytes = 5

// envelope is that of a request of one message, while it is read. Connect calls what is wrong
// with one an error of the server's.
type envelope struct {
	head   [envelopeBytes]byte
	size   int64 // of all that was read
	limit  limit
	packed bool // the request says how its message is compressed
}

// take notes what was read, and returns what is wrong with it; nil: nothing yet.
// ended says that no more will come.
func (e *envelope) take(p []byte, ended bool) *connect.Error {
	if e.size < envelopeBytes {
		copy(e.head[e.size:], p)
	}
	e.size += int64(len(p))
	flag, whole := e.head[0], envelopeBytes+int64(binary.BigEndian.Uint32(e.head[1:]))
	switch {
	case e.size > 0 && (flag > 1 || flag == 1 && !e.packed):
	case e.size >= envelopeBytes && whole > envelopeBytes+e.limit.bytes:
		return e.limit.exceeded()
	case e.size >= envelopeBytes && e.size > whole:
	case ended && e.size < whole:
	default:
		return nil
	}
	return brokenEnvelope()
}

func brokenEnvelope() *connect.Error {
	return newError(connect.CodeInvalidArgument, "BROKEN_ENVELOPE",
		"what was sent is no message behind the five bytes that gRPC and streams need: use a client that is generated from the contract, or Embed and Identify with application/json", nil)
}

// whole says whether the message is here, to its end.
func (e *envelope) whole() bool {
	return e.size >= envelopeBytes && e.size == envelopeBytes+int64(binary.BigEndian.Uint32(e.head[1:]))
}
