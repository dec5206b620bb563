package index

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// TestConcurrent lets several goroutines change disjoint IDs while others search
// and iterate. Some vectors never change: an exact search must find them.
func TestConcurrent(t *testing.T) {
	forEachEngine(t, func(t *testing.T, name string) {
		const dim, writers, perWriter, fixed = 24, 3, 30, 30
		e, m := mustNew(t, name, dim), model{}
		rng := rand.New(rand.NewPCG(61, 62))
		for id := range ID(fixed) {
			m[id] = randomUnit(rng, dim)
			put(t, e, id, m[id])
		}
		fixedVectors := maps.Clone(m)

		var writing, reading sync.WaitGroup
		stop := make(chan struct{})
		models := make([]model, writers)
		for w := range writers {
			models[w] = model{}
			writing.Go(func() {
				change(t, e, models[w], rand.New(rand.NewPCG(63, uint64(w))), ID(fixed+w*perWriter), perWriter)
			})
		}
		for r := range 3 {
			reading.Go(func() {
				rng := rand.New(rand.NewPCG(64, uint64(r)))
				for {
					select {
					case <-stop:
						return
					default:
						searchMeanwhile(t, e, fixedVectors, rng, fixed+writers*perWriter)
					}
				}
			})
		}
		writing.Wait()
		close(stop)
		reading.Wait()
		for _, other := range models {
			maps.Copy(m, other)
		}
		m.checkState(t, e)
		for range 20 {
			m.checkSearch(t, e, randomQuery(rng, dim, fixed+writers*perWriter, m))
		}
	})
}

// change makes random changes to the n IDs from first on, which nobody else changes.
func change(t *testing.T, e Engine, m model, rng *rand.Rand, first ID, n int) {
	for range 150 {
		id := first + ID(rng.IntN(n))
		if rng.IntN(3) == 0 {
			_, want := m[id]
			if got := e.Delete(id); got != want {
				t.Errorf("Delete(%d) is %v", id, got)
			}
			delete(m, id)
			continue
		}
		v := hardUnit(rng, e.Dim(), m)
		put(t, e, id, v)
		m[id] = v
	}
}

// searchMeanwhile searches and iterates while others change the engine, and
// checks what holds all the same.
func searchMeanwhile(t *testing.T, e Engine, fixed model, rng *rand.Rand, ids int) {
	q := randomQuery(rng, e.Dim(), ids, fixed)
	if rng.IntN(2) == 0 {
		target := ID(rng.IntN(len(fixed)))
		q.Vector = fixed[target]
		result, err := e.Search(q)
		if err != nil {
			t.Error(err)
			return
		}
		checkMeanwhile(t, e, q, target, result, ids)
	} else {
		var targets []ID
		var vectors [][]float32
		for range 1 + rng.IntN(9) {
			target := ID(rng.IntN(len(fixed)))
			targets, vectors = append(targets, target), append(vectors, fixed[target])
		}
		results, err := e.SearchMany(vectors, q)
		if err != nil {
			t.Error(err)
			return
		}
		for i, result := range results {
			checkMeanwhile(t, e, q, targets[i], result, ids)
		}
	}
	if rng.IntN(10) > 0 {
		return
	}
	met, last := 0, -1
	for id, v := range e.Vectors() {
		if int(id) <= last || len(v) != e.Dim() {
			t.Errorf("Vectors has %d after %d, with %d elements", id, last, len(v))
		}
		if want, ok := fixed[id]; ok {
			met++
			if !slices.Equal(v, want) {
				t.Errorf("vector of %d is not what was stored", id)
			}
		}
		last = int(id)
	}
	if met != len(fixed) || e.Len() < len(fixed) || e.Bytes() <= 0 {
		t.Errorf("%d of %d fixed vectors; Len %d, Bytes %d", met, len(fixed), e.Len(), e.Bytes())
	}
}

// checkMeanwhile checks the answer of a search for the vector of target, which stays.
func checkMeanwhile(t *testing.T, e Engine, q Query, target ID, result Result, ids int) {
	seen := map[ID]bool{}
	for i, hit := range result.Hits {
		if seen[hit.ID] || int(hit.ID) >= ids || q.Allow != nil && !q.Allow.Has(hit.ID) {
			t.Errorf("hit %d is there twice, was never stored or is not allowed", hit.ID)
		}
		if i > 0 && compareHits(result.Hits[i-1], hit) >= 0 {
			t.Errorf("hits out of order: %v before %v", result.Hits[i-1], hit)
		}
		seen[hit.ID] = true
	}
	allowed := q.Allow == nil || q.Allow.Has(target)
	if result.Exact && allowed && (len(result.Hits) == 0 || float64(result.Hits[0].Similarity) < 1-tolerance(e.Dim())) {
		t.Errorf("an exact search for the stored vector %d has best hits %v", target, result.Hits)
	}
}

// Of several bulks of the same IDs one is stored, whole, and the others are refused.
func TestAddOnce(t *testing.T) {
	forEachEngine(t, func(t *testing.T, name string) {
		const dim, n, adders = 8, insertBatch + 50, 4
		rng := rand.New(rand.NewPCG(65, 66))
		e := mustNew(t, name, dim)
		stored := make([]model, adders)
		var adding sync.WaitGroup
		for a := range adders {
			m := model{}
			var ids []ID
			var vectors [][]float32
			for id := range ID(n) {
				m[id] = randomUnit(rng, dim)
				ids, vectors = append(ids, id), append(vectors, m[id])
			}
			adding.Go(func() {
				err := e.Add(ids, vectors)
				if err == nil {
					stored[a] = m
				} else if !errors.Is(err, ErrExists) {
					t.Error(err)
				}
			})
		}
		adding.Wait()
		stored = slices.DeleteFunc(stored, func(m model) bool { return m == nil })
		if len(stored) != 1 {
			t.Fatalf("%d bulks were stored", len(stored))
		}
		stored[0].checkState(t, e)
	})
}
