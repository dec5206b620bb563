// Package journal writes down what was asked and answered: the verdicts, the check-ins
// that people recorded, and the calls that were refused. The register and audits read
// it by number.
//
// [Open] the journals of a store. [Journals.Of] is that of a gallery. [Journal.Note] never
// waits: its line is on disk within a second. [Journal.Record] waits until its line is. Read
// with [Journal.Lines], and wait for more with [Journal.Grown].
//
// A journal needs no gallery in memory, and keeps none there.
package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"rollcall/storage"
)

// Server is the journal of the server itself, for calls that reached no gallery. No
// gallery has this id.
const Server = storage.ServerPartition

var (
	// ErrReadOnly says that the disk is nearly full: nothing was written. Retry later.
	ErrReadOnly = storage.ErrReadOnly

	// ErrNoGallery says that the gallery is not in the list of the server: it was deleted,
	// and its journal with it.
	ErrNoGallery = errors.New("gallery not found: it was deleted")

	// ErrTrimmed says that the lines after a number are not there: they were trimmed by
	// age, and then it is a [*TrimmedError]; or no line has this number yet.
	ErrTrimmed = storage.ErrTrimmed
)

// A TrimmedError is an ErrTrimmed that says where the journal begins.
type TrimmedError = storage.TrimmedError

// Journals are those of all galleries of a store. They are safe for concurrent use.
type Journals struct {
	store *storage.Store
	log   *slog.Logger

	held atomic.Int64  // lines in memory, of all galleries
	lost atomic.Uint64 // lines that were never written

	mu   sync.Mutex // guards open; taken after Journal.disk
	open map[string]*Journal

	stop    context.CancelFunc // ends the sweep
	sweeper sync.WaitGroup
}

// Open opens the journals of a store, and from then on deletes lines that are older than
// the settings of their galleries say. Nobody else may write to them. The logger takes
// counts and ids of galleries.
func Open(store *storage.Store, logger *slog.Logger) *Journals {
	ctx, stop := context.WithCancel(context.Background())
	j := &Journals{store: store, log: logger, open: map[string]*Journal{}, stop: stop}
	j.sweeper.Go(func() { j.sweep(ctx) })
	return j
}

// Close writes what is still in memory. Nothing may be noted or recorded any more. It
// does not close the store. The error says how many lines could not be written.
func (j *Journals) Close() error {
	j.stop()
	j.sweeper.Wait()
	j.mu.Lock()
	open := slices.Collect(maps.Values(j.open))
	j.mu.Unlock()
	var lost uint64
	for _, one := range open {
		one.flush()
		lost += one.giveUp()
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

// ServerNumber is the number of the server, which the chain of every day begins with.
func (j *Journals) ServerNumber() uint64 { return j.store.Server() }

// Of returns the journal of a gallery, or of the [Server]. The errors are ErrNoGallery and
// those of the store.
func (j *Journals) Of(gallery string) (*Journal, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if one := j.open[gallery]; one != nil {
		return one, nil
	}
	if err := j.listed(gallery); err != nil {
		return nil, err
	}
	return j.opened(gallery)
}

// opened returns the journal of a gallery.
// REQUIRES: mu is held.
func (j *Journals) opened(gallery string) (*Journal, error) {
	if one := j.open[gallery]; one != nil {
		return one, nil
	}
	partition, err := j.store.Partition(gallery)
	if err != nil {
		return nil, err
	}
	j.open[gallery] = newJournal(j, gallery, partition)
	return j.open[gallery], nil
}

// Delete calls drop, which deletes a gallery and returns why it could not. Nothing is
// written to the gallery's journal meanwhile. If the gallery is not in the list of the
// server afterwards, the journal has ended: what still waits is not written, also not to the
// journal of a gallery that is made again under this name. Delete returns the error of drop.
func (j *Journals) Delete(gallery string, drop func() error) error {
	one, err := j.locked(gallery)
	if err != nil {
		return drop() // it says what is wrong with the id
	}
	defer one.disk.Unlock()
	if err = drop(); err == nil {
		one.end() // without a look at the list: somebody may have made the gallery again
		return nil
	}
	if unknown := one.endUnlessListed(); unknown != nil && !errors.Is(unknown, ErrNoGallery) {
		j.log.Warn("nobody knows whether a gallery was deleted: its journal asks again before it writes", "gallery", gallery, "error", unknown)
	}
	return err
}

// locked returns the journal of a gallery, whose lock disk it takes.
func (j *Journals) locked(gallery string) (*Journal, error) {
	for {
		j.mu.Lock()
		one, err := j.opened(gallery)
		j.mu.Unlock()
		if err != nil {
			return nil, err
		}
		one.disk.Lock()
		if !one.hasEnded() {
			return one, nil
		}
		one.disk.Unlock() // somebody else has just deleted that gallery
	}
}

// forget lets go of a journal that has ended.
func (j *Journals) forget(gallery string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.open, gallery)
}

// listed returns ErrNoGallery if the server does not have this gallery.
func (j *Journals) listed(gallery string) error {
	if gallery == Server {
		return nil
	}
	own, err := j.store.Partition(Server)
	if err != nil {
		return err
	}
	records, err := own.Fetch(context.Background(), storage.Gallery{ID: gallery}.Ref())
	if err == nil && len(records) == 0 {
		err = ErrNoGallery
	}
	return err
}
