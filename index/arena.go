package index

import (
	"math"
	"sync"
	"sync/atomic"
	"unsafe"
)

const (
	// rowAlign is the unit of a row, in floats: 64 bytes, a cache line and two
	// AVX2 registers. Rows are padded to it with zeros, which add nothing to a
	// dot product, so that the kernels have no tails.
	rowAlign = 16

	// chunkFloats is the size of a full chunk's rows: 4 MiB, 8,192 rows of 128.
	// Large enough that a graph of a million nodes has a hundred chunks, whose
	// headers stay in the cache; small enough that the part of the last one that is
	// not used yet does not count in a large index.
	chunkFloats = 1 << 20

	// firstRows is how many rows the first chunk begins with, so that a small gallery
	// costs little. Chunks grow twofold up to a growShare-th of their full size, and
	// from there by as much, so that no more than that is ever unused.
	firstRows = 64
	growShare = 8
)

// arena holds the vectors of an index by slot: each as float32 and coded (see
// code.go). A slot never moves; a deleted one is used again, but only when no
// search can be looking at it (see epochs).
//
// One writer at a time changes it; searches read beside it without a lock. What
// they may read is what was published: a slot is published by the entry of its
// ID in slots, which the writer sets last, and which alone says that the slot is
// live. Only a scan, which reads slots without asking first, takes the lock of a
// chunk against the rewriting of slots in it.
type arena struct {
	dim    int
	stride int    // floats per row: dim, padded
	width  int    // codes per row: dim, padded
	shift  uint   // log2 of the rows per full chunk
	links  int    // links of a node on the bottom layer; 0 where there is no graph
	source Source // where the float32 rows are; nil: in the chunks

	next   uint32                   // the first slot that was never taken; the writer's
	used   atomic.Uint32            // slots from here on were never published
	chunks atomic.Pointer[[]*chunk] // replaced as a whole when one is added or grows
	bases  atomic.Pointer[[]base]   // of the chunks, for the graph; replaced after them
	slots  idTable                  // the slots of the live vectors
	live   atomic.Int64             // how many there are
	epochs epochs

	searches atomic.Int64 // how many there were
	// replacing counts twice for each replacement of a vector: before the ID leads
	// to the new slot and after the old slot is out of sight. A search that saw it
	// odd or changing may have met both vectors of an ID, or neither.
	replacing atomic.Uint64
}

// chunk is the rows of consecutive slots.
type chunk struct {
	mu     sync.RWMutex // held for reading while the rows are scanned, for writing while old slots are written
	rows   []float32    // [n*stride]; nil if a source has them
	codes  []int8       // [n*codes]
	scales []float32    // [n]
	errs   []float32    // [n]; deadErr where nothing is to be found
	ids    []atomic.Uint32

	links []atomic.Uint32                   // [n*links]: the neighbours on the bottom layer; noSlot after the last
	upper []atomic.Pointer[[]atomic.Uint32] // [n]: those on the layers above, nil for most
}

func newArena(dim, links int, source Source) *arena {
	a := &arena{
		dim:    dim,
		stride: rowStride(dim),
		width:  codeStride(dim),
		shift:  3, // a chunk has a whole number of row groups
		links:  links,
		source: source,
	}
	for chunkFloats>>(a.shift+1) >= a.stride {
		a.shift++
	}
	a.setChunks(nil)
	return a
}

func (a *arena) newChunk(n int) *chunk {
	c := &chunk{
		codes:  alignedCodes(n * a.width),
		scales: make([]float32, n),
		errs:   make([]float32, n),
		ids:    make([]atomic.Uint32, n),
	}
	if a.source == nil {
		c.rows = alignedFloats(n * a.stride)
	}
	for i := range c.errs {
		c.errs[i] = deadErr
	}
	if a.links > 0 {
		c.links = alignedLinks(n * a.links)
		c.upper = make([]atomic.Pointer[[]atomic.Uint32], n)
		for i := range c.links {
			c.links[i].Store(noSlot)
		}
	}
	return c
}

