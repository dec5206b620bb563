package embedder

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
static void rollcall_trim(void) { malloc_trim(0); }
#else
static void rollcall_trim(void) {}
#endif
*/
import "C"

import "runtime/debug"

// trim returns freed memory to the system: Go's, and that of the C library, which ONNX Runtime uses. It is
// called after a model was loaded or unloaded. Loading takes the model's file several times: as bytes, as
// ONNX Runtime has parsed it, and as weights. Without trim a process with FaceNet (91 MB) held 249 MB after
// loading, with it 122. glibc also keeps freed pieces in each thread's arena, which looks like a leak of
// sessions. With other C libraries only Go's memory is returned.
//
// Measured with ONNX Runtime 1.24.3 and glibc, creating, running and destroying sessions of a
// MobileFaceNet of 4 MB, resident memory of the whole process (November 2026, 2 cores of an AMD EPYC):
//
//	cycles                     5      20     60    400
//	without trim              64 MB  62 MB  84 MB  81 MB
//	with trim after each      41 MB  38 MB  46 MB  39 MB
//	two threads, without      81 MB  99 MB 115 MB
//	two threads, with trim    42 MB  40 MB  42 MB  42 MB (200 cycles)
//
// The arena and pattern options, shared allocators (session.use_env_allocators), no prepacking and device
// allocators for weights made no difference beyond noise. BenchmarkReload repeats the measurement. With
// trim nothing is lost, so a model may be unloaded and loaded any number of times.
func trim() {
	debug.FreeOSMemory()
	C.rollcall_trim()
}
