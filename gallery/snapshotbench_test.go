package gallery

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"rollcall/storage"
)

// BenchmarkStart is a start of a gallery on disk: from snapshots and without
// them, which for the engine with a graph is mostly the building of the graph.
func BenchmarkStart(b *testing.B) {
	for _, size := range []struct {
		engine     string
		crops, dim int
	}{{"exact", 100_000, 512}, {"hnsw", 10_000, 512}} {
		dir := b.TempDir()
		m := Model{Name: "m", Digest: "ee55", Dimension: size.dim, Threshold: 0.5}
		fillFolder(b, dir, m, size.crops)
		opts := Options{Engine: size.engine}
		for _, snapshots := range []string{"", b.TempDir()} {
			opts.SnapshotDir = snapshots
			opts.policy = lazy
			b.Run(fmt.Sprintf("%s/n=%d/dim=%d/snapshots=%v", size.engine, size.crops, size.dim, snapshots != ""), func(b *testing.B) {
				store, err := storage.Open(dir, storage.Options{MinFreeBytes: -1})
				if err != nil {
					b.Fatal(err)
				}
				defer store.Close()
				open := func() *Gallery {
					g, err := Open(ctx, store, opts)
					if err != nil {
						b.Fatal(err)
					}
					return g
				}
				if err := open().Close(); err != nil { // writes the snapshot
					b.Fatal(err)
				}
				for b.Loop() {
					g := open()
					b.StopTimer()
					if err := g.Close(); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			})
		}
		if err := os.RemoveAll(dir); err != nil {
			b.Fatal(err)
		}
	}
}

// fillFolder stores crops of students with five each.
func fillFolder(b *testing.B, dir string, m Model, crops int) {
	b.Helper()
	store, err := storage.Open(dir, storage.Options{MinFreeBytes: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	rng := rand.New(rand.NewPCG(1, 1))
	for first := 0; first < crops; first += 1000 {
		var c storage.Change
		c.PutModel(storage.Model{Name: m.Name, Digest: m.Digest, Dimension: m.Dimension})
		for i := range 1000 {
			crop, student := fmt.Sprint("crop-", first+i), fmt.Sprint("student-", (first+i)/5)
			c.PutStudent(storage.Student{ID: student})
			c.PutCrop(storage.Crop{ID: crop, StudentID: student})
			c.PutEmbedding(storage.Embedding{CropID: crop, Model: m.Name, Digest: m.Digest, Vector: face(rng, first+i, m.Dimension, 0)})
		}
		commit, err := store.Apply(&c)
		if err != nil {
			b.Fatal(err)
		}
		if err := commit.Wait(); err != nil {
			b.Fatal(err)
		}
	}
}
