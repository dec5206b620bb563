package gallery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestConcurrentUse lets writers and readers loose on the same few ids. At the
// end memory must be what opening the store anew makes of it.
func TestConcurrentUse(t *testing.T) {
	for _, engine := range []string{"exact", "hnsw", "coder-hnsw"} {
		t.Run(engine, func(t *testing.T) {
			g := openGallery(t, Options{Engine: engine})
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
			fresh, err := Open(ctx, g.store, Options{Engine: engine})
			if err != nil {
				t.Fatal(err)
			}
			if a, b := picture(g), picture(fresh); !mapsEqual(a, b) {
				t.Errorf("after concurrent changes:\n%v\nfrom storage:\n%v", a, b)
			}
			if got, want := g.Stats().Sequence, g.store.Sequence(); got != want {
				t.Errorf("sequence %d, storage has %d", got, want)
			}
		})
	}
}

// expected are the errors that random calls may meet.
func expected(err error) bool {
	var dup *DuplicateError
	for _, want := range []error{ErrCropNotFound, ErrStudentNotFound, ErrNoEmbedding, ErrEmptyScope} {
		if errors.Is(err, want) {
			return true
		}
	}
	return err == nil || errors.As(err, &dup)
}

func writeAtRandom(t *testing.T, g *Gallery, seed uint64, n int) {
	rng := rand.New(rand.NewPCG(seed, 2))
	for range n {
		crop, student := fmt.Sprint("crop-", rng.IntN(30)), fmt.Sprint("student-", rng.IntN(8))
		m := []Model{small, plain}[rng.IntN(2)]
		var err error
		switch k := rng.IntN(20); {
		case k < 12:
			_, err = g.Enroll(ctx, Enrolment{CropID: crop, StudentID: student, Groups: []string{"g" + student}, Model: m,
				Vector: face(rng, rng.IntN(8), m.Dimension, 0.3), AllowDuplicate: rng.IntN(2) == 0})
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
			_, err = g.Identify(ctx, Probe{Vector: vector, Model: m})
		case 1:
			var got Identification
			got, err = g.Identify(ctx, Probe{Vector: vector, Model: m, Scope: Scope{StudentIDs: []string{student}}})
			for _, c := range got.Candidates {
				if c.StudentID != student {
					t.Errorf("asked for %q, got %q", student, c.StudentID)
				}
			}
		case 2:
			_, err = g.IdentifyCrop(ctx, fmt.Sprint("crop-", rng.IntN(30)), Probe{Model: m, Scope: Scope{Groups: []string{"g" + student}}})
		case 3:
			_, err = g.RollCall(ctx, [][]float32{vector, face(rng, 1, m.Dimension, 0.3)}, m, Scope{}, 0)
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
				_, err := g.Enroll(ctx, Enrolment{CropID: id, StudentID: id, Model: plain, Vector: vector})
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

// hold keeps the changes that come after it from becoming searchable, until it
// is released.
func hold(g *Gallery) (release func()) {
	g.writer.Lock()
	t := g.writer.order.join()
	g.writer.Unlock()
	return func() {
		t.wait()
		t.pass()
	}
}

// waitFor waits until storage has the sequence number.
func waitFor(t *testing.T, g *Gallery, seq uint64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); g.store.Sequence() < seq; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("change %d was not applied", seq)
		}
	}
}

