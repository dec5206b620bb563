package gallery

import (
	"errors"
	"slices"
	"testing"
)

// TestConsent goes through what may be enrolled under every consent, with and without the
// setting.
func TestConsent(t *testing.T) {
	for _, require := range []bool{false, true} {
		for _, state := range []ConsentState{"", ConsentGiven, ConsentRefused, ConsentWithdrawn} {
			g := openGallery(t, Options{})
			if _, err := g.UpdateSettings(ctx, SettingsChange{RequireConsent: &require}); err != nil {
				t.Fatal(err)
			}
			if _, err := g.Enroll(ctx, Enrolment{CropID: "free", Embedding: made(plain, base(plain, 0))}); err != nil {
				t.Fatal(err)
			}
			if state != "" {
				st, _, err := g.SetConsent(ctx, "ada", Consent{State: state, Reference: "form 12", Date: "2026-09-01"})
				if err != nil || st.Consent != (Consent{State: state, Reference: "form 12", Date: "2026-09-01"}) {
					t.Fatalf("noted %+v, %v", st.Consent, err)
				}
			}
			_, enrolled := g.Enroll(ctx, Enrolment{CropID: "c", StudentID: "ada", Embedding: made(plain, base(plain, 1))})
			_, assigned := g.AssignCrop(ctx, "free", "ada")
			allowed := state == ConsentGiven || state == "" && !require
			for what, err := range map[string]error{"enrol": enrolled, "assign": assigned} {
				var refused *NoConsentError
				switch {
				case allowed && err != nil:
					t.Errorf("%s with consent %q, required %v: %v", what, state, require, err)
				case !allowed && (!errors.As(err, &refused) || refused.State != state || refused.StudentID != "ada"):
					t.Errorf("%s with consent %q, required %v: %v, want a NoConsentError", what, state, require, err)
				}
			}
			mustBeConsistent(t, g)
		}
	}
}

// TestWithdrawal erases the crops and groups, keeps the record, and is not undone by the
// undo of an earlier change.
func TestWithdrawal(t *testing.T) {
	for _, state := range []ConsentState{ConsentRefused, ConsentWithdrawn} {
		g := openGallery(t, Options{})
		mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "ada", Groups: []string{"3b"}, Embedding: made(plain, base(plain, 0))})
		mustEnroll(t, g, Enrolment{CropID: "d", StudentID: "ben", Embedding: made(plain, base(plain, 1))})
		regrouped, err := g.UpdateStudent(ctx, "ada", []string{"4b"})
		if err != nil {
			t.Fatal(err)
		}
		st, _, err := g.SetConsent(ctx, "ada", Consent{State: state})
		if err != nil || st.CropCount != 0 || len(st.Groups) != 0 || st.Consent.State != state || st.Consent.Date == "" {
			t.Fatalf("%+v, %v", st, err)
		}
		if _, err := g.Crop(ctx, "c"); !errors.Is(err, ErrCropNotFound) {
			t.Errorf("the crop is there: %v", err)
		}
		if _, _, err := g.Undo(ctx, regrouped.Seq); err == nil {
			t.Error("an older change of the groups was undone")
		}
		var refused *NoConsentError
		if _, _, err := g.MergeStudents(ctx, "ada", "ben"); !errors.As(err, &refused) {
			t.Errorf("merged away: %v", err)
		}
		if _, _, err := g.MergeStudents(ctx, "ben", "ada"); !errors.As(err, &refused) {
			t.Errorf("crops merged in: %v", err)
		}
		mustBeConsistent(t, g)
	}
}

// TestUndoKeepsConsent undoes a change of groups after a consent was noted.
func TestUndoKeepsConsent(t *testing.T) {
	g := openGallery(t, Options{})
	mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "ada", Groups: []string{"3b"}, Embedding: made(plain, base(plain, 0))})
	regrouped, err := g.UpdateStudent(ctx, "ada", []string{"4b"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.SetConsent(ctx, "ada", Consent{State: ConsentGiven, Date: "2026-09-01"}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.SetDeleteAfter(ctx, "ada", "2027-07-31"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.Undo(ctx, regrouped.Seq); err != nil {
		t.Fatal(err)
	}
	st, err := g.Student(ctx, "ada")
	if err != nil || st.Groups[0] != "3b" || st.Consent.State != ConsentGiven || st.DeleteAfter != "2027-07-31" {
		t.Errorf("%+v, %v", st, err)
	}
}

// TestUndoKeepsRefusal undoes the change that made a student, who refused afterwards: the
// refusal stays, also where the groups are the same again.
func TestUndoKeepsRefusal(t *testing.T) {
	g := openGallery(t, Options{})
	made, err := g.PutStudent(ctx, "ada", []string{"3b"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.SetConsent(ctx, "ada", Consent{State: ConsentRefused}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.PutStudent(ctx, "ada", []string{"3b"}); err != nil {
		t.Fatal(err)
	}
	_, _, _ = g.Undo(ctx, made.Seq)
	if st, err := g.Student(ctx, "ada"); err != nil || st.Consent.State != ConsentRefused {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestBadConsent(t *testing.T) {
	g := openGallery(t, Options{})
	for _, c := range []Consent{{}, {State: "perhaps"}, {State: ConsentGiven, Date: "2026-02-30"}, {State: ConsentGiven, Reference: "\xff"}} {
		if _, _, err := g.SetConsent(ctx, "ada", c); !errors.Is(err, ErrInvalidConsent) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := g.SetDeleteAfter(ctx, "ada", "2027-01-01"); !errors.Is(err, ErrStudentNotFound) {
		t.Error(err)
	}
}

// A student who came back after somebody looked whose last day is over is not deleted.
func TestDeleteOverdue(t *testing.T) {
	g := openGallery(t, Options{})
	for _, id := range []string{"leaves", "returns", "stays"} {
		if _, err := g.PutStudent(ctx, id, []string{"3b"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"leaves", "returns"} {
		if _, err := g.SetDeleteAfter(ctx, id, "2027-07-31"); err != nil {
			t.Fatal(err)
		}
	}
	const today = "2027-08-01"
	ids, err := g.Overdue(ctx, today)
	if err != nil || !slices.Equal(ids, []string{"leaves", "returns"}) {
		t.Fatal(ids, err)
	}
	if _, err := g.SetDeleteAfter(ctx, "returns", ""); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]error{"leaves": nil, "returns": ErrStudentNotFound, "stays": ErrStudentNotFound} {
		if _, err := g.DeleteOverdue(ctx, id, today); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", id, err, want)
		}
	}
}
