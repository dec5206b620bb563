package bench

import (
	"fmt"

	"rollcall/embedder"
)

// evalResult is what "eval" prints.
type evalResult struct {
	Model    modelFacts  `json:"model"`
	Pictures int         `json:"pictures"`
	Students int         `json:"students"`
	Rule     string      `json:"rule"`
	Ways     []wayResult `json:"ways"`

	// The rest is of the first way, which is the server's.
	Stages     []stageTime  `json:"stages"`
	OpenSet    []openSet    `json:"open_set"`
	DET        []detPoint   `json:"det"`
	Histogram  []alikeness  `json:"histogram"`
	Failures   []failure    `json:"failures"`
	FailureSum int          `json:"failures_in_all"` // Failures lists at most 1,000
	Strangers  []strangers  `json:"most_alike_strangers"`
	Fairness   []groupRates `json:"fairness,omitempty"`
}

// wayResult is the accuracy with the landmarks from one source.
type wayResult struct {
	Way string `json:"way"`
	// NotFound are the crops on which no face was found. Unusable are these, and those
	// with another reason against them.
	NotFound ratio `json:"not_found"`
	Unusable ratio `json:"unusable"`
	// Landmarks is missing where nobody located.
	Landmarks *landmarkErrors `json:"landmark_errors,omitempty"`

	Genuine      int64          `json:"genuine_pairs"`
	Impostor     int64          `json:"impostor_pairs"`
	Verification []verification `json:"verification"`
	// Accuracy is the share of right decisions on pairs, as many of one person as
	// of two, at the similarity where it is highest.
	Accuracy float64 `json:"verification_accuracy"`

	// NotEnrolled are students of whom no crop is usable; their probes are left
	// out. Refused are those whose first enrolment was refused as a duplicate of
	// another student; they were enrolled all the same.
	NotEnrolled int `json:"students_not_enrolled"`
	Refused     int `json:"students_refused_as_duplicates"`
	// Rank1 counts the student's probes with a face whose most similar student
	// is the right one; Rank1All the same of all probes.
	Rank1    ratio `json:"rank1"`
	Rank1All ratio `json:"rank1_of_all_probes"`

	Threshold float64       `json:"threshold"`
	Enrolled  verdictCounts `json:"enrolled_probes"`
	Strangers verdictCounts `json:"stranger_probes"`
	FNIR      ratio         `json:"fnir"` // enrolled probes without a MATCH with the right student
	FPIR      ratio         `json:"fpir"` // strangers' probes with a MATCH

	pairs   *comparisons
	probes  []probe
	results []*embedder.Result // of the crops as probes
}

// verdictCounts counts verdicts.
type verdictCounts struct {
	Probes    int `json:"probes"`
	Right     int `json:"match_right"`
	Wrong     int `json:"match_wrong"`
	Ambiguous int `json:"ambiguous"`
	Unknown   int `json:"unknown"`
	Unusable  int `json:"unusable"`
}

// verification is the share of the pairs of one person that reach the similarity
// which a share FMR of the pairs of two people reaches.
type verification struct {
	FMR        float64 `json:"fmr"`
	Similarity float64 `json:"similarity"`
	TPR        float64 `json:"tpr"`
	// TPRByCrop is the same share, but each crop counts the same, however many crops
	// there are of its person.
	TPRByCrop float64 `json:"tpr_by_crop"`
}

// landmarkErrors are mean distances of the five landmarks from those of faces.csv,
// in distances between the eyes, over the crops with a face.
type landmarkErrors struct {
	Mean float64 `json:"mean"`
	P95  float64 `json:"p95"`
}

func (r evalResult) tables() []table { return r.tablesWith(failuresPrinted) }

