package index

import (
	"iter"
	"sync"
)

// coder is the engine around github.com/coder/hnsw v0.6.1, a graph whose
// answers are approximate and often miss the nearest neighbour. It keeps the
// exact engine beside the graph, whose kernel scores every hit, and which answers
// whatever the graph cannot: an exact query, one with an allow-list, and one for
// which the graph found too few live vectors or panicked.
type coder struct {
	exact *engine

	// write serialises the changes, and is taken before mu. A change holds mu
	// only while it touches what searches read, so they go on during a rebuild.
	write sync.Mutex

	mu    sync.RWMutex // guards the fields that follow
	graph *coderGraph  // nil after a panic, until the next rebuild
	stale int          // changes that a nil graph missed
}

var _ Engine = (*coder)(nil)

func newCoder(dim int) *coder {
	return &coder{exact: newEngine(coderName, dim, never, nil), graph: newCoderGraph()}
}

func (c *coder) Name() string { return c.exact.Name() }

func (c *coder) Dim() int { return c.exact.Dim() }

func (c *coder) Len() int { return c.exact.Len() }

func (c *coder) Upsert(id ID, vector []float32) error {
	return c.UpsertAll([]ID{id}, [][]float32{vector})
}

func (c *coder) UpsertAll(ids []ID, vectors [][]float32) error {
	c.write.Lock()
	defer c.write.Unlock()
	if err := c.exact.UpsertAll(ids, vectors); err != nil {
		return err
	}
	for i, id := range ids {
		c.change(func(g *coderGraph) bool { return g.add(id, pad(vectors[i])) })
	}
	return nil
}

func (c *coder) Delete(id ID) bool {
	c.write.Lock()
	defer c.write.Unlock()
	if !c.exact.Delete(id) {
		return false
	}
	c.change(func(g *coderGraph) bool { g.bury(id); return true })
	return true
}

// change makes one change of the graph, unless it is broken, then makes it anew
// if that is due.
// REQUIRES: c.write is held.
func (c *coder) change(do func(*coderGraph) bool) {
	c.mu.Lock()
	if c.graph != nil && !do(c.graph) {
		c.graph = nil
	}
	var dead, nodes int
	if c.graph != nil {
		dead, nodes = c.graph.dead(), c.graph.nodes()
	} else {
		c.stale++
		dead, nodes = c.stale, c.exact.Len()
	}
	c.mu.Unlock()
	if dead < minDead || dead*deadShare < nodes {
		return
	}

	graph := newCoderGraph()
	for id, v := range c.exact.Vectors() {
		if !graph.add(id, pad(v)) {
			graph = nil
			break
		}
	}
	c.mu.Lock()
	c.graph, c.stale = graph, 0
	c.mu.Unlock()
}

func (c *coder) Search(q Query) (Result, error) {
	if err := q.check(c.Dim()); err != nil {
		return Result{}, err
	}
	if q.Allow == nil && !q.Exact {
		// The IDs that the graph finds become a scope, in which to search exactly.
		found := q
		found.Allow = c.approximate(q)
		result, err := c.exact.Search(found)
		// A hit list of everything that is stored is exact after all.
		if result.Exact = len(result.Hits) == c.Len(); err != nil || len(result.Hits) >= min(q.K, c.Len()) {
			return result, err
		}
	}
	return c.exact.Search(q)
}

// approximate returns what the graph finds, possibly less than there is.
func (c *coder) approximate(q Query) *Set {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.graph == nil {
		return NewSet()
	}
	return NewSet(c.graph.search(pad(q.Vector), min(q.K, c.exact.Len()))...)
}

func (c *coder) Vectors() iter.Seq2[ID, []float32] { return c.exact.Vectors() }

func (c *coder) Recall() (float64, bool) { return 0, false }

func (c *coder) Bytes() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := c.exact.Bytes()
	if c.graph != nil {
		n += c.graph.bytes(rowStride(c.Dim()))
	}
	return n
}
