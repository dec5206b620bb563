package index

// picker is what choosing neighbours works with.
type picker struct {
	query  codedQuery // the neighbour chosen last, widened
	lost   []bool     // by place in the beam: candidates that cannot be chosen any more
	places [graphM0]int
}

// rank fills the beam with candidates, by their similarity to the row at slot.
func (s *scratch) rank(v *view, slot uint32, candidates []uint32) {
	s.query.widen(v.code(slot))
	s.beam = s.beam[:0]
	for total := len(candidates); len(candidates) > 0; {
		var b rowBatch
		for len(candidates) > 0 && b.n < graphM0 {
			b.add(v, candidates[0])
			candidates = candidates[1:]
		}
		s.score(&b, s.query.d)
		for _, f := range s.nodes[:s.n] {
			s.insert(f, total)
		}
	}
}

// choose returns up to n nodes of the beam as neighbours for the row at slot. It
// begins with the nearest one, and takes each node that is nearer to the row than
// to any node taken before (algorithm 4, without its extensions). Links in
// different directions lead farther than links to only the nearest nodes. Deleted
// nodes are not chosen.
func (s *scratch) choose(v *view, slot uint32, n int) []uint32 {
	c, at := v.at(slot)
	scale := c.scales[at]
	p := &s.pick
	if cap(p.lost) < len(s.beam) {
		p.lost = make([]bool, len(s.beam))
	}
	p.lost = p.lost[:len(s.beam)]
	for i, f := range s.beam {
		p.lost[i] = v.dead(f.slot())
	}
	chosen := make([]uint32, 0, n)
	for i, f := range s.beam {
		if p.lost[i] {
			continue
		}
		chosen = append(chosen, f.slot())
		if len(chosen) == n {
			break
		}
		s.passOver(v, f.slot(), i+1, scale)
	}
	return chosen
}

// passOver marks as lost the candidates, from the given place on, that are nearer
// to the chosen node than to the row. Scale is the scale of the row.
func (s *scratch) passOver(v *view, chosen uint32, from int, scale float32) {
	p := &s.pick
	p.query.widen(v.code(chosen))
	c, at := v.at(chosen)
	ratio := c.scales[at] / scale // the beam's scores lack the row's scale, these lack the chosen node's
	for from < len(s.beam) {
		var b rowBatch
		for ; from < len(s.beam) && b.n < graphM0; from++ {
			if !p.lost[from] {
				p.places[b.n] = from
				b.add(v, s.beam[from].slot())
			}
		}
		s.score(&b, p.query.d)
		for i, f := range s.nodes[:s.n] {
			if place := p.places[i]; f.score()*ratio > s.beam[place].score() {
				p.lost[place] = true
			}
		}
	}
}
