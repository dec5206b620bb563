package kernel

import "golang.org/x/sys/cpu"

// hasAVX2 says that the processor, and the operating system with it, has what
// dotAVX2 needs.
var hasAVX2 = cpu.X86.HasAVX2 && cpu.X86.HasFMA

func dot(a, b []float32) float32 {
	if !hasAVX2 {
		return dotPortable(a, b)
	}
	return dotAVX2(&a[0], &b[0], len(a))
}

// dotAVX2 is Dot on AVX2 and FMA; n is the length of the rows.
//
//go:noescape
func dotAVX2(a, b *float32, n int) float32
