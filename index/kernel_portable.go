package index

// dotRowsPortable sets out[i] to the dot product of query and row i of rows.
// REQUIRES: len(query) is a multiple of rowAlign, len(rows) >= len(query)*len(out).
func dotRowsPortable(query, rows, out []float32) {
	for i := range out {
		row := rows[i*len(query) : (i+1)*len(query)]
		lo, hi := partialSums(query, row), partialSums(query[8:], row[8:])
		for j := range lo {
			lo[j] += hi[j]
		}
		for j := range 4 {
			lo[j] += lo[j+4]
		}
		out[i] = (lo[0] + lo[1]) + (lo[2] + lo[3])
	}
}

// partialSums returns the sums of products of the first eight elements out of
// every sixteen. Eight at a time, because so many fit into registers everywhere.
func partialSums(query, row []float32) [8]float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for len(query) >= 8 && len(row) >= 8 {
		s0 += query[0] * row[0]
		s1 += query[1] * row[1]
		s2 += query[2] * row[2]
		s3 += query[3] * row[3]
		s4 += query[4] * row[4]
		s5 += query[5] * row[5]
		s6 += query[6] * row[6]
		s7 += query[7] * row[7]
		if len(query) < rowAlign || len(row) < rowAlign {
			break
		}
		query, row = query[rowAlign:], row[rowAlign:]
	}
	return [8]float32{s0, s1, s2, s3, s4, s5, s6, s7}
}
