package index

import (
	"math/bits"
	"unsafe"
)

const (
	// rowAlign is the unit of a row, in floats: 64 bytes, a cache line and two
	// AVX2 registers. Rows are padded to it with zeros, which add nothing to a
	// dot product, so that the kernels have no tails.
	rowAlign = 16

	// chunkFloats is the size of a chunk: 1 MiB, 2,048 rows of 128. Large enough
	// that the scan hardly notices the seams, small enough to waste little on
	// the gallery of a small school.
	chunkFloats = 1 << 18
)

// arena holds the vectors of an engine: row after row, without holes, in chunks
// of fixed size, so that growing copies nothing that is there. A row's place is
// its slot; deleting moves the last row into the hole, so slots change with any
// deletion. Not safe for concurrent use: an engine guards its arena.
type arena struct {
	dim    int
	stride int  // floats per row: dim, padded
	shift  uint // log2 of the rows per chunk

	chunks [][]float32
	ids    []ID    // by slot
	slots  idTable // by ID
}

func newArena(dim int) *arena {
	stride := (dim + rowAlign - 1) / rowAlign * rowAlign
	return &arena{
		dim:    dim,
		stride: stride,
		shift:  uint(bits.Len(chunkFloats/uint(stride))) - 1,
	}
}

func (a *arena) len() int { return len(a.ids) }

// run returns up to max consecutive rows from slot on, [n*stride]float32 with n
// at least 1, as far as they lie side by side.
// REQUIRES: slot is below the capacity of the chunks; beyond len lie zeros.
func (a *arena) run(slot, max int) []float32 {
	perChunk := 1 << a.shift
	at := slot & (perChunk - 1)
	n := min(max, perChunk-at)
	return a.chunks[slot>>a.shift][at*a.stride : (at+n)*a.stride : (at+n)*a.stride]
}

// row returns the row at slot, [stride]float32, padded.
func (a *arena) row(slot int) []float32 { return a.run(slot, 1) }

// get returns the padded row of id, or nil. It is valid until the next change.
func (a *arena) get(id ID) []float32 {
	slot, ok := a.slots.get(id)
	if !ok {
		return nil
	}
	return a.row(int(slot))
}

// put stores a copy of v, [dim]float32, under id.
func (a *arena) put(id ID, v []float32) {
	if row := a.get(id); row != nil {
		copy(row, v)
		return
	}
	slot := len(a.ids)
	if slot>>a.shift == len(a.chunks) {
		a.chunks = append(a.chunks, alignedFloats(a.stride<<a.shift))
	}
	copy(a.row(slot), v)
	a.ids = append(a.ids, id)
	a.slots.set(id, uint32(slot))
}

// remove deletes the row of id and reports whether there was one.
func (a *arena) remove(id ID) bool {
	hole, ok := a.slots.get(id)
	if !ok {
		return false
	}
	last := len(a.ids) - 1
	lastID, lastRow := a.ids[last], a.row(last)
	copy(a.row(int(hole)), lastRow)
	a.ids[hole] = lastID
	a.slots.set(lastID, hole)
	a.slots.remove(id) // after the line before: id may be the last one

	// A deleted vector must not linger in memory, nor under the next row's tail.
	clear(lastRow)
	a.ids = a.ids[:last]
	a.shrink()
	return true
}

// shrink gives back chunks without rows, but for one, so that deleting and
// storing at the seam of two chunks does not allocate each time.
func (a *arena) shrink() {
	used := (len(a.ids) + 1<<a.shift - 1) >> a.shift
	for len(a.chunks) > used+1 {
		a.chunks[len(a.chunks)-1] = nil
		a.chunks = a.chunks[:len(a.chunks)-1]
	}
}

// pad returns v, [dim]float32, as a row: v itself if it needs no padding.
func (a *arena) pad(v []float32) []float32 {
	if len(v) == a.stride {
		return v
	}
	row := make([]float32, a.stride)
	copy(row, v)
	return row
}

func (a *arena) bytes() int64 {
	return int64(len(a.chunks))*int64(a.stride<<a.shift)*4 + int64(cap(a.ids))*4 + a.slots.bytes()
}

// alignedFloats returns n zeros that begin at a multiple of 64 bytes.
func alignedFloats(n int) []float32 {
	const align = rowAlign * 4
	buf := make([]float32, n+rowAlign-1)
	skip := 0
	if past := uintptr(unsafe.Pointer(&buf[0])) % align; past != 0 {
		skip = int(align-past) / 4
	}
	return buf[skip : skip+n : skip+n]
}
