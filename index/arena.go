package index

import (
	"sync/atomic"
	"unsafe"

	"rollcall/index/kernel"
)

const (
	// chunkFloats is the size of a full chunk's rows: 2 MiB, 4,096 rows of 128.
	// It is small enough that wiping a row, which copies its chunk, takes a
	// fraction of a millisecond. It is large enough that the ends of chunks do
	// not slow a scan down (with half as much, a scan of 100,000 rows of 512 took
	// 3 % longer).
	chunkFloats = 1 << 19

	// firstRows is how many rows a chunk begins with, so that a small gallery costs
	// little. It grows twofold until it is full.
	firstRows = 64
)

// arena holds the vectors of an index by slot: each as float32 and coded (see
// code.go). A vector is written into a new slot and stays there until it is
// deleted; a slot is never used again. An arena with many dead slots is copied
// (rebuild.go).
//
// Only one goroutine at a time changes it, the writer. Searches read a [state].
type arena struct {
	dim    int
	stride int  // floats per row: dim, padded
	width  int  // codes per row: dim, padded
	shift  uint // log2 of the rows per full chunk

	slots    idTable // the latest slot of each ID, living or dead
	now      atomic.Pointer[state]
	reserved int // how many rows there will be in all; only the writer uses it
}

// state is what is stored at one moment. It never changes: a search that holds
// one sees the same vectors to its end. The garbage collector frees a state that
// nobody holds any more.
//
// Two numbers, and a mark for each slot, make a state cheap. Slots are written
// one after the other, so a slot that was added later has a higher number. Deaths
// are counted, so a slot that died later has a higher number of its death.
type state struct {
	*arena
	used    uint32 // slots below this one were added
	written uint32 // slots below this one have a row, which a graph may go through; >= used
	deaths  uint32 // how many slots had died
	chunks  []chunk
}

// chunk is the rows of consecutive slots. Nothing below state.written changes,
// except died.
type chunk struct {
	rows   []float32 // [n*stride]
	codes  []int8    // [n*width]
	scales []float32 // [n]
	errs   []float32 // [n]
	ids    []ID
	died   []atomic.Uint32 // the number of the slot's death; 0 while it lives
}

func newArena(dim int) *arena {
	a := &arena{dim: dim, stride: roundTo(dim, kernel.RowAlign), width: roundTo(dim, kernel.CodeAlign), shift: 3}
	for chunkFloats>>(a.shift+1) >= a.stride {
		a.shift++
	}
	a.now.Store(&state{arena: a})
	return a
}

func (a *arena) newChunk(n int) chunk {
	return chunk{
		rows:   aligned[float32](n * a.stride),
		codes:  aligned[int8](n * a.width),
		scales: make([]float32, n),
		errs:   make([]float32, n),
		ids:    make([]ID, n),
		died:   make([]atomic.Uint32, n),
	}
}

// at returns the chunk of slot and the slot's place in it.
func (s *state) at(slot uint32) (*chunk, int) {
	return &s.chunks[slot>>s.shift], int(slot & (1<<s.shift - 1))
}

// live returns how many vectors are stored.
func (s *state) live() int { return int(s.used - s.deaths) }

// dead reports whether the vector at slot was deleted.
// REQUIRES: slot is below s.written.
func (s *state) dead(slot uint32) bool {
	c, i := s.at(slot)
	died := c.died[i].Load()
	return died != 0 && died <= s.deaths
}

// lives reports whether the vector at slot is stored.
func (s *state) lives(slot uint32) bool { return slot < s.used && !s.dead(slot) }

// find returns the slot of the vector that is stored under id; false if there is
// none, or if another vector was added under id later.
func (s *state) find(id ID) (slot uint32, ok bool) {
	slot, ok = s.slots.get(id)
	return slot, ok && s.lives(slot)
}

// row returns the padded row at slot, [stride]float32.
func (s *state) row(slot uint32) []float32 {
	c, i := s.at(slot)
	return c.rows[i*s.stride : (i+1)*s.stride : (i+1)*s.stride]
}