// base is where the rows of a chunk begin, and their scales: side by side for all
// chunks, without lengths, since a search of the graph looks up thousands.
type base struct {
	codes  unsafe.Pointer // *int8
	scales unsafe.Pointer // *float32
}

// setChunks publishes the chunks.
func (a *arena) setChunks(chunks []*chunk) {
	bases := make([]base, len(chunks))
	for i, c := range chunks {
		bases[i] = base{unsafe.Pointer(unsafe.SliceData(c.codes)), unsafe.Pointer(unsafe.SliceData(c.scales))}
	}
	a.chunks.Store(&chunks)
	a.bases.Store(&bases)
}

// view is what a search reads: the slots below used, at the time it began, as
// far as it goes by codes and links. What it then takes for a hit it looks up
// anew, by [arena.id] and [arena.row].
type view struct {
	*arena
	used   uint32
	chunks []*chunk
	bases  []base
}

// view returns what there is now. REQUIRES: the caller is inside an epoch, or is
// the writer.
func (a *arena) view() view {
	used := a.used.Load() // first: there is a chunk for every used slot
	return view{a, used, *a.chunks.Load(), *a.bases.Load()}
}

// at returns the chunk of slot and the slot's place in it.
func (v *view) at(slot uint32) (*chunk, int) {
	return v.chunks[slot>>v.shift], int(slot & (1<<v.shift - 1))
}

// code returns the coded row at slot, [codes]int8.
func (v *view) code(slot uint32) []int8 {
	c, i := v.at(slot)
	return c.codes[i*v.arena.width : (i+1)*v.arena.width : (i+1)*v.arena.width]
}

// at returns the chunk of slot, as it is now, and the slot's place in it.
func (a *arena) at(slot uint32) (*chunk, int) {
	return (*a.chunks.Load())[slot>>a.shift], int(slot & (1<<a.shift - 1))
}

// dead reports whether the vector at slot was deleted.
func (v *view) dead(slot uint32) bool {
	c, i := v.at(slot)
	return loadErr(&c.errs[i]) == deadErr
}

// row returns the padded row at slot, [stride]float32, where id lies: that in the
// chunk, or what the source says, in buffer. It returns nil if the source has
// nothing any more; an error is the source's.
func (a *arena) row(slot uint32, id ID, buffer *[]float32) ([]float32, error) {
	if a.source == nil {
		c, i := a.at(slot)
		return c.rows[i*a.stride : (i+1)*a.stride : (i+1)*a.stride], nil
	}
	if *buffer == nil {
		*buffer = alignedFloats(a.stride)
	}
	if ok, err := a.source(id, (*buffer)[:a.dim:a.dim]); !ok || err != nil {
		return nil, err
	}
	return *buffer, nil
}

// id returns the ID whose vector lies at slot; false if there is none. Where
// there is one, row returns its vector.
func (a *arena) id(slot uint32) (ID, bool) {
	c, i := a.at(slot)
	id := ID(c.ids[i].Load())
	now, ok := a.slots.get(id)
	return id, ok && now == slot
}

// extend returns a slot that was never used, for which there is a chunk.
// REQUIRES: the caller is the writer.
func (a *arena) extend() uint32 {
	slot := a.next
	chunks := *a.chunks.Load()
	full := 1 << a.shift
	at, n := int(slot>>a.shift), int(slot)&(full-1)
	step := max(full/growShare, rowGroup) // a whole number of groups
	switch {
	case at == 0 && len(chunks) == 0:
		a.setChunks([]*chunk{a.newChunk(min(step, firstRows))})
	case at == len(chunks):
		a.setChunks(append(chunks[:at:at], a.newChunk(step)))
	case n == len(chunks[at].ids):
		grown := make([]*chunk, len(chunks))
		copy(grown, chunks)
		grown[at] = a.grow(chunks[at], min(2*n, n+step))
		a.setChunks(grown)
	}
	a.next++
	return slot
}

