package embedder

import (
	"errors"
	"fmt"
	"time"

	"rollcall/embedder/ort"
)

// network is a model that ONNX Runtime has loaded, once, for all locked sessions. It runs narrow, on one
// core, or wide, on several. Narrow runs side by side make the most crops a second; a wide one ends sooner.
// So a run is wide if no other call works at its start. Both give the same bits, because ONNX Runtime
// divides the outputs among threads, never a sum (TestWideIsNarrow).
//
// Two sessions of ONNX Runtime share one copy of the weights, because the number of threads belongs to a
// session. It runs any number of times at once.
type network struct {
	narrow, wide *ort.Session // wide is nil where every run is narrow
	threads      int          // of a wide run; 1 without wide
	weights      *weights     // of both; nil without wide
	alone        func() bool  // whether at most one call works
	pace         pace
}

// newNetwork loads a model. A wide run uses the given number of threads; with one there are no wide runs.
// If the weights cannot be shared, there are none either, because a second copy costs more than they gain.
func newNetwork(onnx []byte, threads int, alone func() bool) (*network, error) {
	n := &network{alone: alone, threads: 1}
	if threads > 1 {
		if err := n.loadBoth(onnx, threads); err == nil {
			return n, nil
		}
	}
	var err error
	n.narrow, err = ort.Load(onnx)
	return n, err
}

func (n *network) loadBoth(onnx []byte, threads int) (err error) {
	w, err := shareWeights(onnx)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, w.forgetFiles())
		if err != nil {
			n.close()
		}
	}()
	n.weights = w
	if n.narrow, err = w.load(1); err != nil {
		return err
	}
	n.threads = threads
	n.wide, err = w.load(threads)
	return err
}

// widths are the ways in which the network can run.
func (n *network) widths() []width {
	if n.wide == nil {
		return []width{narrowRun}
	}
	return []width{narrowRun, wideRun}
}

// next computes the outputs from the input, in the width that suits the load. Only runs beside which no
// other call worked are compared: others take longer, whatever their width.
func (n *network) next(t *ort.Tensors) error {
	if n.wide == nil || !n.alone() {
		return n.run(t, narrowRun)
	}
	w, start := n.pace.choose(), time.Now()
	if err := n.run(t, w); err != nil {
		return err
	}
	if n.alone() {
		n.pace.note(w, time.Since(start))
	}
	return nil
}

// run computes the outputs from the input.
func (n *network) run(t *ort.Tensors, w width) error {
	if w == wideRun {
		return n.wide.Run(t)
	}
	return n.narrow.Run(t)
}

// close frees the network. REQUIRES: it does not run.
func (n *network) close() {
	for _, s := range []*ort.Session{n.narrow, n.wide} {
		if s != nil {
			s.Close()
		}
	}
	if n.weights != nil {
		n.weights.close()
	}
	n.narrow, n.wide, n.weights, n.threads = nil, nil, nil, 1
}

// newTensors allocates the tensors of one locked session.
func (b *blueprint) newTensors() (*ort.Tensors, error) {
	outputs := make([]ort.Shape, len(b.outputs))
	for i, out := range b.outputs {
		outputs[i] = ort.Shape{Name: out.name, Dims: out.dims}
	}
	t, err := ort.NewTensors(ort.Shape{Name: b.input.name, Dims: b.input.dims}, outputs...)
	if err != nil {
		return nil, fmt.Errorf("allocate its tensors: %w", err)
	}
	return t, nil
}
