package index

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// unitTolerance is how far a vector's length may be from 1. Normalising in
// float32 leaves an error of about 1e-7, storing as float16 about 5e-5. A vector
// with a larger error was not normalised. A similarity is wrong by no more than
// this error.
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

// checkAll returns an error unless vectors can be stored under ids, as far as
// this does not depend on what is stored.
func checkAll(dim int, ids []ID, vectors [][]float32) error {
	if len(ids) != len(vectors) {
		return fmt.Errorf("%d IDs for %d vectors: %w", len(ids), len(vectors), ErrDimension)
	}
	if sorted := slices.Sorted(slices.Values(ids)); len(slices.Compact(sorted)) < len(ids) {
		return fmt.Errorf("an ID occurs twice: %w", ErrExists)
	}
	var mu sync.Mutex
	var first error
	inParallel(len(vectors), processors(), func(from, to int) {
		for _, v := range vectors[from:to] {
			if err := checkVector(dim, v); err != nil {
				mu.Lock()
				first = err
				mu.Unlock()
				return
			}
		}
	})
	return first
}
