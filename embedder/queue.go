package embedder

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The delay that a refused caller is told stays between these, but for the jitter. With a shorter delay it
// would only ask in vain. With a longer one somebody would stand before a door that is long free. So if more
// callers are refused than can be served in this time, some of them come again in vain.
const (
	minRetry = 50 * time.Millisecond
	maxRetry = 10 * time.Second

	// retryJitter is how much shorter or longer a delay may be, as a share of it. So callers who are all
	// told the longest delay do not come again at one moment.
	retryJitter = 0.25
)

// queue bounds the cost of all callers together. A ticket is the right to wait or work here. A place is the
// right to use a core and memory for pixels. A call that gets no ticket is refused at once, and a call
// decodes only while it holds a place: a thousand calls do not decode a thousand crops.
//
// There are as many places as sessions, so whoever holds a place finds a free session of each model. While
// one call decodes, the others run models: the cores are the limit, and one call uses one thread at a time.
//
// It is fair to callers, whom [Request.Caller] tells apart, however many calls each of them makes. Places go
// round the callers that wait, and each caller's calls are served in their order. If all tickets are taken, a
// new call gets that of the caller who has most, unless it is the caller's own: the newest of its waiting
// calls is then refused. A queue is safe for concurrent use.
type queue struct {
	places, tickets int          // that there are
	mean            atomic.Int64 // nanoseconds that a call held its place, averaged over the last ones

	mu struct {
		sync.Mutex
		working  int            // places taken
		turns    int            // of these, held without a ticket, see turn
		entered  int            // tickets taken
		byCaller map[string]int // the same, by who has them
		lines    []*line        // of the callers that wait; the first is served next
		back     time.Time      // when the caller is to come again who was refused last
	}
}

// line are the calls of one caller that wait for places, in their order.
type line struct {
	caller string
	calls  []*ticket
}

// ticket is a call, with the right to be here or, for a turn of a photo, without.
type ticket struct {
	caller string
	has    bool // the right; guarded by the queue's mu

	// answer tells a call that waits that it has a place (nil) or no ticket any more.
	answer chan error
}

func newQueue(workers, waiting int) *queue {
	q := &queue{places: workers, tickets: workers + waiting}
	q.mu.byCaller = make(map[string]int)
	return q
}

// enter takes a ticket or returns a [QueueFullError].
func (q *queue) enter(caller string) (*ticket, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.entered == q.tickets && !q.makeRoom(caller) {
		return nil, q.full()
	}
	q.mu.entered++
	q.mu.byCaller[caller]++
	return &ticket{caller: caller, has: true}, nil
}

// leave gives the ticket back.
func (q *queue) leave(t *ticket) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.giveUp(t)
}

// giveUp takes the ticket from a call, if it still has it. REQUIRES: q.mu is held.
func (q *queue) giveUp(t *ticket) {
	if !t.has {
		return
	}
	t.has = false
	q.mu.entered--
	if q.mu.byCaller[t.caller]--; q.mu.byCaller[t.caller] == 0 {
		delete(q.mu.byCaller, t.caller)
	}
}

// makeRoom refuses a call that waits, so that this caller gets its ticket: the newest one of the caller who
// has most tickets, and still has as many as this one afterwards. It reports whether there is such a call.
// REQUIRES: q.mu is held.
func (q *queue) makeRoom(caller string) bool {
	from, at := q.greediest(caller)
	if from == nil {
		return false
	}
	refused := from.calls[at]
	q.remove(refused)
	q.giveUp(refused)
	refused.answer <- q.full()
	return true
}

// refusal returns the [QueueFullError] that enter would return; nil: there is a ticket. It takes nothing.
func (q *queue) refusal(caller string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.entered < q.tickets {
		return nil
	}
	if from, _ := q.greediest(caller); from != nil {
		return nil
	}
	return q.full()
}

