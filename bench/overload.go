package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/pflag"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// overloadOptions are the flags of "bench overload".
type overloadOptions struct {
	models modelOptions
	source sourceOptions

	times, seconds float64
	tokens, crowd  int
}

func overloadBench() Bench {
	return newBench("overload", "ten times the calls that a server can answer: what becomes of each, and of the server",
		`Starts a server as a process of its own and finds out how many crops a second it
identifies. Then it is asked for many times as much, with several tokens, half over
Connect and half over gRPC, by callers who do not wait and do not come again. One more
token makes one call at a time meanwhile and waits as long as it is told. In the
second after that, a caller finds out whether the server is as fast as before. In the
end a crowd comes at once, and everybody comes again until there is an answer.

The server's memory is read all the time. The bench fails where a call ends otherwise
than with an answer or with a refusal that says when to come again, and where the
server refuses anybody in the second after the load. On Linux the server has one half
of the cores, and the callers have the other.`,
		new(overloadOptions))
}

func (o *overloadOptions) addFlags(set *pflag.FlagSet) {
	set.Float64Var(&o.times, "times", 10, "how many times what the server can answer it is asked for")
	set.Float64Var(&o.seconds, "seconds", 60, "how long it is asked for that")
	set.IntVar(&o.tokens, "tokens", 4, "tokens that the calls are made with")
	set.IntVar(&o.crowd, "crowd", 500, "callers who come at once in the end")
	o.source.addFlags(set)
	o.models.addFlags(set)
}

func (o *overloadOptions) validate() error {
	if !(o.times > 0) || !(o.seconds > 0) || o.tokens < 1 || o.crowd < 1 {
		return errors.New("--times, --seconds, --tokens and --crowd must be more than 0")
	}
	return nil
}

// errOverload is what "bench overload" fails with, after its report.
var errOverload = errors.New("the server did not stand the overload")

func (o *overloadOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
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
	var c *child
	together, err := onOtherCores(func() (err error) {
		c, err = startChild(ctx, w, data)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.stop(), together()) }()
	ctx, stop := whileRunning(ctx, c)
	defer stop(nil)
	res := &overloadResult{Model: w.describe(), Times: o.times, Tokens: o.tokens}
	if err := o.overload(ctx, progress, c, res); err != nil {
		return nil, withCause(ctx, err)
	}
	if n := res.Failures + res.After.Refused.Calls; n > 0 {
		return res, fmt.Errorf("%w: %d calls failed, %d were refused in the second after the load", errOverload, res.Failures, res.After.Refused.Calls)
	}
	return res, nil
}

// distinctPeople is how many people are enrolled and asked about.
const distinctPeople = 32

// afterTime is how soon after the load the server has to be as it was.
const afterTime = time.Second

// part is a part of the time that the load lasts.
func (o *overloadOptions) part(n float64) time.Duration {
	return time.Duration(o.seconds / n * float64(time.Second))
}

// overload is the whole course of the bench.
func (o *overloadOptions) overload(ctx context.Context, progress io.Writer, c *child, res *overloadResult) error {
	images, err := o.enrol(ctx, c)
	if err != nil {
		return err
	}
	doors, closeDoors, err := o.openDoors(ctx, c)
	if err != nil {
		return err
	}
	defer closeDoors()
	quiet := doors[len(doors)-1]
	crowd := doors[:len(doors)-1]

	fmt.Fprintln(progress, "one caller alone …")
	alone := newEndings()
	d := o.part(12)
	quiet.callUntil(ctx, time.Now().Add(d), images, alone)
	res.Alone = alone.summary(d)
	if res.Capacity, err = o.capacity(ctx, crowd, images); err != nil {
		return err
	}

	memory := watchMemory(ctx, c.pid)
	rate := res.Capacity * o.times
	fmt.Fprintf(progress, "%.0f crops identified a second; %.0f asked for, for %g s …\n", res.Capacity, rate, o.seconds)
	d = o.part(1)
	flooded, beside := newEndings(), newEndings()
	var caller sync.WaitGroup
	caller.Go(func() { quiet.callUntil(ctx, time.Now().Add(d), images, beside) })
	var flooding sync.WaitGroup
	res.NotMade = flood(ctx, &flooding, crowd, images, rate, d, flooded)
	caller.Wait()

	after := newEndings()
	quiet.callUntil(ctx, time.Now().Add(afterTime), images, after)
	flooding.Wait()
	res.Flood, res.Beside, res.After = flooded.summary(d), beside.summary(d), after.summary(afterTime)

	fmt.Fprintln(progress, "cooling down …")
	select {
	case <-time.After(o.part(6)):
	case <-ctx.Done():
	}
	if res.Memory, err = memory.stop(); err != nil {
		return err
	}
	fmt.Fprintf(progress, "%d callers at once …\n", o.crowd)
	if res.Crowd, err = comeAtOnce(ctx, crowd, images, o.crowd); err != nil {
		return err
	}
	for _, e := range []*endings{alone, flooded, beside, after} {
		res.Failures += e.failed.count
		res.Findings = append(res.Findings, e.failed.first...)
	}
	return ctx.Err()
}

