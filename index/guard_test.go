package index

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// testThreshold is the threshold that the queries of these tests have.
const testThreshold = 0.6

// poisoned returns an engine of n vectors with a graph whose links lead nowhere
// useful.
func poisoned(t *testing.T, n, dim int) (*engine, model) {
	t.Helper()
	rng := rand.New(rand.NewPCG(71, 72))
	e, m := mustNew(t, hnswName, dim).(*engine), model{}
	var ids []ID
	var vectors [][]float32
	for id := range ID(n) {
		m[id] = randomUnit(rng, dim)
		ids, vectors = append(ids, id), append(vectors, m[id])
	}
	if err := e.Add(ids, vectors); err != nil {
		t.Fatal(err)
	}
	for _, c := range *e.generation.Load().graph.(*hnsw).nodes.Load() {
		for i := range c.links {
			if c.links[i].Load() != noSlot {
				c.links[i].Store(rng.Uint32N(8))
			}
		}
	}
	return e, m
}

// sampleAll takes a sample of a query near each of n stored vectors.
func sampleAll(e *engine, m model, rng *rand.Rand, n int) {
	for range n {
		c := e.generation.Load()
		v := noisy(m[ID(rng.IntN(len(m)))], rng)
		e.sample(c, c.now.Load(), Query{Vector: v, K: 3, Threshold: testThreshold}, 3)
	}
}

// TestGuard poisons a graph: the guard must notice, have exact searches answer,
// make a new graph and trust that one, once it has proved itself.
func TestGuard(t *testing.T) {
	const n, dim = 1500, 16
	e, m := poisoned(t, n, dim)
	rng := rand.New(rand.NewPCG(73, 74))
	bad := e.generation.Load()
	if recall, ok := e.Recall(); ok {
		t.Fatalf("recall is %g before there are samples", recall)
	}
	exactly := func() {
		t.Helper()
		if r, err := e.Search(Query{Vector: m[5], K: 3}); err != nil || !r.Exact {
			t.Fatalf("a graph that is not trusted answered: %v, %v", r, err)
		}
	}
	for i := 0; e.guard.trusts(); i++ {
		if i == guardLeast {
			t.Fatal("the poisoned graph is trusted")
		}
		sampleAll(e, m, rng, 1)
	}
	exactly()
	if recall, ok := e.Recall(); !ok || recall > 0.5 {
		t.Fatalf("recall of a poisoned graph is %g, %v", recall, ok)
	}
	sampleAll(e, m, rng, 6*guardLeast)
	settle(t, e)
	if e.generation.Load() == bad {
		t.Fatal("the graph was not made anew")
	}
	checkGeneration(t, e.generation.Load())
	sampleAll(e, m, rng, guardLeast)
	if recall, ok := e.Recall(); !ok || recall < guardTarget || !e.guard.trusts() {
		t.Fatalf("recall of the new graph is %g, %v", recall, ok)
	}
	if r, err := e.Search(Query{Vector: m[5], K: 3}); err != nil || r.Exact || r.Hits[0].ID != 5 {
		t.Fatalf("the new graph answers %v, %v", r, err)
	}
}

