package kernel

import "unsafe"

func boundRows(query []int16, rows []int8, scales, errs []float32, t, e float32, out []float32) {
	boundRowsNEON(&query[0], &rows[0], len(query), len(out), &scales[0], &errs[0], t, e, &out[0])
}

func boundGroup(queries []int16, rows []int8, scales, errs []float32, t, e *[QueryGroup]float32, out []float32) {
	boundGroupNEON(&queries[0], &rows[0], len(queries)/QueryGroup, len(scales), &scales[0], &errs[0], &t[0], &e[0], &out[0])
}

func dotCodesAt(query []int16, rows []*int8, out []int32) {
	dotCodesAtNEON(&query[0], &rows[0], len(query), len(rows), &out[0])
}

// boundRowsNEON is BoundRows; stride is len(query), count len(out).
//
//go:noescape
func boundRowsNEON(query *int16, rows *int8, stride, count int, scales, errs *float32, t, e float32, out *float32)

// boundGroupNEON is BoundGroup; stride is a row's length, count len(scales).
//
//go:noescape
func boundGroupNEON(queries *int16, rows *int8, stride, count int, scales, errs, t, e, out *float32)

// dotCodesAtNEON is DotCodesAt; stride is len(query), count len(rows).
//
//go:noescape
func dotCodesAtNEON(query *int16, rows **int8, stride, count int, out *int32)

// Prefetch fetches the cache line at and the next one, if they can be read.
//
//go:noescape
func Prefetch(at unsafe.Pointer)
