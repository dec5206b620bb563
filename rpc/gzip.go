package rpc

import (
	"compress/gzip"
	"errors"
	"io"

	"connectrpc.com/connect"
)

// gzipped reads and writes gzip as Connect does. Its errors say what is wrong with a
// request.
func gzipped(l limit) connect.HandlerOption {
	return connect.WithCompression("gzip",
		func() connect.Decompressor { return &unzipper{limit: l} },
		func() connect.Compressor { return gzip.NewWriter(io.Discard) })
}

// unzipper is a connect.Decompressor that unpacks one request after another.
type unzipper struct {
	gzip.Reader
	limit limit
	began error // Reset's error. Read returns it: Connect would not give Reset's error a reason
	size  int64
}

// Reset serves connect.Decompressor.
func (z *unzipper) Reset(r io.Reader) error {
	z.size, z.began = 0, z.Reader.Reset(r)
	return nil
}

// Read serves connect.Decompressor.
func (z *unzipper) Read(p []byte) (n int, err error) {
	if err = z.began; err == nil {
		n, err = z.Reader.Read(p)
	}
	if z.size += int64(n); z.size > z.limit.bytes {
		return 0, z.limit.exceeded()
	}
	if err != nil && !errors.Is(err, io.EOF) || z.began != nil {
		return 0, newError(connect.CodeInvalidArgument, "BROKEN_GZIP",
			"the request says that it is compressed with gzip, but it is not, or it was cut off: compress it again, or send it uncompressed without Content-Encoding", nil)
	}
	return n, err
}

// Close serves connect.Decompressor.
func (z *unzipper) Close() error {
	if z.began != nil {
		return nil // there is nothing to close yet
	}
	return z.Reader.Close()
}
