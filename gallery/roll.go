package gallery

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// A Roll is the answer to a roll call.
type Roll struct {
	Seats     []Seat   // one for each probe, in their order
	Absent    []string // students in scope that sit nowhere, sorted; see RollCall
	Threshold float32  // the similarity that a match needs here
	Students  int      // enrolled in scope: how many the probes were compared with
	Warnings  []string // WarningOtherModel, …

	margin   float32
	expected map[string]struct{} // who is in scope
}

// A Seat is one probe of a roll call and who sits there.
type Seat struct {
	Verdict    Verdict
	StudentID  string      // only for [Match]
	Similarity float32     // of the assigned student, or else of the best; 0 without one
	Candidates []Candidate // best first, one for each student, at most [DefaultCandidates]
	Reasons    []string    // why it is no match: ReasonBelowThreshold, …

	assigned string      // who fits best here, for Ambiguous too; "" for Unknown
	near     []Candidate // who is above the threshold less the margin, best first
}

// RollCall says who is on the crops of one photo, on which everybody is once:
// each student is assigned to at most one probe and each probe to at most one
// student. Of all such assignments of students who reach the threshold it takes
// the one with the greatest sum of similarity above the threshold. (The sum of
// the bare similarities would rather seat two, one of them barely like the
// student, than one who certainly is.)
//
// A seat is a match unless exchanging one student, with a probe or a student who
// is left over or with another seat, costs less than the margin. Then it is
// ambiguous: which of the two sits there does not show.
//
// Absent are the students in scope that no probe was assigned to; also those
// without an embedding under the model, who cannot be recognised, and listed ones
// that the gallery does not know. All probes are of one model; fpir is as in
// [Probe]. The search is exact. The errors are those of [Gallery.Identify].
func (g *Gallery) RollCall(ctx context.Context, model string, probes []Embedding, scope Scope, fpir float64) (Roll, error) {
	if err := checkSearch(scope, fpir); err != nil {
		return Roll{}, err
	}
	facts, err := g.model(model)
	if err != nil {
		return Roll{}, err
	}
	for i, e := range probes {
		if e.Model != model {
			return Roll{}, fmt.Errorf("probe %d: %w: it is of model %q, not %q", i, ErrInvalidVector, e.Model, model)
		}
		if _, err := g.modelOf(e); err != nil {
			return Roll{}, fmt.Errorf("probe %d: %w", i, err)
		}
	}
	roll, err := openRoll(ctx, g, facts, scope, fpir)
	if err != nil {
		return Roll{}, err
	}
	for i, e := range probes {
		seat, warnings, err := roll.seat(ctx, g, e, facts, scope)
		if err != nil {
			return Roll{}, fmt.Errorf("roll call, probe %d: %w", i, err)
		}
		roll.Seats = append(roll.Seats, seat)
		for _, w := range warnings {
			if !slices.Contains(roll.Warnings, w) {
				roll.Warnings = append(roll.Warnings, w)
			}
		}
	}
	roll.assign()
	roll.judge()
	for _, s := range roll.Seats {
		delete(roll.expected, s.assigned)
	}
	roll.Absent = slices.Sorted(maps.Keys(roll.expected))
	return roll, nil
}

// openRoll returns an empty roll.
func openRoll(ctx context.Context, g *Gallery, model Model, sc Scope, fpir float64) (Roll, error) {
	m, release, err := g.read(ctx)
	if err != nil {
		return Roll{}, err
	}
	defer release()
	r, err := m.roster(model, sc, "")
	if err != nil {
		return Roll{}, err
	}
	roll := Roll{
		Threshold: m.threshold(model, r.vectors, fpir),
		Students:  r.students,
		margin:    m.settings.Margin,
		expected:  make(map[string]struct{}),
	}
	for st := range m.members(sc) {
		roll.expected[st.ID] = struct{}{}
	}
	for _, id := range sc.StudentIDs {
		roll.expected[id] = struct{}{}
	}
	return roll, nil
}

