package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"rollcall/embedder"
)

// A loop is one worker of a contender: work does one crop.
type loop struct {
	work func(ctx context.Context) error
}

// spin runs all loops at once until d has passed, and returns how many steps they
// did in a second. A crop that was begun is finished, and its time counts.
func spin(ctx context.Context, d time.Duration, loops []loop) (float64, error) {
	var steps atomic.Int64
	var failed struct {
		sync.Mutex
		err error
	}
	start := time.Now()
	var group sync.WaitGroup
	for _, l := range loops {
		group.Go(func() {
			for time.Since(start) < d && ctx.Err() == nil {
				if err := l.work(ctx); err != nil {
					failed.Lock()
					failed.err = errors.Join(failed.err, err)
					failed.Unlock()
					return
				}
				steps.Add(1)
			}
		})
	}
	group.Wait()
	if failed.err == nil && ctx.Err() != nil {
		failed.err = context.Cause(ctx)
	}
	return float64(steps.Load()) / time.Since(start).Seconds(), failed.err
}

// measureThroughput lets the contenders of each mode take turns: the bare loop,
// the embedder alone, and the server.
func (o *embedOptions) measureThroughput(ctx context.Context, progress io.Writer, w *workbench, s *server, e *enroller, modes []mode) ([]throughputResult, error) {
	results := make([]throughputResult, len(modes))
	for k, m := range modes {
		fmt.Fprintf(progress, "%d clients, %s …\n", o.clients, m.name)
		if err := o.contest(ctx, w, s, e, m, &results[k]); err != nil {
			return nil, err
		}
	}
	return results, nil
}

func (o *embedOptions) contest(ctx context.Context, w *workbench, s *server, e *enroller, m mode, res *throughputResult) (err error) {
	res.Mode = m.name
	bare, err := newBareLoops(w, w.aligns() && !m.given, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	defer bare.close()
	names := []string{
		fmt.Sprintf("Run alone, %d goroutines", len(bare.loops)),
		fmt.Sprintf("embedder, %d callers", o.clients),
		fmt.Sprintf("server, %d clients, enrolled on disk", o.clients),
	}
	contenders := [][]loop{bare.loops, o.embedderLoops(s, w, e, m), o.clientLoops(e, m)}
	res.Contenders, err = inTurns(ctx, names, contenders, o.rounds, time.Duration(o.seconds*float64(time.Second)))
	return err
}

// inTurns lets each contender work for d in each round. Ratios are to the first one.
func inTurns(ctx context.Context, names []string, contenders [][]loop, rounds int, d time.Duration) (results []contender, _ error) {
	rates := make([][]float64, len(contenders))
	ratios := make([][]float64, len(contenders))
	for range rounds {
		for i, loops := range contenders {
			rate, err := spin(ctx, d, loops)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", names[i], err)
			}
			rates[i] = append(rates[i], rate)
			ratios[i] = append(ratios[i], rate/rates[0][len(rates[0])-1])
		}
	}
	for i, name := range names {
		results = append(results, contender{
			Name: name, Median: median(rates[i]), Least: slices.Min(rates[i]), Most: slices.Max(rates[i]), Ratio: median(ratios[i]),
		})
	}
	return results, nil
}

// embedderLoops call the server's embedder without the server.
func (o *embedOptions) embedderLoops(s *server, w *workbench, e *enroller, m mode) []loop {
	loops := make([]loop, o.clients)
	for i := range loops {
		next := i
		loops[i].work = func(ctx context.Context) error {
			c := e.crops[next%len(e.crops)]
			next++
			req := embedder.Request{Image: c.jpeg, Model: w.embedder.Contract.Name}
			if m.given {
				req.Landmarks = &c.landmarks
			}
			return patiently(ctx, nil, func() error {
				_, err := s.embedder.Embed(ctx, req)
				return err
			})
		}
	}
	return loops
}

// clientLoops enrol over RPC. Each client replaces the crops that it enrolled the
// round before, so that the gallery stays as large as it is.
func (o *embedOptions) clientLoops(e *enroller, m mode) []loop {
	loops := make([]loop, o.clients)
	for i := range loops {
		next := i
		loops[i].work = func(ctx context.Context) error {
			next++
			return patiently(ctx, nil, func() error {
				return e.enroll(ctx, next, fmt.Sprintf("client-%d-%d", i, next%len(e.crops)), m)
			})
		}
	}
	return loops
}
