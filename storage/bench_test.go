package storage

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// openDisk opens a folder on the disk under test, as the fsync is what these
// benchmarks measure.
func openDisk(b *testing.B) *Store {
	b.Helper()
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	return closeAtEnd(b, s)
}

// BenchmarkApply enrols crops: student, crop and a 512-D embedding in one
// change, waited for. One operation is one change.
func BenchmarkApply(b *testing.B) {
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := openDisk(b)
			vector := randomVector(rand.New(rand.NewPCG(1, 1)), 512)
			var next atomic.Int64
			var running sync.WaitGroup
			b.ResetTimer()
			for range writers {
				running.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						student, crop := fmt.Sprint("student-", i%1000), fmt.Sprint("crop-", i)
						var c Change
						c.PutStudent(Student{ID: student, Groups: []string{"1a"}})
						c.PutCrop(Crop{ID: crop, StudentID: student})
						c.PutEmbedding(Embedding{CropID: crop, Model: "m", Vector: vector})
						commit, err := s.Apply(&c)
						if err == nil {
							err = commit.Wait()
						}
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			running.Wait()
		})
	}
}

// BenchmarkEmbeddings reads 10,000 embeddings from tables, as at a start.
// MB/s counts the vectors' bytes.
func BenchmarkEmbeddings(b *testing.B) {
	const n = 10000
	for _, dim := range []int{128, 512} {
		b.Run(fmt.Sprintf("dim=%d", dim), func(b *testing.B) {
			s := openDisk(b)
			rng := rand.New(rand.NewPCG(2, 2))
			var c Change
			for i := range n {
				c.PutEmbedding(Embedding{
					CropID: fmt.Sprintf("crop-%06d", i), Model: "sface", Digest: fmt.Sprintf("%064d", 1),
					Vector: randomVector(rng, dim), Quality: Quality{Width: 100, Height: 100},
				})
			}
			apply(b, s, &c)
			if err := s.db.Flush(); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(n * dim * 4))
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range s.Embeddings() {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
