package gallery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/storage"
)

// together makes edits that are one commit, in this order: they gather while the
// disk is busy with an edit before them.
func together(d *disk, g *Gallery, edits ...func() error) []error {
	release := d.hold()
	go func() {
		_, _ = g.Enroll(ctx, Enrolment{CropID: "before", Embedding: made(low, base(low, 0))})
	}()
	synctest.Wait()
	errs := make([]error, len(edits))
	for i, edit := range edits {
		go func() { errs[i] = edit() }()
		synctest.Wait()
	}
	release()
	synctest.Wait()
	return errs
}

func enrolling(g *Gallery, crop, student string, m Model, vector []float32) func() error {
	return func() error {
		_, err := g.Enroll(ctx, Enrolment{CropID: crop, StudentID: student, Groups: []string{"g" + student}, Embedding: made(m, vector), AllowUnlike: true})
		return err
	}
}

// adding is enrolling, where the crop has to be like the student's other ones.
func adding(g *Gallery, crop, student string, m Model, vector []float32) func() error {
	return func() error {
		_, err := g.Enroll(ctx, Enrolment{CropID: crop, StudentID: student, Embedding: made(m, vector)})
		return err
	}
}

// Edits of one commit see those before them, and what they come to together is what
// is loaded from disk.
func TestEditsOfOneCommit(t *testing.T) {
	type edits func(g *Gallery) []func() error
	deleteCrop := func(g *Gallery, id string) func() error { return func() error { return g.DeleteCrop(ctx, id) } }
	deleteStudent := func(g *Gallery, id string) func() error {
		return func() error { _, err := g.DeleteStudent(ctx, id); return err }
	}
	assign := func(g *Gallery, crop, student string) func() error {
		return func() error { _, err := g.AssignCrop(ctx, crop, student); return err }
	}
	var dup *DuplicateError
	isDuplicate := func(err error) bool { return errors.As(err, &dup) }
	isUnlike := func(err error) bool {
		var unlike *UnlikeError
		return errors.As(err, &unlike)
	}
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	fine := is(nil)

	for _, tc := range []struct {
		name  string
		edits edits
		want  []func(error) bool
		whose string // crop a1 is at the end: "-" where it is gone
	}{
		{"a duplicate", func(g *Gallery) []func() error {
			return []func() error{enrolling(g, "n1", "n", plain, base(plain, 5)), enrolling(g, "o1", "o", plain, base(plain, 5))}
		}, []func(error) bool{fine, isDuplicate}, "a"},
		{"no duplicate of a crop that is deleted", func(g *Gallery) []func() error {
			return []func() error{deleteCrop(g, "a1"), enrolling(g, "n1", "n", plain, base(plain, 0))}
		}, []func(error) bool{fine, fine}, "-"},
		{"no duplicate of a crop that is back with another face", func(g *Gallery) []func() error {
			return []func() error{enrolling(g, "a1", "a", plain, base(plain, 6)), enrolling(g, "n1", "n", plain, base(plain, 0))}
		}, []func(error) bool{fine, fine}, "a"},
		{"no duplicate of a crop that is back under another model", func(g *Gallery) []func() error {
			return []func() error{deleteCrop(g, "a1"), enrolling(g, "a1", "a", low, base(low, 0)), enrolling(g, "n1", "n", plain, base(plain, 0))}
		}, []func(error) bool{fine, fine, fine}, "a"},
		{"one crop twice", func(g *Gallery) []func() error {
			return []func() error{enrolling(g, "a1", "b", plain, base(plain, 7)), enrolling(g, "a1", "c", plain, base(plain, 8))}
		}, []func(error) bool{fine, fine}, "c"},
		{"unlike the crop before it", func(g *Gallery) []func() error {
			return []func() error{adding(g, "n1", "n", plain, base(plain, 5)), adding(g, "n2", "n", plain, base(plain, 6)), adding(g, "n3", "n", plain, at(plain, 0, 0, 0, 0, 0, 0.6))}
		}, []func(error) bool{fine, isUnlike, fine}, "a"},
		{"like a crop that is deleted", func(g *Gallery) []func() error {
			return []func() error{deleteCrop(g, "a1"), adding(g, "a3", "a", plain, base(plain, 0))}
		}, []func(error) bool{fine, isUnlike}, "-"},
		{"like a crop that comes to the student", func(g *Gallery) []func() error {
			return []func() error{assign(g, "loose", "a"), adding(g, "a3", "a", plain, base(plain, 9))}
		}, []func(error) bool{fine, fine}, "a"},
		{"like somebody else who comes before it", func(g *Gallery) []func() error {
			return []func() error{adding(g, "n1", "n", plain, base(plain, 5)), adding(g, "a3", "a", plain, at(plain, 0.5, 0, 0, 0, 0, 0.6))}
		}, []func(error) bool{fine, isUnlike}, "a"},
		{"like somebody else who is deleted before it", func(g *Gallery) []func() error {
			return []func() error{deleteStudent(g, "b"), adding(g, "a3", "a", plain, at(plain, 0.5, 0, 0.6))}
		}, []func(error) bool{fine, fine}, "a"},
		{"less like the student, who has lost the nearest crop", func(g *Gallery) []func() error {
			return []func() error{deleteCrop(g, "a1"), adding(g, "a3", "a", plain, at(plain, 0.65, 0.4, 0.5))}
		}, []func(error) bool{fine, isUnlike}, "-"},
		{"a correction stands for the next", func(g *Gallery) []func() error {
			return []func() error{assign(g, "a1", "b"), enrolling(g, "a1", "a", plain, base(plain, 0))}
		}, []func(error) bool{fine, fine}, "b"},
		{"a student is deleted and enrolled again", func(g *Gallery) []func() error {
			return []func() error{deleteStudent(g, "a"), enrolling(g, "a1", "a", small, base(small, 0))}
		}, []func(error) bool{fine, fine}, "a"},
		{"a student is deleted, and the crop another's", func(g *Gallery) []func() error {
			return []func() error{deleteStudent(g, "a"), enrolling(g, "a1", "b", small, base(small, 0))}
		}, []func(error) bool{fine, fine}, "b"},
		{"a student is enrolled and deleted", func(g *Gallery) []func() error {
			return []func() error{enrolling(g, "a3", "a", plain, base(plain, 4)), deleteStudent(g, "a"), deleteStudent(g, "a"), deleteCrop(g, "a3")}
		}, []func(error) bool{fine, fine, is(ErrStudentNotFound), is(ErrCropNotFound)}, "-"},
		{"taken away and brought back", func(g *Gallery) []func() error {
			return []func() error{assign(g, "a1", ""), assign(g, "a1", "a")}
		}, []func(error) bool{fine, fine}, "a"},
		{"brought in and taken away", func(g *Gallery) []func() error {
			return []func() error{assign(g, "loose", "a"), enrolling(g, "loose", "", small, base(small, 5)), assign(g, "loose", "")}
		}, []func(error) bool{fine, fine, fine}, "a"},
		{"groups", func(g *Gallery) []func() error {
			return []func() error{
				func() error { _, err := g.UpdateStudent(ctx, "a", []string{"x"}); return err },
				enrolling(g, "a1", "a", plain, base(plain, 0)),
				func() error { _, err := g.UpdateStudent(ctx, "a", nil); return err },
				func() error { _, err := g.UpdateStudent(ctx, "nobody", nil); return err },
			}
		}, []func(error) bool{fine, fine, fine, is(ErrStudentNotFound)}, "a"},
		{"a panic fails alone", func(g *Gallery) []func() error {
			return []func() error{
				enrolling(g, "n1", "n", plain, base(plain, 5)),
				func() error {
					_, err := g.writer.do(ctx, "test", func(e *edit) error {
						e.gone(cropRef("a1"))
						var none []int
						return fmt.Errorf("%d", none[3])
					})
					return err
				},
				enrolling(g, "o1", "o", plain, base(plain, 6)),
			}
		}, []func(error) bool{fine, func(err error) bool { return err != nil && strings.Contains(err.Error(), "panicked") }, fine}, "a"},
		{"an error fails alone", func(g *Gallery) []func() error {
			return []func() error{
				func() error {
					_, err := g.writer.do(ctx, "test", func(e *edit) error {
						e.gone(cropRef("a1"))
						return errBroken
					})
					return err
				},
				enrolling(g, "n1", "n", plain, base(plain, 5)),
			}
		}, []func(error) bool{is(errBroken), fine}, "a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var d disk
				g := openOn(t, d.open(), Options{})
				for i, crop := range []string{"a1", "a2", "b1"} {
					for _, m := range []Model{plain, small} {
						mustEnroll(t, g, Enrolment{CropID: crop, StudentID: crop[:1], Groups: []string{"class"}, Embedding: made(m, base(m, i))})
					}
				}
				mustEnroll(t, g, Enrolment{CropID: "loose", Embedding: made(plain, base(plain, 9))})
				before := sequence(t, g)
				changes := uint64(0)
				for i, err := range together(&d, g, tc.edits(g)...) {
					if !tc.want[i](err) {
						t.Errorf("edit %d: %v", i, err)
					}
					if err == nil {
						changes++
					}
				}
				if got := sequence(t, g) - before; got != changes+1 {
					t.Errorf("%d changes, want %d and the one before them", got, changes)
				}
				crop, err := g.Crop(ctx, "a1")
				if tc.whose == "-" && !errors.Is(err, ErrCropNotFound) || tc.whose != "-" && (err != nil || crop.StudentID != tc.whose) {
					t.Errorf("the crop: %+v, %v", crop, err)
				}
				mustBeAsStored(t, g)
				mustBeConsistent(t, g)
			})
		})
	}
}

