/* SPDX-License-Identifier: MIT */
/**
 * @file context.h  The context: what every other handle is made on. It owns the worker threads, the allocator, the log
 * callback, the choice of kernels and the default seed. There is no other global state.
 *
 * Life: create, set options, then make other handles. Options are fixed from the moment the first handle is made on the
 * context (DIRAC_ERR_STATE afterwards), except the log and progress callbacks. A context may be shared by any number of
 * threads. Every handle keeps alive what it was made from, so handles may be destroyed in any order, from any thread.
 *
 * A call may be made in any floating-point environment and leaves it as it was: rounding, exception flags, masks of
 * traps.
 *
 * In a child made by fork() the parent's handles may only be destroyed; new contexts work. Everything here: since 0.1.
 */
#ifndef DIRAC_CONTEXT_H
#define DIRAC_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "export.h"

DIRAC_BEGIN

/** Threads, allocator, log, kernels and seed: what all other handles are made on. */
typedef struct dirac_context dirac_context;

/**
 * Allocates `size` bytes (> 0) at a multiple of `alignment` (a power of two, at most 64), or returns NULL.
 * Called from any thread that calls the library, and from its worker threads.
 */
typedef void *(*dirac_alloc_fn)(void *user, size_t size, size_t alignment);

/** Frees what the allocate callback returned; `size` is the size then asked for. `pointer` is never NULL. */
typedef void (*dirac_free_fn)(void *user, void *pointer, size_t size);

/** One task of a parallel job: does part `index` of the job behind `task_data`. */
typedef void (*dirac_task_fn)(void *task_data, int32_t index);

/**
 * The host's own way of running tasks: calls task(task_data, i) once for each i in 0..count-1, in any order, on any
 * threads, and returns when all have returned. It must return 0, or non-zero if no task was started at all; the library
 * then runs the tasks itself on the calling thread. It must not call into the library.
 */
typedef int32_t (*dirac_runner_fn)(void *user, dirac_task_fn task, void *task_data, int32_t count);

/** How much the log tells; see dirac_context_set_log(). */
enum {
    DIRAC_LOG_WARNING = 1, /**< something the host should look at (nothing yet) */
    DIRAC_LOG_INFO = 2,    /**< and every session that is prepared */
    DIRAC_LOG_DEBUG = 3    /**< and details (nothing yet) */
};

/**
 * Receives one message (no newline), valid during the call only. Called on the thread that called the library; from
 * several at once if several prepare sessions. It must not call into the library.
 */
typedef void (*dirac_log_fn)(void *user, int32_t level, const char *message);

/**
 * Progress of a long call: `done` of `total` units (bytes, samples or batches; the call says which). It returns 0 to go
 * on, anything else to stop: the call then ends with DIRAC_ERR_CANCELLED and has no effect, except that an epoch keeps
 * the steps it has taken.
 * Called on the thread that called the library; it must not call into the library.
 */
typedef int32_t (*dirac_progress_fn)(void *user, int64_t done, int64_t total);

/* ---- life -------------------------------------------------------------------------------------------------------- */

/**
 * Makes a context with the C library's allocator, one thread and the best kernels this CPU runs.
 * @param out receives the context; set to NULL on failure. Release it with dirac_context_destroy().
 * Errors: ARGUMENT, MEMORY. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_context_create(dirac_context **out);

/**
 * Makes a context with the host's allocator for every byte the library itself asks for, the context included.
 * @param out receives the context; set to NULL on failure. Release it with dirac_context_destroy().
 * @param allocate not NULL, callable from any thread while any handle of the context lives.
 * @param release not NULL, likewise.
 * @param user passed to both; the host's, and kept until the last handle has gone.
 * Errors: ARGUMENT, MEMORY. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_context_create_with_allocator(dirac_context **out, dirac_alloc_fn allocate,
                                                      dirac_free_fn release, void *user);

/**
 * Gives up the caller's hold; the context goes when the last handle made on it has gone.
 * @param context NULL is accepted.
 * Errors: none. Threads: any. Since 0.1.
 */
DIRAC_API void dirac_context_destroy(dirac_context *context);

