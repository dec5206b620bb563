package embedder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"rollcall/embedder/ort"
)

// The files of a graph that ONNX Runtime has optimised, in a temporary folder.
const (
	graphFile   = "graph.onnx"
	weightsFile = "weights"
)

// weights are the weights of one network, which its sessions share. ONNX Runtime first writes the network
// as it will run it, with the weights in the order of its kernels. Then each session gets the same
// weights, mapped from that file. What a session derives from them is shared too.
//
// Only float32 weights are shared: ONNX Runtime 1.24 cannot share what it derives from others, and a model
// with weights of 8 bits is small.
type weights struct {
	dir    string
	mapped []byte
	shared *ort.Weights
}

// shareWeights prepares the weights of an ONNX file. The caller closes them, and calls forgetFiles after
// the last load.
func shareWeights(onnx []byte) (_ *weights, err error) {
	w := new(weights)
	defer func() {
		if err != nil {
			err = errors.Join(err, w.forgetFiles())
			w.close()
		}
	}()
	if w.dir, err = os.MkdirTemp("", "rollcall-model-"); err != nil {
		return nil, err
	}
	if err := ort.Optimise(onnx, w.graph(), weightsFile); err != nil {
		return nil, err
	}
	graph, err := os.ReadFile(w.graph())
	if err != nil {
		return nil, err
	}
	stored, err := readStored(graph)
	if err != nil {
		return nil, err
	}
	if w.mapped, err = mapFile(filepath.Join(w.dir, weightsFile)); err != nil {
		return nil, err
	}
	if w.shared, err = ort.NewWeights(); err != nil {
		return nil, err
	}
	for _, t := range stored {
		if t.elem != elemFloat {
			continue
		}
		// A full disk may have cut the file short, and reading a mapping beyond its file ends the process.
		if t.offset < 0 || t.length != 4*int64(t.count()) || t.offset+t.length > int64(len(w.mapped)) {
			return nil, fmt.Errorf("weight %q is not in the file", t.name)
		}
		if err := w.shared.Add(ort.Shape{Name: t.name, Dims: t.dims}, w.mapped[t.offset:t.offset+t.length]); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *weights) graph() string { return filepath.Join(w.dir, graphFile) }

// load makes a session with these weights. The caller closes it before the weights.
func (w *weights) load(threads int) (*ort.Session, error) { return w.shared.Load(w.graph(), threads) }

// forgetFiles deletes the files. The weights stay mapped. What loading has read of them, and no run needs,
// leaves the memory.
func (w *weights) forgetFiles() error {
	if w.dir == "" {
		return nil
	}
	return errors.Join(forgetPages(w.mapped), os.RemoveAll(w.dir))
}

// close frees the weights. REQUIRES: no session uses them.
func (w *weights) close() {
	if w.shared != nil {
		w.shared.Close()
	}
	unmap(w.mapped)
}
