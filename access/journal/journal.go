package journal

import (
	"context"
	"errors"
	"log/slog"
	"slices"
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

// Journal is that of one gallery, or of the server. It ends when its gallery is deleted; one
// that is made again under the same name has another Journal. It has no goroutine of its own:
// the first line that waits starts a timer, and all that wait then are written together. It is
// safe for concurrent use.
type Journal struct {
	journals  *Journals
	gallery   string
	partition *storage.Partition
	log       *slog.Logger
	refusals  *rate.Limiter

	disk    sync.Mutex // held while the journal on disk is changed; taken before mu
	failing bool       // guarded by disk: the last write failed, which was logged

	mu      sync.Mutex    // guards the fields that follow
	waiting []*entry      // in their order in the journal
	timer   bool          // a flush will come, or is under way
	lost    uint64        // lines that were lost since the last write
	omitted uint64        // refusals that were left out since the last one that was not
	ended   bool          // the gallery was deleted
	grown   chan struct{} // closed after the next write, and at the end
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

func newJournal(all *Journals, gallery string, partition *storage.Partition) *Journal {
	return &Journal{
		journals: all, gallery: gallery, partition: partition, log: all.log.With("gallery", gallery),
		refusals: rate.NewLimiter(rate.Every(refusalPause), refusalsAtOnce),
		grown:    make(chan struct{}),
	}
}

// Note writes a line within a second, and never waits. It sets number and time. The
// line belongs to the journal from now on. If the disk cannot keep up or is full, lines
// are lost: the log and [Journals.Stats] say so, and a line says how many. Of refusals
// only some are written, and the next one that is says how many were left out. Nothing is
// written once the journal has ended.
func (j *Journal) Note(line *pb.Line) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ended {
		return
	}
	if line.GetKind() == pb.LineKind_LINE_KIND_REFUSAL {
		if !j.refusals.Allow() {
			j.omitted++
			return
		}
		line.Omitted, j.omitted = j.omitted, 0
	}
	stored, err := encode(line, "")
	if err != nil || j.journals.held.Load() >= mostHeld {
		j.lose(1)
	} else {
		j.hold(&entry{line: stored})
	}
	j.flushLater()
}

// Record writes a line and returns its number once it is on disk. It sets number and
// time. The line belongs to the journal from now on. Request is a key that the caller has
// drawn, "": none: if the journal has a line with this key, Record returns its number and
// writes nothing. The errors are ErrReadOnly, ErrNoGallery, and those of the store, after
// which the line may or may not be written.
func (j *Journal) Record(line *pb.Line, request string) (number uint64, err error) {
	stored, err := encode(line, request)
	if err != nil {
		return 0, err
	}
	e := &entry{line: stored, done: make(chan recorded, 1)}
	if err := j.holdUnlessEnded(e); err != nil {
		return 0, err
	}
	j.flush() // or another flush has taken the line: then this one waits for that
	r := <-e.done
	return r.number, r.err
}

// holdUnlessEnded makes a line wait, or returns ErrNoGallery.
func (j *Journal) holdUnlessEnded(e *entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ended {
		return ErrNoGallery
	}
	j.hold(e)
	return nil
}

// hold makes a line wait.
// REQUIRES: mu is held.
func (j *Journal) hold(e *entry) {
	j.journals.held.Add(1)
	j.waiting = append(j.waiting, e)
}

// lose counts lines that are lost.
// REQUIRES: mu is held.
func (j *Journal) lose(n int) {
	j.lost += uint64(n)
	j.journals.lost.Add(uint64(n))
}

// flushLater starts the timer, unless it runs or its flush is under way: a disk that
// hangs holds one flush.
// REQUIRES: mu is held.
func (j *Journal) flushLater() {
	if j.timer {
		return
	}
	j.timer = true
	time.AfterFunc(flushAfter, func() {
		j.flush()
		j.mu.Lock()
		defer j.mu.Unlock()
		j.timer = false
		if len(j.waiting) > 0 || j.lost > 0 {
			j.flushLater()
		}
	})
}

// flush writes all that waits, and answers those who wait for it.
func (j *Journal) flush() {
	j.disk.Lock()
	defer j.disk.Unlock()
	j.mu.Lock()
	entries, lost := j.waiting, j.lost
	j.waiting = nil
	j.mu.Unlock()
	if len(entries) == 0 && lost == 0 {
		return
	}
	numbers, err := j.write(entries, lost)
	j.settle(entries, lost, err)
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
func (j *Journal) write(entries []*entry, lost uint64) ([]uint64, error) {
	if err := j.endUnlessListed(); err != nil {
		return nil, err
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
	numbers, err := j.partition.Append(context.Background(), lines)
	if err != nil {
		return nil, err
	}
	return numbers[len(lines)-len(entries):], nil
}

// settle notes what a write came to. If nothing was stored because the disk is full, lines
// for which nobody waits wait again. After any other error they may be stored, and are
// lost: a line that is written twice would be worse.
// REQUIRES: disk is held.
func (j *Journal) settle(entries []*entry, lost uint64, err error) {
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
	j.mu.Lock()
	j.journals.held.Add(int64(len(again) - len(entries)))
	j.waiting = append(again, j.waiting...)
	switch {
	case err == nil:
		j.lost -= lost
		close(j.grown)
		j.grown = make(chan struct{})
	case !errors.Is(err, ErrNoGallery):
		j.lose(failed)
		j.flushLater()
	}
	lost = j.lost
	j.mu.Unlock()
	switch {
	case errors.Is(err, ErrNoGallery):
		err = nil // there is nothing to write any more
	case err != nil && !j.failing:
		j.log.Error("the journal cannot be written: verdicts wait in memory, and are lost when there are too many", "error", err)
	case err == nil && j.failing:
		j.log.Info("the journal is written again")
	case err == nil && lost > 0:
		j.log.Error("verdicts come faster than the disk takes them: lines of the journal are lost", "lines", lost)
	}
	j.failing = err != nil
}

// endUnlessListed ends the journal if the server does not have its gallery any more, and
// returns ErrNoGallery; or the error of the store. While disk is held, who deletes the
// gallery waits.
// REQUIRES: disk is held.
func (j *Journal) endUnlessListed() error {
	if j.hasEnded() {
		return ErrNoGallery // a gallery of this name is another one
	}
	err := j.journals.listed(j.gallery)
	if !errors.Is(err, ErrNoGallery) {
		return err
	}
	j.end()
	return err
}

// end ends the journal: what waits is not written.
// REQUIRES: disk is held.
func (j *Journal) end() {
	j.journals.forget(j.gallery)
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.waiting {
		if e.done != nil {
			e.done <- recorded{err: ErrNoGallery}
		}
	}
	j.journals.held.Add(int64(-len(j.waiting)))
	j.waiting, j.lost, j.ended = nil, 0, true
	close(j.grown)
}

// giveUp counts the lines that wait as lost, and returns how many were never written.
func (j *Journal) giveUp() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := len(j.waiting)
	j.waiting = nil
	j.journals.held.Add(int64(-n))
	j.lose(n)
	lost := j.lost
	j.lost = 0
	return lost
}

// Erase takes students out of all lines, on disk when it returns. It returns how many
// lines on disk each was in. The errors are those of [storage.Partition.Blank]: call it
// again.
func (j *Journal) Erase(ctx context.Context, students ...string) (map[string]int, error) {
	j.disk.Lock()
	defer j.disk.Unlock()
	j.mu.Lock()
	for _, e := range j.waiting {
		if slices.Contains(students, e.line.Student) {
			e.line.Student, e.line.Request = "", ""
		}
	}
	j.mu.Unlock()
	switch err := j.endUnlessListed(); {
	case errors.Is(err, ErrNoGallery):
		return nil, nil // all lines went with the gallery
	case err != nil:
		return nil, err
	}
	return j.partition.Blank(ctx, students...)
}

// trim deletes old lines, and says whether it has to be called again.
func (j *Journal) trim(ctx context.Context) (more bool, err error) {
	j.disk.Lock()
	defer j.disk.Unlock()
	switch err := j.endUnlessListed(); {
	case errors.Is(err, ErrNoGallery):
		return false, nil
	case err != nil:
		return false, err
	}
	return j.partition.TrimJournal(ctx, time.Now())
}
