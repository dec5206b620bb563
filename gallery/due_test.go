package gallery

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// dueCrop is what decides whether a student is due.
type dueCrop struct {
	student, model string
	pictured       time.Time
	score          float32
}

// falls says that of one student in ten the matches become less similar.
func falls(studentID string, _ time.Time) bool { return studentID[len(studentID)-1] == '3' }

func wantDue(crops map[string]dueCrop, student, model string, before time.Time) []string {
	var reasons []string
	n, good, young := 0, false, false
	for _, c := range crops {
		if c.student == student && c.model == model {
			n++
			good = good || c.score >= GoodScore
			young = young || !c.pictured.Before(before)
		}
	}
	if n == 0 {
		return []string{DueNoCrop}
	}
	if !good {
		reasons = append(reasons, DuePoorCrops)
	}
	if falls(student, time.Time{}) {
		reasons = append(reasons, DueFalling)
	}
	if !young {
		reasons = append(reasons, DueOldCrops)
	}
	if n < 3 {
		reasons = append(reasons, DueFewCrops)
	}
	return reasons
}

// TestDue enrols crops of any quality over years, and compares who is due with a table, page by page.
func TestDue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		rng := newRand(t, 31)
		g := openGallery(t, Options{New: Settings{Model: small.Name}})
		crops := make(map[string]dueCrop)
		students := map[string]bool{}
		for range 300 {
			time.Sleep(time.Duration(rng.IntN(4*24)) * time.Hour)
			c := dueCrop{student: fmt.Sprintf("student-%02d", rng.IntN(25)), model: small.Name, pictured: time.Now(), score: rng.Float32()}
			m := small
			if rng.IntN(4) == 0 {
				m, c.model = plain, plain.Name
			}
			id := fmt.Sprint("crop-", len(crops))
			groups := []string{fmt.Sprint("group-", len(c.student)%2)}
			mustEnroll(t, g, Enrolment{CropID: id, StudentID: c.student, Groups: groups, Embedding: made(m, face(rng, rng.IntN(1000), m.Dimension, 1)), Quality: Quality{Score: c.score}, AllowDuplicate: true})
			crops[id], students[c.student] = c, true
		}
		for _, age := range []time.Duration{0, 100 * 24 * time.Hour, DefaultDueAge, 10 * DefaultDueAge} {
			before := time.Now().Add(-age)
			got := make(map[string][]string)
			after, pages := "", 0
			for {
				page, next, err := g.Due(ctx, DueQuery{After: after, Limit: 7, Before: before, Falling: falls})
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range page {
					if d.StudentID <= after || got[d.StudentID] != nil {
						t.Fatalf("%q after %q", d.StudentID, after)
					}
					after = d.StudentID
					got[d.StudentID] = d.Reasons
				}
				if pages++; next == "" {
					break
				}
				if len(page) != 7 || next != after {
					t.Fatalf("a page of %d, next %q", len(page), next)
				}
			}
			for student := range students {
				if want := wantDue(crops, student, small.Name, before); !slices.Equal(got[student], want) {
					t.Errorf("%s, pictures of %v: %v, want %v", student, age, got[student], want)
				}
			}
			if age == 0 && pages < 3 {
				t.Errorf("%d pages", pages)
			}
		}
		if page, _, err := g.Due(ctx, DueQuery{Group: "nobody's", Falling: falls}); err != nil || len(page) != 0 {
			t.Errorf("of no group: %v, %v", page, err)
		}
	})
}

// TestPictured: only another picture makes a crop young again.
func TestPictured(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := openGallery(t, Options{})
		enrol := func(m Model, vector []float32, recipe string) time.Time {
			e := made(m, vector)
			e.Recipe = recipe
			out := mustEnroll(t, g, Enrolment{CropID: "c", StudentID: "s", Embedding: e})
			return out.Crop.Pictured
		}
		first := enrol(plain, base(plain, 0), "one")
		for name, again := range map[string]func() time.Time{
			"the same again": func() time.Time { return enrol(plain, base(plain, 0), "one") },
			"another model":  func() time.Time { return enrol(small, base(small, 0), "one") },
		} {
			time.Sleep(time.Hour)
			if got := again(); !got.Equal(first) {
				t.Errorf("%s: pictured at %v, first at %v", name, got, first)
			}
		}
		time.Sleep(time.Hour)
		if got := enrol(plain, base(plain, 3), "another"); !got.Equal(first) {
			t.Errorf("another recipe: pictured at %v, first at %v", got, first)
		}
		time.Sleep(time.Hour)
		if got := enrol(plain, base(plain, 1), "another"); !got.Equal(time.Now()) {
			t.Errorf("another picture: pictured at %v, now %v", got, time.Now())
		}
		crop, err := g.Crop(ctx, "c")
		if err != nil || !crop.Pictured.Equal(time.Now()) {
			t.Errorf("kept: %v, %v", crop.Pictured, err)
		}
	})
}
