package index

import "rollcall/index/kernel"

const (
	// blockRows is how many rows one kernel call bounds: so many that the cost of
	// the call does not matter, so few that the bounds (1 KiB a query) stay on the
	// stack.
	blockRows = 256

	// gatherCost is the cost of bounding one row by its ID, in rows of the scan.
	// Such a row needs a look-up and a cache miss of its own, while the scan
	// reads ahead.
	gatherCost = 4

	// gatherRows is how many rows a gather fetches at a time.
	gatherRows = 32
)

// scanner finds the exact best hits of some queries. It bounds every row from above by its
// codes, and scores in float32 the rows that are not surely worse than k others. It asks
// only of these whether they live and are allowed: they are few. Each row is read once for
// all queries.
type scanner struct {
	*state
	allow   *Set
	least   float32 // see Query.Least
	queries []scannedQuery
}

// scannedQuery is a query and what a scan has found for it.
type scannedQuery struct {
	query []float32 // padded
	coded codedQuery
	best  *topK
	cut   float32 // a row whose bound is below this one is not among the best
}

// nearest returns the exact best k hits for query, [dim]float32, that reach least.
// REQUIRES: 1 <= k <= s.live().
func (s *state) nearest(query []float32, k int, least float32, allow *Set) []Hit {
	var queries [1]scannedQuery
	n := scanner{state: s, allow: allow, least: least, queries: queries[:]}
	q := &n.queries[0]
	q.query = pad(query)
	q.coded.encode(query)
	n.start(k)
	if !n.gathers(k) {
		n.scan(0, s.used)
	}
	return q.best.sorted()
}

// start begins anew, with room for k hits of each query.
func (s *scanner) start(k int) {
	for i := range s.queries {
		q := &s.queries[i]
		q.best = newTopK(k, s.least)
		q.cut = q.best.floor() - q.coded.slack
	}
}

// scan bounds the rows of the slots from from to to-1. REQUIRES: from is a multiple of
// kernel.RowGroup, to too or it is s.used.
func (s *scanner) scan(from, to uint32) {
	for from < to {
		c, at := s.at(from)
		n := min(blockRows, 1<<s.shift-at, int(to-from))
		s.block(c, from, at, n)
		from += uint32(n)
	}
}

// block bounds n rows of a chunk, from the slot first on, which lies at at, and offers
// those that may be hits.
func (s *scanner) block(c *chunk, first uint32, at, n int) {
	groups := n / kernel.RowGroup * kernel.RowGroup
	codes, scales, errs := c.codes[at*s.width:(at+groups)*s.width], c.scales[at:at+groups], c.errs[at:at+groups]
	left := s.queries
	for ; len(left) >= kernel.QueryGroup; left = left[kernel.QueryGroup:] {
		s.boundGroup(left[:kernel.QueryGroup], first, codes, scales, errs)
	}
	for i := range left {
		var bounds [blockRows]float32
		q := &left[i]
		kernel.BoundRows(q.coded.d, codes, scales, errs, q.coded.t, q.coded.reach, bounds[:groups])
		s.offerAll(q, first, bounds[:groups])
	}
	if groups < n { // the last rows of all: somebody may be writing the rest of their group
		var slots [gatherRows]uint32
		for i := range n - groups {
			slots[i] = first + uint32(groups+i)
		}
		s.some(&slots, n-groups)
	}
}

// boundGroup bounds rows for a group of queries. REQUIRES: the queries' codes lie side by
// side.
func (s *scanner) boundGroup(queries []scannedQuery, first uint32, codes []int8, scales, errs []float32) {
	var t, reach [kernel.QueryGroup]float32
	for i := range queries {
		t[i], reach[i] = queries[i].coded.t, queries[i].coded.reach
	}
	var bounds [kernel.QueryGroup * blockRows]float32
	side := queries[0].coded.d[:kernel.QueryGroup*s.width]
	kernel.BoundGroup(side, codes, scales, errs, &t, &reach, bounds[:])
	for i := range queries {
		s.offerAll(&queries[i], first, bounds[i*len(scales):(i+1)*len(scales)])
	}
}

// offerAll offers the rows of consecutive slots whose bounds say that they may be hits.
func (s *scanner) offerAll(q *scannedQuery, first uint32, bounds []float32) {
	for i := kernel.Reaching(bounds, q.cut); i < len(bounds); i += 1 + kernel.Reaching(bounds[i+1:], q.cut) {
		s.offer(q, first+uint32(i))
	}
}

// gathers looks at the allowed IDs alone, if they are few enough, and reports whether it
// found the hits so.
func (s *scanner) gathers(k int) bool {
	if s.allow == nil || s.allow.Len() >= int(s.used)/gatherCost {
		return false
	}
	if s.gather() {
		return true
	}
	s.start(k)
	return false
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
	for i, slot := range slots[:n] {
		rows[i] = &s.code(slot)[0]
	}
	group := fillGroup(rows[:], n)
	for i := range s.queries {
		q := &s.queries[i]
		var dots [gatherRows]int32
		kernel.DotCodesAt(q.coded.d, rows[:group], dots[:group])
		for i, slot := range slots[:n] {
			c, at := s.at(slot)
			if q.coded.bound(dots[i], c.scales[at], c.errs[at]) >= q.cut {
				s.offer(q, slot)
			}
		}
	}
}

// offer scores a row for q, if it is stored and allowed.
func (s *scanner) offer(q *scannedQuery, slot uint32) {
	if !s.lives(slot) {
		return
	}
	c, i := s.at(slot)
	if s.allow == nil || s.allow.Has(c.ids[i]) {
		q.best.offer(c.ids[i], kernel.Dot(q.query, s.row(slot)))
		q.cut = q.best.floor() - q.coded.slack // this subtraction rounds too: slack, twice what is needed, covers it (codedQuery.encode)
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
