package kernel

// skipBelow returns the index of the first step of values that has one of floor or more;
// len(values), a positive multiple of reachStep, if none has.
func skipBelow(values []float32, floor float32) int {
	if !hasAVX2 {
		return 0
	}
	return skipBelowAVX2(&values[0], len(values), floor)
}

// skipBelowAVX2 is skipBelow on AVX2; n is len(values).
//
//go:noescape
func skipBelowAVX2(values *float32, n int, floor float32) int
