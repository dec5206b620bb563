package bench

import (
	"context"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// A door identifies with a token of its own, over Connect and over gRPC in turns.
type door struct {
	clients []*http.Client
	apis    []rollcallv1connect.AttendanceServiceClient
}

// connections is how many connections a door keeps over HTTP/1.1.
const connections = 256

func newDoor(url, token string) *door {
	d := &door{clients: []*http.Client{newHTTPClient(connections, token), newHTTP2Client(token)}}
	d.apis = []rollcallv1connect.AttendanceServiceClient{
		rollcallv1connect.NewAttendanceServiceClient(d.clients[0], url),
		rollcallv1connect.NewAttendanceServiceClient(d.clients[1], url, connect.WithGRPC()),
	}
	return d
}

func (d *door) close() {
	for _, c := range d.clients {
		c.CloseIdleConnections()
	}
}

// identify makes call i.
func (d *door) identify(ctx context.Context, i int, images [][]byte) error {
	_, err := d.apis[i%len(d.apis)].Identify(ctx, &pb.IdentifyRequest{Image: images[i%len(images)]})
	return err
}

// callUntil makes one call after the other, and waits as long as it is told where it is
// refused.
func (d *door) callUntil(ctx context.Context, until time.Time, images [][]byte, e *endings) {
	for i := 0; time.Now().Before(until) && ctx.Err() == nil; i++ {
		delay := e.count(ctx, func() error { return d.identify(ctx, i, images) })
		select {
		case <-time.After(min(delay, time.Until(until))):
		case <-ctx.Done():
		}
	}
}

// mostInFlight bounds the calls that wait for an answer, and so the bench's memory and
// connections.
const mostInFlight = 1024

// flood makes calls at a rate for a time, whatever becomes of those before. It returns as
// soon as the last one is begun; group waits for the answers. A call for which there is
// no room here is not made; flood returns how many.
func flood(ctx context.Context, group *sync.WaitGroup, doors []*door, images [][]byte, rate float64, d time.Duration, e *endings) (notMade int) {
	room := make(chan struct{}, mostInFlight)
	start := time.Now()
	for i := 0; ctx.Err() == nil; time.Sleep(time.Millisecond) {
		since := time.Since(start)
		if since >= d {
			return notMade
		}
		for ; i < int(rate*since.Seconds()); i++ {
			select {
			case room <- struct{}{}:
			default:
				notMade++
				continue
			}
			call := i
			group.Go(func() {
				defer func() { <-room }()
				// Each door makes calls over both protocols, with all crops.
				e.count(ctx, func() error { return doors[call%len(doors)].identify(ctx, call/len(doors), images) })
			})
		}
	}
	return notMade
}

// endings are how calls ended. They are safe for concurrent use.
type endings struct {
	failed findings

	mu       sync.Mutex // guards the fields that follow
	answered []time.Duration
	refused  []time.Duration // how long the refusal took
	delays   []time.Duration // that the refused were told
}

func newEndings() *endings { return new(endings) }

// count makes a call and notes its end. It returns the delay of a refused one.
func (e *endings) count(ctx context.Context, call func() error) time.Duration {
	start := time.Now()
	err := call()
	took := time.Since(start)
	delay, refused := retryDelay(err)
	if err != nil && !refused {
		if ctx.Err() == nil {
			e.failed.add(err.Error())
		}
		return 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !refused {
		e.answered = append(e.answered, took)
		return 0
	}
	e.refused, e.delays = append(e.refused, took), append(e.delays, delay)
	return delay
}

func (e *endings) summary(d time.Duration) callEndings {
	e.mu.Lock()
	defer e.mu.Unlock()
	return callEndings{
		Answered: summarise(e.answered), Refused: summarise(e.refused), Delay: summarise(e.delays),
		Rate: float64(len(e.answered)) / d.Seconds(),
	}
}
