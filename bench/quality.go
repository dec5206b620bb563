package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/spf13/pflag"

	"rollcall/embedder"
	"rollcall/gallery"
)

// qualityOptions are the flags of "bench quality".
type qualityOptions struct {
	rosterOptions
	fit bool
}

func qualityBench() Bench {
	return newBench("quality", "what it brings to drop the probes of the lowest quality, and to refuse poor crops",
		`Cuts each picture twice: as eval does, and poorly, as one of the conditions
of bench conditions or the worst of detectors would. Enrols one upright crop of each
student in five galleries, and identifies all other crops, even those that a server
calls unusable. Prints how many of the students' probes are missed, the worst ones by
quality.score dropped first; and what the limits for probes and for enrolment refuse.

With --fit it prints the weights of the score instead (embedder/score.go): of people of
train but for those of validation, by how similar a crop is to the person's other ones.`,
		&qualityOptions{rosterOptions: rosterOptions{students: 160, settings: settingsAt(gallery.DefaultFPIR)}})
}

func (o *qualityOptions) addFlags(set *pflag.FlagSet) {
	o.rosterOptions.addFlags(set)
	set.BoolVar(&o.fit, "fit", false, "print the weights of the score instead; with --split train")
}

func (o *qualityOptions) validate() error {
	if o.fit && o.faces.split != splitTrain {
		return fmt.Errorf("--fit cannot use the split %s: use --split %s, whose people of %s are left out", o.faces.split, splitTrain, splitValidation)
	}
	return o.rosterOptions.validate()
}

// qualityRosters is how many galleries are asked: each of other people, where there are more.
const qualityRosters = 5

func (o *qualityOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	faces, w, err := o.faces.open(ctx, progress, o.models)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.mustLocate(); err != nil {
		return nil, err
	}
	if o.fit {
		faces = slices.DeleteFunc(faces, func(f face) bool { return inSplit(splitValidation, f.person, splitTrain) })
	}
	upright, err := o.cut.cutAll(ctx, faces)
	if err != nil {
		return nil, err
	}
	poor, err := o.cut.cutPoorly(ctx, faces)
	if err != nil {
		return nil, err
	}
	way := locatedBy(w)
	x := qualityProbes{crops: upright}
	if x.upright, err = way.embedAll(ctx, named(progress, "upright"), w, upright); err != nil {
		return nil, err
	}
	if x.poor, err = way.embedAll(ctx, named(progress, "poor"), w, poor); err != nil {
		return nil, err
	}
	if o.fit {
		return fitQuality(x), nil
	}
	if x.poorStored, err = way.embed(ctx, named(progress, "poor, as they would be stored"), w, poor, true); err != nil {
		return nil, err
	}
	if x.stored, err = way.embed(ctx, named(progress, "upright, as they are stored"), w, upright, true); err != nil {
		return nil, err
	}
	model, err := w.galleryModel()
	if err != nil {
		return nil, err
	}
	res := qualityResult{Model: w.describe(), Students: o.students, Pictures: len(upright)}
	for i := range uint64(qualityRosters) {
		people, err := newRoster(upright, o.students, o.cut.seed+i)
		if err != nil {
			return nil, err
		}
		x.ask(people, float64(o.settings.Margin))
	}
	for _, fpir := range []float64{0.01, 0.001} {
		res.Rates = append(res.Rates, x.rates(fpir, float64(model.MatchThreshold(o.students, fpir)), o.cut.seed))
	}
	res.Refused = x.refused()
	res.Limits = x.limits(float64(model.MatchThreshold(o.students, gallery.DefaultFPIR)))
	return res, nil
}

// cutPoorly cuts the crops of faces poorly: each in one of the conditions, or roughly.
func (o cutOptions) cutPoorly(ctx context.Context, faces []face) ([]crop, error) {
	const rough = 3 // rough crops are as many as those of three conditions
	conditions := deformations()[1:]
	chosen := make([][]int, len(conditions)+1) // faces, by condition
	for i, f := range faces {
		k := min(o.random(f.name+" poor").IntN(len(conditions)+rough), len(conditions))
		chosen[k] = append(chosen[k], i)
	}
	crops := make([]crop, len(faces))
	for k, places := range chosen {
		some := make([]face, len(places))
		for j, i := range places {
			some[j] = faces[i]
		}
		cut := roughCut(o.seed).cutAll
		if k < len(conditions) {
			cut = func(ctx context.Context, faces []face) ([]crop, error) {
				return conditions[k].cutDeformed(ctx, o, faces)
			}
		}
		done, err := cut(ctx, some)
		if err != nil {
			return nil, err
		}
		for j, i := range places {
			crops[i] = done[j]
		}
	}
	return crops, nil
}

