package index

import "rollcall/index/kernel"

const (
	// blockRows is how many rows one kernel call bounds: enough that the call does
	// not count, few enough that the bounds (1 KiB) stay on the stack.
	blockRows = 256

	// gatherCost is what bounding one row by its ID costs, in rows of the scan: it
	// has a look-up and a cache miss of its own, and the scan reads ahead.
	gatherCost = 4

	// gatherRows is how many rows a gather fetches at a time.
	gatherRows = 32
)

// scanner finds the exact best hits of one query. It bounds every row from above by
// its codes, and scores in float32 what is not surely worse than k others. Only
// then it asks whether the row lives and is allowed: few get so far.
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
	if groups < n { // the last rows of all; the rest of their group may be being written
		var slots [gatherRows]uint32
		for i := range n - groups {
			slots[i] = uint32(first + at + groups + i)
		}
		s.some(&slots, n-groups)
	}
}

// gather bounds the rows of the allowed IDs, some at a time. It reports false if it
// cannot tell what is stored under one of them.
func (s *scanner) gather() bool {
	var slots [gatherRows]uint32
	n := 0
	for id := range s.allow.All() {
		slot, ok := s.slots.get(id)
		if !ok {
			continue
		}
		if slot >= s.used { // added since: the slot that it had before is not known any more
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
		s.cut = s.best.floor() - s.coded.slack // this rounds, and slack is twice what is needed: see codedQuery.encode
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
