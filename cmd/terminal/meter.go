package terminal

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Meter shows the progress of long work. On a terminal it is a bar with the rate and the
// remaining time; elsewhere it is a line at the start, every few seconds, and at the end. It is
// safe for concurrent use.
type Meter struct {
	out  io.Writer
	unit string

	mu    sync.Mutex // guards the fields that follow
	what  string
	total int64
	done  int64
	start time.Time                // zero before the first step
	said  time.Time                // when the last line was written
	bar   *progressbar.ProgressBar // nil before the first step, and off a terminal
}

// Bytes is the unit of a [Meter] that shows amounts of data.
const Bytes = "bytes"

// NewMeter returns a meter. what is the name of the work, such as "enrolling", and unit is what
// is counted, such as "crops" or [Bytes]. Nothing is shown before the first step.
func NewMeter(out io.Writer, what, unit string) *Meter {
	return &Meter{out: out, what: what, unit: unit}
}

// sayEvery is how often a line shows the progress.
const sayEvery = 5 * time.Second

// Step shows that done of total are done. If total is 0, it is unknown.
func (m *Meter) Step(done, total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.step(m.what, done, total)
}

// Add counts one more of total.
func (m *Meter) Add(total int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.step(m.what, m.done+1, int64(total))
}

// Name is Step for work that has another name in each stage.
func (m *Meter) Name(what string, done, total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.step(what, done, total)
}

// step shows the progress. REQUIRES: m.mu is held.
func (m *Meter) step(what string, done, total int64) {
	renamed := what != m.what
	m.what, m.done = what, done
	now := time.Now()
	first := m.start.IsZero()
	if first {
		m.start = now
	}
	switch {
	case Attended(m.out):
		if m.bar == nil || m.total != total {
			m.bar = m.newBar(total)
		} else if renamed {
			m.bar.Describe(what)
		}
		// The bar's only errors are those of writing to the terminal.
		_ = m.bar.Set64(done)
	case first || renamed:
		m.said = now
		fmt.Fprintf(m.out, "%s …\n", what)
	case now.Sub(m.said) >= sayEvery:
		m.said = now
		of := ""
		if total > 0 {
			of = " of " + m.amount(total)
		}
		fmt.Fprintf(m.out, "%s: %s%s\n", what, m.amount(done), of)
	}
	m.total = total
}

func (m *Meter) newBar(total int64) *progressbar.ProgressBar {
	if total <= 0 {
		total = -1 // a spinner
	}
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(m.out),
		progressbar.OptionSetDescription(m.what),
		progressbar.OptionShowBytes(m.unit == Bytes),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(m.unit),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionFullWidth(),
		progressbar.OptionClearOnFinish(),
	)
}

// End removes the bar, or writes the last line. A step after it begins a new meter.
func (m *Meter) End() {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.start.IsZero():
		return
	case m.bar != nil:
		_ = m.bar.Clear()
		m.bar = nil
	default:
		fmt.Fprintf(m.out, "%s: %s in %s\n", m.what, m.amount(m.done), time.Since(m.start).Round(10*time.Millisecond))
	}
	m.start, m.done = time.Time{}, 0
}

func (m *Meter) amount(n int64) string {
	if m.unit == Bytes {
		return Size(n)
	}
	return fmt.Sprint(n)
}

// Size writes an amount of data, such as "4.1 MB".
func Size(n int64) string {
	switch {
	case n < 1e3:
		return fmt.Sprintf("%d bytes", n)
	case n < 1e6:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}