// An edit sees what it made itself of what the edits before it made.
func TestEditSeesItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var d disk
		g := openOn(t, d.open(), Options{})
		var before, deleted, back []storage.Ref
		errs := together(&d, g, enrolling(g, "n1", "n", plain, base(plain, 5)), func() error {
			_, err := g.writer.do(ctx, "test", func(e *edit) error {
				before = e.embeddingsOf("n1")
				e.deleteCrop("n1")
				deleted = append(e.embeddingsOf("n1"), make([]storage.Ref, len(e.cropsOf("n")))...)
				e.put(storage.Embedding{CropID: "n1", Model: "small"})
				back = e.embeddingsOf("n1")
				return errBroken
			})
			return err
		})
		if errs[0] != nil || !errors.Is(errs[1], errBroken) || !slices.Equal(before, []storage.Ref{embeddingRef("n1", "plain")}) ||
			len(deleted) != 0 || !slices.Equal(back, []storage.Ref{embeddingRef("n1", "small")}) {
			t.Errorf("%v: %v, deleted %v, back %v", errs, before, deleted, back)
		}
	})
}

// The log has each edit of a commit as a change of its own, with what was there
// before it.
func TestLogOfOneCommit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var d disk
		g := openOn(t, d.open(), Options{})
		together(&d, g, enrolling(g, "a1", "a", plain, base(plain, 0)), func() error { _, err := g.AssignCrop(ctx, "a1", "b"); return err },
			func() error { return g.DeleteCrop(ctx, "a1") })
		var causes, students []string
		for c, err := range g.writer.partition.Changes(ctx, 0) {
			if err != nil {
				t.Fatal(err)
			}
			causes = append(causes, c.Cause)
			for _, w := range c.Writes {
				if was, ok := w.Before.(storage.Crop); ok {
					students = append(students, was.StudentID)
				}
			}
		}
		if want := []string{"make gallery", "enrol", "enrol", "assign", "delete crop"}; !slices.Equal(causes, want) || !slices.Equal(students, []string{"a", "b"}) {
			t.Errorf("%v, crops were of %v", causes, students)
		}
	})
}

