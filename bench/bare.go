package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	ort "github.com/yalue/onnxruntime_go"

	"rollcall/embedder"
	"rollcall/models"
)

// bareLoops run nothing but ONNX Runtime: the most that the machine can do. Each
// goroutine has sessions of its own, set up as the embedder sets up its own.
type bareLoops struct {
	loops    []loop
	workers  []*bareWorker
	sessions []*bareSession
}

// A bareWorker is one goroutine's sessions and how long their runs took in all.
type bareWorker struct {
	locator, embedder *bareSession // locator may be nil
	looks             int          // runs of the locator that a crop takes
	steps             int
	locate, embed     time.Duration
}

// newBareLoops returns n loops that run the embedder, after the locator where that
// is asked for. The caller closes them.
func newBareLoops(w *workbench, locate bool, n int) (_ *bareLoops, err error) {
	b := new(bareLoops)
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	plans, err := barePlans(w, locate)
	if err != nil {
		return nil, err
	}
	for range n {
		sessions := make([]*bareSession, len(plans))
		for i, plan := range plans {
			if sessions[i], err = plan.open(); err != nil {
				return nil, err
			}
			b.sessions = append(b.sessions, sessions[i])
		}
		worker := &bareWorker{embedder: sessions[0]}
		if locate {
			worker.locator, worker.looks = sessions[1], plans[1].runs
		}
		b.workers = append(b.workers, worker)
		b.loops = append(b.loops, loop{worker.step})
	}
	return b, nil
}

// barePlans returns the plan of the embedder, and then that of the locator where it
// is asked for.
func barePlans(w *workbench, locate bool) ([]*barePlan, error) {
	plan, err := newBarePlan(w.embedder, w.threads)
	if err != nil || !locate {
		return []*barePlan{plan}, err
	}
	m, err := w.library.Model(w.locator)
	if err != nil {
		return nil, err
	}
	locator, err := newBarePlan(m, w.threads)
	if err == nil && m.Contract.SecondLook > 0 {
		locator.runs = 2
	}
	return []*barePlan{plan, locator}, err
}

// means returns the mean times of a crop's runs so far, in milliseconds.
func (b *bareLoops) means() (embedder, locator float64) {
	var sum bareWorker
	for _, w := range b.workers {
		sum.steps += w.steps
		sum.embed += w.embed
		sum.locate += w.locate
	}
	n := float64(max(sum.steps, 1))
	return milliseconds(sum.embed) / n, milliseconds(sum.locate) / n
}

func (b *bareLoops) close() error {
	var err error
	for _, s := range b.sessions {
		err = errors.Join(err, s.destroy())
	}
	b.sessions = nil
	return err
}

// step does what a crop takes at the least.
func (w *bareWorker) step(context.Context) error {
	start := time.Now()
	if w.locator != nil {
		for range w.looks {
			if err := w.locator.session.Run(); err != nil {
				return err
			}
		}
		located := time.Now()
		w.locate += located.Sub(start)
		start = located
	}
	if err := w.embedder.session.Run(); err != nil {
		return err
	}
	w.embed += time.Since(start)
	w.steps++
	return nil
}

// A barePlan is what the sessions of a model are built from.
type barePlan struct {
	runs    int // that a crop takes
	onnx    []byte
	input   string
	shape   ort.Shape // of the input
	samples []float32 // for the input
	outputs []string
	shapes  []ort.Shape // of the outputs
	threads int         // that one run may use
}

func newBarePlan(m models.Model, threads int) (_ *barePlan, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("model %s: %w", m.Contract.Name, err)
		}
	}()
	onnx, err := m.Read()
	if err != nil {
		return nil, err
	}
	inputs, outputs, err := ort.GetInputOutputInfoWithONNXData(onnx)
	if err != nil {
		return nil, err
	}
	in := m.Contract.Input
	p := &barePlan{runs: 1, onnx: onnx, input: inputs[0].Name, samples: samples(in), threads: threads}
	p.shape = ort.NewShape(1, 3, int64(in.Height), int64(in.Width))
	if in.Layout == models.NHWC {
		p.shape = ort.NewShape(1, int64(in.Height), int64(in.Width), 3)
	}
	for _, out := range outputs {
		p.outputs = append(p.outputs, out.Name)
	}
	if in.Reshape {
		if p.onnx, err = embedder.Reshape(onnx, p.input, p.shape); err != nil {
			return nil, err
		}
	}
	return p, p.measure()
}

// measure runs the model once to see how large its outputs are, which a file does
// not always say.
func (p *barePlan) measure() (err error) {
	options, err := bareOptions(p.threads)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, options.Destroy()) }()
	trial, err := ort.NewDynamicAdvancedSessionWithONNXData(p.onnx, []string{p.input}, p.outputs, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, trial.Destroy()) }()
	input, err := ort.NewTensor(p.shape, p.samples)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, input.Destroy()) }()
	values := make([]ort.Value, len(p.outputs)) // nil: ONNX Runtime allocates
	if err := trial.Run([]ort.Value{input}, values); err != nil {
		return err
	}
	for _, v := range values {
		p.shapes = append(p.shapes, v.GetShape())
		err = errors.Join(err, v.Destroy())
	}
	return err
}

// open builds a session. The caller destroys it.
func (p *barePlan) open() (_ *bareSession, err error) {
	s := new(bareSession)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.destroy())
		}
	}()
	input, err := ort.NewTensor(p.shape, p.samples)
	if err != nil {
		return nil, err
	}
	s.tensors = append(s.tensors, input)
	for _, shape := range p.shapes {
		t, err := ort.NewEmptyTensor[float32](shape)
		if err != nil {
			return nil, err
		}
		s.tensors = append(s.tensors, t)
	}
	options, err := bareOptions(p.threads)
	if err != nil {
		return nil, err
	}
	s.session, err = ort.NewAdvancedSessionWithONNXData(p.onnx, []string{p.input}, p.outputs, s.tensors[:1], s.tensors[1:], options)
	return s, errors.Join(err, options.Destroy())
}

// A bareSession is a session with its tensors, the input first.
type bareSession struct {
	session *ort.AdvancedSession
	tensors []ort.Value
}

// bareOptions are the session options that package embedder sets.
func bareOptions(threads int) (*ort.SessionOptions, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		o.SetIntraOpNumThreads(threads),
		o.SetInterOpNumThreads(1),
		o.SetExecutionMode(ort.ExecutionModeSequential),
		o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		o.SetLogSeverityLevel(ort.LoggingLevelError),
		o.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
		o.AddSessionConfigEntry("session.inter_op.allow_spinning", "0"),
	)
	if err != nil {
		return nil, errors.Join(err, o.Destroy())
	}
	return o, nil
}

// samples returns an input tensor of random pixels.
func samples(in models.Input) []float32 {
	rng := rand.New(rand.NewPCG(1, 1))
	values := make([]float32, 3*in.Width*in.Height)
	for i := range values {
		// Any channel's mean and scale will do: only the size of the numbers matters.
		values[i] = (255*rng.Float32() - in.Mean[i%3]) / in.Std[i%3]
	}
	return values
}

func (s *bareSession) destroy() error {
	var err error
	if s.session != nil {
		err = s.session.Destroy() // before the tensors, which must outlive it
	}
	for _, t := range s.tensors {
		err = errors.Join(err, t.Destroy())
	}
	return err
}
