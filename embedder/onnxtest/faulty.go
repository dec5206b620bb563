package onnxtest

import "math"

// Fault is a way in which a model breaks the contract that it comes with.
type Fault int

// The faults that [Faulty] builds.
const (
	TwoInputs   Fault = iota // a second input
	TwoOutputs               // a second output
	DoubleInput              // float64 instead of float32
	NaNOutput                // every component is not a number
	ZeroOutput               // every component is zero
	WrongOutput              // declares the contract's dimension and returns one more
)

// Faulty returns the embedder "test-faulty": [SFace] with one fault.
func Faulty(fault Fault) Model {
	m := SFace(1).Named("test-faulty")
	n := *m.network
	m.network = nil
	produced := int64(n.dimension)
	switch fault {
	case DoubleInput:
		n.double = true
	case NaNOutput:
		for i := range n.bias {
			n.bias[i] = float32(math.NaN())
		}
	case ZeroOutput:
		n.weights, n.bias = make([]float32, len(n.weights)), make([]float32, len(n.bias))
	case WrongOutput:
		produced++
		n.weights, n.bias = append(n.weights, make([]float32, features)...), append(n.bias, 0)
	}
	g, last := n.graph(false)
	switch fault {
	case TwoInputs:
		g.input("mask", 1, 1)
	case TwoOutputs:
		g.output(last, 1, features)
	}
	g.node("Gemm", "full", []string{last, g.floats("weights", n.weights, produced, features), g.floats("bias", n.bias, produced)}, integer("transB", 1))
	// The reshape hides the length of the output until the model runs.
	g.node("Reshape", "embedding", []string{"full", g.ints("row", 1, -1)})
	g.output("embedding", 1, int64(n.dimension))
	return m.with(g.encode())
}
