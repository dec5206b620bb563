package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"rollcall/proto/rollcall/v1/rollcallv1connect"

	"github.com/spf13/pflag"
)

// loadOptions are the flags of "bench load".
type loadOptions struct {
	models modelOptions
	source sourceOptions

	clients int
	seconds float64
}

func loadBench() Bench {
	return newBench("load", "many clients at once: is every answer right, does the memory grow",
		`Starts a server as a process of its own and lets many clients enrol, store and
identify at once. Every answer is compared, bit for bit and with its embedding,
with the answer that the same call got when it was made alone. It fails where one
differs, where a call fails otherwise than by a full queue (then it is made again
after the delay that the server asks for), where the server ends by itself, and
where storage and index disagree afterwards. The server's memory is read every
second; its growth counts from the end of the first third.`,
		new(loadOptions))
}

func (o *loadOptions) addFlags(set *pflag.FlagSet) {
	set.IntVar(&o.clients, "clients", 64, "clients at once")
	set.Float64Var(&o.seconds, "seconds", 60, "how long the load lasts")
	o.source.addFlags(set)
	o.models.addFlags(set)
}

func (o *loadOptions) validate() error {
	if o.clients < 1 || !(o.seconds > 0) {
		return errors.New("--clients and --seconds must be more than 0")
	}
	return nil
}

// errWrong is what "bench load" fails with, after its report.
var errWrong = errors.New("the server did not stand the load")

func (o *loadOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	w, err := o.models.open(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	data, remove, err := tempData()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	c, err := startChild(ctx, w, data)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()

	ctx, stop := whileRunning(ctx, c)
	defer stop(nil)
	res, err := o.load(ctx, progress, c)
	if err != nil {
		return nil, err
	}
	res.Model = w.describe()
	if n := res.Differences + res.Failures + res.Inconsistent; n > 0 {
		return res, fmt.Errorf("%w: %d answers differ, %d calls failed, %d inconsistencies", errWrong, res.Differences, res.Failures, res.Inconsistent)
	}
	return res, nil
}

// whileRunning returns a context that ends, with the reason, when the server ends.
func whileRunning(ctx context.Context, c *child) (context.Context, context.CancelCauseFunc) {
	ctx, stop := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-c.ended:
			stop(c.crash())
		case <-ctx.Done():
		}
	}()
	return ctx, stop
}

// noticeTime is how long it takes at most to notice that a server has ended.
const noticeTime = time.Second

// withCause adds to an error of a call how the server has ended, if it has: calls fail a
// moment before that is noticed.
func withCause(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
	case <-time.After(noticeTime):
	}
	return errors.Join(err, context.Cause(ctx))
}

// load prepares the clients one by one and then lets them go.
func (o *loadOptions) load(ctx context.Context, progress io.Writer, c *child) (loadResult, error) {
	client := newHTTPClient(o.clients, c.token)
	defer client.CloseIdleConnections()
	fmt.Fprintf(progress, "preparing %d clients …\n", o.clients)
	clients, err := o.prepare(ctx, client, c.url)
	if err != nil {
		return loadResult{}, withCause(ctx, err)
	}
	fmt.Fprintf(progress, "%d clients for %g s …\n", o.clients, o.seconds)
	sampling, stop := context.WithCancel(ctx)
	defer stop()
	var samples []int64
	var sampleErr error
	var sampler sync.WaitGroup
	sampler.Go(func() { samples, sampleErr = sampleMemory(sampling, c.pid, time.Second) })

	t := newTally()
	start := time.Now()
	var group sync.WaitGroup
	for i, calls := range clients {
		group.Go(func() { t.work(ctx, start.Add(time.Duration(o.seconds*float64(time.Second))), i, calls) })
	}
	group.Wait()
	took := time.Since(start)
	stop()
	sampler.Wait()
	if ctx.Err() != nil {
		return loadResult{}, context.Cause(ctx)
	}
	if sampleErr != nil {
		return loadResult{}, sampleErr
	}
	res := t.result(took)
	res.Clients, res.Memory = o.clients, newMemoryGrowth(samples)
	return res, checkConsistency(ctx, client, c.url, &res)
}

// prepare enrols everybody and learns the answers, one call after the other.
func (o *loadOptions) prepare(ctx context.Context, client *http.Client, url string) ([][]*call, error) {
	faces, err := o.source.choose(o.clients)
	if err != nil {
		return nil, err
	}
	api := rollcallv1connect.NewAttendanceServiceClient(client, url)
	clients := make([][]*call, len(faces))
	for i, f := range faces {
		if clients[i], err = loadCalls(api, o.source.seed, i, f); err != nil {
			return nil, err
		}
	}
	// The first time each call stores something new; the answers to learn are
	// those to the same calls again.
	for range 2 {
		for _, calls := range clients {
			for _, c := range calls {
				if err := c.learn(ctx); err != nil {
					return nil, fmt.Errorf("prepare: %w", err)
				}
			}
		}
	}
	return clients, nil
}
