package storage

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestRandomChanges compares the store with plain maps over random changes,
// with flushes, compactions and reopenings between them.
func TestRandomChanges(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			fs := vfs.NewMem()
			s := openMem(t, fs)
			o := newOracle()
			for range 100 {
				if seq := apply(t, s, o.change(rng)); seq != o.seq {
					t.Fatalf("Seq = %d, want %d", seq, o.seq)
				}
				switch rng.IntN(12) {
				case 0:
					if err := s.db.Flush(); err != nil {
						t.Fatal(err)
					}
				case 1:
					if err := s.db.Compact(context.Background(), []byte{0}, []byte{0xff}, false); err != nil {
						t.Fatal(err)
					}
				case 2:
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					s = openMem(t, fs)
				case 3:
					before := rng.Uint64N(o.seq + 3)
					if err := s.TrimChanges(before); err != nil {
						t.Fatal(err)
					}
					o.trim(before)
				}
				if rng.IntN(5) == 0 {
					o.compare(t, s)
				}
				if t.Failed() {
					t.FailNow()
				}
			}
			o.compare(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestFailedChangeWritesNothing gives a change whose last step fails after
// good ones.
func TestFailedChangeWritesNothing(t *testing.T) {
	s := closeAtEnd(t, openMem(t, vfs.NewMem()))
	o := newOracle()
	apply(t, s, o.change(rand.New(rand.NewPCG(1, 2))))

	var c Change
	c.PutStudent(Student{ID: "ann"})
	c.PutCrop(Crop{ID: "c1", StudentID: "ann"})
	c.PutEmbedding(Embedding{CropID: "c1", Model: ""})
	_, err := s.Apply(&c)
	wantError(t, "Apply", err, ErrInvalidID)
	o.compare(t, s)
}

func TestChangeIsAppliedOnce(t *testing.T) {
	s := closeAtEnd(t, openMem(t, vfs.NewMem()))
	var c Change
	c.PutStudent(Student{ID: "ann"})
	apply(t, s, &c)
	_, err := s.Apply(&c)
	wantError(t, "second Apply", err, ErrApplied)
	if s.Sequence() != 1 {
		t.Errorf("Sequence() = %d, want 1", s.Sequence())
	}
}

// TestLargeChange takes Pebble's path for batches that do not fit a memtable.
func TestLargeChange(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := closeAtEnd(t, openMem(t, fs))
	const crops, dim = 100, 16384 // 6.5 MB, over half a memtable
	var c Change
	vector := randomVector(rand.New(rand.NewPCG(3, 3)), dim)
	for i := range crops {
		c.PutEmbedding(Embedding{CropID: fmt.Sprintf("crop-%04d", i), Model: "m", Vector: vector})
	}
	apply(t, s, &c)
	for _, open := range []*Store{s, closeAtEnd(t, openMem(t, fs.CrashClone(vfs.CrashCloneCfg{})))} {
		n := 0
		for e, err := range open.Embeddings() {
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("crop-%04d", n); e.CropID != want || len(e.Vector) != dim || e.Seq != 1 {
				t.Fatalf("embedding %d is of %q, %d-D, change %d", n, e.CropID, len(e.Vector), e.Seq)
			}
			n++
		}
		if n != crops {
			t.Errorf("%d embeddings, want %d", n, crops)
		}
	}
}

// TestOnlyOurKeys asserts that the store holds no key that a scan of the
// package could not meet: what a delete forgets stays on disk for ever.
func TestOnlyOurKeys(t *testing.T) {
	s := closeAtEnd(t, openMem(t, vfs.NewMem()))
	rng := rand.New(rand.NewPCG(4, 4))
	o := newOracle()
	for range 200 {
		apply(t, s, o.change(rng))
	}
	var c Change
	o.seq++
	for _, id := range trickyIDs {
		c.DeleteStudent(id)
		c.DeleteCrop(id)
		for _, model := range []string{"sface", "sf", "arcface", "\x00m"} {
			c.DeleteEmbedding(id, model)
			c.DeleteModel(model)
		}
	}
	apply(t, s, &c)
	if err := s.TrimChanges(o.seq + 1); err != nil {
		t.Fatal(err)
	}
	newOracleAt(o.seq).compare(t, s)
	it, err := s.db.NewIter(&pebble.IterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []kind
	for valid := it.First(); valid; valid = it.Next() {
		kinds = append(kinds, kind(it.Key()[1]))
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, "kinds of the keys left", kinds, []kind{kindMeta, kindMeta})
}

func newOracleAt(seq uint64) *oracle {
	o := newOracle()
	o.seq = seq
	return o
}
