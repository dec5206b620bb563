package index

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
)

// A snapshot file is a header and four sections, all numbers little-endian:
//
//	header  magic [8]byte, version uint32, dim uint32,
//	        count, sequence, length of graph, length of note, of the file uint64
//	graph   the links between the rows (see graphfile.go); empty if there are none
//	rows    count rows of dim float32
//	ids     count uint32, in the order of the rows
//	note    the caller's bytes
//
// Each of the five is followed by the CRC-32C of its bytes. What is derived from
// the rows (their codes, the bounds of what coding lost, the table of IDs) is not
// in the file: a bound that is read instead of computed could hide a student.
const (
	snapshotMagic   = "\x89RCIDX\r\n" // no text file begins so, and a text transfer breaks it
	snapshotVersion = 1
	headerBytes     = 8 + 2*4 + 5*8
	checksumBytes   = 4
)

// castagnoli is CRC-32C, which processors compute.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the head of a snapshot file.
type header struct {
	dim                   int
	count, sequence       uint64
	graphBytes, noteBytes uint64

	// What follows from these: the length of the file, and where sections begin.
	fileBytes, rowsAt, idsAt, noteAt uint64
}

// graphAt is where the graph begins.
const graphAt = headerBytes + checksumBytes

// layOut fills in what follows from the other fields. It reports false where the
// file would be longer than limit.
func (h *header) layOut(limit uint64) bool {
	// Below 2^32 rows of 2^16 elements nothing here overflows, once the lengths
	// that can be anything are within the limit.
	if h.count > math.MaxUint32 || h.dim > maxDim || h.graphBytes > limit || h.noteBytes > limit {
		return false
	}
	h.rowsAt = graphAt + h.graphBytes + checksumBytes
	h.idsAt = h.rowsAt + h.count*uint64(h.dim)*4 + checksumBytes
	h.noteAt = h.idsAt + h.count*4 + checksumBytes
	h.fileBytes = h.noteAt + h.noteBytes + checksumBytes
	return h.fileBytes <= limit
}

