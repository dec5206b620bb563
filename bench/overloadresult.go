package bench

import (
	"fmt"
	"strings"
)

// overloadResult is what "bench overload" prints.
type overloadResult struct {
	Model    modelFacts     `json:"model"`
	Tokens   int            `json:"tokens"`
	Capacity float64        `json:"capacity_per_second"`
	Times    float64        `json:"times_capacity"`
	Alone    callEndings    `json:"alone"`  // one caller, before
	Flood    callEndings    `json:"flood"`  // those who ask for too much
	Beside   callEndings    `json:"beside"` // one caller with a token of its own, meanwhile
	After    callEndings    `json:"after"`  // one caller, in the second after
	NotMade  int            `json:"not_made"`
	Crowd    crowdResult    `json:"crowd"`
	Memory   overloadMemory `json:"memory"`
	Failures int            `json:"failed_calls"`
	Findings []string       `json:"findings,omitempty"` // the first ones
}

// callEndings are what became of calls.
type callEndings struct {
	Answered latency `json:"answered"`
	Refused  latency `json:"refused"` // how long the refusal took
	Delay    latency `json:"delay"`   // that the refused were told
	Rate     float64 `json:"answered_per_second"`
}

// crowdResult is what became of callers who came at once.
type crowdResult struct {
	Callers  int     `json:"callers"`
	Attempts int     `json:"attempts"` // of all
	Most     int     `json:"most_attempts"`
	Took     latency `json:"took"` // until the answer
	Last     float64 `json:"last_ms"`
}

// overloadMemory is the server's memory in bytes.
type overloadMemory struct {
	Before int64 `json:"before_bytes"`
	Peak   int64 `json:"peak_bytes"`
	After  int64 `json:"after_bytes"`
}

func (r *overloadResult) tables() []table {
	asked := r.Flood.Answered.Calls + r.Flood.Refused.Calls
	sum := table{title: fmt.Sprintf("%g times what the server can answer, %d tokens, Connect and gRPC: %s", r.Times, r.Tokens, r.Model)}
	sum.row("identified a second, without overload", fmt.Sprintf("%.1f", r.Capacity))
	sum.row("calls", fmt.Sprintf("%d, of which %s refused", asked, percent(float64(r.Flood.Refused.Calls)/float64(max(asked, 1)))))
	sum.row("calls that the bench could not make", fmt.Sprint(r.NotMade))
	sum.row("calls that failed otherwise", fmt.Sprint(r.Failures))
	sum.row("p99 of answers, of that of a caller alone", fmt.Sprintf("%.1f x", r.Flood.Answered.P99/max(r.Alone.Answered.P99, 1e-9)))
	sum.row("delay that the refused were told: median, p90, p99", fmt.Sprintf("%s, %s, %s", inMilliseconds(r.Flood.Delay.Median), inMilliseconds(r.Flood.Delay.P90), inMilliseconds(r.Flood.Delay.P99)))
	sum.row("memory before, peak, after", strings.Join([]string{inMegabytes(r.Memory.Before), inMegabytes(r.Memory.Peak), inMegabytes(r.Memory.After)}, ", "))
	c := r.Crowd
	sum.row(fmt.Sprintf("%d callers at once: the last one has its answer after", c.Callers), fmt.Sprintf("%.0f ms; the work takes %.0f ms", c.Last, 1000*float64(c.Callers)/max(r.Capacity, 1e-9)))
	sum.row("attempts of each: mean, most", fmt.Sprintf("%.1f, %d", float64(c.Attempts)/float64(max(c.Callers, 1)), c.Most))
	for _, f := range r.Findings {
		sum.notes = append(sum.notes, "found: "+f)
	}
	times := table{title: "how long calls took", header: []string{"caller", "a second", "median", "p90", "p99", "refused", "median", "p99"}}
	for _, row := range []struct {
		who string
		callEndings
	}{{"alone, before", r.Alone}, {"overload", r.Flood}, {"one at a time beside it", r.Beside}, {"alone, in the second after", r.After}} {
		cells := []string{row.who, fmt.Sprintf("%.1f", row.Rate), inMilliseconds(row.Answered.Median), inMilliseconds(row.Answered.P90), inMilliseconds(row.Answered.P99), fmt.Sprint(row.Refused.Calls)}
		if row.Refused.Calls > 0 {
			cells = append(cells, inMilliseconds(row.Refused.Median), inMilliseconds(row.Refused.P99))
		}
		times.row(cells...)
	}
	return []table{sum, times}
}
