package index

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// hasAVX512 says that the processor, and the operating system with it, has what
// the kernels named AVX512 need. A processor with AVX-512 and without VNNI is of
// the generation that lowers its clock for registers of 512 bits: it takes AVX2.
var hasAVX512 = hasAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VNNI

// boundRows sets out[i] to the bound of row i: see boundRowsPortable, also for
// what it requires.
func boundRows(query []int16, rows []int8, scales, errs []float32, t, e float32, out []float32) {
	if !hasAVX2 {
		boundRowsPortable(query, rows, scales, errs, t, e, out)
		return
	}
	n := len(out)
	if n == 0 || len(query) == 0 {
		return
	}
	_, _, _ = rows[len(query)*n-1], scales[n-1], errs[n-1] // the assembly checks no bounds
	if hasAVX512 {
		boundRowsAVX512(&query[0], &rows[0], len(query), n, &scales[0], &errs[0], t, e, &out[0])
		return
	}
	boundRowsAVX2(&query[0], &rows[0], len(query), n, &scales[0], &errs[0], t, e, &out[0])
}

// dotCodesAt sets out[i] to the dot product of query and the row at rows[i]: see
// dotCodesAtPortable, also for what it requires.
func dotCodesAt(query []int16, rows []*int8, out []int32) {
	if !hasAVX2 {
		dotCodesAtPortable(query, rows, out)
		return
	}
	if len(rows) == 0 || len(query) == 0 {
		return
	}
	_ = out[len(rows)-1] // the assembly checks no bounds
	if hasAVX512 {
		dotCodesAtAVX512(&query[0], &rows[0], len(query), len(rows), &out[0])
		return
	}
	dotCodesAtAVX2(&query[0], &rows[0], len(query), len(rows), &out[0])
}

// boundRowsAVX2 is boundRows on AVX2 and FMA; stride is len(query), count len(out).
// REQUIRES: stride is a positive multiple of codeAlign, count one of rowGroup.
//
//go:noescape
func boundRowsAVX2(query *int16, rows *int8, stride, count int, scales, errs *float32, t, e float32, out *float32)

// dotCodesAtAVX2 is dotCodesAt on AVX2; stride is len(query), count len(rows).
// REQUIRES: stride is a positive multiple of codeAlign, count one of rowGroup.
//
//go:noescape
func dotCodesAtAVX2(query *int16, rows **int8, stride, count int, out *int32)

// boundRowsAVX512 is boundRowsAVX2 on AVX-512 with VNNI.
//
//go:noescape
func boundRowsAVX512(query *int16, rows *int8, stride, count int, scales, errs *float32, t, e float32, out *float32)

// dotCodesAtAVX512 is dotCodesAtAVX2 on AVX-512 with VNNI.
//
//go:noescape
func dotCodesAtAVX512(query *int16, rows **int8, stride, count int, out *int32)

// prefetchLines fetches the cache line at and the next one.
//
//go:noescape
func prefetchLines(at unsafe.Pointer)