// A commit that fails loads the gallery anew, and whoever was in it does not know
// more than before: the same holds for who was refused because of what it held.
func TestCommitFails(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fail   func(d *disk, err error)
		err    error
		want   error
		stored bool
	}{
		{"before it is stored", func(d *disk, err error) { d.before.Store(new(func() error { return err })) }, errDisk, ErrUnavailable, false},
		{"after it was stored", func(d *disk, err error) { d.after.Store(new(func() error { return err })) }, errDisk, ErrUnavailable, true},
		{"somebody else commits", func(d *disk, err error) { d.before.Store(new(func() error { return err })) }, storage.ErrConflict, ErrUnavailable, false},
		{"disk full", func(d *disk, err error) { d.before.Store(new(func() error { return err })) }, storage.ErrReadOnly, ErrReadOnly, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var d disk
				g := openOn(t, d.open(), Options{})
				mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(plain, base(plain, 0))})
				before := g.writer.memory.Load()
				var causedBy error
				errs := together(&d, g,
					enrolling(g, "x1", "x", plain, base(plain, 0)), // refused by what is on disk
					func() error {
						_, err := g.writer.do(ctx, "test", func(*edit) error { tc.fail(&d, tc.err); return nil })
						return err
					},
					enrolling(g, "b1", "b", plain, base(plain, 1)),
					enrolling(g, "c1", "c", plain, base(plain, 1)), // refused by what is not
					func() error { return g.DeleteCrop(ctx, "a1") },
				)
				d.before.Store(nil)
				d.after.Store(nil)
				var dup *DuplicateError
				if !errors.As(errs[0], &dup) || errs[1] != nil {
					t.Errorf("refused before: %v; nothing to store: %v", errs[0], errs[1])
				}
				for i, err := range errs[2:] {
					if !errors.Is(err, tc.want) || tc.want == ErrUnavailable && errors.Is(err, ErrReadOnly) {
						t.Errorf("edit %d: %v, want %v", i, err, tc.want)
					}
					causedBy = err
				}
				if strings.Contains(causedBy.Error(), errDisk.Error()) {
					t.Errorf("it tells the inside of the disk: %v", causedBy)
				}
				if (g.writer.memory.Load() == before) != (tc.want == ErrReadOnly) {
					t.Error("loaded anew, or not, against what is known")
				}
				_, err := g.Crop(ctx, "b1")
				_, gone := g.Crop(ctx, "a1")
				if (err == nil) != tc.stored || errors.Is(gone, ErrCropNotFound) != tc.stored {
					t.Errorf("%v, %v; stored: %v", err, gone, tc.stored)
				}
				mustBeAsStored(t, g)
				mustBeConsistent(t, g)
				// Made again, it does no harm.
				if err := enrolling(g, "b1", "b", plain, base(plain, 1))(); err != nil {
					t.Error(err)
				}
				mustBeAsStored(t, g)
			})
		})
	}
}

