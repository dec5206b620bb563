//go:build !amd64

package index

var archVariants []variant
