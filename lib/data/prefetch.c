/* SPDX-License-Identifier: MIT */
/* A thread that makes batches ahead. The batches lie in a ring with one slot more than may be made ahead: it is the
 * taker's until the next take. One mutex guards all counters; batches are made outside it, under the floating-point modes
 * of the taker: when those change, what was made ahead is made anew. */
#define _POSIX_C_SOURCE 200809L
#include "data/prefetch.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/floats.h"
#include "base/threads.h"

struct dirac__prefetch {
    dirac__maker *maker;
    dirac__batch *ring;
    int32_t ahead; /* the ring has ahead + 1 slots */
    int64_t per_epoch;
    pid_t process; /* in a forked child there is no thread, and the mutex may be locked for ever */
    dirac__thread *thread;
    pthread_mutex_t mutex;
    pthread_cond_t made_one; /* to the taker: a batch or a failure is there */
    pthread_cond_t wake;     /* to the thread: there is room, a retry, a seek or the end */
    /* guarded by the mutex */
    uint64_t made, taken; /* counts; batch k lies in slot k % (ahead + 1) */
    uint64_t seeks;       /* a batch begun before the last of them is dropped */
    dirac__place next;    /* what the thread makes next */
    fenv_t environment;   /* the taker's */
    uint64_t modes;       /* of it */
    int32_t failure;      /* of batch `next`; the thread rests until a retry is asked for */
    bool failure_taken;
    bool stop;
    char message[DIRAC__FAIL_CAPACITY];
};

static dirac__batch *slot(dirac__prefetch *prefetch, uint64_t k)
{
    return prefetch->ring + k % ((uint64_t)prefetch->ahead + 1);
}

/* A place at the end of an epoch means the first batch of the next one. */
static dirac__place inside(const dirac__prefetch *prefetch, dirac__place place)
{
    if (place.batch >= prefetch->per_epoch) {
        place.epoch++;
        place.batch = 0;
    }
    return place;
}

/* Called and returns with the mutex locked. */
static void make_next(dirac__prefetch *prefetch)
{
    dirac__place place = prefetch->next;
    uint64_t seeks = prefetch->seeks;
    fenv_t environment = prefetch->environment;
    dirac__batch *batch = slot(prefetch, prefetch->made);
    pthread_mutex_unlock(&prefetch->mutex);
    fesetenv(&environment);
    int32_t status = dirac__maker_make(prefetch->maker, &place, batch);
    pthread_mutex_lock(&prefetch->mutex);
    if (seeks != prefetch->seeks)
        return;
    if (status == DIRAC_OK) {
        prefetch->made++;
        place.batch++;
        prefetch->next = inside(prefetch, place);
    } else {
        prefetch->failure = status;
        strncpy(prefetch->message, dirac__fail_text(), sizeof prefetch->message - 1);
    }
    pthread_cond_signal(&prefetch->made_one);
}

static void run(void *argument)
{
    dirac__prefetch *prefetch = argument;
    pthread_mutex_lock(&prefetch->mutex);
    while (!prefetch->stop) {
        bool full = prefetch->made - prefetch->taken >= (uint64_t)prefetch->ahead;
        if (full || prefetch->failure != DIRAC_OK)
            pthread_cond_wait(&prefetch->wake, &prefetch->mutex);
        else
            make_next(prefetch);
    }
    pthread_mutex_unlock(&prefetch->mutex);
}

static void free_ring(dirac__prefetch *prefetch)
{
    const dirac__memory *memory = &prefetch->maker->dataset->context->memory;
    if (prefetch->ring)
        for (int32_t i = 0; i <= prefetch->ahead; i++)
            dirac__batch_free(prefetch->maker, prefetch->ring + i);
    dirac__free(memory, prefetch->ring);
    dirac__free(memory, prefetch);
}

static int32_t allocate(dirac__prefetch **out, dirac__maker *maker, int32_t ahead)
{
    const dirac__memory *memory = &maker->dataset->context->memory;
    int32_t status = DIRAC_OK;
    dirac__prefetch *prefetch = dirac__alloc_zero(memory, 1, sizeof *prefetch);
    if (!prefetch)
        return dirac__fail_memory("prefetched batches");
    prefetch->maker = maker;
    prefetch->ahead = ahead;
    prefetch->ring = dirac__alloc_zero(memory, (size_t)ahead + 1, sizeof *prefetch->ring);
    if (!prefetch->ring)
        status = dirac__fail_memory("prefetched batches");
    for (int32_t i = 0; status == DIRAC_OK && i <= ahead; i++)
        status = dirac__batch_allocate(maker, prefetch->ring + i);
    if (status == DIRAC_OK)
        *out = prefetch;
    else
        free_ring(prefetch);
    return status;
}

