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
	e, err := New(name, dim, Options{})
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		if err := e.Upsert(ID(i), randomUnit(rng, dim)); err != nil {
			b.Fatal(err)
		}
	}
	return e
}

// BenchmarkExactSearch reports the bytes of the rows that one search reads.
func BenchmarkExactSearch(b *testing.B) {
	for _, size := range []struct{ n, dim int }{{10_000, 128}, {100_000, 128}, {10_000, 512}} {
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
		{1_000, 30}, {100_000, 30}, {10_000, 1_250}, {10_000, 2_499}, {10_000, 2_500}, {100_000, 24_999}, {100_000, 25_000},
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
// for each node of its effort: graphGuess. As rows it is with how many vectors
// both cost the same.
func BenchmarkCutover(b *testing.B) {
	for _, size := range []struct{ n, dim int }{{10_000, 128}, {40_000, 128}, {10_000, 512}} {
		b.Run(fmt.Sprintf("n=%d/dim=%d", size.n, size.dim), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(3, 4))
			ids, vectors, queries := crowd(rng, size.n/5, 5, size.dim, 500)
			e := newEngine(hnswName, size.dim, always, nil)
			if err := e.UpsertAll(ids, vectors); err != nil {
				b.Fatal(err)
			}
			c := e.core.Load()
			var graph, scan time.Duration
			for i := 0; b.Loop(); i++ {
				q := queries[i%len(queries)]
				start := time.Now()
				c.graph.nearest(q, 10, nil, graphSearch)
				middle := time.Now()
				if _, err := c.exactly(q, 10, nil); err != nil {
					b.Fatal(err)
				}
				graph, scan = graph+middle.Sub(start), scan+time.Since(middle)
			}
			rows := float64(graph) / float64(scan) * float64(size.n)
			b.ReportMetric(rows, "rows")
			b.ReportMetric(rows/graphSearch, "rows/effort")
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

// BenchmarkKernel scores one block that stays in the cache.
func BenchmarkKernel(b *testing.B) {
	kernels := map[string]func(query, rows, out []float32){"best": dotRows, "portable": dotRowsPortable}
	for name, kernel := range kernels {
		for _, dim := range []int{128, 512} {
			b.Run(fmt.Sprintf("%s/dim=%d", name, dim), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(5, 6))
				query := randomUnit(rng, dim)
				rows := make([]float32, 0, 64*dim)
				for range 64 {
					rows = append(rows, randomUnit(rng, dim)...)
				}
				out := make([]float32, 64)
				b.SetBytes(int64(len(rows)) * 4)
				for b.Loop() {
					kernel(query, rows, out)
				}
			})
		}
	}
}

// BenchmarkUpsert stores new vectors.
func BenchmarkUpsert(b *testing.B) {
	const dim = 128
	e, err := New(exactName, dim, Options{})
	if err != nil {
		b.Fatal(err)
	}
	v := randomUnit(rand.New(rand.NewPCG(7, 8)), dim)
	id := ID(0)
	for b.Loop() {
		if err := e.Upsert(id%100_000, v); err != nil {
			b.Fatal(err)
		}
		id++
	}
}
