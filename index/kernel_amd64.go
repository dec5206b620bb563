package index

import "golang.org/x/sys/cpu"

// hasAVX2 says that the processor, and the operating system with it, has what
// dotRowsAVX2 needs.
var hasAVX2 = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// dotRows sets out[i] to the dot product of query and row i of rows.
// REQUIRES: len(query) is a multiple of rowAlign, len(rows) >= len(query)*len(out).
func dotRows(query, rows, out []float32) {
	if !hasAVX2 {
		dotRowsPortable(query, rows, out)
		return
	}
	if len(query) == 0 || len(out) == 0 {
		clear(out)
		return
	}
	_ = rows[len(query)*len(out)-1] // the assembly checks no bounds
	dotRowsAVX2(&query[0], &rows[0], len(query), len(out), &out[0])
}

// dotRowsAVX2 is dotRows on AVX2 and FMA; stride is len(query), count len(out).
// REQUIRES: stride is a positive multiple of rowAlign. No alignment is needed.
//
//go:noescape
func dotRowsAVX2(query, rows *float32, stride, count int, out *float32)
