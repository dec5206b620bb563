package embedder

import (
	"errors"
	"fmt"

	"rollcall/models"
)

// A Session is a session of a model alone, as the [Embedder] has them inside: no queue, no pixels, no
// check against the golden picture. It is for measuring what ONNX Runtime itself takes, and for models
// that an Embedder has no use for. It is not safe for concurrent use; several of them are.
type Session struct{ inner *session }

// OpenSessions reads a model once and builds n sessions of it, each of which may use so many threads in a
// run. The caller closes them. The error is [ErrNotStarted], wraps [ErrModel] where the file does not
// fulfil its contract, or is that of reading the file; no session is open then.
func OpenSessions(m models.Model, n, threads int) (_ []*Session, err error) {
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
		inner, err := newSession(b, threads)
		if err != nil {
			err = b.fault("%w", err)
			for _, s := range open[:i] {
				err = errors.Join(err, s.Close())
			}
			return nil, err
		}
		open[i] = &Session{inner}
	}
	return open, nil
}

// Input is what the next Run reads, for the caller to fill: one picture in the contract's layout,
// [1][3][height][width] or [1][height][width][3]. It is valid until Close.
func (s *Session) Input() []float32 { return s.inner.input }

// Outputs are what the last Run wrote, by the output's name, each [1][…] as the contract's decoder reads
// it, or [1][dimension] of an embedder, not of unit length. The next Run writes over them; they are valid
// until Close.
func (s *Session) Outputs() map[string][]float32 { return s.inner.outputs }

// Run computes the outputs from the input.
func (s *Session) Run() error { return s.inner.run() }

// Close frees the session. It is called once.
func (s *Session) Close() error { return s.inner.destroy() }
