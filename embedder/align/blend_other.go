//go:build !amd64

package align

// blendBlocks leaves all values to blend's own loop.
func blendBlocks(dst, a, b []float32, share float32) int { return 0 }
