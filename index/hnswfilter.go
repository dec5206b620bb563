package index

const (
	// visitCost is the cost of scoring one node in a search within a set, in rows
	// of a scan.
	visitCost = 8

	// effortCost is the cost of a search for each node of its effort, in rows of a
	// scan: see BenchmarkCutover.
	effortCost = 120
)

// scanCost returns what an exact search within allow costs, in rows of a scan.
func (v *view) scanCost(allow *Set) int { return min(int(v.used), gatherCost*allow.Len()) }

// worthAllowed reports whether a search within allow is likely to cost less than an
// exact one. The fewer nodes are allowed, the more have to be looked at.
func (v *view) worthAllowed(effort int, allow *Set) bool {
	return effortCost*effort*max(1, int(v.used)/allow.Len()) < v.scanCost(allow)
}

// searchAllowed leaves in the beam the nearest ef allowed nodes that it finds on
// the bottom layer, going from node. Nodes that are not allowed lead on but do not
// count. So it goes on until it has ef allowed ones, and every node that it could
// go on from is farther away than those. Thus the recall within a scope is the same
// as without one.
//
// It returns false once it has scored more nodes than the budget.
func (s *scratch) searchAllowed(v *view, node uint32, ef int, allow *Set, budget int) bool {
	s.mark(node)
	s.heap = s.heap[:0]
	s.meet(v, s.begin(v, node), ef, allow)
	for len(s.heap) > 0 {
		next := s.popHeap()
		if len(s.beam) == ef && next < s.beam[ef-1] {
			return true
		}
		s.look(v, v.neighbours(next.slot(), 0))
		if budget -= s.n; budget < 0 {
			return false
		}
		for _, f := range s.nodes[:s.n] {
			s.meet(v, f, ef, allow)
		}
	}
	return len(s.beam) == ef // else there may be allowed nodes where the graph did not lead
}

// meet adds a scored node to the candidates, and to the beam if it is a hit.
func (s *scratch) meet(v *view, f found, ef int, allow *Set) {
	if len(s.beam) == ef && f <= s.beam[ef-1] {
		return
	}
	s.pushHeap(f)
	if c, i := v.at(f.slot()); allow.Has(c.ids[i]) && v.lives(f.slot()) {
		s.insert(f, ef)
	}
}

// pushHeap and popHeap keep the candidates in a heap, the nearest at its root.
func (s *scratch) pushHeap(f found) {
	s.heap = append(s.heap, f)
	for i := len(s.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if s.heap[i] <= s.heap[parent] {
			return
		}
		s.heap[i], s.heap[parent] = s.heap[parent], s.heap[i]
		i = parent
	}
}

func (s *scratch) popHeap() found {
	root, last := s.heap[0], len(s.heap)-1
	s.heap[0] = s.heap[last]
	s.heap = s.heap[:last]
	for i := 0; ; {
		best := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if s.heap[child] > s.heap[best] {
				best = child
			}
		}
		if best == i {
			return root
		}
		s.heap[i], s.heap[best] = s.heap[best], s.heap[i]
		i = best
	}
}
