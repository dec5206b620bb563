package index

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// fill returns an engine with n random unit vectors under the IDs 0 to n-1.
func fill(b *testing.B, name string, n, dim int) Engine {
	b.Helper()
	e, err := New(name, dim)
	if err != nil {
		b.Fatal(err)
	}
	ids, vectors := randomUnits(n, dim)
	if err := e.Add(ids, vectors); err != nil {
		b.Fatal(err)
	}
	return e
}

// randomUnits returns n random unit vectors and the IDs 0 to n-1.
func randomUnits(n, dim int) (ids []ID, vectors [][]float32) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		ids, vectors = append(ids, ID(i)), append(vectors, randomUnit(rng, dim))
	}
	return ids, vectors
}

// BenchmarkExactSearch reports the bytes of the rows that one search reads.
func BenchmarkExactSearch(b *testing.B) {
	for _, size := range []struct{ n, dim int }{{10_000, 128}, {100_000, 128}, {10_000, 512}, {100_000, 512}} {
		b.Run(fmt.Sprintf("n=%d/dim=%d", size.n, size.dim), func(b *testing.B) {
			e := fill(b, exactName, size.n, size.dim)
			rng := rand.New(rand.NewPCG(3, 4))
			query := Query{Vector: randomUnit(rng, size.dim), K: 10}
			b.SetBytes(int64(size.n) * int64(size.dim) * 4)
			for b.Loop() {
				if _, err := e.Search(query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkExactSearchParallel is the same with a search on every processor.
func BenchmarkExactSearchParallel(b *testing.B) {
	const n, dim = 10_000, 128
	e := fill(b, exactName, n, dim)
	b.SetBytes(n * dim * 4)
	b.RunParallel(func(pb *testing.PB) {
		rng := rand.New(rand.NewPCG(3, 4))
		query := Query{Vector: randomUnit(rng, dim), K: 10}
		for pb.Next() {
			if _, err := e.Search(query); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkScopedSearch searches one class: some IDs out of the index. The
// largest scopes are where the gather ends and the filtered scan begins.
func BenchmarkScopedSearch(b *testing.B) {
	const dim = 128
	for _, size := range []struct{ n, scope int }{
		{1_000, 30}, {100_000, 30}, {10_000, 1_250}, {10_000, 2_499}, {10_000, 2_500}, {100_000, 24_999}, {100_000, 25_000}, {100_000, 99_000},
	} {
		b.Run(fmt.Sprintf("n=%d/scope=%d", size.n, size.scope), func(b *testing.B) {
			e := fill(b, exactName, size.n, dim)
			rng := rand.New(rand.NewPCG(3, 4))
			allow := NewSet()
			for _, id := range rng.Perm(size.n)[:size.scope] {
				allow.Add(ID(id))
			}
			query := Query{Vector: randomUnit(rng, dim), K: 10, Allow: allow}
			b.SetBytes(int64(size.scope) * dim * 4)
			for b.Loop() {
				if _, err := e.Search(query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCutover measures what a search of the graph costs, in rows of a scan
// for each node of its effort: effortCost. As rows it is with how many vectors
// both cost the same.
func BenchmarkCutover(b *testing.B) {
	for _, size := range []struct{ n, dim int }{{10_000, 128}, {40_000, 128}, {10_000, 512}} {
		b.Run(fmt.Sprintf("n=%d/dim=%d", size.n, size.dim), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(3, 4))
			ids, vectors, queries := crowd(rng, size.n/5, 5, size.dim, 500)
			e := newEngine(hnswName, size.dim, newHNSW)
			if err := e.Add(ids, vectors); err != nil {
				b.Fatal(err)
			}
			c := e.generation.Load()
			s := c.now.Load()
			var graph, scan time.Duration
			for i := 0; b.Loop(); i++ {
				q := queries[i%len(queries)]
				start := time.Now()
				c.graph.nearest(s, q, 10, nil)
				middle := time.Now()
				s.nearest(q, 10, 0, nil)
				graph, scan = graph+middle.Sub(start), scan+time.Since(middle)
			}
			rows := float64(graph) / float64(scan) * float64(size.n)
			b.ReportMetric(rows, "rows")
			b.ReportMetric(rows/graphSearch, "rows/effort")
			b.ReportMetric(float64(graph.Microseconds())/float64(b.N), "graph-us")
		})
	}
}

// BenchmarkCoderSearch is the approximate search, for comparison.
func BenchmarkCoderSearch(b *testing.B) {
	const n, dim = 2_000, 128
	e := fill(b, coderName, n, dim)
	rng := rand.New(rand.NewPCG(3, 4))
	query := Query{Vector: randomUnit(rng, dim), K: 10}
	for b.Loop() {
		if _, err := e.Search(query); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAdd stores vectors in bulk.
func BenchmarkAdd(b *testing.B) {
	for _, size := range []struct{ n, dim int }{{100_000, 128}, {100_000, 512}} {
		b.Run(fmt.Sprintf("n=%d/dim=%d", size.n, size.dim), func(b *testing.B) {
			ids, vectors := randomUnits(size.n, size.dim)
			for b.Loop() {
				e := newEngine(exactName, size.dim, nil)
				e.Reserve(size.n)
				if err := e.Add(ids, vectors); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(e.Bytes())/float64(4*size.n*size.dim)-1, "overhead")
			}
		})
	}
}

// BenchmarkReplace deletes one vector and adds another one, with what follows in the
// background.
func BenchmarkReplace(b *testing.B) {
	const n, dim = 100_000, 512
	e := fill(b, exactName, n, dim)
	v := [][]float32{randomUnit(rand.New(rand.NewPCG(7, 8)), dim)}
	for i := 0; b.Loop(); i++ {
		id := ID(i * 7919 % n)
		e.Delete(id)
		if err := e.Add([]ID{id}, v); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSearchMany answers 40 queries in one call and one by one. It reports the time of a query.
func BenchmarkSearchMany(b *testing.B) {
	const queries = 40
	for _, size := range []struct{ n, dim int }{{10_000, 128}, {100_000, 128}, {100_000, 512}} {
		e := fill(b, exactName, size.n, size.dim)
		rng := rand.New(rand.NewPCG(3, 4))
		var vectors [][]float32
		for range queries {
			vectors = append(vectors, randomUnit(rng, size.dim))
		}
		query := Query{K: 10}
		for _, way := range []struct {
			name string
			ask  func() error
		}{
			{"together", func() error { _, err := e.SearchMany(vectors, query); return err }},
			{"one by one", func() error {
				for _, v := range vectors {
					query.Vector = v
					if _, err := e.Search(query); err != nil {
						return err
					}
				}
				return nil
			}},
		} {
			b.Run(fmt.Sprintf("n=%d/dim=%d/%s", size.n, size.dim, way.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := way.ask(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*queries), "ns/query")
			})
		}
	}
}
