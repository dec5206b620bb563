package kernel

import "testing"

// A variant is one way to compute the kernels.
type variant struct {
	name       string
	has        bool // this processor can run it
	dot        func(a, b []float32) float32
	boundRows  func(query []int16, rows []int8, scales, errs []float32, t, e float32, out []float32)
	boundGroup func(queries []int16, rows []int8, scales, errs []float32, t, e *[QueryGroup]float32, out []float32)
	dotCodesAt func(query []int16, rows []*int8, out []int32)
}

// variants are all that this architecture has.
var variants = append([]variant{
	{"portable", true, dotPortable, boundRowsPortable, boundGroupPortable, dotCodesAtPortable},
	{"chosen", true, Dot, BoundRows, BoundGroup, DotCodesAt}, // NEON on arm64
}, archVariants...)

// eachVariant runs check on every variant, and says which the processor lacks.
func eachVariant(t *testing.T, check func(t *testing.T, v variant)) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			if !v.has {
				t.Skipf("this processor has no %s", v.name)
			}
			check(t, v)
		})
	}
}

// runnable returns the variants that the processor has, for tests that have no
// subtests to skip.
func runnable() []variant {
	var has []variant
	for _, v := range variants {
		if v.has {
			has = append(has, v)
		}
	}
	return has
}

// guarded returns a slice of n elements that lie between two marks, and a check
// that the marks are untouched: a kernel that writes too far changes them.
func guarded[T float32 | int32](n int) (out []T, intact func() bool) {
	const mark = -77
	all := make([]T, n+2)
	all[0], all[n+1] = mark, mark
	return all[1 : n+1 : n+1], func() bool { return all[0] == mark && all[n+1] == mark }
}