// enrol enrols the people, and returns the crops to ask about. They are as large as
// a camera's.
func (o *overloadOptions) enrol(ctx context.Context, c *child) ([][]byte, error) {
	faces, err := o.source.choose(distinctPeople)
	if err != nil {
		return nil, err
	}
	crops, err := gentleCut(o.source.seed, 0).cutAll(ctx, faces)
	if err != nil {
		return nil, err
	}
	client := newHTTPClient(1, c.token)
	defer client.CloseIdleConnections()
	e := &enroller{client: rollcallv1connect.NewAttendanceServiceClient(client, c.url), allowDuplicate: o.source.drawn()}
	accepted, err := e.accepted(ctx, crops)
	if err != nil {
		return nil, err
	}
	images := make([][]byte, len(accepted))
	for i, c := range accepted {
		images[i] = c.jpeg
	}
	return images, nil
}

// capacity is how many crops a second are identified for as many callers as find room
// in the server's queue and are never refused.
func (o *overloadOptions) capacity(ctx context.Context, doors []*door, images [][]byte) (float64, error) {
	var loops []loop
	for i := range capacityCallers {
		d, next := doors[i%len(doors)], i
		loops = append(loops, loop{func(ctx context.Context) error {
			next++
			return patiently(ctx, nil, func() error { return d.identify(ctx, next, images) })
		}})
	}
	if _, err := spin(ctx, o.part(60), loops); err != nil { // opens the connections
		return 0, err
	}
	return spin(ctx, o.part(12), loops)
}

// capacityCallers keep two cores busy, and do not fill the queue.
const capacityCallers = 6

// openDoors makes a token for each door, and one more for the quiet one. Every door calls
// over Connect and over gRPC.
func (o *overloadOptions) openDoors(ctx context.Context, c *child) (doors []*door, closeAll func(), err error) {
	client := newHTTPClient(1, c.token)
	defer client.CloseIdleConnections()
	admin := rollcallv1connect.NewTokenServiceClient(client, c.url)
	closeAll = func() {
		for _, d := range doors {
			d.close()
		}
	}
	for i := range o.tokens + 1 {
		t, err := admin.CreateToken(ctx, &pb.CreateTokenRequest{Name: fmt.Sprintf("door %d", i+1), Role: pb.Role_ROLE_CHECKIN})
		if err != nil {
			closeAll()
			return nil, nil, fmt.Errorf("make a token: %w", err)
		}
		doors = append(doors, newDoor(c.url, t.GetSecret()))
	}
	return doors, closeAll, nil
}

// comeAtOnce lets callers come at the same moment, each of whom comes again after the
// delay that it is told until there is an answer.
func comeAtOnce(ctx context.Context, doors []*door, images [][]byte, n int) (res crowdResult, err error) {
	res.Callers = n
	var mu sync.Mutex
	var group sync.WaitGroup
	times := make([]time.Duration, n)
	start := time.Now()
	for i := range n {
		group.Go(func() {
			retries := 0
			e := patiently(ctx, func() { retries++ }, func() error { return doors[i%len(doors)].identify(ctx, i, images) })
			times[i] = time.Since(start)
			mu.Lock()
			defer mu.Unlock()
			err = errors.Join(err, e)
			res.Attempts += 1 + retries
			res.Most = max(res.Most, 1+retries)
		})
	}
	group.Wait()
	res.Took = summarise(times)
	res.Last = milliseconds(times[n-1])
	return res, err
}

// memoryWatch reads the memory of the server while it lasts.
type memoryWatch struct {
	end     context.CancelFunc
	reading sync.WaitGroup
	samples []int64
	err     error
}

func watchMemory(ctx context.Context, pid int) *memoryWatch {
	w := new(memoryWatch)
	ctx, w.end = context.WithCancel(ctx)
	w.reading.Go(func() { w.samples, w.err = sampleMemory(ctx, pid, time.Second) })
	return w
}

func (w *memoryWatch) stop() (overloadMemory, error) {
	w.end()
	w.reading.Wait()
	m := overloadMemory{}
	if n := len(w.samples); n > 0 {
		m.Before, m.After = w.samples[0], w.samples[n-1]
	}
	for _, s := range w.samples {
		m.Peak = max(m.Peak, s)
	}
	return m, w.err
}
