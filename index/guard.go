package index

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// guardWindow is over how many of the last samples recall is measured; before
	// there are guardLeast it says nothing.
	guardWindow = 256
	guardLeast  = 64

	// Under guardTarget the graph is not trusted: exact searches answer. Under
	// guardAim searches of the graph make more effort, and less once a whole window
	// is without a miss. A whole graph misses one nearest neighbour in a thousand or
	// fewer at the effort that its vectors need, which differs much: 128 for 10,000
	// real embeddings, 250 for 100,000 random ones of 512 dimensions.
	guardTarget = 0.98
	guardAim    = 0.99

	// guardBatch is how many samples are taken at a time, and guardShare the share of
	// one processor's time that they may take: one in guardShare.
	guardBatch = 16
	guardShare = 100

	// guardNoise is the length of what a sample differs by from the stored vector that
	// it is made of: as much as two pictures of one person do at a similarity of 0.6,
	// about where probes are that a match depends on.
	guardNoise = 0.8
)

// guard measures the recall of the graph while it serves, by comparing its answers
// with exact ones, sees to it that searches make the effort that they need, and
// keeps the graph from answering while its recall is bad.
type guard struct {
	distrust atomic.Bool
	sampling atomic.Bool
	next     atomic.Int64 // when samples may be taken again, in nanoseconds since the epoch of Unix

	mu      sync.Mutex // guards the fields that follow
	missed  [guardWindow]bool
	n       int     // samples of the graph at its present effort
	recall  float64 // as last measured
	known   bool    // whether it was
	rebuilt bool    // the graph was made anew by this guard, and was not good yet
}

// trusts says whether the graph may answer.
func (g *guard) trusts() bool { return !g.distrust.Load() }

// reset forgets everything: there is another graph.
func (g *guard) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n, g.known = 0, false
	g.distrust.Store(false)
	g.next.Store(0)
}

// note takes up a sample of the graph, and reports whether it is to be made anew.
func (g *guard) note(graph *graph, found bool) (rebuild bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.missed[g.n%guardWindow] = !found
	g.n++
	if g.n < guardLeast {
		return false
	}
	misses, of := 0, min(g.n, guardWindow)
	for _, missed := range g.missed[:of] {
		if missed {
			misses++
		}
	}
	g.recall, g.known = 1-float64(misses)/float64(of), true
	g.distrust.Store(g.recall < guardTarget)

	if g.recall >= guardAim && g.n >= guardWindow {
		g.rebuilt = false
	}

	effort := graph.search.Load()
	switch {
	case g.recall < guardAim && effort < graphSearchMost:
		graph.search.Store(min(effort*3/2, graphSearchMost))
		g.n = 0
	case g.n >= guardWindow && misses == 0 && effort > graphSearch:
		graph.search.Store(max(effort*4/5, graphSearch))
		g.n = 0
	case g.recall < guardTarget && !g.rebuilt:
		g.rebuilt = true // once: if the new graph is no better, it is not the graph
		return true
	}
	return false
}

// watch begins to take samples, if it is time to.
func (e *engine) watch() {
	g := &e.guard
	if time.Now().UnixNano() < g.next.Load() || !g.sampling.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer g.sampling.Store(false)
		start := time.Now()
		e.sample(guardBatch)
		g.next.Store(time.Now().Add(time.Since(start) * guardShare).UnixNano())
	}()
}

// sample compares n answers of the graph with exact ones.
func (e *engine) sample(n int) {
	for range n {
		c := e.core.Load()
		used := c.used.Load()
		if c.graph == nil || used == 0 {
			return
		}
		found, ok := e.compare(c, rand.Uint32N(used))
		if ok && e.guard.note(c.graph, found) {
			e.writer.Lock()
			e.startRebuild(true)
			e.writer.Unlock()
			return
		}
	}
}

// compare searches for something like the vector at slot, and reports whether the
// graph found the nearest; false, false if there was nothing to compare.
func (e *engine) compare(c *core, slot uint32) (found, ok bool) {
	epoch := c.epochs.enter()
	defer c.epochs.leave(epoch)
	id, ok := c.id(slot)
	if !ok {
		return false, false
	}
	var buffer []float32
	row, err := c.row(slot, id, &buffer)
	if row == nil || err != nil {
		return false, false
	}
	before := c.replacing.Load()
	query := noisy(row[:c.dim], rand.New(rand.NewPCG(rand.Uint64(), 0)))
	start := time.Now()
	approximate, ok := c.graph.nearest(query, 1, nil, 0)
	middle := time.Now()
	exact, err := c.exactly(query, 1, nil)
	e.costs.note(c, middle.Sub(start), time.Since(middle))
	if before%2 != 0 || before != c.replacing.Load() || err != nil || len(exact) == 0 {
		return false, false
	}
	return ok && len(approximate) > 0 && approximate[0].Similarity >= exact[0].Similarity, true
}

// noisy returns a unit vector near v.
func noisy(v []float32, rng *rand.Rand) []float32 {
	noise := make([]float32, len(v))
	for i := range noise {
		noise[i] = float32(rng.NormFloat64())
	}
	scaleTo(noise, guardNoise)
	for i := range noise {
		noise[i] += v[i]
	}
	return scaleTo(noise, 1)
}
