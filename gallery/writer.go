package gallery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"rollcall/storage"
)

// writer makes the edits of a gallery, one after the other, in a goroutine of its
// own. All edits that wait at the same time become one commit: they are decided in
// memory, go to disk with one sync, and then become searchable together. While the
// disk is at work, the next ones gather.
//
// Only the writer changes the memory. It applies each commit, and loads everything
// again when it cannot trust the memory any more.
type writer struct {
	partition *storage.Partition
	opts      *Options
	memory    atomic.Pointer[memory] // nil while it is being loaded again
	recent    recentVectors          // only the goroutine uses it
	applies   func()                 // called after each commit that is in memory

	requests chan *request
	stop     chan struct{} // closed by the gallery's Close
	stopped  chan struct{} // closed when the goroutine has ended
}

// request is an edit that somebody waits for.
type request struct {
	ctx    context.Context
	cause  string
	decide func(*edit) error

	// Set before done is closed.
	seq  uint64
	err  error
	done chan struct{}
}

func (r *request) answer(seq uint64, err error) {
	r.seq, r.err = seq, err
	close(r.done)
}

const (
	// mostEdits bounds a commit: 512 enrolments of 512 dimensions are 1 MiB.
	mostEdits = 512

	// reloadPause is how long a gallery that could not be loaded waits before it
	// tries again.
	reloadPause = time.Second
)

// errReloading says why a gallery does not answer for the moment.
var errReloading = fmt.Errorf("%w: it is being loaded again", ErrUnavailable)

// newWriter loads the memory and starts the goroutine.
func newWriter(ctx context.Context, partition *storage.Partition, opts *Options, applies func()) (*writer, error) {
	w := &writer{
		partition: partition,
		opts:      opts,
		applies:   applies,
		requests:  make(chan *request),
		stop:      make(chan struct{}),
		stopped:   make(chan struct{}),
	}
	if err := w.load(ctx); err != nil {
		return nil, err
	}
	go w.run()
	return w, nil
}

// do makes one edit. Cause names it in the log: "enrol". Decide reads and writes
// through the edit. If it returns an error or panics, nothing of the edit is
// stored, and the other edits go on. It may be called at any time until do returns,
// never after.
//
// When do returns without an error, the edit is on disk and searchable, and seq is
// the number of its change. Ctx can stop the edit until its turn has come, and not
// after.
func (w *writer) do(ctx context.Context, cause string, decide func(*edit) error) (seq uint64, err error) {
	r := &request{ctx: ctx, cause: cause, decide: decide, done: make(chan struct{})}
	select {
	case w.requests <- r:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-w.stop:
		return 0, ErrClosed
	}
	<-r.done
	return r.seq, r.err
}

// run makes edits until the gallery is closed.
func (w *writer) run() {
	defer close(w.stopped)
	var again <-chan time.Time // when to load the memory; nil: not wanted
	for {
		if w.memory.Load() == nil && again == nil {
			again = time.After(reloadPause)
		}
		select {
		case <-w.stop:
			return
		case first := <-w.requests:
			w.commit(w.gather(first))
		case <-again:
			again = nil
			w.reload()
		}
	}
}

// gather returns the requests that wait already.
func (w *writer) gather(first *request) []*request {
	list := []*request{first}
	for len(list) < mostEdits {
		select {
		case r := <-w.requests:
			list = append(list, r)
		default:
			return list
		}
	}
	return list
}

// commit makes the edits that were asked for, in one commit.
func (w *writer) commit(requests []*request) {
	m := w.memory.Load()
	if m == nil {
		for _, r := range requests {
			r.answer(0, errReloading)
		}
		return
	}
	b := &batch{memory: m, partition: w.partition, log: w.opts.Logger}
	var waiting []*request
	for _, r := range requests {
		err := b.decide(r)
		if len(b.changes) == 0 {
			r.answer(m.seq, err)
			continue
		}
		// A refusal waits too: an earlier edit may be its reason, and is not on
		// disk yet.
		r.err = err
		if err == nil {
			r.seq = m.seq + uint64(len(b.changes))
		}
		waiting = append(waiting, r)
	}
	err := w.store(b)
	if errors.Is(err, storage.ErrReadOnly) && len(b.changes) > 1 {
		// A disk that is nearly full still takes deletions, if they come alone.
		for _, r := range waiting {
			w.commit([]*request{r})
		}
		return
	}
	for _, r := range waiting {
		r.answer(r.seq, cmp.Or(err, r.err))
	}
}

// decide decides one edit, and makes it part of the batch if it wrote something.
func (b *batch) decide(r *request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			// The panic's value may hold anything, so it is not repeated.
			b.log.Error("an edit panicked", "cause", r.cause, "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = fmt.Errorf("edit %q panicked", r.cause)
		}
	}()
	if err := r.ctx.Err(); err != nil {
		return err
	}
	e := &edit{ctx: r.ctx, now: time.Now().UTC(), batch: b}
	if err := r.decide(e); err != nil {
		return err
	}
	if len(e.own.order) > 0 {
		b.add(e, r.cause)
	}
	return nil
}

// store brings a batch to disk and then into memory.
func (w *writer) store(b *batch) error {
	if len(b.changes) == 0 {
		return nil
	}
	m := b.memory
	// No caller's context: if one caller gives up, the edits of the others must go
	// on.
	err := w.partition.Commit(context.Background(), m.seq, b.changes)
	switch {
	case errors.Is(err, storage.ErrReadOnly), errors.Is(err, storage.ErrInvalidID):
		return err // nothing was stored
	case err != nil:
		// Only the disk knows whether it was stored.
		w.opts.Logger.Error("a change failed: the gallery is loaded again", "error", err)
		w.reload()
		return fmt.Errorf("%w: a change failed, and may or may not be stored: look, or make it again", ErrUnavailable)
	}
	writes := b.writes()
	if err := w.applied(m, m.seq+uint64(len(b.changes)), writes); err != nil {
		w.opts.Logger.Error("a change that is on disk does not fit into memory: the gallery is loaded again", "error", err)
		if !w.reload() {
			return fmt.Errorf("%w: the change is stored", errReloading)
		}
	}
	return nil
}

// applied applies what was committed, and turns a panic into an error.
func (w *writer) applied(m *memory, seq uint64, writes []storage.Write) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a %T\n%s", p, debug.Stack())
		}
	}()
	if err := m.apply(seq, writes); err != nil {
		return err
	}
	w.recent.add(seq, writes)
	w.applies()
	return nil
}

// reload drops the gallery from memory and loads it again. If that fails, the
// gallery answers errReloading, and the writer tries again later.
func (w *writer) reload() bool {
	w.memory.Store(nil)
	if err := w.load(context.Background()); err != nil {
		w.opts.Logger.Error("the gallery cannot be loaded: calls are refused until it can", "error", err)
		return false
	}
	return true
}

// load makes the memory of what is stored.
func (w *writer) load(ctx context.Context) error {
	m, err := load(ctx, w.partition, w.opts)
	if err != nil {
		return err
	}
	// Earlier vectors are forgotten: a search that began before this moment is made
	// again.
	w.recent = recentVectors{forgotten: m.seq}
	w.memory.Store(m)
	return nil
}