// qualityProbes are the crops and what became of them. The slices have an entry for each picture.
type qualityProbes struct {
	crops              []crop
	upright, poor      []*embedder.Result // as probes
	stored, poorStored []*embedder.Result // as they would be enrolled
	answers            []qualityAnswer
	enrolments         []qualityAnswer // of upright probes, where the student's crop is a poor one
}

// A qualityAnswer is what a gallery makes of one probe.
type qualityAnswer struct {
	person     string
	student    bool // enrolled; otherwise a stranger
	poor       bool
	similarity float64 // of the most similar student, who is the right one; -1: another one is, or the margin is missed
	quality    embedder.Quality
}

// ask enrols the students of a roster, and asks for all other crops.
func (x *qualityProbes) ask(people roster, margin float64) {
	enrolled := make(map[string]int) // by person: the crop
	for _, s := range people.students {
		if i := s.enrolled(x.stored); i >= 0 {
			enrolled[s.person] = i
		}
	}
	for i, c := range x.crops {
		own, student := enrolled[c.person]
		for _, results := range [][]*embedder.Result{x.upright, x.poor} {
			if student && i == own {
				continue // the same picture
			}
			a := qualityAnswer{person: c.person, student: student, poor: &results[0] == &x.poor[0], similarity: -1, quality: results[i].Quality}
			if probe := results[i].Embedding; probe != nil {
				a.similarity = x.lead(enrolled, c.person, probe, x.stored, margin)
			}
			x.answers = append(x.answers, a)
		}
		if student && i != own && x.upright[i].Embedding != nil && x.poorStored[own].Embedding != nil {
			x.enrolments = append(x.enrolments, qualityAnswer{
				person: c.person, student: true, poor: true, quality: x.poorStored[own].Quality,
				similarity: x.lead(enrolled, c.person, x.upright[i].Embedding, x.poorStored, margin),
			})
		}
	}
}

// lead returns the similarity of the probe's most similar student, or -1 where a student's probe is most
// similar to another one, or the margin is missed. The person's own crop is taken from own.
func (x *qualityProbes) lead(enrolled map[string]int, person string, probe []float32, own []*embedder.Result, margin float64) float64 {
	mine, others := math.Inf(-1), math.Inf(-1)
	for p, i := range enrolled {
		if p == person {
			mine = float64(dot(own[i].Embedding, probe))
		} else {
			others = max(others, float64(dot(x.stored[i].Embedding, probe)))
		}
	}
	switch {
	case math.IsInf(mine, -1):
		return others
	case mine-others < margin:
		return -1
	}
	return mine
}

// droppedShares are the shares of the probes that are dropped, the worst first.
var droppedShares = []float64{0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3}

// halvedAt is the place among them of the share whose effect is bootstrapped.
const halvedAt = 4

// rates returns the rates at one threshold.
func (x *qualityProbes) rates(fpir, threshold float64, seed uint64) qualityRates {
	rates := qualityRates{FPIR: fpir, Threshold: threshold}
	sets := []struct {
		name string
		in   func(a qualityAnswer) bool
	}{
		{"upright", func(a qualityAnswer) bool { return !a.poor }},
		{"poor", func(a qualityAnswer) bool { return a.poor }},
		{"both", func(qualityAnswer) bool { return true }},
	}
	for _, set := range sets {
		var students []qualityAnswer
		strangers, named := 0, 0
		for _, a := range x.answers {
			switch {
			case !set.in(a):
			case a.student:
				students = append(students, a)
			default:
				strangers++
				if a.similarity >= threshold {
					named++
				}
			}
		}
		r := qualityRate{Probes: set.name, Strangers: ratioOf(named, strangers)}
		for _, by := range qualityOrders {
			r.Orders = append(r.Orders, qualityOrder{By: by.name, FNIR: missedAfter(students, threshold, by.of)})
		}
		r.Kept = keptOf(students, threshold, seed)
		rates.Rates = append(rates.Rates, r)
	}
	return rates
}

