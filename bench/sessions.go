package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/pflag"

	"rollcall/embedder"
)

// sessionsOptions are the flags of "bench sessions".
type sessionsOptions struct {
	models modelOptions
	cycles int
}

func sessionsBench() Bench {
	return newBench("sessions", "what memory is left after a model was loaded and unloaded many times",
		`Loads the models and unloads them again, many times, and reads the memory of this
process after each time: first through the embedder, then with ONNX Runtime alone,
then once more through the embedder. The C library keeps what ONNX Runtime frees;
the embedder makes it give that back whenever it unloads a model.`,
		new(sessionsOptions))
}

func (o *sessionsOptions) addFlags(set *pflag.FlagSet) {
	set.IntVar(&o.cycles, "cycles", 60, "how often the models are loaded and unloaded each way")
	o.models.addFlags(set)
}

func (o *sessionsOptions) validate() error {
	if o.cycles < 1 {
		return errors.New("--cycles must be more than 0")
	}
	return nil
}

func (o *sessionsOptions) measure(ctx context.Context, progress io.Writer) (_ result, err error) {
	w, err := o.models.open(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	sessions := w.sessions
	if sessions <= 0 {
		sessions = embedder.DefaultSessions()
	}
	res := sessionsResult{Model: w.describe(), Sessions: sessions}
	for _, way := range []struct {
		name   string
		cycles int
		cycle  func() error
	}{
		{"embedder", o.cycles, func() error { return cycleEmbedder(ctx, w) }},
		{"ONNX Runtime alone", o.cycles, func() error { return cycleBare(w, sessions) }},
		{"embedder, once more", 1, func() error { return cycleEmbedder(ctx, w) }},
	} {
		fmt.Fprintf(progress, "%s, %d cycles …\n", way.name, way.cycles)
		samples := make([]int64, way.cycles)
		for i := range samples {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if err := way.cycle(); err != nil {
				return nil, err
			}
			if samples[i], err = residentNow(); err != nil {
				return nil, err
			}
		}
		res.Ways = append(res.Ways, cycleResult{Way: way.name, Resident: samples, Memory: newMemoryGrowth(samples)})
	}
	return res, nil
}

// residentNow returns the memory of this process without what Go has to spare.
func residentNow() (int64, error) {
	debug.FreeOSMemory()
	return residentBytes(os.Getpid())
}

// cycleEmbedder loads and unloads the models through an embedder, which runs each
// session once when it loads it.
func cycleEmbedder(ctx context.Context, w *workbench) error {
	var opts embedder.Options
	if w.locator == "" {
		opts.Locator = embedder.LocatorNone
	}
	e, err := w.newEmbedder(opts)
	if err != nil {
		return err
	}
	_, err = e.Load(ctx, w.embedder.Contract.Name)
	return errors.Join(err, e.Close())
}

// cycleBare builds as many sessions of each model, runs each once and closes them.
func cycleBare(w *workbench, n int) error {
	b, err := newBareLoops(w, w.aligns() && w.locator != "", n)
	if err != nil {
		return err
	}
	defer b.close()
	for _, worker := range b.workers {
		err = errors.Join(err, worker.work(context.Background()))
	}
	return err
}

// sessionsResult is what "bench sessions" prints.
type sessionsResult struct {
	Model    modelFacts    `json:"model"`
	Sessions int           `json:"sessions"` // of each model
	Ways     []cycleResult `json:"ways"`
}

// cycleResult is the memory of the process after each cycle, in bytes.
type cycleResult struct {
	Way      string       `json:"way"`
	Resident []int64      `json:"resident_bytes"`
	Memory   memoryGrowth `json:"memory"`
}

// shownCycles are the cycles whose memory the table shows.
var shownCycles = []int{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}

func (r sessionsResult) tables() []table {
	t := table{
		title:  fmt.Sprintf("memory of the process after a model was loaded and unloaded, %d sessions: %s", r.Sessions, r.Model),
		header: []string{"way", "cycles", "memory"},
	}
	for _, w := range r.Ways {
		for _, n := range shownCycles {
			if n < len(w.Resident) {
				t.row(w.Way, fmt.Sprint(n), inMegabytes(w.Resident[n-1]))
			}
		}
		last := len(w.Resident)
		t.row(w.Way, fmt.Sprint(last), inMegabytes(w.Resident[last-1]))
		if last > samplesAveraged {
			t.notes = append(t.notes, fmt.Sprintf("%s: growth after the first third %s (%+.1f %%)", w.Way, inMegabytes(w.Memory.Growth), 100*w.Memory.Share))
		}
	}
	return []table{t}
}
