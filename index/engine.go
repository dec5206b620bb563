package index

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"rollcall/index/kernel"
)

// engine is every engine: vectors that are searched exactly and, for the
// approximate ones, a graph over them.
type engine struct {
	name       string
	newGraph   func() graph // nil: only exact searches
	generation atomic.Pointer[generation]
	guard      guard
	searches   atomic.Int64 // how many there were

	adding sync.Mutex // held during Add; taken before writer
	writer struct {
		sync.Mutex // makes its holder the one writer of the generation, and guards the fields that follow

		wiping  bool            // a goroutine clears deleted vectors
		touched map[ID]struct{} // changed since a rebuild began; nil while there is none
		seen    int64           // searches until the last look at them
	}
}

// generation is what a rebuild makes anew: the vectors and the graph over them.
type generation struct {
	*arena
	graph graph    // nil: only exact searches
	dead  []uint32 // slots to be wiped; only the writer uses them
}

// A graph proposes the nearest vectors of an arena without looking at most of
// them. Searches may run beside each other and beside one insertion.
type graph interface {
	// insert adds the slots from s.used to s.written-1, on as many processors as
	// workers.
	insert(s *state, workers int)

	// nearest returns the best k hits for query, [dim]float32, that the graph
	// finds; it may find fewer than k. False says that an exact search is the
	// better choice.
	nearest(s *state, query []float32, k int, allow *Set) (hits []Hit, ok bool)

	// strive makes searches find more and take longer; without more, the
	// opposite. It reports false if it changes nothing.
	strive(more bool) bool

	// broken reports whether the graph has to be made anew.
	broken() bool

	bytes() int64
}

var _ Engine = (*engine)(nil)

func newEngine(name string, dim int, newGraph func() graph) *engine {
	e := &engine{name: name, newGraph: newGraph}
	e.generation.Store(e.newGeneration(dim))
	return e
}

func (e *engine) newGeneration(dim int) *generation {
	gen := &generation{arena: newArena(dim)}
	if e.newGraph != nil {
		gen.graph = e.newGraph()
	}
	return gen
}

func (e *engine) Name() string { return e.name }

func (e *engine) Dim() int { return e.generation.Load().dim }

func (e *engine) Len() int { return e.generation.Load().now.Load().live() }

// insertBatch is how many vectors are added under one hold of the lock, and
// inserted into a graph side by side: see hnsw.insert.
const insertBatch = 512

func (e *engine) Add(ids []ID, vectors [][]float32) error {
	if err := checkAll(e.Dim(), ids, vectors); err != nil {
		return fmt.Errorf("add: %w", err)
	}
	e.adding.Lock()
	defer e.adding.Unlock()
	for _, id := range ids {
		if _, there := e.generation.Load().now.Load().find(id); there {
			return fmt.Errorf("add ID %d: %w", id, ErrExists)
		}
	}
	for len(ids) > 0 {
		n := min(len(ids), insertBatch)
		e.writer.Lock()
		e.generation.Load().put(ids[:n], vectors[:n], e.workers())
		e.changed(ids[:n]...)
		e.writer.Unlock()
		ids, vectors = ids[n:], vectors[n:]
	}
	return nil
}

// workers returns how many processors insert into a graph: all, or all but one if
// there were searches since the last insertion.
// REQUIRES: e.writer is held.
func (e *engine) workers() int {
	n := processors()
	if searches := e.searches.Load(); searches != e.writer.seen {
		e.writer.seen = searches
		n--
	}
	return max(1, n)
}

// put stores vectors, [dim]float32 each, under ids. Nothing may be stored under
// them yet.
// REQUIRES: the caller is the writer.
func (gen *generation) put(ids []ID, vectors [][]float32, workers int) {
	gen.write(ids, vectors)
	if gen.graph != nil {
		gen.graph.insert(gen.now.Load(), workers)
	}
	gen.publish()
}

func (e *engine) Delete(id ID) bool {
	e.writer.Lock()
	defer e.writer.Unlock()
	if !e.generation.Load().remove(id) {
		return false
	}
	e.changed(id)
	return true
}

