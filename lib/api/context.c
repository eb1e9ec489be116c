/* SPDX-License-Identifier: MIT */
/* The context's public entry points: arguments are checked here, its life is base/context.c's. */
#define _POSIX_C_SOURCE 200809L
#include <dirac/context.h>

#include <string.h>

#include "base/context.h"
#include "base/fail.h"
#include "kernels/kernels.h"

#define LEAST_LOAD_LIMIT 4096

static int32_t create(dirac_context **out, const dirac__memory *memory)
{
    int32_t status = dirac__context_create(out, memory);
    if (status != DIRAC_OK)
        return status;
    (*out)->kernels = dirac__kernels_best();
    (*out)->blas = DIRAC_HAVE_BLAS;
    return DIRAC_OK;
}

int32_t dirac_context_create(dirac_context **out)
{
    if (out == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "dirac_context_create: out is NULL");
    return create(out, &dirac__default_memory);
}

int32_t dirac_context_create_with_allocator(dirac_context **out, dirac_alloc_fn allocate,
                                            dirac_free_fn release, void *user)
{
    if (out == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "dirac_context_create_with_allocator: out is NULL");
    *out = NULL;
    if (allocate == NULL || release == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "dirac_context_create_with_allocator: %s is NULL",
                           allocate == NULL ? "allocate" : "release");
    const dirac__memory memory = {allocate, release, user};
    return create(out, &memory);
}

void dirac_context_destroy(dirac_context *context)
{
    dirac__context_release(context);
}

/* Locks a context whose options may still change; end_option() must follow if this succeeds. */
static int32_t begin_option(dirac_context *context, const char *function)
{
    if (context == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: context is NULL", function);
    pthread_mutex_lock(&context->mutex);
    if (!atomic_load(&context->in_use))
        return DIRAC_OK;
    pthread_mutex_unlock(&context->mutex);
    return dirac__fail(DIRAC_ERR_STATE,
                       "%s: handles have been made on the context, its options are fixed",
                       function);
}

static int32_t end_option(dirac_context *context)
{
    pthread_mutex_unlock(&context->mutex);
    return DIRAC_OK;
}

static int32_t check_lanes(const char *function, const char *what, int32_t lanes)
{
    if (lanes >= 1 && lanes <= DIRAC__MAX_LANES)
        return DIRAC_OK;
    return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: %s is %d, it must be 1 to %d", function, what,
                       (int)lanes, DIRAC__MAX_LANES);
}

int32_t dirac_context_set_threads(dirac_context *context, int32_t threads)
{
    int32_t status = check_lanes(__func__, "threads", threads);
    if (status == DIRAC_OK)
        status = begin_option(context, __func__);
    if (status != DIRAC_OK)
        return status;
    context->own_threads = threads;
    if (context->runner == NULL)
        context->threads = threads;
    return end_option(context);
}

int32_t dirac_context_set_runner(dirac_context *context, dirac_runner_fn runner, void *user,
                                 int32_t width)
{
    int32_t status = runner == NULL ? DIRAC_OK : check_lanes(__func__, "width", width);
    if (status == DIRAC_OK)
        status = begin_option(context, __func__);
    if (status != DIRAC_OK)
        return status;
    context->runner = runner;
    context->runner_user = user;
    context->threads = runner == NULL ? context->own_threads : width;
    return end_option(context);
}

int32_t dirac_context_set_log(dirac_context *context, dirac_log_fn log, void *user, int32_t level)
{
    if (context == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: context is NULL", __func__);
    if (log != NULL && (level < DIRAC_LOG_WARNING || level > DIRAC_LOG_DEBUG))
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: level is %d, it must be %d to %d", __func__,
                           (int)level, DIRAC_LOG_WARNING, DIRAC_LOG_DEBUG);
    context->log = log;
    context->log_user = user;
    context->log_level = level;
    return DIRAC_OK;
}

int32_t dirac_context_set_progress(dirac_context *context, dirac_progress_fn progress, void *user)
{
    if (context == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "dirac_context_set_progress: the context is NULL");
    context->progress = (dirac__progress){progress, user};
    return DIRAC_OK;
}

int32_t dirac_context_set_seed(dirac_context *context, uint64_t seed)
{
    int32_t status = begin_option(context, __func__);
    if (status != DIRAC_OK)
        return status;
    context->seed = seed;
    return end_option(context);
}

static int32_t find_kernels(const char *function, const char *name, const dirac__kernels **out)
{
    static const char *const names[] = {"scalar", "x86-64-v3", "x86-64-v4", "aarch64"};
    size_t i = 0, count = sizeof names / sizeof names[0];
    while (i < count && strcmp(name, names[i]) != 0)
        i++;
    if (i == count)
        return dirac__fail(
            DIRAC_ERR_ARGUMENT,
            "%s: no kernels are called \"%.64s\"; the names are scalar, x86-64-v3, "
            "x86-64-v4 and aarch64",
            function, name);
    *out = dirac__kernels_named(name);
    if (*out == NULL)
        return dirac__fail(DIRAC_ERR_UNSUPPORTED,
                           "%s: the kernels %s are not in this build or not for this CPU", function,
                           name);
    return DIRAC_OK;
}

int32_t dirac_context_set_kernels(dirac_context *context, const char *name)
{
    const dirac__kernels *kernels = NULL;
    int32_t status = DIRAC_OK;
    if (name == NULL)
        kernels = dirac__kernels_best();
    else
        status = find_kernels(__func__, name, &kernels);
    if (status == DIRAC_OK)
        status = begin_option(context, __func__);
    if (status != DIRAC_OK)
        return status;
    context->kernels = kernels;
    return end_option(context);
}

int32_t dirac_context_set_blas(dirac_context *context, int32_t allowed)
{
    if (allowed != 0 && allowed != 1)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: allowed is %d, it must be 0 or 1", __func__,
                           (int)allowed);
    int32_t status = begin_option(context, __func__);
    if (status != DIRAC_OK)
        return status;
    if (allowed == 1 && !DIRAC_HAVE_BLAS) {
        end_option(context);
        return dirac__fail(DIRAC_ERR_UNSUPPORTED, "%s: this build has no BLAS", __func__);
    }
    context->blas = allowed == 1;
    return end_option(context);
}

int32_t dirac_context_set_load_limit(dirac_context *context, uint64_t bytes)
{
    if (bytes < LEAST_LOAD_LIMIT)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: bytes is %llu, it must be at least %d",
                           __func__, (unsigned long long)bytes, LEAST_LOAD_LIMIT);
    int32_t status = begin_option(context, __func__);
    if (status != DIRAC_OK)
        return status;
    context->load_limit = bytes;
    return end_option(context);
}

int32_t dirac_context_threads(const dirac_context *context)
{
    dirac_context *locked = (dirac_context *)context; /* another thread may be setting options */
    if (context == NULL)
        return 0;
    pthread_mutex_lock(&locked->mutex);
    const int32_t threads = context->threads;
    pthread_mutex_unlock(&locked->mutex);
    return threads;
}

const char *dirac_context_kernels(const dirac_context *context)
{
    dirac_context *locked = (dirac_context *)context;
    if (context == NULL)
        return "";
    pthread_mutex_lock(&locked->mutex);
    const char *name = context->kernels->name;
    pthread_mutex_unlock(&locked->mutex);
    return name;
}

void dirac_buffer_free(dirac_context *context, void *buffer, size_t size)
{
    (void)size; /* the block knows its own; the argument lets bindings pair the two */
    if (context != NULL)
        dirac__free(&context->memory, buffer);
}
