package index

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"

	"rollcall/index/kernel"
)

// found is a node that a search has met, in one word. The score is in the upper
// half, so that words compare like scores; the slot is in the lower half. The
// score is the similarity times a factor, which is the same for all nodes of one
// search.
type found uint64

// expanded marks a found node whose neighbours have been looked at; slots are
// below it.
const expanded = 1 << 31

func newFound(score float32, slot uint32) found {
	// The bits of a float sort like its magnitude. To sort by value, the sign bit
	// is flipped, and for a negative float all bits are.
	word := math.Float32bits(score)
	word ^= uint32(int32(word)>>31) | 1<<31
	return found(word)<<32 | found(slot)
}

func (f found) score() float32 {
	word := uint32(f >> 32)
	return math.Float32frombits(word ^ (^uint32(int32(word)>>31) | 1<<31))
}

func (f found) slot() uint32 { return uint32(f) &^ expanded }

// scratch is what one search of the graph works with. It is pooled: clearing the
// bitmap is cheap, allocating it is not.
type scratch struct {
	visited []uint64 // by slot, one bit each
	beam    []found  // best first
	heap    []found  // candidates of a filtered search
	query   codedQuery
	n       int            // how many nodes were scored last
	nodes   [graphM0]found // the nodes scored last

	pick picker // only insertions use it
}

type scratchPool struct{ sync.Pool }

// get returns a scratch whose bitmap is as large as the view, and clear.
func (p *scratchPool) get(v *view) *scratch {
	s, _ := p.Get().(*scratch)
	if s == nil {
		s = new(scratch)
	}
	s.reset(v)
	return s
}

func (s *scratch) reset(v *view) {
	words := int(v.written+63) / 64
	if cap(s.visited) < words {
		s.visited = make([]uint64, words+words/4)
	}
	s.visited = s.visited[:words]
	clear(s.visited)
	s.beam = s.beam[:0]
}

// mark notes that the search has met a node.
func (s *scratch) mark(slot uint32) { s.visited[slot/64] |= 1 << (slot % 64) }

// look scores those neighbours of a node that were not met yet, and marks them.
// Nodes that were added after the search began do not count.
func (s *scratch) look(v *view, links []atomic.Uint32) {
	var b rowBatch
	visited, used := s.visited, v.written
	for i := range links {
		slot := links[i].Load()
		if slot >= used {
			if slot == noSlot {
				break
			}
			continue
		}
		word, bit := &visited[slot/64], uint64(1)<<(slot%64)
		if *word&bit == 0 {
			*word |= bit
			b.add(v, slot)
		}
	}
	s.score(&b, s.query.d)
}

// lookAgain scores the neighbours of a node, also those that were met before.
func (s *scratch) lookAgain(v *view, links []atomic.Uint32) {
	var b rowBatch
	for i := range links {
		slot := links[i].Load()
		if slot == noSlot {
			break
		}
		if slot < v.written {
			b.add(v, slot)
		}
	}
	s.score(&b, s.query.d)
}

// rowBatch is rows to be scored at once. It lives on the stack.
type rowBatch struct {
	n      uint32
	slots  [graphM0]uint32
	scales [graphM0]float32
	rows   [graphM0]*int8
}

// add adds the row at slot. REQUIRES: there is room; slot is below v.written.
func (b *rowBatch) add(v *view, slot uint32) {
	c, at := &v.chunks[slot>>(v.shift%32)], uintptr(slot&(1<<(v.shift%32)-1))
	i := b.n % graphM0
	b.slots[i] = slot
	b.scales[i] = c.scales[at]
	b.rows[i] = (*int8)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(c.codes)), at*uintptr(v.width)))
	b.n++
}

// score leaves in nodes the rows of the batch with their scores.
func (s *scratch) score(b *rowBatch, query []int16) {
	s.n = int(b.n)
	if s.n == 0 {
		return
	}
	var dots [graphM0]int32
	group := fillGroup(b.rows[:], s.n)
	kernel.DotCodesAt(query, b.rows[:group], dots[:group])
	for i := range s.n {
		s.nodes[i%graphM0] = newFound(float32(dots[i%graphM0])*b.scales[i%graphM0], b.slots[i%graphM0])
	}
}

