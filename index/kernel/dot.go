package kernel

// RowAlign is the unit of a row, in floats: 64 bytes, a cache line and two AVX2
// registers. Rows are padded to it with zeros, which add nothing to a dot
// product, so that the kernels need no code for a rest.
const RowAlign = 16

// Every kernel of Dot adds in the same order, so that the sum depends only on the
// two rows:
//
//	sixteen partial sums; sum j runs over the elements j, j+16, j+32, ...
//	they are folded by halves to eight and to four (j with j+8, j with j+4),
//	then (0 with 1) with (2 with 3)
//
// Sixteen float32 are two AVX2 registers, one of AVX-512, four of NEON: a kernel
// for each of them can keep the order. There is none for AVX-512: with one
// register of sums the chain of additions is as long as with two.
//
// Each element passes through at most d/16 fused multiply-adds (one rounding
// each; two in the portable kernel where the compiler does not fuse) and four
// additions, so by the usual bound (Higham, Accuracy and Stability of Numerical
// Algorithms, 2nd ed., section 3.1) the error for two unit vectors is at most
// about (d/16 + 5) * 2^-24: 7.8e-7 for 128 dimensions, 2.3e-6 for 512. Typical
// errors are a tenth of that. Kernels of different machines may differ by as
// much; one process uses one kernel throughout.

// Dot returns the dot product of two rows of the same length, a positive multiple of
// [RowAlign]. They need no alignment. For unit vectors the error is at most
// (length/16 + 5) * 2^-24. Equal rows give equal bits, throughout the process.
func Dot(a, b []float32) float32 { return dot(a, b[:len(a)]) }
