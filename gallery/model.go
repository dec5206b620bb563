package gallery

import (
	"fmt"
	"math"
	"unicode/utf8"

	"rollcall/storage"
)

// A Model is the facts about a model that verdicts rest on. [Options.Models] gives
// them. The gallery stores name, digest and dimension with the first embedding;
// every later one must agree with them.
type Model struct {
	Name      string
	Digest    string // SHA-256 of the model's file, in hex
	Dimension int    // elements of a vector

	// Recipe is how the server would make an embedding now: the model, the locator,
	// the version of decoding and alignment. See [Embedding.Recipe].
	Recipe string

	// Threshold is the similarity, [-1, 1], that the model's makers publish for
	// a match. It is used while Calibration is empty.
	Threshold float32

	// Calibration, if any, is what was measured of the model: FMR falls
	// strictly, similarity does not fall. See [Calibration].
	Calibration []Calibration
}

// A Calibration is one measured point of a model: comparing two different
// people yields at least Similarity in a share FMR of the comparisons.
type Calibration struct {
	FMR        float64 // false match rate of one comparison, (0, 1]
	Similarity float32 // [-1, 1]
}

// An Embedding is what a model made of a crop.
type Embedding struct {
	Model  string    // the model's name
	Digest string    // SHA-256 of the model's file, in hex
	Recipe string    // what made it: the model, the locator, the version of decoding and alignment; compared as a whole
	Vector []float32 // [Model.Dimension]float32, unit length
}

// maxDimension is far above any embedding (512 is common, 4,096 large), and no
// more than the index takes.
const maxDimension = 1 << 16

// model returns what is known of a model. The errors are those of Options.Models,
// and ErrInvalidModel.
func (g *Gallery) model(name string) (Model, error) {
	m, err := g.opts.Models(name)
	if err != nil {
		return Model{}, err
	}
	return m, m.check()
}

// modelOf returns the model that made an embedding, and checks the embedding. The
// errors are those of model, ErrInvalidVector and a DigestError.
func (g *Gallery) modelOf(e Embedding) (Model, error) {
	m, err := g.model(e.Model)
	if err != nil {
		return Model{}, err
	}
	if e.Digest != m.Digest {
		return Model{}, &DigestError{Model: m.Name, Have: m.Digest, Want: e.Digest, HaveDimension: m.Dimension, WantDimension: len(e.Vector)}
	}
	return m, m.checkVector(e.Vector)
}

// check returns ErrInvalidModel unless the facts make sense.
func (m Model) check() error {
	if _, err := parseID("model", m.Name); err != nil { // its name is a key as ids are
		return fmt.Errorf("%w: name: %v", ErrInvalidModel, err)
	}
	if m.Digest == "" || !utf8.ValidString(m.Digest) || m.Dimension < 1 || m.Dimension > maxDimension {
		return fmt.Errorf("%w %q: a digest and a dimension of 1 to %d are needed", ErrInvalidModel, m.Name, maxDimension)
	}
	if !isSimilarity(m.Threshold) {
		return fmt.Errorf("%w %q: the threshold is not a similarity (-1 to 1)", ErrInvalidModel, m.Name)
	}
	if err := checkPoints(m.Calibration); err != nil {
		return fmt.Errorf("%w %q: %w", ErrInvalidModel, m.Name, err)
	}
	return nil
}

// checkPoints returns what is wrong with the points of a calibration.
func checkPoints(points []Calibration) error {
	for i, c := range points {
		if !(c.FMR > 0 && c.FMR <= 1) || !isSimilarity(c.Similarity) {
			return fmt.Errorf("calibration point %d out of range", i)
		}
		if i == 0 {
			continue
		}
		if before := points[i-1]; c.FMR >= before.FMR || c.Similarity < before.Similarity {
			return fmt.Errorf("calibration point %d out of order: each FMR must be lower than the one before, and its similarity not lower", i)
		}
	}
	return nil
}

func isSimilarity(s float32) bool { return s >= -1 && s <= 1 }

// checkVector returns ErrInvalidVector unless v is a unit vector under m.
func (m Model) checkVector(v []float32) error {
	if len(v) != m.Dimension {
		return fmt.Errorf("%w: %d elements, model %q has %d", ErrInvalidVector, len(v), m.Name, m.Dimension)
	}
	var squares float64
	for _, x := range v {
		squares += float64(x) * float64(x)
	}
	// Negated, so that a NaN, which compares false, is refused.
	if !(math.Abs(math.Sqrt(squares)-1) <= unitTolerance) {
		return fmt.Errorf("%w: not of unit length", ErrInvalidVector)
	}
	return nil
}

// unitTolerance is how far the length of a vector may be from 1. It must not be
// wider than the index's (1e-4): what is on disk has to fit into the index.
const unitTolerance = 1e-4

// with returns the facts with other operating points, if there are any.
func (m Model) with(points []storage.OperatingPoint) Model {
	if len(points) == 0 {
		return m
	}
	m.Calibration = make([]Calibration, len(points))
	for i, p := range points {
		m.Calibration[i] = Calibration(p)
	}
	return m
}

// agrees returns a DigestError unless m is the model that the gallery locked.
func (m Model) agrees(locked storage.Model) error {
	if m.Digest == locked.Digest && m.Dimension == locked.Dimension {
		return nil
	}
	return &DigestError{
		Model: m.Name,
		Have:  locked.Digest, Want: m.Digest,
		HaveDimension: locked.Dimension, WantDimension: m.Dimension,
	}
}
