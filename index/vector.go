package index

import (
	"fmt"
	"math"
)

// unitTolerance is how far a vector's length may be from 1. Normalising in
// float32 leaves about 1e-7, storing as float16 about 5e-5; what is further off
// was not normalised. It shifts a similarity by no more than as much.
const unitTolerance = 1e-4

// checkVector returns an error unless v is a unit vector of dim elements. The
// error tells sizes, never elements: they are biometric.
func checkVector(dim int, v []float32) error {
	if len(v) != dim {
		return fmt.Errorf("%w: %d, want %d", ErrDimension, len(v), dim)
	}
	var squares float64 // the square of the largest float32 fits well
	for _, x := range v {
		squares += float64(x) * float64(x)
	}
	// Negated, so that a NaN, which compares false, is refused.
	if !(math.Abs(math.Sqrt(squares)-1) <= unitTolerance) {
		return ErrNotUnit
	}
	return nil
}

// check returns an error unless q can be asked of an engine of dimension dim.
func (q Query) check(dim int) error {
	if q.K < 1 {
		return fmt.Errorf("search: %w: K is %d", ErrK, q.K)
	}
	if err := checkVector(dim, q.Vector); err != nil {
		return fmt.Errorf("search: %w", err)
	}
	return nil
}

// scaleTo makes v as long as length and returns it.
// REQUIRES: v is not zero.
func scaleTo(v []float32, length float64) []float32 {
	var squares float64
	for _, x := range v {
		squares += float64(x) * float64(x)
	}
	factor := float32(length / math.Sqrt(squares))
	for i := range v {
		v[i] *= factor
	}
	return v
}
