package journal

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/storage"
)

const (
	// flushAfter is how long a line waits for others before it goes to disk: half of the
	// second that is promised, so that the disk has the other half.
	flushAfter = 500 * time.Millisecond

	// mostHeld bounds the lines that wait in memory, of all galleries: some 8 MiB. The
	// busiest server answers fewer in a minute.
	mostHeld = 16 << 10

	// Refusals cost a caller nothing, so that they could fill the disk. A hundred at once
	// are written, enough to see what somebody tried, and then one in ten seconds: 2 MiB
	// a day.
	refusalsAtOnce = 100
	refusalPause   = 10 * time.Second
)

// writer writes the journal of one gallery. It has no goroutine of its own: the first
// line that waits starts a timer, and all that wait then are written together.
type writer struct {
	journals  *Journals
	gallery   string
	partition *storage.Partition
	log       *slog.Logger
	refusals  *rate.Limiter

	disk    sync.Mutex // held while the journal on disk is changed; taken before mu
	failing bool       // guarded by disk: the last write failed, which was logged

	mu      sync.Mutex // guards the fields that follow
	waiting []*entry   // in their order in the journal
	timer   bool       // a flush will come, or is under way
	lost    uint64     // lines that were lost since the last write
	omitted uint64     // refusals that were left out since the last one that was not
	grown   chan struct{}
}

// entry is a line that waits to be written.
type entry struct {
	line storage.Line
	done chan recorded // nil: nobody waits for it
}

type recorded struct {
	number uint64
	err    error
}

func newWriter(j *Journals, gallery string, partition *storage.Partition) *writer {
	return &writer{
		journals: j, gallery: gallery, partition: partition, log: j.log.With("gallery", gallery),
		refusals: rate.NewLimiter(rate.Every(refusalPause), refusalsAtOnce),
		grown:    make(chan struct{}),
	}
}

func (w *writer) note(line *pb.Line) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if line.GetKind() == pb.LineKind_LINE_KIND_REFUSAL {
		if !w.refusals.Allow() {
			w.omitted++
			return
		}
		line.Omitted, w.omitted = w.omitted, 0
	}
	stored, err := encode(line, "")
	if err != nil || w.journals.held.Load() >= mostHeld {
		w.lose(1)
	} else {
		w.hold(&entry{line: stored})
	}
	w.flushLater()
}

func (w *writer) record(line *pb.Line, request string) (uint64, error) {
	stored, err := encode(line, request)
	if err != nil {
		return 0, err
	}
	e := &entry{line: stored, done: make(chan recorded, 1)}
	w.mu.Lock()
	w.hold(e)
	w.mu.Unlock()
	w.flush() // or another flush has taken the line: then this one waits for that
	r := <-e.done
	return r.number, r.err
}

// hold makes a line wait.
// REQUIRES: mu is held.
func (w *writer) hold(e *entry) {
	w.journals.held.Add(1)
	w.waiting = append(w.waiting, e)
}

// lose counts lines that are lost.
// REQUIRES: mu is held.
func (w *writer) lose(n int) {
	w.lost += uint64(n)
	w.journals.lost.Add(uint64(n))
}

// flushLater starts the timer, unless it runs or its flush is under way: a disk that
// hangs holds one flush.
// REQUIRES: mu is held.
func (w *writer) flushLater() {
	if w.timer {
		return
	}
	w.timer = true
	time.AfterFunc(flushAfter, func() {
		w.flush()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.timer = false
		if len(w.waiting) > 0 || w.lost > 0 {
			w.flushLater()
		}
	})
}

// flush writes all that waits, and answers those who wait for it.
func (w *writer) flush() {
	w.disk.Lock()
	defer w.disk.Unlock()
	w.mu.Lock()
	entries, lost := w.waiting, w.lost
	w.waiting = nil
	w.mu.Unlock()
	if len(entries) == 0 && lost == 0 {
		return
	}
	numbers, err := w.write(entries, lost)
	w.settle(entries, lost, err)
	for i, e := range entries {
		switch {
		case e.done == nil:
		case err != nil:
			e.done <- recorded{err: err}
		default:
			e.done <- recorded{number: numbers[i]}
		}
	}
}

// write appends the lines, and before them one that says how many were lost. It returns
// the number of each.
// REQUIRES: disk is held.
func (w *writer) write(entries []*entry, lost uint64) ([]uint64, error) {
	if listed, err := w.journals.listed(w.gallery); err != nil || !listed {
		return nil, cmp.Or(err, ErrNoGallery)
	}
	var lines []storage.Line
	if lost > 0 {
		line, err := encode(&pb.Line{Kind: pb.LineKind_LINE_KIND_LOST, Omitted: lost}, "")
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	for _, e := range entries {
		lines = append(lines, e.line)
	}
	numbers, err := w.partition.Append(context.Background(), lines)
	if err != nil {
		return nil, err
	}
	return numbers[len(lines)-len(entries):], nil
}

// settle notes what a write came to. If nothing was stored because the disk is full, lines
// for which nobody waits wait again. After any other error they may be stored, and are
// lost: a line that is written twice would be worse.
// REQUIRES: disk is held.
func (w *writer) settle(entries []*entry, lost uint64, err error) {
	var again []*entry
	failed := 0
	for _, e := range entries {
		switch {
		case err == nil || e.done != nil || errors.Is(err, ErrNoGallery):
		case errors.Is(err, ErrReadOnly):
			again = append(again, e)
		default:
			failed++
		}
	}
	w.mu.Lock()
	w.journals.held.Add(int64(len(again) - len(entries)))
	w.waiting = append(again, w.waiting...)
	if err == nil || errors.Is(err, ErrNoGallery) {
		w.lost -= lost
		close(w.grown)
		w.grown = make(chan struct{})
	} else {
		w.lose(failed)
		w.flushLater()
	}
	lost = w.lost
	w.mu.Unlock()
	switch {
	case errors.Is(err, ErrNoGallery):
		err = nil // there is nothing to write any more
	case err != nil && !w.failing:
		w.log.Error("the journal cannot be written: verdicts wait in memory, and are lost when there are too many", "error", err)
	case err == nil && w.failing:
		w.log.Info("the journal is written again")
	case err == nil && lost > 0:
		w.log.Error("verdicts come faster than the disk takes them: lines of the journal are lost", "lines", lost)
	}
	w.failing = err != nil
}

// giveUp counts the lines that wait as lost, and returns how many were never written.
func (w *writer) giveUp() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.waiting)
	w.waiting = nil
	w.journals.held.Add(int64(-n))
	w.lose(n)
	lost := w.lost
	w.lost = 0
	return lost
}

// next returns the channel that is closed after the next write.
func (w *writer) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.grown
}

// erase takes a student out of the lines that wait, and then out of those on disk.
func (w *writer) erase(ctx context.Context, student string) (int, error) {
	w.disk.Lock()
	defer w.disk.Unlock()
	w.mu.Lock()
	for _, e := range w.waiting {
		if e.line.Student == student {
			e.line.Student, e.line.Request = "", ""
		}
	}
	w.mu.Unlock()
	return w.partition.Blank(ctx, student)
}

// trim deletes old lines, and says whether it has to be called again.
func (w *writer) trim(ctx context.Context) (more bool, err error) {
	w.disk.Lock()
	defer w.disk.Unlock()
	return w.partition.TrimJournal(ctx, time.Now())
}
