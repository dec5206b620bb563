package index

import (
	"cmp"
	"math"
	"slices"
)

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

// scanner finds the exact best hits of one query. It bounds every row from above by
// its codes; what is not surely worse than k others is scored in float32.
//
// A row in memory is scored at once. One from a source is not: the codes bound it
// from below as well, which tells which others it beats, and only a second pass
// scores what is left, best bound first, until no bound reaches the worst hit. With
// rows in memory that would be slower by half: bounds from below are not as good as
// scores, so more rows are kept.
type scanner struct {
	view
	query  []float32 // padded
	coded  codedQuery
	allow  *Set
	lows   topK        // the best k scores, or bounds from below
	cut    float32     // an upper bound below this one is in vain
	kept   []candidate // for the second pass
	buffer []float32   // for a row from the source
	gone   *Set        // IDs that vanished between the passes; nil for none
}

// candidate is a row that may be a hit.
type candidate struct {
	bound float32 // from above, without the slack
	slot  uint32
}

// exactly returns the exact best k hits for query, [dim]float32; an error is the
// source's.
// REQUIRES: the caller is inside an epoch; k >= 1.
func (a *arena) exactly(query []float32, k int, allow *Set) ([]Hit, error) {
	if allow != nil {
		k = min(k, allow.Len())
	}
	s := scanner{query: pad(query), allow: allow}
	s.coded.encode(query)
	for {
		s.view = a.view()
		// No more than the view can hold. How many vectors live is no bound: one may come to life between
		// that count and the view, and would push another out.
		if k = min(k, int(s.used)); k == 0 {
			return nil, nil
		}
		s.lows = topK{k: k, hits: make([]Hit, 0, k)}
		s.kept = s.kept[:0]
		s.raise()
		if allow != nil && allow.Len() < int(s.used)/gatherCost {
			s.gather()
		} else {
			s.scan()
		}
		if hits, ok, err := s.score(k); ok || err != nil {
			return hits, err
		}
	}
}

// raise sets the cut after a change of the lower bounds. A dead row's bound is
// under every cut, also before there are k rows.
func (s *scanner) raise() {
	s.cut = max(s.lows.floor()-s.coded.slack, -math.MaxFloat32)
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

// block bounds n rows of a chunk, from at on, and keeps those that may be hits.
func (s *scanner) block(c *chunk, first uint32, at, n int) {
	var bounds [blockRows]float32
	group := (n + rowGroup - 1) / rowGroup * rowGroup // chunks end with a whole group
	c.mu.RLock()
	boundRows(s.coded.d, c.codes[at*s.width:(at+group)*s.width],
		c.scales[at:at+group], c.errs[at:at+group], s.coded.t, s.coded.reach, bounds[:group])
	c.mu.RUnlock()
	cut := s.cut
	for i, bound := range bounds[:n] {
		if bound >= cut {
			s.keep(first+uint32(at+i), bound, loadErr(&c.errs[at+i]))
			cut = s.cut
		}
	}
}

// keep scores a row, or keeps it for the second pass, if it is live and allowed. Its
// err was read before: that of a row which is hidden by now would be no bound.
func (s *scanner) keep(slot uint32, bound, err float32) {
	id, ok := s.id(slot)
	if !ok || s.allow != nil && !s.allow.Has(id) || s.gone != nil && s.gone.Has(id) {
		return
	}
	if s.source == nil {
		row, _ := s.row(slot, id, nil)
		s.lows.offer(id, dot(s.query, row))
		s.raise()
		return
	}
	s.kept = append(s.kept, candidate{bound, slot})
	s.lows.offer(id, bound-2*s.coded.reach*err-s.coded.slack)
	s.raise()
}

// score makes the second pass, if there is one. It reports false if a row that was counted on has
// vanished: then others may have been passed over wrongly.
func (s *scanner) score(k int) ([]Hit, bool, error) {
	if s.source == nil {
		return s.lows.sorted(), true, nil
	}
	s.kept = slices.DeleteFunc(s.kept, func(c candidate) bool { return c.bound < s.cut }) // kept before the cut rose
	slices.SortFunc(s.kept, func(a, b candidate) int { return cmp.Compare(b.bound, a.bound) })
	best := topK{k: k, hits: make([]Hit, 0, k)}
	vanished := false
	for _, c := range s.kept {
		if c.bound < best.floor()-s.coded.slack {
			break
		}
		id, ok := s.id(c.slot)
		if !ok {
			vanished = true
			continue
		}
		row, err := s.row(c.slot, id, &s.buffer)
		if err != nil {
			return nil, false, err
		}
		if row == nil {
			if s.gone == nil {
				s.gone = NewSet()
			}
			s.gone.Add(id)
			vanished = true
			continue
		}
		best.offer(id, dot(s.query, row))
	}
	if vanished {
		return nil, false, nil
	}
	return best.sorted(), true, nil
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
		err := loadErr(&c.errs[at])
		if bound := s.coded.bound(dots[i], c.scales[at], err); bound >= s.cut {
			s.keep(slot, bound, err)
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
	var buffer []float32
	for id, slot := range a.slots.ascend(from) {
		row, err := a.row(slot, id, &buffer)
		if row == nil || err != nil {
			continue
		}
		ids = append(ids, id)
		rows = append(rows, slices.Clone(row[:a.dim]))
		if len(ids) == n {
			break
		}
	}
	return ids, rows
}