// remove deletes the vector of id and reports whether there was one.
// REQUIRES: the caller is the writer.
func (gen *generation) remove(id ID) bool {
	slot, ok := gen.now.Load().find(id)
	if !ok {
		return false
	}
	gen.bury(slot)
	if gen.graph == nil { // searches of a graph go through dead rows
		gen.dead = append(gen.dead, slot)
	}
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
	gen := e.generation.Load()
	if len(gen.dead) > 0 && !e.writer.wiping {
		e.writer.wiping = true
		go e.wipe()
	}
	if s := gen.now.Load(); s.deaths >= minDead && int(s.deaths)*deadShare >= s.live() || gen.graph != nil && gen.graph.broken() {
		e.startRebuild()
	}
}

func (e *engine) Search(q Query) (Result, error) {
	if err := q.check(e.Dim()); err != nil {
		return Result{}, err
	}
	e.searches.Add(1)
	gen := e.generation.Load()
	return e.answer(gen, gen.now.Load(), q), nil
}

func (e *engine) SearchMany(vectors [][]float32, like Query) ([]Result, error) {
	for i, v := range vectors {
		like.Vector = v
		if err := like.check(e.Dim()); err != nil {
			return nil, fmt.Errorf("query %d: %w", i, err)
		}
	}
	e.searches.Add(int64(len(vectors)))
	gen := e.generation.Load()
	s := gen.now.Load()
	results := make([]Result, len(vectors))
	if k := s.most(like); k > 0 && (gen.graph == nil || like.Exact) {
		for i, hits := range s.nearestOfEach(vectors, k, like.Least, like.Allow) {
			results[i] = Result{Hits: hits, Exact: true}
		}
		return results, nil
	}
	for i, v := range vectors {
		like.Vector = v
		results[i] = e.answer(gen, s, like)
	}
	return results, nil
}

// most returns how many hits q can have at most.
func (s *state) most(q Query) int {
	k := min(q.K, s.live())
	if q.Allow != nil {
		k = min(k, q.Allow.Len())
	}
	return k
}

// answer answers q, which was checked, in the state s of gen.
func (e *engine) answer(gen *generation, s *state, q Query) Result {
	k := s.most(q)
	if k == 0 {
		return Result{Exact: true}
	}
	if gen.graph != nil && !q.Exact {
		e.watch(gen, s, q, k)
		if e.guard.trusts() {
			if hits, ok := gen.graph.nearest(s, q.Vector, k, q.Allow); ok && len(hits) == k {
				return Result{Hits: reaching(hits, q.Least), Exact: k == s.live()}
			}
		}
	}
	return Result{Hits: s.nearest(q.Vector, k, q.Least, q.Allow), Exact: true}
}

// reaching returns the hits, best first, that reach least, if that is above 0.
func reaching(hits []Hit, least float32) []Hit {
	if least <= 0 {
		return hits
	}
	n, _ := slices.BinarySearchFunc(hits, least, func(h Hit, least float32) int {
		if h.Similarity >= least {
			return -1
		}
		return 1
	})
	return hits[:n]
}

func (e *engine) Vector(id ID, into []float32) bool {
	s := e.generation.Load().now.Load()
	slot, ok := s.find(id)
	if ok {
		copy(into, s.row(slot)[:s.dim])
	}
	return ok
}

func (e *engine) Similarities(vector []float32, ids []ID, into []float32) {
	s := e.generation.Load().now.Load()
	query := pad(vector)
	for i, id := range ids {
		into[i] = float32(math.NaN())
		if slot, ok := s.find(id); ok {
			into[i] = max(-1, min(1, kernel.Dot(query, s.row(slot))))
		}
	}
}

func (e *engine) Vectors() iter.Seq2[ID, []float32] {
	return func(yield func(ID, []float32) bool) {
		s := e.generation.Load().now.Load()
		for id, slot := range s.slots.all() {
			if s.lives(slot) && !yield(id, slices.Clone(s.row(slot)[:s.dim])) {
				return
			}
		}
	}
}

func (e *engine) Reserve(n int) {
	e.writer.Lock()
	defer e.writer.Unlock()
	e.generation.Load().reserved = n
}

func (e *engine) Recall() (float64, bool) { return e.guard.lately() }

func (e *engine) Bytes() int64 {
	gen := e.generation.Load()
	n := gen.bytes()
	if gen.graph != nil {
		n += gen.graph.bytes()
	}
	return n
}
