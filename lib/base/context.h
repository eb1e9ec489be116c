/* SPDX-License-Identifier: MIT */
/* The context's inside. */
#ifndef BASE_CONTEXT_H
#define BASE_CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <dirac/context.h>

#include "mem.h"
#include "progress.h"
#include "threads.h"

struct dirac__kernels;
struct dirac_layer_kind;

struct dirac_context {
    dirac__memory memory;
    atomic_int references;
    atomic_bool in_use; /* a handle was made: options are fixed, team exists */
    int32_t threads;     /* lanes of the team: those of the runner if there is one, else own_threads */
    int32_t own_threads; /* what was asked for without a runner */
    dirac_runner_fn runner;
    void *runner_user;
    dirac__team *team; /* made with the first handle */
    dirac_log_fn log;
    void *log_user;
    int32_t log_level;
    dirac__progress progress; /* of reading and writing files */
    uint64_t seed;
    uint64_t load_limit;
    bool blas;
    const struct dirac__kernels *kernels;
    pthread_mutex_t mutex;          /* guards first use, the options until then, and the list of kinds */
    struct dirac_layer_kind *kinds; /* registered custom kinds, linked */
    void (*release_kinds)(struct dirac_layer_kind *kinds); /* set by whoever registers the first kind, else NULL */
};

/* Makes a context with one reference, the defaults of <dirac/context.h>, and no kernels and no BLAS: those are the
 * caller's to fill in. *out is NULL on failure. */
int32_t dirac__context_create(dirac_context **out, const dirac__memory *memory);

/* The limit of one load, which may still be set by another thread. */
uint64_t dirac__context_load_limit(const dirac_context *context);
/* Takes a reference for a new handle and fixes the options; makes the team at the first use. */
int32_t dirac__context_use(dirac_context *context);
/* Gives it back; the last one frees the context. */
void dirac__context_release(dirac_context *context);
/* Sends a message to the host's log, if it wants that level. */
void dirac__log(const dirac_context *context, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
