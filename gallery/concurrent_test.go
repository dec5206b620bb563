package gallery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"rollcall/index"
)

// TestConcurrentUse lets writers and readers loose on the same few ids. At the
// end memory must be what opening the store anew makes of it.
func TestConcurrentUse(t *testing.T) {
	for name, backend := range backends {
		for _, engine := range index.Engines {
			t.Run(name+"/"+engine, func(t *testing.T) {
				g := openOn(t, backend(t)(), Options{Engine: engine})
				var writers, readers sync.WaitGroup
				done := make(chan struct{})
				for i := range 8 {
					writers.Go(func() { writeAtRandom(t, g, uint64(i), 40) })
				}
				for i := range 4 {
					readers.Go(func() { readAtRandom(t, g, uint64(100+i), done) })
				}
				writers.Wait()
				close(done)
				readers.Wait()

				mustBeConsistent(t, g)
				mustBeAsStored(t, g)
				if got, want := g.Stats().Sequence, sequence(t, g); got != want {
					t.Errorf("sequence %d, storage has %d", got, want)
				}
			})
		}
	}
}

// expected are the errors that random calls may meet.
func expected(err error) bool {
	var dup *DuplicateError
	var unlike *UnlikeError
	for _, want := range []error{ErrCropNotFound, ErrStudentNotFound, ErrNoEmbedding, ErrEmptyScope} {
		if errors.Is(err, want) {
			return true
		}
	}
	return err == nil || errors.As(err, &dup) || errors.As(err, &unlike)
}

func writeAtRandom(t *testing.T, g *Gallery, seed uint64, n int) {
	rng := rand.New(rand.NewPCG(seed, 2))
	for range n {
		crop, student := fmt.Sprint("crop-", rng.IntN(30)), fmt.Sprint("student-", rng.IntN(8))
		m := []Model{small, plain}[rng.IntN(2)]
		var err error
		switch k := rng.IntN(20); {
		case k < 12:
			_, err = g.Enroll(ctx, Enrolment{CropID: crop, StudentID: student, Groups: []string{"g" + student}, Embedding: made(m, face(rng, rng.IntN(8), m.Dimension, 0.3)), AllowDuplicate: rng.IntN(2) == 0, AllowUnlike: rng.IntN(2) == 0})
		case k < 15:
			_, err = g.AssignCrop(ctx, crop, []string{"", student}[rng.IntN(2)])
		case k < 17:
			err = g.DeleteCrop(ctx, crop)
		case k < 18:
			_, err = g.DeleteStudent(ctx, student)
		default:
			_, err = g.UpdateStudent(ctx, student, []string{"g" + crop})
		}
		if !expected(err) {
			t.Errorf("write: %v", err)
		}
	}
}

func readAtRandom(t *testing.T, g *Gallery, seed uint64, done <-chan struct{}) {
	rng := rand.New(rand.NewPCG(seed, 3))
	for {
		select {
		case <-done:
			return
		default:
		}
		m := []Model{small, plain}[rng.IntN(2)]
		vector := face(rng, rng.IntN(8), m.Dimension, 0.3)
		student := fmt.Sprint("student-", rng.IntN(8))
		var err error
		switch rng.IntN(6) {
		case 0:
			_, err = g.Identify(ctx, Probe{Embedding: made(m, vector)})
		case 1:
			var got Identification
			got, err = g.Identify(ctx, Probe{Embedding: made(m, vector), Scope: Scope{StudentIDs: []string{student}}})
			for _, c := range got.Candidates {
				if c.StudentID != student {
					t.Errorf("asked for %q, got %q", student, c.StudentID)
				}
			}
		case 2:
			_, err = g.IdentifyCrop(ctx, fmt.Sprint("crop-", rng.IntN(30)), Probe{Embedding: Embedding{Model: m.Name}, Scope: Scope{Groups: []string{"g" + student}}})
		case 3:
			_, err = g.RollCall(ctx, m.Name, []Embedding{made(m, vector), made(m, face(rng, 1, m.Dimension, 0.3))}, Scope{}, 0)
		case 4:
			_, err = g.Student(ctx, student)
		case 5:
			var r Report
			if r, err = g.CheckConsistency(ctx); r.Total != 0 {
				t.Errorf("differences on a live gallery: %v", r.Differences)
			}
		}
		if !expected(err) {
			t.Errorf("read: %v", err)
		}
	}
}