// grow returns a copy of c with n rows. Searches that hold c go on with
// it, and see what was published before they began.
func (a *arena) grow(c *chunk, n int) *chunk {
	g := a.newChunk(n)
	copy(g.rows, c.rows)
	copy(g.codes, c.codes)
	copy(g.scales, c.scales)
	copy(g.errs, c.errs)
	for i := range c.ids {
		g.ids[i].Store(c.ids[i].Load())
	}
	for i := range c.links {
		g.links[i].Store(c.links[i].Load())
	}
	for i := range c.upper {
		g.upper[i].Store(c.upper[i].Load())
	}
	return g
}

// write puts a copy of vector, [dim]float32, and its ID into a slot that nobody
// can see.
func (a *arena) write(slot uint32, id ID, vector []float32) {
	c, i := a.at(slot)
	c.mu.Lock() // a scan may be passing over the slot: it was used before, or completes a group
	defer c.mu.Unlock()
	if c.rows != nil {
		copy(c.rows[i*a.stride:], vector)
	}
	c.scales[i], c.errs[i] = encodeRow(vector, c.codes[i*a.width:(i+1)*a.width])
	c.ids[i].Store(uint32(id))
}

// hide makes the slot invisible to scans; its ID is forgotten already.
func (a *arena) hide(slot uint32) {
	c, i := a.at(slot)
	c.mu.Lock()
	defer c.mu.Unlock()
	storeErr(&c.errs[i], deadErr) // whoever met the slot by its ID reads it without the lock
}

// wipe clears what lies at slot: a deleted vector must not linger in memory.
// REQUIRES: nobody can see the slot.
func (a *arena) wipe(slot uint32) {
	c, i := a.at(slot)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rows != nil {
		clear(c.rows[i*a.stride : (i+1)*a.stride])
	}
	clear(c.codes[i*a.width : (i+1)*a.width])
	c.scales[i] = 0
	if a.links > 0 {
		for j := range a.links {
			c.links[i*a.links+j].Store(noSlot)
		}
		c.upper[i].Store(nil)
	}
}

func loadErr(err *float32) float32 {
	return math.Float32frombits(atomic.LoadUint32((*uint32)(unsafe.Pointer(err))))
}

func storeErr(err *float32, to float32) {
	atomic.StoreUint32((*uint32)(unsafe.Pointer(err)), math.Float32bits(to))
}

// rowStride returns the length of a padded row of dim elements.
func rowStride(dim int) int { return (dim + rowAlign - 1) / rowAlign * rowAlign }

// pad returns v as a row: v itself if it needs no padding.
func pad(v []float32) []float32 {
	if n := rowStride(len(v)); n > len(v) {
		row := make([]float32, n)
		copy(row, v)
		return row
	}
	return v
}

func (a *arena) bytes() int64 {
	n := a.slots.bytes()
	for _, c := range *a.chunks.Load() {
		n += int64(cap(c.rows))*4 + int64(cap(c.codes)) + int64(len(c.ids))*12
		n += int64(cap(c.links))*4 + int64(len(c.upper))*8
	}
	return n
}

// alignedFloats returns n zeros that begin at a multiple of 64 bytes.
func alignedFloats(n int) []float32 {
	buf := alignedBytes(4 * n)
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(buf))), n)
}

func alignedCodes(n int) []int8 {
	buf := alignedBytes(n)
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(buf))), n)
}

func alignedLinks(n int) []atomic.Uint32 {
	buf := alignedBytes(4 * n)
	return unsafe.Slice((*atomic.Uint32)(unsafe.Pointer(unsafe.SliceData(buf))), n)
}

// alignedBytes returns n zeros that begin at a cache line.
func alignedBytes(n int) []byte {
	const line = 64
	buf := make([]byte, n+line-1)
	skip := 0
	if past := uintptr(unsafe.Pointer(unsafe.SliceData(buf))) % line; past != 0 {
		skip = int(line - past)
	}
	return buf[skip : skip+n : skip+n]
}
