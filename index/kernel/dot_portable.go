package kernel

// dotPortable is Dot in plain Go.
func dotPortable(a, b []float32) float32 {
	lo, hi := partialSums(a, b), partialSums(a[8:], b[8:])
	for j := range lo {
		lo[j] += hi[j]
	}
	for j := range 4 {
		lo[j] += lo[j+4]
	}
	return (lo[0] + lo[1]) + (lo[2] + lo[3])
}

// partialSums returns the sums of products of the first eight elements out of
// every sixteen. Eight at a time, because so many fit into registers everywhere.
func partialSums(a, b []float32) [8]float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for len(a) >= 8 && len(b) >= 8 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		s4 += a[4] * b[4]
		s5 += a[5] * b[5]
		s6 += a[6] * b[6]
		s7 += a[7] * b[7]
		if len(a) < RowAlign || len(b) < RowAlign {
			break
		}
		a, b = a[RowAlign:], b[RowAlign:]
	}
	return [8]float32{s0, s1, s2, s3, s4, s5, s6, s7}
}
