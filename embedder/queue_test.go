package embedder

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/embedder/onnxtest"
)

// occupy takes all places of the workers, so that every call has to wait, until release is called.
func occupy(e *Embedder) (release func()) {
	var done []func()
	for range e.queue.places {
		give, err := e.queue.turn(context.Background(), nil, "somebody else")
		if err != nil {
			panic(err)
		}
		done = append(done, give)
	}
	return sync.OnceFunc(func() {
		for _, give := range done {
			give()
		}
	})
}

// tickets returns how many tickets of a queue are taken.
func tickets(q *queue) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.entered
}

// eventually waits for something that other goroutines bring about. It fails only where they never do.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

func TestQueueFull(t *testing.T) {
	const sessions, queue = 2, 3
	e := newEmbedder(t, Options{Sessions: sessions, Queue: queue}, onnxtest.FaceNet(1))
	req := Request{Image: onnxtest.Face(1, 0)}
	embed(t, e, req)
	release := occupy(e)
	defer release()

	// The occupied places were taken without tickets, so that many callers find room.
	const room = sessions + queue
	answers := make(chan error, room)
	for range room {
		go func() {
			_, err := e.Embed(t.Context(), req)
			answers <- err
		}()
	}
	eventually(t, "all tickets are taken", func() bool { return tickets(e.queue) == room })

	_, err := e.Embed(t.Context(), req)
	var full *QueueFullError
	if !errors.Is(err, ErrQueueFull) || !errors.As(err, &full) {
		t.Fatalf("%v, want a QueueFullError", err)
	}
	if full.RetryAfter <= 0 || full.RetryAfter > maxRetry {
		t.Errorf("retry after %v", full.RetryAfter)
	}
	release()
	for range room {
		if err := <-answers; err != nil {
			t.Errorf("a caller that found room: %v", err)
		}
	}
	embed(t, e, req)
}

// TestRefusalIsWhatEnterDoes, whoever has the tickets and waits.
func TestRefusalIsWhatEnterDoes(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		q := newQueue(2, 4)
		var all []*ticket
		for range 100 {
			caller := string(rune('a' + rng.IntN(3)))
			if rng.IntN(3) == 0 && len(all) > 0 {
				i := rng.IntN(len(all))
				q.mu.Lock()
				q.remove(all[i])
				q.mu.Unlock()
				q.leave(all[i])
				all = slices.Delete(all, i, i+1)
				continue
			}
			before := q.mu.entered
			said := q.refusal(caller)
			if q.mu.entered != before {
				t.Fatalf("seed %d: refusal changed the tickets", seed)
			}
			got, err := q.enter(caller)
			if errors.Is(said, ErrQueueFull) != errors.Is(err, ErrQueueFull) {
				t.Fatalf("seed %d: %d tickets are taken, by %v: refusal says %v, enter %v", seed, before, q.mu.byCaller, said, err)
			}
			if err != nil {
				continue
			}
			all = append(all, got)
			if rng.IntN(2) == 0 {
				got.answer = make(chan error, 1)
				q.mu.Lock()
				q.line(caller).add(got)
				q.mu.Unlock()
			}
		}
	}
}

func TestRetryAfterFollowsTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(2, 8)
		want := func(what string, want time.Duration) {
			t.Helper()
			least, most := time.Duration(float64(want)*(1-retryJitter)), time.Duration(float64(want)*(1+retryJitter))
			if got := q.retryAfter(); got < least-time.Millisecond || got > most+time.Millisecond {
				t.Errorf("%s: %v, want %v to %v", what, got, least, most)
			}
		}
		want("empty", minRetry)
		q.served(400 * time.Millisecond)
		for range 6 {
			if _, err := q.enter(""); err != nil {
				t.Fatal(err)
			}
		}
		want("6 callers of 400 ms on 2 workers, and the one who asks", 1400*time.Millisecond)
		want("one more was refused", 1600*time.Millisecond)
		time.Sleep(time.Second)
		want("a second later the two have still to come", 1400*time.Millisecond)
		for range 1000 {
			q.retryAfter()
		}
		want("very many were refused", maxRetry)
	})
}

// TestCrowdIsSpread: callers come all at once, and come again when they are told to. Everybody is served in
// little more than the time that the work takes, after few attempts.
func TestCrowdIsSpread(t *testing.T) {
	const crop, crowd, sessions = 8 * time.Millisecond, 400, 2
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(sessions, QueuePerSession*sessions)
		q.served(crop)
		var attempts atomic.Int64
		var group sync.WaitGroup
		start := time.Now()
		for range crowd {
			group.Go(func() {
				for {
					attempts.Add(1)
					mine, err := q.enter("")
					if err == nil {
						var done func()
						if done, err = q.begin(t.Context(), nil, mine); err == nil {
							time.Sleep(crop)
							done()
						}
						q.leave(mine)
					}
					var full *QueueFullError
					if !errors.As(err, &full) {
						if err != nil {
							t.Error(err)
						}
						return
					}
					time.Sleep(full.RetryAfter)
				}
			})
		}
		group.Wait()
		ideal := crowd * crop / sessions
		if took := time.Since(start); took > 2*ideal {
			t.Errorf("everybody was served after %v; the work takes %v", took, ideal)
		}
		if mean := float64(attempts.Load()) / crowd; mean > 4 {
			t.Errorf("%.1f attempts each", mean)
		}
	})
}

