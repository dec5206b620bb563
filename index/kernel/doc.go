// Package kernel has the arithmetic of package index in assembly: [Dot] of two
// float32 rows, [BoundRows], [BoundGroup] and [DotCodesAt] of coded queries with rows in
// int8, [Reaching] for the bounds, and [Prefetch]. Each is a pure function without allocations and safe for
// concurrent use. Each also has a portable form for processors without assembly.
// The files of an architecture are *_GOARCH.go and *_GOARCH.s.
//
// The functions check the lengths that they read and write. The caller must see
// to it that lengths are the multiples that they ask for.
package kernel
