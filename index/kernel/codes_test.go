package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// maxCode is the largest magnitude in a coded row.
const maxCode = 127

// queryLimit returns the largest magnitude in a coded query of dim elements whose
// sums cannot leave an int32, whatever the codes.
func queryLimit(dim int) int { return min(math.MaxInt16, math.MaxInt32/(maxCode*dim)) }

// codeCase is some queries with their rows, side by side and by pointer.
type codeCase struct {
	queries      []int16 // [QueryGroup*dim]
	t, e         [QueryGroup]float32
	rows         []int8
	at           []*int8
	scales, errs []float32
}

// newCodeCase returns n rows of dim elements that begin anywhere, not only at a
// cache line, filled by query and code.
func newCodeCase(rng *rand.Rand, dim, n int, query func(q, i int) int16, code func(row, i int) int8) *codeCase {
	c := &codeCase{
		queries: make([]int16, rng.IntN(CodeAlign)+QueryGroup*dim),
		rows:    make([]int8, rng.IntN(CodeAlign)+dim*n),
		scales:  make([]float32, n),
		errs:    make([]float32, n),
	}
	c.queries = c.queries[len(c.queries)-QueryGroup*dim:]
	c.rows = c.rows[len(c.rows)-dim*n:]
	for i := range c.queries {
		c.queries[i] = query(i/dim, i%dim)
	}
	for q := range QueryGroup {
		c.t[q], c.e[q] = rng.Float32()*0x1p-14, 1+rng.Float32()
	}
	for i := range c.rows {
		c.rows[i] = code(i/dim, i%dim)
	}
	for i := range n {
		c.at = append(c.at, &c.rows[i*dim])
		c.scales[i] = rng.Float32() * 0x1p-6
		c.errs[i] = rng.Float32() * 0x1p-7
	}
	if n > 0 {
		c.scales[rng.IntN(n)] = 0 // a row of zeros
	}
	rng.Shuffle(n, func(i, j int) { c.at[i], c.at[j] = c.at[j], c.at[i] })
	return c
}

// dim returns how many elements a row has.
func (c *codeCase) dim() int { return len(c.queries) / QueryGroup }

func (c *codeCase) query(q int) []int16 { return c.queries[q*c.dim() : (q+1)*c.dim()] }

// dot returns the dot product of a query with a row, as an int32 would hold it.
func (c *codeCase) dot(q, row int) int32 {
	var sum int64
	for i, x := range c.query(q) {
		sum += int64(x) * int64(c.rows[row*c.dim()+i])
	}
	return int32(sum)
}

// check compares all code kernels of v with sums in int64 and bounds in float64.
func (c *codeCase) check(t *testing.T, v variant) {
	t.Helper()
	n := len(c.at)
	group, intact := guarded[float32](QueryGroup * n)
	v.boundGroup(c.queries, c.rows, c.scales, c.errs, &c.t, &c.e, group)
	if !intact() {
		t.Fatalf("%s: BoundGroup wrote beyond its output (dim %d, %d rows)", v.name, c.dim(), n)
	}
	for q := range QueryGroup {
		c.checkBounds(t, v.name+": BoundGroup", q, group[q*n:(q+1)*n])
		bounds, intact := guarded[float32](n)
		v.boundRows(c.query(q), c.rows, c.scales, c.errs, c.t[q], c.e[q], bounds)
		if !intact() {
			t.Fatalf("%s: BoundRows wrote beyond its output (dim %d, %d rows)", v.name, c.dim(), n)
		}
		c.checkBounds(t, v.name+": BoundRows", q, bounds)
	}
	dotOf := make(map[*int8]int32, n)
	for i := range n {
		dotOf[&c.rows[i*c.dim()]] = c.dot(0, i)
	}
	dots, intact := guarded[int32](n)
	v.dotCodesAt(c.query(0), c.at, dots)
	if !intact() {
		t.Fatalf("%s: DotCodesAt wrote beyond its output (dim %d, %d rows)", v.name, c.dim(), n)
	}
	for i, got := range dots {
		if want := dotOf[c.at[i]]; got != want {
			t.Fatalf("%s: DotCodesAt: dim %d, row %d of %d: %d, want %d", v.name, c.dim(), i, n, got, want)
		}
	}
}

func (c *codeCase) checkBounds(t *testing.T, kernel string, q int, bounds []float32) {
	t.Helper()
	for i, got := range bounds {
		a := float64(c.dot(q, i)) * float64(c.scales[i]) * float64(c.t[q])
		b := float64(c.e[q]) * float64(c.errs[i])
		// Four roundings of the first term and two of the second, or fewer where the
		// compiler fuses; and what they lose if they underflow.
		limit := (4*math.Abs(a)+2*math.Abs(b))*0x1p-24*1.0001 + 0x1p-147
		if want := a + b; !(math.Abs(float64(got)-want) <= limit) && float64(got) != want {
			t.Fatalf("%s: dim %d, query %d, row %d of %d: %g, want %g within %g", kernel, c.dim(), q, i, len(bounds), got, want, limit)
		}
	}
}

func TestCodeKernels(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		rng := rand.New(rand.NewPCG(21, 22))
		for range 600 {
			dim, n := CodeAlign*(1+rng.IntN(20)), RowGroup*rng.IntN(6)
			limit := queryLimit(dim)
			newCodeCase(rng, dim, n,
				func(int, int) int16 { return int16(rng.IntN(2*limit+1) - limit) },
				func(int, int) int8 { return int8(rng.IntN(2*maxCode+1) - maxCode) },
			).check(t, v)
		}
	})
}

