package embedder

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// A photo costs as much as a hundred crops, and check-ins must not wait for it. So photos have a queue of
// their own. It bounds how many are worked on and how many wait. The work on a photo is cut into turns of a
// few milliseconds. Each turn takes a place of the crops' queue, as a crop of the photo's caller. So a crop
// waits for the turns under way and those before it in the queue, never for a whole photo. On an idle
// server one photo has all places.
//
// Measured on two shared cores of an AMD EPYC (November 2026, an experiment; no command prints it): a
// client that sends one crop at a time waits 4.9 ms (median; p99 11 ms), and 10.5 ms (p99 27 ms) while
// three others send one photo of 12 megapixels after another.
//
// Decoding cannot be cut, so it is one turn, and so is halving. While a photo of 12 megapixels is decoded,
// for some 100 ms, there is one place less.

// turnTime is about how long a worker keeps a place: the time of one crop.
const turnTime = 8 * time.Millisecond

// photosAtOnce is how many photos are worked on side by side. While one is decoded on one core, a second
// one can use the others. More would only hold memory.
func photosAtOnce(sessions int) int { return max(1, min(2, sessions/2)) }

// turn waits for a place as begin does, but without a ticket. It does not count as a call, because the
// delays that refused calls are told concern crops.
func (q *queue) turn(ctx context.Context, closing <-chan struct{}, caller string) (done func(), err error) {
	if err := q.takePlace(ctx, closing, &ticket{caller: caller}); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.turns++
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.mu.turns--
		q.givePlace()
	}, nil
}

// crew does the parts of the work on a photo.
type crew struct {
	e *Embedder
	// hired: the call holds one place all the time, as for a frame. Otherwise each part takes turns.
	hired  bool
	caller string
}

// one does one thing that cannot be cut.
func (c crew) one(ctx context.Context, f func() error) error {
	if c.hired {
		return f()
	}
	done, err := c.e.queue.turn(ctx, c.e.closing, c.caller)
	if err != nil {
		return err
	}
	defer done()
	return f()
}

// each calls f with 0 to n-1, in as many goroutines at once as there are places for. After the first error
// it begins no further calls, waits for those under way, and returns that error. A panic of f becomes an
// error.
func (c crew) each(ctx context.Context, n int, f func(i int) error) error {
	if c.hired {
		for i := range n {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := c.part(f, i); err != nil {
				return err
			}
		}
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, c.e.options.Sessions) {
		workers.Go(func() {
			for int(next.Load()) < n {
				if err := c.turn(ctx, &next, n, f); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// turn takes one turn of a worker of each.
func (c crew) turn(ctx context.Context, next *atomic.Int64, n int, f func(i int) error) error {
	done, err := c.e.queue.turn(ctx, c.e.closing, c.caller)
	if err != nil {
		return err
	}
	defer done()
	for start := time.Now(); time.Since(start) < turnTime && ctx.Err() == nil; {
		i := int(next.Add(1)) - 1
		if i >= n {
			return nil
		}
		if err := c.part(f, i); err != nil {
			return err
		}
	}
	return nil
}

// errPanic: one photo has met a mistake of the program.
var errPanic = errors.New("the work on a photo panicked")

// part does one part of the work. A panic becomes an error: nothing else would catch it in a goroutine of
// each, and a photo must not end the process.
func (c crew) part(f func(i int) error, i int) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("%w: %s", errPanic, panicText(value))
			// The stack says where, and holds no pixels.
			c.e.options.Logger.Error("the work on a photo panicked",
				"value", panicText(value), "stack", string(debug.Stack()))
		}
	}()
	return f(i)
}

// panicText is what may be logged of a panic's value: its text if Go's runtime wrote it, otherwise its
// type. Another text could hold pixels of a face.
func panicText(value any) string {
	if err, ok := value.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a value of type %T", value)
}
