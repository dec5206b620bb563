package index

// The kernels compute the dot product of a query with rows. They fix the order
// of the sum, so that a row's score does not depend on where the row lies or
// which rows are scored with it:
//
//	sixteen partial sums; sum j runs over the elements j, j+16, j+32, ...
//	they are folded by halves to eight and to four (j with j+8, j with j+4),
//	then (0 with 1) with (2 with 3)
//
// Sixteen float32 are two AVX2 registers, one of AVX-512, four of NEON: a kernel
// for either can keep the order. There is none for AVX-512: the engines score rows
// one by one, and one register of sums is as long a chain of additions as two.
//
// Each element passes through at most d/16 fused multiply-adds (one rounding
// each; two in the portable kernel where the compiler does not fuse) and four
// additions, so by the usual bound (Higham, Accuracy and Stability of Numerical
// Algorithms, 2nd ed., section 3.1) the error for two unit vectors is at most
// about (d/16 + 5) * 2^-24: 7.8e-7 for 128 dimensions, 2.3e-6 for 512. Typical
// errors are a tenth of that. Kernels of different machines may differ by as
// much; one process uses one kernel throughout.
//
// A kernel is a function dotRows for its architecture, and another one is a file
// kernel_GOARCH.go with the same name.

// dot returns the dot product of two padded rows.
func dot(query, row []float32) float32 {
	var out [1]float32
	dotRows(query, row, out[:])
	return out[0]
}
