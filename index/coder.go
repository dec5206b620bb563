package index

import (
	"fmt"
	"iter"
	"sync"
)

// coder is the engine around github.com/coder/hnsw v0.6.1, a graph whose
// answers are approximate and often miss the nearest neighbour. It keeps an
// exact arena beside the graph, whose kernel scores every hit, and which answers
// whatever the graph cannot: an exact query, one with an allow-list, and one for
// which the graph found too few live vectors or panicked.
type coder struct {
	dim int

	// write serialises the changes, and is taken before mu. A change holds mu
	// only while it touches what searches read, so they go on during a rebuild.
	write sync.Mutex

	mu    sync.RWMutex // guards the fields that follow
	arena *arena
	graph *coderGraph // nil after a panic, until the next rebuild
	stale int         // changes that a nil graph missed
}

var _ Engine = (*coder)(nil)

func newCoder(dim int) *coder {
	return &coder{dim: dim, arena: newArena(dim), graph: newCoderGraph()}
}

func (c *coder) Name() string { return coderName }

func (c *coder) Dim() int { return c.dim }

func (c *coder) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.arena.len()
}

func (c *coder) Upsert(id ID, vector []float32) error {
	if err := checkVector(c.dim, vector); err != nil {
		return fmt.Errorf("upsert: %w", err)
	}
	c.write.Lock()
	defer c.write.Unlock()
	c.change(func() {
		c.arena.put(id, vector)
		if c.graph != nil && !c.graph.add(id, c.arena.get(id)) {
			c.graph = nil
		}
	})
	return nil
}

func (c *coder) Delete(id ID) bool {
	c.write.Lock()
	defer c.write.Unlock()
	var found bool
	c.change(func() {
		found = c.arena.remove(id)
		if found && c.graph != nil {
			c.graph.bury(id)
		}
	})
	return found
}

// change makes one change under mu, then rebuilds the graph if it is due.
// REQUIRES: c.write is held.
func (c *coder) change(do func()) {
	c.mu.Lock()
	do()
	var dead, nodes int
	if c.graph != nil {
		dead, nodes = c.graph.dead(), c.graph.nodes()
	} else {
		c.stale++
		dead, nodes = c.stale, c.arena.len()
	}
	c.mu.Unlock()
	if dead < minDead || dead*deadShare < nodes {
		return
	}

	// Only a holder of write changes the arena, so it may be read without mu.
	graph := newCoderGraph()
	for slot, id := range c.arena.ids {
		if !graph.add(id, c.arena.row(slot)) {
			graph = nil
			break
		}
	}
	c.mu.Lock()
	c.graph, c.stale = graph, 0
	c.mu.Unlock()
}

func (c *coder) Search(q Query) (Result, error) {
	if err := q.check(c.dim); err != nil {
		return Result{}, err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.graph != nil && q.Allow == nil && !q.Exact {
		if hits := c.approximate(q); len(hits) == min(q.K, c.arena.len()) {
			// A hit list of everything that is stored is exact after all.
			return Result{Hits: hits, Exact: len(hits) == c.arena.len()}, nil
		}
	}
	return Result{Hits: c.arena.search(q.Vector, q.K, q.Allow), Exact: true}, nil
}

// approximate returns the best hits among what the graph finds, possibly fewer
// than there are, scored by the same kernel as an exact answer.
// REQUIRES: c.mu is held for reading, c.graph is not nil.
func (c *coder) approximate(q Query) []Hit {
	k := min(q.K, c.arena.len())
	if k == 0 {
		return nil
	}
	query := c.arena.pad(q.Vector)
	best := newTopK(k)
	for _, id := range c.graph.search(query, k) {
		best.offer(id, dot(query, c.arena.get(id)))
	}
	return best.sorted()
}

func (c *coder) Vectors() iter.Seq2[ID, []float32] { return c.arena.vectors(c.mu.RLocker()) }

func (c *coder) Bytes() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := c.arena.bytes()
	if c.graph != nil {
		n += c.graph.bytes(c.arena.stride)
	}
	return n
}
