package embedder

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"time"

	ort "github.com/yalue/onnxruntime_go"
)

// network is a model that ONNX Runtime has loaded, once, for all locked sessions. It runs narrow, on one
// core, or wide, on several. Narrow runs side by side make the most crops a second; a wide one ends sooner.
// So a run is wide if no other call works at its start. Both give the same bits, because ONNX Runtime
// divides the outputs among threads, never a sum (TestWideIsNarrow).
//
// Each width has a session of ONNX Runtime, because the number of threads belongs to a session. Both read
// the same weights (open.go). It runs any number of times at once.
type network struct {
	sessions []*ort.DynamicAdvancedSession // by width; without the wide one every run is narrow
	threads  int                           // of a wide run; 1 without them
	unshared error                         // why there are none though they were asked for
	alone    func() bool                   // whether at most one call works
	pace     pace
}

// newNetwork loads a model. A wide run uses the given number of threads; with one there are no wide runs.
// If the weights cannot be shared, there are none either, because a second copy costs more than they gain.
func newNetwork(onnx []byte, threads int, alone func() bool) (*network, error) {
	n := &network{threads: 1, alone: alone}
	if threads > 1 {
		// ONNX Runtime 1.24 cannot read again what it derives for some kernels, such as QLinearConv. Then each
		// session derives it anew.
		for _, derived := range []bool{true, false} {
			if n.unshared = n.loadBoth(onnx, threads, derived); n.unshared == nil {
				return n, nil
			}
		}
	}
	s, err := openModel(onnx)
	if err != nil {
		return nil, err
	}
	n.sessions = []*ort.DynamicAdvancedSession{s}
	return n, nil
}

// loadBoth makes a session for each width. With derived they also share what kernels derive from the
// weights: in ArcFace's ResNet-34 these are 49 MB.
func (n *network) loadBoth(onnx []byte, threads int, derived bool) (err error) {
	dir, err := os.MkdirTemp("", "rollcall-model-")
	if err != nil {
		return err
	}
	defer func() {
		// The weights stay mapped without the file.
		if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
			n.close()
		}
	}()
	graph := filepath.Join(dir, "graph.onnx")
	if err := optimise(onnx, graph, derived); err != nil {
		return err
	}
	for _, t := range []int{1, threads} {
		s, err := openOptimised(graph, t)
		if err != nil {
			return err
		}
		n.sessions = append(n.sessions, s)
	}
	n.threads = threads
	return nil
}

// widths are the ways in which the network can run.
func (n *network) widths() []width { return []width{narrowRun, wideRun}[:len(n.sessions)] }

// next computes the outputs from the input, in the width that suits the load. Only runs beside which no
// other call worked are compared: others take longer, whatever their width.
func (n *network) next(t *tensors) error {
	if len(n.sessions) == 1 || !n.alone() {
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

// run computes the outputs from the input. It first lets go what is ready in Go. The thread of a run keeps
// its place in Go's scheduler until the monitor thread finds it in C at two of its wake-ups, and these can be
// 10 ms apart: longer than a run. On one core, with ten times the calls it could answer, only those went on
// that a finished one had woken, one run after the other. New calls were not read, and waited 2 s
// (2026-11-26, "rollcall bench overload").
func (n *network) run(t *tensors, w width) error {
	runtime.Gosched()
	return n.sessions[w].RunWithBinding(t.bindings[w])
}

// close frees the network. REQUIRES: it does not run, and its tensors are closed.
func (n *network) close() {
	for _, s := range n.sessions {
		_ = s.Destroy() // it never fails: it only frees
	}
	n.sessions, n.threads = nil, 1
}
