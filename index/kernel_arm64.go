package index

// dotRows sets out[i] to the dot product of query and row i of rows. Every
// processor that Go's arm64 runs on has NEON.
// REQUIRES: len(query) is a multiple of rowAlign, len(rows) >= len(query)*len(out).
func dotRows(query, rows, out []float32) {
	if len(query) == 0 || len(out) == 0 {
		clear(out)
		return
	}
	_ = rows[len(query)*len(out)-1] // the assembly checks no bounds
	dotRowsNEON(&query[0], &rows[0], len(query), len(out), &out[0])
}

// dotRowsNEON is dotRows; stride is len(query), count len(out).
// REQUIRES: stride is a positive multiple of rowAlign, count >= 1. No alignment
// is needed.
//
//go:noescape
func dotRowsNEON(query, rows *float32, stride, count int, out *float32)
