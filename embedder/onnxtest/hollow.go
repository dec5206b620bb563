package onnxtest

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// hollow is a file that may be large but takes little memory: of runs of zeros only the length is kept. It
// is written once, in order, and then read. Reading is safe for concurrent use.
type hollow struct {
	runs []run
	size int64
}

// run is data, or zeros.
type run struct {
	start int64
	data  []byte
	zeros int64
}

// zeroBlock is the shortest block that Write takes for a run of zeros.
const zeroBlock = 1 << 10

var zeros [1 << 20]byte

// Write keeps only the length of blocks of zeros. It never fails.
func (h *hollow) Write(p []byte) (int, error) {
	if len(p) >= zeroBlock && len(p) <= len(zeros) && bytes.Equal(p, zeros[:len(p)]) {
		h.skip(int64(len(p)))
		return len(p), nil
	}
	h.runs = append(h.runs, run{start: h.size, data: bytes.Clone(p)})
	h.size += int64(len(p))
	return len(p), nil
}

// skip writes n zeros.
func (h *hollow) skip(n int64) {
	if last := len(h.runs) - 1; last >= 0 && h.runs[last].zeros > 0 {
		h.runs[last].zeros += n
	} else {
		h.runs = append(h.runs, run{start: h.size, zeros: n})
	}
	h.size += n
}

func (h *hollow) ReadAt(p []byte, offset int64) (int, error) {
	n := 0
	for _, r := range h.runs {
		length := r.zeros + int64(len(r.data))
		if n == len(p) || offset >= r.start+length {
			continue
		}
		from := offset + int64(n) - r.start
		part := p[n:min(int64(len(p)), int64(n)+length-from)]
		if r.zeros > 0 {
			clear(part)
		} else {
			copy(part, r.data[from:])
		}
		n += len(part)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *hollow) reader() *io.SectionReader { return io.NewSectionReader(h, 0, h.size) }

// padded returns an ONNX file made size bytes long by a description of nothing but zeros. Where size is 0,
// the file is unchanged.
func padded(onnx []byte, size int64) (*hollow, error) {
	h := new(hollow)
	h.Write(onnx)
	if size == 0 {
		return h, nil
	}
	rest := size - h.size
	head := func(n int64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, modelDocString, protowire.BytesType), uint64(n))
	}
	for n := rest - 2; n >= 0 && n > rest-12; n-- {
		if start := head(n); int64(len(start))+n == rest {
			h.Write(start)
			h.skip(n)
			return h, nil
		}
	}
	return nil, fmt.Errorf("onnxtest: an ONNX file of %d bytes cannot be padded to %d", len(onnx), size)
}

// archived returns a zip archive of size bytes that holds the file under a name. Another file before it
// fills up the size. Nothing is compressed.
func archived(name string, file *hollow, size int64) (*hollow, error) {
	h := new(hollow)
	bare, err := zipped(h, name, file, 0)
	if err != nil {
		return nil, err
	}
	if size < bare {
		return nil, fmt.Errorf("onnxtest: an archive of %s takes %d bytes and shall have %d", name, bare, size)
	}
	h = new(hollow)
	if _, err := zipped(h, name, file, size-bare); err != nil {
		return nil, err
	}
	if h.size != size {
		return nil, fmt.Errorf("onnxtest: an archive of %s has %d bytes and shall have %d", name, h.size, size)
	}
	return h, nil
}

// zipped writes the archive and returns its size.
func zipped(h *hollow, name string, file *hollow, fill int64) (int64, error) {
	other := new(hollow)
	other.skip(fill)
	w := zip.NewWriter(h)
	for _, entry := range []struct {
		name    string
		content *hollow
	}{{"other.onnx", other}, {name, file}} {
		to, err := w.CreateHeader(&zip.FileHeader{Name: entry.name, Method: zip.Store})
		if err != nil {
			return 0, err
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{entry.content.reader()}, make([]byte, len(zeros))); err != nil {
			return 0, err
		}
	}
	err := w.Close()
	return h.size, err
}
