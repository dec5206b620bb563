package index

import (
	"math/rand/v2"
	"testing"
)

// poisoned returns an engine of n vectors with a graph whose links lead nowhere
// useful.
func poisoned(t *testing.T, n, dim int) (*engine, model) {
	t.Helper()
	rng := rand.New(rand.NewPCG(71, 72))
	e, m := newEngine(hnswName, dim, always, nil), model{}
	var ids []ID
	var vectors [][]float32
	for id := range ID(n) {
		m[id] = randomUnit(rng, dim)
		ids, vectors = append(ids, id), append(vectors, m[id])
	}
	if err := e.UpsertAll(ids, vectors); err != nil {
		t.Fatal(err)
	}
	for _, c := range *e.core.Load().chunks.Load() {
		for i := range c.links {
			if c.links[i].Load() != noSlot {
				c.links[i].Store(rng.Uint32N(8))
			}
		}
	}
	return e, m
}

// TestGuard poisons a graph: the guard must notice, have exact searches answer,
// make a new graph and trust that one.
func TestGuard(t *testing.T) {
	const n, dim = 3000, 16
	e, m := poisoned(t, n, dim)
	bad := e.core.Load()
	if recall, ok := e.Recall(); ok {
		t.Fatalf("recall is %g before there are samples", recall)
	}
	distrusted := false
	for range 100 {
		e.sample(guardBatch)
		if e.guard.distrust.Load() && e.core.Load() == bad {
			distrusted = true
			r, err := e.Search(Query{Vector: m[5], K: 3})
			if err != nil {
				t.Fatal(err)
			}
			if !r.Exact && e.core.Load() == bad {
				t.Fatal("a graph that is not trusted answered")
			}
		}
		if e.core.Load() != bad {
			break
		}
	}
	settle(t, e)
	if !distrusted || e.core.Load() == bad {
		t.Fatalf("distrusted %v, made anew %v", distrusted, e.core.Load() != bad)
	}
	checkCore(t, e.core.Load())
	for range guardLeast / guardBatch {
		e.sample(guardBatch)
	}
	if recall, ok := e.Recall(); !ok || recall < guardTarget || !e.guard.trusts() {
		t.Fatalf("recall of the new graph is %g, %v", recall, ok)
	}
	r, err := e.Search(Query{Vector: m[5], K: 3})
	if err != nil || r.Exact || r.Hits[0].ID != 5 {
		t.Fatalf("the new graph answers %v, %v", r, err)
	}
}

// Searches alone must set the guard to work.
func TestGuardWatches(t *testing.T) {
	const n, dim = 1000, 16
	e, m := poisoned(t, n, dim)
	bad := e.core.Load()
	for i := 0; e.core.Load() == bad; i++ {
		if i == 5_000_000 {
			t.Fatal("searches of a poisoned graph went on")
		}
		if _, err := e.Search(Query{Vector: m[ID(i%n)], K: 1}); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, e)
}

// A guard asks for more effort where the recall is short of its aim, and for less
// where nothing is missed.
func TestGuardEffort(t *testing.T) {
	var g guard
	graph := newGraph(newArena(4, graphM0, nil))
	note := func(n, missEvery int) {
		for i := range n {
			if g.note(graph, i%missEvery != 0) {
				t.Fatal("the graph is to be made anew")
			}
		}
	}
	note(guardLeast, 100)
	if e := graph.search.Load(); e <= graphSearch || !g.trusts() {
		t.Fatalf("effort %d, trusted %v", e, g.trusts())
	}
	for range 20 {
		for range guardWindow {
			g.note(graph, true)
		}
	}
	if e := graph.search.Load(); e != graphSearch {
		t.Fatalf("effort %d after long success", e)
	}
}
