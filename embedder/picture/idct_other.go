//go:build !amd64

package picture

func inverse(dst []byte, stride int, b *block) { inverseBlock(dst, stride, b) }
