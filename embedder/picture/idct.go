package picture

// The inverse cosine transform of Loeffler, Ligtenberg and Moschytz (1989, doi:10.1109/ICASSP.1989.266596), in
// the fixed point of Go's image/jpeg since Go 1.26, so that both decoders give the same pixels: rows first,
// with 20 binary digits after the point, then columns.
const (
	cos1, sin1 = 4017, 799  // of 1/16 pi, 12 digits
	cos3, sin3 = 3406, 2276 // of 3/16 pi, 12 digits

	rowCos6, rowSin6       = 70936, 171254 // of 6/16 pi, by the root of 1/2, 18 digits
	columnCos6, columnSin6 = 1108, 2676    // the same, 12 digits
	rowRoot, columnRoot    = 181, 11585    // the root of 1/2: 8 digits, 14 digits
)

// inverseBlock writes the samples of a block, which are 8 rows of 8 bytes, and makes the block zero.
func inverseBlock(dst []byte, stride int, b *block) {
	for row := range 8 {
		x := b[row:]
		out := butterflies(
			(x[0]+x[32])<<17, (x[0]-x[32])<<17,
			x[16]*rowCos6-x[48]*rowSin6, x[16]*rowSin6+x[48]*rowCos6,
			(x[8]+x[56])<<7, (x[8]-x[56])<<7, x[24]*rowRoot, x[40]*rowRoot, 2)
		for column, v := range out {
			x[8*column] = v
		}
	}
	for column := range 8 {
		x := b[8*column:][:8]
		const half = 1 << 19 // goes through all sums to where they are rounded
		even, odd := x[2]>>13, x[6]>>13
		out := butterflies(
			(x[0]+half+x[4])>>2, (x[0]+half-x[4])>>2,
			even*columnCos6-odd*columnSin6, even*columnSin6+odd*columnCos6,
			x[1]+x[7], x[1]-x[7], (x[3]>>13)*columnRoot, (x[5]>>13)*columnRoot, 14)
		for row, v := range out {
			dst[row*stride+column] = byte(min(max(v>>18, -128), 127) + 128)
		}
	}
	*b = block{}
}

// butterflies is what both directions have in common.
func butterflies(sum04, difference04, low26, high26, sum17, difference17, x3, x5 int32, shift uint) [8]int32 {
	a, b := (difference17+x5)>>shift, (sum17+x3)>>shift
	o3, o0 := a*cos3-b*sin3, a*sin3+b*cos3
	a, b = (sum17-x3)>>shift, (difference17-x5)>>shift
	o2, o1 := a*cos1-b*sin1, a*sin1+b*cos1
	e0, e1, e2, e3 := sum04+high26, difference04+low26, difference04-low26, sum04-high26
	return [8]int32{e0 + o0, e1 + o1, e2 + o2, e3 + o3, e3 - o3, e2 - o2, e1 - o1, e0 - o0}
}