static int32_t start_thread(dirac__prefetch *prefetch)
{
    int32_t status = DIRAC_ERR_THREAD;
    if (pthread_mutex_init(&prefetch->mutex, NULL) != 0)
        return dirac__fail(status, "prefetch: a mutex could not be made");
    if (pthread_cond_init(&prefetch->made_one, NULL) != 0) {
        status = dirac__fail(status, "prefetch: a condition variable could not be made");
        goto no_made_one;
    }
    if (pthread_cond_init(&prefetch->wake, NULL) != 0) {
        status = dirac__fail(status, "prefetch: a condition variable could not be made");
        goto no_wake;
    }
    status = dirac__thread_start(&prefetch->thread, &prefetch->maker->dataset->context->memory, run,
                                 prefetch);
    if (status == DIRAC_OK)
        return status;
    pthread_cond_destroy(&prefetch->wake);
no_wake:
    pthread_cond_destroy(&prefetch->made_one);
no_made_one:
    pthread_mutex_destroy(&prefetch->mutex);
    return status;
}

int32_t dirac__prefetch_start(dirac__prefetch **out, dirac__maker *maker, int32_t ahead,
                              int64_t per_epoch, const dirac__place *from)
{
    dirac__prefetch *prefetch = NULL;
    int32_t status = allocate(&prefetch, maker, ahead);
    if (status != DIRAC_OK)
        return status;
    prefetch->per_epoch = per_epoch;
    prefetch->next = inside(prefetch, *from);
    prefetch->process = getpid();
    dirac__floats_modes(&prefetch->modes);
    fegetenv(&prefetch->environment);
    status = start_thread(prefetch);
    if (status == DIRAC_OK)
        *out = prefetch;
    else
        free_ring(prefetch);
    return status;
}

void dirac__prefetch_stop(dirac__prefetch *prefetch)
{
    if (!prefetch)
        return;
    bool here = prefetch->process == getpid();
    if (here) {
        pthread_mutex_lock(&prefetch->mutex);
        prefetch->stop = true;
        pthread_cond_signal(&prefetch->wake);
        pthread_mutex_unlock(&prefetch->mutex);
    }
    dirac__thread_join(prefetch->thread);
    if (here) {
        pthread_cond_destroy(&prefetch->wake);
        pthread_cond_destroy(&prefetch->made_one);
        pthread_mutex_destroy(&prefetch->mutex);
    }
    free_ring(prefetch);
}

/* With the mutex locked. */
static void go_on_from(dirac__prefetch *prefetch, const dirac__place *to)
{
    prefetch->seeks++;
    prefetch->made = prefetch->taken;
    prefetch->next = inside(prefetch, *to);
    prefetch->failure = DIRAC_OK;
    prefetch->failure_taken = false;
    pthread_cond_signal(&prefetch->wake);
}

int32_t dirac__prefetch_take(dirac__prefetch *prefetch, const dirac__place *place, const dirac__batch **out)
{
    int32_t status = DIRAC_OK;
    uint64_t modes;
    dirac__floats_modes(&modes);
    pthread_mutex_lock(&prefetch->mutex);
    if (modes != prefetch->modes) {
        prefetch->modes = modes;
        fegetenv(&prefetch->environment);
        go_on_from(prefetch, place);
    }
    if (prefetch->failure_taken) { /* only now: the host may have put right what was wrong */
        prefetch->failure = DIRAC_OK;
        prefetch->failure_taken = false;
        pthread_cond_signal(&prefetch->wake);
    }
    while (prefetch->made == prefetch->taken && prefetch->failure == DIRAC_OK)
        pthread_cond_wait(&prefetch->made_one, &prefetch->mutex);
    if (prefetch->made != prefetch->taken) {
        *out = slot(prefetch, prefetch->taken++);
        pthread_cond_signal(&prefetch->wake);
    } else {
        status = dirac__fail(prefetch->failure, "%s", prefetch->message);
        prefetch->failure_taken = true;
    }
    pthread_mutex_unlock(&prefetch->mutex);
    return status;
}

void dirac__prefetch_seek(dirac__prefetch *prefetch, const dirac__place *to)
{
    pthread_mutex_lock(&prefetch->mutex);
    go_on_from(prefetch, to);
    pthread_mutex_unlock(&prefetch->mutex);
}
