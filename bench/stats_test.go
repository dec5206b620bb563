package bench

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		values := make([]float64, 1+rng.IntN(30))
		for i := range values {
			values[i] = float64(rng.IntN(10))
		}
		q := rng.Float64()
		got := quantile(slices.Clone(values), q)
		// The least value which a share q of the values do not exceed.
		want := slices.Max(values)
		for _, candidate := range values {
			covered := 0
			for _, v := range values {
				if v <= candidate {
					covered++
				}
			}
			if float64(covered) >= q*float64(len(values)) {
				want = min(want, candidate)
			}
		}
		if got != want {
			t.Fatalf("quantile(%v, %g) = %g, want %g", values, q, got, want)
		}
	}
	if got := median([]float64{}); got != 0 {
		t.Errorf("median of nothing is %g", got)
	}
}

func TestSummarise(t *testing.T) {
	var times []time.Duration
	for i := range 100 {
		times = append(times, time.Duration(100-i)*time.Millisecond)
	}
	if got, want := summarise(times), (latency{Calls: 100, Median: 50, P90: 90, P99: 99}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestCompareAll compares the histogram with all similarities in order.
func TestCompareAll(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	var embeddings [][]float32
	var people []string
	for i := range 120 {
		centre := unit(rng, 16)
		for range 1 + i%3 {
			embeddings = append(embeddings, near(rng, centre))
			people = append(people, studentID(i))
		}
	}
	c, err := compareAll(t.Context(), embeddings, people)
	if err != nil {
		t.Fatal(err)
	}
	var genuine, impostor []float64
	for i := range embeddings {
		for j := range i {
			s := float64(dot(embeddings[i], embeddings[j]))
			if people[i] == people[j] {
				genuine = append(genuine, s)
			} else {
				impostor = append(impostor, s)
			}
		}
	}
	if c.genuines != int64(len(genuine)) || c.impostors != int64(len(impostor)) {
		t.Fatalf("%d and %d pairs, want %d and %d", c.genuines, c.impostors, len(genuine), len(impostor))
	}
	reach := func(values []float64, s float64) float64 {
		n := 0
		for _, v := range values {
			if v >= s {
				n++
			}
		}
		return float64(n) / float64(len(values))
	}
	for _, fmr := range []float64{0.5, 0.1, 0.01, 0.002} {
		s, tpr, ok := c.at(fmr)
		if !ok {
			t.Fatalf("no point at FMR %g of %d pairs", fmr, len(impostor))
		}
		// Within a bin the histogram knows no order.
		if got := reach(impostor, s+similarityStep/100); got > fmr {
			t.Errorf("FMR at %g is %g, more than %g", s, got, fmr)
		}
		if got := reach(impostor, s-1.01*similarityStep); got <= fmr {
			t.Errorf("%g is not the lowest similarity for FMR %g: a step lower it is %g", s, fmr, got)
		}
		if low, high := reach(genuine, s+similarityStep/100), reach(genuine, s-similarityStep/100); tpr < low || tpr > high {
			t.Errorf("TPR at %g is %g, want %g to %g", s, tpr, low, high)
		}
	}
	if _, _, ok := c.at(float64(minErrors-1) / float64(len(impostor))); ok {
		t.Error("a rate of fewer than minErrors comparisons is shown")
	}
}

// TestTPRByCrop lets one person with many crops, all alike, stand beside two with
// two crops, of which one pair is alike.
func TestTPRByCrop(t *testing.T) {
	x, y := []float32{1, 0}, []float32{0, 1}
	embeddings, people := [][]float32{x, x, x, y, y}, []string{"two alike", "two alike", "two", "two", "one"}
	for range 6 {
		embeddings, people = append(embeddings, y), append(people, "six")
	}
	if got := tprByCrop(embeddings, people, 0.5); got != 0.8 {
		t.Errorf("got %g, want that of 8 of 10 crops, although 16 of 17 pairs are alike", got)
	}
	if got := tprByCrop(embeddings[4:5], people[4:5], 0.5); got != 0 {
		t.Errorf("got %g without pairs", got)
	}
}

func TestCompareAllEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := compareAll(ctx, [][]float32{{1}, {1}}, []string{"a", "b"}); err == nil {
		t.Error("no error although ctx has ended")
	}
}

func TestMemoryGrowth(t *testing.T) {
	samples := []int64{100, 150, 180, 200, 200, 200, 200, 900, 210, 220, 230, 240}
	got := newMemoryGrowth(slices.Clone(samples))
	// After a third, 200 200 200 900 200 have the median 200; the last five 230.
	want := memoryGrowth{Samples: 12, Start: 100, Warm: 200, End: 230, Peak: 900, Growth: 30, Share: 0.15}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := newMemoryGrowth(nil); got != (memoryGrowth{}) {
		t.Errorf("of nothing: %+v", got)
	}
}
