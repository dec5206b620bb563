package index

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"rollcall/index/kernel"
)

// A history is a sequence of changes and, for each moment, all hits of one query
// among the vectors that change.
type history struct {
	query   []float32
	changes []edit
	moments [][]Hit // before the first change, after it, ...
}

type edit struct {
	id     ID
	vector []float32 // nil: delete
}

// newHistory returns n changes of some IDs, which are deleted and, mostly at once,
// added again with another vector. All vectors lie on the query's side. The IDs are
// some way apart: a new generation has them among others.
func newHistory(rng *rand.Rand, dim, ids, apart, n int) *history {
	h := &history{query: randomUnit(rng, dim), moments: [][]Hit{nil}}
	stored := model{}
	c := edit{}
	for range n {
		if c.vector != nil || rng.IntN(4) == 0 {
			c.id = ID(rng.IntN(ids) * apart)
		}
		c.vector = nil
		if _, there := stored[c.id]; there {
			delete(stored, c.id)
		} else {
			c.vector = towards(rng, h.query, 0.1+0.8*rng.Float64())
			stored[c.id] = c.vector
		}
		h.changes = append(h.changes, c)
		var hits []Hit
		for id, v := range stored {
			hits = append(hits, Hit{id, kernel.Dot(pad(h.query), pad(v))})
		}
		slices.SortFunc(hits, compareHits)
		h.moments = append(h.moments, hits)
	}
	return h
}

// towards returns a random unit vector whose similarity with the unit vector v is s.
func towards(rng *rand.Rand, v []float32, s float64) []float32 {
	out := randomUnit(rng, len(v))
	var along float64
	for i := range v {
		along += float64(v[i]) * float64(out[i])
	}
	for i := range v {
		out[i] -= float32(along) * v[i]
	}
	scaleTo(out, math.Sqrt(1-s*s))
	for i := range v {
		out[i] += float32(s) * v[i]
	}
	return out
}

// at reports whether hits are the answer, within allow, at one of the moments.
func (h *history) at(hits []Hit, k int, allow *Set, from, to int) bool {
	for _, all := range h.moments[from:min(to+1, len(h.moments))] {
		want := slices.Clone(all)
		if allow != nil {
			want = slices.DeleteFunc(want, func(hit Hit) bool { return !allow.Has(hit.ID) })
		}
		if slices.Equal(hits, want[:min(k, len(want))]) {
			return true
		}
	}
	return false
}

// TestOneMoment searches exactly while vectors are deleted and added again: every
// answer must be that of one moment between the search's begin and its end.
func TestOneMoment(t *testing.T) {
	forEachEngine(t, func(t *testing.T, name string) {
		const dim, ids = 20, 12
		apart, changes := 500, 60_000
		if name != exactName { // it is the same search, and insertions are slow
			apart, changes = 50, 1000
		}
		rng := rand.New(rand.NewPCG(111, 112))
		h := newHistory(rng, dim, ids, apart, changes)
		e := mustNew(t, name, dim)
		var filling []ID
		var vectors [][]float32
		for id := range ID(ids * apart) {
			if id%ID(apart) != 0 { // on the other side
				filling, vectors = append(filling, id), append(vectors, towards(rng, h.query, -0.1-0.8*rng.Float64()))
			}
		}
		if err := e.Add(filling, vectors); err != nil {
			t.Fatal(err)
		}
		var done atomic.Int64 // changes
		var searching sync.WaitGroup
		for r := range 3 {
			searching.Go(func() {
				rng := rand.New(rand.NewPCG(113, uint64(r)))
				for done.Load() < int64(changes) {
					q := Query{Vector: h.query, K: 1 + rng.IntN(ids), Exact: true}
					if rng.IntN(2) == 0 { // from a few to nearly everybody
						q.Allow = NewSet()
						for _, id := range rng.Perm(ids)[:1+rng.IntN(ids)] {
							q.Allow.Add(ID(id * apart))
						}
						for range rng.IntN(2) * len(filling) {
							q.Allow.Add(filling[rng.IntN(len(filling))])
						}
					}
					from := int(done.Load())
					result, err := searchAtOnce(e, q, rng.IntN(7))
					to := int(done.Load()) + 1
					hits := slices.DeleteFunc(slices.Clone(result.Hits), func(hit Hit) bool { return hit.ID%ID(apart) != 0 })
					if err != nil || !result.Exact || !h.at(hits, q.K, q.Allow, from, to) {
						t.Errorf("between %d and %d the answer is %v, exact %v, %v", from, to, result.Hits, result.Exact, err)
						return
					}
				}
			})
		}
		for _, c := range h.changes {
			if c.vector == nil {
				e.Delete(c.id)
			} else if err := e.Add([]ID{c.id}, [][]float32{c.vector}); err != nil {
				t.Fatal(err)
			}
			done.Add(1)
		}
		searching.Wait()
	})
}

// searchAtOnce asks one query, or the same one several times at once, where all answers
// must be equal.
func searchAtOnce(e Engine, q Query, times int) (Result, error) {
	if times == 0 {
		return e.Search(q)
	}
	results, err := e.SearchMany(slices.Repeat([][]float32{q.Vector}, times), q)
	if err != nil {
		return Result{}, err
	}
	for _, r := range results {
		if !slices.Equal(r.Hits, results[0].Hits) {
			return Result{}, fmt.Errorf("of one call: %v and %v", r.Hits, results[0].Hits)
		}
	}
	return results[0], nil
}

// A state never changes, whatever is deleted, wiped, added and copied after it.
func TestStateStays(t *testing.T) {
	const dim, n = 24, 1900 // of the 2,048 rows that the chunk has grown to: it is wiped before it grows on
	rng := rand.New(rand.NewPCG(115, 116))
	e, m := mustNew(t, exactName, dim).(*engine), model{}
	for id := range ID(n) {
		m[id] = randomUnit(rng, dim)
		put(t, e, id, m[id])
	}
	s := e.generation.Load().now.Load()
	few := NewSet()
	for range n / 10 {
		few.Add(ID(rng.IntN(n)))
	}
	check := func() {
		t.Helper()
		for range 20 {
			q := Query{Vector: hardUnit(rng, dim, m), K: 10}
			m.checkExact(t, q, s.nearest(q.Vector, q.K, 0, nil))
			q.Allow = few
			m.checkExact(t, q, s.nearest(q.Vector, q.K, 0, few))
		}
		vectors := randomQueries(rng, dim, m)
		for i, hits := range s.nearestOfEach(vectors, 10, 0, nil) {
			m.checkExact(t, Query{Vector: vectors[i], K: 10}, hits)
		}
		n := s.scannerOf(vectors, few)
		n.start(10)
		n.scanInParallel(10, 1+rng.IntN(4))
		for i, q := range n.queries {
			m.checkExact(t, Query{Vector: vectors[i], K: 10, Allow: few}, q.best.sorted())
		}
	}
	check()
	for i := range n {
		if i%3 == 0 {
			e.Delete(ID(i))
		}
		if i%6 == 0 {
			put(t, e, ID(i), randomUnit(rng, dim))
		}
		if i == n/6 { // no new generation yet
			settle(t, e)
			check()
		}
	}
	check()
	settle(t, e)
	check()
}
