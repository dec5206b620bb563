package onnxtest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"rollcall/models"
)

// Window is an embedder whose embedding shows what its input holds: the values at Places, and one constant.
// Making the embedding unit length loses the scale of the values; the constant gives it back.
type Window struct {
	Model
	Places []int // indices into the input tensor in its own layout, [dimension-1]

	constant float64
}

// constantShare is how large the constant is: about as large as all values together, so that neither is
// lost in the rounding of the other.
const constantShare = 16

// NewWindow returns an embedder with the contract c that shows dimension-1 values of its input. The seed
// chooses which. It panics when c is a locator.
func NewWindow(c models.Contract, seed int64) Window {
	if c.Kind != models.Embedder {
		panic("onnxtest: a locator has no embedding to look through")
	}
	in := c.Input
	length := 3 * in.Width * in.Height
	w := Window{Places: rand.New(rand.NewPCG(uint64(seed), 1)).Perm(length)[:c.Output.Dimension-1]}
	for channel := range 3 {
		for _, level := range []float64{0, 255} {
			w.constant = max(w.constant, constantShare*math.Abs(level-float64(in.Mean[channel]))/float64(in.Std[channel]))
		}
	}
	places := make([]int64, len(w.Places))
	for i, place := range w.Places {
		places[i] = int64(place)
	}
	dims := []int64{1, 3, int64(in.Height), int64(in.Width)}
	if in.Layout == models.NHWC {
		dims = []int64{1, int64(in.Height), int64(in.Width), 3}
	}
	g := new(graph)
	last := g.input("input", dims...)
	last = g.node("Flatten", "flat", []string{last}, integer("axis", 1))
	last = g.node("Gather", "shown", []string{last, g.ints("places", places...)}, integer("axis", 1))
	constant := g.floats("constant", []float32{float32(w.constant)}, 1, 1)
	g.node("Concat", "embedding", []string{constant, last}, integer("axis", 1))
	g.output("embedding", 1, int64(c.Output.Dimension))
	w.Model = Model{Contract: c}.with(g.encode())
	return w
}

// Values returns what the tensor held at Places, computed from an embedding of unit length.
func (w Window) Values(embedding []float32) ([]float64, error) {
	if len(embedding) != len(w.Places)+1 || embedding[0] <= 0 {
		return nil, fmt.Errorf("onnxtest: this is not an embedding of the window: %d numbers for %d places", len(embedding), len(w.Places))
	}
	values := make([]float64, len(w.Places))
	for i := range values {
		values[i] = float64(embedding[i+1]) * w.constant / float64(embedding[0])
	}
	return values, nil
}
