package bench

import "fmt"

// calibrationResult is what "bench calibration" prints.
type calibrationResult struct {
	Seeds  int              `json:"seeds"`
	Rows   []calibrationRow `json:"rows"`
	Scores []scoreRow       `json:"scores"`
}

// calibrationRow is the galleries of one kind.
type calibrationRow struct {
	Model    string         `json:"model"`
	Students int            `json:"students"`
	Crops    int            `json:"crops"` // of each student
	Targets  []targetResult `json:"targets"`

	// With one threshold for all galleries.
	Fixed     float32 `json:"fixed_threshold"`
	FixedFPIR ratio   `json:"fixed_fpir"`
	FixedFNIR ratio   `json:"fixed_fnir"`
}

// targetResult is what came of a wanted FPIR.
type targetResult struct {
	Target    float64  `json:"target"`
	FPIR      ratio    `json:"fpir"`     // of all galleries together
	Interval  interval `json:"interval"` // of 95 %, by stranger
	Both      interval `json:"both"`     // by person, as stranger and as student
	Within    int      `json:"within"`   // galleries whose rate is within a factor of 4
	Seeds     int      `json:"galleries"`
	Threshold float32  `json:"threshold"` // mean
	FNIR      ratio    `json:"fnir"`
}

// scoreRow is one way to make a score of several crops.
type scoreRow struct {
	Model    string     `json:"model"`
	Students int        `json:"students"`
	Crops    int        `json:"crops"`
	Wrong    bool       `json:"wrong"` // one of the crops is somebody else's
	Score    string     `json:"score"`
	FNIR     [2]float64 `json:"fnir"`      // at each of contestFPIRs
	At       [2]float32 `json:"threshold"` // that the strangers' probes reach
}

func (r calibrationResult) tables() []table {
	t := table{
		title:  fmt.Sprintf("FPIR of galleries that calibrate themselves, %d of each kind", r.Seeds),
		header: []string{"model", "students x crops", "target", "reached", "95 %", "students too", "factor", "within 4", "threshold", "FNIR", "fixed: threshold", "FPIR", "FNIR"},
	}
	for _, row := range r.Rows {
		for _, x := range row.Targets {
			t.row(row.Model, fmt.Sprintf("%d x %d", row.Students, row.Crops), percent(x.Target), fmt.Sprintf("%.3f %%", 100*x.FPIR.Share),
				fmt.Sprintf("%.3f to %.3f %%", 100*x.Interval.Low, 100*x.Interval.High),
				fmt.Sprintf("%.3f to %.3f %%", 100*x.Both.Low, 100*x.Both.High), fmt.Sprintf("%.2f", x.FPIR.Share/x.Target),
				fmt.Sprintf("%d of %d", x.Within, x.Seeds), fmt.Sprintf("%.4f", x.Threshold), fmt.Sprintf("%.2f %%", 100*x.FNIR.Share),
				fmt.Sprintf("%.4f", row.Fixed), fmt.Sprintf("%.2f %%", 100*row.FixedFPIR.Share), fmt.Sprintf("%.2f %%", 100*row.FixedFNIR.Share))
		}
	}
	s := table{
		title:  "FNIR by the way to make a student's score of several crops, where 1 % and 0.1 % of the strangers' probes pass",
		header: []string{"model", "students x crops", "score", "FNIR at 1 %", "at", "FNIR at 0.1 %", "at"},
	}
	for _, row := range r.Scores {
		crops := fmt.Sprintf("%d x %d", row.Students, row.Crops)
		if row.Wrong {
			crops += ", one is somebody else's"
		}
		s.row(row.Model, crops, row.Score, fmt.Sprintf("%.2f %%", 100*row.FNIR[0]), fmt.Sprintf("%.4f", row.At[0]),
			fmt.Sprintf("%.2f %%", 100*row.FNIR[1]), fmt.Sprintf("%.4f", row.At[1]))
	}
	return []table{t, s}
}