// seat looks for a probe's students. Each probe takes the lock by itself, so that
// a long roll call does not keep changes, and searches behind them, waiting.
func (r *Roll) seat(ctx context.Context, g *Gallery, e Embedding, model Model, sc Scope) (Seat, []string, error) {
	m, release, err := g.read(ctx)
	if err != nil {
		return Seat{}, nil, err
	}
	defer release()
	who, err := m.roster(model, sc, "")
	if err != nil {
		return Seat{}, nil, err
	}
	floor := r.Threshold - r.margin
	ranked, _, err := who.rank(e.Vector, DefaultCandidates, floor, r.Threshold, true)
	if err != nil {
		return Seat{}, nil, err
	}
	seat := Seat{Candidates: ranked[:min(DefaultCandidates, len(ranked))]}
	for i, c := range ranked {
		if c.Similarity >= floor {
			seat.near = ranked[:i+1]
		}
	}
	return seat, m.warnings(model.Name, e.Recipe), nil
}

// similarity returns the student's similarity to the seat, if it is near the
// threshold at all.
func (s *Seat) similarity(studentID string) (float32, bool) {
	for _, c := range s.near {
		if c.StudentID == studentID {
			return c.Similarity, true
		}
	}
	return 0, false
}

// assign seats the students.
func (r *Roll) assign() {
	column := make(map[string]int)
	var students []string
	for _, s := range r.Seats {
		for _, c := range s.near {
			if _, known := column[c.StudentID]; !known && c.Similarity >= r.Threshold {
				column[c.StudentID] = len(students)
				students = append(students, c.StudentID)
			}
		}
	}
	gain := make([][]float64, len(r.Seats))
	for i, s := range r.Seats {
		gain[i] = make([]float64, len(students))
		for j := range gain[i] {
			gain[i][j] = -1
		}
		for _, c := range s.near {
			if c.Similarity >= r.Threshold {
				gain[i][column[c.StudentID]] = float64(c.Similarity) - float64(r.Threshold)
			}
		}
	}
	for i, j := range assign(gain) {
		if j >= 0 {
			r.Seats[i].assigned = students[j]
		}
	}
}

// judge gives each seat its verdict.
func (r *Roll) judge() {
	at := make(map[string]*Seat) // by assigned student
	for i := range r.Seats {
		if s := &r.Seats[i]; s.assigned != "" {
			at[s.assigned] = s
			s.Similarity, _ = s.similarity(s.assigned)
		}
	}
	for i := range r.Seats {
		s := &r.Seats[i]
		switch {
		case s.assigned == "":
			s.Verdict, s.Reasons = Unknown, []string{s.whyEmpty(r.Threshold)}
			if len(s.Candidates) > 0 {
				s.Similarity = s.Candidates[0].Similarity
			}
		case r.exchangeable(s, at):
			s.Verdict, s.Reasons = Ambiguous, []string{ReasonTwoStudentsClose}
		default:
			s.Verdict, s.StudentID = Match, s.assigned
		}
	}
}

// whyEmpty returns the reason that nobody sits here.
func (s *Seat) whyEmpty(threshold float32) string {
	switch {
	case len(s.Candidates) == 0:
		return ReasonNobodyEnrolled
	case s.Candidates[0].Similarity < threshold:
		return ReasonBelowThreshold
	}
	return ReasonTakenByAnotherCrop
}

// exchangeable reports whether exchanging the seat's student costs less than the
// margin.
func (r *Roll) exchangeable(s *Seat, at map[string]*Seat) bool {
	for _, c := range s.near {
		if c.StudentID == s.assigned {
			continue
		}
		t := at[c.StudentID]
		if t == nil { // nobody's seat: c could sit here
			if s.Similarity-c.Similarity < r.margin {
				return true
			}
			continue
		}
		there, near := t.similarity(s.assigned)
		if near && s.Similarity+t.Similarity-c.Similarity-there < r.margin {
			return true
		}
	}
	for i := range r.Seats { // empty seats: the student could sit there
		if t := &r.Seats[i]; t.assigned == "" {
			if there, near := t.similarity(s.assigned); near && s.Similarity-there < r.margin {
				return true
			}
		}
	}
	return false
}