// code returns the coded row at slot, [width]int8.
func (s *state) code(slot uint32) []int8 {
	c, i := s.at(slot)
	return c.codes[i*s.width : (i+1)*s.width : (i+1)*s.width]
}

// write puts copies of vectors, [dim]float32 each, and their IDs into new slots.
// Nobody finds them before [arena.publish].
// REQUIRES: the caller is the writer.
func (a *arena) write(ids []ID, vectors [][]float32) {
	next := *a.now.Load()
	first := next.written
	next.written += uint32(len(ids))
	next.chunks = a.extended(next.chunks, int(first), int(next.written))
	inParallel(len(ids), processors(), func(from, to int) {
		for i := from; i < to; i++ {
			slot := first + uint32(i)
			c, at := next.at(slot)
			copy(next.row(slot), vectors[i])
			c.scales[at], c.errs[at] = encodeRow(vectors[i], next.code(slot))
			c.ids[at] = ids[i]
		}
	})
	a.now.Store(&next)
}

// publish makes what was written a part of what is stored.
// REQUIRES: the caller is the writer; nothing is stored under the IDs.
func (a *arena) publish() {
	next := *a.now.Load()
	for ; next.used < next.written; next.used++ {
		c, i := next.at(next.used)
		a.slots.set(c.ids[i], next.used)
	}
	a.now.Store(&next)
}

// bury takes the vector at slot out of what is stored.
// REQUIRES: the caller is the writer; the slot lives.
func (a *arena) bury(slot uint32) {
	next := *a.now.Load()
	next.deaths++
	c, i := next.at(slot)
	c.died[i].Store(next.deaths)
	a.now.Store(&next)
}

// extended returns chunks with room for the slots before end, where those before
// used are written.
func (a *arena) extended(chunks []chunk, used, end int) []chunk {
	full := 1 << a.shift
	room := 0
	if n := len(chunks); n > 0 {
		room = (n-1)*full + len(chunks[n-1].ids)
	}
	if room >= end {
		return chunks
	}
	longer := make([]chunk, 0, (max(end, a.reserved)+full-1)/full)
	longer = append(longer, chunks...)
	for room < end {
		last := len(longer) - 1
		if last < 0 || len(longer[last].ids) == full {
			longer = append(longer, chunk{})
			last++
		}
		first := last * full
		n := max(2*len(longer[last].ids), roundTo(max(end, a.reserved)-first, firstRows))
		n = min(n, full)
		longer[last] = a.grown(longer[last], n, max(0, used-first))
		room = first + n
	}
	return longer
}

// grown returns a copy of the first used rows of c, with room for n.
func (a *arena) grown(c chunk, n, used int) chunk {
	g := a.newChunk(n)
	copy(g.rows, c.rows[:used*a.stride])
	copy(g.codes, c.codes[:used*a.width])
	copy(g.scales, c.scales[:used])
	copy(g.errs, c.errs[:used])
	copy(g.ids, c.ids[:used])
	for i := range used {
		g.died[i].Store(c.died[i].Load())
	}
	return g
}

func (a *arena) bytes() int64 {
	n := a.slots.bytes()
	for _, c := range a.now.Load().chunks {
		n += int64(len(c.rows))*4 + int64(len(c.codes)) + int64(len(c.ids))*16
	}
	return n
}

// roundTo returns the least multiple of unit that is not below n.
func roundTo(n, unit int) int { return (n + unit - 1) / unit * unit }

// pad returns v as a row: v itself if it needs no padding.
func pad(v []float32) []float32 {
	if n := roundTo(len(v), kernel.RowAlign); n > len(v) {
		row := make([]float32, n)
		copy(row, v)
		return row
	}
	return v
}

// aligned returns n zeros that begin at a cache line.
func aligned[T int8 | float32 | atomic.Uint32](n int) []T {
	const line = 64
	var zero T
	size := int(unsafe.Sizeof(zero))
	buf := make([]byte, n*size+line-1)
	skip := 0
	if past := uintptr(unsafe.Pointer(unsafe.SliceData(buf))) % line; past != 0 {
		skip = int(line - past)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&buf[skip])), n)
}
