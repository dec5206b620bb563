package kernel

// skipBelow returns the index of the first step of values that has one of floor or more;
// len(values), a positive multiple of reachStep, if none has.
func skipBelow(values []float32, floor float32) int {
	return skipBelowNEON(&values[0], len(values), floor)
}

// skipBelowNEON is skipBelow; n is len(values).
//
//go:noescape
func skipBelowNEON(values *float32, n int, floor float32) int
