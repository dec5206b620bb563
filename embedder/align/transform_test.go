package align_test

import (
	"errors"
	"math"
	"testing"

	"rollcall/embedder/align"
)

// TestEstimateRecovers feeds landmarks that a known similarity moved.
func TestEstimateRecovers(t *testing.T) {
	rng := random(1)
	for range 500 {
		want := turn(0.05+4*rng.Float64(), 7*rng.Float64(), 500*rng.Float64(), 500*rng.Float64(), 112*rng.Float64(), 112*rng.Float64())
		var from, to align.Landmarks
		for i := range from {
			from[i] = align.Point{X: 500 * rng.Float32(), Y: 500 * rng.Float32()}
			to[i] = want.Apply(from[i])
		}
		got, err := align.Estimate(from, to)
		if err != nil {
			t.Fatal(err)
		}
		for i := range from {
			if d := distance(got.Apply(from[i]), to[i]); d > 1e-2 {
				t.Fatalf("landmark %d ends %g pixels off: %+v instead of %+v", i, d, got, want)
			}
		}
	}
}

// TestEstimateIsLeastSquares compares with the normal equations of the four unknowns, solved by
// elimination, for landmarks that no similarity takes to each other exactly; mirrored ones included.
func TestEstimateIsLeastSquares(t *testing.T) {
	rng := random(2)
	for n := range 500 {
		var from, to align.Landmarks
		for i := range from {
			from[i] = align.Point{X: 200 * rng.Float32(), Y: 200 * rng.Float32()}
			to[i] = align.Point{X: 112 * rng.Float32(), Y: 112 * rng.Float32()}
			if n%2 == 0 {
				to[i] = align.Point{X: 200 - from[i].X + 5*rng.Float32(), Y: from[i].Y}
			}
		}
		got, err := align.Estimate(from, to)
		if err != nil {
			t.Fatal(err)
		}
		if got.A != got.D || got.B != -got.C {
			t.Fatalf("%+v is not a similarity", got)
		}
		a, b, tx, ty := normalEquations(from, to)
		for _, pair := range [][2]float64{{got.A, a}, {got.C, b}, {got.Tx, tx}, {got.Ty, ty}} {
			if math.Abs(pair[0]-pair[1]) > 1e-7*(1+math.Abs(pair[1])) {
				t.Fatalf("%+v, want a %v, b %v, tx %v, ty %v", got, a, b, tx, ty)
			}
		}
	}
}

// normalEquations minimises the sum over the landmarks of (a x - b y + tx - x')^2 + (b x + a y + ty - y')^2.
func normalEquations(from, to align.Landmarks) (a, b, tx, ty float64) {
	var m [4][5]float64
	for i := range from {
		x, y := float64(from[i].X), float64(from[i].Y)
		for _, row := range [2][5]float64{{x, -y, 1, 0, float64(to[i].X)}, {y, x, 0, 1, float64(to[i].Y)}} {
			for j := range 4 {
				for k := range row {
					m[j][k] += row[j] * row[k]
				}
			}
		}
	}
	for i := range m { // Gauss-Jordan with the largest pivot
		pivot := i
		for j := i; j < 4; j++ {
			if math.Abs(m[j][i]) > math.Abs(m[pivot][i]) {
				pivot = j
			}
		}
		m[i], m[pivot] = m[pivot], m[i]
		for j := range m {
			if j == i {
				continue
			}
			f := m[j][i] / m[i][i]
			for k := range m[j] {
				m[j][k] -= f * m[i][k]
			}
		}
	}
	return m[0][4] / m[0][0], m[1][4] / m[1][1], m[2][4] / m[2][2], m[3][4] / m[3][3]
}

func TestEstimateDegenerate(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	with := func(p align.Point) align.Landmarks {
		l := template
		l[3] = p
		return l
	}
	var mirrored align.Landmarks
	square := align.Landmarks{{X: -1, Y: -1}, {X: 1, Y: -1}, {X: 0, Y: 0}, {X: -1, Y: 1}, {X: 1, Y: 1}}
	for i, p := range square {
		mirrored[i] = align.Point{X: -p.X, Y: p.Y}
	}
	for name, pair := range map[string][2]align.Landmarks{
		"no landmarks":              {{}, template},
		"one point":                 {{{X: 5, Y: 5}, {X: 5, Y: 5}, {X: 5, Y: 5}, {X: 5, Y: 5}, {X: 5, Y: 5}}, template},
		"one point, almost":         {{{X: 5, Y: 5.001}, {X: 5, Y: 5}, {X: 5, Y: 5}, {X: 5, Y: 5}, {X: 5, Y: 5}}, template},
		"to one point":              {template, {}},
		"not a number":              {with(align.Point{X: nan, Y: 1}), template},
		"infinite":                  {with(align.Point{X: 1, Y: inf}), template},
		"to not a number":           {template, with(align.Point{X: 1, Y: nan})},
		"to infinite":               {template, with(align.Point{X: inf, Y: 1})},
		"mirrored, so that it ends": {square, mirrored},
	} {
		if got, err := align.Estimate(pair[0], pair[1]); !errors.Is(err, align.ErrDegenerate) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	line := align.Landmarks{{X: 0, Y: 0}, {X: 1, Y: 2}, {X: 2, Y: 4}, {X: 3, Y: 6}, {X: 4, Y: 8}}
	if _, err := align.Estimate(line, line); err != nil {
		t.Errorf("landmarks on a line: %v", err)
	}
}

func TestInvert(t *testing.T) {
	rng := random(3)
	for range 500 {
		f := align.Transform{A: rng.NormFloat64(), B: rng.NormFloat64(), Tx: 100 * rng.NormFloat64(),
			C: rng.NormFloat64(), D: rng.NormFloat64(), Ty: 100 * rng.NormFloat64()}
		back, err := f.Invert()
		if err != nil {
			t.Fatal(err)
		}
		p := align.Point{X: 100 * rng.Float32(), Y: 100 * rng.Float32()}
		// A nearly flat transform costs digits both ways.
		tolerance := 1e-3 * (1 + math.Abs(back.A) + math.Abs(back.B) + math.Abs(back.C) + math.Abs(back.D))
		if d := distance(back.Apply(f.Apply(p)), p); d > tolerance {
			t.Fatalf("%+v there and back is %g pixels off", f, d)
		}
	}
	for name, f := range map[string]align.Transform{
		"zero":         {},
		"to a line":    {A: 1, B: 2, C: 2, D: 4},
		"not a number": {A: 1, D: 1, Tx: math.NaN()},
		"infinite":     {A: 1, D: 1, Ty: math.Inf(-1)},
		"infinitely":   {A: math.Inf(1), D: 1},
	} {
		if _, err := f.Invert(); !errors.Is(err, align.ErrDegenerate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func distance(a, b align.Point) float64 {
	return math.Hypot(float64(a.X)-float64(b.X), float64(a.Y)-float64(b.Y))
}
