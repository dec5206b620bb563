package embedder

import (
	"context"
	"sync/atomic"
	"time"
)

// The delay that a refused caller is told stays between these: shorter only makes it ask in vain,
// and longer than half a minute is no queue of a healthy server.
const (
	minRetry = 50 * time.Millisecond
	maxRetry = 30 * time.Second
)

// queue bounds what all callers together cost. A ticket is the right to be here at all; a worker's
// place, the right to use a core and memory for pixels. Whoever holds neither is refused at once, and
// nothing is decoded before a place is held: a thousand callers do not decode a thousand crops.
//
// There are as many places as sessions, so that a session of each model is free for whoever holds
// one. The time in which one caller decodes is used by the others' runs: the cores are the limit, and
// all work of a caller is one thread's. A queue is safe for concurrent use.
type queue struct {
	tickets chan struct{}
	places  chan struct{}
	mean    atomic.Int64 // nanoseconds that a caller held its place, averaged over the last ones
	turns   atomic.Int64 // places held without a ticket, see turn
}

func newQueue(workers, waiting int) *queue {
	return &queue{tickets: make(chan struct{}, workers+waiting), places: make(chan struct{}, workers)}
}

// enter takes a ticket or returns a [QueueFullError].
func (q *queue) enter() error {
	select {
	case q.tickets <- struct{}{}:
		return nil
	default:
		return &QueueFullError{RetryAfter: q.retryAfter()}
	}
}

func (q *queue) leave() { <-q.tickets }

// begin waits for a place, first come, first served, until ctx ends or closing is closed. The caller
// calls the returned function when its work is done.
func (q *queue) begin(ctx context.Context, closing <-chan struct{}) (done func(), err error) {
	if err := q.takePlace(ctx, closing); err != nil {
		return nil, err
	}
	start := time.Now()
	return func() {
		q.served(time.Since(start))
		<-q.places
	}, nil
}

// takePlace waits for a place.
func (q *queue) takePlace(ctx context.Context, closing <-chan struct{}) error {
	// Asked first, because select picks any of several that are possible.
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case q.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-closing:
		return ErrClosed
	}
}

// memory is over how many callers the mean service time is taken, about.
const memory = 16

func (q *queue) served(d time.Duration) {
	mean := q.mean.Load()
	if mean == 0 {
		mean = int64(d)
	}
	// Two callers at once may lose one of the two: the figure is an estimate.
	q.mean.Store(mean + (int64(d)-mean)/memory)
}

// retryAfter is the time in which those who hold a ticket will have been served.
func (q *queue) retryAfter() time.Duration {
	d := time.Duration(q.mean.Load()) * time.Duration(len(q.tickets)) / time.Duration(cap(q.places))
	return min(max(d, minRetry), maxRetry).Round(time.Millisecond)
}
