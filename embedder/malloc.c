#ifdef __linux__
#include <malloc.h>
#ifdef __GLIBC__

// glibc gives a large block back to the system when it is freed, because such a block is a mapping of its own.
// What counts as large grows with what is freed, up to 32 MiB: after Pebble has freed a table of 8 MiB, the next
// ones lie in the arenas between blocks that stay, and so do a model's weights and what loading takes. After 48
// minutes of "rollcall bench soak" the arenas held 198 MB, of which 115 were free, and still grew. A limit that
// is set does not grow. With it, the memory outside of Go's was 64 MB after two minutes, and 82 without
// (2026-11-26, two cores).
__attribute__((constructor)) static void give_back_large_blocks(void) { mallopt(M_MMAP_THRESHOLD, 1 << 20); }
#endif
#endif
