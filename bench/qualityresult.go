package bench

import "fmt"

// qualityResult is what "bench quality" prints.
type qualityResult struct {
	Model    modelFacts      `json:"model"`
	Pictures int             `json:"pictures"`
	Students int             `json:"students"`
	Rates    []qualityRates  `json:"rates"`
	Refused  []limitRefusals `json:"refused"`
	Limits   []limitResult   `json:"limits"`
}

// qualityRates are the rates at one threshold.
type qualityRates struct {
	FPIR      float64       `json:"asked_fpir"`
	Threshold float64       `json:"threshold"`
	Rates     []qualityRate `json:"rates"`
}

// qualityRate is the rates of some of the probes.
type qualityRate struct {
	Probes    string         `json:"probes"`
	Strangers ratio          `json:"strangers_named"`
	Orders    []qualityOrder `json:"dropped_by"`
	Kept      kept           `json:"left_of_fnir"`
}

// qualityOrder is the FNIR after each of droppedShares was dropped.
type qualityOrder struct {
	By   string    `json:"by"`
	FNIR []float64 `json:"fnir"`
}

// kept is the share of the FNIR that is left after a tenth of the probes was dropped by the score, with the
// interval of 95 %.
type kept struct {
	Share float64 `json:"share"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// limitRefusals are how many crops the limits refuse, as probes and for enrolment.
type limitRefusals struct {
	Crops     string `json:"crops"`
	Probe     ratio  `json:"as_probes"`
	Enrolment ratio  `json:"for_enrolment"`
}

// limitResult is the share of the probes that are missed, of those that the limits accept and refuse.
type limitResult struct {
	Crops    string `json:"crops"`
	Accepted ratio  `json:"missed_of_accepted"`
	Refused  ratio  `json:"missed_of_refused"`
}

func (r qualityResult) tables() []table {
	var tables []table
	for _, at := range r.Rates {
		t := table{
			title: fmt.Sprintf("quality, %s\n  %d pictures, each cut upright and poorly; %d galleries of %d students with one upright crop each; asked FPIR %g, similarity %.3f",
				r.Model, r.Pictures, qualityRosters, r.Students, at.FPIR, at.Threshold),
			header: []string{"probes", "dropped by"},
			notes:  []string{"FNIR of the probes that are kept, where so many are dropped"},
		}
		for _, share := range droppedShares {
			t.header = append(t.header, fmt.Sprintf("%g %%", 100*share))
		}
		for _, rate := range at.Rates {
			for i, order := range rate.Orders {
				row := []string{"", order.By}
				if i == 0 {
					row[0] = rate.Probes
				}
				for _, v := range order.FNIR {
					row = append(row, fmt.Sprintf("%.2f %%", 100*v))
				}
				t.row(row...)
			}
			t.notes = append(t.notes, fmt.Sprintf("%s: of the FNIR, %.0f %% (%.0f to %.0f %%) is left after a tenth was dropped by the score; strangers named %s",
				rate.Probes, 100*rate.Kept.Share, 100*rate.Kept.Low, 100*rate.Kept.High, rate.Strangers))
		}
		tables = append(tables, t)
	}
	refused := table{title: "what the limits refuse", header: []string{"crops", "as probes", "for enrolment"}}
	for _, l := range r.Refused {
		refused.row(l.Crops, l.Probe.String(), l.Enrolment.String())
	}
	limits := table{
		title:  "how that would have done",
		header: []string{"", "missed of the accepted", "missed of the refused"},
		notes:  []string{"the last row: by the limits for enrolment"},
	}
	for _, l := range r.Limits {
		limits.row(l.Crops, l.Accepted.String(), l.Refused.String())
	}
	return append(tables, refused, limits)
}
