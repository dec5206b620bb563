package embedder

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// modelCall is a call as the model of the queue knows it.
type modelCall struct {
	caller string
	turn   bool // has no ticket
	state  string
	cancel context.CancelFunc
	end    chan struct{} // closed to let it end its work
}

// The states of a call.
const (
	waits, works, wasRefused, gaveUp, isDone = "waits", "works", "was refused", "gave up", "is done"
)

// modelQueue is what the queue must do, in the plainest way: all calls in one list, and the callers in the
// order in which they are served next.
type modelQueue struct {
	places, tickets int
	calls           []*modelCall // in order of arrival
	callers         []string     // that wait, the next one first
}

func (m *modelQueue) having(caller string, states ...string) (list []*modelCall) {
	for _, c := range m.calls {
		if (caller == "*" || c.caller == caller) && slices.Contains(states, c.state) {
			list = append(list, c)
		}
	}
	return list
}

func (m *modelQueue) ticketsOf(caller string) int {
	n := 0
	for _, c := range m.having(caller, waits, works) {
		if !c.turn {
			n++
		}
	}
	return n
}

func (m *modelQueue) arrive(c *modelCall) {
	if !c.turn && m.ticketsOf("*") == m.tickets {
		found, from := false, ""
		most := m.ticketsOf(c.caller) + 1
		for _, other := range m.callers {
			waiting := slices.ContainsFunc(m.having(other, waits), func(c *modelCall) bool { return !c.turn })
			if n := m.ticketsOf(other); waiting && n > most {
				found, from, most = true, other, n
			}
		}
		if !found {
			c.state = wasRefused
			m.calls = append(m.calls, c)
			return
		}
		for _, victim := range slices.Backward(m.having(from, waits)) {
			if !victim.turn {
				m.leave(victim, wasRefused)
				break
			}
		}
	}
	c.state = works
	if len(m.having("*", works)) == m.places {
		c.state = waits
		if !slices.Contains(m.callers, c.caller) {
			m.callers = append(m.callers, c.caller)
		}
	}
	m.calls = append(m.calls, c)
}

// leave ends the waiting of a call.
func (m *modelQueue) leave(c *modelCall, state string) {
	c.state = state
	if len(m.having(c.caller, waits)) == 0 {
		m.callers = slices.DeleteFunc(m.callers, func(s string) bool { return s == c.caller })
	}
}

// finish ends the work of a call, and serves the next.
func (m *modelQueue) finish(c *modelCall) {
	c.state = isDone
	if len(m.callers) == 0 {
		return
	}
	caller := m.callers[0]
	m.callers = m.callers[1:]
	m.having(caller, waits)[0].state = works
	if len(m.having(caller, waits)) > 0 {
		m.callers = append(m.callers, caller)
	}
}

// TestQueueDoesWhatItsModelDoes makes random calls of several callers, lets them give up and end, and
// compares who works, who waits and who was refused after each step.
func TestQueueDoesWhatItsModelDoes(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) { compareQueue(t, seed) })
	}
}

func compareQueue(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 25))
	m := &modelQueue{places: 1 + rng.IntN(3)}
	waiting := rng.IntN(6)
	m.tickets = m.places + waiting
	q := newQueue(m.places, waiting)
	states := make(map[*modelCall]*string)
	for step := range 400 {
		switch n := rng.IntN(10); {
		case n < 5:
			c := &modelCall{caller: []string{"", "a", "a", "a", "b", "c"}[rng.IntN(6)], turn: rng.IntN(4) == 0, end: make(chan struct{})}
			var ctx context.Context
			ctx, c.cancel = context.WithCancel(t.Context())
			m.arrive(c)
			state := waits
			states[c] = &state
			go makeCall(ctx, q, c, &state)
		case n < 8:
			if working := m.having("*", works); len(working) > 0 {
				c := working[rng.IntN(len(working))]
				m.finish(c)
				close(c.end)
			}
		default:
			if waiting := m.having("*", waits); len(waiting) > 0 {
				c := waiting[rng.IntN(len(waiting))]
				m.leave(c, gaveUp)
				c.cancel()
			}
		}
		synctest.Wait()
		for i, c := range m.calls {
			if got := *states[c]; got != c.state {
				t.Fatalf("seed %d, step %d: call %d of %q %s, want that it %s", seed, step, i, c.caller, got, c.state)
			}
		}
		if got, want := tickets(q), m.ticketsOf("*"); got != want {
			t.Fatalf("seed %d, step %d: %d tickets are taken, want %d", seed, step, got, want)
		}
	}
	for _, c := range m.calls {
		c.cancel()
		if c.state == works || c.state == waits {
			close(c.end)
		}
	}
	synctest.Wait()
	if working, waiting := q.count(); working != 0 || waiting != 0 || tickets(q) != 0 || len(q.mu.byCaller) != 0 || len(q.mu.lines) != 0 {
		t.Errorf("seed %d: left behind: %d work, %d wait, %v", seed, working, waiting, q.mu.byCaller)
	}
}

// makeCall makes a call that works until it is told to end.
func makeCall(ctx context.Context, q *queue, c *modelCall, state *string) {
	var done func()
	var err error
	if c.turn {
		done, err = q.turn(ctx, nil, c.caller)
	} else {
		var mine *ticket
		if mine, err = q.enter(c.caller); err == nil {
			defer q.leave(mine)
			done, err = q.begin(ctx, nil, mine)
		}
	}
	switch {
	case errors.Is(err, ErrQueueFull):
		*state = wasRefused
		return
	case err != nil:
		*state = gaveUp
		return
	}
	*state = works
	<-c.end
	*state = isDone
	done()
}

// TestDoorIsNotStarved: one caller with 64 connections keeps the queue full all the time. Another one, who
// calls now and then, is never refused, and waits at most for two crops.
func TestDoorIsNotStarved(t *testing.T) {
	const crop, connections, calls = 8 * time.Millisecond, 64, 200
	for _, sessions := range []int{1, 2, 4} {
		synctest.Test(t, func(t *testing.T) {
			q := newQueue(sessions, QueuePerSession*sessions)
			ctx, stop := context.WithCancel(t.Context())
			greedy := 0
			work := func(caller string) error {
				mine, err := q.enter(caller)
				if err != nil {
					return err
				}
				defer q.leave(mine)
				done, err := q.begin(ctx, nil, mine)
				if err != nil {
					return err
				}
				time.Sleep(crop)
				done()
				return nil
			}
			for range connections {
				go func() {
					for ctx.Err() == nil {
						var full *QueueFullError
						if err := work("greedy"); errors.As(err, &full) {
							time.Sleep(full.RetryAfter)
						} else if err == nil {
							q.mu.Lock()
							greedy++
							q.mu.Unlock()
						}
					}
				}()
			}
			time.Sleep(time.Second)
			rng := rand.New(rand.NewPCG(1, uint64(sessions)))
			for i := range calls {
				time.Sleep(time.Duration(rng.Int64N(int64(50 * time.Millisecond))))
				start := time.Now()
				if err := work("door"); err != nil {
					t.Fatalf("%d sessions, call %d: %v", sessions, i, err)
				}
				if took := time.Since(start); took > 3*crop {
					t.Errorf("%d sessions, call %d: answered after %v, want at most %v", sessions, i, took, 3*crop)
				}
			}
			if greedy < calls {
				t.Errorf("%d sessions: the greedy one was served only %d times", sessions, greedy)
			}
			stop()
			synctest.Wait()
			time.Sleep(maxRetry)
		})
	}
}
