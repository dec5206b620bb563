package index

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// BenchmarkReadSnapshot is a start from a snapshot; the file is in the cache of
// the operating system. BenchmarkWriteSnapshot includes the way to the disk.
func BenchmarkReadSnapshot(b *testing.B) {
	benchmarkSnapshot(b, func(b *testing.B, path string, e Engine) {
		mustWrite(b, path, e, Snapshot{})
		for b.Loop() {
			if _, _, err := ReadSnapshot(path, e.Name(), e.Dim(), Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkWriteSnapshot(b *testing.B) {
	benchmarkSnapshot(b, func(b *testing.B, path string, e Engine) {
		for b.Loop() {
			mustWrite(b, path, e, Snapshot{})
		}
	})
}

func benchmarkSnapshot(b *testing.B, run func(b *testing.B, path string, e Engine)) {
	for _, size := range []struct {
		engine string
		n, dim int
	}{{exactName, 100_000, 512}, {exactName, 100_000, 128}, {hnswName, 10_000, 512}} {
		b.Run(fmt.Sprintf("%s/n=%d/dim=%d", size.engine, size.n, size.dim), func(b *testing.B) {
			e, err := New(size.engine, size.dim, Options{})
			if err != nil {
				b.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, 2))
			ids, vectors := make([]ID, size.n), make([][]float32, size.n)
			for i := range ids {
				ids[i], vectors[i] = ID(i), randomUnit(rng, size.dim)
			}
			if err := e.UpsertAll(ids, vectors); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(size.n) * int64(size.dim) * 4)
			run(b, filepath.Join(b.TempDir(), "snapshot"), e)
		})
	}
}
