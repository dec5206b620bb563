package index

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// guardWindow is the number of last samples over which recall is measured.
	// With fewer than guardLeast samples recall is not known.
	guardWindow = 256
	guardLeast  = 64

	// With a recall below guardTarget the graph is not trusted: exact searches
	// answer. Below guardAim, searches of the graph make more effort. They make
	// less again once a whole window is without a miss.
	guardTarget = 0.98
	guardAim    = 0.99

	// guardBand is how far below the threshold of a query the answers are
	// compared. A decision depends not only on the hits that reach the threshold,
	// but also on the next ones below it.
	guardBand = 0.05

	// guardShare bounds the time for samples: one part in guardShare of one
	// processor's time.
	guardShare = 100
)

// guard measures the recall of a graph while it serves, by comparing its answers
// to real queries with exact ones. It adjusts the effort of searches, and keeps
// the graph from answering while its recall is bad.
type guard struct {
	distrust atomic.Bool
	sampling atomic.Bool
	next     atomic.Int64 // when a sample may be taken again, in nanoseconds since the epoch of Unix

	mu      sync.Mutex // guards the fields that follow
	missed  [guardWindow]bool
	n       int     // samples of the graph at its present effort
	recall  float64 // as last measured
	known   bool    // whether it was
	rebuilt bool    // this guard had the graph made anew, and the new one is not good yet
}

// trusts says whether the graph may answer.
func (g *guard) trusts() bool { return !g.distrust.Load() }

// lately returns the recall as last measured, if it was.
func (g *guard) lately() (recall float64, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.recall, g.known
}

// reset forgets the samples: there is another graph. If the last one was not
// trusted, this one has to prove itself first.
func (g *guard) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n, g.recall, g.known = 0, 0, false
	g.next.Store(0)
}

// note records a sample of the graph, and reports whether the graph has to be
// made anew.
func (g *guard) note(graph graph, agreed bool) (rebuild bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.missed[g.n%guardWindow] = !agreed
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

	whole := g.n >= guardWindow
	switch {
	case g.recall < guardAim && graph.strive(true), whole && misses == 0 && graph.strive(false):
		g.n = 0
	case g.recall >= guardAim && whole:
		g.rebuilt = false
	case g.recall < guardTarget && !g.rebuilt:
		g.rebuilt = true // only once: if the new graph is no better, another one will not help
		return true
	}
	return false
}

// watch takes a sample of a query, if a sample is due and the query has a
// threshold.
func (e *engine) watch(gen *generation, s *state, q Query, k int) {
	g := &e.guard
	if q.Threshold == 0 || time.Now().UnixNano() < g.next.Load() || !g.sampling.CompareAndSwap(false, true) {
		return
	}
	q.Vector = slices.Clone(q.Vector)
	if q.Allow != nil {
		q.Allow = q.Allow.Clone()
	}
	go func() {
		defer g.sampling.Store(false)
		start := time.Now()
		e.sample(gen, s, q, k)
		g.next.Store(time.Now().Add(time.Since(start) * guardShare).UnixNano())
	}()
}

// sample compares the graph's answer to a query with the exact one.
func (e *engine) sample(gen *generation, s *state, q Query, k int) {
	hits, ok := gen.graph.nearest(s, q.Vector, k, q.Allow)
	if !ok && q.Allow != nil {
		return // such searches are exact in any case
	}
	agreed := len(hits) == k && slices.Equal(q.decisive(hits), q.decisive(s.nearest(q.Vector, k, 0, q.Allow)))
	e.writer.Lock() // so that the generation stays the same
	defer e.writer.Unlock()
	if e.generation.Load() == gen && e.guard.note(gen.graph, agreed) {
		e.startRebuild()
	}
}

// decisive returns the hits, best first, that can matter for a decision at the
// query's threshold.
func (q *Query) decisive(hits []Hit) []Hit {
	for i, hit := range hits {
		if hit.Similarity < q.Threshold-guardBand {
			return hits[:i]
		}
	}
	return hits
}
