package embedder

import (
	"sync/atomic"
	"time"
)

// width says on how many cores a run works.
type width int

const (
	narrowRun width = iota // on one
	wideRun                // on several
)

// pace says whether wide runs of a model pay. They do not for the smallest models, and not where other
// programs use the cores: then the threads of a run wait for each other. It is safe for concurrent use.
type pace struct {
	took   [2]atomic.Int64 // nanoseconds of a run, by width; 0: unknown
	least  atomic.Int64    // nanoseconds of the fastest narrow run; 0: unknown
	chosen atomic.Uint32
	again  atomic.Bool // wide runs seemed not to pay, and the last one did
}

const (
	// worthwhile is the most that a wide run may take to be chosen, in narrow runs. MobileFaceNet took
	// 0.60 on two idle cores, FaceNet 0.57, ArcFace's ResNet-34 0.55, rollcall-points, with 0.09 ms, 0.95
	// (2026-11-26, an experiment).
	worthwhile = 0.85
	// tried is how often the width that does not pay is tried again: every so many runs. A wide run that does
	// pay is tried once more in the next run, so that a few disturbed ones are soon forgotten.
	tried = 32
	// tooShort is the time of a narrow run that is not worth dividing: the fastest one counts, because it was
	// not disturbed.
	tooShort = 300 * time.Microsecond
	// averaged is about how many runs the time is taken over. A run counts at most as twice the time that is
	// known, because a single one may be disturbed. (To trust the fastest runs made wide ones look good on
	// cores that others used.)
	averaged = 4
)

// choose returns the width of the next run. At first each is tried once.
func (p *pace) choose() width {
	if least := p.least.Load(); least > 0 && least < int64(tooShort) {
		return narrowRun
	}
	better, worse := narrowRun, wideRun
	if p.pays(p.took[wideRun].Load()) {
		better, worse = wideRun, narrowRun
	}
	if p.again.Swap(false) {
		return wideRun
	}
	if p.chosen.Add(1)%tried == 0 {
		return worse
	}
	return better
}

// note records how long a run took. Of two that end at once one may be lost: it is an estimate.
func (p *pace) note(w width, d time.Duration) {
	if least := p.least.Load(); w == narrowRun && (least == 0 || int64(d) < least) {
		p.least.Store(int64(d))
	}
	known := p.took[w].Load()
	if known == 0 {
		known = int64(d)
	}
	p.took[w].Store(known + (min(int64(d), 2*known)-known)/averaged)
	if w == wideRun && p.pays(int64(d)) && !p.pays(p.took[w].Load()) {
		p.again.Store(true)
	}
}

// pays says whether wide runs that take so many nanoseconds are worth their cores.
func (p *pace) pays(wide int64) bool {
	return float64(wide) <= worthwhile*float64(p.took[narrowRun].Load())
}
