package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/pflag"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// embedOptions are the flags of "bench embed".
type embedOptions struct {
	models modelOptions
	source sourceOptions

	calls, rounds, clients int
	seconds                float64
}

func embedBench() Bench {
	return newBench("embed", "how long an enrolment takes, where the time goes, and how many crops a second",
		`Starts a server in this process and calls Embed over the loopback interface, with
a JPEG crop of 112 x 112 pixels that is enrolled under a student: answered once it
is on disk. First one client measures how long a call takes and which stage takes
how much of it; then several clients measure crops a second, against a loop that
does nothing but ONNX Runtime's Run on as many sessions as cores.`,
		new(embedOptions))
}

func (o *embedOptions) addFlags(set *pflag.FlagSet) {
	set.IntVar(&o.calls, "calls", 60, "calls of the one client in a round")
	set.IntVar(&o.clients, "clients", 8, "clients at once when crops a second are measured")
	set.Float64Var(&o.seconds, "seconds", 2, "how long each contender runs in a round")
	set.IntVar(&o.rounds, "rounds", 5, "rounds, in which all contenders take turns")
	o.source.addFlags(set)
	o.models.addFlags(set)
}

func (o *embedOptions) validate() error {
	if o.calls < 1 || o.clients < 1 || o.rounds < 1 || !(o.seconds > 0) {
		return errors.New("--calls, --clients, --rounds and --seconds must be more than 0")
	}
	return nil
}

// distinctCrops is how many different crops are embedded in turn: enough that no
// cache of a processor holds one by chance, few enough to cut at once.
const distinctCrops = 16

func (o *embedOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	w, err := o.models.open(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if w.aligns() && w.locator == "" {
		return nil, fmt.Errorf("model %s aligns faces: give a locator with --locator, or install one", w.embedder.Contract.Name)
	}
	s, err := startServer(ctx, w)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	all, err := o.source.crops(ctx, distinctCrops)
	if err != nil {
		return nil, err
	}
	e := &enroller{client: rollcallv1connect.NewAttendanceServiceClient(newHTTPClient(o.clients, ""), s.url), allowDuplicate: o.source.drawn()}
	if e.crops, err = e.accepted(ctx, all); err != nil {
		return nil, err
	}
	res := embedResult{Model: w.describe(), Crops: len(e.crops), Clients: o.clients}
	modes := modesOf(w)
	fmt.Fprintln(progress, "one client …")
	if res.Latency, err = o.measureLatency(ctx, w, s, e, modes); err != nil {
		return nil, err
	}
	if res.Throughput, err = o.measureThroughput(ctx, progress, w, s, e, modes); err != nil {
		return nil, err
	}
	return res, nil
}

// A mode is whether the landmarks come with the request.
type mode struct {
	name  string
	given bool
}

// modesOf returns the modes that make a difference for the model.
func modesOf(w *workbench) []mode {
	if !w.aligns() {
		return []mode{{name: "image alone"}}
	}
	return []mode{{name: "image alone, located"}, {name: "landmarks given", given: true}}
}

// An enroller calls Embed so that the crop is enrolled.
type enroller struct {
	client         rollcallv1connect.AttendanceServiceClient
	crops          []crop
	allowDuplicate bool // for drawn faces, which all look like one student
}

// enroll enrols one of the crops under an id of the caller's.
func (e *enroller) enroll(ctx context.Context, i int, cropID string, m mode) error {
	c := e.crops[i%len(e.crops)]
	req := &pb.EmbedRequest{Image: c.jpeg, CropId: cropID, StudentId: c.person, AllowDuplicate: e.allowDuplicate, AllowUnlike: true}
	if m.given {
		req.Landmarks = pointsOf(c)
	}
	resp, err := e.client.Embed(ctx, req)
	if err != nil {
		return err
	}
	if !resp.GetEnrolled() {
		return fmt.Errorf("the server did not enrol crop %s", cropID)
	}
	return nil
}

// accepted returns the crops that the server enrols: not those that it takes for
// unusable or for the face of another one.
func (e *enroller) accepted(ctx context.Context, all []crop) ([]crop, error) {
	var accepted []crop
	var last error
	for i, c := range all {
		e.crops = all[i : i+1]
		err := e.enroll(ctx, 0, c.name, mode{})
		switch connect.CodeOf(err) {
		case connect.CodeInvalidArgument, connect.CodeAlreadyExists:
			last = err
			continue
		}
		if err != nil {
			return nil, err
		}
		accepted = append(accepted, c)
	}
	if len(accepted) == 0 {
		return nil, fmt.Errorf("the server enrols none of the crops: %w", last)
	}
	return accepted, nil
}

func pointsOf(c crop) []*pb.Point {
	points := make([]*pb.Point, len(c.landmarks))
	for i, p := range c.landmarks {
		points[i] = &pb.Point{X: p.X, Y: p.Y}
	}
	return points
}

// measureLatency lets one client enrol crops, with the modes in turns, and then
// lets ONNX Runtime run alone on one core.
func (o *embedOptions) measureLatency(ctx context.Context, w *workbench, s *server, e *enroller, modes []mode) (_ []latencyResult, err error) {
	bare, err := newBareLoops(w, w.aligns(), 1)
	if err != nil {
		return nil, err
	}
	defer bare.close()
	times := make([][]time.Duration, len(modes))
	sums := make([]map[string]time.Duration, len(modes))
	for i := range sums {
		sums[i] = make(map[string]time.Duration)
	}
	const warmUp = 10 // calls, before the first round
	for i := range warmUp {
		if err := e.enroll(ctx, i, "warm-up", modes[i%len(modes)]); err != nil {
			return nil, err
		}
	}
	for round := range o.rounds {
		for k, m := range modes {
			before, err := s.spent(ctx)
			if err != nil {
				return nil, err
			}
			for i := range o.calls {
				start := time.Now()
				// Each call stores a crop that was not there before.
				if err := e.enroll(ctx, i, fmt.Sprintf("latency-%d-%d-%d", k, round, i), m); err != nil {
					return nil, err
				}
				took := time.Since(start)
				times[k] = append(times[k], took)
				sums[k][stageTotal] += took
			}
			after, err := s.spent(ctx)
			if err != nil {
				return nil, err
			}
			for stage, sum := range after {
				sums[k][stage] += sum - before[stage]
			}
		}
		for range o.calls {
			if err := bare.loops[0].work(ctx); err != nil {
				return nil, err
			}
		}
	}
	run, locatorRun := bare.means()
	results := make([]latencyResult, len(modes))
	for k, m := range modes {
		results[k] = newLatencyResult(m.name, times[k], sums[k])
		if m.given {
			results[k].setRuns(run, 0)
		} else {
			results[k].setRuns(run, locatorRun)
		}
	}
	return results, nil
}
