#include "api.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

// The interface is a table of functions. Later versions of ONNX Runtime only append to it (see
// docs/Versioning.md and the end of onnxruntime_c_api.h there), so a position means the same function
// in every library that serves version 24. The library says which versions it serves.
enum { version = 24 };

enum {
    get_error_message = 2,
    create_env = 3,
    disable_telemetry_events = 6,
    create_session_from_array = 8,
    run = 9,
    create_session_options = 10,
    set_optimized_model_file_path = 11,
    disable_mem_pattern = 17,
    set_session_log_severity_level = 22,
    set_session_graph_optimization_level = 23,
    set_intra_op_num_threads = 24,
    set_inter_op_num_threads = 25,
    create_tensor_with_data_as_ort_value = 49,
    create_cpu_memory_info = 69,
    release_env = 92,
    release_status = 93,
    release_memory_info = 94,
    release_session = 95,
    release_value = 96,
    release_session_options = 100,
    add_session_config_entry = 130,
    add_initializer = 150,
    create_prepacked_weights_container = 166,
    release_prepacked_weights_container = 167,
    create_session_with_prepacked_weights_container = 168,
};

// Values of ONNX Runtime's enumerations.
enum { arena_allocator = 0, memory_default = 0, element_float = 1, log_fatal = 4, optimise_nothing = 0, optimise_all = 99 };

struct api_base {
    void *const *(*get_api)(uint32_t version);
    const char *(*get_version_string)(void);
};

static void *library;
static void *const *api;
static void *environment, *memory;

#define CALL(function, ...) ((status *(*)(__VA_ARGS__))api[function])
#define RELEASE(function) ((void (*)(void *))api[function])

const char *ort_open(const char *path, const char **problem) {
    void *opened = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!opened) {
        *problem = dlerror();
        return NULL;
    }
    const struct api_base *(*base)(void) = (const struct api_base *(*)(void))dlsym(opened, "OrtGetApiBase");
    api = base ? base()->get_api(version) : NULL;
    if (!api) {
        dlclose(opened);
        *problem = base ? "it does not serve version 24 of the C interface" : "it is not ONNX Runtime";
        return NULL;
    }
    library = opened;
    return base()->get_version_string();
}

void ort_close(void) {
    dlclose(library);
    library = NULL;
    api = NULL;
}

status *ort_start(void) {
    status *failed = CALL(create_env, int, const char *, void **)(log_fatal, "rollcall", &environment);
    if (failed) return failed;
    failed = CALL(disable_telemetry_events, void *)(environment);
    if (!failed) failed = CALL(create_cpu_memory_info, int, int, void **)(arena_allocator, memory_default, &memory);
    if (failed) RELEASE(release_env)(environment);
    return failed;
}

char *ort_message(status *failed) {
    char *text = strdup(((const char *(*)(status *))api[get_error_message])(failed));
    RELEASE(release_status)(failed);
    return text;
}

static status *entry(void *options, const char *key, const char *value) {
    return CALL(add_session_config_entry, void *, const char *, const char *)(options, key, value);
}

// set_options are the same for every session. The memory arena stays on, which is ONNX Runtime's default:
// without it a process of MobileFaceNet grew from 60 to 120 MB under load. The memory pattern is off: with it
// two sessions of ArcFace's ResNet-34 took 13 MB more, of MobileFaceNet 5, and a run took as long, within 1 %
// (2026-11-26, an experiment).
static status *set_options(void *options, int threads, int level) {
    status *failed = CALL(set_intra_op_num_threads, void *, int)(options, threads);
    if (!failed) failed = CALL(set_inter_op_num_threads, void *, int)(options, 1);
    if (!failed) failed = CALL(disable_mem_pattern, void *)(options);
    if (!failed) failed = CALL(set_session_graph_optimization_level, void *, int)(options, level);
    if (!failed) failed = CALL(set_session_log_severity_level, void *, int)(options, log_fatal);
    // The threads of a run spin while they wait for its next layer, and stop at its end: a thread that spins
    // between runs takes the core from another caller. To sleep after each layer costs more than the
    // threads gain: MobileFaceNet on two cores took 2.9 ms with one thread, 2.6 to 2.8 with two that sleep,
    // and 1.7 with two that spin (2026-11-26).
    if (!failed) failed = entry(options, "session.intra_op.allow_spinning", threads > 1 ? "1" : "0");
    if (!failed) failed = entry(options, "session.force_spinning_stop", "1");
    if (!failed) failed = entry(options, "session.inter_op.allow_spinning", "0");
    return failed;
}

static status *new_options(int threads, int level, void **options) {
    status *failed = CALL(create_session_options, void **)(options);
    if (failed) return failed;
    failed = set_options(*options, threads, level);
    if (failed) RELEASE(release_session_options)(*options);
    return failed;
}

status *ort_optimise(const void *onnx, size_t length, const char *graph, const char *weights) {
    void *options, *session;
    status *failed = new_options(1, optimise_all, &options);
    if (failed) return failed;
    failed = CALL(set_optimized_model_file_path, void *, const char *)(options, graph);
    if (!failed) failed = entry(options, "session.optimized_model_external_initializers_file_name", weights);
    // The session only writes the files.
    if (!failed) failed = entry(options, "session.disable_prepacking", "1");
    if (!failed)
        failed = CALL(create_session_from_array, void *, const void *, size_t, void *, void **)(environment, onnx, length, options, &session);
    if (!failed) RELEASE(release_session)(session);
    RELEASE(release_session_options)(options);
    return failed;
}

status *ort_load(const void *onnx, size_t length, void **session) {
    void *options;
    status *failed = new_options(1, optimise_all, &options);
    if (failed) return failed;
    failed = CALL(create_session_from_array, void *, const void *, size_t, void *, void **)(environment, onnx, length, options, session);
    RELEASE(release_session_options)(options);
    return failed;
}

status *ort_load_shared(const char *graph, int threads, char *const *names, void *const *values, int weights, void *packed, void **session) {
    void *options;
    status *failed = new_options(threads, optimise_nothing, &options);
    if (failed) return failed;
    for (int i = 0; i < weights && !failed; i++)
        failed = CALL(add_initializer, void *, const char *, const void *)(options, names[i], values[i]);
    if (!failed)
        failed = CALL(create_session_with_prepacked_weights_container, void *, const char *, void *, void *, void **)(
            environment, graph, options, packed, session);
    RELEASE(release_session_options)(options);
    return failed;
}

void ort_release_session(void *session) { RELEASE(release_session)(session); }

status *ort_packed(void **packed) { return CALL(create_prepacked_weights_container, void **)(packed); }

void ort_release_packed(void *packed) { RELEASE(release_prepacked_weights_container)(packed); }

status *ort_tensor(void *data, size_t bytes, const int64_t *dims, size_t rank, void **value) {
    return CALL(create_tensor_with_data_as_ort_value, void *, void *, size_t, const int64_t *, size_t, int, void **)(
        memory, data, bytes, dims, rank, element_float, value);
}

void ort_release_tensor(void *value) { RELEASE(release_value)(value); }

status *ort_run(void *session, char *const *names, void **values, int count) {
    return CALL(run, void *, const void *, char *const *, void *const *, size_t, char *const *, size_t, void **)(
        session, NULL, names, values, 1, names + 1, count - 1, values + 1);
}
