package bench

import (
	"fmt"
	"math"
	"time"
)

// soakMeasure is a figure that has to be flat.
type soakMeasure struct {
	name string
	of   func(soakSample) float64
	show func(float64) string
	// It may grow by share of what it is, and at least by floor.
	share, floor float64
}

func showBytes(v float64) string { return inMegabytes(int64(v)) }
func showCount(v float64) string { return fmt.Sprintf("%.0f", v) }

// The limits are what one leak would soon exceed, and what a server that leaks nothing kept: see
// bench/README.md.
var soakMeasures = []soakMeasure{
	{"RSS", func(s soakSample) float64 { return s.RSS }, showBytes, 0.05, 8 * mib},
	{"anonymous", func(s soakSample) float64 { return s.Anonymous }, showBytes, 0.05, 8 * mib},
	{"native", func(s soakSample) float64 { return s.Native }, showBytes, 0.05, 8 * mib},
	{"Go heap", func(s soakSample) float64 { return s.Heap }, showBytes, 0.05, 4 * mib},
	{"goroutines", func(s soakSample) float64 { return s.Goroutines }, showCount, 0.05, 10},
	{"descriptors", func(s soakSample) float64 { return s.Descriptors }, showCount, 0.05, 10},
	{"disk", func(s soakSample) float64 { return s.Disk }, showBytes, 0.1, 8 * mib},
}

// soakParts is how many parts the time after the warm-up is cut into. The medians of parts of
// a minute and more hardly depend on one another, as samples seconds apart do.
const soakParts = 12

// soakT is the quantile of Student's t for a confidence interval of 95 % with
// soakParts - 2 degrees of freedom.
const soakT = 2.228

// soakTrend says how a figure developed after the warm-up.
type soakTrend struct {
	Name    string  `json:"name"`
	Least   float64 `json:"least"`
	Median  float64 `json:"median"`
	Most    float64 `json:"most"`
	Growth  float64 `json:"growth"`   // over the time after the warm-up
	Noise   float64 `json:"noise"`    // of Growth
	PerHour float64 `json:"per_hour"` // Growth for an hour
	Limit   float64 `json:"limit"`    // of Growth
	Flat    bool    `json:"flat"`
}

// trendOf judges the samples after the warm-up.
func (m soakMeasure) trendOf(samples []soakSample, warm time.Duration) soakTrend {
	var values []float64
	var first, last float64
	for _, s := range samples {
		if s.Seconds < warm.Seconds() {
			continue
		}
		if values == nil {
			first = s.Seconds
		}
		values, last = append(values, m.of(s)), s.Seconds
	}
	t := soakTrend{Name: m.name}
	if len(values) < soakParts {
		return t // the caller sees that it is not flat: nothing is known
	}
	parts := make([]float64, soakParts)
	for i := range parts { // median sorts, so only within the part
		parts[i] = median(values[i*len(values)/soakParts : (i+1)*len(values)/soakParts])
	}
	t.Least, t.Median, t.Most = quantile(values, 0), median(values), quantile(values, 1)
	t.Growth, t.Noise = growth(parts)
	t.PerHour = t.Growth * 3600 / (last - first)
	t.Limit = max(m.share*t.Median, m.floor)
	t.Flat = t.Growth <= t.Noise || t.Growth <= t.Limit
	return t
}

// growth returns by how much the line of least squares through soakParts values rises over all
// of them, and half of the confidence interval of that.
func growth(parts []float64) (rise, noise float64) {
	n := float64(len(parts))
	middle, centre := (n-1)/2, mean(parts)
	var xx, xy float64
	for i, y := range parts {
		xx += (float64(i) - middle) * (float64(i) - middle)
		xy += (float64(i) - middle) * (y - centre)
	}
	slope := xy / xx
	var rest float64
	for i, y := range parts {
		off := y - centre - slope*(float64(i)-middle)
		rest += off * off
	}
	return slope * n, soakT * math.Sqrt(rest/(n-2)/xx) * n
}
