package bench

import "fmt"

// againstResult is what "bench against" prints. Of each pair the first embedder's value comes first.
type againstResult struct {
	Models [2]modelFacts `json:"models"`
	// NotCalibrated are models for which the threshold that their makers publish stands in.
	NotCalibrated []string `json:"models_not_calibrated,omitempty"`

	Pictures int `json:"pictures"`
	People   int `json:"people"`
	Rosters  int `json:"rosters"`
	Students int `json:"students"` // of each roster
	// NotEnrolled are students, over all rosters, of whom no crop is usable; their probes are left out.
	NotEnrolled int `json:"students_not_enrolled"`
	// Cosine compares the two embeddings of each crop; missing where the dimensions differ.
	Cosine *cosines `json:"cosine,omitempty"`

	Rank1           [2]ratio     `json:"rank1"` // of all students' probes
	Rank1Difference difference   `json:"rank1_difference"`
	Rules           []ruleResult `json:"rules"`
}

// cosines are the cosine that half of the crops do not exceed, and the one that 5 % do not exceed.
type cosines struct {
	Median float64 `json:"median"`
	P5     float64 `json:"p5"`
}

// difference is the first embedder's share less the second's, in points, with its interval of 95 %.
type difference struct {
	Points float64 `json:"points"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// ruleResult is what the probes of all rosters got under one rule.
type ruleResult struct {
	FPIR float64 `json:"asked_fpir"`
	// Calibrated: by the models' calibrations. Otherwise at the same FPIR.
	Calibrated bool `json:"calibrated"`
	// Threshold is that of the first roster; with the calibration it depends on the crops enrolled.
	Threshold  [2]float64       `json:"threshold"`
	Enrolled   [2]verdictCounts `json:"enrolled_probes"`
	Strangers  [2]verdictCounts `json:"stranger_probes"`
	Difference difference       `json:"right_difference"`
	// Differ are the probes, students' and strangers', with another verdict or another student.
	Differ ratio `json:"verdicts_differ"`
}

// result judges by every rule. The seed is that of the bootstrap.
func (c *contest) result(margin float32, seed uint64) againstResult {
	x := c.trials
	res := againstResult{People: len(x.people), NotEnrolled: x.left}
	points := c.differences(c.everybody())
	intervals := bootstrap(len(x.people), seed, c.differences)
	next := func() (d difference) {
		d = difference{Points: points[0], Low: intervals[0].Low, High: intervals[0].High}
		points, intervals = points[1:], intervals[1:]
		return d
	}
	for k := range c.parties {
		if model := c.parties[k].model; len(model.Calibration) == 0 {
			res.NotCalibrated = append(res.NotCalibrated, model.Name)
		}
		res.Rank1[k] = ratioOf(len(c.parties[k].right), total(c.probes, c.everybody()))
	}
	res.Rank1Difference = next()
	for _, fpir := range contestFPIRs {
		var calibrated, same [2]rule
		for k := range c.parties {
			calibrated[k], same[k] = c.parties[k].calibrated(x, fpir, margin), c.atFPIR(k, fpir)
		}
		for i, rules := range [][2]rule{calibrated, same} {
			r := c.judged(rules)
			r.FPIR, r.Calibrated, r.Difference = fpir, i == 0, next()
			res.Rules = append(res.Rules, r)
		}
	}
	return res
}

// judged judges all trials, each embedder by its rule.
func (c *contest) judged(rules [2]rule) (r ruleResult) {
	var outcomes [2][]outcome
	for k := range rules {
		outcomes[k] = c.trials.judgeAll(rules[k], c.parties[k].answers)
		r.Threshold[k] = float64(rules[k].thresholds[0])
		r.Enrolled[k], r.Strangers[k] = c.trials.count(outcomes[k])
	}
	differ := 0
	for i, o := range outcomes[0] {
		if o != outcomes[1][i] {
			differ++
		}
	}
	r.Differ = ratioOf(differ, len(outcomes[0]))
	return r
}

func (r againstResult) tables() []table {
	t := table{
		title: fmt.Sprintf("%s\nagainst %s\n  %d pictures of %d people; %d rosters of %d students with one enrolled crop each (%d not enrolled, over all rosters)",
			r.Models[0], r.Models[1], r.Pictures, r.People, r.Rosters, r.Students, r.NotEnrolled),
		header: []string{"", "first", "second", "difference in points, 95 %"},
		notes:  []string{"probes are those of all rosters together; a difference is the first less the second"},
	}
	for _, model := range r.NotCalibrated {
		t.notes = append(t.notes, model+" is not calibrated: its published threshold decides instead")
	}
	t.row("rank 1", r.Rank1[0].String(), r.Rank1[1].String(), r.Rank1Difference.String())
	for _, v := range r.Rules {
		name := fmt.Sprintf("same FPIR, %g", v.FPIR)
		if v.Calibrated {
			name = fmt.Sprintf("calibrated for FPIR %g", v.FPIR)
		}
		both := func(what string, value func(k int) string, more ...string) {
			t.row(append([]string{what, value(0), value(1)}, more...)...)
		}
		both(name+": right", func(k int) string { return ratioOf(v.Enrolled[k].Right, v.Enrolled[k].Probes).String() }, v.Difference.String())
		both("  taken for somebody else", func(k int) string { return ratioOf(v.Enrolled[k].Wrong, v.Enrolled[k].Probes).String() })
		both("  ambiguous, unknown, unusable", func(k int) string { return v.Enrolled[k].undecided() })
		both("  strangers named", func(k int) string { return v.Strangers[k].named() })
		both("  threshold", func(k int) string { return fmt.Sprintf("%.4f", v.Threshold[k]) })
		t.row("  verdicts that differ", v.Differ.String())
	}
	if r.Cosine != nil {
		t.row("cosine of the two embeddings of a crop", fmt.Sprintf("%.4f at the median", r.Cosine.Median), fmt.Sprintf("%.4f at 5 %%", r.Cosine.P5))
	}
	return []table{t}
}

func (d difference) String() string {
	return fmt.Sprintf("%+.2f (%+.2f to %+.2f)", d.Points, d.Low, d.High)
}
