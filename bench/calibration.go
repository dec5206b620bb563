package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"rollcall/gallery"
	"rollcall/models"
)

// calibration is what --calibrate prints and --calibration reads: the fields of
// a contract with the same names.
type calibration struct {
	Calibration []models.Calibration `json:"calibration"`
	Source      string               `json:"calibration_source"`
}

// tailBegin is the FMR from which on the tail is fitted to the similarities: few enough of all to be a
// tail. tailEnd is the least FMR that a calibration has, and tailReach how far beyond what was
// measured, in powers of ten, a fitted tail is believed.
const (
	tailBegin = -3
	tailEnd   = -6
	tailReach = 2
)

// tables: it is for a file, which --calibration reads.
func (calibration) tables() []table { return nil }

// calibrate returns the similarity at each power of ten of the FMR, from 1e-1 as far down as minErrors
// pairs of people reach it, and from there to 1e-6 by the tail, where that is not too far.
func (m *impostors) calibrate(source string) (calibration, error) {
	var table calibration
	measured := 0
	for power := -1; power >= tailEnd && math.Pow10(power)*m.total >= minErrors; power-- {
		measured = power
		if err := table.add(math.Pow10(power), m.at(math.Pow10(power))); err != nil {
			return calibration{}, err
		}
	}
	if len(table.Calibration) < 2 {
		return calibration{}, fmt.Errorf("%.0f pairs of two people are too few for a calibration, which has two points at least", m.total)
	}
	table.Source = fmt.Sprintf("%s: %.0f pairs of people, each counting alike, without %d who are as alike as one person", source, m.total, m.same)
	if measured < tailBegin {
		t := m.fitTail(math.Pow10(tailBegin))
		for power := measured - 1; power >= max(tailEnd, measured-tailReach); power-- {
			if err := table.add(math.Pow10(power), t.at(math.Pow10(power))); err != nil {
				return calibration{}, err
			}
			table.Source += fmt.Sprintf("; FMR %.0e by a generalised Pareto tail over FMR %.0e", math.Pow10(power), math.Pow10(tailBegin))
		}
	}
	return table, nil
}

// add adds an operating point, in a contract 0.3661 and not 0.36610001325607300.
func (t *calibration) add(fmr, similarity float64) error {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(similarity, 'f', 4, 64), 32)
	t.Calibration = append(t.Calibration, models.Calibration{FMR: fmr, Similarity: float32(rounded)})
	return err
}

// readCalibration reads what --calibrate printed, for the gallery.
func readCalibration(name string) ([]gallery.Calibration, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var table calibration
	if err := json.Unmarshal(data, &table); err != nil {
		return nil, fmt.Errorf("read the calibration in %s: %w", name, err)
	}
	if len(table.Calibration) == 0 {
		return nil, fmt.Errorf("read the calibration in %s: %w", name, errors.New("it has no points"))
	}
	var points []gallery.Calibration
	for _, p := range table.Calibration {
		points = append(points, gallery.Calibration{FMR: p.FMR, Similarity: p.Similarity})
	}
	return points, nil
}
