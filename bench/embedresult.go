package bench

import (
	"fmt"
	"time"

	"rollcall/embedder"
)

// Parts of a call beside the embedder's stages.
const (
	stageGallery = "gallery and storage" // duplicate check, fsync, index
	stageRest    = "http, proto, rest"   // what nobody else accounts for
	stageTotal   = "total"
)

// oldSystem are the times of the system that Rollcall replaces, in seconds for an
// embedding: the least, the usual, and a slow one.
var oldSystem = []float64{0.3, 0.65, 1}

// embedResult is what "bench embed" prints.
type embedResult struct {
	Model      modelFacts         `json:"model"`
	Crops      int                `json:"distinct_crops"`
	Latency    []latencyResult    `json:"latency"`
	Clients    int                `json:"clients"`
	Throughput []throughputResult `json:"throughput"`
}

// latencyResult is what one client sees in one mode.
type latencyResult struct {
	Mode    string       `json:"mode"`
	Latency latency      `json:"latency"`
	Factors []factor     `json:"factors"`
	Stages  []stageShare `json:"stages"`
	// OutsideRun is the share of the mean call that is not ONNX Runtime's Run, of
	// the embedder and, measured apart, of the locator.
	OutsideRun float64 `json:"outside_run"`
	// Run and LocatorRun are the mean times of ONNX Runtime's Run with nothing
	// around it, on one core, in milliseconds; LocatorRun is 0 without a locator,
	// and the time of two runs where the locator looks twice.
	Run        float64 `json:"bare_run_ms"`
	LocatorRun float64 `json:"bare_locator_run_ms"`
}

// factor is how many times faster the median is than some other time.
type factor struct {
	Seconds float64 `json:"seconds"`
	Factor  float64 `json:"factor"`
}

// stageShare is what a stage takes of the mean call.
type stageShare struct {
	Stage string  `json:"stage"`
	Mean  float64 `json:"mean_ms"`
	Share float64 `json:"share"`
}

// throughputResult is how many crops a second the contenders of one mode do.
type throughputResult struct {
	Mode       string      `json:"mode"`
	Contenders []contender `json:"contenders"` // the bare loop first
}

// contender is one way to spend all cores.
type contender struct {
	Name   string  `json:"name"`
	Median float64 `json:"crops_per_second"`
	Least  float64 `json:"least"` // of all rounds
	Most   float64 `json:"most"`
	Ratio  float64 `json:"ratio"` // median of the rounds' ratios to the first contender
}

func newLatencyResult(name string, times []time.Duration, sums map[string]time.Duration) latencyResult {
	r := latencyResult{Mode: name, Latency: summarise(times)}
	for _, seconds := range oldSystem {
		r.Factors = append(r.Factors, factor{seconds, 1000 * seconds / r.Latency.Median})
	}
	total, rest := sums[stageTotal], sums[stageTotal]
	add := func(stage string, sum time.Duration) {
		rest -= sum
		if sum > 0 {
			r.Stages = append(r.Stages, stageShare{stage, milliseconds(sum) / float64(len(times)), float64(sum) / float64(total)})
		}
	}
	for i := range (embedder.Timings{}) {
		stage := embedder.Stage(i).String()
		add(stage, sums[stage])
	}
	add(stageGallery, sums[stageGallery])
	add(stageRest, rest)
	return r
}

// stage returns a stage's mean, 0 where it did not happen.
func (r latencyResult) stage(name string) float64 {
	for _, s := range r.Stages {
		if s.Stage == name {
			return s.Mean
		}
	}
	return 0
}

// setRuns takes the mean times of the bare runs, in milliseconds. The locator's
// stage is its Run and what prepares and decodes around it, so the bare time of
// Run is counted in its place.
func (r *latencyResult) setRuns(run, locatorRun float64) {
	r.Run, r.LocatorRun = run, locatorRun
	var total float64
	for _, s := range r.Stages {
		total += s.Mean
	}
	inside := r.stage(embedder.StageRun.String()) + min(locatorRun, r.stage(embedder.StageLocate.String()))
	r.OutsideRun = 1 - inside/total
}

func (r embedResult) tables() []table {
	times := table{title: fmt.Sprintf("Embed over RPC, enrolled on disk, one client: %s", r.Model), header: []string{"mode", "median", "p90", "p99", "calls"}}
	for _, seconds := range oldSystem {
		times.header = append(times.header, fmt.Sprintf("against %g s", seconds))
	}
	times.header = append(times.header, "outside of Run")
	stages := table{title: "where the mean call goes", header: []string{"mode", "stage", "mean", "share"}}
	crops := table{
		title:  fmt.Sprintf("crops a second, %d clients", r.Clients),
		header: []string{"mode", "contender", "median", "least", "most", "of the bare loop"},
	}
	for _, l := range r.Latency {
		row := []string{l.Mode, inMilliseconds(l.Latency.Median), inMilliseconds(l.Latency.P90), inMilliseconds(l.Latency.P99), fmt.Sprint(l.Latency.Calls)}
		for _, f := range l.Factors {
			row = append(row, fmt.Sprintf("%.0f x", f.Factor))
		}
		times.row(append(row, percent(l.OutsideRun))...)
		note := fmt.Sprintf("%s: Run alone takes %.2f ms", l.Mode, l.Run)
		if l.LocatorRun > 0 {
			note += fmt.Sprintf(", that of the locator %.2f ms", l.LocatorRun)
		}
		stages.notes = append(stages.notes, note)
		for _, s := range l.Stages {
			stages.row(l.Mode, s.Stage, fmt.Sprintf("%.3f ms", s.Mean), percent(s.Share))
		}
	}
	for _, t := range r.Throughput {
		for _, c := range t.Contenders {
			crops.row(t.Mode, c.Name, fmt.Sprintf("%.1f", c.Median), fmt.Sprintf("%.1f", c.Least), fmt.Sprintf("%.1f", c.Most), percent(c.Ratio))
		}
	}
	return []table{times, stages, crops}
}
