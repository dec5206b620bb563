// Package journal writes down what was asked and answered: the verdicts, the check-ins
// that people recorded, and the calls that were refused. The register and audits read
// it by number.
//
// [Open] the journals of a store. [Journals.Note] never waits: its line is on disk within
// a second. [Journals.Record] waits until its line is. Read with [Journals.Lines], and
// wait for more with [Journals.Grown].
//
// A journal needs no gallery in memory, and keeps none there.
package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"

	"rollcall/storage"

	pb "rollcall/proto/rollcall/v1"
)

// Server is the journal of the server itself, for calls that reached no gallery. No
// gallery has this id.
const Server = storage.ServerPartition

var (
	// ErrReadOnly says that the disk is nearly full: nothing was written. Retry later.
	ErrReadOnly = storage.ErrReadOnly

	// ErrNoGallery says that the gallery is not in the list of the server: it was deleted.
	ErrNoGallery = errors.New("gallery not found")

	// ErrTrimmed says that the lines after a number are not there: they were trimmed by
	// age, and then it is a [*TrimmedError]; or no line has this number yet.
	ErrTrimmed = storage.ErrTrimmed
)

// A TrimmedError is an ErrTrimmed that says where the journal begins.
type TrimmedError = storage.TrimmedError

// A Day is a day of a journal, with its head.
type Day = storage.Day

// Journals are those of all galleries of a store. They are safe for concurrent use.
type Journals struct {
	store *storage.Store
	log   *slog.Logger

	held atomic.Int64  // lines in memory, of all galleries
	lost atomic.Uint64 // lines that were never written

	mu      sync.Mutex // guards writers
	writers map[string]*writer

	stop    context.CancelFunc // ends the sweep
	sweeper sync.WaitGroup
}

// Open opens the journals of a store, and from then on deletes lines that are older than
// the settings of their galleries say. Nobody else may write to them. The logger takes
// counts and ids of galleries.
func Open(store *storage.Store, logger *slog.Logger) *Journals {
	ctx, stop := context.WithCancel(context.Background())
	j := &Journals{store: store, log: logger, writers: map[string]*writer{}, stop: stop}
	j.sweeper.Go(func() { j.sweep(ctx) })
	return j
}

// Close writes what is still in memory. Nothing may be noted or recorded any more. It
// does not close the store. The error says how many lines could not be written.
func (j *Journals) Close() error {
	j.stop()
	j.sweeper.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	var lost uint64
	for _, w := range j.writers {
		w.flush()
		lost += w.giveUp()
	}
	if lost > 0 {
		return fmt.Errorf("%d lines of the journal could not be written, and are lost", lost)
	}
	return nil
}

// Stats are figures of all journals together.
type Stats struct {
	Held int64  // lines that are in memory and not on disk yet
	Lost uint64 // lines that were never written, since the start
}

// Stats returns the figures of now.
func (j *Journals) Stats() Stats { return Stats{j.held.Load(), j.lost.Load()} }

// writer returns the writer of a gallery's journal.
func (j *Journals) writer(gallery string) (*writer, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if w := j.writers[gallery]; w != nil {
		return w, nil
	}
	partition, err := j.store.Partition(gallery)
	if err != nil {
		return nil, err
	}
	w := newWriter(j, gallery, partition)
	j.writers[gallery] = w
	return w, nil
}

// Note writes a line within a second, and never waits. It sets number and time. The
// line belongs to the journal from now on. If the disk cannot keep up or is full, lines
// are lost: the log and [Journals.Stats] say so, and a line says how many. Of refusals
// only some are written, and the next one that is says how many were left out. Nothing is
// written for a gallery that was deleted meanwhile.
func (j *Journals) Note(gallery string, line *pb.Line) {
	if w, err := j.writer(gallery); err == nil {
		w.note(line)
	}
}

// Record writes a line and returns its number once it is on disk. It sets number and
// time. The line belongs to the journal from now on. Request is a key that the caller has
// drawn, "": none: if the journal has a line with this key, Record returns its number and
// writes nothing. The errors are ErrReadOnly, ErrNoGallery, and those of the store, after
// which the line may or may not be written.
func (j *Journals) Record(gallery string, line *pb.Line, request string) (number uint64, err error) {
	w, err := j.writer(gallery)
	if err != nil {
		return 0, err
	}
	return w.record(line, request)
}

// Lines yields the lines after the one with this number, in order, as they are when the
// loop begins. All of them are on disk, and each is verified. The errors are ErrTrimmed and
// those of the store; an error is the last step.
func (j *Journals) Lines(ctx context.Context, gallery string, after uint64) iter.Seq2[*pb.Line, error] {
	return func(yield func(*pb.Line, error) bool) {
		partition, err := j.store.Partition(gallery)
		if err != nil {
			yield(nil, err)
			return
		}
		for stored, err := range partition.Lines(ctx, after) {
			var line *pb.Line
			if err == nil {
				line, err = decode(stored)
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// Grown returns a channel that is closed when there are more lines on disk. Call it first,
// then read, then wait.
func (j *Journals) Grown(gallery string) (<-chan struct{}, error) {
	w, err := j.writer(gallery)
	if err != nil {
		return nil, err
	}
	return w.next(), nil
}

// Erase takes the student out of all lines of the gallery, on disk when it returns. It
// returns how many lines on disk it was in. The errors are those of
// [storage.Partition.Blank]: call it again.
func (j *Journals) Erase(ctx context.Context, gallery, student string) (int, error) {
	w, err := j.writer(gallery)
	if err != nil {
		return 0, err
	}
	return w.erase(ctx, student)
}

// Days returns the days of a gallery's journal, in order; the last one is open.
func (j *Journals) Days(ctx context.Context, gallery string) ([]Day, error) {
	partition, err := j.store.Partition(gallery)
	if err != nil {
		return nil, err
	}
	var days []Day
	for day, err := range partition.Days(ctx) {
		if err != nil {
			return nil, err
		}
		days = append(days, day)
	}
	return days, nil
}

// ServerNumber is the number of the server, which the chain of every day begins with.
func (j *Journals) ServerNumber() uint64 { return j.store.Server() }
