package embedder

import (
	"context"
	"strconv"
	"sync"
)

// session is a locked session: the input and output tensors of runs of one network, all allocated once. ONNX
// Runtime reads and writes the memory of the slices directly. So whoever uses a session holds its lock, from
// filling the input to copying the output out.
type session struct {
	mu sync.Mutex // guards everything below and the memory behind it

	compute func(*tensors) error // by the network of all sessions of the pool
	tensors *tensors
	input   []float32
	outputs map[string][]float32 // by the output's name
}

// newSession builds one session. The caller destroys it.
func newSession(b *blueprint, n *network) (*session, error) {
	t, err := b.newTensors(n)
	if err != nil {
		return nil, err
	}
	return &session{compute: n.next, tensors: t, input: t.input, outputs: t.outputs}, nil
}

// run computes the outputs from the input. REQUIRES: s.mu is held. It cannot be interrupted: a caller whose
// context ends still waits for it, but a run is shorter than any useful deadline.
func (s *session) run() error { return s.compute(s.tensors) }

// destroy frees the tensors. It is called once, after everybody has released the session.
func (s *session) destroy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tensors.close()
	s.input, s.outputs = nil, nil
}

// pool hands out the sessions of one model. It is safe for concurrent use.
type pool struct {
	network *network
	all     []*session
	idle    chan *session
}

// newPool loads a model with newNetwork, builds n sessions and lets prove run each of them in each width.
// closing ends it early, with ErrClosed.
func newPool(b *blueprint, n, threads int, alone func() bool, closing <-chan struct{}, prove func(*session) error) (_ *pool, err error) {
	p := &pool{idle: make(chan *session, n)}
	defer func() {
		if err != nil {
			p.destroy()
		}
	}()
	if p.network, err = newNetwork(b.onnx, threads, alone); err != nil {
		return nil, b.fault("load it: %w", err)
	}
	for i := range n {
		select {
		case <-closing:
			return nil, ErrClosed
		default:
		}
		s, err := newSession(b, p.network)
		if err != nil {
			return nil, b.fault("session %s of %d: %w", strconv.Itoa(i+1), n, err)
		}
		p.all = append(p.all, s)
		p.idle <- s
		if err := p.prove(s, prove); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// prove runs a new session in each width.
func (p *pool) prove(s *session, prove func(*session) error) error {
	for _, w := range p.network.widths() {
		s.compute = func(t *tensors) error { return p.network.run(t, w) }
		if err := prove(s); err != nil {
			return err
		}
	}
	s.compute = p.network.next
	return nil
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

// destroy frees the network and all sessions. REQUIRES: none is taken.
func (p *pool) destroy() {
	for _, s := range p.all {
		s.destroy()
	}
	if p.network != nil {
		p.network.close()
	}
}
