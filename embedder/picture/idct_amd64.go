package picture

import "golang.org/x/sys/cpu"

var hasAVX2 = cpu.X86.HasAVX2

// inverse is inverseBlock. REQUIRES: dst has 7*stride+8 bytes.
func inverse(dst []byte, stride int, b *block) {
	if !hasAVX2 {
		inverseBlock(dst, stride, b)
		return
	}
	_ = dst[7*stride+7]
	inverseAVX2(&dst[0], stride, b)
}

//go:noescape
func inverseAVX2(dst *byte, stride int, b *block)
