package bench

import (
	"context"
	"fmt"
	"slices"

	"rollcall/embedder"
	"rollcall/gallery"
)

// groupRates are the error rates of the people, or crops, with one label.
type groupRates struct {
	Label  string `json:"label"`
	Value  string `json:"value"`
	People int    `json:"people"`
	Crops  int    `json:"crops"`

	Unusable ratio    `json:"unusable"`
	FNIR     ratio    `json:"fnir"` // of their probes, where they are students
	FNIR95   interval `json:"fnir_95"`
	FPIR     ratio    `json:"fpir"` // of their probes, where they are strangers
	FPIR95   interval `json:"fpir_95"`

	// FMR is the share of the comparisons of two people of the group that reach the
	// threshold of the search, of Pairs.
	FMR   float64 `json:"fmr_within"`
	Pairs int64   `json:"pairs_within"`
}

// fairness returns the rates for each value of each label.
func (s *study) fairness(ctx context.Context, v wayResult) (list []groupRates) {
	for _, column := range s.labels {
		values := slices.Compact(slices.Sorted(slices.Values(column.byCrop)))
		for _, value := range values {
			if value == "" {
				continue
			}
			in := func(i int) bool { return column.byCrop[i] == value }
			list = append(list, s.groupRates(ctx, v, column.name, value, in))
		}
	}
	return list
}

// personCounts are what came of one person's probes.
type personCounts struct{ probes, missed, strange, matched int }

func (s *study) groupRates(ctx context.Context, v wayResult, label, value string, in func(i int) bool) groupRates {
	g := groupRates{Label: label, Value: value}
	place := make(map[string]int)
	var crops []crop
	var found []*embedder.Result
	unusable := 0
	for i, c := range s.crops {
		if !in(i) {
			continue
		}
		if _, known := place[c.person]; !known {
			place[c.person] = len(place)
		}
		if !usable(s.found[i]) {
			unusable++
		}
		crops, found = append(crops, c), append(found, s.found[i])
	}
	g.People, g.Crops, g.Unusable = len(place), len(crops), ratioOf(unusable, len(crops))
	counts := make([]personCounts, len(place))
	for _, p := range v.probes {
		if !in(p.crop) {
			continue
		}
		match := usable(v.results[p.crop]) && p.found.Verdict == gallery.Match
		c := &counts[place[s.crops[p.crop].person]]
		switch {
		case p.student == "":
			c.strange++
			if match {
				c.matched++
			}
		default:
			c.probes++
			if !match || p.found.StudentID != p.student {
				c.missed++
			}
		}
	}
	sums := func(weight func(i int) int) (all personCounts) {
		for i, c := range counts {
			n := weight(i)
			all.probes += n * c.probes
			all.missed += n * c.missed
			all.strange += n * c.strange
			all.matched += n * c.matched
		}
		return all
	}
	all := sums(func(int) int { return 1 })
	g.FNIR, g.FPIR = ratioOf(all.missed, all.probes), ratioOf(all.matched, all.strange)
	ends := bootstrap(len(counts), s.options.cut.seed, func(drawn []int) []float64 {
		some := sums(func(i int) int { return drawn[i] })
		return []float64{ratioOf(some.missed, some.probes).Share, ratioOf(some.matched, some.strange).Share}
	})
	g.FNIR95, g.FPIR95 = ends[0], ends[1]
	if pairs, err := compareAll(ctx, embeddingsOf(found), peopleOf(crops, found)); err == nil { // or ctx has ended, which others notice
		g.Pairs = pairs.impostors
		var over int64
		for _, n := range pairs.impostor[similarityBin(float32(v.Threshold)):] {
			over += n
		}
		g.FMR = float64(over) / float64(max(g.Pairs, 1))
	}
	return g
}

func (i interval) String() string { return fmt.Sprintf("%.1f to %.1f %%", 100*i.Low, 100*i.High) }