// begin scores one node.
func (s *scratch) begin(v *view, slot uint32) found {
	var b rowBatch
	b.add(v, slot)
	s.score(&b, s.query.d)
	return s.nodes[0]
}

// descend goes from node greedily to the nearest node of each layer, from level
// down to the one above layer (algorithm 2 with ef = 1).
func (s *scratch) descend(v *view, node uint32, level, layer int) uint32 {
	best := s.begin(v, node)
	for ; level > layer; level-- {
		for from := found(0); from != best; {
			from = best
			s.lookAgain(v, v.neighbours(best.slot(), level))
			for _, f := range s.nodes[:s.n] {
				best = max(best, f)
			}
		}
	}
	return best.slot()
}

// search leaves in the beam the nearest ef nodes that it finds on a layer,
// starting from node (algorithm 2). The beam serves as both queues of the paper:
// a candidate that falls out of the best ef would never be expanded.
func (s *scratch) search(v *view, node uint32, layer, ef int) {
	s.mark(node)
	s.beam = append(s.beam[:0], s.begin(v, node))
	for next := 0; next < len(s.beam); {
		current := s.beam[next].slot()
		s.beam[next] |= expanded
		next = s.next(next)
		if next < len(s.beam) && layer == 0 {
			// After the neighbours are scored, it is mostly the turn of this one.
			v.prefetch(s.beam[next].slot())
		}
		s.look(v, v.neighbours(current, layer))
		for _, f := range s.nodes[:s.n] {
			next = min(next, s.insert(f, ef))
		}
		next = s.next(next)
	}
}

// next returns the place of the first node in the beam, from the given one on,
// that is not expanded.
func (s *scratch) next(from int) int {
	for from < len(s.beam) && s.beam[from]&expanded != 0 {
		from++
	}
	return from
}

// insert puts f into the beam of at most ef nodes, and returns its place; ef if
// it is not among them.
func (s *scratch) insert(f found, ef int) int {
	n := len(s.beam)
	if n < ef {
		s.beam = append(s.beam, f)
	} else if n--; f <= s.beam[n] {
		return ef
	}
	// A binary search without branches, because the processor could not predict
	// them: the borrow of a subtraction says that the node there is less than f.
	beam := s.beam
	at := 0
	for left := n; left > 0; {
		half := (left + 1) / 2
		_, less := bits.Sub64(uint64(beam[at+half-1]), uint64(f), 0)
		at += half & (int(less) - 1)
		left -= half
	}
	copy(beam[at+1:n+1], beam[at:n])
	beam[at] = f
	return at
}

// nearest is a search for the best k hits, everywhere or within a set.
func (g *hnsw) nearest(state *state, query []float32, k int, allow *Set) (hits []Hit, ok bool) {
	node, level, ok := g.top()
	if !ok || node >= state.written { // the first node is newer than this state
		return nil, false
	}
	v, ef := g.view(state), g.effort(k)
	if allow != nil && (allow.Len() < 2*k || !v.worthAllowed(ef, allow)) {
		return nil, false
	}
	s := g.scratch.get(v)
	defer g.scratch.Put(s)
	s.query.encode(query)
	node = s.descend(v, node, level, 0)
	if allow == nil {
		s.search(v, node, 0, ef)
	} else if !s.searchAllowed(v, node, ef, allow, v.scanCost(allow)/visitCost) {
		return nil, false
	}
	return s.hits(v, query, k, allow), true
}

// hits scores the nodes of the beam again in float32, except those whose bound is
// too low, and returns the best k.
func (s *scratch) hits(v *view, query []float32, k int, allow *Set) []Hit {
	query = pad(query)
	best := newTopK(k, 0)
	for _, f := range s.beam {
		slot := f.slot()
		c, i := v.at(slot)
		if f.score()*s.query.t+s.query.reach*c.errs[i]+s.query.slack < best.floor() {
			continue
		}
		if v.lives(slot) && (allow == nil || allow.Has(c.ids[i])) {
			best.offer(c.ids[i], kernel.Dot(query, v.row(slot)))
		}
	}
	return best.sorted()
}
