package index

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// normalise scales v to unit length in place, in float64, and returns it.
func normalise(v []float32) []float32 {
	var squares float64
	for _, x := range v {
		squares += float64(x) * float64(x)
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(squares))
	}
	return v
}

func randomUnit(rng *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return normalise(v)
}

// scaleTo makes v as long as length and returns it.
func scaleTo(v []float32, length float64) []float32 {
	normalise(v)
	for i := range v {
		v[i] *= float32(length)
	}
	return v
}

// noisy returns a unit vector near v: at a similarity of about 0.78, as two pictures
// of one person have.
func noisy(v []float32, rng *rand.Rand) []float32 {
	noise := scaleTo(randomUnit(rng, len(v)), 0.8)
	for i := range noise {
		noise[i] += v[i]
	}
	return normalise(noise)
}

func TestCheckVector(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		v    []float32
		want error
	}{
		"unit":              {[]float32{0.6, 0, 0.8}, nil},
		"negative":          {[]float32{0, -1, 0}, nil},
		"inside tolerance":  {[]float32{1 + 0.9e-4, 0, 0}, nil},
		"below tolerance":   {[]float32{1 - 1.1e-4, 0, 0}, ErrNotUnit},
		"above tolerance":   {[]float32{1 + 1.1e-4, 0, 0}, ErrNotUnit},
		"nil":               {nil, ErrDimension},
		"short":             {[]float32{1, 0}, ErrDimension},
		"long":              {[]float32{1, 0, 0, 0}, ErrDimension},
		"zero":              {[]float32{0, 0, 0}, ErrNotUnit},
		"NaN":               {[]float32{1, nan, 0}, ErrNotUnit},
		"infinity":          {[]float32{inf, 0, 0}, ErrNotUnit},
		"infinities":        {[]float32{inf, -inf, 0}, ErrNotUnit},
		"huge":              {[]float32{math.MaxFloat32, math.MaxFloat32, math.MaxFloat32}, ErrNotUnit},
		"small but nonzero": {[]float32{math.SmallestNonzeroFloat32, 0, 0}, ErrNotUnit},
	} {
		t.Run(name, func(t *testing.T) {
			if err := checkVector(3, c.v); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
