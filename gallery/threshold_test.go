package gallery

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func TestThresholdTable(t *testing.T) {
	m := small
	for _, tc := range []struct {
		n    int
		fpir float64
		want float64
	}{
		{1, 1e-1, 0.60},                      // a point
		{1, 1e-2, 0.72},                      // a point
		{1, math.Sqrt(1e-1 * 1e-2), 0.66},    // half way in log10
		{1, 0.5, 0.60},                       // above the table: its first point
		{1, 1e-5, 0.92},                      // beyond: a decade more along the last segment
		{1, 1e-9, 1},                         // beyond 1
		{10, 1 - math.Pow(1-1e-2, 10), 0.72}, // FMR 1e-2 by the formula
		{1000, 1 - math.Pow(1-1e-4, 1000), 0.86},
	} {
		if got := m.MatchThreshold(tc.n, tc.fpir); math.Abs(float64(got)-tc.want) > 1e-6 {
			t.Errorf("threshold of %d students at FPIR %v = %v, want %v", tc.n, tc.fpir, got, tc.want)
		}
	}
	if got := plain.MatchThreshold(1000, 1e-6); got != plain.Threshold {
		t.Errorf("without a calibration: %v, want the published %v", got, plain.Threshold)
	}
	one := Model{Calibration: []Calibration{{1e-3, 0.4}}}
	for _, n := range []int{1, 1000} {
		if got := one.MatchThreshold(n, 1e-3); got != 0.4 {
			t.Errorf("one point: %v, want it", got)
		}
	}
}

// randomModel returns a model with a random calibration in order.
func randomModel(rng *rand.Rand) Model {
	var m Model
	m.Threshold = float32(rng.Float64()*2 - 1)
	fmr, s := 1.0, -1.0
	for range rng.IntN(6) {
		fmr *= 0.05 + 0.9*rng.Float64()
		if rng.IntN(4) > 0 {
			s += (1 - s) * rng.Float64() * 0.5
		}
		m.Calibration = append(m.Calibration, Calibration{fmr, float32(s)})
	}
	return m
}

func TestThresholdProperties(t *testing.T) {
	rng := newRand(t, 7)
	for range 20000 {
		m := randomModel(rng)
		n := 1 + rng.IntN(100000)
		more := n + rng.IntN(1000)
		fpir := math.Pow(10, -6*rng.Float64()) * 0.999
		less := fpir * rng.Float64()
		if less == 0 {
			continue
		}
		got := m.MatchThreshold(n, fpir)
		if !isSimilarity(got) {
			t.Fatalf("threshold %v is no similarity: %+v, n %d, FPIR %v", got, m, n, fpir)
		}
		if m.MatchThreshold(more, fpir) < got {
			t.Fatalf("threshold falls from %d to %d students: %+v, FPIR %v", n, more, m, fpir)
		}
		if m.MatchThreshold(n, less) < got {
			t.Fatalf("threshold falls from FPIR %v to %v: %+v, n %d", fpir, less, m, n)
		}
		dup := m.duplicateThreshold(n)
		if dup < m.resembleThreshold(n) || dup > duplicateCeiling {
			t.Fatalf("duplicate threshold %v against %v: %+v, n %d", dup, m.resembleThreshold(n), m, n)
		}
		if m.duplicateThreshold(more) < dup {
			t.Fatalf("duplicate threshold falls from %d to %d students: %+v", n, more, m)
		}
		if k := len(m.Calibration); k > 0 {
			if beyond := m.similarityAt(m.Calibration[k-1].FMR / 10); beyond < m.Calibration[k-1].Similarity {
				t.Fatalf("beyond the table %v, under its last value: %+v", beyond, m)
			}
		}
	}
}

// The rate that the threshold promises: strangers whose similarities follow the
// calibration are taken for one of n students in a share FPIR of the searches.
func TestThresholdKeepsFPIR(t *testing.T) {
	rng := newRand(t, 11)
	const n, fpir, searches = 30, 0.05, 40000
	threshold := small.MatchThreshold(n, fpir)
	var false_ int
	for range searches {
		var best float32 = -1
		for range n {
			// Inverse transform: the chance to reach similarityAt(u) is u.
			best = max(best, small.similarityAt(max(rng.Float64(), 1e-12)))
		}
		if best >= threshold {
			false_++
		}
	}
	got := float64(false_) / searches
	// Five standard deviations.
	if math.Abs(got-fpir) > 5*math.Sqrt(fpir*(1-fpir)/searches) {
		t.Errorf("%v of the searches found somebody, want %v", got, fpir)
	}
}

func TestModelCheck(t *testing.T) {
	good := Model{Name: "m", Digest: "d", Dimension: 4, Threshold: 0.4}
	nan := float32(math.NaN())
	with := func(change func(*Model)) Model {
		m := good
		change(&m)
		return m
	}
	for name, tc := range map[string]struct {
		model Model
		ok    bool
	}{
		"good":            {good, true},
		"calibrated":      {with(func(m *Model) { m.Calibration = small.Calibration }), true},
		"equal values":    {with(func(m *Model) { m.Calibration = []Calibration{{0.1, 0.3}, {0.01, 0.3}} }), true},
		"no name":         {with(func(m *Model) { m.Name = "" }), false},
		"name not a key":  {with(func(m *Model) { m.Name = "a\x00b" }), false},
		"no digest":       {with(func(m *Model) { m.Digest = "" }), false},
		"no dimension":    {with(func(m *Model) { m.Dimension = 0 }), false},
		"huge dimension":  {with(func(m *Model) { m.Dimension = 1 << 20 }), false},
		"NaN threshold":   {with(func(m *Model) { m.Threshold = nan }), false},
		"FMR rises":       {with(func(m *Model) { m.Calibration = []Calibration{{0.01, 0.3}, {0.1, 0.4}} }), false},
		"FMR stays":       {with(func(m *Model) { m.Calibration = []Calibration{{0.1, 0.3}, {0.1, 0.4}} }), false},
		"value falls":     {with(func(m *Model) { m.Calibration = []Calibration{{0.1, 0.3}, {0.01, 0.2}} }), false},
		"FMR zero":        {with(func(m *Model) { m.Calibration = []Calibration{{0, 0.3}} }), false},
		"FMR above one":   {with(func(m *Model) { m.Calibration = []Calibration{{1.5, 0.3}} }), false},
		"FMR NaN":         {with(func(m *Model) { m.Calibration = []Calibration{{math.NaN(), 0.3}} }), false},
		"similarity wild": {with(func(m *Model) { m.Calibration = []Calibration{{0.1, 1.5}} }), false},
		"similarity NaN":  {with(func(m *Model) { m.Calibration = []Calibration{{0.1, nan}} }), false},
	} {
		err := tc.model.check()
		if tc.ok && err != nil || !tc.ok && !errors.Is(err, ErrInvalidModel) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
