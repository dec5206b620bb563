package gallery

import (
	"context"
	"errors"
	"fmt"

	"rollcall/storage"
)

const (
	// DefaultCandidates is how many students an answer lists unless asked: as
	// many as a person takes in at a glance.
	DefaultCandidates = 5

	// MaxCandidates bounds what an answer lists.
	MaxCandidates = 100
)

// A Probe is a question: whose face does this vector come from?
type Probe struct {
	Vector      []float32 // [Model.Dimension]float32, unit length
	Model       Model     // that the vector came from
	Scope       Scope     // who it may be
	FPIR        float64   // wanted false positive identification rate, (0, 1); 0: [Options.FPIR]
	Candidates  int       // how many students to list at most; 0: [DefaultCandidates], at most [MaxCandidates]
	ExcludeCrop string    // a crop that is not compared, as the probe is that crop; "": none
}

// A Candidate is a student that a probe resembles.
type Candidate struct {
	StudentID  string
	CropID     string  // the student's most similar crop in scope
	Similarity float32 // of that crop, [-1, 1]: the student's score
}

// An Identification is the answer to a [Probe].
type Identification struct {
	Verdict    Verdict
	StudentID  string      // only for [Match]
	Similarity float32     // of the best candidate; 0 without one
	Threshold  float32     // the similarity that a match needs here
	Candidates []Candidate // best first, one for each student, below the threshold too
	Students   int         // enrolled in scope: how many the probe was compared with
	Exact      bool        // false only for a clear match by approximate search
	Reasons    []string    // why it is no match: ReasonBelowThreshold, …
}

// Identify says whose face a probe is. The errors are ErrInvalidModel,
// ErrInvalidVector, ErrInvalidFPIR, ErrInvalidID (in the scope), ErrEmptyScope,
// a *DigestError and ErrClosed.
func (g *Gallery) Identify(ctx context.Context, p Probe) (Identification, error) {
	if err := g.readable(ctx); err != nil {
		return Identification{}, err
	}
	fpir, err := g.checkSearch(p.Model, p.Scope, p.FPIR)
	if err != nil {
		return Identification{}, err
	}
	if err := p.Model.checkVector(p.Vector); err != nil {
		return Identification{}, err
	}
	wanted := p.Candidates
	if wanted <= 0 {
		wanted = DefaultCandidates
	}
	wanted = min(wanted, MaxCandidates)

	g.mu.RLock()
	defer g.mu.RUnlock()
	r, err := g.state.roster(p.Model, p.Scope, p.ExcludeCrop)
	if err != nil {
		return Identification{}, err
	}
	threshold := p.Model.threshold(r.vectors, fpir)
	id, err := g.search(&r, p.Vector, wanted, threshold)
	if err != nil {
		return Identification{}, fmt.Errorf("identify: %w", err)
	}
	return id, nil
}

// search ranks and judges. Approximate search may only say yes: unless it finds
// a clear match, an exact search decides. Clear means that the match would stand
// with the threshold higher by the margin too, for the best score it found is
// not proved to be the best there is.
func (g *Gallery) search(r *roster, vector []float32, wanted int, threshold float32) (Identification, error) {
	id := Identification{Threshold: threshold, Students: r.students}
	for _, demanded := range []bool{false, true} {
		// Two at least: the verdict needs a runner-up.
		ranked, exact, err := r.rank(vector, max(wanted, 2), anything, demanded)
		if err != nil {
			return Identification{}, err
		}
		verdict, reason := judge(ranked, threshold, g.opts.Margin)
		if exact || verdict == Match && ranked[0].Similarity >= threshold+g.opts.Margin {
			id.answer(ranked, wanted, verdict, reason)
			id.Exact = exact
			break
		}
	}
	return id, nil
}

// answer fills in the verdict on the ranked students.
func (id *Identification) answer(ranked []Candidate, wanted int, verdict Verdict, reason string) {
	id.Verdict = verdict
	id.Candidates = ranked[:min(wanted, len(ranked))]
	if len(ranked) > 0 {
		id.Similarity = ranked[0].Similarity
	}
	if verdict == Match {
		id.StudentID = ranked[0].StudentID
	} else {
		id.Reasons = []string{reason}
	}
}

// checkSearch checks what all searches are asked with, and returns the FPIR.
func (g *Gallery) checkSearch(m Model, sc Scope, fpir float64) (float64, error) {
	if err := m.check(); err != nil {
		return 0, err
	}
	if fpir == 0 {
		fpir = g.opts.FPIR
	}
	if err := checkFPIR(fpir); err != nil {
		return 0, err
	}
	return fpir, sc.check()
}

// IdentifyCrop says whose face a stored crop is, with its embedding under the
// model of the probe. The crop is not compared with itself; [Probe].Vector and
// ExcludeCrop are not used. Besides the errors of [Gallery.Identify] there are
// ErrCropNotFound and ErrNoEmbedding.
func (g *Gallery) IdentifyCrop(ctx context.Context, cropID string, p Probe) (Identification, error) {
	if err := g.readable(ctx); err != nil {
		return Identification{}, err
	}
	if err := checkID("crop", cropID); err != nil {
		return Identification{}, err
	}
	if err := p.Model.check(); err != nil {
		return Identification{}, err
	}
	e, err := g.store.Embedding(cropID, p.Model.Name)
	if errors.Is(err, storage.ErrNotFound) {
		if _, err := g.findCrop(cropID); err != nil {
			return Identification{}, err
		}
		return Identification{}, fmt.Errorf("%w: crop %q, model %q", ErrNoEmbedding, cropID, p.Model.Name)
	}
	if err != nil {
		return Identification{}, fmt.Errorf("read embedding of crop %q: %w", cropID, err)
	}
	made := storage.Model{Name: e.Model, Digest: e.Digest, Dimension: len(e.Vector)}
	if err := p.Model.agrees(made); err != nil {
		return Identification{}, err
	}
	p.Vector, p.ExcludeCrop = e.Vector, cropID
	return g.Identify(ctx, p)
}
