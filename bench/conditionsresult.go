package bench

import "fmt"

// conditionsResult is what "bench conditions" prints.
type conditionsResult struct {
	Model      modelFacts      `json:"model"`
	Locator    string          `json:"locator"`
	Crops      int             `json:"crops"`
	Students   int             `json:"students"`
	FPIR       float64         `json:"asked_fpir"`
	Conditions []condition     `json:"conditions"`
	Several    []severalResult `json:"two_faces"`
}

// condition is what became of the crops with one deformation.
type condition struct {
	Name    string `json:"condition"`
	Usable  ratio  `json:"usable"`
	Righted ratio  `json:"righted"` // turned or stretched back
	// LocateMean and LocateP95 are how long the search for the face took, in milliseconds, with all
	// cores busy.
	LocateMean float64 `json:"locate_ms_mean"`
	LocateP95  float64 `json:"locate_ms_p95"`

	CleanRank1     ratio         `json:"rank1"`
	Clean          verdictCounts `json:"enrolled_upright"`
	CleanStrangers verdictCounts `json:"enrolled_upright_strangers"`
	Alike          verdictCounts `json:"enrolled_alike"`
	AlikeStrangers verdictCounts `json:"enrolled_alike_strangers"`
}

// severalResult is how many pictures of two faces, the second Share of the first's size, are refused
// because there are two.
type severalResult struct {
	Share   float64 `json:"size_of_second"`
	Refused ratio   `json:"several_faces"`
}

func (r conditionsResult) tables() []table {
	t := table{
		title: fmt.Sprintf("conditions, %s with locator %s\n  %d crops, %d students with one enrolled crop each, asked FPIR %g",
			r.Model, r.Locator, r.Crops, r.Students, r.FPIR),
		header: []string{"", "usable", "righted", "locating, mean and p95", "rank 1",
			"enrolled upright: right, wrong", "strangers named", "enrolled alike: right, wrong", "strangers named"},
		notes: []string{"wrong and strangers named: a MATCH with somebody else; rank 1 and right: of the students' probes"},
	}
	for _, c := range r.Conditions {
		t.row(c.Name, percent(c.Usable.Share), percent(c.Righted.Share), fmt.Sprintf("%.2f, %.2f ms", c.LocateMean, c.LocateP95), percent(c.CleanRank1.Share),
			c.Clean.recognised(), c.CleanStrangers.named(), c.Alike.recognised(), c.AlikeStrangers.named())
	}
	several := table{title: "two faces side by side", header: []string{"size of the second", "said to be several"}}
	for _, s := range r.Several {
		several.row(fmt.Sprint(s.Share), s.Refused.String())
	}
	return []table{t, several}
}

// recognised shows right and wrong names of students' probes.
func (c verdictCounts) recognised() string {
	return fmt.Sprintf("%s, %d of %d", percent(ratioOf(c.Right, c.Probes).Share), c.Wrong, c.Probes)
}

// named shows how many strangers got a name.
func (c verdictCounts) named() string { return ratioOf(c.Wrong, c.Probes).String() }
