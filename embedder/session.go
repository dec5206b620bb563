package embedder

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// session is a locked session: an ONNX Runtime session with its input and output tensors, all allocated
// once. ONNX Runtime reads and writes the memory of the slices directly. So whoever uses a session holds
// its lock, from filling the input to copying the output out.
type session struct {
	mu sync.Mutex // guards everything below and the memory behind it

	ort     *ort.AdvancedSession
	tensors []*ort.Tensor[float32]
	pins    runtime.Pinner // keeps the tensors' memory at the address that ONNX Runtime knows
	input   []float32
	outputs map[string][]float32 // by the output's name
}

// newSession builds one session. The caller destroys it.
func newSession(b *blueprint, threads int) (_ *session, err error) {
	s := &session{outputs: make(map[string][]float32, len(b.outputs))}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.destroy())
		}
	}()
	input, err := s.tensor(b.input)
	if err != nil {
		return nil, err
	}
	s.input = input.GetData()
	names := make([]string, len(b.outputs))
	outputs := make([]ort.Value, len(b.outputs))
	for i, out := range b.outputs {
		t, err := s.tensor(out)
		if err != nil {
			return nil, err
		}
		names[i], outputs[i] = out.name, t
		s.outputs[out.name] = t.GetData()
	}
	options, err := sessionOptions(threads)
	if err != nil {
		return nil, fmt.Errorf("set the options of a session: %w", err)
	}
	s.ort, err = ort.NewAdvancedSessionWithONNXData(b.onnx, []string{b.input.name}, names, []ort.Value{input}, outputs, options)
	return s, errors.Join(err, options.Destroy())
}

// tensor allocates a tensor and notes it for destroy.
func (s *session) tensor(t tensor) (*ort.Tensor[float32], error) {
	data := make([]float32, t.length())
	s.pins.Pin(&data[0])
	created, err := ort.NewTensor(ort.NewShape(t.dims...), data)
	if err != nil {
		return nil, fmt.Errorf("allocate %q: %w", t.name, err)
	}
	s.tensors = append(s.tensors, created)
	return created, nil
}

// sessionOptions are the same for every model. The memory arena and the memory pattern stay on, which is
// ONNX Runtime's default. Neither changed the speed or, after trim, the memory of MobileFaceNet, but larger
// models allocate more in a run.
func sessionOptions(threads int) (*ort.SessionOptions, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		o.SetIntraOpNumThreads(threads),
		o.SetInterOpNumThreads(1),
		o.SetExecutionMode(ort.ExecutionModeSequential),
		o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		o.SetLogSeverityLevel(ort.LoggingLevelFatal),
		// A thread that spins while it waits for work takes the core from another caller's decoding.
		o.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
		o.AddSessionConfigEntry("session.inter_op.allow_spinning", "0"),
	)
	if err != nil {
		return nil, errors.Join(err, o.Destroy())
	}
	return o, nil
}

// run computes the outputs from the input. REQUIRES: s.mu is held. It cannot be interrupted: a caller whose
// context ends still waits for it, but a run is shorter than any useful deadline.
func (s *session) run() error { return s.ort.Run() }

// destroy frees everything. It is called once, after everybody has released the session.
func (s *session) destroy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.ort != nil {
		err = s.ort.Destroy() // before the tensors, which must outlive it
	}
	for _, t := range s.tensors {
		err = errors.Join(err, t.Destroy())
	}
	s.pins.Unpin()
	s.input, s.outputs = nil, nil
	return err
}

// pool hands out the sessions of one model. It is safe for concurrent use.
type pool struct {
	all  []*session
	idle chan *session
}

// newPool builds n sessions and runs each one with prove. closing ends it early, with ErrClosed.
func newPool(b *blueprint, n, threads int, closing <-chan struct{}, prove func(*session) error) (*pool, error) {
	p := &pool{idle: make(chan *session, n)}
	for i := range n {
		select {
		case <-closing:
			return nil, errors.Join(ErrClosed, p.destroy())
		default:
		}
		s, err := newSession(b, threads)
		if err != nil {
			return nil, errors.Join(b.fault("session %s of %d: %w", strconv.Itoa(i+1), n, err), p.destroy())
		}
		p.all = append(p.all, s)
		p.idle <- s
		if err := prove(s); err != nil {
			return nil, errors.Join(err, p.destroy())
		}
	}
	return p, nil
}

// take waits for an idle session and locks it. If ctx has ended, it returns ctx's error, even where a
// session is idle.
func (p *pool) take(ctx context.Context) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case s := <-p.idle:
		s.mu.Lock()
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// put unlocks a session and gives it back.
func (p *pool) put(s *session) {
	s.mu.Unlock()
	p.idle <- s
}

// busy is how many sessions are taken.
func (p *pool) busy() int { return len(p.all) - len(p.idle) }

// destroy frees all sessions. REQUIRES: none is taken.
func (p *pool) destroy() error {
	var err error
	for _, s := range p.all {
		err = errors.Join(err, s.destroy())
	}
	return err
}
