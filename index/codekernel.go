package index

// The code kernels compute integer dot products of a query with coded rows. A
// coded row (see code.go) is one int8 per element, in -127 to 127, padded with
// zeros to a multiple of codeAlign; a coded query is as long, in int16, and its
// range is chosen so that no sum of products can leave an int32. Integer sums do
// not depend on their order: every kernel's are the same. Bounds are float32, and
// may differ in the last bits between processors.
//
// An architecture's kernels are a file codekernel_GOARCH.go with these functions;
// amd64 has AVX2, and AVX-512 where the processor has VNNI too; arm64 has NEON:
//
//	boundRows      rows that lie side by side, with the bound of each: the exact scan
//	dotCodesAt     rows anywhere, fetched into the cache first: a node's neighbours
//	prefetchLines  a node's links, before they are needed

// codeAlign is the unit of a coded row, in bytes: a cache line, so that a row of
// 128 touches two lines and never three.
const codeAlign = 64

// rowGroup is how many rows the code kernels take at a time, so that they share
// the loads of the query: callers round up.
const rowGroup = 4
