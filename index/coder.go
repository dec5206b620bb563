package index

import (
	"slices"
	"sync"

	coderhnsw "github.com/coder/hnsw"

	"rollcall/index/kernel"
)

const (
	// coderM is the number of neighbours per node. coderWidth is how many hits a
	// search asks of the graph; it keeps the best of them. More of either finds
	// more: of 10,282 real face embeddings, M and width of 16 and 50 found the
	// nearest in 9 % of the searches, 32 and 200 in 22 %, 64 and 400 in 42 %.
	// EfSearch made no difference, so it keeps its default.
	coderM     = 64
	coderWidth = 400
)

// coder uses only what the graph of github.com/coder/hnsw v0.6.1 does right. Its
// Delete corrupts the graph, and so does adding a key twice, which deletes. So the
// keys are slots, which are never used again: the node of a deleted vector stays,
// and leads on but is no hit. Its searches only read, and may run side by side.
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

// insert adds one node after the other: the graph cannot add several at once. It
// adds none once the graph has panicked.
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

// nearest scores what the graph finds. It does not search within a set, and finds
// nothing if the graph panics: an exact search answers then.
func (c *coder) nearest(s *state, query []float32, k int, allow *Set) (hits []Hit, ok bool) {
	if allow != nil {
		return nil, false
	}
	query = pad(query)
	best := newTopK(k, 0)
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

// broken never asks for a new graph: what made this one panic would probably do it
// again. The guard asks for a new one, once, and many deletions lead to one.
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

// survives runs f and reports whether it returned without a panic. The graph panics
// when it finds its own invariants broken, and the caller can do without the graph.
func survives(f func()) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	f()
	return true
}
