/* SPDX-License-Identifier: MIT */
/* The life of a context: made with one reference, held by every handle made on it, freed by the last. */
#define _POSIX_C_SOURCE 200809L
#include "base/context.h"

#include "base/fail.h"

#define DEFAULT_LOAD_LIMIT (UINT64_C(16) << 30)

int32_t dirac__context_create(dirac_context **out, const dirac__memory *memory)
{
    *out = NULL;
    dirac_context *context = dirac__alloc_zero(memory, 1, sizeof *context);
    if (context == NULL)
        return dirac__fail_memory("context");
    if (pthread_mutex_init(&context->mutex, NULL) != 0) {
        dirac__free(memory, context);
        return dirac__fail_memory("mutex of the context");
    }
    context->memory = *memory;
    atomic_init(&context->references, 1);
    atomic_init(&context->in_use, false);
    context->threads = context->own_threads = 1;
    context->load_limit = DEFAULT_LOAD_LIMIT;
    *out = context;
    return DIRAC_OK;
}

uint64_t dirac__context_load_limit(const dirac_context *context)
{
    dirac_context *locked = (dirac_context *)context; /* a lock changes nothing that a reader can see */
    pthread_mutex_lock(&locked->mutex);
    const uint64_t limit = context->load_limit;
    pthread_mutex_unlock(&locked->mutex);
    return limit;
}

int32_t dirac__context_use(dirac_context *context)
{
    int32_t status = DIRAC_OK;
    pthread_mutex_lock(&context->mutex);
    if (context->team == NULL)
        context->team = dirac__team_create(&context->memory, context->threads, context->runner,
                                           context->runner_user);
    if (context->team == NULL) {
        status = dirac__fail_memory("thread team of the context");
    } else {
        atomic_store(&context->in_use, true);
        atomic_fetch_add(&context->references, 1);
    }
    pthread_mutex_unlock(&context->mutex);
    return status;
}

void dirac__context_release(dirac_context *context)
{
    if (context == NULL || atomic_fetch_sub(&context->references, 1) > 1)
        return;
    const dirac__memory memory = context->memory;
    if (context->release_kinds != NULL)
        context->release_kinds(context->kinds);
    dirac__team_destroy(context->team);
    pthread_mutex_destroy(&context->mutex);
    dirac__free(&memory, context);
}
