package gallery

import (
	"errors"
	"testing"
	"testing/synctest"
)

// TestUndoPlannedTooEarly: a change that is on its way to the disk when an undo is planned
// still stands against it.
func TestUndoPlannedTooEarly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var d disk
		g := openOn(t, d.open(), Options{})
		mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "a", Embedding: made(plain, base(plain, 0))})
		first, err := g.AssignCrop(ctx, "c", "b")
		if err != nil {
			t.Fatal(err)
		}
		release := d.hold()
		var second CropInfo
		go func() { second, _ = g.AssignCrop(ctx, "c", "") }()
		synctest.Wait()
		failed := make(chan error, 1)
		go func() { _, _, err := g.Undo(ctx, first.Seq); failed <- err }()
		synctest.Wait()
		release()
		err = <-failed
		synctest.Wait()
		var newer *NewerChangeError
		if !errors.As(err, &newer) || newer.Seq != second.Seq || newer.Cause != causeAssign || newer.Final {
			t.Fatalf("%v, want change %d to stand against it", err, second.Seq)
		}
		for _, seq := range []uint64{second.Seq, first.Seq} {
			if _, _, err := g.Undo(ctx, seq); err != nil {
				t.Fatal(err)
			}
		}
		if c, err := g.Crop(ctx, "c"); err != nil || c.StudentID != "a" || c.Corrected {
			t.Errorf("%+v, %v", c, err)
		}
		if _, err := g.Student(ctx, "b"); !errors.Is(err, ErrStudentNotFound) {
			t.Errorf("the student whom the change made is still there: %v", err)
		}
		mustBeConsistent(t, g)
	})
}

// TestDeletionIsFinal: what was deleted does not come back, even if there is something of
// the same id again.
func TestDeletionIsFinal(t *testing.T) {
	g := openGallery(t, Options{})
	enrol := func(crop, student string, i int) {
		t.Helper()
		mustEnroll(t, g, Enrolment{CropID: crop, StudentID: student, Embedding: made(plain, base(plain, i))})
	}
	enrol("c", "a", 0)
	enrol("d", "a", 1)
	assigned, err := g.AssignCrop(ctx, "c", "b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.DeleteStudent(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var newer *NewerChangeError
		if _, _, err := g.Undo(ctx, assigned.Seq); !errors.As(err, &newer) || !newer.Final || newer.Cause != causeDeleteStudent {
			t.Fatalf("%v", err)
		}
		enrol("d", "a", 1)
	}
}
