package picture

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestInverse: the assembly and the loops give the same samples, overflows included, clear the block, and write
// nothing beside the samples.
func TestInverse(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this processor has no AVX2")
	}
	rng := rand.New(rand.NewPCG(24, 4))
	for n := range 20000 {
		var b block
		for range rng.IntN(65) {
			b[rng.IntN(64)] = int32(rng.Uint32()) >> rng.IntN(32)
		}
		stride := 8 + rng.IntN(9)
		got := make([]byte, 7*stride+8)
		before := byte(n)
		for i := range got {
			got[i] = before
		}
		want := bytes.Clone(got)
		same := b
		inverse(got, stride, &b)
		inverseBlock(want, stride, &same)
		if !bytes.Equal(got, want) || b != (block{}) || same != (block{}) {
			t.Fatalf("run %d: %v, want %v", n, got, want)
		}
	}
}
