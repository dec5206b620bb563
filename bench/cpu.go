package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/pprof"
	"time"

	"github.com/google/pprof/profile"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// cpuOptions are the flags of "bench cpu".
type cpuOptions struct {
	models modelOptions
	source sourceOptions

	calls, rounds, side int
}

func cpuBench() Bench {
	return newBench("cpu", "what a crop costs the processor beside the models' runs",
		`Starts a server in this process. One client sends JPEG crops over the loopback
interface, as JSON and as protobuf: Identify, and Embed that enrols. Go's profiler
tells in which part of the program the processor was; how long it worked in all tells
the operating system. What the client does is left out. Waiting (for the disk, or for
other programs) is not work, so a busy machine changes these figures little.`,
		new(cpuOptions))
}

func (o *cpuOptions) addFlags(set *pflag.FlagSet) {
	set.IntVar(&o.calls, "calls", 300, "calls of each kind in a round")
	set.IntVar(&o.rounds, "rounds", 10, "rounds, in which all kinds take turns")
	set.IntVar(&o.side, "side", benchSide, "side of the crops in pixels")
	o.source.addFlags(set)
	o.models.addFlags(set)
}

func (o *cpuOptions) validate() error {
	if o.calls < 1 || o.rounds < 1 || o.side < 1 {
		return errors.New("--calls, --rounds and --side must be more than 0")
	}
	return nil
}

func (o *cpuOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	w, err := o.models.open(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	s, err := startServer(ctx, w)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	faces, err := o.source.choose(distinctCrops)
	if err != nil {
		return nil, err
	}
	all, err := gentleCut(o.source.seed, o.side).cutAll(ctx, faces)
	if err != nil {
		return nil, err
	}
	e := &enroller{client: rollcallv1connect.NewAttendanceServiceClient(newHTTPClient(1, ""), s.url), allowDuplicate: o.source.drawn()}
	if e.crops, err = e.accepted(ctx, all); err != nil {
		return nil, err
	}
	res := cpuResult{Model: w.describe(), Crops: len(e.crops), Calls: o.calls * o.rounds}
	for _, c := range e.crops {
		res.Bytes += len(c.jpeg) / len(e.crops)
	}
	kinds, err := e.kindsOfCalls(s.url)
	if err != nil {
		return nil, err
	}
	for round := range o.rounds {
		fmt.Fprintf(progress, "round %d of %d …\n", round+1, o.rounds)
		for _, k := range kinds {
			if err := k.profiled(ctx, o.calls); err != nil {
				return nil, fmt.Errorf("%s: %w", k.name, err)
			}
		}
	}
	for _, k := range kinds {
		res.Kinds = append(res.Kinds, k.cost(res.Calls))
	}
	return res, nil
}

// kindOfCall is one way to send crops, and what it has cost so far.
type kindOfCall struct {
	name, url, media string
	bodies           [][]byte
	client           http.Client

	cpu     time.Duration // of the whole process
	samples map[string]int64
}

// kindsOfCalls returns Identify and Embed, in JSON and in protobuf. An Embed enrols the crop again
// that is enrolled already.
func (e *enroller) kindsOfCalls(url string) ([]*kindOfCall, error) {
	var kinds []*kindOfCall
	for _, encoding := range []struct {
		name, media string
		marshal     func(proto.Message) ([]byte, error)
	}{
		{"JSON", "application/json", protojson.Marshal},
		{"protobuf", "application/proto", proto.Marshal},
	} {
		identify := &kindOfCall{name: "Identify, " + encoding.name, url: url + rollcallv1connect.AttendanceServiceIdentifyProcedure}
		embed := &kindOfCall{name: "Embed, enrolled, " + encoding.name, url: url + rollcallv1connect.AttendanceServiceEmbedProcedure}
		for _, c := range e.crops {
			for k, m := range map[*kindOfCall]proto.Message{
				identify: &pb.IdentifyRequest{Image: c.jpeg},
				embed:    &pb.EmbedRequest{Image: c.jpeg, CropId: c.name, StudentId: c.person, AllowDuplicate: e.allowDuplicate, AllowUnlike: true},
			} {
				body, err := encoding.marshal(m)
				if err != nil {
					return nil, err
				}
				k.bodies = append(k.bodies, body)
			}
		}
		for _, k := range []*kindOfCall{identify, embed} {
			k.media, k.samples = encoding.media, make(map[string]int64)
			kinds = append(kinds, k)
		}
	}
	return kinds, nil
}

// clientLabel marks the client in a profile.
const clientLabel = "bench-client"

// profiled makes calls and adds what they cost.
func (k *kindOfCall) profiled(ctx context.Context, calls int) error {
	var out bytes.Buffer
	if err := pprof.StartCPUProfile(&out); err != nil {
		return err
	}
	before := cpuTime()
	var err error
	pprof.Do(ctx, pprof.Labels(clientLabel, "yes"), func(ctx context.Context) {
		for i := range calls {
			if err = k.call(ctx, k.bodies[i%len(k.bodies)]); err != nil {
				return
			}
		}
	})
	k.cpu += cpuTime() - before
	pprof.StopCPUProfile()
	if err != nil {
		return err
	}
	found, err := profile.Parse(&out)
	if err != nil {
		return err
	}
	for _, s := range found.Sample {
		k.samples[partOf(s)] += s.Value[0]
	}
	return nil
}

func (k *kindOfCall) call(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", k.media)
	resp, err := k.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		var refusal struct{ Message string }
		err := json.Unmarshal(answer, &refusal)
		return errors.Join(fmt.Errorf("the server answers %s: %s", resp.Status, refusal.Message), err)
	}
	return nil
}
