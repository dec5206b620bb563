package index

import (
	"fmt"
	"iter"
	"sync"
)

// exact is the engine that compares a query with every stored (and allowed)
// vector. Searches run side by side.
type exact struct {
	dim int

	mu    sync.RWMutex // guards the field that follows
	arena *arena
}

var _ Engine = (*exact)(nil)

func newExact(dim int) *exact { return &exact{dim: dim, arena: newArena(dim)} }

func (e *exact) Name() string { return exactName }

func (e *exact) Dim() int { return e.dim }

func (e *exact) Len() int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.arena.len()
}

func (e *exact) Upsert(id ID, vector []float32) error {
	if err := checkVector(e.dim, vector); err != nil {
		return fmt.Errorf("upsert: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.arena.put(id, vector)
	return nil
}

func (e *exact) Delete(id ID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.arena.remove(id)
}

func (e *exact) Search(q Query) (Result, error) {
	if err := q.check(e.dim); err != nil {
		return Result{}, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	return Result{Hits: e.arena.search(q.Vector, q.K, q.Allow), Exact: true}, nil
}

func (e *exact) Vectors() iter.Seq2[ID, []float32] { return e.arena.vectors(e.mu.RLocker()) }

func (e *exact) Bytes() int64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.arena.bytes()
}
