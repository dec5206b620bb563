package gallery

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
)

// TestVerify compares with Identify among the student alone, and where the student has one crop with the
// similarity to it.
func TestVerify(t *testing.T) {
	rng := newRand(t, 3)
	g := openGallery(t, Options{})
	crops := make(map[int][][]float32)
	for student := range 20 {
		for i := range 1 + rng.IntN(4) {
			v := face(rng, student, small.Dimension, 0.3)
			crops[student] = append(crops[student], v)
			mustEnroll(t, g, Enrolment{CropID: fmt.Sprint(student, "/", i), StudentID: fmt.Sprint(student), Embedding: made(small, v), AllowDuplicate: true})
		}
	}
	matches := 0
	for range 500 {
		claimed, v := rng.IntN(20), face(rng, rng.IntN(25), small.Dimension, 0.3)
		fmr := []float64{0, 0.1, 0.01, 0.0001}[rng.IntN(4)]
		got, err := g.Verify(ctx, Claim{Embedding: made(small, v), StudentID: fmt.Sprint(claimed), FMR: fmr})
		if err != nil {
			t.Fatal(err)
		}
		alone, err := g.Identify(ctx, Probe{Embedding: made(small, v), Scope: Scope{StudentIDs: []string{fmt.Sprint(claimed)}}, FPIR: cmp.Or(fmr, DefaultFMR)})
		if err != nil {
			t.Fatal(err)
		}
		want := Verification{Similarity: alone.Similarity, Threshold: alone.Threshold}
		if own := crops[claimed]; len(own) == 1 {
			want.Similarity, want.Threshold = dot(own[0], v), small.MatchThreshold(1, cmp.Or(fmr, DefaultFMR))
		}
		if want.Similarity >= want.Threshold {
			want.Verdict = Match
			matches++
		} else {
			want.Reasons = []string{ReasonBelowThreshold}
		}
		if got.Verdict != want.Verdict || math.Abs(float64(got.Similarity-want.Similarity)) > 1e-5 || got.Threshold != want.Threshold || !slices.Equal(got.Reasons, want.Reasons) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	if matches < 10 || matches > 400 {
		t.Errorf("%d matches: the test says little", matches)
	}
}

func TestVerifyErrors(t *testing.T) {
	g := openGallery(t, Options{})
	mustEnroll(t, g, Enrolment{CropID: "ada/1", StudentID: "ada", Embedding: made(small, base(small, 0))})
	for name, c := range map[string]struct {
		claim Claim
		want  error
	}{
		"nobody":           {Claim{Embedding: made(small, base(small, 0)), StudentID: "zed"}, ErrStudentNotFound},
		"no id":            {Claim{Embedding: made(small, base(small, 0))}, ErrInvalidID},
		"no such rate":     {Claim{Embedding: made(small, base(small, 0)), StudentID: "ada", FMR: 1}, ErrInvalidFPIR},
		"another model":    {Claim{Embedding: made(plain, base(plain, 0)), StudentID: "ada"}, ErrEmptyScope},
		"no unit vector":   {Claim{Embedding: made(small, make([]float32, small.Dimension)), StudentID: "ada"}, ErrInvalidVector},
		"an unknown model": {Claim{Embedding: Embedding{Model: "x", Vector: base(small, 0)}, StudentID: "ada"}, ErrInvalidModel},
	} {
		if _, err := g.Verify(ctx, c.claim); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
