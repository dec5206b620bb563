package embedder

import (
	"fmt"

	"rollcall/models"
)

// A Session is a single session of a model, like those inside an [Embedder], but without queue, pixels and
// check against the golden picture. Its runs use one core. It is for measuring the time of ONNX Runtime
// itself, and for models that an Embedder cannot use. One Session is not safe for concurrent use; several
// may run side by side.
type Session struct {
	network *network
	tensors *tensors
}

// OpenSessions reads a model once and builds n sessions of it, each with its own weights. The caller closes
// them. The error is [ErrNotStarted], wraps [ErrModel] where the file does not fulfil its contract, or comes
// from reading the file. After an error no session is open.
func OpenSessions(m models.Model, n int) (_ []*Session, err error) {
	if !isStarted() {
		return nil, fmt.Errorf("open model %s: %w", m.Contract.Name, ErrNotStarted)
	}
	onnx, err := m.Read()
	if err != nil {
		return nil, err
	}
	b, err := newBlueprint(m.Contract, onnx)
	if err != nil {
		return nil, err
	}
	open := make([]*Session, n)
	for i := range open {
		if open[i], err = openSession(b); err != nil {
			for _, s := range open[:i] {
				s.Close()
			}
			return nil, b.fault("%w", err)
		}
	}
	return open, nil
}

func openSession(b *blueprint) (*Session, error) {
	n, err := newNetwork(b.onnx, 1, nil)
	if err != nil {
		return nil, err
	}
	t, err := b.newTensors(n)
	if err != nil {
		n.close()
		return nil, err
	}
	return &Session{network: n, tensors: t}, nil
}

// Input is what the next Run reads. The caller fills it: one picture in the contract's layout,
// [1][3][height][width] or [1][height][width][3]. It is valid until Close.
func (s *Session) Input() []float32 { return s.tensors.input }

// Outputs are what the last Run wrote, by the output's name. Each is [1][…] as the contract's decoder reads
// it; an embedder's is [1][dimension] and not of unit length. The next Run writes over them. They are valid
// until Close.
func (s *Session) Outputs() map[string][]float32 { return s.tensors.outputs }

// Run computes the outputs from the input.
func (s *Session) Run() error { return s.network.run(s.tensors, narrowRun) }

// Close frees the session. It is called once.
func (s *Session) Close() {
	s.tensors.close()
	s.network.close()
}
