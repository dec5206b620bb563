// The functions of ONNX Runtime's C interface that package ort calls. Each returns NULL, or a status
// that says what failed and that ort_message releases.

#include <stddef.h>
#include <stdint.h>

typedef struct status status;

// ort_open loads the library and returns its version, or NULL with *problem set to a text of its loader.
// ort_start begins to use it; ort_close unloads one that was not started.
const char *ort_open(const char *path, const char **problem);
status *ort_start(void);
void ort_close(void);

// ort_message returns what failed, in memory of the caller.
char *ort_message(status *failed);

// ort_optimise writes the graph of a model as it is after all optimisations for this machine. The values of
// its weights go into a second file, which lies beside the first and has the given name.
status *ort_optimise(const void *onnx, size_t length, const char *graph, const char *weights);

// ort_load makes a session of a model, ort_load_shared one of an optimised graph with weights that others
// use too.
status *ort_load(const void *onnx, size_t length, void **session);
status *ort_load_shared(const char *graph, int threads, char *const *names, void *const *values, int weights, void *packed, void **session);
void ort_release_session(void *session);

// ort_packed makes room for what the sessions of an optimised graph derive from shared weights.
status *ort_packed(void **packed);
void ort_release_packed(void *packed);

// ort_tensor makes a float32 tensor of memory that must outlive it.
status *ort_tensor(void *data, size_t bytes, const int64_t *dims, size_t rank, void **value);
void ort_release_tensor(void *value);

// ort_run runs a session. The first of count names and values is the input, the others are the outputs.
status *ort_run(void *session, char *const *names, void **values, int count);
