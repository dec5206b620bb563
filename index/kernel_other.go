//go:build !amd64 && !arm64

package index

// dotRows sets out[i] to the dot product of query and row i of rows.
// REQUIRES: len(query) is a multiple of rowAlign, len(rows) >= len(query)*len(out).
func dotRows(query, rows, out []float32) { dotRowsPortable(query, rows, out) }
