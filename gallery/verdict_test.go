package gallery

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

func TestVerdicts(t *testing.T) {
	const threshold, margin = 0.5, 0.0625 // exact in binary
	for _, tc := range []struct {
		name    string
		scores  []float32
		verdict Verdict
		reason  string
	}{
		{"nobody", nil, Unknown, ReasonNobodyEnrolled},
		{"one, below", []float32{0.49}, Unknown, ReasonBelowThreshold},
		{"one, at it", []float32{0.5}, Match, ""},
		{"two below, equal", []float32{0.4, 0.4}, Unknown, ReasonBelowThreshold},
		{"far ahead", []float32{0.9, 0.3}, Match, ""},
		{"just the margin ahead", []float32{0.75, 0.6875}, Match, ""},
		{"less than the margin ahead", []float32{0.75, 0.6876}, Ambiguous, ReasonTwoStudentsClose},
		{"equal", []float32{0.75, 0.75}, Ambiguous, ReasonTwoStudentsClose},
		{"runner-up close, below the threshold", []float32{0.5, 0.49}, Ambiguous, ReasonTwoStudentsClose},
		{"runner-up just the margin below", []float32{0.5, 0.4375}, Match, ""},
		{"three close", []float32{0.8, 0.79, 0.78}, Ambiguous, ReasonTwoStudentsClose},
	} {
		var ranked []Candidate
		for i, s := range tc.scores {
			ranked = append(ranked, Candidate{string(rune('a' + i)), "c", s})
		}
		if verdict, reason := judge(ranked, threshold, margin); verdict != tc.verdict || reason != tc.reason {
			t.Errorf("%s: %v %q, want %v %q", tc.name, verdict, reason, tc.verdict, tc.reason)
		}
	}
}

// The same through the whole gallery: students a, b, c at the base vectors.
func TestIdentifyVerdicts(t *testing.T) {
	for _, engine := range []string{"exact", "hnsw", "coder-hnsw"} {
		g := openGallery(t, Options{Engine: engine, New: Settings{Margin: 0.05}})
		for i, id := range []string{"a", "b", "c"} {
			mustEnroll(t, g, Enrolment{CropID: "crop-" + id, StudentID: id, Groups: []string{"g" + id}, Embedding: made(plain, base(plain, i))})
		}
		for _, tc := range []struct {
			name    string
			vector  []float32
			scope   Scope
			verdict Verdict
			student string
		}{
			{"match", at(plain, 0.9, 0.1), Scope{}, Match, "a"},
			{"ambiguous", at(plain, 0.71, 0.69), Scope{}, Ambiguous, ""},
			{"the other one not in scope", at(plain, 0.71, 0.69), Scope{Groups: []string{"ga", "gc"}}, Match, "a"},
			{"listed", at(plain, 0.71, 0.69), Scope{StudentIDs: []string{"a", "nobody"}}, Match, "a"},
			{"union", at(plain, 0.71, 0.69), Scope{Groups: []string{"gb"}, StudentIDs: []string{"a"}}, Ambiguous, ""},
			{"best one not in scope", at(plain, 0.71, 0.69), Scope{Groups: []string{"gc"}}, Unknown, ""},
			{"unknown", at(plain, 0.6, 0.5), Scope{}, Unknown, ""},
		} {
			got, err := g.Identify(ctx, Probe{Embedding: made(plain, tc.vector), Scope: tc.scope})
			if err != nil {
				t.Fatalf("%s: %v", tc.name, err)
			}
			if got.Verdict != tc.verdict || got.StudentID != tc.student {
				t.Errorf("%s, %s: %+v, want %v %q", engine, tc.name, got, tc.verdict, tc.student)
			}
			if (len(got.Reasons) == 0) != (got.Verdict == Match) {
				t.Errorf("%s: reasons %v for %v", tc.name, got.Reasons, got.Verdict)
			}
		}
	}
}

func TestVerdictNames(t *testing.T) {
	for v, want := range map[Verdict]string{Unknown: "UNKNOWN", Match: "MATCH", Ambiguous: "AMBIGUOUS", 9: "Verdict(9)"} {
		if v.String() != want {
			t.Errorf("%d is %q, want %q", int(v), v.String(), want)
		}
	}
}

func TestCandidatesAreStudentsOnce(t *testing.T) {
	g := openGallery(t, Options{})
	rng := newRand(t, 3)
	// One student's many crops must not crowd out the others: 200 of the first
	// one are nearer to the probe than any of the others'.
	for i := range 200 {
		mustEnroll(t, g, Enrolment{CropID: fmt.Sprint("first-", i), StudentID: "first", Embedding: made(plain, face(rng, 1, plain.Dimension, 0.05)), AllowDuplicate: true})
	}
	for _, id := range []string{"p", "q", "r", "s", "t", "u"} {
		mustEnroll(t, g, Enrolment{CropID: "crop-" + id, StudentID: id, Embedding: made(plain, face(rng, 1, plain.Dimension, 3)), AllowDuplicate: true})
	}
	got, err := g.Identify(ctx, Probe{Embedding: made(plain, face(rng, 1, plain.Dimension, 0)), Candidates: 4})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Candidates) != 4 || got.Candidates[0].StudentID != "first" || got.Students != 7 {
		t.Fatalf("%+v", got)
	}
	seen := map[string]bool{}
	for i, c := range got.Candidates {
		if seen[c.StudentID] || i > 0 && c.Similarity > got.Candidates[i-1].Similarity {
			t.Errorf("candidate %d: %+v", i, got.Candidates)
		}
		seen[c.StudentID] = true
	}
}

// Of equal similarities the order must not depend on where vectors lie.
func TestCandidateTies(t *testing.T) {
	g := openGallery(t, Options{})
	ids := []string{"d", "b", "a", "c"}
	for _, id := range ids {
		for _, crop := range []string{"2", "1"} {
			mustEnroll(t, g, Enrolment{CropID: id + crop, StudentID: id, Embedding: made(plain, base(plain, 0)), AllowDuplicate: true})
		}
	}
	got, err := g.Identify(ctx, Probe{Embedding: made(plain, base(plain, 0)), Candidates: 3})
	if err != nil {
		t.Fatal(err)
	}
	want := []Candidate{{"a", "a1", 1}, {"b", "b1", 1}, {"c", "c1", 1}}
	if !slices.Equal(got.Candidates, want) || got.Verdict != Ambiguous {
		t.Errorf("%+v, want %v", got, want)
	}
}

func TestSimilarityIsTheBestCrops(t *testing.T) {
	g := openGallery(t, Options{})
	for i, crop := range []string{"x", "y", "z"} {
		mustEnroll(t, g, Enrolment{CropID: crop, StudentID: "a", Embedding: made(plain, base(plain, i))})
	}
	got, err := g.Identify(ctx, Probe{Embedding: made(plain, at(plain, 0.1, 0.8, 0.3))})
	if err != nil {
		t.Fatal(err)
	}
	if got.Candidates[0].CropID != "y" || math.Abs(float64(got.Similarity)-0.8) > 1e-6 {
		t.Errorf("%+v", got)
	}
}
