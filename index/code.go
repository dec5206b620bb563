package index

import (
	"math"

	"rollcall/index/kernel"
)

// A coded row is a vector x rounded to scale * c, with c in int8; err is an upper
// bound of the length of the rounding error, |x - scale*c|. A coded query is a
// query q rounded to t * d, with d in int16; its residue r = q - t*d is tiny.
// Their similarity is
//
//	q·x = t*scale*(d·c) + r·(scale*c) + q·(x - scale*c)
//
// and by Cauchy and Schwarz the last two terms are at most |r|*(|x| + err) and
// |q|*err. So no similarity can be above
//
//	t*scale*(d·c) + (|q| + |r|)*err + |r|*|x|
//
// The first two terms are what [kernel.BoundRows] computes; the third, with the
// rounding of all float32 operations involved, is [codedQuery.slack]. If k other
// rows reach a similarity, a row with a lower bound is not among the best k. So
// an answer is exact if all rows that this does not exclude are scored in
// float32.

// maxCode is the largest magnitude in a coded row: -128 is not used, so that a
// row and its opposite have opposite codes.
const maxCode = 127

// encodeRow codes the unit vector v into codes and returns scale and err. Codes
// beyond len(v) are left as they are.
func encodeRow(v []float32, codes []int8) (scale, err float32) {
	peak := maxAbs(v)
	scale = peak / maxCode
	inverse := 1 / scale // a unit vector has a peak
	codes = codes[:len(v)]
	var squares0, squares1 float64
	for i, x := range v {
		c := x*inverse + roundingBias // without a branch, which the processor could not predict
		codes[i] = int8(math.Float32bits(c))
		lost := float64(x) - float64(scale)*float64(c-roundingBias)
		squares0, squares1 = squares1+lost*lost, squares0
	}
	return scale, roundUp(math.Sqrt(squares0 + squares1))
}

// codedQuery is a query in the form that the code kernels take.
type codedQuery struct {
	d []int16 // [width]
	t float32

	reach float32 // |q| + |r|: the factor of a row's err
	slack float32 // what is to be added to t*scale*dot + reach*err for a true bound
}

// encode codes the unit vector v. The buffer of an earlier query is used again.
func (q *codedQuery) encode(v []float32) {
	if n := roundTo(len(v), kernel.CodeAlign); cap(q.d) < n {
		q.d = make([]int16, n)
	} else {
		q.d = q.d[:n]
		clear(q.d)
	}
	limit := float32(min(math.MaxInt16, math.MaxInt32/(maxCode*len(v))))
	q.t = maxAbs(v) / limit
	inverse := 1 / q.t
	var length, residue float64
	for i, x := range v {
		d := roundWithin(x*inverse, limit)
		q.d[i] = int16(d)
		lost := float64(x) - float64(q.t)*float64(d)
		length += float64(x) * float64(x)
		residue += lost * lost
	}
	length, residue = math.Sqrt(length), math.Sqrt(residue)
	q.reach = roundUp(length + residue)

	// kernel.Dot bounds the error of a float32 dot product by (dim/16 + 5) units
	// in the last place of 1; the five roundings of a bound, of magnitude up to
	// 4, add 20 units. Doubling the sum costs little.
	const ulp = 0x1p-24
	rounding := 2 * (float64(len(v))/kernel.RowAlign + 25) * ulp
	q.slack = roundUp(residue*(1+unitTolerance) + rounding)
}

// widen turns a coded row into a query, so that rows can be compared with each
// other. Only d is valid then; its scale is that of the row.
func (q *codedQuery) widen(codes []int8) {
	if cap(q.d) < len(codes) {
		q.d = make([]int16, len(codes))
	}
	q.d = q.d[:len(codes)]
	for i, c := range codes {
		q.d[i] = int16(c)
	}
}

// bound returns what [kernel.BoundRows] returns, for one row.
func (q *codedQuery) bound(dot int32, scale, err float32) float32 {
	return float32(dot)*scale*q.t + q.reach*err
}

// maxAbs returns the largest magnitude in v.
func maxAbs(v []float32) float32 {
	const sign = 1 << 31
	var peak uint32 // magnitudes sort like their bits
	for _, x := range v {
		peak = max(peak, math.Float32bits(x)&^sign)
	}
	return math.Float32frombits(peak)
}

// Adding roundingBias to a float32 of far smaller magnitude rounds that to an
// integer. The lowest bits of the sum are the integer in two's complement.
const roundingBias = 3 << 22

// roundWithin rounds x to an integer of magnitude limit at most, halves away from
// zero. Any near integer would do: the rounding error is measured.
func roundWithin(x, limit float32) int32 {
	x = max(-limit, min(limit, x))
	if x < 0 {
		return int32(x - 0.5)
	}
	return int32(x + 0.5)
}

// roundUp returns a float32 that is not below x, for x >= 0 computed with some
// rounding of its own.
func roundUp(x float64) float32 { return math.Nextafter32(float32(x*(1+0x1p-30)), math.MaxFloat32) }
