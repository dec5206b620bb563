package embedder

import (
	"fmt"

	"rollcall/models"
)

// Check loads an ONNX file once and compares it with its contract: that there is one input, the
// outputs that are needed, their types, layout and sizes, and that it runs. For an embedder it returns
// what it answers to the golden picture, [dimension]float32 of unit length, to be recorded in the
// contract: a model that later answers otherwise is not loaded. For the other kinds it returns nil.
//
// The error is [ErrNotStarted], or wraps [ErrModel], and [ErrGolden] where the contract has a golden
// embedding already. Check does not look at the digest; that is package models' business. It is a
// models.CheckFunc and safe for concurrent use.
func Check(contract models.Contract, onnx []byte) (golden []float32, err error) {
	if !isStarted() {
		return nil, fmt.Errorf("check model %s: %w", contract.Name, ErrNotStarted)
	}
	b, err := newBlueprint(contract, onnx)
	if err != nil {
		return nil, err
	}
	p, err := newPool(b, 1, 1, nil, func(s *session) error { return prove(b, s) })
	if err != nil {
		return nil, err
	}
	defer trim()
	if contract.Kind == models.Embedder {
		golden, err = embedGolden(b, p.all[0])
	}
	if stop := p.destroy(); stop != nil && err == nil {
		err = fmt.Errorf("check model %s: %w", contract.Name, stop)
	}
	if err != nil {
		return nil, err
	}
	return golden, nil
}

var _ models.CheckFunc = Check
