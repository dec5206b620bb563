package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
)

// loadResult is what "bench load" prints.
type loadResult struct {
	Model        modelFacts   `json:"model"`
	Clients      int          `json:"clients"`
	Calls        int          `json:"calls"`
	Rate         float64      `json:"calls_per_second"`
	Retries      int          `json:"retries_after_full_queue"`
	Differences  int          `json:"differing_answers"`
	Failures     int          `json:"failed_calls"`
	Inconsistent int          `json:"inconsistencies"`
	Findings     []string     `json:"findings,omitempty"` // the first ones
	Kinds        []kindResult `json:"kinds"`
	Memory       memoryGrowth `json:"memory"`
}

// kindResult is one kind of call. Its times are from the first attempt to the
// answer, with the waiting for a full queue.
type kindResult struct {
	Call    string  `json:"call"`
	Latency latency `json:"latency"`
}

// tally counts what happens under load. It is safe for concurrent use.
type tally struct {
	differences, failures findings

	mu      sync.Mutex // guards the fields that follow
	times   map[string][]time.Duration
	retries int
}

func newTally() *tally { return &tally{times: make(map[string][]time.Duration)} }

// work makes the calls of a client, one after the other, until the time has come.
// The clients begin at different ones, so that different calls meet.
func (t *tally) work(ctx context.Context, until time.Time, client int, calls []*call) {
	for i := client; time.Now().Before(until) && ctx.Err() == nil; i++ {
		t.make(ctx, calls[i%len(calls)])
	}
}

// make makes one call and judges its answer.
func (t *tally) make(ctx context.Context, c *call) {
	start := time.Now()
	retries := 0
	var resp proto.Message
	err := patiently(ctx, func() { retries++ }, func() (err error) {
		resp, err = c.do(ctx)
		return err
	})
	took := time.Since(start)
	var difference string
	if err == nil {
		difference, err = c.check(resp)
	}
	if err != nil {
		if ctx.Err() == nil { // else the load was ended: there is one reason for all
			t.failures.add(fmt.Sprintf("%s: %v", c.name, err))
		}
		return
	}
	if difference != "" {
		t.differences.add(difference)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.retries += retries
	t.times[c.name] = append(t.times[c.name], took)
}

// result returns what was counted. REQUIRES: no client works any more.
func (t *tally) result(took time.Duration) loadResult {
	r := loadResult{
		Retries: t.retries, Differences: t.differences.count, Failures: t.failures.count,
		Findings: slices.Concat(t.differences.first, t.failures.first),
	}
	for name, times := range t.times {
		r.Calls += len(times)
		r.Kinds = append(r.Kinds, kindResult{name, summarise(times)})
	}
	slices.SortFunc(r.Kinds, func(a, b kindResult) int { return strings.Compare(a.Call, b.Call) })
	r.Rate = float64(r.Calls) / took.Seconds()
	return r
}

func (r loadResult) tables() []table {
	sum := table{title: fmt.Sprintf("%d clients at once: %s", r.Clients, r.Model)}
	sum.row("calls", fmt.Sprintf("%d, %.1f a second", r.Calls, r.Rate))
	sum.row("answers that differ from those alone", fmt.Sprint(r.Differences))
	sum.row("failed calls", fmt.Sprint(r.Failures))
	sum.row("inconsistencies of storage and index", fmt.Sprint(r.Inconsistent))
	sum.row("retries after a full queue", fmt.Sprint(r.Retries))
	m := r.Memory
	sum.row("memory at the start, after a third, at the end, peak", strings.Join([]string{
		inMegabytes(m.Start), inMegabytes(m.Warm), inMegabytes(m.End), inMegabytes(m.Peak)}, ", "))
	sum.row("growth after the first third", fmt.Sprintf("%s, %+.1f %%", inMegabytes(m.Growth), 100*m.Share))
	for _, f := range r.Findings {
		sum.notes = append(sum.notes, "found: "+f)
	}
	kinds := table{title: "until the answer, with retries", header: []string{"call", "median", "p90", "p99", "calls"}}
	for _, k := range r.Kinds {
		kinds.row(k.Call, inMilliseconds(k.Latency.Median), inMilliseconds(k.Latency.P90), inMilliseconds(k.Latency.P99), fmt.Sprint(k.Latency.Calls))
	}
	return []table{sum, kinds}
}
