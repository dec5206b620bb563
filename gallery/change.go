package gallery

import (
	"context"
	"fmt"
	"sync"

	"rollcall/storage"
)

// writer orders the changes. Its lock covers reading the records that a change
// depends on, and applying it: so a change is decided on everything that was
// applied before it, whether or not that is on disk or in memory yet.
//
// Lock order: writer, then Gallery.mu.
type writer struct {
	sync.Mutex
	order  order
	recent recentVectors
}

// change makes one change. Build reads storage, and puts what is to be stored
// into the change and what follows from it in memory into the step; its error
// ends the change without a trace. Build must not read the state in memory,
// which may be some changes behind.
//
// When change returns without an error, the change is on disk and searchable.
// Once it is applied, ctx no longer matters: the wait for the disk is short,
// and a change that is stored has to become searchable.
func (g *Gallery) change(ctx context.Context, build func(*storage.Change, *step) error) (seq uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var s step
	commit, t, err := g.apply(build, &s)
	if err != nil {
		return 0, err
	}
	// Outside the writer's lock: concurrent changes share one write to the disk.
	onDisk := commit.Wait()
	t.wait()
	defer t.pass()
	if onDisk != nil {
		onDisk = fmt.Errorf("write change %d to disk: %w", s.seq, onDisk)
	}
	return s.seq, g.finish(&s, onDisk)
}

// apply decides a change and applies it to storage, visible but not yet on disk.
func (g *Gallery) apply(build func(*storage.Change, *step) error, s *step) (*storage.Commit, turn, error) {
	w := &g.writer
	w.Lock()
	defer w.Unlock()
	if err := g.writable(); err != nil {
		return nil, turn{}, err
	}
	var c storage.Change
	if err := build(&c, s); err != nil {
		return nil, turn{}, err
	}
	commit, err := g.store.Apply(&c)
	if err != nil {
		return nil, turn{}, fmt.Errorf("apply change: %w", err)
	}
	s.seq = commit.Seq
	w.recent.add(s, g.sequence())
	return commit, w.order.join(), nil
}

// writable says why no change can be made, if so.
func (g *Gallery) writable() error {
	if g.closed.Load() {
		return ErrClosed
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.failed
}

// sequence returns the number of the last change that is searchable.
func (g *Gallery) sequence() uint64 {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.state.seq
}

// finish takes the last step of a change, in memory. After a change that did
// not reach the disk, or does not fit into the index, storage and memory are no
// longer in step, and nothing after it can be trusted to be: the gallery then
// takes no further change until it is opened again.
// REQUIRES: the change's turn has come.
func (g *Gallery) finish(s *step, onDisk error) error {
	if g.failed != nil { // read without the lock: only who is at turn writes it
		return g.failed
	}
	err := onDisk
	if err == nil {
		err = g.publish(s)
	}
	if err != nil {
		g.opts.Logger.Error("gallery takes no further changes: open it again", "sequence", s.seq, "error", err)
		g.mu.Lock()
		g.failed = fmt.Errorf("%w: change %d failed", ErrReadOnly, s.seq)
		g.mu.Unlock()
	}
	return err
}

// quiet waits until every change that was applied has taken its last step.
// REQUIRES: the writer's lock is held.
func (g *Gallery) quiet() { <-g.writer.order.tail }
