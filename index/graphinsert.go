package index

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// insertBatch is how many nodes are inserted side by side. Each of a batch looks
// for its neighbours in the graph as it was before, and among the others of the
// batch by comparing with all of them: 512 comparisons are a twentieth of an
// insertion's work.
const insertBatch = 512

// insert adds the nodes at slots to the graph, on several processors where there
// are many (algorithm 1). The graph that results depends on the slots, their order
// and their rows alone: nodes are inserted in batches, within which no node sees
// what another one does. (ParlayANN by Manohar et al., PPoPP 2024, inserts so.)
// REQUIRES: the caller is the writer; the slots are written and published.
func (g *graph) insert(slots []uint32) {
	if g.live.Load() == 0 {
		g.entry.Store(0) // dead nodes would lead to nobody: the graph begins anew
	}
	for batch := range slices.Chunk(slots, insertBatch) {
		g.insertBatch(batch)
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

func (g *graph) insertBatch(slots []uint32) {
	v := g.view()
	batch := make([]newcomer, len(slots))
	for i, slot := range slots {
		level := g.nextLevel()
		batch[i] = newcomer{slot, make([][]uint32, level+1)}
		if level > 0 {
			upper := make([]atomic.Uint32, level*graphM)
			for j := range upper {
				upper[j].Store(noSlot)
			}
			c, at := v.at(slot)
			c.upper[at].Store(&upper)
		}
	}
	g.share(len(batch), func(s *scratch, i int) { g.plan(s, &v, &batch[i], batch) })

	var edges []edge
	for _, n := range batch {
		for layer, links := range n.links {
			list := v.neighbours(n.slot, layer)
			for i, to := range links {
				list[i].Store(to)
				edges = append(edges, edge{layer, to, n.slot})
			}
		}
	}
	slices.SortFunc(edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.layer, b.layer), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	var nodes [][]edge // the edges of one node on one layer
	for len(edges) > 0 {
		n := 1
		for n < len(edges) && edges[n].layer == edges[0].layer && edges[n].from == edges[0].from {
			n++
		}
		nodes, edges = append(nodes, edges[:n]), edges[n:]
	}
	g.share(len(nodes), func(s *scratch, i int) { g.connect(s, &v, nodes[i]) })

	for _, n := range batch {
		if _, level, ok := g.top(); !ok || len(n.links)-1 > level {
			g.setTop(n.slot, len(n.links)-1)
		}
	}
}

// share does n pieces of work, on as many processors as are worth it and free.
func (g *graph) share(n int, do func(s *scratch, i int)) {
	const worthIt = 8 // pieces for each processor: starting one costs microseconds
	var next atomic.Int64
	work := func() {
		v := g.view()
		s := g.scratch.get(&v)
		defer g.scratch.Put(s)
		for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
			do(s, int(i))
		}
	}
	var others sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	if searches := g.searches.Load(); searches != g.seen {
		g.seen = searches
		workers-- // one for the searches
	}
	if g.background {
		workers /= 2
	}
	for range min(workers, n/worthIt) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}

// plan chooses the neighbours of a newcomer.
func (g *graph) plan(s *scratch, v *view, n *newcomer, batch []newcomer) {
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
			if layer == 0 && !slices.ContainsFunc(s.beam, func(f found) bool { return !v.dead(f.slot()) }) {
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

// connect links a node to newcomers. If its list is full it chooses anew among
// those that it has and them.
func (g *graph) connect(s *scratch, v *view, edges []edge) {
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