// The largest sums, of every dimension up to 2,048.
func TestCodeKernelsAtTheLimits(t *testing.T) {
	// A sign is a function of row and element.
	signs := map[string]func(row, i int) int{
		"positive":    func(int, int) int { return 1 },
		"negative":    func(int, int) int { return -1 },
		"zero":        func(int, int) int { return 0 },
		"alternating": func(_, i int) int { return 1 - 2*(i&1) },
		"by row":      func(row, _ int) int { return 1 - 2*(row&1) },
		"halves":      func(_, i int) int { return 1 - 2*(i>>5&1) },
	}
	eachVariant(t, func(t *testing.T, v variant) {
		rng := rand.New(rand.NewPCG(23, 24))
		for dim := CodeAlign; dim <= 2048; dim += CodeAlign {
			limit := queryLimit(dim)
			for _, query := range signs {
				for _, code := range signs {
					newCodeCase(rng, dim, 2*RowGroup,
						func(q, i int) int16 { return int16(limit * query(q, i)) },
						func(row, i int) int8 { return int8(maxCode * code(row, i)) },
					).check(t, v)
				}
			}
		}
	})
}

// Each element alone shows that none is left out or paired with another's.
func TestCodeKernelsPairElements(t *testing.T) {
	const dim, n = 3 * CodeAlign, 2 * RowGroup
	queries, rows, at := make([]int16, QueryGroup*dim), make([]int8, dim*n), make([]*int8, n)
	ones, zeros := make([]float32, n), make([]float32, n)
	for i := range queries {
		queries[i] = int16(i + 1)
	}
	for i := range n {
		at[i], ones[i] = &rows[i*dim], 1
	}
	eachVariant(t, func(t *testing.T, v variant) {
		for i := range rows {
			rows[i] = 1
			var bounds [n]float32
			var group [QueryGroup * n]float32
			var dots [n]int32
			v.boundRows(queries[:dim], rows, ones, zeros, 1, 1, bounds[:])
			v.boundGroup(queries, rows, ones, zeros, &[QueryGroup]float32{1, 1, 1, 1}, &[QueryGroup]float32{}, group[:])
			v.dotCodesAt(queries[:dim], at, dots[:])
			for r := range n {
				want := int32(0)
				if r == i/dim {
					want = int32(queries[i%dim])
				}
				if dots[r] != want || bounds[r] != float32(want) {
					t.Fatalf("element %d of row %d: row %d has dot %d, bound %g, want %d",
						i%dim, i/dim, r, dots[r], bounds[r], want)
				}
				for q := range QueryGroup {
					if want > 0 {
						want = int32(queries[q*dim+i%dim])
					}
					if got := group[q*n+r]; got != float32(want) {
						t.Fatalf("element %d of row %d: row %d of query %d has bound %g, want %d", i%dim, i/dim, r, q, got, want)
					}
				}
			}
			rows[i] = 0
		}
	})
}

func FuzzCodeKernels(f *testing.F) {
	f.Add([]byte{}, uint8(0), uint8(1), uint64(1))
	f.Add([]byte{127, 129, 0, 128, 255, 127}, uint8(7), uint8(2), uint64(2))
	f.Fuzz(func(t *testing.T, data []byte, blocks, groups uint8, seed uint64) {
		dim, n := CodeAlign*(1+int(blocks%16)), RowGroup*int(groups%6)
		limit := queryLimit(dim)
		next := func() int8 {
			if len(data) == 0 {
				return 0
			}
			x := int8(data[0])
			data = data[1:]
			return x
		}
		c := newCodeCase(rand.New(rand.NewPCG(seed, 0)), dim, n,
			func(int, int) int16 { return int16(max(-limit, min(limit, int(next())<<8|int(uint8(next()))))) },
			func(int, int) int8 { return max(-maxCode, next()) })
		for _, v := range runnable() {
			c.check(t, v)
		}
	})
}

// BenchmarkBoundRows bounds the rows of a block that is in the cache, for one query and for
// a group of them.
func BenchmarkBoundRows(b *testing.B) {
	for _, v := range runnable() {
		for _, dim := range []int{128, 512} {
			rng := rand.New(rand.NewPCG(25, 26))
			c := newCodeCase(rng, dim, 256,
				func(int, int) int16 { return int16(rng.IntN(1000)) },
				func(int, int) int8 { return int8(rng.IntN(2*maxCode+1) - maxCode) })
			bounds := make([]float32, QueryGroup*256)
			b.Run(fmt.Sprintf("%s/dim=%d/queries=1", v.name, dim), func(b *testing.B) {
				b.SetBytes(int64(len(c.rows)))
				for b.Loop() {
					v.boundRows(c.query(0), c.rows, c.scales, c.errs, c.t[0], c.e[0], bounds[:256])
				}
			})
			b.Run(fmt.Sprintf("%s/dim=%d/queries=%d", v.name, dim, QueryGroup), func(b *testing.B) {
				b.SetBytes(int64(QueryGroup * len(c.rows)))
				for b.Loop() {
					v.boundGroup(c.queries, c.rows, c.scales, c.errs, &c.t, &c.e, bounds)
				}
			})
		}
	}
}
