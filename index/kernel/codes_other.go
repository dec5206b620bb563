//go:build !amd64 && !arm64

package kernel

import "unsafe"

func boundRows(query []int16, rows []int8, scales, errs []float32, t, e float32, out []float32) {
	boundRowsPortable(query, rows, scales, errs, t, e, out)
}

func boundGroup(queries []int16, rows []int8, scales, errs []float32, t, e *[QueryGroup]float32, out []float32) {
	boundGroupPortable(queries, rows, scales, errs, t, e, out)
}

func dotCodesAt(query []int16, rows []*int8, out []int32) { dotCodesAtPortable(query, rows, out) }

// Prefetch does nothing here.
func Prefetch(unsafe.Pointer) {}
