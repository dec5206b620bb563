package gallery

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/storage"
)

// TestDamagedGallery flips a bit in a vector of one gallery on disk: this gallery is not loaded,
// and the error names the file. The others answer, and the one at fault is examined.
func TestDamagedGallery(t *testing.T) {
	const students = 700 // a gallery has several blocks of 128 KiB
	dir, rng := t.TempDir(), newRand(t, 27)
	model := wide
	opts := Options{Models: catalogue(model)}
	open := func() (*storage.Store, *Galleries) {
		store, err := storage.Open(dir, storage.Options{MinFreeBytes: -1})
		if err != nil {
			t.Fatal(err)
		}
		return store, openGalleries(t, store, opts, 0)
	}
	closeBoth := func(store *storage.Store, s *Galleries) {
		if err := errors.Join(s.Close(), store.Close()); err != nil {
			t.Fatal(err)
		}
	}
	store, s := open()
	mustCreate(t, s, "elm", "oak")
	var victim []float32
	for _, id := range []string{"elm", "oak"} {
		with(t, s, id, func(g *Gallery) {
			for i := range students {
				v := face(rng, i, model.Dimension, 0)
				if id == "elm" && i == students/2 {
					v = face(rng, 1e6, model.Dimension, 0)
					victim = v
				}
				mustEnroll(t, g, Enrolment{CropID: fmt.Sprint(i), StudentID: fmt.Sprint(i), Embedding: made(model, v), AllowDuplicate: true})
			}
		})
	}
	closeBoth(store, s)
	file := flipIn(t, dir, victim)

	store, s = open()
	with(t, s, "oak", func(g *Gallery) { mustBeConsistent(t, g) })
	_, _, err := s.Use(ctx, "elm")
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "restore a backup") {
		t.Errorf("the damaged gallery: %v; want an error that names %s", err, file)
	}
	if list, err := s.Overview(ctx); err != nil || len(list) != 3 {
		t.Errorf("the overview has %d galleries, error %v", len(list), err)
	}
	for id, whole := range map[string]bool{"elm": false, "oak": true} {
		p, err := store.Partition(id)
		if err != nil {
			t.Fatal(err)
		}
		x, err := Examine(ctx, p)
		if whole && (err != nil || x.Total > 0 || x.Embeddings != students || x.LastChange == 0) {
			t.Errorf("examining %s: %+v, %v", id, x, err)
		}
		if !whole && (!errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), file)) {
			t.Errorf("examining %s: %v", id, err)
		}
	}
	closeBoth(store, s)
}

// flipIn flips a bit of a vector in a table of the folder, and returns the table's name.
func flipIn(t *testing.T, dir string, v []float32) string {
	t.Helper()
	want := make([]byte, 0, 4*len(v))
	for _, x := range v {
		want = binary.LittleEndian.AppendUint32(want, math.Float32bits(x))
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range tables {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(content, want); at >= 0 {
			content[at+1] ^= 4
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
			return filepath.Base(name)
		}
	}
	t.Fatal("the vector is in no table")
	return ""
}

// TestExamine plants records that do not fit each other: each is found, and named.
func TestExamine(t *testing.T) {
	store := storage.OpenMemory(storage.Faults{})
	defer store.Close()
	p, err := store.Partition("elm")
	if err != nil {
		t.Fatal(err)
	}
	nan := float32(math.NaN())
	var c storage.Change
	for _, r := range []storage.Record{
		storage.Model{Name: "m", Digest: "d", Dimension: 2}, storage.Student{ID: "ann"},
		storage.Crop{ID: "good", StudentID: "ann"}, storage.Crop{ID: "orphan", StudentID: "nobody"},
		storage.Embedding{CropID: "good", Model: "m", Digest: "d", Vector: []float32{0.6, 0.8}},
		storage.Embedding{CropID: "orphan", Model: "m", Digest: "d", Vector: []float32{0.6, 0.81}},
		storage.Embedding{CropID: "good", Model: "n", Digest: "d", Vector: []float32{1}},
		storage.Embedding{CropID: "gone", Model: "m", Digest: "d", Vector: []float32{0, 1}},
		storage.Crop{ID: "nan", StudentID: "ann"}, storage.Embedding{CropID: "nan", Model: "m", Digest: "d", Vector: []float32{nan, 0}},
		storage.Crop{ID: "short", StudentID: "ann"}, storage.Embedding{CropID: "short", Model: "m", Digest: "d", Vector: []float32{1}},
		storage.Crop{ID: "other", StudentID: "ann"}, storage.Embedding{CropID: "other", Model: "m", Digest: "e", Vector: []float32{1, 0}},
	} {
		c.Writes = append(c.Writes, storage.Write{Ref: r.Ref(), Put: r})
	}
	c.Time = time.Now()
	if err := p.Commit(ctx, 0, []storage.Change{c}); err != nil {
		t.Fatal(err)
	}
	x, err := Examine(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	want := map[Difference]bool{
		{Kind: diffNoStudentRecord, CropID: "orphan", StudentID: "nobody"}:           true,
		{Kind: diffLength, Model: "m", CropID: "orphan", StudentID: "nobody"}:        true,
		{Kind: diffNoModelRecord, Model: "n", CropID: "good", StudentID: "ann"}:      true,
		{Kind: diffNoCropRecord, Model: "m", CropID: "gone"}:                         true,
		{Kind: diffLength, Model: "m", CropID: "nan", StudentID: "ann"}:              true,
		{Kind: diffDimension, Model: "m", CropID: "short", StudentID: "ann"}:         true,
		{Kind: diffEmbeddingOfOthers, Model: "m", CropID: "other", StudentID: "ann"}: true,
	}
	for _, d := range x.Differences {
		if !want[d] {
			t.Errorf("found %+v", d)
		}
		delete(want, d)
	}
	for d := range want {
		t.Errorf("did not find %+v", d)
	}
}
