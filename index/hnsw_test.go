package index

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// crowd returns vectors as a gallery has them: crops of each of some students,
// and a query for each of others of their crops. IDs go by student.
func crowd(rng *rand.Rand, students, crops, dim, queries int) (ids []ID, vectors, ask [][]float32) {
	centres := make([][]float32, students)
	for i := range centres {
		centres[i] = randomUnit(rng, dim)
		for range crops {
			ids = append(ids, ID(len(ids)))
			vectors = append(vectors, noisy(centres[i], rng))
		}
	}
	for range queries {
		ask = append(ask, noisy(centres[rng.IntN(students)], rng))
	}
	return ids, vectors, ask
}

// recallOf returns the share of queries whose nearest vector the engine's own
// search finds, and how many of the answers were approximate.
func recallOf(t *testing.T, e *engine, queries [][]float32, allow *Set) (recall float64, approximate int) {
	t.Helper()
	found := 0
	for _, v := range queries {
		q := Query{Vector: v, K: 5, Allow: allow}
		got, err := e.Search(q)
		if err != nil {
			t.Fatal(err)
		}
		q.Exact = true
		want, err := e.Search(q)
		if err != nil || !want.Exact {
			t.Fatal("no exact answer though demanded", err)
		}
		if len(got.Hits) != len(want.Hits) {
			t.Fatalf("%d hits, want %d", len(got.Hits), len(want.Hits))
		}
		if got.Hits[0] == want.Hits[0] {
			found++
		}
		if !got.Exact {
			approximate++
		}
	}
	return float64(found) / float64(len(queries)), approximate
}

// TestGraphRecall builds a graph in bulk, then lets most of it be deleted and made
// up for, one by one: recall must stay, everywhere and inside large scopes.
func TestGraphRecall(t *testing.T) {
	const students, crops, dim, queries, least = 1000, 4, 48, 400, 0.99
	rng := rand.New(rand.NewPCG(91, 92))
	ids, vectors, ask := crowd(rng, students, crops, dim, queries)
	e := mustNew(t, hnswName, dim).(*engine)
	if err := e.Add(ids, vectors); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		settle(t, e)
		checkGeneration(t, e.generation.Load())
		scopes := map[string]*Set{"everybody": nil, "every second student": NewSet(), "half of the crops": NewSet()}
		for _, id := range ids {
			if id/crops%2 == 0 {
				scopes["every second student"].Add(id)
			}
			if rng.IntN(2) == 0 {
				scopes["half of the crops"].Add(id)
			}
		}
		for name, allow := range scopes {
			if recall, approximate := recallOf(t, e, ask, allow); recall < least || allow == nil && approximate < queries/2 {
				t.Errorf("%s, %s: recall %g; %d of %d answers by the graph", when, name, recall, approximate, queries)
			}
		}
	}
	check("built")
	for round := range 3 {
		for _, id := range ids {
			if rng.IntN(3) == 0 {
				e.Delete(id)
			}
		}
		if round%2 == 0 {
			settle(t, e) // else the next ones come while the repair is under way
		}
		for _, id := range ids {
			if !e.Vector(id, make([]float32, dim)) {
				put(t, e, id, vectors[id])
			}
		}
		check(fmt.Sprint("after round ", round))
	}
}

// TestReplaceAll has everything deleted and other vectors come before any repair.
func TestReplaceAll(t *testing.T) {
	const dim, queries = 32, 200
	rng := rand.New(rand.NewPCG(99, 100))
	e := mustNew(t, hnswName, dim).(*engine)
	for range 3 {
		for id := range e.Vectors() {
			e.Delete(id)
		}
		ids, vectors, ask := crowd(rng, 300, 4, dim, queries)
		for i, id := range ids {
			put(t, e, id, vectors[i])
		}
		settle(t, e)
		checkGeneration(t, e.generation.Load())
		if recall, approximate := recallOf(t, e, ask, nil); recall < 0.99 || approximate < queries*9/10 {
			t.Errorf("recall %g; %d of %d answers by the graph", recall, approximate, queries)
		}
	}
}

// The filtered search itself, without the choice whether it pays.
func TestSearchAllowed(t *testing.T) {
	const dim = 32
	rng := rand.New(rand.NewPCG(93, 94))
	ids, vectors, ask := crowd(rng, 800, 5, dim, 200)
	e := mustNew(t, hnswName, dim).(*engine)
	if err := e.Add(ids, vectors); err != nil {
		t.Fatal(err)
	}
	g, state := e.generation.Load().graph.(*hnsw), e.generation.Load().now.Load()
	v := g.view(state)
	s := g.scratch.get(v)
	node, _, _ := g.top()
	for _, share := range []int{1, 2, 5} {
		allow, answered, found := NewSet(), 0, 0
		for _, id := range ids {
			if rng.IntN(share) == 0 {
				allow.Add(id)
			}
		}
		for _, q := range ask {
			want := state.nearest(q, 5, 0, allow)
			s.reset(v)
			s.query.encode(q)
			if !s.searchAllowed(v, node, 64, allow, len(ids)) {
				continue
			}
			answered++
			hits := s.hits(v, q, 5, allow)
			if slices.ContainsFunc(hits, func(h Hit) bool { return !allow.Has(h.ID) }) {
				t.Fatal("a hit is not allowed")
			}
			if len(hits) > 0 && hits[0] == want[0] {
				found++
			}
		}
		if answered < len(ask)*9/10 || float64(found) < 0.98*float64(answered) {
			t.Errorf("one in %d allowed: %d of %d answers have the nearest", share, found, answered)
		}
	}
}

// The same vectors in the same order make the same graph, on however many
// processors.
func TestGraphIsDeterministic(t *testing.T) {
	const dim = 16
	rng := rand.New(rand.NewPCG(95, 96))
	ids, vectors, _ := crowd(rng, 500, 4, dim, 1)
	build := func() (links []uint32, top uint64) {
		e := mustNew(t, hnswName, dim).(*engine)
		if err := e.Add(ids, vectors); err != nil {
			t.Fatal(err)
		}
		for id := range ID(50) {
			put(t, e, id+1e6, vectors[id])
		}
		g := e.generation.Load().graph.(*hnsw)
		v := g.view(e.generation.Load().now.Load())
		for slot := range v.used {
			for layer := range levelOf(v, slot) + 1 {
				links = append(links, linked(v.neighbours(slot, layer))...)
			}
		}
		return links, g.entry.Load()
	}
	links, top := build()
	if again, topAgain := build(); !slices.Equal(links, again) || top != topAgain {
		t.Error("the second graph differs from the first")
	}
}
