package index

import "math"

const (
	// blockRows is how many rows one kernel call bounds, under one hold of the
	// chunk's lock: enough that call and lock do not count, few enough that the
	// bounds (1 KiB) stay on the stack and a writer waits for microseconds only.
	blockRows = 256

	// gatherCost is what bounding one row by its ID costs, in rows of the scan: it
	// has a look-up and a cache miss of its own, and the scan reads ahead.
	gatherCost = 4

	// gatherRows is how many rows a gather fetches at a time.
	gatherRows = 32
)

// scanner finds the exact best hits of one query. Everything whose bound is not
// under the worst hit so far is scored again in float32.
type scanner struct {
	view
	query []float32 // padded
	coded codedQuery
	allow *Set
	best  topK
	cut   float32 // a bound below this one is in vain
}

// exactly returns the exact best k hits for query, [dim]float32.
// REQUIRES: the caller is inside an epoch; k >= 1.
func (a *arena) exactly(query []float32, k int, allow *Set) []Hit {
	k = min(k, int(a.live.Load()))
	if allow != nil {
		k = min(k, allow.Len())
	}
	if k <= 0 {
		return nil
	}
	s := scanner{view: a.view(), query: pad(query), allow: allow, best: topK{k: k, hits: make([]Hit, 0, k)}}
	s.coded.encode(query)
	s.raise()
	if allow != nil && allow.Len() < int(s.used)/gatherCost {
		s.gather()
	} else {
		s.scan()
	}
	return s.best.sorted()
}

// raise sets the cut after a change of the hits. A dead row's bound is under
// every cut, also before there are k hits.
func (s *scanner) raise() {
	s.cut = max(s.best.floor()-s.coded.slack, -math.MaxFloat32)
	// The subtraction rounds, slack is twice what is needed: see codedQuery.encode.
}

// scan bounds every row.
func (s *scanner) scan() {
	for first, c := range s.chunks {
		first <<= s.shift
		n := min(len(c.ids), int(s.used)-first)
		for at := 0; at < n; at += blockRows {
			s.block(c, uint32(first), at, min(blockRows, n-at))
		}
	}
}

// block bounds n rows of a chunk, from at on, and offers those that may be hits.
func (s *scanner) block(c *chunk, first uint32, at, n int) {
	var bounds [blockRows]float32
	group := (n + rowGroup - 1) / rowGroup * rowGroup // chunks end with a whole group
	c.mu.RLock()
	boundRows(s.coded.d, c.codes[at*s.width:(at+group)*s.width],
		c.scales[at:at+group], c.errs[at:at+group], s.coded.t, s.coded.reach, bounds[:group])
	c.mu.RUnlock()
	for i, bound := range bounds[:n] {
		if bound >= s.cut {
			s.offer(first + uint32(at+i))
		}
	}
}

// offer scores the row at slot in float32, if it is live and allowed.
func (s *scanner) offer(slot uint32) {
	id, ok := s.id(slot)
	if !ok || s.allow != nil && !s.allow.Has(id) {
		return
	}
	s.best.offer(id, dot(s.query, s.row(slot)))
	s.raise()
}

// gather bounds the rows of the allowed IDs, some at a time.
func (s *scanner) gather() {
	var slots [gatherRows]uint32
	n := 0
	for id := range s.allow.All() {
		// A slot beyond the view was published after the search began.
		slot, ok := s.slots.get(id)
		if !ok || slot >= s.used {
			continue
		}
		slots[n] = slot
		if n++; n == gatherRows {
			s.some(&slots, n)
			n = 0
		}
	}
	s.some(&slots, n)
}

// some bounds the rows at the first n slots and offers those that may be hits.
// REQUIRES: the slots were live when the search had begun, so nobody rewrites
// their rows.
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
	dotCodesAt(s.coded.d, rows[:group], dots[:group])
	for i, slot := range slots[:n] {
		c, at := s.view.at(slot)
		if s.coded.bound(dots[i], c.scales[at], loadErr(&c.errs[at])) >= s.cut {
			s.offer(slot)
		}
	}
}

// fillGroup completes the last group of n rows by repeating one, and returns how
// many rows there are then. REQUIRES: n >= 1, len(rows) is a multiple of rowGroup.
func fillGroup(rows []*int8, n int) int {
	group := (n + rowGroup - 1) / rowGroup * rowGroup
	for i := n; i < group; i++ {
		rows[i] = rows[0]
	}
	return group
}

// vectorsBatch is how many vectors are copied under the lock at a time: a few
// microseconds' work, against which taking the lock does not count.
const vectorsBatch = 64

// copyFrom returns copies, [dim]float32 each, of the vectors under the first n
// IDs that are at least from.
func (a *arena) copyFrom(from uint64, n int) (ids []ID, rows [][]float32) {
	for id, slot := range a.slots.ascend(from) {
		ids = append(ids, id)
		rows = append(rows, append([]float32(nil), a.row(slot)[:a.dim]...))
		if len(ids) == n {
			break
		}
	}
	return ids, rows
}
