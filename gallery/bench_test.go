package gallery

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rollcall/storage"
)

// wide is a model of a usual dimension.
var wide = Model{Name: "wide", Digest: "dd44", Dimension: 128, Threshold: 0.5}

// school returns a gallery of students with five crops each, in classes of 30.
func school(b *testing.B, students int) *Gallery {
	b.Helper()
	mem := vfs.NewMem()
	store := openStore(b, mem)
	rng := rand.New(rand.NewPCG(1, 1))
	var c storage.Change
	c.PutModel(storage.Model{Name: wide.Name, Digest: wide.Digest, Dimension: wide.Dimension})
	for i := range students {
		id := fmt.Sprint("student-", i)
		c.PutStudent(storage.Student{ID: id, Groups: []string{fmt.Sprint("class-", i/30)}})
		for j := range 5 {
			crop := fmt.Sprint(id, "-", j)
			c.PutCrop(storage.Crop{ID: crop, StudentID: id})
			c.PutEmbedding(storage.Embedding{CropID: crop, Model: wide.Name, Digest: wide.Digest,
				Vector: face(rng, i, wide.Dimension, 0.8)})
		}
	}
	commit, err := store.Apply(&c)
	if err != nil {
		b.Fatal(err)
	}
	if err := commit.Wait(); err != nil {
		b.Fatal(err)
	}
	g, err := Open(ctx, store, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := g.Close(); err != nil {
			b.Error(err)
		}
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	})
	return g
}

func BenchmarkIdentify(b *testing.B) {
	g := school(b, 1000)
	rng := rand.New(rand.NewPCG(2, 2))
	probes := make([][]float32, 64)
	for i := range probes {
		probes[i] = face(rng, i*15, wide.Dimension, 0.8)
	}
	var list []string
	for i := range 30 {
		list = append(list, fmt.Sprint("student-", i*7))
	}
	for _, bc := range []struct {
		name  string
		scope func(i int) Scope
	}{
		{"class", func(i int) Scope { return Scope{Groups: []string{fmt.Sprint("class-", i%64*15/30)}} }},
		{"list", func(int) Scope { return Scope{StudentIDs: list} }},
		{"everybody", func(int) Scope { return Scope{} }},
	} {
		b.Run(bc.name, func(b *testing.B) {
			i := 0
			for b.Loop() {
				i++
				if _, err := g.Identify(ctx, Probe{Vector: probes[i%64], Model: wide, Scope: bc.scope(i)}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRollCall(b *testing.B) {
	g := school(b, 1000)
	rng := rand.New(rand.NewPCG(2, 2))
	var probes [][]float32
	for i := range 28 {
		probes = append(probes, face(rng, i, wide.Dimension, 0.8))
	}
	for b.Loop() {
		if _, err := g.RollCall(ctx, probes, wide, Scope{Groups: []string{"class-0"}}, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEnroll is on the disk of the system's temporary folder: it measures
// the sync, and how many writers share one.
func BenchmarkEnroll(b *testing.B) {
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprint("writers=", writers), func(b *testing.B) {
			fs := &syncFS{FS: vfs.Default}
			store, err := storage.Open(b.TempDir(), storage.Options{FS: fs, MinFreeBytes: -1})
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close()
			g, err := Open(ctx, store, Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer g.Close()
			fs.syncs.Store(0)
			var next atomic.Int64
			b.SetParallelism(writers) // times GOMAXPROCS; a few more do not matter
			b.ResetTimer()
			enrol := func() {
				n := int(next.Add(1))
				rng := rand.New(rand.NewPCG(uint64(n), 1))
				if _, err := g.Enroll(ctx, Enrolment{CropID: fmt.Sprint(n), StudentID: fmt.Sprint(n / 5), Model: wide,
					Vector: face(rng, n/5, wide.Dimension, 0.8)}); err != nil {
					b.Error(err)
				}
			}
			if writers == 1 {
				for b.Loop() {
					enrol()
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						enrol()
					}
				})
			}
			b.ReportMetric(float64(fs.syncs.Load())/float64(next.Load()), "syncs/op")
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	g := school(b, 2000)
	for b.Loop() {
		if _, err := Open(ctx, g.store, Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(10000*float64(b.N)/b.Elapsed().Seconds(), "crops/s")
}

func BenchmarkCheckConsistency(b *testing.B) {
	g := school(b, 2000)
	for b.Loop() {
		if r, err := g.CheckConsistency(ctx); err != nil || r.Total != 0 {
			b.Fatal(r, err)
		}
	}
}
