package gallery

import (
	"errors"
	"slices"
	"testing"
)

// rollGallery has the students a, b, c at the base vectors, d without a crop,
// all in the group "class"; and e outside.
func rollGallery(t *testing.T) *Gallery {
	g := openGallery(t, Options{New: Settings{Margin: 0.05}})
	for i, id := range []string{"a", "b", "c", "d", "e"} {
		groups := []string{"class"}
		if id == "e" {
			groups = nil
		}
		mustEnroll(t, g, Enrolment{CropID: id + "1", StudentID: id, Groups: groups, Embedding: made(low, base(low, i))})
	}
	if err := g.DeleteCrop(ctx, "d1"); err != nil {
		t.Fatal(err)
	}
	return g
}

// allMade returns the vectors as the model makes them.
func allMade(m Model, vectors [][]float32) []Embedding {
	var list []Embedding
	for _, v := range vectors {
		list = append(list, made(m, v))
	}
	return list
}

func TestRollCall(t *testing.T) {
	g := rollGallery(t)
	class := Scope{Groups: []string{"class"}}
	for _, tc := range []struct {
		name     string
		scope    Scope
		probes   [][]float32
		assigned []string
		verdicts []Verdict
		reasons  []string
		absent   []string
	}{
		{"everybody is there", class,
			[][]float32{at(low, 0, 0, 0.9), at(low, 0.9), at(low, 0, 0.9)},
			[]string{"c", "a", "b"}, []Verdict{Match, Match, Match}, []string{"", "", ""}, []string{"d"}},
		{"nobody is there", class, nil, nil, nil, nil, []string{"a", "b", "c", "d"}},
		{"a stranger", class,
			[][]float32{at(low, 0.9), at(low, 0.2, 0.2)},
			[]string{"a", ""}, []Verdict{Match, Unknown}, []string{"", ReasonBelowThreshold}, []string{"b", "c", "d"}},
		{"somebody of another class", class,
			[][]float32{base(low, 4)},
			[]string{""}, []Verdict{Unknown}, []string{ReasonBelowThreshold}, []string{"a", "b", "c", "d"}},
		{"in the scope of everybody", Scope{},
			[][]float32{base(low, 4)},
			[]string{"e"}, []Verdict{Match}, []string{""}, []string{"a", "b", "c", "d"}},
		{"listed, known or not", Scope{StudentIDs: []string{"a", "new", "a"}},
			[][]float32{at(low, 0.9)},
			[]string{"a"}, []Verdict{Match}, []string{""}, []string{"new"}},
		{"alone ambiguous, together not", class, // the first could be a or b, but b sits elsewhere
			[][]float32{at(low, 0.62, 0.60), at(low, 0, 0.95)},
			[]string{"a", "b"}, []Verdict{Match, Match}, []string{"", ""}, []string{"c", "d"}},
		{"the best student is another's", class, // the first is nearer to b, who is the second
			[][]float32{at(low, 0.55, 0.7), at(low, 0.1, 0.95)},
			[]string{"a", "b"}, []Verdict{Match, Match}, []string{"", ""}, []string{"c", "d"}},
		{"ambiguous with a free student", class,
			[][]float32{at(low, 0.62, 0.60)},
			[]string{"a"}, []Verdict{Ambiguous}, []string{ReasonTwoStudentsClose}, []string{"b", "c", "d"}},
		{"twins: either way round", class,
			[][]float32{at(low, 0.66, 0.65), at(low, 0.65, 0.66)},
			[]string{"a", "b"}, []Verdict{Ambiguous, Ambiguous}, []string{ReasonTwoStudentsClose, ReasonTwoStudentsClose}, []string{"c", "d"}},
		{"two probes of one student, far apart", class,
			[][]float32{at(low, 0.7), at(low, 0.9)},
			[]string{"", "a"}, []Verdict{Unknown, Match}, []string{ReasonTakenByAnotherCrop, ""}, []string{"b", "c", "d"}},
		{"two probes of one student, alike", class,
			[][]float32{at(low, 0.88), at(low, 0.9)},
			[]string{"", "a"}, []Verdict{Unknown, Ambiguous}, []string{ReasonTakenByAnotherCrop, ReasonTwoStudentsClose}, []string{"b", "c", "d"}},
		{"no weak seat at the price of a strong one", class, // bare sums would seat both
			[][]float32{at(low, 0.85, 0.42), at(low, 0.8, 0.1)},
			[]string{"a", ""}, []Verdict{Match, Unknown}, []string{"", ReasonTakenByAnotherCrop}, []string{"b", "c", "d"}},
	} {
		roll, err := g.RollCall(ctx, low.Name, allMade(low, tc.probes), tc.scope, 0)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if len(roll.Seats) != len(tc.probes) || !slices.Equal(roll.Absent, tc.absent) || roll.Threshold != low.Threshold {
			t.Errorf("%s: %+v", tc.name, roll)
			continue
		}
		for i, s := range roll.Seats {
			var reason, student string
			if len(s.Reasons) > 0 {
				reason = s.Reasons[0]
			}
			if s.Verdict == Match {
				student = s.assigned
			}
			if s.assigned != tc.assigned[i] || s.Verdict != tc.verdicts[i] || reason != tc.reasons[i] || s.StudentID != student {
				t.Errorf("%s: seat %d: %+v, want %q, %v", tc.name, i, s, tc.assigned[i], tc.verdicts[i])
			}
		}
	}
}

func TestRollCallErrors(t *testing.T) {
	g := rollGallery(t)
	good := allMade(low, [][]float32{base(low, 0)})
	for name, tc := range map[string]struct {
		probes []Embedding
		model  string
		scope  Scope
		fpir   float64
		want   error
	}{
		"bad vector":  {append(good[:1:1], made(low, nil)), low.Name, Scope{}, 0, ErrInvalidVector},
		"two models":  {append(good[:1:1], made(plain, base(plain, 0))), low.Name, Scope{}, 0, ErrInvalidVector},
		"bad model":   {good, "", Scope{}, 0, ErrInvalidModel},
		"empty scope": {good, low.Name, Scope{Groups: []string{"no such class"}}, 0, ErrEmptyScope},
		"no crops":    {good, low.Name, Scope{StudentIDs: []string{"d"}}, 0, ErrEmptyScope},
		"bad scope":   {good, low.Name, Scope{Groups: []string{"a\x00"}}, 0, ErrInvalidID},
		"bad FPIR":    {good, low.Name, Scope{}, -1, ErrInvalidFPIR},
	} {
		if _, err := g.RollCall(ctx, tc.model, tc.probes, tc.scope, tc.fpir); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	empty := openGallery(t, Options{})
	roll, err := empty.RollCall(ctx, low.Name, good, Scope{}, 0)
	if err != nil || roll.Seats[0].Verdict != Unknown || roll.Seats[0].Reasons[0] != ReasonNobodyEnrolled {
		t.Errorf("empty gallery: %+v, %v", roll, err)
	}
}
