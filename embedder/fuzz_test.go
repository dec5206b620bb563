package embedder

import (
	"testing"

	"rollcall/embedder/onnxtest"
)

// FuzzDerived: any optimised graph is looked through, or refused.
func FuzzDerived(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(onnxtest.Points().ONNX[:400])
	// A graph with a weight of which a kernel derived two pieces.
	f.Add([]byte("\x3a\x2c\x2a\x2a\x6a\x28\x0a\x0bprepacked_a\x12\x19Gemm+12|0;64;0|64;64;0xyz"))
	f.Fuzz(func(t *testing.T, graph []byte) {
		first, second := checkDerived(graph), checkDerived(graph)
		if (first == nil) != (second == nil) {
			t.Fatalf("%v, then %v", first, second)
		}
	})
}
