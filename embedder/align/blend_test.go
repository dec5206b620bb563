package align

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The assembly and the loop give the same bits, for every length, address and
// step, and write nothing beside.
func TestBlendBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	values := func(n int) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(rng.NormFloat64() * 100)
		}
		return out
	}
	for n := range 70 {
		for offset := range 3 {
			a, b := values(n + offset)[offset:], values(n + offset)[offset:]
			share := rng.Float32()
			got, want := make([]float32, n+2), make([]float32, 3*n+2)
			got[n], got[n+1] = 7, 8
			blend(got[:n], 1, a, b, share)
			blend(want, 3, a, b, share) // a step has no assembly
			for i := range n {
				if got[i] != want[3*i] {
					t.Fatalf("%d values from %d: value %d is %v, want %v", n, offset, i, got[i], want[3*i])
				}
			}
			if !slices.Equal(got[n:], []float32{7, 8}) {
				t.Fatalf("%d values: wrote behind the end", n)
			}
		}
	}
}