// One face, enrolled under many students at the same time: one of them wins.
func TestConcurrentDuplicates(t *testing.T) {
	g := openGallery(t, Options{})
	rng := newRand(t, 21)
	for round := range 30 {
		vector := face(rng, 1000+round, plain.Dimension, 0)
		var passed atomic.Int64
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				id := fmt.Sprintf("%d-%d", round, i)
				_, err := g.Enroll(ctx, Enrolment{CropID: id, StudentID: id, Embedding: made(plain, vector)})
				var dup *DuplicateError
				switch {
				case err == nil:
					passed.Add(1)
				case !errors.As(err, &dup):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if passed.Load() != 1 {
			t.Fatalf("round %d: one face enrolled under %d students", round, passed.Load())
		}
	}
}

// An enrolment that is on its way to the disk is not searchable, and counts as a
// duplicate for the one behind it.
func TestPendingDuplicate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var d disk
		g := openOn(t, d.open(), Options{})
		release := d.hold()
		var first, second error
		go func() {
			_, first = g.Enroll(ctx, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(plain, base(plain, 0))})
		}()
		synctest.Wait()
		if n := g.Stats().Students; n != 0 {
			t.Errorf("%d students searchable before they are on disk", n)
		}
		go func() {
			_, second = g.Enroll(ctx, Enrolment{CropID: "b1", StudentID: "b", Embedding: made(plain, base(plain, 0))})
		}()
		synctest.Wait()
		release()
		synctest.Wait()
		var dup *DuplicateError
		if first != nil || !errors.As(second, &dup) || dup.StudentID != "a" || dup.Similarity != 1 {
			t.Errorf("first: %v; beside it: %v", first, second)
		}
		mustBeConsistent(t, g)
	})
}

// refused decides, in the writer, whether the enrolment is a duplicate after what a
// search has seen before.
func refused(g *Gallery, e Enrolment, m Model, seen lookalikes) error {
	d := enrolDecision{Enrolment: e, model: m, gallery: g, seen: &seen}
	_, err := g.writer.do(ctx, "test", func(edit *edit) error { return d.refuse(edit, e.StudentID) })
	return err
}

// searched is what a search sees before the enrolment is decided.
func searched(t *testing.T, g *Gallery, e Enrolment, m Model) lookalikes {
	t.Helper()
	d := enrolDecision{Enrolment: e, model: m, gallery: g}
	if err := d.search(ctx); err != nil {
		t.Fatal(err)
	}
	return *d.seen
}

// The same through the part of the list that is forgotten: a search that began
// before it is made again.
func TestForgottenDuplicate(t *testing.T) {
	g := openGallery(t, Options{})
	e := Enrolment{CropID: "b1", StudentID: "b", Embedding: made(plain, base(plain, 0))}
	seen := searched(t, g, e, plain) // sees nothing
	mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(plain, base(plain, 0))})
	rng := newRand(t, 4)
	for i := range 3 * recentKept {
		mustEnroll(t, g, Enrolment{CropID: fmt.Sprint("other", i), StudentID: "c", Embedding: made(small, face(rng, i, small.Dimension, 1))})
	}
	if n := len(g.writer.recent.entries); n > 2*recentKept {
		t.Errorf("%d vectors remembered", n)
	}
	if g.writer.recent.forgotten == 0 {
		t.Fatal("nothing was forgotten: the test is void")
	}
	err := refused(g, e, plain, seen)
	var dup *DuplicateError
	if !errors.As(err, &dup) || dup.StudentID != "a" {
		t.Errorf("after the search was forgotten: %v", err)
	}
}