// Searches alone must set the guard to work, if they have a threshold.
func TestGuardWatches(t *testing.T) {
	const n, dim = 1000, 16
	e, m := poisoned(t, n, dim)
	bad := e.generation.Load()
	search := func(i int, threshold float32) {
		if _, err := e.Search(Query{Vector: m[ID(i%n)], K: 1, Threshold: threshold}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1000 {
		search(i, 0)
	}
	settle(t, e)
	if e.guard.next.Load() != 0 {
		t.Error("a sample was taken of a query without a threshold")
	}
	start := time.Now()
	search(0, testThreshold)
	settle(t, e)
	if pause := e.guard.next.Load() - start.UnixNano(); pause < guardShare*int64(time.Microsecond) {
		t.Errorf("the next sample may be taken after %d ns", pause)
	}
	for i := 0; e.generation.Load() == bad; i++ {
		if i == 5_000_000 {
			t.Fatal("searches of a poisoned graph went on")
		}
		e.guard.next.Store(0) // rather than waiting for a hundred times as long
		search(i, testThreshold)
	}
	settle(t, e)
}

// A graph that was not trusted is followed by one that has to prove itself.
func TestGuardReset(t *testing.T) {
	var g guard
	for range guardLeast {
		g.note(newHNSW(), false)
	}
	g.reset()
	if _, ok := g.lately(); ok || g.trusts() {
		t.Fatalf("of a new graph: recall known %v, trusted %v", ok, g.trusts())
	}
	for range guardLeast {
		g.note(newHNSW(), true)
	}
	if recall, ok := g.lately(); !ok || recall != 1 || !g.trusts() {
		t.Fatalf("recall %g, %v, trusted %v", recall, ok, g.trusts())
	}
}

// A sample of a graph that was left behind says nothing of the one that serves.
func TestGuardForgetsTheOldGraph(t *testing.T) {
	e, m := poisoned(t, 1000, 16)
	old := e.generation.Load()
	e.writer.Lock()
	e.startRebuild()
	e.writer.Unlock()
	settle(t, e)
	for range guardLeast {
		e.sample(old, old.now.Load(), Query{Vector: m[7], K: 3, Threshold: testThreshold}, 3)
	}
	if recall, ok := e.Recall(); ok {
		t.Errorf("recall is %g", recall)
	}
}

// A guard asks for more effort where the recall is short of its aim, and for less
// where nothing is missed.
func TestGuardEffort(t *testing.T) {
	var g guard
	graph := newHNSW().(*hnsw)
	for i := range guardLeast {
		if g.note(graph, i%100 != 0) {
			t.Fatal("the graph is to be made anew")
		}
	}
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
	if recall, ok := g.lately(); recall != 1 || !ok {
		t.Errorf("recall is %g, %v", recall, ok)
	}
}

// What is far below the threshold does not count: no decision rests on it.
func TestDecisive(t *testing.T) {
	hits := []Hit{{3, 0.9}, {1, 0.62}, {7, 0.56}, {2, 0.54}, {5, -0.1}}
	for _, c := range []struct {
		threshold float32
		want      int
	}{{0.6, 3}, {0.68, 1}, {0.96, 0}, {0.1, 4}, {-0.9, 5}} {
		q := Query{Threshold: c.threshold}
		if got := q.decisive(hits); !slices.Equal(got, hits[:c.want]) {
			t.Errorf("threshold %g: %v", c.threshold, got)
		}
	}
}

// TestCoderIsNotTrusted has the guard find out that github.com/coder/hnsw misses
// what decides: its recall is published, and exact searches answer.
func TestCoderIsNotTrusted(t *testing.T) {
	const dim, students, crops = 64, 200, 5
	rng := rand.New(rand.NewPCG(75, 76))
	ids, vectors, ask := crowd(rng, students, crops, dim, 4*guardLeast)
	e := mustNew(t, coderName, dim).(*engine)
	if err := e.Add(ids, vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range ask {
		q := Query{Vector: v, K: 10, Threshold: testThreshold}
		if _, err := e.Search(q); err != nil {
			t.Fatal(err)
		}
		settle(t, e)
		e.guard.next.Store(0) // rather than waiting for a hundred times as long
	}
	recall, ok := e.Recall()
	r, err := e.Search(Query{Vector: ask[0], K: 10, Threshold: testThreshold})
	if err != nil || !ok {
		t.Fatalf("recall %g, %v; %v", recall, ok, err)
	}
	if recall >= guardTarget || !r.Exact {
		t.Errorf("recall %g, exact %v", recall, r.Exact)
	}
}

// An insertion leaves a processor to searches, if there were some since the last
// one.
func TestWorkers(t *testing.T) {
	e := mustNew(t, hnswName, 2).(*engine)
	v := []float32{0.6, 0.8}
	put(t, e, 1, v)
	for _, searches := range []int{0, 3, 0, 1} {
		for range searches {
			if _, err := e.Search(Query{Vector: v, K: 1}); err != nil {
				t.Fatal(err)
			}
		}
		want := processors()
		if searches > 0 {
			want = max(1, want-1)
		}
		e.writer.Lock()
		if got := e.workers(); got != want {
			t.Errorf("after %d searches: %d workers, want %d", searches, got, want)
		}
		e.writer.Unlock()
	}
}
