package index

import (
	"math/rand/v2"
	"slices"
	"testing"

	coderhnsw "github.com/coder/hnsw"
)

// coderOf returns the graph of an engine.
func coderOf(e *engine) *coder { return e.generation.Load().graph.(*coder) }

// TestCoderSurvivesPanics breaks the graph beneath the engine, while adding and
// while searching: the engine must answer exactly, and get a new graph in time.
func TestCoderSurvivesPanics(t *testing.T) {
	const dim, n = 16, 100
	rng := rand.New(rand.NewPCG(71, 72))
	e, m := mustNew(t, coderName, dim).(*engine), model{}
	replace := func(id ID) {
		t.Helper()
		m[id] = randomUnit(rng, dim)
		put(t, e, id, m[id])
	}
	for id := range ID(n) {
		replace(id)
	}
	broken := func(a, b coderhnsw.Vector) float32 { panic("broken") }
	exactly := func() {
		t.Helper()
		q := Query{Vector: randomUnit(rng, dim), K: 5}
		if result, err := e.Search(q); err != nil || !result.Exact {
			t.Fatalf("with a broken graph: exact %v, %v", result.Exact, err)
		}
		m.checkSearch(t, e, q)
	}

	coderOf(e).graph.Distance = broken
	exactly()
	replace(3)
	if coderOf(e).graph != nil {
		t.Fatal("a graph that panicked is still in use")
	}
	exactly()
	for range minDead {
		replace(ID(rng.IntN(n)))
	}
	settle(t, e)
	if coderOf(e).graph == nil {
		t.Fatal("the graph was not made anew")
	}
	m.checkState(t, e)
	m.checkSearch(t, e, Query{Vector: m[3], K: 1})
	if r, err := e.Search(Query{Vector: m[3], K: 1}); err != nil || r.Exact {
		t.Errorf("the new graph does not answer: exact %v, %v", r.Exact, err)
	}
}

// The dead nodes of a graph must stay within their share, whatever is replaced
// or deleted, and the nodes must be those of the slots.
func TestCoderKeepsItsNodes(t *testing.T) {
	const dim, ids = 4, 150
	rng := rand.New(rand.NewPCG(73, 74))
	e := mustNew(t, coderName, dim).(*engine)
	approximate := 0
	for range 900 {
		id := ID(rng.IntN(ids))
		if rng.IntN(3) == 0 {
			e.Delete(id)
		} else {
			put(t, e, id, randomUnit(rng, dim))
		}
		result, err := e.Search(Query{Vector: randomUnit(rng, dim), K: 1})
		if err != nil {
			t.Fatal(err)
		}
		if !result.Exact {
			approximate++
		}
	}
	if approximate < 450 { // else the suite would only have tested the exact scan
		t.Errorf("only %d of 900 searches were answered by the graph", approximate)
	}
	settle(t, e)
	checkGeneration(t, e.generation.Load())
	s := e.generation.Load().now.Load()
	if nodes := coderOf(e).graph.Len(); nodes != int(s.used) {
		t.Fatalf("the graph has %d nodes of %d slots", nodes, s.used)
	}
	// The arena moves its rows; the graph must have kept its own.
	for slot := range s.used {
		if got, ok := coderOf(e).graph.Lookup(slot); !ok || !slices.Equal(got, s.row(slot)) {
			t.Errorf("the node of slot %d has another vector", slot)
		}
	}
}
