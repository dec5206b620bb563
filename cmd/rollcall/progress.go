package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// meter shows how far a long piece of work is: a bar with rate and remaining
// time on a terminal, a line at the start and at the end elsewhere. Not safe
// for concurrent use.
type meter struct {
	out   io.Writer
	what  string
	bytes bool // the unit is bytes, not pieces

	bar   *progressbar.ProgressBar // nil before the first step, and off a terminal
	total int64
	done  int64
	start time.Time // zero before the first step
}

// step says that done of total are done; total 0 is unknown.
func (m *meter) step(done, total int64) {
	m.done = done
	if m.start.IsZero() {
		m.start = time.Now()
		if !isTerminal(m.out) {
			fmt.Fprintf(m.out, "%s …\n", m.what)
		}
	}
	if !isTerminal(m.out) {
		return
	}
	if m.bar == nil || m.total != total {
		m.total = total
		m.bar = m.newBar(total)
	}
	// The bar's only errors are those of writing to the terminal.
	_ = m.bar.Set64(done)
}

func (m *meter) newBar(total int64) *progressbar.ProgressBar {
	if total <= 0 {
		total = -1 // a spinner
	}
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(m.out),
		progressbar.OptionSetDescription(m.what),
		progressbar.OptionShowBytes(m.bytes),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("crops"),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionFullWidth(),
		progressbar.OptionClearOnFinish(),
	)
}

// end takes the bar away, or writes the last line.
func (m *meter) end() {
	if m.start.IsZero() {
		return
	}
	if m.bar != nil {
		_ = m.bar.Clear()
		m.bar = nil
	} else if !isTerminal(m.out) {
		unit := fmt.Sprint(m.done)
		if m.bytes {
			unit = megabytes(m.done)
		}
		fmt.Fprintf(m.out, "%s: %s in %s\n", m.what, unit, time.Since(m.start).Round(10*time.Millisecond))
	}
	m.start = time.Time{}
}

// isTerminal says so of a reader or a writer.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
