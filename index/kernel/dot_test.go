package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// reference returns the dot product in float64 and the error that dot.go
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
	ops := float64(len(query))/RowAlign + 5
	return sum, ops*0x1p-24*magnitude*1.0001 + float64(2*len(query)+RowAlign)*0x1p-150
}

// checkDot compares the dot products of query with the rows with the reference.
func checkDot(t *testing.T, v variant, query, rows []float32) {
	t.Helper()
	for i := range len(rows) / len(query) {
		row := rows[i*len(query) : (i+1)*len(query)]
		got := v.dot(query, row)
		want, bound := reference(query, row)
		if diff := math.Abs(float64(got) - want); !(diff <= bound) {
			t.Errorf("%s: dim %d, row %d: %g, want %g, off by %g, bound %g",
				v.name, len(query), i, got, want, diff, bound)
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
					dim, n := RowAlign*(1+rng.IntN(40)), rng.IntN(19)
					// Rows and query begin anywhere, not only at a cache line.
					query := make([]float32, rng.IntN(RowAlign)+dim)
					query = query[len(query)-dim:]
					rows := make([]float32, rng.IntN(RowAlign)+dim*n)
					rows = rows[len(rows)-dim*n:]
					for i := range query {
						query[i] = value()
					}
					for i := range rows {
						rows[i] = value()
					}
					checkDot(t, v, query, rows)
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
			for r := range n {
				got := v.dot(query, rows[r*dim:(r+1)*dim])
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
			dim := RowAlign * (1 + rng.IntN(16))
			query, rows := make([]float32, dim), make([]float32, n*dim)
			for i := range query {
				query[i] = float32(math.Ldexp(1, rng.IntN(8)))
			}
			for i := range rows {
				rows[i] = float32(rng.NormFloat64())
			}
			for i := range n {
				row := rows[i*dim : (i+1)*dim]
				if got, want := v.dot(query, row), dotPortable(query, row); math.Float32bits(got) != math.Float32bits(want) {
					t.Fatalf("dim %d, row %d: %g, portable %g", dim, i, got, want)
				}
			}
		}
	})
}

func FuzzKernels(f *testing.F) {
	f.Add([]byte{}, uint8(1), uint8(1))
	f.Add([]byte{0, 0, 128, 63, 1, 0, 0, 0, 255, 255, 127, 128}, uint8(3), uint8(5))
	f.Fuzz(func(t *testing.T, data []byte, blocks, count uint8) {
		dim, n := RowAlign*(1+int(blocks%40)), int(count%20)
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
			checkDot(t, v, all[:dim], all[dim:])
		}
	})
}

// BenchmarkDot has both rows in the cache.
func BenchmarkDot(b *testing.B) {
	for _, v := range runnable() {
		for _, dim := range []int{128, 512} {
			b.Run(fmt.Sprintf("%s/dim=%d", v.name, dim), func(b *testing.B) {
				rows := make([]float32, 2*dim)
				b.SetBytes(int64(dim) * 8)
				for b.Loop() {
					v.dot(rows[:dim], rows[dim:])
				}
			})
		}
	}
}
