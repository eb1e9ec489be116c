/* SPDX-License-Identifier: MIT */
/* What the tests of batches share: small data sets, streams over them, and recordings of streams. */
#ifndef SUPPORT_STREAMS_H
#define SUPPORT_STREAMS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <dirac/context.h>
#include <dirac/data.h>
#include <dirac/status.h>

/* Most tests: batches of 5 of 23 images, 5 an epoch. */
enum { COUNT = 23, SIZE = 5, PER_EPOCH = 5, EPOCHS = 4, VALUES = SIZE * 60 };

static dirac_context *context;

static inline int setup(void **state)
{
    (void)state;
    return dirac_context_create(&context);
}

static inline int teardown(void **state)
{
    (void)state;
    dirac_context_destroy(context);
    return 0;
}

#define assert_status(call, status) assert_int_equal((call), (status))
#define assert_message(part) assert_non_null(strstr(dirac_error_message(), (part)))

static inline void rest(long milliseconds)
{
    const struct timespec time = {0, milliseconds * 1000000};
    nanosleep(&time, NULL);
}

/* `count` images of 3x5x4, label i for image i. */
static inline dirac_dataset *make_images(int32_t count)
{
    dirac_dataset *set;
    assert_status(dirac_dataset_create_images(&set, context, 3, 5, 4), DIRAC_OK);
    for (int32_t i = 0; i < count; i++) {
        uint8_t pixels[60];
        for (int j = 0; j < 60; j++)
            pixels[j] = (uint8_t)(i * 101 + j * j);
        assert_status(dirac_dataset_add_images(set, pixels, 0, &i, 1), DIRAC_OK);
    }
    return set;
}

static inline dirac_batches *make_batches(dirac_dataset *set, int64_t size, int32_t shuffle,
                                          int32_t ahead)
{
    dirac_batches *batches;
    assert_status(dirac_batches_create(&batches, set), DIRAC_OK);
    assert_status(dirac_batches_set_size(batches, size), DIRAC_OK);
    assert_status(dirac_batches_set_shuffle(batches, shuffle), DIRAC_OK);
    assert_status(dirac_batches_set_prefetch(batches, ahead), DIRAC_OK);
    return batches;
}

/* A stream with everything random in it. */
static inline dirac_batches *make_random(dirac_dataset *set, int32_t ahead)
{
    dirac_batches *batches = make_batches(set, 5, 1, ahead);
    assert_status(dirac_batches_set_seed(batches, 77), DIRAC_OK);
    assert_status(dirac_batches_set_crop(batches, 2, DIRAC_PAD_REFLECT), DIRAC_OK);
    assert_status(dirac_batches_set_flip(batches, 1), DIRAC_OK);
    return batches;
}

static inline int64_t next_n(dirac_batches *batches)
{
    const float *samples;
    const int32_t *labels;
    int64_t n = -1;
    assert_status(dirac_batches_next(batches, &samples, &labels, &n), DIRAC_OK);
    return n;
}

static inline void check_position(const dirac_batches *batches, int64_t epoch, int64_t batch)
{
    int64_t at_epoch, at_batch;
    assert_status(dirac_batches_position(batches, &at_epoch, &at_batch), DIRAC_OK);
    assert_int_equal(at_epoch, epoch);
    assert_int_equal(at_batch, batch);
}

/* A callback that fails for sample `bad`, may dawdle, and knows whether it is running. */
struct source {
    atomic_int bad, calls, running;
    long dawdle;
};

static inline int32_t supply(void *user, int64_t index, float *values, int32_t *label)
{
    struct source *source = user;
    int32_t result = 0;
    atomic_fetch_add(&source->running, 1);
    atomic_fetch_add(&source->calls, 1);
    if (source->dawdle)
        rest(source->dawdle);
    for (int i = 0; i < 60; i++)
        values[i] = (float)(index * 100 + i);
    *label = (int32_t)index;
    if (index == atomic_load(&source->bad))
        result = 42;
    atomic_fetch_sub(&source->running, 1);
    return result;
}

static inline dirac_dataset *make_callback(struct source *source, int bad)
{
    const int64_t dims[3] = {3, 5, 4};
    dirac_dataset *set;
    memset(source, 0, sizeof *source);
    atomic_init(&source->bad, bad);
    assert_status(dirac_dataset_create_callback(&set, context, dims, 3, COUNT, supply, source),
                  DIRAC_OK);
    return set;
}

/* A recorded stream. */
struct recorded {
    int64_t n;
    int32_t labels[SIZE];
    float samples[VALUES];
};

static inline void record(dirac_batches *batches, struct recorded *out)
{
    const float *samples;
    const int32_t *labels;
    memset(out, 0, sizeof *out);
    assert_status(dirac_batches_next(batches, &samples, &labels, &out->n), DIRAC_OK);
    if (out->n > 0) {
        memcpy(out->labels, labels, (size_t)out->n * sizeof *labels);
        memcpy(out->samples, samples, (size_t)out->n * 60 * sizeof *samples);
    }
}

/* Takes batch after batch with the end of each epoch, from a place on, and compares with the recording. */
static inline void check_stream(dirac_batches *batches, struct recorded *recording, int64_t epoch,
                         int64_t batch, int steps)
{
    for (int i = 0; i < steps; i++) {
        struct recorded got;
        check_position(batches, epoch, batch);
        record(batches, &got);
        assert_memory_equal(&got, recording + epoch * (PER_EPOCH + 1) + batch, sizeof got);
        if (batch++ == PER_EPOCH) {
            epoch++;
            batch = 0;
        }
    }
}

static inline struct recorded *record_all(dirac_dataset *set)
{
    struct recorded *recording = malloc(EPOCHS * (PER_EPOCH + 1) * sizeof *recording);
    dirac_batches *batches = make_random(set, 0);
    for (int i = 0; i < EPOCHS * (PER_EPOCH + 1); i++)
        record(batches, recording + i);
    dirac_batches_destroy(batches);
    return recording;
}

#endif
