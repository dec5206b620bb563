package bench

import (
	"cmp"
	"math"
	"slices"

	"rollcall/gallery"
)

// contestFPIRs are the FPIRs at which embedders are compared: a strict school's and the default.
var contestFPIRs = [...]float64{0.01, gallery.DefaultFPIR}

// A contest compares two embedders over the same trials.
type contest struct {
	trials  *trials
	parties [2]party

	// Of each person, over all rosters: their probes as a student, and as a stranger.
	probes, strangers []int
}

// A party is one of the embedders, and what it makes of the trials.
type party struct {
	model   gallery.Model
	answers []closest // by trial

	// right are the students' probes whose nearest student is the right one, and strangers those of
	// strangers that are usable, both most similar first.
	right, strangers []scored
	// matched are, for each of contestFPIRs, a person's probes that get the right name by the
	// calibration; first those whose nearest student is the right one.
	matched [len(contestFPIRs)][]int
	first   []int
}

// scored is a person's probe, and its similarity to the nearest student.
type scored struct {
	person     int
	similarity float32
}

// newContest judges the answers of the two models. The margin is a gallery's, for the rule of the
// calibration.
func newContest(x *trials, models [2]gallery.Model, answers [2][]closest, margin float32) *contest {
	c := &contest{trials: x, probes: make([]int, len(x.people)), strangers: make([]int, len(x.people))}
	for _, t := range x.all {
		if t.student {
			c.probes[t.person]++
		} else {
			c.strangers[t.person]++
		}
	}
	for k := range c.parties {
		c.parties[k] = newParty(x, models[k], answers[k], margin)
	}
	return c
}

func newParty(x *trials, model gallery.Model, answers []closest, margin float32) party {
	v := party{model: model, answers: answers, first: make([]int, len(x.people))}
	for i, t := range x.all {
		n := answers[i]
		switch {
		case n.person == nobody:
		case !t.student:
			v.strangers = append(v.strangers, scored{t.person, n.similarity})
		case n.person == t.person:
			v.right = append(v.right, scored{t.person, n.similarity})
			v.first[t.person]++
		}
	}
	for _, list := range [][]scored{v.right, v.strangers} {
		slices.SortFunc(list, func(a, b scored) int { return cmp.Compare(b.similarity, a.similarity) })
	}
	for f, fpir := range contestFPIRs {
		v.matched[f] = make([]int, len(x.people))
		rule := v.calibrated(x, fpir, margin)
		for i, t := range x.all {
			if t.student && rule.judge(t, answers[i]).person == t.person {
				v.matched[f][t.person]++
			}
		}
	}
	return v
}

// calibrated is the rule of a gallery with the model's calibration.
func (v *party) calibrated(x *trials, fpir float64, margin float32) rule {
	r := rule{margin: margin, thresholds: make([]float32, len(x.enrolled))}
	for i, enrolled := range x.enrolled {
		r.thresholds[i] = v.model.MatchThreshold(len(enrolled), fpir)
	}
	return r
}

// atFPIR is the rule by which at most a share fpir of the strangers' probes get a name: one threshold
// for all rosters. It has no margin, which is a similarity that is chosen for all models alike.
func (c *contest) atFPIR(k int, fpir float64) rule {
	over := math.Nextafter32(c.exceeded(k, fpir, c.everybody()), 2)
	return rule{thresholds: slices.Repeat([]float32{over}, len(c.trials.enrolled))}
}

// everybody draws each person once.
func (c *contest) everybody() []int { return slices.Repeat([]int{1}, len(c.trials.people)) }

// exceeded is the similarity over which at most a share fpir of the strangers' probes are.
func (c *contest) exceeded(k int, fpir float64, drawn []int) float32 {
	allowed := fpir * float64(total(c.strangers, drawn))
	named := 0
	for _, s := range c.parties[k].strangers {
		if named += drawn[s.person]; float64(named) > allowed {
			return s.similarity
		}
	}
	return -1
}

// total is the sum of the people's counts, where each person counts as often as they were drawn.
func total(counts, drawn []int) (sum int) {
	for i, n := range counts {
		sum += n * drawn[i]
	}
	return sum
}

// differences are the shares of the students' probes that the first embedder does right, less those of
// the second, in points: at rank 1, and for each of contestFPIRs by the calibration and at this FPIR. The
// people count as often as they were drawn; those who were not stay enrolled.
func (c *contest) differences(drawn []int) []float64 {
	of := float64(max(total(c.probes, drawn), 1)) / 100
	a, b := &c.parties[0], &c.parties[1]
	values := []float64{float64(total(a.first, drawn)-total(b.first, drawn)) / of}
	for f, fpir := range contestFPIRs {
		values = append(values,
			float64(total(a.matched[f], drawn)-total(b.matched[f], drawn))/of,
			float64(c.recognised(0, fpir, drawn)-c.recognised(1, fpir, drawn))/of)
	}
	return values
}

// recognised counts the students' probes that get the right name at an FPIR.
func (c *contest) recognised(k int, fpir float64, drawn []int) (count int) {
	limit := c.exceeded(k, fpir, drawn)
	for _, s := range c.parties[k].right {
		if s.similarity <= limit {
			break
		}
		count += drawn[s.person]
	}
	return count
}