// What a search found counts only as far as it still holds when the enrolment is
// decided.
func TestOutdatedLookalike(t *testing.T) {
	for name, change := range map[string]func(g *Gallery) error{
		"replaced": func(g *Gallery) error {
			_, err := g.Enroll(ctx, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(plain, base(plain, 1))})
			return err
		},
		"deleted": func(g *Gallery) error { return g.DeleteCrop(ctx, "a1") },
		"moved":   func(g *Gallery) error { _, err := g.AssignCrop(ctx, "a1", "b"); return err },
		"taken":   func(g *Gallery) error { _, err := g.AssignCrop(ctx, "a1", ""); return err },
		"deleted, and the crop is back under another model": func(g *Gallery) error {
			if err := g.DeleteCrop(ctx, "a1"); err != nil {
				return err
			}
			_, err := g.Enroll(ctx, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(small, base(small, 0))})
			return err
		},
		"replaced, deleted, and the crop is back under another model": func(g *Gallery) error {
			_, err := g.Enroll(ctx, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(plain, base(plain, 0))})
			if err != nil {
				return err
			}
			if err := g.DeleteCrop(ctx, "a1"); err != nil {
				return err
			}
			_, err = g.Enroll(ctx, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(small, base(small, 0))})
			return err
		},
		"nothing": func(*Gallery) error { return nil },
	} {
		g := openGallery(t, Options{})
		mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(plain, base(plain, 0))})
		e := Enrolment{CropID: "b1", StudentID: "b", Embedding: made(plain, base(plain, 0))}
		seen := searched(t, g, e, plain)
		if len(seen.crops) != 1 {
			t.Fatalf("%+v", seen)
		}
		if err := change(g); err != nil {
			t.Fatal(err)
		}
		err := refused(g, e, plain, seen)
		if (err != nil) != (name == "nothing") {
			t.Errorf("%s since the search: %v", name, err)
		}
	}
}

// A request that ends while the disk is busy has stored its crop all the same,
// so the crop must be searchable. One that ends before its turn stores nothing.
func TestCancelledWhileWriting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var d disk
		g := openOn(t, d.open(), Options{})
		release := d.hold()
		cancelled, cancel := context.WithCancel(ctx)
		enrol := func(id string, err *error) {
			_, *err = g.Enroll(cancelled, Enrolment{CropID: id, StudentID: "s", Embedding: made(plain, base(plain, 0))})
		}
		var written, waiting, late error
		go enrol("c", &written)
		synctest.Wait()
		go enrol("d", &waiting)
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !errors.Is(waiting, context.Canceled) {
			t.Errorf("cancelled while it waits for its turn: %v", waiting)
		}
		release()
		synctest.Wait()
		if written != nil {
			t.Errorf("cancelled while it is written: %v", written)
		}
		enrol("e", &late)
		if !errors.Is(late, context.Canceled) || sequence(t, g) != 2 {
			t.Errorf("cancelled before: %v, sequence %d", late, sequence(t, g))
		}
		got, err := g.Identify(ctx, Probe{Embedding: made(plain, base(plain, 0))})
		if err != nil || got.StudentID != "s" {
			t.Errorf("%+v, %v", got, err)
		}
		mustBeConsistent(t, g)
	})
}

// Enrolments that wait share a commit, and so a sync: while the disk is at work,
// the other writers gather behind it.
func TestEnrolmentsShareCommits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var d disk
		g := openOn(t, d.open(), Options{})
		var commits atomic.Int64
		free := make(chan struct{})
		d.before.Store(new(func() error { commits.Add(1); <-free; return nil }))
		const writers = 16
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				id := fmt.Sprint(w)
				if _, err := g.Enroll(ctx, Enrolment{CropID: id, StudentID: id, Embedding: made(plain, base(plain, w))}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait() // some are on their way to the disk, and all others wait
		close(free)
		wg.Wait()
		if n := commits.Load(); n > 2 || sequence(t, g) != 1+writers {
			t.Errorf("%d enrolments took %d commits; sequence %d", writers, n, sequence(t, g))
		}
		mustBeConsistent(t, g)
	})
}
