package kernel

// reachStep is how many values a kernel of Reaching compares at a time.
const reachStep = 16

// Reaching returns the index of the first of values that is floor or more; len(values) if
// there is none. No value may be a NaN. A scan goes over many bounds for each one that
// reaches its floor, so most of them are passed over here.
func Reaching(values []float32, floor float32) int {
	n := len(values) / reachStep * reachStep
	i := 0
	if n > 0 {
		i = skipBelow(values[:n], floor)
	}
	for i < len(values) && values[i] < floor {
		i++
	}
	return i
}
