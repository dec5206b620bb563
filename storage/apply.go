package storage

import (
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// Commit is a change that was applied: every read sees it, and [Commit.Wait]
// tells when it is on disk.
type Commit struct {
	// Seq is the change's sequence number: one more than that of the change
	// before it. A change that a crash took back leaves its number to the next.
	Seq uint64

	wait func() error
}

// Wait returns once the change, and with it every change before it, is on
// disk. Writers that wait at the same time share one fsync. It is safe for
// concurrent use, may be called again, and works after the store was closed.
//
// A disk that does not take the change ends the process: after a failed fsync
// nobody knows what is on the disk, while readers have already seen the
// change, so no answer from this process could be trusted.
func (c *Commit) Wait() error { return c.wait() }

// Apply writes a change: it gives it the next sequence number and makes it
// visible to reads, all of it at once. The change is not on disk yet, so do
// not acknowledge it to anyone before [Commit.Wait] returns.
//
// It returns ErrReadOnly while the disk is nearly full, ErrInvalidID for an id
// of a wrong length, ErrApplied for a change that was applied before, and
// ErrClosed. On every error nothing was written. It is safe for concurrent
// use; changes take effect in the order of their sequence numbers.
func (s *Store) Apply(c *Change) (*Commit, error) {
	release, err := s.acquire()
	if err != nil {
		return nil, err
	}
	defer release()

	s.writes.Lock()
	defer s.writes.Unlock()
	if c.applied {
		return nil, ErrApplied
	}
	if err := s.space.check(); err != nil {
		return nil, err
	}
	batch := s.db.NewIndexedBatch()
	seq := s.seq.Load() + 1
	if err := s.submit(batch, c, seq); err != nil {
		// Nothing was committed, so there is nothing that closing could lose.
		_ = batch.Close()
		return nil, err
	}
	c.applied = true
	s.seq.Store(seq)
	return &Commit{Seq: seq, wait: sync.OnceValue(func() error { return s.sync(batch, seq) })}, nil
}

// submit fills the batch with the change and gives it to Pebble, which orders
// it in the log without waiting for the disk.
//
// REQUIRES: s.writes is held, as steps read records that they then replace.
func (s *Store) submit(batch *pebble.Batch, c *Change, seq uint64) error {
	w := &writer{batch: batch, seq: seq}
	for _, step := range c.steps {
		if err := step(w); err != nil {
			return err
		}
	}
	if err := w.logChange(s.origin, s.keepLogged); err != nil {
		return err
	}
	if err := setMeta(batch, metaSequence, seq); err != nil {
		return err
	}
	defer s.stopOnPanic("change %d was not applied", seq)
	if err := s.db.ApplyNoSyncWait(batch, pebble.Sync); err != nil {
		return fmt.Errorf("storage: applying change: %w", err)
	}
	return nil
}

// stopOnPanic, deferred, ends the process when Pebble panics: it does when its
// log has failed, with its locks held, and a server that recovers panics, as
// net/http does, would live on and hang.
func (s *Store) stopOnPanic(format string, args ...any) {
	if failure := recover(); failure != nil {
		s.log.Fatalf(format+": %v", append(args, failure)...)
	}
}

// sync waits for the batch's fsync. Pebble itself ends the process only when a
// commit fails that it waits for, so a failed wait of ours does it here.
func (s *Store) sync(batch *pebble.Batch, seq uint64) error {
	if err := batch.SyncWait(); err != nil {
		s.log.Fatalf("change %d did not reach the disk: %v", seq, err)
		return fmt.Errorf("storage: change %d did not reach the disk: %w", seq, err)
	}
	if err := batch.Close(); err != nil {
		return fmt.Errorf("storage: releasing change %d: %w", seq, err)
	}
	return nil
}
