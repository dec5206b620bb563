package index

import (
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
)

// mode is when an engine has a graph.
type mode int

const (
	never  mode = iota // exact
	always             // hnsw
	itPays             // auto: once a search of it is cheaper than an exact one
)

// engine is the engine "exact", "hnsw" and "auto".
//
// Searches take no lock and wait for no change: they read one core beside its
// writer. What is slow about changes (the repair of the graph after deletions, a
// new graph, compaction) happens in goroutines that run only while there is such
// work, and serves nobody worse meanwhile.
type engine struct {
	name   string
	dim    int
	mode   mode
	source Source
	core   atomic.Pointer[core]

	worth int // with how many vectors "auto" gets a graph
	costs costs
	guard guard

	writer struct {
		sync.Mutex // makes its holder the one writer of the core; guards the fields that follow

		tending bool            // a goroutine repairs and reclaims
		touched map[ID]struct{} // changed since a rebuild began; nil while there is none
	}
}

var _ Engine = (*engine)(nil)

func newEngine(name string, dim int, m mode, source Source) *engine {
	e := &engine{name: name, dim: dim, mode: m, source: source, worth: worthGraph}
	e.core.Store(newCore(dim, m == always, source))
	return e
}

func (e *engine) Name() string { return e.name }

func (e *engine) Dim() int { return e.dim }

func (e *engine) Len() int { return int(e.core.Load().live.Load()) }

func (e *engine) Upsert(id ID, vector []float32) error {
	return e.UpsertAll([]ID{id}, [][]float32{vector})
}

func (e *engine) UpsertAll(ids []ID, vectors [][]float32) error {
	if err := checkAll(e.dim, ids, vectors); err != nil {
		return err
	}
	ids, vectors = lastOfEach(ids, vectors)
	for len(ids) > 0 {
		n := min(len(ids), insertBatch)
		e.writer.Lock()
		e.core.Load().put(ids[:n], vectors[:n])
		e.changed(ids[:n]...)
		e.writer.Unlock()
		ids, vectors = ids[n:], vectors[n:]
	}
	return nil
}

func (e *engine) Delete(id ID) bool {
	e.writer.Lock()
	defer e.writer.Unlock()
	if !e.core.Load().remove(id) {
		return false
	}
	e.changed(id)
	return true
}

// changed notes a change for a rebuild that is under way, and starts the work that
// follows from it.
// REQUIRES: e.writer is held.
func (e *engine) changed(ids ...ID) {
	if e.writer.touched != nil {
		for _, id := range ids {
			e.writer.touched[id] = struct{}{}
		}
	}
	c := e.core.Load()
	if !e.writer.tending && len(c.dead)+len(c.retired) > 0 {
		e.writer.tending = true
		go e.tend()
	}
	if c.graph != nil && (repairable*c.buried > int(c.live.Load()) || c.graph.lost.Load()) {
		e.startRebuild(true)
	}
	if e.mode == itPays && c.graph == nil && int(c.live.Load()) > e.worth {
		e.startRebuild(true)
	}
}

// searchTries is how often a search begins again because a vector was replaced
// beside it, before it keeps replacements out.
const searchTries = 3

func (e *engine) Search(q Query) (Result, error) {
	if err := q.check(e.dim); err != nil {
		return Result{}, err
	}
	for range searchTries {
		if r, ok, err := e.search(&q); ok || err != nil {
			return r, err
		}
	}
	e.writer.Lock()
	defer e.writer.Unlock()
	r, _, err := e.search(&q)
	return r, err
}

// search answers q, or reports false if a vector was replaced meanwhile.
func (e *engine) search(q *Query) (Result, bool, error) {
	c := e.core.Load()
	epoch := c.epochs.enter()
	defer c.epochs.leave(epoch)
	c.searches.Add(1)
	before := c.replacing.Load()
	r, err := e.answer(c, q)
	return r, before%2 == 0 && before == c.replacing.Load(), err
}

// answer searches the graph if it may and should, and everything otherwise.
// REQUIRES: the caller is inside an epoch of c.
func (e *engine) answer(c *core, q *Query) (Result, error) {
	live := int(c.live.Load())
	k := min(q.K, live)
	if !q.Exact && k > 0 && c.graph != nil && e.prefersGraph(c, k, live, q) {
		e.watch()
		if hits, ok := c.graph.nearest(q.Vector, k, q.Allow, q.Effort); ok && len(hits) == k {
			// A list of everything that is stored is exact after all.
			return Result{Hits: hits, Exact: q.Allow == nil && k == live && int64(k) == c.live.Load()}, nil
		}
	}
	hits, err := c.exactly(q.Vector, q.K, q.Allow)
	if err != nil {
		return Result{}, fmt.Errorf("search: %w", err)
	}
	return Result{Hits: hits, Exact: true}, nil
}

// prefersGraph decides between the graph and an exact search.
func (e *engine) prefersGraph(c *core, k, live int, q *Query) bool {
	if !e.guard.trusts() {
		e.watch() // it may be good again
		return false
	}
	scan, search := live, e.costs.graphRows(c.graph.effort(k))
	if allow := q.Allow; allow != nil {
		scan = min(live, gatherCost*allow.Len())
		if allow.Len() < 2*k {
			return false
		}
		// To find as many allowed nodes, so many more are looked at.
		search *= live / max(1, min(live, allow.Len()))
	} else if e.mode == always {
		return true
	}
	return search < scan
}

func (e *engine) Vectors() iter.Seq2[ID, []float32] {
	return func(yield func(ID, []float32) bool) {
		var from uint64
		for {
			e.writer.Lock() // also keeps the core
			ids, rows := e.core.Load().copyFrom(from, vectorsBatch)
			e.writer.Unlock()
			if len(ids) == 0 {
				return
			}
			for i, id := range ids {
				if !yield(id, rows[i]) {
					return
				}
			}
			from = uint64(ids[len(ids)-1]) + 1
		}
	}
}

func (e *engine) Bytes() int64 { return e.core.Load().bytes() }

func (e *engine) Recall() (float64, bool) {
	e.guard.mu.Lock()
	defer e.guard.mu.Unlock()
	return e.guard.recall, e.guard.known
}

// checkAll returns an error unless the vectors can be stored under the ids.
func checkAll(dim int, ids []ID, vectors [][]float32) error {
	if len(ids) != len(vectors) {
		return fmt.Errorf("upsert: %d IDs for %d vectors: %w", len(ids), len(vectors), ErrDimension)
	}
	for _, v := range vectors {
		if err := checkVector(dim, v); err != nil {
			return fmt.Errorf("upsert: %w", err)
		}
	}
	return nil
}

// lastOfEach returns ids without repetitions, each with its last vector.
func lastOfEach(ids []ID, vectors [][]float32) ([]ID, [][]float32) {
	at := make(map[ID]int, len(ids))
	for i, id := range ids {
		at[id] = i
	}
	if len(at) == len(ids) {
		return ids, vectors
	}
	var lastIDs []ID
	var last [][]float32
	for i, id := range ids {
		if at[id] == i {
			lastIDs, last = append(lastIDs, id), append(last, vectors[i])
		}
	}
	return lastIDs, last
}
