package embedder

import (
	"context"
	"fmt"
	"math"
	"os"
	"testing"

	"rollcall/embedder/onnxtest"
	"rollcall/embedder/ortlib"
)

func TestMain(m *testing.M) {
	if _, err := Start(context.Background(), ortlib.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// newEmbedder returns an embedder over a new models folder, closed when the test ends.
func newEmbedder(t testing.TB, options Options, install ...onnxtest.Model) *Embedder {
	t.Helper()
	return overLibrary(t, onnxtest.Install(t, t.TempDir(), install...), options)
}

func overLibrary(t testing.TB, library Models, options Options) *Embedder {
	t.Helper()
	e, err := New(library, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func embed(t testing.TB, e *Embedder, req Request) *Result {
	t.Helper()
	result, err := e.Embed(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// similarity is the cosine of two vectors of any length.
func similarity[A, B float32 | float64](a []A, b []B) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

// times is how often a test of one caller after the other does something: a short run, which is for the race
// detector, has nothing to learn from more than a few.
func times(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}
