package storage

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestCrash cuts the power at random moments of a random history. Whatever
// part of the unsynced data reached the disk, the store that opens afterwards
// must be the one after some change of the history, whole, and no earlier than
// the last change that was waited for. Numbers go on from there.
func TestCrash(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 7))
			fs := vfs.NewCrashableMem()
			history := []*oracle{newOracle()} // by sequence number
			for range 3 {                     // one crash after another, on what the last one left
				s := openMem(t, fs)
				synced := s.Sequence()
				for range rng.IntN(40) {
					o := history[len(history)-1].clone()
					commit, err := s.Apply(o.change(rng))
					if err != nil {
						t.Fatal(err)
					}
					history = append(history, o)
					if rng.IntN(3) == 0 {
						if err := commit.Wait(); err != nil {
							t.Fatal(err)
						}
						synced = commit.Seq
					}
					if rng.IntN(15) == 0 {
						if _, err := s.db.AsyncFlush(); err != nil {
							t.Fatal(err)
						}
					}
				}
				fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}

				s = openMem(t, fs)
				survived := s.Sequence()
				if survived < synced || survived >= uint64(len(history)) {
					t.Fatalf("crash left change %d; %d was on disk and %d was the last", survived, synced, len(history)-1)
				}
				history = history[:survived+1]
				history[survived].compare(t, s)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestCrashWithWriters crashes under concurrent writers: what Wait returned for
// before the crash is there after it, and of no change there is a half.
func TestCrashWithWriters(t *testing.T) {
	const writers, rounds = 8, 6
	fs := vfs.NewCrashableMem()
	s := closeAtEnd(t, openMem(t, fs))
	rng := rand.New(rand.NewPCG(5, 5))
	var stop atomic.Bool
	var acknowledged [writers]atomic.Int64 // the last round that was waited for
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for i := int64(1); !stop.Load(); i++ {
				commit, err := s.Apply(pairChange(w, i))
				if err == nil {
					err = commit.Wait()
				}
				if err != nil {
					t.Error(err)
					return
				}
				acknowledged[w].Store(i)
			}
		})
	}
	for range rounds {
		for w := range writers { // let every writer get on before the next crash
			for before := acknowledged[w].Load(); acknowledged[w].Load() == before && !t.Failed(); {
				time.Sleep(time.Millisecond)
			}
		}
		var before [writers]int64
		for w := range writers {
			before[w] = acknowledged[w].Load()
		}
		after := openMem(t, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng}))
		for w := range writers {
			checkPair(t, after, w, before[w])
		}
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	running.Wait()
}

// pairChange is the i-th change of a writer: a crop that moves between two
// students, and an embedding, which all tell i.
func pairChange(w int, i int64) *Change {
	crop, student := fmt.Sprintf("crop-%d", w), fmt.Sprintf("student-%d-%d", w, i%2)
	var c Change
	c.PutCrop(Crop{ID: crop, StudentID: student})
	c.PutEmbedding(Embedding{CropID: crop, Model: "m", Digest: fmt.Sprint(i), Vector: []float32{float32(i)}})
	return &c
}

// checkPair fails the test unless the writer's last change is there as a whole
// and is at least the given one.
func checkPair(t *testing.T, s *Store, w int, atLeast int64) {
	t.Helper()
	e, err := s.Embedding(fmt.Sprintf("crop-%d", w), "m")
	if err != nil {
		t.Fatal(err)
	}
	i := int64(e.Vector[0])
	if i < atLeast {
		t.Errorf("writer %d: change %d is lost; %d is there", w, atLeast, i)
	}
	crop, err := s.Crop(e.CropID)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("student-%d-%d", w, i%2); e.Digest != fmt.Sprint(i) || crop.StudentID != want {
		t.Errorf("writer %d: half a change: embedding %d with digest %s, crop of %s", w, i, e.Digest, crop.StudentID)
	}
	equal(t, "crops of the student", collect(t, s.CropsOf(crop.StudentID)), []string{e.CropID})
	equal(t, "crops of the other", collect(t, s.CropsOf(fmt.Sprintf("student-%d-%d", w, (i+1)%2))), []string(nil))
}
