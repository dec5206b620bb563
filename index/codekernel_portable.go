package index

import "unsafe"

// boundRowsPortable sets out[i] to dot*scales[i]*t + e*errs[i], where dot is the
// integer dot product of query and row i of rows: a bound of row i's similarity,
// as [codedQuery] explains.
// REQUIRES: len(query) is a multiple of codeAlign, len(out) one of rowGroup;
// len(rows) >= len(query)*len(out); scales and errs are as long as out.
func boundRowsPortable(query []int16, rows []int8, scales, errs []float32, t, e float32, out []float32) {
	for i := range out {
		dot := dotCodes(query, rows[i*len(query):(i+1)*len(query)])
		out[i] = float32(dot)*scales[i]*t + e*errs[i]
	}
}

// dotCodesAtPortable sets out[i] to the integer dot product of query and the row
// that begins at rows[i].
// REQUIRES: len(query) is a multiple of codeAlign, len(rows) one of rowGroup;
// out is as long as rows.
func dotCodesAtPortable(query []int16, rows []*int8, out []int32) {
	for i, row := range rows {
		out[i] = dotCodes(query, unsafe.Slice(row, len(query)))
	}
}

// dotCodes returns the integer dot product of a coded query and a coded row.
func dotCodes(query []int16, row []int8) int32 {
	var s0, s1, s2, s3 int32
	for len(query) >= 4 && len(row) >= 4 {
		s0 += int32(query[0]) * int32(row[0])
		s1 += int32(query[1]) * int32(row[1])
		s2 += int32(query[2]) * int32(row[2])
		s3 += int32(query[3]) * int32(row[3])
		query, row = query[4:], row[4:]
	}
	return s0 + s1 + s2 + s3
}
