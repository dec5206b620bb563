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

// trim returns memory that ONNX Runtime has freed to the system. It is called after a model was unloaded.
// Without it glibc keeps the freed pieces in each thread's arena, which looks like a leak of sessions. On
// other systems it does nothing.
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
func trim() { C.rollcall_trim() }
