package bench

import "math/rand/v2"

const (
	// resamples are enough for the ends of an interval of 95 %: 25 resamples lie beyond each. (Efron and
	// Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13, ask for 1,000.)
	resamples = 1000
	// confidence is the share of the resamples that lie in an interval.
	confidence = 0.95
)

// An interval holds the middle of the resamples: as many lie under Low as over High.
type interval struct{ Low, High float64 }

// bootstrap draws as many of the people as there are, with replacement, resamples times. Compute gets how
// often each was drawn, and returns some values, always as many; it keeps nothing of its argument. The
// intervals of these values are returned (the percentile method of Efron, 1979). The crops of a person
// are not independent, so whole people are drawn: a few people with many crops make intervals wide, as
// they should.
func bootstrap(people int, seed uint64, compute func(drawn []int) []float64) []interval {
	rng := rand.New(rand.NewPCG(seed, 0))
	drawn := make([]int, people)
	var columns [][]float64 // the resamples of each value
	for range resamples {
		clear(drawn)
		for range people {
			drawn[rng.IntN(people)]++
		}
		for i, v := range compute(drawn) {
			if i == len(columns) {
				columns = append(columns, make([]float64, 0, resamples))
			}
			columns[i] = append(columns[i], v)
		}
	}
	intervals := make([]interval, len(columns))
	for i, values := range columns {
		intervals[i] = interval{quantile(values, (1-confidence)/2), quantile(values, (1+confidence)/2)}
	}
	return intervals
}
