package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// hasAVX512 says that the processor, and the operating system with it, has what
// the kernels named AVX512 need. A processor with AVX-512 but without VNNI is of
// the generation that lowers its clock for registers of 512 bits, so it uses
// AVX2.
var hasAVX512 = hasAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VNNI

func boundRows(query []int16, rows []int8, scales, errs []float32, t, e float32, out []float32) {
	switch {
	case hasAVX512:
		boundRowsAVX512(&query[0], &rows[0], len(query), len(out), &scales[0], &errs[0], t, e, &out[0])
	case hasAVX2:
		boundRowsAVX2(&query[0], &rows[0], len(query), len(out), &scales[0], &errs[0], t, e, &out[0])
	default:
		boundRowsPortable(query, rows, scales, errs, t, e, out)
	}
}

func boundGroup(queries []int16, rows []int8, scales, errs []float32, t, e *[QueryGroup]float32, out []float32) {
	switch {
	case hasAVX512:
		boundGroupAVX512(&queries[0], &rows[0], len(queries)/QueryGroup, len(scales), &scales[0], &errs[0], &t[0], &e[0], &out[0])
	case hasAVX2:
		boundGroupAVX2(&queries[0], &rows[0], len(queries)/QueryGroup, len(scales), &scales[0], &errs[0], &t[0], &e[0], &out[0])
	default:
		boundGroupPortable(queries, rows, scales, errs, t, e, out)
	}
}

func dotCodesAt(query []int16, rows []*int8, out []int32) {
	switch {
	case hasAVX512:
		dotCodesAtAVX512(&query[0], &rows[0], len(query), len(rows), &out[0])
	case hasAVX2:
		dotCodesAtAVX2(&query[0], &rows[0], len(query), len(rows), &out[0])
	default:
		dotCodesAtPortable(query, rows, out)
	}
}

// boundRowsAVX2 is BoundRows on AVX2 and FMA; stride is len(query), count len(out).
//
//go:noescape
func boundRowsAVX2(query *int16, rows *int8, stride, count int, scales, errs *float32, t, e float32, out *float32)

// boundGroupAVX2 is BoundGroup on AVX2 and FMA; stride is a row's length, count len(scales).
//
//go:noescape
func boundGroupAVX2(queries *int16, rows *int8, stride, count int, scales, errs, t, e, out *float32)

// dotCodesAtAVX2 is DotCodesAt on AVX2; stride is len(query), count len(rows).
//
//go:noescape
func dotCodesAtAVX2(query *int16, rows **int8, stride, count int, out *int32)

// boundRowsAVX512 is boundRowsAVX2 on AVX-512 with VNNI.
//
//go:noescape
func boundRowsAVX512(query *int16, rows *int8, stride, count int, scales, errs *float32, t, e float32, out *float32)

// boundGroupAVX512 is boundGroupAVX2 on AVX-512 with VNNI.
//
//go:noescape
func boundGroupAVX512(queries *int16, rows *int8, stride, count int, scales, errs, t, e, out *float32)

// dotCodesAtAVX512 is dotCodesAtAVX2 on AVX-512 with VNNI.
//
//go:noescape
func dotCodesAtAVX512(query *int16, rows **int8, stride, count int, out *int32)

// Prefetch fetches the cache line at and the next one, if they can be read.
//
//go:noescape
func Prefetch(at unsafe.Pointer)
