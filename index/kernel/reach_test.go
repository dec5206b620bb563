package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Values that reach the floor are rare, common or absent, equal to it or just below it, and
// begin anywhere. Behind the last one there is another, which must not be found.
func TestReachingKernel(t *testing.T) {
	rng := rand.New(rand.NewPCG(27, 28))
	for range 20_000 {
		n := rng.IntN(6 * reachStep)
		floor := []float32{rng.Float32()*2 - 1, 0, float32(math.Inf(-1))}[rng.IntN(3)]
		values := make([]float32, rng.IntN(reachStep)+n+1)
		values = values[len(values)-n-1:]
		for i := range values {
			values[i] = math.Nextafter32(floor, float32(math.Inf(-1)))
		}
		for range rng.IntN(3) {
			values[rng.IntN(n+1)] = []float32{floor, floor + rng.Float32(), float32(math.Inf(1))}[rng.IntN(3)]
		}
		values[n] = floor
		want := slices.IndexFunc(values[:n], func(v float32) bool { return v >= floor })
		if want < 0 {
			want = n
		}
		if got := Reaching(values[:n], floor); got != want {
			t.Fatalf("%v, floor %g: %d, want %d", values[:n], floor, got, want)
		}
	}
}
