package gallery

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rollcall/storage"
)

// TestCrash takes the power away in the middle of concurrent enrolments. What
// was acknowledged, and what a search had found, must be there afterwards; and
// the gallery must be consistent.
func TestCrash(t *testing.T) {
	rng := newRand(t, 8)
	for round := range 5 {
		mem := vfs.NewCrashableMem()
		store := openPebble(t, mem)
		g, err := open(store, Options{})
		if err != nil {
			t.Fatal(err)
		}
		acked := &idSet{}
		found := &idSet{}
		target := 20 + rng.IntN(100)
		reached := make(chan struct{})
		var writers, reader sync.WaitGroup
		stop := make(chan struct{})
		for w := range 6 {
			writers.Go(func() { enrolForCrash(t, g, round, w, acked, target, reached) })
		}
		reader.Go(func() { searchForCrash(t, g, round, found, stop) })

		<-reached
		ackedBefore, foundBefore := acked.copy(), found.copy()
		clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		writers.Wait()
		close(stop)
		reader.Wait()
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		checkAfterCrash(t, clone, ackedBefore, foundBefore)
	}
}

// idSet is a set of ids.
type idSet struct {
	mu  sync.Mutex
	ids map[string]bool
}

func (s *idSet) add(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids = map[string]bool{}
	}
	s.ids[id] = true
	return len(s.ids)
}

func (s *idSet) copy() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id := range s.ids {
		ids = append(ids, id)
	}
	return ids
}

func enrolForCrash(t *testing.T, g *Gallery, round, w int, acked *idSet, target int, reached chan struct{}) {
	rng := rand.New(rand.NewPCG(uint64(round), uint64(w)))
	for i := range 40 {
		id := fmt.Sprintf("%d-%d", w, i)
		_, err := g.Enroll(ctx, Enrolment{CropID: id, StudentID: id, Groups: []string{"g"}, Embedding: made(plain, face(rng, i, plain.Dimension, 1)), AllowDuplicate: true})
		if err != nil {
			t.Error(err)
		}
		if acked.add(id) == target {
			close(reached)
		}
	}
}

func searchForCrash(t *testing.T, g *Gallery, round int, found *idSet, stop <-chan struct{}) {
	rng := rand.New(rand.NewPCG(uint64(round), 99))
	for {
		select {
		case <-stop:
			return
		default:
		}
		got, err := g.Identify(ctx, Probe{Embedding: made(plain, face(rng, rng.IntN(40), plain.Dimension, 1))})
		if err != nil {
			t.Error(err)
			return
		}
		for _, c := range got.Candidates {
			found.add(c.CropID)
		}
	}
}

func checkAfterCrash(t *testing.T, clone vfs.FS, acked, found []string) {
	t.Helper()
	g := openOn(t, openPebble(t, clone), Options{})
	mustBeConsistent(t, g)
	mustBeAsStored(t, g)
	for _, id := range acked {
		if crop, err := g.Crop(ctx, id); err != nil || crop.StudentID != id || len(crop.Embeddings) != 1 {
			t.Errorf("acknowledged before the crash: %+v, %v", crop, err)
		}
	}
	for _, id := range found {
		if _, err := g.Crop(ctx, id); err != nil {
			t.Errorf("searchable before the crash: %v", err)
		}
	}
	// No half changes: each crop has its student, with the groups, and its vector.
	for record, err := range g.writer.partition.Load(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		crop, ok := record.(storage.Crop)
		if !ok {
			continue
		}
		st, err := g.Student(ctx, crop.StudentID)
		if err != nil || len(st.Groups) != 1 || len(st.Crops) != 1 || len(st.Crops[0].Embeddings) != 1 {
			t.Errorf("after the crash: %+v, %v", st, err)
		}
	}
}