// tablesWith lists so many failures at most.
func (r evalResult) tablesWith(failures int) []table {
	t := table{
		title: fmt.Sprintf("accuracy of %s\n  %d pictures, %d students with one enrolled crop each; %s", r.Model, r.Pictures, r.Students, r.Rule),
	}
	t.header = []string{""}
	for _, v := range r.Ways {
		t.header = append(t.header, v.Way)
	}
	row := func(name string, value func(v wayResult) string) {
		cells := []string{name}
		for _, v := range r.Ways {
			cells = append(cells, value(v))
		}
		t.row(cells...)
	}
	row("no face found", func(v wayResult) string { return v.NotFound.String() })
	row("unusable", func(v wayResult) string { return v.Unusable.String() })
	row("landmark error, mean and 95th percentile", func(v wayResult) string {
		if v.Landmarks == nil {
			return "-"
		}
		return fmt.Sprintf("%.3f, %.3f eye distances", v.Landmarks.Mean, v.Landmarks.P95)
	})
	row("rank 1 of probes with a face", func(v wayResult) string { return v.Rank1.String() })
	row("rank 1 of all probes", func(v wayResult) string { return v.Rank1All.String() })
	for i, fmr := range []float64{1e-2, 1e-3} {
		row(fmt.Sprintf("TPR at FMR %g", fmr), func(v wayResult) string {
			if i >= len(v.Verification) {
				return "too few pairs"
			}
			return fmt.Sprintf("%s at %.4f", percent(v.Verification[i].TPR), v.Verification[i].Similarity)
		})
		row("  each crop counting the same", func(v wayResult) string {
			if i >= len(v.Verification) {
				return "too few pairs"
			}
			return percent(v.Verification[i].TPRByCrop)
		})
	}
	row("verification accuracy", func(v wayResult) string { return percent(v.Accuracy) })
	row("pairs of one person, of two", func(v wayResult) string { return fmt.Sprintf("%d, %d", v.Genuine, v.Impostor) })
	row("threshold", func(v wayResult) string { return fmt.Sprintf("%.4f", v.Threshold) })
	row("FNIR", func(v wayResult) string { return v.FNIR.String() })
	row("FPIR", func(v wayResult) string { return v.FPIR.String() })
	row("students' probes: right, wrong", func(v wayResult) string { return fmt.Sprintf("%d, %d", v.Enrolled.Right, v.Enrolled.Wrong) })
	row("  ambiguous, unknown, unusable", func(v wayResult) string { return v.Enrolled.undecided() })
	row("strangers' probes: wrong", func(v wayResult) string { return fmt.Sprint(v.Strangers.Wrong) })
	row("  ambiguous, unknown, unusable", func(v wayResult) string { return v.Strangers.undecided() })
	row("students not enrolled, refused as duplicates", func(v wayResult) string { return fmt.Sprintf("%d, %d", v.NotEnrolled, v.Refused) })
	return append([]table{t}, r.studyTables(failures)...)
}

func (c verdictCounts) undecided() string {
	return fmt.Sprintf("%d, %d, %d", c.Ambiguous, c.Unknown, c.Unusable)
}

// studyTables show what the study found, with so many failures at most.
func (r evalResult) studyTables(most int) []table {
	sizes := table{title: "galleries of several sizes, one enrolled crop each", header: []string{"students", "FNIR at FPIR 1 %", "FNIR at FPIR 0.1 %", "the server's FPIR", "and FNIR"}}
	for _, s := range r.OpenSet {
		sizes.row(fmt.Sprint(s.Students), s.at(1e-2), s.at(1e-3), s.FPIR.String(), s.FNIR.String())
	}
	stages := table{title: "time of one crop, with several at once", header: []string{"stage", "median", "90 %", "99 %"}}
	for _, s := range r.Stages {
		stages.row(s.Stage, inMilliseconds(s.Median), inMilliseconds(s.P90), inMilliseconds(s.P99))
	}
	failures := table{title: fmt.Sprintf("failures: %d in all", r.FailureSum), header: []string{"what", "file", "most similar student", "similarity", "reasons"}}
	for _, f := range r.Failures[:min(most, len(r.Failures))] {
		failures.row(f.What, f.File, f.Student, fmt.Sprintf("%.4f", f.Similarity), f.Reasons)
	}
	if r.FailureSum > most {
		failures.notes = append(failures.notes, fmt.Sprintf("the first %d are listed; --report and --output json list up to %d", most, mostFailures))
	}
	alike := table{title: "most alike crops of different people: one person with two folders?", header: []string{"file", "file", "similarity"}}
	for _, s := range r.Strangers {
		alike.row(s.FileA, s.FileB, fmt.Sprintf("%.4f", s.Similarity))
	}
	tables := []table{sizes, stages, failures, alike}
	if len(r.Fairness) > 0 {
		groups := table{title: "by label", header: []string{"label", "people", "crops", "unusable", "FNIR", "95 %", "FPIR", "95 %", "FMR within"}}
		for _, g := range r.Fairness {
			groups.row(g.Label+"="+g.Value, fmt.Sprint(g.People), fmt.Sprint(g.Crops), g.Unusable.String(), g.FNIR.String(), g.FNIR95.String(),
				g.FPIR.String(), g.FPIR95.String(), fmt.Sprintf("%.2e of %d", g.FMR, g.Pairs))
		}
		tables = append(tables, groups)
	}
	return tables
}

// failuresPrinted is how many failures a terminal shows.
const failuresPrinted = 20
