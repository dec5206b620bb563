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

// calibrate measures the similarity at each power of ten of the FMR, from 1e-1 as
// far down as the number of pairs allows.
func (c *comparisons) calibrate(source string) (calibration, error) {
	table := calibration{Source: fmt.Sprintf("%s: %d pairs of one person, %d of two", source, c.genuines, c.impostors)}
	for power := 1; ; power++ {
		fmr := math.Pow10(-power)
		similarity, _, ok := c.at(fmr)
		if !ok {
			break
		}
		// In a contract 0.3661, not 0.36610001325607300.
		rounded, err := strconv.ParseFloat(strconv.FormatFloat(similarity, 'f', 4, 64), 32)
		if err != nil {
			return calibration{}, err
		}
		table.Calibration = append(table.Calibration, models.Calibration{FMR: fmr, Similarity: float32(rounded)})
	}
	if len(table.Calibration) < 2 {
		return calibration{}, fmt.Errorf("%d pairs of two people are too few for a calibration, which has two points at least", c.impostors)
	}
	return table, nil
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
