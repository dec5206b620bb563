package kernel

// Every processor that Go's arm64 runs on has NEON.
func dot(a, b []float32) float32 { return dotNEON(&a[0], &b[0], len(a)) }

// dotNEON is Dot; n is the length of the rows.
//
//go:noescape
func dotNEON(a, b *float32, n int) float32
