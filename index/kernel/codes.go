package kernel

// The code kernels compute integer dot products of a query with coded rows. A
// coded row is one int8 per element, in -127 to 127, padded with zeros to a
// multiple of CodeAlign. A coded query has the same length, in int16. The caller
// chooses its range so that every sum of products fits into an int32. Integer
// sums do not depend on their order, so every kernel gives the same. Bounds are
// float32, and may differ in the last bits between processors.
//
// amd64 has AVX2, and AVX-512 where the processor has VNNI too; arm64 has NEON.

const (
	// CodeAlign is the unit of a coded row, in bytes: a cache line, so that a row of
	// 128 touches two lines and never three.
	CodeAlign = 64

	// RowGroup is how many rows the code kernels take at a time, so that these
	// share the loads of the query. Callers round up to it.
	RowGroup = 4

	// QueryGroup is how many queries [BoundGroup] takes at a time, so that these share
	// the loads of the rows.
	QueryGroup = 4
)

// BoundRows sets out[i] to dot*scales[i]*t + e*errs[i], where dot is the integer
// dot product of query and row i of rows, [len(out)*len(query)]int8 side by side.
// It also fetches the following rows into the cache. The length of query must be
// a multiple of [CodeAlign], that of out one of [RowGroup]; scales and errs are
// as long as out.
func BoundRows(query []int16, rows []int8, scales, errs []float32, t, e float32, out []float32) {
	n := len(out)
	if n == 0 || len(query) == 0 {
		return
	}
	_, _, _ = rows[len(query)*n-1], scales[n-1], errs[n-1] // the assembly checks no bounds
	boundRows(query, rows, scales, errs, t, e, out)
}

// BoundGroup does what [BoundRows] does, for [QueryGroup] queries at once, which lie side by
// side in queries. Query q has the factors t[q] and e[q], and its bounds are at out[q*n+i],
// where n is the number of rows, len(scales), a multiple of [RowGroup]. The length of
// queries must be a multiple of QueryGroup*[CodeAlign]; errs is as long as scales.
func BoundGroup(queries []int16, rows []int8, scales, errs []float32, t, e *[QueryGroup]float32, out []float32) {
	n, width := len(scales), len(queries)/QueryGroup
	if n == 0 || width == 0 {
		return
	}
	_, _, _ = rows[width*n-1], errs[n-1], out[QueryGroup*n-1] // the assembly checks no bounds
	boundGroup(queries, rows, scales, errs, t, e, out)
}

// DotCodesAt sets out[i] to the integer dot product of query and the row that begins
// at rows[i], which may lie anywhere: all are fetched into the cache first. The
// length of query must be a multiple of [CodeAlign], that of rows one of
// [RowGroup]; every row is as long as query, out as long as rows.
func DotCodesAt(query []int16, rows []*int8, out []int32) {
	if len(rows) == 0 || len(query) == 0 {
		return
	}
	_ = out[len(rows)-1] // the assembly checks no bounds
	dotCodesAt(query, rows, out)
}
