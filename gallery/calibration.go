package gallery

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"rollcall/storage"
)

// A CalibrationSource is where the threshold comes from.
type CalibrationSource string

// The sources of a calibration. They are stable and meant for programs.
const (
	FromPublished CalibrationSource = "PUBLISHED" // the makers' threshold, whatever the FPIR
	FromModel     CalibrationSource = "MODEL"     // the model's own calibration
	FromGallery   CalibrationSource = "GALLERY"   // the similarities of the gallery's students
	FromOperator  CalibrationSource = "OPERATOR"  // a person gave it
)

// CalibrationState is the calibration of a model in a gallery.
type CalibrationState struct {
	Model     string
	Source    CalibrationSource
	Points    []Calibration // in use: FMR falls, similarity does not; nil with FromPublished
	Frozen    bool          // only a person changes it
	Threshold float32       // of a match among all students, at the gallery's FPIR

	// What a calibration FromGallery was made from.
	Students    int
	Comparisons int       // of students' crops with other students
	LeftOut     int       // of these, too alike for two people: look for students under two ids
	Made        time.Time // when it was made or given; zero: never
}

// Calibration returns the calibration of a model. The errors are those of [Options.Models], a *DigestError, ErrUnavailable and ErrClosed.
func (g *Gallery) Calibration(ctx context.Context, model string) (CalibrationState, error) {
	facts, err := g.model(model)
	if err != nil {
		return CalibrationState{}, err
	}
	m, release, err := g.read(ctx)
	if err != nil {
		return CalibrationState{}, err
	}
	defer release()
	state := CalibrationState{Model: facts.Name, Source: FromPublished}
	if len(facts.Calibration) > 0 {
		state.Source = FromModel
	}
	if sp := m.spaces[facts.Name]; sp != nil {
		if err := facts.agrees(sp.Model); err != nil {
			return CalibrationState{}, err
		}
		c := sp.Calibration
		state.Frozen, state.Students, state.Comparisons, state.LeftOut, state.Made = c.Frozen, c.Students, c.Comparisons, c.LeftOut, c.Made
		switch {
		case c.ByHand:
			state.Source = FromOperator
		case len(c.Points) > 0:
			state.Source = FromGallery
		}
	}
	state.Points = m.calibrated(facts).Calibration
	state.Threshold = m.threshold(facts, m.comparisons(facts.Name), m.settings.FPIR)
	return state, nil
}

// FreezeCalibration keeps the calibration of a model as it is, until it is unfrozen or
// set. Unfreezing drops one that a person gave, and calibrates. The errors are those of
// [Gallery.Calibrate], and ErrInvalidSettings where nothing is embedded under the model.
func (g *Gallery) FreezeCalibration(ctx context.Context, model string, frozen bool) error {
	err := g.changeCalibration(ctx, model, func(c *storage.Calibration, _ time.Time) {
		if !frozen && c.ByHand {
			*c = storage.Calibration{}
		}
		c.Frozen = frozen
	})
	if err != nil || frozen {
		return err
	}
	return g.Calibrate(ctx, model)
}

// SetCalibration gives the calibration of a model, which is then frozen. There are two
// points at least; FMR falls strictly, and similarity does not fall. The errors are those
// of [Gallery.FreezeCalibration].
func (g *Gallery) SetCalibration(ctx context.Context, model string, points []Calibration) error {
	given := make([]storage.OperatingPoint, len(points))
	for i, p := range points {
		given[i] = storage.OperatingPoint(p)
	}
	if len(points) < 2 {
		return fmt.Errorf("%w: a calibration needs two operating points at least", ErrInvalidSettings)
	}
	if err := checkPoints(points); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidSettings, err)
	}
	return g.changeCalibration(ctx, model, func(c *storage.Calibration, now time.Time) {
		*c = storage.Calibration{Points: slices.Clone(given), Frozen: true, ByHand: true, Made: now}
	})
}

func (g *Gallery) changeCalibration(ctx context.Context, model string, change func(c *storage.Calibration, now time.Time)) error {
	facts, err := g.model(model)
	if err != nil {
		return err
	}
	_, err = g.writer.do(ctx, "change calibration", func(e *edit) error {
		record, ok := lookup[storage.Model](e, modelRef(facts.Name))
		if !ok {
			return fmt.Errorf("%w: nothing is embedded under model %q yet: enrol crops first", ErrInvalidSettings, facts.Name)
		}
		if err := facts.agrees(record); err != nil {
			return err
		}
		change(&record.Calibration, e.now)
		e.put(record)
		return nil
	})
	if err != nil {
		return fmt.Errorf("change the calibration of model %q: %w", model, err)
	}
	return nil
}

// passes returns the FPIR of a search of n comparisons at which the similarity would be
// the threshold; NaN: the model is not calibrated.
// REQUIRES: the lock is held.
func (m *memory) passes(model Model, n int, similarity float32) float64 {
	return m.calibrated(model).fpirAt(n, similarity)
}

// fpirAt is the inverse of MatchThreshold, NaN without a calibration.
func (m Model) fpirAt(n int, similarity float32) float64 {
	if len(m.Calibration) == 0 {
		return math.NaN()
	}
	return -math.Expm1(float64(max(n, 1)) * math.Log1p(-m.fmrAt(similarity)))
}

// uncalibrated returns WarningNotCalibrated if another FPIR than the default is wanted,
// and there is no calibration that could turn it into a threshold.
func (m *memory) uncalibrated(model Model, fpir float64) []string {
	if fpir == 0 {
		fpir = m.settings.FPIR
	}
	if fpir == DefaultFPIR || len(m.calibrated(model).Calibration) > 0 {
		return nil
	}
	return []string{WarningNotCalibrated}
}
