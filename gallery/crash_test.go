package gallery

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rollcall/storage"
	"rollcall/storage/powertest"
)

// TestPowerCuts cuts the power at every step of a random history of edits, with none, half and all
// of the unsynced data on disk. The gallery that opens afterwards is the one after some change,
// whole, and no earlier than the last one that was acknowledged; its students are recognised.
func TestPowerCuts(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			disk := powertest.New(vfs.NewCrashableMem(), seed)
			states := historyOfEdits(t, disk, seed)
			if len(disk.Left()) < 3*len(states) {
				t.Fatalf("%d cuts of %d changes: the test does not reach the files", len(disk.Left()), len(states))
			}
			rng := rand.New(rand.NewPCG(seed, 2))
			for _, left := range disk.Left() {
				lookAtLeft(t, left, states, rng)
			}
		})
	}
}

// historyOfEdits makes edits on a disk whose power is cut at every step. It returns what the gallery
// held after each change.
func historyOfEdits(t *testing.T, disk *powertest.Disk, seed uint64) []*oracle {
	store := openPebble(t, disk.CutFS())
	disk.Begun.Store(1) // to make the gallery is a change
	g, err := open(store, Options{New: Settings{FPIR: 0.01}})
	if err != nil {
		t.Fatal(err)
	}
	disk.Acknowledged.Store(1)
	empty := newOracle(Settings{FPIR: 0.01, Margin: DefaultMargin})
	states := []*oracle{empty, empty}
	draw := &simulation{rng: rand.New(rand.NewPCG(seed, 1))}
	for range 40 {
		next := states[len(states)-1].clone()
		cause, edit := randomEdit(draw, g, next)
		if edit == nil {
			continue
		}
		was := states[len(states)-1].clone()
		was.history = nil
		for len(next.history) < len(states)-1 { // the changes are numbered from 1
			next.history = append(next.history, moment{before: was})
		}
		next.history = append(next.history, moment{cause, was})
		disk.Begun.Add(1)
		states = append(states, next)
		if err := edit(); err != nil {
			t.Fatalf("%s: %v", cause, err)
		}
		disk.Acknowledged.Add(1)
	}
	if err := errors.Join(g.Close(), store.Close()); err != nil {
		t.Fatal(err)
	}
	return states
}

// randomEdit draws an edit and makes it on the oracle; nil: it would change nothing.
func randomEdit(draw *simulation, g *Gallery, o *oracle) (cause string, edit func() error) {
	crop, student, other := draw.cropID(), draw.studentID(), draw.studentID()
	switch n := draw.rng.IntN(20); {
	case n < 10:
		m := draw.model()
		e := Enrolment{CropID: crop, StudentID: student, Groups: draw.groups(), Embedding: draw.embedding(m), AllowDuplicate: true, AllowUnlike: true}
		want := o.expect(e, m)
		if want.refused != nil {
			return "", nil
		}
		o.enrol(e, want)
		return "enrol", func() error { _, err := g.Enroll(ctx, e); return err }
	case n < 12:
		if !o.assign(crop, student) {
			return "", nil
		}
		return causeAssign, func() error { _, err := g.AssignCrop(ctx, crop, student); return err }
	case n < 14:
		if student == other || o.students[other] == nil {
			return "", nil
		}
		if _, known := o.merge(student, other); !known {
			return "", nil
		}
		return causeMerge, func() error { _, _, err := g.MergeStudents(ctx, student, other); return err }
	case n < 16:
		seq := uint64(len(o.history))
		if o.undo(seq) != nil {
			return "", nil
		}
		return causeUndo + fmt.Sprint(seq), func() error { _, _, err := g.Undo(ctx, seq); return err }
	case n < 17:
		groups := draw.groups()
		if !o.regroup(student, groups) {
			return "", nil
		}
		return causeRegroup, func() error { _, err := g.UpdateStudent(ctx, student, groups); return err }
	case n < 19:
		if o.crops[crop] == nil {
			return "", nil
		}
		delete(o.crops, crop)
		return causeDeleteCrop, func() error { return g.DeleteCrop(ctx, crop) }
	}
	if _, known := o.deleteStudent(student); !known {
		return "", nil
	}
	return causeDeleteStudent, func() error { _, err := g.DeleteStudent(ctx, student); return err }
}

// lookAtLeft opens what a cut has left.
func lookAtLeft(t *testing.T, left powertest.Left, states []*oracle, rng *rand.Rand) {
	t.Helper()
	store := openPebble(t, left.FS)
	g, err := open(store, Options{New: Settings{FPIR: 0.01}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(g.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	}()
	seq := sequence(t, g)
	if seq < uint64(left.Acknowledged) || seq > uint64(max(left.Begun, 1)) {
		t.Fatalf("change %d is there; %d was acknowledged and %d begun", seq, left.Acknowledged, left.Begun)
	}
	o := states[seq]
	if err := differs(g.writer.memory.Load(), o, seq); err != nil {
		t.Fatal(err)
	}
	mustBeConsistent(t, g)
	for _, m := range []Model{plain, small} {
		for id, c := range o.crops {
			if c.student == "" || c.vectors[m.Name] == nil || rng.IntN(4) > 0 {
				continue
			}
			p := Probe{Embedding: made(m, c.vectors[m.Name])}
			p.Embedding.Recipe = c.recipes[m.Name]
			got, err := g.Identify(ctx, p)
			if err := o.checkIdentification(p, m, "", got, err); err != nil {
				t.Fatalf("crop %s: %v", id, err)
			}
		}
	}
}

// TestCrash takes the power away in the middle of concurrent enrolments. What
// was acknowledged, and what a search had found, must be there afterwards; and
// the gallery must be consistent.
func TestCrash(t *testing.T) {
	rng := newRand(t, 8)
	for round := range 5 {
		disk := powertest.New(vfs.NewCrashableMem(), uint64(round))
		store := openPebble(t, disk.FS())
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
		clone := disk.CutNow(rng.IntN(101)).FS
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
