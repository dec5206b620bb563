package storage

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// onDisk runs the benchmark on a folder of the disk under test, not sealed and sealed.
func onDisk(b *testing.B, name string, bench func(b *testing.B, key *SealKey)) {
	b.Run(name, func(b *testing.B) { bench(b, nil) })
	b.Run(name+"/sealed", func(b *testing.B) { bench(b, testKey(b, 1)) })
}

// openDisk opens a folder on the disk under test.
func openDisk(b *testing.B, key *SealKey) (*Store, *Partition) {
	b.Helper()
	s, err := Open(b.TempDir(), Options{SealKey: key})
	if err != nil {
		b.Fatal(err)
	}
	closeAtEnd(b, s)
	return s, partition(b, s, "school")
}

// BenchmarkCommit enrols crops, each into a partition of its writer: student,
// crop and a 512-D embedding in one change. One operation is one change, on disk.
func BenchmarkCommit(b *testing.B) {
	for _, writers := range []int{1, 16} {
		onDisk(b, fmt.Sprintf("writers=%d", writers), func(b *testing.B, key *SealKey) {
			s, _ := openDisk(b, key)
			vector := randomVector(rand.New(rand.NewPCG(1, 1)), 512)
			var next atomic.Int64
			var running sync.WaitGroup
			b.ResetTimer()
			for w := range writers {
				p := partition(b, s, fmt.Sprint("school-", w))
				running.Go(func() {
					for after := uint64(0); ; after++ {
						i := next.Add(1)
						if i > int64(b.N) {
							return
						}
						c := change(
							Student{ID: fmt.Sprint("student-", i%1000), Groups: []string{"1a"}},
							Crop{ID: fmt.Sprint("crop-", i), StudentID: fmt.Sprint("student-", i%1000)},
							Embedding{CropID: fmt.Sprint("crop-", i), Model: "m", Vector: vector})
						if err := p.Commit(context.Background(), after, []Change{c}); err != nil {
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

// BenchmarkLoad reads a gallery as at a start: a crop, its student and one
// embedding for each. The operating system has the files in memory. MB/s counts
// the vectors' bytes.
func BenchmarkLoad(b *testing.B) {
	for _, size := range []struct{ n, dim int }{{20000, 128}, {100000, 512}} {
		onDisk(b, fmt.Sprintf("n=%d/dim=%d", size.n, size.dim), func(b *testing.B, key *SealKey) {
			s, p := openDisk(b, key)
			rng := rand.New(rand.NewPCG(2, 2))
			digest, now := fmt.Sprintf("%064d", 1), time.Now()
			const group = 500
			for i := 0; i < size.n; i += group {
				var changes []Change
				for j := i; j < i+group; j++ {
					id := fmt.Sprintf("crop-%06d", rng.Uint32())
					c := change(Student{ID: fmt.Sprint("student-", j/5), Groups: []string{"1a"}, Created: now, Updated: now},
						Crop{ID: id, StudentID: fmt.Sprint("student-", j/5), Created: now, Updated: now},
						Embedding{
							CropID: id, Model: "sface", Digest: digest, Recipe: "onnx locate align-1", Created: now,
							Vector: randomVector(rng, size.dim), Quality: Quality{0.9, 0.9, 40, 0.5, 0.2, 0.5, 1, 2, 3, 0.1, 112, 112},
						})
					c.Time, c.Cause = now, "enrol"
					changes = append(changes, c)
				}
				if err := p.Commit(context.Background(), uint64(i), changes); err != nil {
					b.Fatal(err)
				}
			}
			if err := onPebble(s).db.Flush(); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(size.n * size.dim * 4))
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for r, err := range p.Load(context.Background()) {
					if err != nil {
						b.Fatal(err)
					}
					if _, ok := r.(Embedding); ok {
						n++
					}
				}
				if n < size.n*99/100 {
					b.Fatal(n)
				}
			}
		})
	}
}
