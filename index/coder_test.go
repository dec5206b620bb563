package index

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/coder/hnsw"
)

// TestCoderSurvivesPanics breaks the graph beneath the engine, while adding and
// while searching: the engine must answer exactly, and get a new graph in time.
func TestCoderSurvivesPanics(t *testing.T) {
	const dim, n = 16, 100
	rng := rand.New(rand.NewPCG(71, 72))
	c, m := newCoder(dim), model{}
	upsert := func(id ID) {
		t.Helper()
		m[id] = randomUnit(rng, dim)
		if err := c.Upsert(id, m[id]); err != nil {
			t.Fatal(err)
		}
	}
	for id := range ID(n) {
		upsert(id)
	}
	broken := func(a, b hnsw.Vector) float32 { panic("broken") }
	exactly := func() {
		t.Helper()
		q := Query{Vector: randomUnit(rng, dim), K: 5}
		if result, err := c.Search(q); err != nil || !result.Exact {
			t.Fatalf("with a broken graph: exact %v, %v", result.Exact, err)
		}
		m.checkSearch(t, c, q)
	}

	c.graph.graph.Distance = broken
	exactly()
	upsert(3)
	if c.graph != nil {
		t.Fatal("a graph that panicked is still in use")
	}
	exactly()
	for range minDead {
		upsert(ID(rng.IntN(n)))
	}
	if c.graph == nil || c.graph.live != n {
		t.Fatal("the graph was not rebuilt")
	}
	m.checkState(t, c)
	m.checkSearch(t, c, Query{Vector: m[3], K: 1})
}

// The dead nodes of a graph must stay within their share, whatever is replaced
// or deleted, and live nodes must be the stored ones.
func TestCoderBuriesTheDead(t *testing.T) {
	const dim, ids = 4, 150
	rng := rand.New(rand.NewPCG(73, 74))
	c, stored := newCoder(dim), map[ID]bool{}
	approximate := 0
	for range 900 {
		id := ID(rng.IntN(ids))
		if rng.IntN(3) == 0 {
			c.Delete(id)
			delete(stored, id)
		} else {
			if err := c.Upsert(id, randomUnit(rng, dim)); err != nil {
				t.Fatal(err)
			}
			stored[id] = true
		}
		if c.graph.live != len(stored) {
			t.Fatalf("%d live nodes, want %d", c.graph.live, len(stored))
		}
		if dead := c.graph.dead(); dead >= minDead && dead*deadShare >= c.graph.nodes() {
			t.Fatalf("%d of %d nodes are dead", dead, c.graph.nodes())
		}
		if nodes := c.graph.graph.Len(); nodes != c.graph.nodes() {
			t.Fatalf("the graph has %d nodes, want %d", nodes, c.graph.nodes())
		}
		result, err := c.Search(Query{Vector: randomUnit(rng, dim), K: 1})
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
	// The arena moves its rows; the graph must have kept its own.
	for id, v := range c.Vectors() {
		key, _ := c.graph.keys.get(id)
		if got, ok := c.graph.graph.Lookup(key); !ok || !slices.Equal(got[:dim], v) {
			t.Errorf("the live node of %d has another vector", id)
		}
	}
}
