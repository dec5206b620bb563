package gallery

import (
	"maps"
	"math"
	"slices"
	"testing"
)

// stepped has thresholds that fall with the number of comparisons.
var stepped = Model{Name: "stepped", Calibration: []Calibration{{1e-1, 0.30}, {1e-2, 0.40}, {1e-3, 0.50}, {1e-4, 0.60}}}

// A face that is too unlike its student among all is seated once fewer students are left. A face alone is not.
func TestLaterRounds(t *testing.T) {
	with := small
	with.Dimension = 16
	g := openGallery(t, Options{Models: catalogue(with), New: Settings{FPIR: 0.01}})
	for i, id := range []string{"a", "b", "c", "d", "e"} {
		mustEnroll(t, g, Enrolment{CropID: id + "1", StudentID: id, Embedding: made(with, base(with, i))})
	}
	first, last := with.MatchThreshold(5, 0.01), with.MatchThreshold(1, 0.01)
	weak := at(with, (first+last)/2)
	call := func(probes ...[]float32) Roll {
		roll, err := g.RollCall(ctx, with.Name, allMade(with, probes), Scope{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if roll.Threshold != first {
			t.Errorf("the threshold is %v, want %v", roll.Threshold, first)
		}
		return roll
	}
	if s := call(weak).Seats[0]; s.Verdict != Unknown || s.Threshold != first {
		t.Errorf("alone: %+v", s)
	}
	roll := call(weak, at(with, 0, 0.95), at(with, 0, 0, 0.95), at(with, 0, 0, 0, 0.95), at(with, 0, 0, 0, 0, 0.95))
	if s := roll.Seats[0]; s.StudentID != "a" || s.Threshold != last || len(roll.Absent) != 0 {
		t.Errorf("when all others are seated: %+v, absent %v", s, roll.Absent)
	}
	if s := roll.Seats[1]; s.StudentID != "b" || s.Threshold != first {
		t.Errorf("seated in the first round: %+v", s)
	}
	// Who has a seat is nobody else's face, however alike.
	if s := call(at(with, 0.97), at(with, 0.78)).Seats[1]; s.Verdict != Unknown || !slices.Equal(s.Reasons, []string{ReasonBelowThreshold}) && !slices.Equal(s.Reasons, []string{ReasonTakenByAnotherCrop}) {
		t.Errorf("a second face of a seated student: %+v", s)
	}
}

// Rounds against their definition, by trying all assignments of each round.
func TestRoundsByTrying(t *testing.T) {
	rng := newRand(t, 41)
	late := 0
	for n := range 4000 {
		r := Roll{AskedFPIR: 0.01, margin: 0.05, model: stepped, all: 5, Students: 5}
		for range 1 + rng.IntN(4) {
			var s Seat
			for _, id := range []string{"a", "b", "c", "d"} {
				s.Candidates = append(s.Candidates, Candidate{StudentID: id, Similarity: 0.3 + 0.4*rng.Float32()})
			}
			slices.SortFunc(s.Candidates, func(a, b Candidate) int { return int(1e6 * (b.Similarity - a.Similarity)) })
			s.close = s.Candidates
			r.Seats = append(r.Seats, s)
		}
		want := roundsByTrying(r)
		if err := r.rounds(ctx); err != nil {
			t.Fatal(err)
		}
		got := map[int]string{}
		for i, s := range r.Seats {
			if s.Verdict != Match {
				continue
			}
			got[i] = s.StudentID
			if similarity, near := s.similarity(s.StudentID); !near || similarity < s.Threshold {
				t.Fatalf("case %d: %+v matches below its threshold", n, s)
			}
			if s.Threshold < r.threshold(0) {
				late++
			}
		}
		if !maps.Equal(got, want) {
			t.Fatalf("case %d: %v, want %v of %+v", n, got, want, r.Seats)
		}
	}
	if late < 100 {
		t.Errorf("%d matches in later rounds: the test says little", late)
	}
}

// roundsByTrying returns who matches at which seat.
func roundsByTrying(r Roll) map[int]string {
	match, seated := map[int]string{}, map[string]bool{}
	for {
		threshold := stepped.MatchThreshold(5-len(seated), r.AskedFPIR)
		round := Roll{Threshold: threshold, margin: r.margin}
		for i, s := range r.Seats {
			var open Seat
			for _, c := range s.Candidates {
				if match[i] == "" && !seated[c.StudentID] && c.Similarity >= threshold-r.margin {
					open.near = append(open.near, c)
				}
			}
			round.Seats = append(round.Seats, open)
		}
		before, best := len(seated), trySeats(&round, -1, "")
		found := map[int]string{}
		for i, s := range round.Seats {
			for _, c := range s.near {
				// Only the student whose leaving costs the margin matches.
				if c.Similarity >= threshold && best-trySeats(&round, i, c.StudentID) >= float64(r.margin) {
					found[i] = c.StudentID
				}
			}
		}
		for i, id := range found {
			match[i], seated[id] = id, true
		}
		if len(seated) == before || math.IsNaN(best) {
			return match
		}
	}
}
