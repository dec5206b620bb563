package kernel

import "unsafe"

// boundRowsPortable is BoundRows in plain Go.
func boundRowsPortable(query []int16, rows []int8, scales, errs []float32, t, e float32, out []float32) {
	for i := range out {
		dot := dotCodes(query, rows[i*len(query):(i+1)*len(query)])
		out[i] = float32(dot)*scales[i]*t + e*errs[i]
	}
}

// boundGroupPortable is BoundGroup in plain Go.
func boundGroupPortable(queries []int16, rows []int8, scales, errs []float32, t, e *[QueryGroup]float32, out []float32) {
	n, width := len(scales), len(queries)/QueryGroup
	for q := range QueryGroup {
		boundRowsPortable(queries[q*width:(q+1)*width], rows, scales, errs, t[q], e[q], out[q*n:(q+1)*n])
	}
}

// dotCodesAtPortable is DotCodesAt in plain Go.
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