// greediest returns where the call waits that makeRoom refuses; nil: there is none. REQUIRES: q.mu is held.
func (q *queue) greediest(caller string) (from *line, at int) {
	most := q.mu.byCaller[caller] + 1
	for _, l := range q.mu.lines {
		last := len(l.calls) - 1
		for last >= 0 && !l.calls[last].has {
			last--
		}
		if n := q.mu.byCaller[l.caller]; last >= 0 && n > most {
			from, at, most = l, last, n
		}
	}
	return from, at
}

// full says when to come back. REQUIRES: q.mu is held.
func (q *queue) full() error { return &QueueFullError{RetryAfter: q.retryAfter()} }

// remove takes a call out of its line, and reports whether it was in one. REQUIRES: q.mu is held.
func (q *queue) remove(t *ticket) bool {
	for i, l := range q.mu.lines {
		if l.caller != t.caller {
			continue
		}
		at := slices.Index(l.calls, t)
		if at < 0 {
			return false
		}
		l.calls = slices.Delete(l.calls, at, at+1)
		if len(l.calls) == 0 {
			q.mu.lines = slices.Delete(q.mu.lines, i, i+1)
		}
		return true
	}
	return false
}

// alone reports whether at most one place is taken.
func (q *queue) alone() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.working <= 1
}

// begin waits for a place until ctx ends or closing is closed, or until another caller gets the ticket: then
// it returns a [QueueFullError]. The caller calls the returned function when its work is done.
func (q *queue) begin(ctx context.Context, closing <-chan struct{}, t *ticket) (done func(), err error) {
	if err := q.takePlace(ctx, closing, t); err != nil {
		return nil, err
	}
	start := time.Now()
	return func() {
		q.served(time.Since(start))
		q.mu.Lock()
		defer q.mu.Unlock()
		q.givePlace()
	}, nil
}

// takePlace waits for a place.
func (q *queue) takePlace(ctx context.Context, closing <-chan struct{}, t *ticket) error {
	// Checked first, because select picks any of several ready cases.
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	if q.mu.working < q.places { // then nobody waits
		q.mu.working++
		q.mu.Unlock()
		return nil
	}
	t.answer = make(chan error, 1)
	q.line(t.caller).add(t)
	q.mu.Unlock()
	var err error
	select {
	case err := <-t.answer:
		return err
	case <-ctx.Done():
		err = ctx.Err()
	case <-closing:
		err = ErrClosed
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.remove(t) && <-t.answer == nil {
		q.givePlace() // it was given meanwhile
	}
	return err
}

// line returns the line of a caller. REQUIRES: q.mu is held, and a call is added to the line.
func (q *queue) line(caller string) *line {
	for _, l := range q.mu.lines {
		if l.caller == caller {
			return l
		}
	}
	l := &line{caller: caller}
	q.mu.lines = append(q.mu.lines, l)
	return l
}

func (l *line) add(t *ticket) { l.calls = append(l.calls, t) }

// givePlace gives a place to the caller whose turn it is, or back. REQUIRES: q.mu is held.
func (q *queue) givePlace() {
	if len(q.mu.lines) == 0 {
		q.mu.working--
		return
	}
	l := q.mu.lines[0]
	next := l.calls[0]
	q.mu.lines, l.calls = q.mu.lines[1:], l.calls[1:]
	if len(l.calls) > 0 {
		q.mu.lines = append(q.mu.lines, l)
	}
	next.answer <- nil
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

// retryAfter is about the time that it takes to serve all ticket holders, and everybody who was refused
// before and is to come again. So it grows with those who wait, here or elsewhere, and a crowd that is
// refused at one moment comes again one by one. REQUIRES: q.mu is held.
func (q *queue) retryAfter() time.Duration {
	each := time.Duration(q.mean.Load()) / time.Duration(q.places)
	now := time.Now()
	free := now.Add(each * time.Duration(q.mu.entered))
	if free.Before(q.mu.back) {
		free = q.mu.back
	}
	delay := min(free.Sub(now)+each, maxRetry)
	q.mu.back = now.Add(delay)
	jitter := 1 + retryJitter*(2*rand.Float64()-1)
	return time.Duration(jitter * float64(max(delay, minRetry))).Round(time.Millisecond)
}
