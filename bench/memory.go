package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/spf13/pflag"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// memoryOptions are the flags of "bench memory".
type memoryOptions struct {
	models modelOptions
	source sourceOptions

	calls, clients int
}

func memoryBench() Bench {
	return newBench("memory", "what memory a server takes with a model",
		`Starts a server as a process of its own and reads its resident memory: when the
model is loaded, after one client has identified crops, and after several clients at
once have. It is compared with 1.3 times the model's file plus 80 MB.`,
		new(memoryOptions))
}

func (o *memoryOptions) addFlags(set *pflag.FlagSet) {
	set.IntVar(&o.calls, "calls", 200, "crops that are identified by one client, and again by several")
	set.IntVar(&o.clients, "clients", 8, "clients at once")
	o.source.addFlags(set)
	o.models.addFlags(set)
}

func (o *memoryOptions) validate() error {
	if o.calls < 1 || o.clients < 1 {
		return errors.New("--calls and --clients must be more than 0")
	}
	return nil
}

func (o *memoryOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	w, err := o.models.open(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	file, err := w.embedder.Read()
	if err != nil {
		return nil, err
	}
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
	res := memoryResult{Model: w.describe(), File: int64(len(file))}
	if res.States, err = o.states(ctx, progress, c); err != nil {
		return nil, withCause(ctx, err)
	}
	return res, nil
}

// states reads the memory of a server after each kind of work.
func (o *memoryOptions) states(ctx context.Context, progress io.Writer, c *child) (states []memoryState, err error) {
	crops, err := o.source.crops(ctx, o.clients)
	if err != nil {
		return nil, err
	}
	client := newHTTPClient(o.clients, c.token)
	defer client.CloseIdleConnections()
	api := rollcallv1connect.NewAttendanceServiceClient(client, c.url)
	identify := func(i int) error {
		_, err := api.Identify(ctx, &pb.IdentifyRequest{Image: crops[i%len(crops)].jpeg})
		return err
	}
	for _, step := range []struct {
		name           string
		calls, clients int
	}{
		{"model loaded, one crop identified", 1, 1},
		{"one client", o.calls, 1},
		{fmt.Sprintf("%d clients", o.clients), o.calls, o.clients},
	} {
		fmt.Fprintf(progress, "%s …\n", step.name)
		if err := shareOut(step.calls, step.clients, identify); err != nil {
			return nil, err
		}
		resident, err := residentBytes(c.pid)
		if err != nil {
			return nil, err
		}
		states = append(states, memoryState{After: step.name, Resident: resident})
	}
	return states, nil
}

// shareOut calls work with 0 to n-1, by several goroutines, and returns the first errors of each.
func shareOut(n, goroutines int, work func(i int) error) error {
	var next atomic.Int64
	var group sync.WaitGroup
	errs := make([]error, goroutines)
	for g := range goroutines {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[g] == nil; i = int(next.Add(1)) - 1 {
				errs[g] = work(i)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// memoryResult is what "bench memory" prints.
type memoryResult struct {
	Model  modelFacts    `json:"model"`
	File   int64         `json:"file_bytes"` // the embedder's ONNX file
	States []memoryState `json:"states"`
}

// memoryState is the memory of the server after some work.
type memoryState struct {
	After    string `json:"after"`
	Resident int64  `json:"resident_bytes"`
}

// The memory that a server may take: that of the model, and what everything else needs.
const (
	filesAllowed = 1.3
	restAllowed  = 80 * mib
)

func (r memoryResult) allowed() int64 { return int64(filesAllowed*float64(r.File)) + restAllowed }

func (r memoryResult) tables() []table {
	t := table{
		title:  fmt.Sprintf("memory of a server: %s, a file of %s", r.Model, inMegabytes(r.File)),
		header: []string{"after", "memory", fmt.Sprintf("of %s (%g x the file + %s)", inMegabytes(r.allowed()), filesAllowed, inMegabytes(restAllowed))},
	}
	for _, s := range r.States {
		t.row(s.After, inMegabytes(s.Resident), fmt.Sprintf("%.2f", float64(s.Resident)/float64(r.allowed())))
	}
	return []table{t}
}
