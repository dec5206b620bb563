package index

import (
	"slices"
	"sync"

	coderhnsw "github.com/coder/hnsw"

	"rollcall/index/kernel"
)

const (
	// coderM and coderWidth are the neighbours per node and the hits that a
	// search asks of the graph before the best are taken. More of either finds
	// more: of 10,282 real face embeddings, M and width of 16 and 50 found the
	// nearest in 9 % of the searches, 32 and 200 in 22 %, 64 and 400 in 42 %.
	// EfSearch made no difference, so it keeps its default.
	coderM     = 64
	coderWidth = 400
)

// coder keeps the graph of github.com/coder/hnsw v0.6.1 to what it does right. Its
// Delete corrupts the graph, and so does adding a key twice, which deletes: so the
// keys are slots, and that of a deleted vector stays as a node that leads on but is
// no hit. Its searches only read and may run side by side.
type coder struct {
	mu    sync.RWMutex             // guards the fields that follow
	graph *coderhnsw.Graph[uint32] // nil after a panic
}

func newCoder() graph {
	g := coderhnsw.NewGraph[uint32]()
	g.M = coderM
	g.Distance = func(a, b coderhnsw.Vector) float32 { return 1 - kernel.Dot(a, b) }
	return &coder{graph: g}
}

// insert adds one node after the other: the graph can do no more. It adds none once
// the graph has panicked.
func (c *coder) insert(s *state, _ int) {
	for slot := s.used; slot < s.written; slot++ {
		node := coderhnsw.MakeNode(slot, slices.Clone(s.row(slot)))
		c.mu.Lock()
		if c.graph != nil && !survives(func() { c.graph.Add(node) }) {
			c.graph = nil
		}
		c.mu.Unlock()
	}
}

// nearest scores what the graph finds. It leaves searches within a set to others,
// and those in which the graph panics.
func (c *coder) nearest(s *state, query []float32, k int, allow *Set) (hits []Hit, ok bool) {
	if allow != nil {
		return nil, false
	}
	query = pad(query)
	best := newTopK(k)
	for _, slot := range c.candidates(query, max(k, coderWidth)) {
		if s.lives(slot) {
			chunk, i := s.at(slot)
			best.offer(chunk.ids[i], kernel.Dot(query, s.row(slot)))
		}
	}
	return best.sorted(), true
}

// candidates returns the slots of the n nodes that the graph takes for the nearest
// to query, padded; none if it is broken.
func (c *coder) candidates(query []float32, n int) []uint32 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var slots []uint32
	if c.graph != nil {
		survives(func() {
			for _, node := range c.graph.Search(query, n) {
				slots = append(slots, node.Key)
			}
		})
	}
	return slots
}

func (c *coder) strive(bool) bool { return false }

// broken never asks for a new graph: what made this one panic is likely to do it
// again. The guard asks for one, once, and so do many deletions.
func (c *coder) broken() bool { return false }

func (c *coder) bytes() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.graph == nil || c.graph.Len() == 0 {
		return 0
	}
	// A link is an entry of a Go map of eight-byte pointers by four-byte keys:
	// 16 bytes, and about as much again in spare room.
	const perLink = 32
	return int64(c.graph.Len()) * (int64(c.graph.Dims())*4 + coderM*perLink)
}

// survives runs f and reports whether it returned rather than panicked: the
// graph panics when it finds its own invariants broken, and the caller can do
// without it.
func survives(f func()) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	f()
	return true
}
