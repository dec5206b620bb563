package embedder

import (
	"fmt"
	"runtime"

	ort "github.com/yalue/onnxruntime_go"
)

// tensors are what runs of one network read and write, allocated once. They are used by one goroutine at a
// time.
type tensors struct {
	input   []float32
	outputs map[string][]float32 // by the output's name

	values   []*ort.Tensor[float32]
	pins     runtime.Pinner   // keeps the memory at the address that ONNX Runtime knows
	bindings []*ort.IoBinding // to the sessions of the network, by width: so a run allocates nothing in Go
}

// newTensors allocates the tensors of one locked session. The caller closes them before the network.
func (b *blueprint) newTensors(n *network) (_ *tensors, err error) {
	t := &tensors{outputs: make(map[string][]float32, len(b.outputs))}
	defer func() {
		if err != nil {
			t.close()
			err = fmt.Errorf("allocate its tensors: %w", err)
		}
	}()
	input, err := t.add(b.input)
	if err != nil {
		return nil, err
	}
	t.input = input.GetData()
	for _, out := range b.outputs {
		value, err := t.add(out)
		if err != nil {
			return nil, err
		}
		t.outputs[out.name] = value.GetData()
	}
	for _, s := range n.sessions {
		if err := t.bind(b, s); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *tensors) add(shape tensor) (*ort.Tensor[float32], error) {
	data := make([]float32, shape.length())
	t.pins.Pin(&data[0])
	value, err := ort.NewTensor(ort.NewShape(shape.dims...), data)
	if err != nil {
		return nil, err
	}
	t.values = append(t.values, value)
	return value, nil
}

// bind makes the tensors those of runs of a session. REQUIRES: the values are the input and the outputs of
// the blueprint, in this order.
func (t *tensors) bind(b *blueprint, s *ort.DynamicAdvancedSession) error {
	binding, err := s.CreateIoBinding()
	if err != nil {
		return err
	}
	t.bindings = append(t.bindings, binding)
	if err := binding.BindInput(b.input.name, t.values[0]); err != nil {
		return err
	}
	for i, out := range b.outputs {
		if err := binding.BindOutput(out.name, t.values[1+i]); err != nil {
			return err
		}
	}
	return nil
}

// close frees the tensors. REQUIRES: no run uses them.
func (t *tensors) close() {
	// Destroy never fails: it only frees.
	for _, b := range t.bindings {
		_ = b.Destroy()
	}
	for _, v := range t.values {
		_ = v.Destroy()
	}
	t.pins.Unpin()
	*t = tensors{}
}
