package gallery

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"rollcall/storage"
)

const (
	// DefaultCandidates is how many students an answer lists unless asked: as
	// many as a person takes in at a glance.
	DefaultCandidates = 5

	// MaxCandidates bounds what an answer lists.
	MaxCandidates = 100
)

// A Probe is a question: whose face does this embedding come from?
type Probe struct {
	Embedding  Embedding
	Scope      Scope   // who it may be
	FPIR       float64 // wanted false positive identification rate, [MinFPIR, MaxFPIR]; 0: the gallery's
	Candidates int     // how many students to list at most; 0: [DefaultCandidates], at most [MaxCandidates]

	stricter strictness
}

// A Candidate is a student that a probe resembles.
type Candidate struct {
	StudentID  string
	CropID     string  // the student's most similar crop
	Similarity float32 // the student's score, [-1, 1]: see score.go
}

// An Identification is the answer to a [Probe].
type Identification struct {
	Verdict    Verdict
	StudentID  string             // only for [Match]
	Similarity float32            // of the best candidate; 0 without one
	Threshold  float32            // the similarity that a match needs here
	AskedFPIR  float64            // the rate that the threshold was made for
	Recipe     string             // of the probe's embedding
	FPIR       float64            // at which the threshold would be Similarity; NaN: not calibrated, or no candidate
	Candidates []Candidate        // best first, one for each student, below the threshold too
	Crops      [][]CropSimilarity // of each candidate all crops, the nearest first
	Dimension  int                // of the probe's embedding
	Students   int                // enrolled in scope: how many the probe was compared with
	Exact      bool               // false: the answer rests on approximate search, which may have missed somebody
	Reasons    []string           // why it is no match: ReasonBelowThreshold, …
	Warnings   []string           // WarningOtherModel, …
}

// Identify says whose face a probe shows. The errors are ErrInvalidModel,
// ErrInvalidVector, ErrInvalidFPIR, ErrInvalidID (in the scope), ErrEmptyScope, a
// *DigestError, those of [Options.Models], ErrUnavailable and ErrClosed.
func (g *Gallery) Identify(ctx context.Context, p Probe) (Identification, error) {
	return g.identify(ctx, p, "")
}

// identify is [Gallery.Identify] without one crop; "": with all of them.
func (g *Gallery) identify(ctx context.Context, p Probe, excludeCrop string) (Identification, error) {
	scope, err := parseSearch(p.Scope, p.FPIR)
	if err != nil {
		return Identification{}, err
	}
	model, err := g.modelOf(p.Embedding)
	if err != nil {
		return Identification{}, err
	}
	wanted := p.Candidates
	if wanted <= 0 {
		wanted = DefaultCandidates
	}
	wanted = min(wanted, MaxCandidates)

	m, release, err := g.read(ctx)
	if err != nil {
		return Identification{}, err
	}
	defer release()
	r, err := m.roster(model, scope, excludeCrop)
	if err != nil {
		return Identification{}, err
	}
	fpir := m.fpir(p.FPIR)
	id := Identification{
		Threshold: p.stricter.than(m.threshold(model, r.comparisons(), fpir)),
		AskedFPIR: fpir,
		Recipe:    p.Embedding.Recipe,
		Dimension: model.Dimension,
		Students:  r.students,
		Warnings:  append(m.warnings(model.Name, p.Embedding.Recipe), m.uncalibrated(model, p.FPIR)...),
	}
	// Two at least: the verdict needs a runner-up.
	rankings, err := r.rank([][]float32{p.Embedding.Vector}, max(wanted, 2), nothing, id.Threshold, false)
	if err != nil {
		return Identification{}, fmt.Errorf("identify: %w", err)
	}
	id.Exact = rankings[0].exact
	id.answer(rankings[0].students, wanted, m.settings.Margin)
	id.FPIR = math.NaN()
	if len(id.Candidates) > 0 {
		id.FPIR = m.passes(model, r.comparisons(), p.stricter.undone(id.Similarity))
	}
	for _, c := range id.Candidates {
		id.Crops = append(id.Crops, r.explain(p.Embedding.Vector, m.students[c.StudentID]))
	}
	return id, nil
}

// fpir returns the rate of a search that asks for this one; 0 asks for the gallery's.
func (m *memory) fpir(asked float64) float64 { return cmp.Or(asked, m.settings.FPIR) }

// threshold returns the similarity that a match needs in n comparisons.
func (m *memory) threshold(model Model, n int, fpir float64) float32 {
	return m.calibrated(model).MatchThreshold(n, fpir)
}

// calibrated returns the facts about a model with the gallery's own calibration, if it
// has one.
func (m *memory) calibrated(model Model) Model {
	if sp := m.spaces[model.Name]; sp != nil {
		return model.with(sp.Calibration.Points)
	}
	return model
}

// answer fills in the verdict on the ranked students.
func (id *Identification) answer(ranked []Candidate, wanted int, margin float32) {
	verdict, reason := judge(ranked, id.Threshold, margin)
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

// parseSearch checks what every search is given, and returns the scope with its ids
// as the gallery keeps them.
func parseSearch(sc Scope, fpir float64) (Scope, error) {
	if fpir != 0 {
		if err := checkFPIR(fpir); err != nil {
			return Scope{}, err
		}
	}
	return sc.parse()
}

// IdentifyCrop says whose face a stored crop shows. It takes the crop's stored
// embedding under the model that p.Embedding names; the rest of p.Embedding is not
// used. The crop is not compared with itself. Besides the errors of
// [Gallery.Identify] there are ErrCropNotFound and ErrNoEmbedding.
func (g *Gallery) IdentifyCrop(ctx context.Context, cropID string, p Probe) (Identification, error) {
	cropID, err := parseID("crop", cropID)
	if err != nil {
		return Identification{}, err
	}
	model, err := g.model(p.Embedding.Model)
	if err != nil {
		return Identification{}, err
	}
	m, release, err := g.read(ctx)
	if err != nil {
		return Identification{}, err
	}
	known := m.crops[cropID] != nil
	release()
	if !known {
		return Identification{}, fmt.Errorf("%w: %q", ErrCropNotFound, cropID)
	}
	stored, err := g.writer.partition.Fetch(ctx, embeddingRef(cropID, model.Name))
	if err != nil {
		return Identification{}, fmt.Errorf("read embedding of crop %q: %w", cropID, err)
	}
	if len(stored) == 0 {
		return Identification{}, fmt.Errorf("%w: crop %q, model %q", ErrNoEmbedding, cropID, model.Name)
	}
	e := stored[0].(storage.Embedding)
	p.Embedding = Embedding{Model: e.Model, Digest: e.Digest, Recipe: e.Recipe, Vector: e.Vector}
	return g.identify(ctx, p, cropID)
}
