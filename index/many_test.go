package index

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// A scan on several processors finds what single searches of the same state find, while
// vectors are deleted, wiped and added.
func TestScanInParallel(t *testing.T) {
	const dim, n = 8, 8*pieceRows + 77
	rng := rand.New(rand.NewPCG(121, 122))
	e := mustNew(t, exactName, dim).(*engine)
	m := model{}
	var ids []ID
	var vectors [][]float32
	for id := range ID(n) {
		m[id] = randomUnit(rng, dim)
		ids, vectors = append(ids, id), append(vectors, m[id])
	}
	if err := e.Add(ids, vectors); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var changing sync.WaitGroup
	changing.Go(func() {
		rng := rand.New(rand.NewPCG(123, 124))
		for {
			select {
			case <-stop:
				return
			default:
				id := ID(rng.IntN(n))
				e.Delete(id)
				if rng.IntN(3) > 0 {
					put(t, e, id, randomUnit(rng, dim))
				}
			}
		}
	})
	defer changing.Wait()
	defer close(stop)
	for range 60 {
		s := e.generation.Load().now.Load()
		var queries [][]float32
		for range 1 + rng.IntN(11) {
			queries = append(queries, hardUnit(rng, dim, m))
		}
		q := randomQuery(rng, dim, n, m)
		k := s.most(Query{K: min(q.K, 50), Allow: q.Allow})
		if k == 0 {
			continue
		}
		all := s.scannerOf(queries, q.Allow)
		all.start(k)
		all.scanInParallel(k, 1+rng.IntN(5))
		for i, query := range queries {
			if got, want := all.queries[i].best.sorted(), s.nearest(query, k, 0, q.Allow); !slices.Equal(got, want) {
				t.Fatalf("query %d of %d: %v, alone %v", i, len(queries), got, want)
			}
		}
	}
}
