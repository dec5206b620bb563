package embedder

import (
	"fmt"

	"rollcall/models"
)

// Check loads an ONNX file once and compares it with its contract: there is one input, the needed outputs
// are there, types, layout and sizes are right, and the model runs. For an embedder it returns the model's
// answer to the golden picture, [dimension]float32 of unit length. The caller records it in the contract,
// and a model that later gives another answer is not loaded. For the other kinds it returns nil.
//
// The error is [ErrNotStarted] or wraps [ErrModel]. It wraps [ErrGolden] too where the contract already has
// a golden embedding and the answer differs from it. Check does not look at the digest; package models
// does. Check is a models.CheckFunc and safe for concurrent use.
func Check(contract models.Contract, onnx []byte) (golden []float32, err error) {
	if !isStarted() {
		return nil, fmt.Errorf("check model %s: %w", contract.Name, ErrNotStarted)
	}
	b, err := newBlueprint(contract, onnx)
	if err != nil {
		return nil, err
	}
	p, err := newPool(b, 1, 1, nil, nil, func(s *session) error { return prove(b, s) })
	if err != nil {
		return nil, err
	}
	defer trim()
	if contract.Kind == models.Embedder {
		golden, err = embedGolden(b, p.all[0])
	}
	p.destroy()
	if err != nil {
		return nil, err
	}
	return golden, nil
}

var _ models.CheckFunc = Check