func (h *header) encode() []byte {
	b := append(make([]byte, 0, headerBytes+checksumBytes), snapshotMagic...)
	b = binary.LittleEndian.AppendUint32(b, snapshotVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(h.dim))
	for _, n := range []uint64{h.count, h.sequence, h.graphBytes, h.noteBytes, h.fileBytes} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeHeader reads the head of a file of the given size.
func decodeHeader(b []byte, size uint64) (header, error) {
	if string(b[:8]) != snapshotMagic {
		return header{}, fmt.Errorf("%w: it is of another kind", ErrSnapshot)
	}
	if version := binary.LittleEndian.Uint32(b[8:]); version != snapshotVersion {
		return header{}, fmt.Errorf("%w: its version is %d, and %d is known", ErrSnapshot, version, snapshotVersion)
	}
	if crc32.Checksum(b[:headerBytes], castagnoli) != binary.LittleEndian.Uint32(b[headerBytes:]) {
		return header{}, fmt.Errorf("%w: its header is damaged", ErrSnapshot)
	}
	number := func(i int) uint64 { return binary.LittleEndian.Uint64(b[16+8*i:]) }
	h := header{
		dim:   int(min(binary.LittleEndian.Uint32(b[12:]), maxDim+1)),
		count: number(0), sequence: number(1), graphBytes: number(2), noteBytes: number(3),
	}
	if !h.layOut(size) || h.fileBytes != size || h.fileBytes != number(4) {
		return header{}, fmt.Errorf("%w: it is %d bytes long, not the %d that its header says", ErrSnapshot, size, number(4))
	}
	return h, nil
}

// snapshotWriter writes the sections one after the other.
type snapshotWriter struct {
	out        *bufio.Writer
	sum        uint32 // of the section so far
	dim        int
	graphBytes uint64
	ids        []ID // of the rows
}

// snapshotBuffer is how much is written at a time.
const snapshotBuffer = 1 << 20

// Write appends to the section that is being written.
func (w *snapshotWriter) Write(p []byte) (int, error) {
	w.sum = crc32.Update(w.sum, castagnoli, p)
	return w.out.Write(p)
}

// end ends a section.
func (w *snapshotWriter) end() error {
	_, err := w.out.Write(binary.LittleEndian.AppendUint32(nil, w.sum))
	w.sum = 0
	return err
}

// graph writes the section of the graph: the first one.
func (w *snapshotWriter) graph(b []byte) error {
	w.graphBytes = uint64(len(b))
	if _, err := w.Write(b); err != nil {
		return err
	}
	return w.end()
}

// row appends a vector, [dim]float32, and its ID.
func (w *snapshotWriter) row(id ID, vector []float32) error {
	w.ids = append(w.ids, id)
	return w.vector(vector)
}

// vector appends a vector, [dim]float32 or padded, whose ID is known.
func (w *snapshotWriter) vector(vector []float32) error {
	b := w.out.AvailableBuffer()
	for _, x := range vector[:w.dim] {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	_, err := w.Write(b)
	return err
}

// endRows ends the rows, and writes their IDs.
func (w *snapshotWriter) endRows() error {
	if err := w.end(); err != nil {
		return err
	}
	for _, id := range w.ids {
		if _, err := w.Write(binary.LittleEndian.AppendUint32(w.out.AvailableBuffer(), uint32(id))); err != nil {
			return err
		}
	}
	return w.end()
}

// writeSnapshot writes the file from its start.
func writeSnapshot(f snapshotFile, e Engine, s Snapshot) error {
	w := &snapshotWriter{out: bufio.NewWriterSize(f, snapshotBuffer), dim: e.Dim()}
	// A stand-in: how much there is will be known when it is written.
	if _, err := w.out.Write(make([]byte, headerBytes+checksumBytes)); err != nil {
		return err
	}
	if err := dumpEngine(e, w); err != nil {
		return err
	}
	if err := w.endRows(); err != nil {
		return err
	}
	if _, err := w.Write(s.Note); err != nil {
		return err
	}
	if err := w.end(); err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	h := header{dim: e.Dim(), count: uint64(len(w.ids)), sequence: s.Sequence, graphBytes: w.graphBytes, noteBytes: uint64(len(s.Note))}
	if !h.layOut(math.MaxInt64) {
		return errors.New("more than fits into a file")
	}
	_, err := f.WriteAt(h.encode(), 0)
	return err
}

// snapshotReader reads the sections of a file.
type snapshotReader struct {
	header
	file io.ReaderAt
}

// readSnapshot fills e, which is empty, from f.
func readSnapshot(f *os.File, e Engine) (Snapshot, error) {
	info, err := f.Stat()
	if err != nil {
		return Snapshot{}, err
	}
	if !info.Mode().IsRegular() || info.Size() < headerBytes+checksumBytes {
		return Snapshot{}, fmt.Errorf("%w: it is too short", ErrSnapshot)
	}
	return readSnapshotFrom(f, uint64(info.Size()), e)
}

func readSnapshotFrom(f io.ReaderAt, size uint64, e Engine) (Snapshot, error) {
	r := &snapshotReader{file: f}
	head := make([]byte, headerBytes+checksumBytes)
	if err := r.readAt(head, 0); err != nil {
		return Snapshot{}, err
	}
	var err error
	if r.header, err = decodeHeader(head, size); err != nil {
		return Snapshot{}, err
	}
	if r.dim != e.Dim() {
		return Snapshot{}, fmt.Errorf("%w: its dimension is %d, not %d", ErrSnapshot, r.dim, e.Dim())
	}
	note, err := r.section("notes", r.noteAt, r.noteBytes)
	if err != nil {
		return Snapshot{}, err
	}
	ids, err := r.readIDs()
	if err != nil {
		return Snapshot{}, err
	}
	if err := loadEngine(e, r, ids); err != nil {
		return Snapshot{}, err
	}
	return Snapshot{Sequence: r.sequence, Note: note, IDs: ids}, nil
}

// readAt fills p. A file that ends is one that was cut short since its size was
// asked for.
func (r *snapshotReader) readAt(p []byte, at uint64) error {
	n, err := r.file.ReadAt(p, int64(at))
	if n == len(p) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it was cut short", ErrSnapshot)
	}
	return err
}

// section returns the n bytes of a section, checked.
func (r *snapshotReader) section(name string, at, n uint64) ([]byte, error) {
	b := make([]byte, n+checksumBytes)
	if err := r.readAt(b, at); err != nil {
		return nil, err
	}
	if crc32.Checksum(b[:n], castagnoli) != binary.LittleEndian.Uint32(b[n:]) {
		return nil, damaged(name)
	}
	return b[:n:n], nil
}

func damaged(section string) error {
	return fmt.Errorf("%w: its section of %s is damaged", ErrSnapshot, section)
}

// readGraph returns the section of the graph.
func (r *snapshotReader) readGraph() ([]byte, error) {
	return r.section("links", graphAt, r.graphBytes)
}

// readIDs returns the IDs of the rows: no two of them are the same.
func (r *snapshotReader) readIDs() ([]ID, error) {
	b, err := r.section("IDs", r.idsAt, r.count*4)
	if err != nil {
		return nil, err
	}
	ids := make([]ID, r.count)
	seen := new(Set)
	for i := range ids {
		ids[i] = ID(binary.LittleEndian.Uint32(b[4*i:]))
		if seen.Add(ids[i]); seen.Len() != i+1 {
			return nil, fmt.Errorf("%w: an ID comes twice", ErrSnapshot)
		}
	}
	return ids, nil
}
