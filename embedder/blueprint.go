package embedder

import (
	"fmt"
	"slices"
	"strings"

	"rollcall/models"
)

// tensor is an input or output of a session: a name and a shape without open dimensions.
type tensor struct {
	name string
	dims []int64
}

func (t tensor) length() int {
	n := 1
	for _, d := range t.dims {
		n *= int(d)
	}
	return n
}

// blueprint is what sessions of a model are built from.
type blueprint struct {
	contract models.Contract
	onnx     []byte // as ONNX Runtime gets it: reshaped where the contract says so
	input    tensor
	outputs  []tensor // an embedder has one, [1][dimension]
}

// newBlueprint compares an ONNX file with its contract, as far as that is possible without running it. The
// errors wrap ErrModel and say what differs.
func newBlueprint(c models.Contract, onnx []byte) (*blueprint, error) {
	b := &blueprint{contract: c, onnx: onnx}
	g, err := readGraph(onnx)
	if err != nil {
		return nil, b.fault("%w", err)
	}
	if err := b.planInput(g); err != nil {
		return nil, err
	}
	if err := b.planOutputs(g); err != nil {
		return nil, err
	}
	if c.Input.Reshape {
		if b.onnx, err = reshape(onnx, b.input.name, b.input.dims); err != nil {
			return nil, b.fault("change the size of its input: %w", err)
		}
	}
	return b, nil
}

// fault returns an ErrModel that names the model.
func (b *blueprint) fault(format string, args ...any) error {
	return fmt.Errorf("model %s: %w: %w", b.contract.Name, ErrModel, fmt.Errorf(format, args...))
}

// planInput finds the only input and the shape that it must have.
func (b *blueprint) planInput(g graphInfo) error {
	if len(g.inputs) != 1 {
		return b.fault("it has %d inputs%s, and a contract describes one", len(g.inputs), names(g.inputs))
	}
	in := b.contract.Input
	want := []int64{1, 3, int64(in.Height), int64(in.Width)}
	if in.Layout == models.NHWC {
		want = []int64{1, int64(in.Height), int64(in.Width), 3}
	}
	got := g.inputs[0]
	if got.elem != elemFloat {
		return b.fault("its input %q is %s, and only float32 is supported", got.name, got.elemName())
	}
	compare := slices.Clone(want)
	if in.Reshape {
		// Width and height may differ, because reshaping changes them; batch and channels may not.
		for i, d := range compare {
			if i > 0 && d != 3 {
				compare[i] = free
			}
		}
	}
	if got.dims != nil && !fits(got.dims, compare) {
		return b.fault("its input %q is %s, and the contract (%s, %d x %d pixels) needs %s",
			got.name, shapeString(got.dims), in.Layout, in.Width, in.Height, shapeString(want))
	}
	b.input = tensor{name: got.name, dims: want}
	return nil
}

// planOutputs finds the outputs that the contract needs, and their shapes.
func (b *blueprint) planOutputs(g graphInfo) error {
	want := b.finderOutputs()
	if b.contract.Kind == models.Embedder {
		if len(g.outputs) != 1 {
			return b.fault("it has %d outputs%s, and an embedder has one", len(g.outputs), names(g.outputs))
		}
		want = []tensor{{name: g.outputs[0].name, dims: []int64{1, int64(b.contract.Output.Dimension)}}}
	}
	for _, t := range want {
		i := slices.IndexFunc(g.outputs, func(out tensorInfo) bool { return out.name == t.name })
		if i < 0 {
			return b.fault("it has no output %q, which the decoder %q reads; it has%s", t.name, b.contract.Decoder, names(g.outputs))
		}
		got := g.outputs[i]
		if got.elem != elemFloat {
			return b.fault("its output %q is %s, and only float32 is supported", t.name, got.elemName())
		}
		// With another input size the outputs will have other sizes than the file says.
		if got.dims != nil && !b.contract.Input.Reshape && !fits(got.dims, t.dims) {
			return b.fault("its output %q is %s, and the contract needs %s", t.name, shapeString(got.dims), shapeString(t.dims))
		}
		b.outputs = append(b.outputs, t)
	}
	return nil
}

// finderOutputs are the outputs of a locator or a detector that the contract's decoder reads.
func (b *blueprint) finderOutputs() []tensor {
	in := b.contract.Input
	switch b.contract.Decoder {
	case models.DecoderYuNet:
		var outputs []tensor
		for _, stride := range []int{8, 16, 32} {
			cells := int64((in.Width / stride) * (in.Height / stride))
			for _, part := range []struct {
				name   string
				values int64
			}{{"cls", 1}, {"obj", 1}, {"bbox", 4}, {"kps", 10}} {
				outputs = append(outputs, tensor{fmt.Sprintf("%s_%d", part.name, stride), []int64{1, cells, part.values}})
			}
		}
		return outputs
	case models.DecoderBlaze:
		var anchors int64
		for _, a := range b.contract.Anchors {
			anchors += int64((in.Width / a.Stride) * (in.Height / a.Stride) * a.Count)
		}
		return []tensor{{regressorsOutput, []int64{1, anchors, 16}}, {logitsOutput, []int64{1, anchors, 1}}}
	case models.DecoderPoints:
		return []tensor{{pointsOutput, []int64{1, 10}}, {scoreOutput, []int64{1, 1}}}
	}
	return nil
}

// fits reports whether a shape, which may have free dimensions, allows another shape.
func fits(got, want []int64) bool {
	return slices.EqualFunc(got, want, func(g, w int64) bool { return g == w || g == free || w == free })
}

// names lists tensors for a message: ` ("a", "b")`.
func names(tensors []tensorInfo) string {
	if len(tensors) == 0 {
		return ""
	}
	quoted := make([]string, len(tensors))
	for i, t := range tensors {
		quoted[i] = fmt.Sprintf("%q", t.name)
	}
	return " (" + strings.Join(quoted, ", ") + ")"
}
