package bench

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"rollcall/embedder/onnxtest"
)

// soakArgs are the flags of a short soak with two galleries.
func soakArgs(t *testing.T) []string {
	dir := testModels(t)
	onnxtest.Install(t, dir, onnxtest.SFace(2).Named("other"))
	return []string{"--for=2s", "--every=50ms", "--warm-up=700ms", "--term=900ms", "--galleries=2", "--students=6",
		"--faces=" + writeFaces(t, people(8, 1, splitTest)), "--models-dir=" + dir, "--embedder-name=test-sface", "--against-name=other"}
}

// TestSoak does all kinds of work on a sound server. What it takes while it has hardly begun
// says nothing, but no call may fail, and nothing may be left.
func TestSoak(t *testing.T) {
	asChild(t, serveWell)
	args := soakArgs(t)
	out, err := runBench(t, "soak", args...)
	if err != nil && !errors.Is(err, errNotFlat) {
		t.Fatal(err)
	}
	for _, says := range []string{"calls failed", "disagree in", "are left"} {
		if err != nil && strings.Contains(err.Error(), says) {
			t.Errorf("%v:\n%s", err, out)
		}
	}
	for _, w := range append(officeWork, doorWork...) {
		if strings.Contains(out, w.name) {
			return
		}
	}
	t.Errorf("no work was done:\n%s", out)
}

// TestSoakFindsFailures: a call that fails makes the soak fail.
func TestSoakFindsFailures(t *testing.T) {
	var r soakResult
	if err := r.failure(); err != nil {
		t.Errorf("nothing is wrong: %v", err)
	}
	tally := newSoakTally()
	tally.count("identify", nil)
	tally.count("identify", errors.New("broken"))
	tally.into(&r)
	wantError(t, r.failure(), "1 calls failed")
	if done, failed := tally.sums(); done != 2 || failed != 1 || len(r.Findings) != 1 || r.Work[0] != (soakCount{"identify", 2, 1}) {
		t.Errorf("%d done, %d failed: %+v", done, failed, r)
	}
	r = soakResult{Inconsistent: 1}
	wantError(t, r.failure(), "1 galleries")
	r = soakResult{Rest: soakRest{After: soakSample{Goroutines: moreGoroutines + 1}}}
	wantError(t, r.failure(), "are left")
	r = soakResult{Trends: []soakTrend{{Name: "disk"}}}
	wantError(t, r.failure(), "disk is not flat")
}

// TestGrowth: the rise of lines is found, and of noise around a line it is right as often as the
// confidence interval says.
func TestGrowth(t *testing.T) {
	line := make([]float64, soakParts)
	for i := range line {
		line[i] = 7 + 3*float64(i)
	}
	if rise, noise := growth(line); math.Abs(rise-3*soakParts) > 1e-9 || noise > 1e-6 {
		t.Errorf("a line that rises by 3: %g ± %g", rise, noise)
	}
	rng := rand.New(rand.NewPCG(27, 10))
	const rounds = 20_000
	within := 0
	for range rounds {
		for i := range line {
			line[i] = 100 - 0.5*float64(i) + rng.NormFloat64()
		}
		if rise, noise := growth(line); math.Abs(rise+0.5*soakParts) <= noise {
			within++
		}
	}
	if share := float64(within) / rounds; math.Abs(share-0.95) > 0.01 {
		t.Errorf("the true rise is within the noise in %.3f of all cases, want 0.95", share)
	}
}

// TestTrend: what grows is not flat, however much it grew before the warm-up was over or jumps
// up and down.
func TestTrend(t *testing.T) {
	m := soakMeasure{"memory", func(s soakSample) float64 { return s.RSS }, showBytes, 0.05, 8 * mib}
	rng := rand.New(rand.NewPCG(27, 11))
	for name, c := range map[string]struct {
		at   func(second float64) float64 // in MiB
		flat bool
	}{
		"steady":                   {func(float64) float64 { return 200 }, true},
		"noisy":                    {func(float64) float64 { return 200 + 20*rng.NormFloat64() }, true},
		"saw":                      {func(s float64) float64 { return 200 + math.Mod(s, 40) }, true},
		"grows until it is warm":   {func(s float64) float64 { return min(200, s) }, true},
		"falls":                    {func(s float64) float64 { return 400 - s/5 }, true},
		"grows within the limit":   {func(s float64) float64 { return 200 + s/200 }, true},
		"grows":                    {func(s float64) float64 { return 200 + s/30 }, false},
		"grows in the saw":         {func(s float64) float64 { return 200 + s/20 + math.Mod(s, 40) }, false},
		"grows, and is very noisy": {func(s float64) float64 { return 200 + s/10 + 20*rng.NormFloat64() }, false},
	} {
		var samples []soakSample
		for s := 0.0; s < 900; s += 5 {
			samples = append(samples, soakSample{Seconds: s, RSS: c.at(s) * mib})
		}
		if trend := m.trendOf(samples, 5*time.Minute); trend.Flat != c.flat {
			t.Errorf("%s: %+v", name, trend)
		}
	}
	if trend := m.trendOf(nil, 0); trend.Flat {
		t.Error("flat without a sample")
	}
}
