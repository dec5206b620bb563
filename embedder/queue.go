package embedder

import (
	"context"
	"sync/atomic"
	"time"
)

// The delay that a refused caller is told stays between these. With a shorter delay it would only ask in
// vain, and a healthy server has no queue of more than half a minute.
const (
	minRetry = 50 * time.Millisecond
	maxRetry = 30 * time.Second
)

// queue bounds the cost of all callers together. A ticket is the right to wait or work here. A place is the
// right to use a core and memory for pixels. A caller that gets no ticket is refused at once, and a caller
// decodes only while it holds a place: a thousand callers do not decode a thousand crops.
//
// There are as many places as sessions, so whoever holds a place finds a free session of each model. While
// one caller decodes, the others run models: the cores are the limit, and one caller uses one thread at a
// time. A queue is safe for concurrent use.
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

// alone reports whether at most one place is taken.
func (q *queue) alone() bool { return len(q.places) <= 1 }

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
	// Checked first, because select picks any of several ready cases.
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

// memory is about how many callers the mean service time is taken over.
const memory = 16

func (q *queue) served(d time.Duration) {
	mean := q.mean.Load()
	if mean == 0 {
		mean = int64(d)
	}
	// Two callers at once may lose one of the two: the figure is an estimate.
	q.mean.Store(mean + (int64(d)-mean)/memory)
}

// retryAfter is about the time that serving all ticket holders takes.
func (q *queue) retryAfter() time.Duration {
	d := time.Duration(q.mean.Load()) * time.Duration(len(q.tickets)) / time.Duration(cap(q.places))
	return min(max(d, minRetry), maxRetry).Round(time.Millisecond)
}