// qualityOrders are what probes may be dropped by, the lowest first.
var qualityOrders = []struct {
	name string
	of   func(a qualityAnswer, threshold float64) float64
}{
	{"score", func(a qualityAnswer, _ float64) float64 { return float64(a.quality.Score) }},
	{"locator's certainty alone", func(a qualityAnswer, _ float64) float64 { return float64(a.quality.Certainty) }},
	{"eye distance alone", func(a qualityAnswer, _ float64) float64 { return float64(a.quality.EyeDistance) }},
	{"sharpness alone", func(a qualityAnswer, _ float64) float64 { return float64(a.quality.Sharpness) }},
	{"what is missed (the best possible)", func(a qualityAnswer, threshold float64) float64 {
		if a.similarity < threshold {
			return 0
		}
		return 1
	}},
}

// missedAfter returns the share of the kept probes that are missed, for each of droppedShares.
func missedAfter(answers []qualityAnswer, threshold float64, of func(qualityAnswer, float64) float64) []float64 {
	sorted := slices.Clone(answers)
	slices.SortStableFunc(sorted, func(a, b qualityAnswer) int { return cmp.Compare(of(a, threshold), of(b, threshold)) })
	shares := make([]float64, len(droppedShares))
	for i, share := range droppedShares {
		kept := sorted[int(share*float64(len(sorted))):]
		missed := 0
		for _, a := range kept {
			if a.similarity < threshold {
				missed++
			}
		}
		shares[i] = ratioOf(missed, len(kept)).Share
	}
	return shares
}

// keptOf returns the share of the FNIR that is left after a tenth of the probes was dropped by the score,
// with its interval.
func keptOf(answers []qualityAnswer, threshold float64, seed uint64) kept {
	places := make(map[string]int)
	var byPerson [][]qualityAnswer
	for _, a := range answers {
		i, known := places[a.person]
		if !known {
			i = len(byPerson)
			places[a.person] = i
			byPerson = append(byPerson, nil)
		}
		byPerson[i] = append(byPerson[i], a)
	}
	left := func(answers []qualityAnswer) float64 {
		shares := missedAfter(answers, threshold, qualityOrders[0].of)
		return shares[halvedAt] / max(shares[0], 1e-9)
	}
	intervals := bootstrap(len(byPerson), seed, func(drawn []int) []float64 {
		var some []qualityAnswer
		for i, times := range drawn {
			for range times {
				some = append(some, byPerson[i]...)
			}
		}
		return []float64{left(some)}
	})
	if len(intervals) == 0 {
		return kept{}
	}
	return kept{Share: left(answers), Low: intervals[0].Low, High: intervals[0].High}
}

// refused returns how many crops the limits refuse.
func (x *qualityProbes) refused() []limitRefusals {
	share := func(results []*embedder.Result) ratio {
		refused := 0
		for _, r := range results {
			if !usable(r) {
				refused++
			}
		}
		return ratioOf(refused, len(results))
	}
	return []limitRefusals{
		{"upright", share(x.upright), share(x.stored)},
		{"poor", share(x.poor), share(x.poorStored)},
	}
}

// limits returns what becomes of the probes that the limits refuse, and how the refused crops would have done.
func (x *qualityProbes) limits(threshold float64) []limitResult {
	var results []limitResult
	add := func(name string, answers []qualityAnswer, in func(qualityAnswer) bool) {
		var r limitResult
		r.Crops = name
		for _, a := range answers {
			if !a.student || !in(a) {
				continue
			}
			counted := &r.Accepted
			if len(a.quality.Reasons) > 0 {
				counted = &r.Refused
			}
			counted.Of++
			if a.similarity < threshold {
				counted.Count++
			}
		}
		r.Accepted, r.Refused = ratioOf(r.Accepted.Count, r.Accepted.Of), ratioOf(r.Refused.Count, r.Refused.Of)
		results = append(results, r)
	}
	add("upright probes", x.answers, func(a qualityAnswer) bool { return !a.poor })
	add("poor probes", x.answers, func(a qualityAnswer) bool { return a.poor })
	add("upright probes, the student's crop a poor one", x.enrolments, func(qualityAnswer) bool { return true })
	return results
}
