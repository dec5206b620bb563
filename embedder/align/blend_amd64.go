package align

import "golang.org/x/sys/cpu"

// blockSize is how many values the assembly takes at once.
const blockSize = 8

var hasAVX2 = cpu.X86.HasAVX2

// blendBlocks blends the values that fill whole blocks and returns their number. It rounds like blend's own
// loop: the product and the sum are not fused.
func blendBlocks(dst, a, b []float32, share float32) int {
	n := len(a) / blockSize * blockSize
	if !hasAVX2 || n == 0 {
		return 0
	}
	blendAVX2(&dst[0], &a[0], &b[0], n, share)
	return n
}

// blendAVX2 writes a + (b-a)*share for n values, a multiple of blockSize. The
// three may lie at any address.
//
//go:noescape
func blendAVX2(dst, a, b *float32, n int, share float32)