// TestContextEndsInQueue: a caller leaves the queue when its context ends, and leaves nothing behind.
func TestContextEndsInQueue(t *testing.T) {
	var runs atomic.Int64
	e := newEmbedder(t, Options{Sessions: 1, Queue: 4, Observe: func(s Stage, _ time.Duration) {
		if s == StageDecode || s == StageRun {
			runs.Add(1)
		}
	}}, onnxtest.FaceNet(1))
	req := Request{Image: onnxtest.Face(1, 0)}
	embed(t, e, req)
	release := occupy(e)
	before := runs.Load()
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error)
	go func() {
		_, err := e.Embed(ctx, req)
		answer <- err
	}()
	eventually(t, "it waits", func() bool { return e.Stats().Models[0].Waiting == 1 })
	cancel()
	if err := <-answer; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	release()
	if s := e.Stats(); s.Waiting != 0 || s.Working != 0 || s.Models[0].Waiting != 0 || s.Models[0].Busy != 0 {
		t.Errorf("left behind: %+v", s)
	}
	if n := runs.Load() - before; n != 0 {
		t.Errorf("%d stages of work on the crop of a caller who had gone", n)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := e.Embed(ended, req); !errors.Is(err, context.Canceled) {
		t.Errorf("context that ended before: %v", err)
	}
	embed(t, e, req)
}

// TestManyCallersTwoModels: what comes out is, bit by bit, what comes out one at a time.
func TestManyCallersTwoModels(t *testing.T) {
	const callers, rounds = 64, 6
	e := newEmbedder(t, Options{Sessions: 3, Queue: callers}, onnxtest.ArcFace(1), onnxtest.FaceNet(1), onnxtest.Points())
	requests := make([]Request, 12)
	want := make([][]float32, len(requests))
	for i := range requests {
		requests[i] = Request{Image: onnxtest.Face(int64(i/2), i), Model: []string{"test-arcface", "test-facenet"}[i%2]}
		want[i] = embed(t, e, requests[i]).Embedding
	}
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			for round := range rounds {
				i := (caller*7 + round*5) % len(requests)
				r, err := e.Embed(t.Context(), requests[i])
				if err != nil {
					t.Errorf("caller %d: %v", caller, err)
					return
				}
				for k, v := range r.Embedding {
					if v != want[i][k] {
						t.Errorf("caller %d, request %d: component %d is %g, want %g", caller, i, k, v, want[i][k])
						return
					}
				}
				// The result is the caller's: nobody else may write to it, nor see this.
				clear(r.Embedding)
			}
		})
	}
	group.Wait()
}

func TestTimingsAndObserve(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[Stage]int)
	e := newEmbedder(t, Options{Observe: func(s Stage, d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		seen[s]++
		if d < 0 {
			t.Errorf("%v took %v", s, d)
		}
	}}, onnxtest.ArcFace(1), onnxtest.Points())
	start := time.Now()
	r := embed(t, e, Request{Image: onnxtest.Face(1, 0)})
	whole := time.Since(start)
	var sum time.Duration
	for s, d := range r.Timings {
		if d <= 0 && Stage(s) != StageDetect {
			t.Errorf("%v took %v", Stage(s), d)
		}
		sum += d
	}
	if sum > whole {
		t.Errorf("the stages took %v of %v", sum, whole)
	}
	landmarks := onnxtest.FaceLandmarks(1, 0)
	if r := embed(t, e, Request{Image: onnxtest.Face(1, 0), Landmarks: &landmarks}); r.Timings[StageLocate] != 0 {
		t.Errorf("locating took %v although landmarks were given", r.Timings[StageLocate])
	}
	p := facesOf(t, e, PhotoRequest{Image: onnxtest.Photo(100, 100)})
	if p.Timings[StageDecode] <= 0 || p.Timings[StageDetect] <= 0 {
		t.Errorf("finding the faces of a photo took %v", p.Timings)
	}
	want := map[Stage]int{StageQueue: 3, StageDecode: 3, StageDetect: 1, StageLocate: 2, StageAlign: 2, StageRun: 2, StageFinish: 2}
	for s := range stages {
		want := want[s]
		if seen[s] != want {
			t.Errorf("%v was observed %d times, want %d", s, seen[s], want)
		}
	}
	if got := Stage(99).String(); got != "unknown" {
		t.Errorf("a stage that there is not is called %q", got)
	}
}
