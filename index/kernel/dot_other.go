//go:build !amd64 && !arm64

package kernel

func dot(a, b []float32) float32 { return dotPortable(a, b) }
