// Package kernel has the arithmetic of package index in the instructions of the
// processor: [Dot] of two float32 rows, [BoundRows] and [DotCodesAt] of a coded
// query with rows in int8, [Prefetch]. Each is a pure function without allocations,
// safe for concurrent use, and each has a portable form, which serves where there
// is no assembly: an architecture is a set of files *_GOARCH.go and .s.
//
// The functions check the lengths that they read and write; what they say about
// multiples is the caller's duty.
package kernel
