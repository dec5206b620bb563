package index

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"rollcall/index/kernel"
)

// adversarial returns a unit vector of a kind that makes bounds hard: many equal
// elements, one that dwarfs the others, denormals beside large ones, zeros, halves
// between two codes.
func adversarial(rng *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	kind := rng.IntN(7)
	for i := range v {
		switch kind {
		case 0:
			v[i] = float32(rng.NormFloat64())
		case 1:
			v[i] = float32(1 - 2*rng.IntN(2))
		case 2:
			v[i] = math.SmallestNonzeroFloat32 * float32(rng.IntN(9))
		case 3:
			v[i] = float32(rng.IntN(2)) * float32(rng.NormFloat64())
		case 4:
			v[i] = (float32(rng.IntN(127)) + 0.5) / 127
		case 5:
			v[i] = float32(math.Exp(rng.NormFloat64() * 8))
		}
	}
	if kind == 2 || kind == 6 {
		v[rng.IntN(dim)] = 1
	}
	var peak float32 // else the squares of scaleTo could leave their range
	for _, x := range v {
		peak = max(peak, x, -x)
	}
	if peak == 0 {
		v[0], peak = 1, 1
	}
	for i := range v {
		v[i] /= peak
	}
	return scaleTo(v, 1-unitTolerance/2+unitTolerance*rng.Float64()*0.9)
}

// TestBound checks the claim that exactness rests on: that no similarity, as the
// kernel computes it, is above the bound, by either code kernel's arithmetic.
func TestBound(t *testing.T) {
	for _, dim := range []int{1, 2, 17, 64, 128, 512, 5000} {
		t.Run(fmt.Sprint("dim=", dim), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(81, uint64(dim)))
			width := roundTo(dim, kernel.CodeAlign)
			for range max(200, 200_000/dim) {
				query := adversarial(rng, dim)
				var q codedQuery
				q.encode(query)
				codes := make([]int8, kernel.RowGroup*width)
				scales, errs := make([]float32, kernel.RowGroup), make([]float32, kernel.RowGroup)
				rows := make([][]float32, kernel.RowGroup)
				for i := range rows {
					rows[i] = adversarial(rng, dim)
					if rng.IntN(4) == 0 {
						rows[i] = query // the largest similarity there is
					}
					scales[i], errs[i] = encodeRow(rows[i], codes[i*width:])
				}
				bounds, at, dots := make([]float32, kernel.RowGroup), make([]*int8, kernel.RowGroup), make([]int32, kernel.RowGroup)
				for i := range at {
					at[i] = &codes[i*width]
				}
				kernel.BoundRows(q.d, codes, scales, errs, q.t, q.reach, bounds)
				kernel.DotCodesAt(q.d, at, dots)
				for i, row := range rows {
					got := kernel.Dot(pad(query), pad(row))
					for _, bound := range []float32{bounds[i], q.bound(dots[i], scales[i], errs[i])} {
						if !(bound+q.slack >= got) {
							t.Fatalf("similarity %g is above the bound %g with slack %g", got, bound, q.slack)
						}
					}
				}
			}
		})
	}
}

// The error of a coded row is what was lost, and not much more than that.
func TestEncodeRow(t *testing.T) {
	rng := rand.New(rand.NewPCG(83, 84))
	for range 2000 {
		v := adversarial(rng, 1+rng.IntN(200))
		codes := make([]int8, roundTo(len(v), kernel.CodeAlign))
		scale, err := encodeRow(v, codes)
		var squares float64
		for i, x := range v {
			if codes[i] < -maxCode {
				t.Fatal("a code of -128")
			}
			lost := float64(x) - float64(scale)*float64(codes[i])
			squares += lost * lost
		}
		lost := math.Sqrt(squares)
		if float64(err) < lost || float64(err) > lost*1.001+1e-30 {
			t.Fatalf("lost %g, the row says %g", lost, err)
		}
	}
}
