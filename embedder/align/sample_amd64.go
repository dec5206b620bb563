package align

const (
	// lanes is how many input pixels the assembly takes at once.
	lanes = 4
	// blockPixels is how many input pixels have their sums in the first-level cache at once: 2 KiB.
	blockPixels = 128
)

// blocks writes as many of the input pixels from..to of row v as fill whole lanes, and returns the first
// that is left. All of them have four picture pixels around every sample. It computes what single and
// several compute, to the last bit: the sums are whole numbers.
func (s *sampler) blocks(w *writer, v, from, to int) int {
	if !hasAVX2 {
		return from
	}
	var sums [blockPixels][4]int32 // R, G, B and 0: at most maxTaps*maxTaps*255*weightOne, which is less than 1<<31
	for to-from >= lanes {
		n := min(to-from, blockPixels) / lanes * lanes
		clear(sums[:n])
		x := s.x + int64(v)*s.xDown + int64(from)*s.xRight
		y := s.y + int64(v)*s.yDown + int64(from)*s.yRight
		for i := range s.taps[:s.count] {
			var places [2][lanes]int64
			for k := range int64(lanes) {
				places[0][k], places[1][k] = x+s.taps[i].x+k*s.xRight, y+s.taps[i].y+k*s.yRight
			}
			addSamplesAVX2(&sums[0], n, &s.pix[0], s.width, &places, lanes*s.xRight, lanes*s.yRight)
		}
		w.putAll((v*w.width+from)*w.step, sums[:n])
		from += n
	}
	return from
}

// putAll writes pixels, whose number is a multiple of lanes.
func (w *writer) putAll(at int, sums [][4]int32) {
	if w.step != 1 {
		for i := range sums {
			w.put(at, int64(sums[i][0]), int64(sums[i][1]), int64(sums[i][2]))
			at += w.step
		}
		return
	}
	r, g, b := w.dst[at+w.channel[0]:][:len(sums)], w.dst[at+w.channel[1]:][:len(sums)], w.dst[at+w.channel[2]:][:len(sums)]
	putPlanesAVX2(&r[0], &g[0], &b[0], &sums[0], len(sums), &w.slope, &w.shift)
}

// addSamplesAVX2 adds a bilinear sample to each of n sums, n a multiple of lanes and at least that. places
// are x and y of the first ones in fixed point; each next lanes lie xStep and yStep farther. The four pixels
// around every place exist. It reads no byte outside of their two rows, from the first of these pixels to the last.
//
//go:noescape
func addSamplesAVX2(sums *[4]int32, n int, pix *byte, width int64, places *[2][lanes]int64, xStep, yStep int64)

// putPlanesAVX2 writes sum*slope + shift of R, G and B to a plane each, for n sums, a multiple of lanes and
// at least that. It rounds like put: the product and the sum are not fused.
//
//go:noescape
func putPlanesAVX2(red, green, blue *float32, sums *[4]int32, n int, slope, shift *[3]float32)
