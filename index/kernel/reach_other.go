//go:build !amd64 && !arm64

package kernel

// skipBelow passes nothing over: Reaching compares one value at a time then.
func skipBelow([]float32, float32) int { return 0 }
