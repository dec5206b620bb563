package bench

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// A crashStage is what a server was doing when it was killed.
type crashStage int

const (
	whileStarting crashStage = iota
	whileChecking
	whileWorking
)

// crashResult is what "bench crash" prints.
type crashResult struct {
	Model    modelFacts `json:"model"`
	Clients  int        `json:"clients"`
	Kills    int        `json:"kills"`
	AtSyncs  int        `json:"kills_at_syncs"` // before or after one; the others at random moments
	Starting int        `json:"kills_while_starting"`
	Checking int        `json:"kills_while_checking"`

	Acknowledged map[string]int `json:"acknowledged"` // calls, by kind
	Unanswered   map[string]int `json:"unanswered"`
	Happened     int            `json:"unanswered_that_happened"` // those that could be told
	NotHappened  int            `json:"unanswered_that_did_not"`

	Checks     int     `json:"checks"`          // of everything, after a start
	Identified int     `json:"identifications"` // right ones, in the checks
	Lines      int     `json:"lines_read"`      // of logs and journals
	Start      latency `json:"start"`           // until a server answers
}

// crashTally counts what happens. It is safe for concurrent use.
type crashTally struct {
	mu     sync.Mutex // guards the fields that follow
	counts crashResult
	starts []time.Duration
}

func newCrashTally() *crashTally {
	return &crashTally{counts: crashResult{Acknowledged: make(map[string]int), Unanswered: make(map[string]int)}}
}

func (t *crashTally) count(add func(*crashResult)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	add(&t.counts)
}

func (t *crashTally) acknowledged(kind string) {
	t.count(func(r *crashResult) { r.Acknowledged[kind]++ })
}
func (t *crashTally) unanswered(kind string) { t.count(func(r *crashResult) { r.Unanswered[kind]++ }) }
func (t *crashTally) identified()            { t.count(func(r *crashResult) { r.Identified++ }) }
func (t *crashTally) checked()               { t.count(func(r *crashResult) { r.Checks++ }) }
func (t *crashTally) read(lines int)         { t.count(func(r *crashResult) { r.Lines += lines }) }

// settled counts what a call that was not answered has become.
func (t *crashTally) settled(happened bool) {
	t.count(func(r *crashResult) {
		if happened {
			r.Happened++
		} else {
			r.NotHappened++
		}
	})
}

func (t *crashTally) killed(stage crashStage, atSync bool) {
	t.count(func(r *crashResult) {
		r.Kills++
		if atSync {
			r.AtSyncs++
		}
		switch stage {
		case whileStarting:
			r.Starting++
		case whileChecking:
			r.Checking++
		}
	})
}

func (t *crashTally) started(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.starts = append(t.starts, took)
}

// result returns what was counted so far.
func (t *crashTally) result() crashResult {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.counts
	r.Acknowledged, r.Unanswered = maps.Clone(r.Acknowledged), maps.Clone(r.Unanswered)
	if len(t.starts) > 0 {
		r.Start = summarise(slices.Clone(t.starts))
	}
	return r
}

func (r crashResult) tables() []table {
	sum := table{title: fmt.Sprintf("%d kills, nothing lost: %d clients and %d doors; %s", r.Kills, r.Clients, len(crashGalleries), r.Model)}
	sum.row("around a sync, at a random moment", fmt.Sprintf("%d, %d", r.AtSyncs, r.Kills-r.AtSyncs))
	sum.row("while the server started, while it was checked", fmt.Sprintf("%d, %d", r.Starting, r.Checking))
	sum.row("checks of everything", fmt.Sprint(r.Checks))
	sum.row("crops found by their own picture", fmt.Sprint(r.Identified))
	sum.row("lines of logs and journals verified", fmt.Sprint(r.Lines))
	sum.row("unanswered calls that happened, and that did not", fmt.Sprintf("%d, %d", r.Happened, r.NotHappened))
	sum.row("start until the server answers, median and p99", inMilliseconds(r.Start.Median)+", "+inMilliseconds(r.Start.P99))
	kinds := table{title: "changes", header: []string{"call", "acknowledged", "not answered"}}
	total, lost := 0, 0
	for _, kind := range union(r.Acknowledged, r.Unanswered) {
		kinds.row(kind, fmt.Sprint(r.Acknowledged[kind]), fmt.Sprint(r.Unanswered[kind]))
		total, lost = total+r.Acknowledged[kind], lost+r.Unanswered[kind]
	}
	kinds.row("all", fmt.Sprint(total), fmt.Sprint(lost))
	return []table{sum, kinds}
}