/* ---- options, before the first handle ---------------------------------------------------------------------------- */

/**
 * How many threads work on one call, the calling one included. Workers start at the first call that needs them. Results
 * do not depend on it: same build, same kernels, same bits for any number.
 * @param threads 1 to 64; default 1.
 * Errors: ARGUMENT, STATE. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_context_set_threads(dirac_context *context, int32_t threads);

/**
 * Runs parallel work on the host's threads instead of the library's own.
 * @param runner NULL for the library's own threads. It is called on the thread that called the library.
 * @param user passed to it; the host's, and kept until the last handle has gone.
 * @param width how many tasks it may usefully run at once, 1 to 64; ignored for NULL, when dirac_context_set_threads()
 * counts again.
 * Errors: ARGUMENT, STATE. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_context_set_runner(dirac_context *context, dirac_runner_fn runner, void *user, int32_t width);

/**
 * Where messages go; the default is nowhere. The library itself never prints. INFO tells of every session that is
 * prepared: its batch, bytes, kernels and threads. May be called at any time, not while another thread uses the
 * context.
 * @param log NULL for nowhere. @param user passed to it; the host's, and kept.
 * @param level the most talkative level wanted (DIRAC_LOG_*).
 * Errors: ARGUMENT. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_context_set_log(dirac_context *context, dirac_log_fn log, void *user, int32_t level);

/**
 * Who is told how far reading and writing of files has come (`done` of `total` bytes), and can stop it: models,
 * weights, checkpoints, data sets. A call that was stopped ends with DIRAC_ERR_CANCELLED and has no effect. May be set
 * at any time, not while another thread uses the context.
 * @param progress NULL for nobody (default). Called on the thread that called the library; from several at once if
 * several read or write. @param user passed to it; the host's, and kept.
 * Errors: ARGUMENT. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_context_set_progress(dirac_context *context, dirac_progress_fn progress, void *user);

/**
 * The seed that nets, sessions and batches start from unless given their own.
 * @param seed any number; default 0.
 * Errors: ARGUMENT, STATE. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_context_set_seed(dirac_context *context, uint64_t seed);

/**
 * Which kernels to use, for tests and for equal bits on unlike machines.
 * @param name "scalar", "x86-64-v3", "x86-64-v4", "aarch64", or NULL for the best this CPU runs.
 * Errors: ARGUMENT (no such name), UNSUPPORTED (not in this build or not on this CPU), STATE. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_context_set_kernels(dirac_context *context, const char *name);

/**
 * Allows or forbids the use of OpenBLAS. With it, bits may depend on OpenBLAS's own thread count and kernel choice for
 * large linear layers in training. The library calls OpenBLAS from the calling thread only and never changes its
 * settings.
 * @param allowed 1 (default where built in) or 0.
 * Errors: ARGUMENT, STATE, UNSUPPORTED (1 in a build without it). Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_context_set_blas(dirac_context *context, int32_t allowed);

/**
 * The most bytes that one load (model, checkpoint or data set) may ask for; a file that needs more is refused.
 * @param bytes at least 4096; default 16 GiB.
 * Errors: ARGUMENT, STATE. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_context_set_load_limit(dirac_context *context, uint64_t bytes);

/* ---- looking, and buffers ---------------------------------------------------------------------------------------- */

/**
 * The number of threads in use, or the width of the host's runner.
 * @return 1 to 64; 0 for NULL. Errors: none. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_context_threads(const dirac_context *context);

/**
 * The name of the kernels in use.
 * @return static text, as dirac_context_set_kernels() takes it; "" for NULL. Errors: none. Threads: any. Since 0.1.
 */
DIRAC_API const char *dirac_context_kernels(const dirac_context *context);

/**
 * Frees a buffer that a function of the library handed over (those that say "free it with dirac_buffer_free()").
 * @param context the context the buffer's handle was made on. @param buffer may be NULL.
 * @param size the size received with it.
 * Errors: none. Threads: any. Since 0.1.
 */
DIRAC_API void dirac_buffer_free(dirac_context *context, void *buffer, size_t size);

DIRAC_END

#endif