// While a gallery cannot be loaded it answers nothing, and it comes back by itself.
func TestUnavailable(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var d disk
		g := openOn(t, d.open(), Options{})
		mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(plain, base(plain, 0))})
		closed := storage.OpenMemory(storage.Faults{})
		unreadable, err := closed.Partition(DefaultGallery)
		if err != nil {
			t.Fatal(err)
		}
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
		good := g.writer.partition
		if _, err := g.writer.do(ctx, "test", func(*edit) error { g.writer.partition = unreadable; return nil }); err != nil {
			t.Fatal(err)
		}
		if err := enrolling(g, "b1", "b", plain, base(plain, 1))(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("what somebody said cannot be read: %v", err)
		}
		if _, err := g.SetDeleteAfter(ctx, "a", "2030-07-31"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("the commit that failed: %v", err)
		}
		for name, err := range map[string]error{
			"identify": second(g.Identify(ctx, Probe{Embedding: made(plain, base(plain, 0))})),
			"enroll":   enrolling(g, "b1", "b", plain, base(plain, 1))(),
			"delete":   g.DeleteCrop(ctx, "a1"),
			"student":  second(g.Student(ctx, "a")),
			"settings": second(g.Settings(ctx)),
			"coverage": second(g.Coverage(ctx, "")),
		} {
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := g.Stats(); got.Students != 0 {
			t.Errorf("%+v", got)
		}
		time.Sleep(3 * reloadPause / 2) // it has tried again, in vain
		synctest.Wait()
		g.writer.partition = good
		if err := g.DeleteCrop(ctx, "a1"); !errors.Is(err, ErrUnavailable) { // and the writer has seen that the partition is another one
			t.Error(err)
		}
		for range 4 { // also while others keep asking
			if err := g.DeleteCrop(ctx, "nobody's"); !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrCropNotFound) {
				t.Error(err)
			}
			time.Sleep(reloadPause / 2)
		}
		got, err := g.Identify(ctx, Probe{Embedding: made(plain, base(plain, 0))})
		if err != nil || got.StudentID != "a" {
			t.Errorf("once it can be read: %+v, %v", got, err)
		}
		mustBeAsStored(t, g)
	})
}

// An edit whose context ended before its turn is not made, whether the writer or the
// caller sees it first.
func TestCancelledBeforeItsTurn(t *testing.T) {
	g := openGallery(t, Options{})
	mustEnroll(t, g, Enrolment{CropID: "a1", StudentID: "a", Embedding: made(plain, base(plain, 0))})
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for range 100 {
		if err := g.DeleteCrop(cancelled, "a1"); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if n := sequence(t, g); n != 2 {
		t.Errorf("sequence %d", n)
	}
}

// No commit is larger than mostEdits, and none waits for good.
func TestManyEdits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var d disk
		g := openOn(t, d.open(), Options{})
		var edits []func() error
		for i := range mostEdits + 10 {
			edits = append(edits, enrolling(g, fmt.Sprint(i), "", small, base(small, 0)))
		}
		for i, err := range together(&d, g, edits...) {
			if err != nil {
				t.Errorf("edit %d: %v", i, err)
			}
		}
		if got := g.Stats().Crops; got != len(edits)+1 {
			t.Errorf("%d crops", got)
		}
	})
}
