package index

import "rollcall/index/kernel"

const (
	// blockRows is how many rows one kernel call bounds: so many that the cost of
	// the call does not matter, so few that the bounds (1 KiB) stay on the stack.
	blockRows = 256

	// gatherCost is the cost of bounding one row by its ID, in rows of the scan.
	// Such a row needs a look-up and a cache miss of its own, while the scan
	// reads ahead.
	gatherCost = 4

	// gatherRows is how many rows a gather fetches at a time.
	gatherRows = 32
)

// scanner finds the exact best hits of one query. It bounds every row from above
// by its codes, and scores in float32 the rows that are not surely worse than k
// others. It asks only of these whether they live and are allowed: they are few.
type scanner struct {
	*state
	query []float32 // padded
	coded codedQuery
	allow *Set
	best  *topK
	cut   float32 // a row whose bound is below this one is not among the best
}

// nearest returns the exact best k hits for query, [dim]float32.
// REQUIRES: 1 <= k <= s.live().
func (s *state) nearest(query []float32, k int, allow *Set) []Hit {
	n := scanner{state: s, query: pad(query), allow: allow}
	n.coded.encode(query)
	n.start(k)
	if allow == nil || allow.Len() >= int(s.used)/gatherCost {
		n.scan()
	} else if !n.gather() {
		n.start(k)
		n.scan()
	}
	return n.best.sorted()
}

func (s *scanner) start(k int) {
	s.best = newTopK(k)
	s.cut = s.best.floor()
}

// scan bounds every row.
func (s *scanner) scan() {
	for i := range s.chunks {
		c, first := &s.chunks[i], i<<s.shift
		n := min(len(c.ids), int(s.used)-first)
		for at := 0; at < n; at += blockRows {
			s.block(c, first, at, min(blockRows, n-at))
		}
	}
}

// block bounds n rows of a chunk, from at on, and offers those that may be hits.
func (s *scanner) block(c *chunk, first, at, n int) {
	var bounds [blockRows]float32
	groups := n / kernel.RowGroup * kernel.RowGroup
	kernel.BoundRows(s.coded.d, c.codes[at*s.width:(at+groups)*s.width],
		c.scales[at:at+groups], c.errs[at:at+groups], s.coded.t, s.coded.reach, bounds[:groups])
	for i, bound := range bounds[:groups] {
		if bound >= s.cut {
			s.offer(uint32(first + at + i))
		}
	}
	if groups < n { // the last rows of all: somebody may be writing the rest of their group
		var slots [gatherRows]uint32
		for i := range n - groups {
			slots[i] = uint32(first + at + groups + i)
		}
		s.some(&slots, n-groups)
	}
}

// gather bounds the rows of the allowed IDs, some at a time. It reports false if
// it cannot know what this state has under one of them.
func (s *scanner) gather() bool {
	var slots [gatherRows]uint32
	n := 0
	for id := range s.allow.All() {
		slot, ok := s.slots.get(id)
		if !ok {
			continue
		}
		if slot >= s.used { // added later: the slot that the ID had in this state is not known any more
			return false
		}
		slots[n] = slot
		if n++; n == gatherRows {
			s.some(&slots, n)
			n = 0
		}
	}
	s.some(&slots, n)
	return true
}

// some bounds the rows at the first n slots and offers those that may be hits.
func (s *scanner) some(slots *[gatherRows]uint32, n int) {
	if n == 0 {
		return
	}
	var rows [gatherRows]*int8
	var dots [gatherRows]int32
	for i, slot := range slots[:n] {
		rows[i] = &s.code(slot)[0]
	}
	group := fillGroup(rows[:], n)
	kernel.DotCodesAt(s.coded.d, rows[:group], dots[:group])
	for i, slot := range slots[:n] {
		c, at := s.at(slot)
		if s.coded.bound(dots[i], c.scales[at], c.errs[at]) >= s.cut {
			s.offer(slot)
		}
	}
}

// offer scores a row, if it is stored and allowed.
func (s *scanner) offer(slot uint32) {
	if !s.lives(slot) {
		return
	}
	c, i := s.at(slot)
	if s.allow == nil || s.allow.Has(c.ids[i]) {
		s.best.offer(c.ids[i], kernel.Dot(s.query, s.row(slot)))
		s.cut = s.best.floor() - s.coded.slack // this subtraction rounds too: slack, twice what is needed, covers it (codedQuery.encode)
	}
}

// fillGroup completes the last group of n rows by repeating one, and returns how
// many rows there are then. REQUIRES: n >= 1, len(rows) is a multiple of
// kernel.RowGroup.
func fillGroup(rows []*int8, n int) int {
	group := roundTo(n, kernel.RowGroup)
	for i := n; i < group; i++ {
		rows[i] = rows[0]
	}
	return group
}
