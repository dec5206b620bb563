package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// soakResult is what "bench soak" prints.
type soakResult struct {
	Model        modelFacts   `json:"model"`
	Second       string       `json:"second_model"`
	Seconds      float64      `json:"seconds"`
	Warm         float64      `json:"warm_up_seconds"`
	Trends       []soakTrend  `json:"trends"`
	Rest         soakRest     `json:"at_rest"`
	Work         []soakCount  `json:"work"`
	Failures     int          `json:"failed_calls"`
	Findings     []string     `json:"findings,omitempty"` // the first ones
	Inconsistent int          `json:"inconsistent_galleries"`
	Samples      []soakSample `json:"samples"`
}

// soakRest is the server when nobody works.
type soakRest struct {
	Before soakSample `json:"before"`
	After  soakSample `json:"after"`
}

// What a server at rest may have more of than at its start: Pebble keeps more of its files
// open.
const (
	moreGoroutines  = 5
	moreDescriptors = 20
)

func (r soakRest) flat() bool {
	return r.After.Goroutines <= r.Before.Goroutines+moreGoroutines && r.After.Descriptors <= r.Before.Descriptors+moreDescriptors
}

// soakCount is how often some work was done.
type soakCount struct {
	Work     string `json:"work"`
	Done     int    `json:"done"`
	Failures int    `json:"failed"`
}

// soakTally counts the work. It is safe for concurrent use.
type soakTally struct {
	failures findings

	mu     sync.Mutex // guards counts
	counts map[string]*soakCount
}

func newSoakTally() *soakTally { return &soakTally{counts: make(map[string]*soakCount)} }

func (t *soakTally) count(name string, err error) {
	if err != nil {
		t.failures.add(name + ": " + err.Error())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts[name] == nil {
		t.counts[name] = &soakCount{Work: name}
	}
	t.counts[name].Done++
	if err != nil {
		t.counts[name].Failures++
	}
}

// sums returns how much was done, and how much of it failed.
func (t *soakTally) sums() (done, failed int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.counts {
		done, failed = done+c.Done, failed+c.Failures
	}
	return done, failed
}

// into writes what was counted into a result. REQUIRES: nobody works any more.
func (t *soakTally) into(r *soakResult) {
	for _, name := range slices.Sorted(maps.Keys(t.counts)) {
		r.Work = append(r.Work, *t.counts[name])
	}
	r.Failures, r.Findings = t.failures.count, t.failures.first
}

// judge finds how the figures developed.
func (r *soakResult) judge(warm time.Duration) {
	r.Warm = warm.Seconds()
	for _, m := range soakMeasures {
		r.Trends = append(r.Trends, m.trendOf(r.Samples, warm))
	}
}

// failure is nil if the server stood the soak.
func (r soakResult) failure() error {
	var why []string
	for _, t := range r.Trends {
		if !t.Flat {
			why = append(why, t.Name+" is not flat")
		}
	}
	if !r.Rest.flat() {
		why = append(why, "goroutines or descriptors are left when nobody calls")
	}
	if r.Failures > 0 {
		why = append(why, fmt.Sprintf("%d calls failed", r.Failures))
	}
	if r.Inconsistent > 0 {
		why = append(why, fmt.Sprintf("storage and index disagree in %d galleries", r.Inconsistent))
	}
	if why == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", errNotFlat, strings.Join(why, "; "))
}

func (r soakResult) tables() []table {
	t := table{
		title:  fmt.Sprintf("after the first %s of %s: %s, and %s", seconds(r.Warm), seconds(r.Seconds), r.Model, r.Second),
		header: []string{"", "least", "median", "most", "growth", "noise", "limit", "an hour", ""},
	}
	for i, m := range soakMeasures {
		v := r.Trends[i]
		verdict := "flat"
		switch {
		case !v.Flat:
			verdict = "NOT FLAT"
		case v.Noise > v.Limit:
			verdict = "flat, within much noise: run longer"
		}
		t.row(v.Name, m.show(v.Least), m.show(v.Median), m.show(v.Most), m.show(v.Growth), "± "+m.show(v.Noise), m.show(v.Limit), m.show(v.PerHour), verdict)
	}
	rest := table{title: "when nobody calls, before the work and after it", header: []string{"", "before", "after"}}
	for _, m := range soakMeasures {
		rest.row(m.name, m.show(m.of(r.Rest.Before)), m.show(m.of(r.Rest.After)))
	}
	if !r.Rest.flat() {
		rest.notes = append(rest.notes, "NOT FLAT: goroutines or descriptors are left")
	}
	return []table{t, rest, r.work()}
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}

func (r soakResult) work() table {
	t := table{title: "work", header: []string{"", "done", "failed"}}
	for _, c := range r.Work {
		t.row(c.Work, fmt.Sprint(c.Done), fmt.Sprint(c.Failures))
	}
	if n := len(r.Samples); n > 0 {
		last := r.Samples[n-1]
		least := last.Loaded
		for _, s := range r.Samples {
			least = min(least, s.Loaded)
		}
		t.notes = append(t.notes, fmt.Sprintf("as few as %.0f of %.0f galleries were loaded; models were loaded %.0f times and unloaded %.0f times", least, last.Galleries, last.Loads, last.Unloads))
	}
	t.notes = append(t.notes, fmt.Sprintf("storage and index disagreed in %d galleries", r.Inconsistent))
	for _, f := range r.Findings {
		t.notes = append(t.notes, "found: "+f)
	}
	return t
}
