package index

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// insert adds the nodes at the new slots, several at the same time (algorithm 1).
// The resulting graph depends only on the slots, their order and their rows,
// because no node sees the work of another one of its batch. Each node looks for
// neighbours in the graph as it was before, and compares itself with all others
// of the batch: 512 comparisons are a twentieth of an insertion's work.
// (ParlayANN by Manohar et al., PPoPP 2024, does the same.)
func (g *hnsw) insert(state *state, workers int) {
	if state.live() == 0 {
		g.entry.Store(0) // dead nodes would lead nowhere: the graph begins anew
	}
	g.extend(state.written)
	v := g.view(state)
	batch := make([]newcomer, 0, state.written-state.used)
	for slot := state.used; slot < state.written; slot++ {
		batch = append(batch, g.newcomer(v, slot))
	}
	each := func(n int, do func(s *scratch, i int)) {
		inParallel(n, workers, func(from, to int) {
			s := g.scratch.get(v)
			defer g.scratch.Put(s)
			for i := from; i < to; i++ {
				do(s, i)
			}
		})
	}
	each(len(batch), func(s *scratch, i int) { g.plan(s, v, &batch[i], batch) })
	edges := v.linkNewcomers(batch)
	each(len(edges), func(s *scratch, i int) { s.connect(v, edges[i]) })
	for _, n := range batch {
		if _, level, ok := g.top(); !ok || len(n.links)-1 > level {
			g.setTop(n.slot, len(n.links)-1)
		}
	}
}

// A newcomer is a node that is being inserted.
type newcomer struct {
	slot  uint32
	links [][]uint32 // by layer, up to its level
}

// An edge asks that a node be linked to a newcomer on a layer.
type edge struct {
	layer    int
	from, to uint32 // to is the newcomer
}

// newcomer draws the level of a new node.
func (g *hnsw) newcomer(v *view, slot uint32) newcomer {
	level := g.nextLevel()
	if level > 0 {
		upper := make([]atomic.Uint32, level*graphM)
		for i := range upper {
			upper[i].Store(noSlot)
		}
		c, at := v.node(slot)
		c.upper[at].Store(&upper)
	}
	return newcomer{slot, make([][]uint32, level+1)}
}

// linkNewcomers writes the links of the newcomers. It returns the edges of the
// nodes that have to be linked to them, grouped by node and layer.
func (v *view) linkNewcomers(batch []newcomer) [][]edge {
	var edges []edge
	for _, n := range batch {
		for layer, links := range n.links {
			storeLinks(v.neighbours(n.slot, layer), links)
			for _, to := range links {
				edges = append(edges, edge{layer, to, n.slot})
			}
		}
	}
	slices.SortFunc(edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.layer, b.layer), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	var nodes [][]edge
	for len(edges) > 0 {
		n := 1
		for n < len(edges) && edges[n].layer == edges[0].layer && edges[n].from == edges[0].from {
			n++
		}
		nodes, edges = append(nodes, edges[:n]), edges[n:]
	}
	return nodes
}

// plan chooses the neighbours of a newcomer.
func (g *hnsw) plan(s *scratch, v *view, n *newcomer, batch []newcomer) {
	s.query.widen(v.code(n.slot))
	node, top, ok := g.top()
	level := len(n.links) - 1
	if ok {
		node = s.descend(v, node, top, level)
	}
	for layer := level; layer >= 0; layer-- {
		s.reset(v)
		s.mark(n.slot)
		if ok && layer <= top {
			s.search(v, node, layer, graphBuild)
			node = s.beam[0].slot()
			if layer == 0 && !slices.ContainsFunc(s.beam, func(f found) bool { return v.lives(f.slot()) }) {
				g.lost.Store(true)
			}
		}
		s.meetPeers(v, n.slot, layer, batch)
		n.links[layer] = s.choose(v, n.slot, graphM)
	}
}

// meetPeers adds the other newcomers of the layer to the beam.
func (s *scratch) meetPeers(v *view, slot uint32, layer int, batch []newcomer) {
	for len(batch) > 0 {
		var b rowBatch
		for len(batch) > 0 && b.n < graphM0 {
			if peer := batch[0]; len(peer.links) > layer && peer.slot != slot {
				b.add(v, peer.slot)
			}
			batch = batch[1:]
		}
		s.score(&b, s.query.d)
		for _, f := range s.nodes[:s.n] {
			s.insert(f, graphBuild)
		}
	}
}

// connect links a node to newcomers. If its list is full, it chooses again among
// its old neighbours and the newcomers.
func (s *scratch) connect(v *view, edges []edge) {
	node, layer := edges[0].from, edges[0].layer
	list := v.neighbours(node, layer)
	candidates := linked(list)
	n := len(candidates)
	for _, e := range edges {
		// Two newcomers may have chosen each other.
		if !slices.Contains(candidates[:n], e.to) {
			candidates = append(candidates, e.to)
		}
	}
	if len(candidates) <= len(list) {
		for i := n; i < len(candidates); i++ {
			list[i].Store(candidates[i])
		}
		return
	}
	s.rank(v, node, candidates)
	storeLinks(list, s.choose(v, node, len(list)))
}

// storeLinks makes slots the links of a list.
func storeLinks(list []atomic.Uint32, slots []uint32) {
	for i := range list {
		if i < len(slots) {
			list[i].Store(slots[i])
		} else {
			list[i].Store(noSlot)
		}
	}
}

// linked returns the slots of a list of links.
func linked(list []atomic.Uint32) []uint32 {
	slots := make([]uint32, 0, len(list))
	for i := range list {
		slot := list[i].Load()
		if slot == noSlot {
			break
		}
		slots = append(slots, slot)
	}
	return slots
}
