package gallery

import (
	"context"
	"fmt"
)

// DefaultFMR means that one other person in a thousand passes for the student.
const DefaultFMR = 0.001

// A Claim says that a face is that of a student.
type Claim struct {
	Embedding Embedding
	StudentID string
	FMR       float64 // wanted share of other people who pass for the student, [MinFPIR, MaxFPIR]; 0: [DefaultFMR]
}

// A Verification is the answer to a [Claim].
type Verification struct {
	Verdict    Verdict  // Match or Unknown
	Similarity float32  // of the student: see score.go
	Threshold  float32  // the similarity that a match needs here
	FMR        float64  // at which the threshold would be Similarity; NaN: not calibrated
	Reasons    []string // why it is no match: ReasonBelowThreshold
	Warnings   []string // WarningOtherModel, …
}

// Verify compares a face with one student. The threshold is that of a search among this student alone. The comparison is exact. The errors are those of
// [Gallery.Identify], and ErrStudentNotFound; ErrEmptyScope says that the student has no crop under the
// model.
func (g *Gallery) Verify(ctx context.Context, c Claim) (Verification, error) {
	if c.FMR == 0 {
		c.FMR = DefaultFMR
	}
	scope, err := parseSearch(Scope{StudentIDs: []string{c.StudentID}}, c.FMR)
	if err != nil {
		return Verification{}, err
	}
	model, err := g.modelOf(c.Embedding)
	if err != nil {
		return Verification{}, err
	}
	m, release, err := g.read(ctx)
	if err != nil {
		return Verification{}, err
	}
	defer release()
	if m.students[scope.StudentIDs[0]] == nil {
		return Verification{}, fmt.Errorf("%w: %q", ErrStudentNotFound, scope.StudentIDs[0])
	}
	r, err := m.roster(model, scope, "")
	if err != nil {
		return Verification{}, err
	}
	v := Verification{
		Threshold: m.threshold(model, r.comparisons(), c.FMR),
		Warnings:  append(m.warnings(model.Name, c.Embedding.Recipe), m.uncalibrated(model, c.FMR)...),
	}
	rankings, err := r.rank([][]float32{c.Embedding.Vector}, 1, nothing, v.Threshold, true)
	if err != nil {
		return Verification{}, fmt.Errorf("verify: %w", err)
	}
	var reason string
	if v.Verdict, reason = judge(rankings[0].students, v.Threshold, m.settings.Margin); v.Verdict != Match {
		v.Reasons = []string{reason}
	}
	if students := rankings[0].students; len(students) > 0 {
		v.Similarity = students[0].Similarity
	}
	v.FMR = m.passes(model, r.comparisons(), v.Similarity)
	return v, nil
}
