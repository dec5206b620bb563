package index

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
)

// A failing source must fail searches, never shorten their answers.
func TestSourceFails(t *testing.T) {
	const dim, n = 16, 500
	for _, name := range []string{exactName, hnswName} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(101, 102))
			broken := errors.New("the source is broken")
			var fails atomic.Bool
			vectors := map[ID][]float32{}
			e, err := New(name, dim, Options{Source: func(id ID, v []float32) (bool, error) {
				if fails.Load() {
					return false, broken
				}
				copy(v, vectors[id])
				return true, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			for id := range ID(n) {
				vectors[id] = randomUnit(rng, dim)
				if err := e.Upsert(id, vectors[id]); err != nil {
					t.Fatal(err)
				}
			}
			for _, exact := range []bool{false, true} {
				q := Query{Vector: vectors[7], K: 3, Exact: exact}
				fails.Store(true)
				if r, err := e.Search(q); !errors.Is(err, broken) {
					t.Errorf("the search answers %v, %v", r, err)
				}
				fails.Store(false)
				if r, err := e.Search(q); err != nil || r.Hits[0].ID != 7 {
					t.Errorf("the search answers %v, %v", r, err)
				}
			}
		})
	}
}

// TestRebuildFindsDeleted lets a rebuild end between a deletion in the source and
// that in the engine: the vector is gone, once.
func TestRebuildFindsDeleted(t *testing.T) {
	const dim, n = 16, 100
	s := mustNew(t, hnswName+overSource, dim).(*sourced)
	rng := rand.New(rand.NewPCG(105, 106))
	for id := range ID(n) {
		if err := s.Upsert(id, randomUnit(rng, dim)); err != nil {
			t.Fatal(err)
		}
	}
	delete(s.vectors, 7)
	e := s.Engine.(*engine)
	before := e.core.Load()
	e.writer.Lock()
	e.startRebuild(true)
	e.writer.Unlock()
	for e.core.Load() == before {
		time.Sleep(time.Millisecond)
	}
	if e.Delete(7) || e.Len() != n-1 {
		t.Errorf("the vector was deleted twice, or %d are left of %d", e.Len(), n)
	}
	for id := range ID(n) {
		if id != 7 && !s.Delete(id) {
			t.Errorf("%d was lost", id)
		}
	}
	if e.Len() != 0 {
		t.Errorf("%d are left of none", e.Len())
	}
}

// TestBytes holds the memory of an index against that of the bare vectors.
func TestBytes(t *testing.T) {
	const dim, n = 128, 20_000
	const raw = n * dim * 4
	rng := rand.New(rand.NewPCG(103, 104))
	vectors := make([][]float32, n)
	ids := make([]ID, n)
	for i := range vectors {
		vectors[i], ids[i] = randomUnit(rng, dim), ID(i)
	}
	source := func(id ID, v []float32) (bool, error) { copy(v, vectors[id]); return true, nil }
	for _, c := range []struct {
		source Source
		most   float64 // of raw
	}{{nil, 1.35}, {source, 0.35}} {
		e, err := New(exactName, dim, Options{Source: c.source})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.UpsertAll(ids, vectors); err != nil {
			t.Fatal(err)
		}
		if share := float64(e.Bytes()) / raw; share > c.most || share < c.most-0.1 {
			t.Errorf("source %v: %.3f of the bare vectors", c.source != nil, share)
		}
	}
}
