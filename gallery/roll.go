package gallery

import (
	"context"
	"fmt"
	"slices"
)

// seatsTogether is how many probes of a roll call are searched for under one hold of the
// lock: a class. Among 100,000 x 512 that takes 7 ms with two processors and 11 with one,
// which a change may wait. (40 probes would take 3 % less for each, 16 some 10 % more.)
const seatsTogether = 32

// A Roll is the answer to a roll call.
type Roll struct {
	Seats     []Seat   // one for each probe, in their order
	Absent    []string // students in scope that sit nowhere, sorted; see RollCall
	Threshold float32  // the similarity that a match needs in the first round: see rounds.go
	AskedFPIR float64  // the rate that the threshold was made for
	Students  int      // enrolled in scope: how many the probes were compared with
	Warnings  []string // WarningOtherModel, …

	margin float32
	model  Model // with the gallery's calibration
	all    int   // comparisons that count in a search among all in scope
}

// A Seat is one probe of a roll call and who sits there.
type Seat struct {
	Verdict    Verdict
	StudentID  string      // only for [Match]
	Assigned   string      // who fits best here, for [Ambiguous] too; "" for [Unknown]
	Similarity float32     // of the assigned student, or else of the best; 0 without one
	Threshold  float32     // the similarity that a match needed here, in the last round that the seat was in
	FPIR       float64     // at which the threshold would be Similarity; NaN: not calibrated, or no candidate
	Candidates []Candidate // best first, one for each student, at most [DefaultCandidates]
	Reasons    []string    // why it is no match: ReasonBelowThreshold, …

	close []Candidate // who may be near in any round, best first
	near  []Candidate // who reaches the round's threshold less the margin, best first
}

// RollCall says who is on the crops of one photo. Nobody is on a photo twice, so
// each student is assigned to at most one probe, and each probe to at most one
// student. Only students who reach the threshold are assigned; it falls as seats are
// taken, see rounds.go. Of all such
// assignments it takes the one with the greatest sum of similarity above the
// threshold. (With the sum of plain similarities, two pairs, one of them barely
// similar, would win over one sure pair.)
//
// A seat is ambiguous if another explanation is nearly as good: somebody else sits
// there, or its student sits somewhere else, and the best such assignment has a sum
// that falls short by less than the margin. (The two cases have different reasons:
// see table.go.) Otherwise the seat is a match. So a chain or a ring of students
// who could each sit on the next one's seat is as ambiguous as two such students.
//
// Absent are the students in scope that no probe was assigned to. Among them are
// students without an embedding under the model, who cannot be recognised, and
// listed students that the gallery does not know. All probes are of one model; fpir
// is as in [Probe]. The search is exact. The errors are those of
// [Gallery.Identify].
func (g *Gallery) RollCall(ctx context.Context, model string, probes []Embedding, scope Scope, fpir float64) (Roll, error) {
	scope, err := parseSearch(scope, fpir)
	if err != nil {
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
	for together := range slices.Chunk(probes, seatsTogether) {
		if err := roll.seat(ctx, g, together, len(probes), facts, scope); err != nil {
			return Roll{}, fmt.Errorf("roll call: %w", err)
		}
	}
	if err := roll.rounds(ctx); err != nil {
		return Roll{}, err
	}
	seated := make(map[string]bool, len(roll.Seats))
	for _, s := range roll.Seats {
		seated[s.Assigned] = true
	}
	roll.Absent = slices.DeleteFunc(roll.Absent, func(id string) bool { return seated[id] })
	return roll, nil
}

// openRoll returns a roll without seats, where all in scope are absent.
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
	fpir = m.fpir(fpir)
	roll := Roll{
		AskedFPIR: fpir,
		Warnings:  m.uncalibrated(model, fpir),
		Students:  r.students,
		margin:    m.settings.Margin,
		model:     m.calibrated(model),
		all:       r.comparisons(),
		Absent:    slices.Clone(sc.StudentIDs), // known or not
	}
	roll.Threshold = roll.threshold(0)
	for st := range m.members(sc) {
		roll.Absent = append(roll.Absent, st.ID)
	}
	slices.Sort(roll.Absent) // everybody, and one group, is in order already
	roll.Absent = slices.Compact(roll.Absent)
	return roll, nil
}

// seat searches for the students of some probes, and adds their seats. It holds the lock for
// these probes only: otherwise changes would wait for a long roll call, and searches would
// wait behind the changes. all is how many probes the roll has.
func (r *Roll) seat(ctx context.Context, g *Gallery, probes []Embedding, all int, model Model, sc Scope) error {
	m, release, err := g.read(ctx)
	if err != nil {
		return err
	}
	defer release()
	who, err := m.roster(model, sc, "")
	if err != nil {
		return err
	}
	var vectors [][]float32
	for _, e := range probes {
		vectors = append(vectors, e.Vector)
	}
	least := r.threshold(all) // of all rounds: nobody has two seats
	floor := least - r.margin
	rankings, err := who.rank(vectors, DefaultCandidates, floor, least, true)
	if err != nil {
		return err
	}
	for i, e := range probes {
		r.Seats = append(r.Seats, newSeat(rankings[i].students, floor))
		for _, w := range m.warnings(model.Name, e.Recipe) {
			if !slices.Contains(r.Warnings, w) {
				r.Warnings = append(r.Warnings, w)
			}
		}
	}
	return nil
}

// newSeat returns the seat of a probe that resembles these students, best first.
func newSeat(ranked []Candidate, floor float32) Seat {
	seat := Seat{Candidates: ranked[:min(DefaultCandidates, len(ranked))]}
	for i, c := range ranked {
		if c.Similarity >= floor {
			seat.close = ranked[:i+1]
		}
	}
	return seat
}

// similarity returns the student's similarity to the seat, if the student is near it.
func (s *Seat) similarity(studentID string) (float32, bool) {
	for _, c := range s.near {
		if c.StudentID == studentID {
			return c.Similarity, true
		}
	}
	return 0, false
}

// settle assigns the students of one round and gives each seat its verdict.
func (r *Roll) settle(ctx context.Context) error {
	for _, t := range r.tables() {
		for i, j := range assign(t.gain) {
			if j >= 0 {
				t.seats[i].Assigned = t.students[j]
			}
		}
		for i, s := range t.seats {
			if err := ctx.Err(); err != nil {
				return err
			}
			if s.Assigned == "" {
				continue
			}
			s.Similarity, _ = s.similarity(s.Assigned)
			if loss, reason := t.rival(i); loss < r.margin {
				s.Verdict, s.Reasons = Ambiguous, []string{reason}
			} else {
				s.Verdict, s.StudentID = Match, s.Assigned
			}
		}
	}
	for i := range r.Seats {
		if s := &r.Seats[i]; s.Assigned == "" {
			s.Verdict, s.Reasons = Unknown, []string{s.whyEmpty(r.Threshold)}
			if len(s.Candidates) > 0 {
				s.Similarity = s.Candidates[0].Similarity
			}
		}
	}
	return nil
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
