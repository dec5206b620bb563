package embedder

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/embedder/onnxtest"
)

// withEntry is an ONNX file that says one thing about the place of its weight.
func withEntry(key, value string) []byte {
	entry := appendMessage(appendMessage(nil, entryKey, []byte(key)), entryValue, []byte(value))
	weight := appendMessage(appendMessage(nil, tensorName, []byte("w")), tensorExternal, entry)
	return appendMessage(nil, modelGraph, appendMessage(nil, graphInitializer, weight))
}

// TestCheckDerived: what kernels derive from weights is shared only where they can read it. To read it
// elsewhere would end the process.
func TestCheckDerived(t *testing.T) {
	for _, test := range []struct {
		key, value string
		want       error
	}{
		{"prepacked_0", "Gemm+1|0;100;0", nil},
		{"prepacked_0", "Gemm+1|4637;3648;0", errUnaligned},
		{"prepacked_1", "Gemm+1|32;3648;0", errUnaligned},
		{"prepacked_0", "Gemm+1|128;64;0|192;64;0", nil},
		{"prepacked_0", "Gemm+1|128;64;0|196;64;0", errUnaligned},
		{"offset", "4637", nil}, // the weights themselves may lie anywhere
	} {
		if err := checkDerived(withEntry(test.key, test.value)); !errors.Is(err, test.want) {
			t.Errorf("%s %s: %v, want %v", test.key, test.value, err, test.want)
		}
	}
	for _, broken := range []string{"Gemm+1", "Gemm+1|", "Gemm+1|x;64;0", "Gemm+1|-64;64;0"} {
		if err := checkDerived(withEntry("prepacked_0", broken)); err == nil || errors.Is(err, errUnaligned) {
			t.Errorf("%q: %v", broken, err)
		}
	}
}

// TestDerivedIsWritten: ONNX Runtime writes what checkDerived reads.
func TestDerivedIsWritten(t *testing.T) {
	graph := filepath.Join(t.TempDir(), "graph")
	if err := optimise(onnxtest.SFace(1).ONNX, graph, true); err != nil {
		t.Fatal(err)
	}
	if n := derivedPieces(t, graph); n == 0 {
		t.Error("nothing is derived from the weights of a full layer")
	}
	if err := optimise(onnxtest.SFace(1).ONNX, graph, false); err != nil {
		t.Fatal(err)
	}
	if n := derivedPieces(t, graph); n != 0 {
		t.Errorf("%d pieces are written", n)
	}
}

func derivedPieces(t *testing.T, file string) (n int) {
	t.Helper()
	graph, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	err = eachExternal(graph, func(key, _ string) error {
		if strings.HasPrefix(key, derivedKey) {
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