// An enrolment that is applied, but not searchable yet, counts as a duplicate.
func TestPendingDuplicate(t *testing.T) {
	g := openGallery(t, Options{})
	release := hold(g)
	first := make(chan error, 1)
	go func() {
		_, err := g.Enroll(ctx, Enrolment{CropID: "a1", StudentID: "a", Model: plain, Vector: base(plain, 0)})
		first <- err
	}()
	waitFor(t, g, 1)
	if n := g.CountStudents(""); n != 0 {
		t.Errorf("%d students searchable before their turn", n)
	}
	second := make(chan error, 1)
	go func() {
		_, err := g.Enroll(ctx, Enrolment{CropID: "b1", StudentID: "b", Model: plain, Vector: base(plain, 0)})
		second <- err
	}()
	select {
	case err := <-second:
		var dup *DuplicateError
		if !errors.As(err, &dup) || dup.StudentID != "a" || dup.Similarity != 1 {
			t.Errorf("beside a pending one: %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits for its turn: it was not refused")
	}
	release()
	if err := <-first; err != nil {
		t.Error(err)
	}
	mustBeConsistent(t, g)
}

// The same through the part of the list that is forgotten: a search that began
// before it is made again.
func TestForgottenDuplicate(t *testing.T) {
	g := openGallery(t, Options{})
	seen, err := g.lookalikes(plain, base(plain, 0), "b") // sees nothing
	if err != nil {
		t.Fatal(err)
	}
	mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Model: plain, Vector: base(plain, 0)})
	rng := newRand(t, 4)
	for i := range 3 * recentKept {
		mustEnroll(t, g, Enrolment{CropID: fmt.Sprint("other", i), StudentID: "c", Model: small,
			Vector: face(rng, i, small.Dimension, 1)})
	}
	if n := len(g.writer.recent.entries); n > 2*recentKept {
		t.Errorf("%d vectors remembered", n)
	}
	if g.writer.recent.forgotten == 0 {
		t.Fatal("nothing was forgotten: the test is void")
	}
	e := Enrolment{CropID: "b1", StudentID: "b", Model: plain, Vector: base(plain, 0)}
	g.writer.Lock()
	err = g.refuseDuplicate(&e, "b", &seen)
	g.writer.Unlock()
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
			_, err := g.Enroll(ctx, Enrolment{CropID: "a1", StudentID: "a", Model: plain, Vector: base(plain, 1)})
			return err
		},
		"deleted": func(g *Gallery) error { return g.DeleteCrop(ctx, "a1") },
		"moved":   func(g *Gallery) error { _, err := g.AssignCrop(ctx, "a1", "b"); return err },
		"taken":   func(g *Gallery) error { _, err := g.AssignCrop(ctx, "a1", ""); return err },
		"nothing": func(*Gallery) error { return nil },
	} {
		g := openGallery(t, Options{})
		mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Model: plain, Vector: base(plain, 0)})
		e := Enrolment{CropID: "b1", StudentID: "b", Model: plain, Vector: base(plain, 0)}
		seen, err := g.lookalikes(e.Model, e.Vector, "b")
		if err != nil || len(seen.crops) != 1 {
			t.Fatalf("%+v, %v", seen, err)
		}
		if err := change(g); err != nil {
			t.Fatal(err)
		}
		g.writer.Lock()
		err = g.refuseDuplicate(&e, "b", &seen)
		g.writer.Unlock()
		if (err != nil) != (name == "nothing") {
			t.Errorf("%s since the search: %v", name, err)
		}
	}
}

// A request that ends while the disk is busy has stored its crop all the same,
// so the crop must be searchable.
func TestCancelledWhileWriting(t *testing.T) {
	fs := &syncFS{FS: vfs.NewMem()}
	store := openStore(t, fs)
	defer store.Close()
	g, err := Open(ctx, store, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	cancelled, cancel := context.WithCancel(ctx)
	defer cancel()
	fs.onSync = cancel
	_, err = g.Enroll(cancelled, Enrolment{CropID: "c", StudentID: "s", Model: plain, Vector: base(plain, 0)})
	if cancelled.Err() == nil {
		t.Fatal("the disk was not written to: the test is void")
	}
	if err != nil {
		t.Errorf("enrolled, then cancelled: %v", err)
	}
	got, err := g.Identify(ctx, Probe{Vector: base(plain, 0), Model: plain})
	if err != nil || got.StudentID != "s" {
		t.Errorf("%+v, %v", got, err)
	}
	mustBeConsistent(t, g)

	before := store.Sequence()
	_, err = g.Enroll(cancelled, Enrolment{CropID: "d", StudentID: "s", Model: plain, Vector: base(plain, 0)})
	if !errors.Is(err, context.Canceled) || store.Sequence() != before {
		t.Errorf("cancelled before: %v, sequence %d", err, store.Sequence())
	}
}

// Concurrent enrolments share the disk's syncs: while one sync is held, the
// other writers gather behind it.
func TestEnrolmentsShareSyncs(t *testing.T) {
	fs := &syncFS{FS: vfs.NewMem()}
	store := openStore(t, fs)
	defer store.Close()
	g, err := Open(ctx, store, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	const writers, each = 16, 20
	fs.onSync = func() { time.Sleep(2 * time.Millisecond) } // a slow disk
	fs.syncs.Store(0)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 5))
			for i := range each {
				_, err := g.Enroll(ctx, Enrolment{CropID: fmt.Sprint(w, "-", i), StudentID: fmt.Sprint(w), Model: plain,
					Vector: face(rng, w, plain.Dimension, 0.1), AllowDuplicate: true})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	syncs := fs.syncs.Load()
	t.Logf("%d enrolments, %d syncs", writers*each, syncs)
	if syncs == 0 || syncs > writers*each/2 {
		t.Errorf("%d enrolments took %d syncs", writers*each, syncs)
	}
	mustBeConsistent(t, g)
}

func TestOrder(t *testing.T) {
	o := newOrder()
	const n = 100
	turns := make([]turn, n)
	for i := range turns {
		turns[i] = o.join()
	}
	var got []int
	var wg sync.WaitGroup
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(n) {
		wg.Go(func() {
			turns[i].wait()
			got = append(got, i) // the race detector proves that one is at turn
			turns[i].pass()
		})
	}
	wg.Wait()
	<-o.tail
	for i, v := range got {
		if i != v {
			t.Fatalf("turns came in the order %v", got)
		}
	}
}
