//go:build !amd64

package kernel

var archVariants []variant
