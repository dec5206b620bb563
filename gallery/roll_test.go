package gallery

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"rollcall/index"
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
			[]string{"", "a"}, []Verdict{Unknown, Ambiguous}, []string{ReasonTakenByAnotherCrop, ReasonTwoCropsClose}, []string{"b", "c", "d"}},
		{"a ring of three: each could sit on the next one's seat", class,
			[][]float32{at(low, 0.60, 0.59), at(low, 0, 0.60, 0.59), at(low, 0.59, 0, 0.60)},
			[]string{"a", "b", "c"}, []Verdict{Ambiguous, Ambiguous, Ambiguous},
			[]string{ReasonTwoStudentsClose, ReasonTwoStudentsClose, ReasonTwoStudentsClose}, []string{"d"}},
		{"a chain that ends in an empty seat", class,
			[][]float32{at(low, 0.60, 0.59), at(low, 0, 0.60), at(low, 0, 0.1, 0.2)},
			[]string{"a", "b", ""}, []Verdict{Match, Match, Unknown}, []string{"", "", ReasonBelowThreshold}, []string{"c", "d"}},
		{"a chain that ends with a free student", class,
			[][]float32{at(low, 0.60, 0.59), at(low, 0, 0.60, 0.59)},
			[]string{"a", "b"}, []Verdict{Ambiguous, Ambiguous},
			[]string{ReasonTwoStudentsClose, ReasonTwoStudentsClose}, []string{"c", "d"}},
		{"no weak seat at the price of a strong one", class, // bare sums would seat both
			[][]float32{at(low, 0.85, 0.42), at(low, 0.77, 0.1)},
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
				student = s.Assigned
			}
			if s.Assigned != tc.assigned[i] || s.Verdict != tc.verdicts[i] || reason != tc.reasons[i] || s.StudentID != student {
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

// Probes that are searched for together are found to resemble whom each resembles alone.
// Some students have more crops than a search first asks for.
func TestRollCallAsAlone(t *testing.T) {
	for _, engine := range index.Engines {
		t.Run(engine, func(t *testing.T) {
			rng := newRand(t, 37)
			g := openGallery(t, Options{Engine: engine})
			for student := range 12 {
				for crop := range []int{1, 3, 3 * firstHits}[student%3] {
					mustEnroll(t, g, Enrolment{
						CropID: fmt.Sprint(student, "-", crop), StudentID: fmt.Sprint(student), AllowDuplicate: true,
						Groups: []string{fmt.Sprint("class-", student/4)}, Embedding: made(low, face(rng, student, low.Dimension, 0.4)),
					})
				}
			}
			var probes []Embedding
			for range 2*seatsTogether + 5 {
				probes = append(probes, made(low, face(rng, rng.IntN(15), low.Dimension, 0.5)))
			}
			for _, scope := range []Scope{{}, {Groups: []string{"class-1"}}, {Groups: []string{"class-0", "class-2"}, StudentIDs: []string{"5", "6"}}} {
				roll, err := g.RollCall(ctx, low.Name, probes, scope, 0)
				if err != nil || len(roll.Seats) != len(probes) {
					t.Fatal(len(roll.Seats), err)
				}
				m, release, err := g.read(ctx)
				if err != nil {
					t.Fatal(err)
				}
				who, err := m.roster(low, scope, "")
				if err != nil {
					t.Fatal(err)
				}
				for i, seat := range roll.Seats {
					alone, err := who.rank([][]float32{probes[i].Vector}, MaxCandidates, nothing, roll.Threshold, true)
					if err != nil {
						t.Fatal(err)
					}
					all := alone[0].students
					near := slices.DeleteFunc(slices.Clone(all), func(c Candidate) bool { return c.Similarity < roll.Threshold-roll.margin })
					if !slices.Equal(seat.Candidates, all[:min(DefaultCandidates, len(all))]) || !slices.Equal(seat.close, near) {
						t.Fatalf("scope %v, seat %d: %v and near %v, alone %v", scope, i, seat.Candidates, seat.close, all)
					}
				}
				release()
			}
		})
	}
}

// Each verdict against the definition, by trying all assignments: a seat is a match
// unless one that explains it otherwise is less by no more than the margin.
func TestRollCallVerdictsByTrying(t *testing.T) {
	rng := newRand(t, 31)
	count := map[Verdict]int{}
	for range 3000 {
		r := Roll{Threshold: 0.4, margin: 0.05}
		for range 1 + rng.IntN(4) {
			var s Seat
			for _, id := range []string{"a", "b", "c", "d"} {
				c := Candidate{StudentID: id, Similarity: 0.33 + 0.02*float32(rng.IntN(12))}
				if s.Candidates = append(s.Candidates, c); c.Similarity >= r.Threshold-r.margin && rng.IntN(2) == 0 {
					s.near = append(s.near, c)
				}
			}
			r.Seats = append(r.Seats, s)
		}
		if err := r.settle(ctx); err != nil {
			t.Fatal(err)
		}
		for i, s := range r.Seats {
			count[s.Verdict]++
			if s.Assigned == "" {
				continue
			}
			loss := trySeats(&r, -1, "") - trySeats(&r, i, s.Assigned)
			if math.Abs(loss-float64(r.margin)) < 1e-6 {
				continue
			}
			if (loss < float64(r.margin)) != (s.Verdict == Ambiguous) {
				t.Fatalf("seat %d of %+v: the sum is less by %v", i, r.Seats, loss)
			}
		}
	}
	if count[Match] < 100 || count[Ambiguous] < 100 || count[Unknown] < 100 {
		t.Errorf("%v: not all verdicts were met", count)
	}
}

// trySeats returns the greatest sum of an assignment in which the student does not sit
// on the seat: somebody else does, or the student sits elsewhere, and only these may
// be below the threshold; or neither, which costs the margin. A negative seat asks for
// the greatest sum of all.
func trySeats(r *Roll, seat int, student string) float64 {
	best := math.Inf(-1)
	seated := map[string]bool{}
	var try func(i int, sum float64, below int, explained bool)
	try = func(i int, sum float64, below int, explained bool) {
		if i == len(r.Seats) {
			if seat >= 0 && !explained {
				sum -= float64(r.margin)
			}
			best = max(best, sum)
			return
		}
		try(i+1, sum, below, explained)
		for _, c := range r.Seats[i].near {
			explains := i == seat || c.StudentID == student
			gain := float64(c.Similarity) - float64(r.Threshold)
			if seated[c.StudentID] || i == seat && c.StudentID == student || gain < 0 && (!explains || seat < 0 || below > 0) {
				continue
			}
			more := 0
			if gain < 0 {
				more = 1
			}
			seated[c.StudentID] = true
			try(i+1, sum+gain, below+more, explained || explains && seat >= 0)
			delete(seated, c.StudentID)
		}
	}
	try(0, 0, 0, false)
	return best
}
