package index

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

// reference returns the dot product in float64 and the error that kernel.go
// promises for any vectors: its bound for unit vectors times the sum of the
// products' magnitudes, and half the smallest float32 for each operation that
// may underflow.
func reference(query, row []float32) (sum, bound float64) {
	var magnitude float64
	for i := range query {
		p := float64(query[i]) * float64(row[i])
		sum += p
		magnitude += math.Abs(p)
	}
	ops := float64(len(query))/rowAlign + 5
	return sum, ops*0x1p-24*magnitude*1.0001 + float64(2*len(query)+rowAlign)*0x1p-150
}

// checkDotRows runs dotRows of v on the rows and compares each score with the
// reference, and with the score of that row alone, which must be the same bits.
func checkDotRows(t *testing.T, v variant, query, rows []float32) {
	t.Helper()
	n := len(rows) / len(query)
	out, intact := guarded[float32](n)
	v.dotRows(query, rows, out)
	if !intact() {
		t.Fatalf("%s wrote beyond its output (dim %d, %d rows)", v.name, len(query), n)
	}
	for i, got := range out {
		row := rows[i*len(query) : (i+1)*len(query)]
		want, bound := reference(query, row)
		if diff := math.Abs(float64(got) - want); !(diff <= bound) {
			t.Errorf("%s: dim %d, row %d of %d: %g, want %g, off by %g, bound %g",
				v.name, len(query), i, n, got, want, diff, bound)
		}
		var alone [1]float32
		v.dotRows(query, row, alone[:])
		if math.Float32bits(alone[0]) != math.Float32bits(got) {
			t.Errorf("%s: dim %d, row %d of %d: %g, alone %g", v.name, len(query), i, n, got, alone[0])
		}
	}
}

func TestKernels(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		rng := rand.New(rand.NewPCG(11, 12))
		values := map[string]func() float32{
			"normal":    func() float32 { return float32(rng.NormFloat64()) },
			"denormal":  func() float32 { return math.Float32frombits(rng.Uint32() & 0x807fffff) },
			"any scale": func() float32 { return float32(math.Ldexp(rng.NormFloat64(), rng.IntN(110)-60)) },
			"mixed": func() float32 {
				return float32(rng.NormFloat64()) * float32(math.Ldexp(1, -rng.IntN(140)))
			},
		}
		for name, value := range values {
			t.Run(name, func(t *testing.T) {
				for range 250 {
					dim, n := rowAlign*(1+rng.IntN(40)), rng.IntN(19)
					// Rows and query begin anywhere, not only at a cache line.
					query := make([]float32, rng.IntN(rowAlign)+dim)
					query = query[len(query)-dim:]
					rows := make([]float32, rng.IntN(rowAlign)+dim*n)
					rows = rows[len(rows)-dim*n:]
					for i := range query {
						query[i] = value()
					}
					for i := range rows {
						rows[i] = value()
					}
					checkDotRows(t, v, query, rows)
				}
			})
		}
	})
}

// Each element alone shows that none is left out or paired with another's.
func TestKernelsPairElements(t *testing.T) {
	const dim, n = 48, 13
	query, rows := make([]float32, dim), make([]float32, dim*n)
	for i := range query {
		query[i] = float32(i + 1)
	}
	eachVariant(t, func(t *testing.T, v variant) {
		for i := range rows {
			rows[i] = 1
			var out [n]float32
			v.dotRows(query, rows, out[:])
			for r, got := range out {
				want := float32(0)
				if r == i/dim {
					want = query[i%dim]
				}
				if got != want {
					t.Fatalf("element %d of row %d: row %d scores %g, want %g", i%dim, i/dim, r, got, want)
				}
			}
			rows[i] = 0
		}
	})
}

// With numbers whose sum depends on the order, and whose products are exact, so
// that fusing makes no difference, every variant has the same bits.
func TestKernelsSumInTheSameOrder(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		const n = 13
		rng := rand.New(rand.NewPCG(13, 14))
		for range 500 {
			dim := rowAlign * (1 + rng.IntN(16))
			query, rows := make([]float32, dim), make([]float32, n*dim)
			for i := range query {
				query[i] = float32(math.Ldexp(1, rng.IntN(8)))
			}
			for i := range rows {
				rows[i] = float32(rng.NormFloat64())
			}
			got, want := make([]float32, n), make([]float32, n)
			v.dotRows(query, rows, got)
			dotRowsPortable(query, rows, want)
			for i := range got {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Fatalf("dim %d, row %d: %g, portable %g", dim, i, got[i], want[i])
				}
			}
		}
	})
}

func FuzzKernels(f *testing.F) {
	f.Add([]byte{}, uint8(1), uint8(1))
	f.Add([]byte{0, 0, 128, 63, 1, 0, 0, 0, 255, 255, 127, 128}, uint8(3), uint8(5))
	f.Fuzz(func(t *testing.T, data []byte, blocks, count uint8) {
		dim, n := rowAlign*(1+int(blocks%40)), int(count%20)
		all := make([]float32, dim*(n+1))
		for i := 0; i < len(all) && len(data) >= 4; i++ {
			x := math.Float32frombits(binary.LittleEndian.Uint32(data))
			data = data[4:]
			// Unit vectors have no element beyond 1; up to 2^50 no sum overflows.
			if math.Abs(float64(x)) <= 0x1p50 {
				all[i] = x
			}
		}
		for _, v := range runnable() {
			checkDotRows(t, v, all[:dim], all[dim:])
		}
	})
}
