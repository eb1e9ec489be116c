/* SPDX-License-Identifier: MIT */
/* Streams of batches: their order, and that the same stream comes whatever is prefetched, sought, resumed or retried. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <dirac/context.h>
#include <dirac/data.h>
#include <dirac/status.h>

#include "data/batches.h"
#include "data/order.h"

/* Most tests: batches of 5 of 23 images, 5 an epoch. */
enum { COUNT = 23, SIZE = 5, PER_EPOCH = 5, EPOCHS = 4, VALUES = SIZE * 60 };

static dirac_context *context;

static int setup(void **state)
{
    (void)state;
    return dirac_context_create(&context);
}

static int teardown(void **state)
{
    (void)state;
    dirac_context_destroy(context);
    return 0;
}

#define assert_status(call, status) assert_int_equal((call), (status))
#define assert_message(part) assert_non_null(strstr(dirac_error_message(), (part)))

static void rest(long milliseconds)
{
    const struct timespec time = {0, milliseconds * 1000000};
    nanosleep(&time, NULL);
}

/* `count` images of 3x5x4, label i for image i. */
static dirac_dataset *make_images(int32_t count)
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

/* A callback that fails for sample `bad`, may dawdle, and knows whether it is running. */
struct source {
    atomic_int bad, calls, running;
    long dawdle;
};

static int32_t supply(void *user, int64_t index, float *values, int32_t *label)
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

static dirac_dataset *make_callback(struct source *source, int bad)
{
    const int64_t dims[3] = {3, 5, 4};
    dirac_dataset *set;
    memset(source, 0, sizeof *source);
    atomic_init(&source->bad, bad);
    assert_status(dirac_dataset_create_callback(&set, context, dims, 3, COUNT, supply, source),
                  DIRAC_OK);
    return set;
}

static dirac_batches *make_batches(dirac_dataset *set, int64_t size, int32_t shuffle, int32_t ahead)
{
    dirac_batches *batches;
    assert_status(dirac_batches_create(&batches, set), DIRAC_OK);
    assert_status(dirac_batches_set_size(batches, size), DIRAC_OK);
    assert_status(dirac_batches_set_shuffle(batches, shuffle), DIRAC_OK);
    assert_status(dirac_batches_set_prefetch(batches, ahead), DIRAC_OK);
    return batches;
}

/* A stream with everything random in it. */
static dirac_batches *make_random(dirac_dataset *set, int32_t ahead)
{
    dirac_batches *batches = make_batches(set, 5, 1, ahead);
    assert_status(dirac_batches_set_seed(batches, 77), DIRAC_OK);
    assert_status(dirac_batches_set_crop(batches, 2, DIRAC_PAD_REFLECT), DIRAC_OK);
    assert_status(dirac_batches_set_flip(batches, 1), DIRAC_OK);
    return batches;
}

static int64_t next_n(dirac_batches *batches)
{
    const float *samples;
    const int32_t *labels;
    int64_t n = -1;
    assert_status(dirac_batches_next(batches, &samples, &labels, &n), DIRAC_OK);
    return n;
}

static void check_position(const dirac_batches *batches, int64_t epoch, int64_t batch)
{
    int64_t at_epoch, at_batch;
    assert_status(dirac_batches_position(batches, &at_epoch, &at_batch), DIRAC_OK);
    assert_int_equal(at_epoch, epoch);
    assert_int_equal(at_batch, batch);
}

static void test_plain_order(void **state)
{
    (void)state;
    for (int32_t ahead = 0; ahead < 3; ahead++) {
        dirac_dataset *set = make_images(10);
        dirac_batches *batches = make_batches(set, 4, 0, ahead);
        assert_int_equal(dirac_batches_per_epoch(batches), 3);
        for (int64_t epoch = 0; epoch < 3; epoch++) {
            for (int64_t b = 0; b < 3; b++) {
                const float *samples;
                const int32_t *labels;
                int64_t n;
                float pixels[60];
                check_position(batches, epoch, b);
                assert_status(dirac_batches_next(batches, &samples, &labels, &n), DIRAC_OK);
                assert_int_equal(n, b < 2 ? 4 : 2);
                for (int64_t i = 0; i < n; i++) {
                    assert_int_equal(labels[i], 4 * b + i);
                    assert_status(dirac_dataset_read(set, 4 * b + i, pixels, 60), DIRAC_OK);
                    for (int j = 0; j < 60; j++)
                        assert_true(samples[60 * i + j] == pixels[j] / 255);
                }
            }
            check_position(batches, epoch, 3);
            assert_int_equal(next_n(batches), 0);
        }
        check_position(batches, 3, 0);
        dirac_batches_destroy(batches);
        dirac_dataset_destroy(set);
    }
}

static void test_drop_last(void **state)
{
    (void)state;
    for (int32_t ahead = 0; ahead < 3; ahead += 2) {
        dirac_dataset *set = make_images(10);
        dirac_batches *batches = make_batches(set, 4, 1, ahead);
        assert_status(dirac_batches_set_drop_last(batches, 1), DIRAC_OK);
        assert_int_equal(dirac_batches_per_epoch(batches), 2);
        for (int epoch = 0; epoch < 2; epoch++) {
            assert_int_equal(next_n(batches), 4);
            assert_int_equal(next_n(batches), 4);
            assert_int_equal(next_n(batches), 0);
        }
        dirac_batches_destroy(batches);

        batches = make_batches(set, 11, 1, ahead); /* everything is dropped */
        assert_status(dirac_batches_set_drop_last(batches, 1), DIRAC_OK);
        assert_int_equal(dirac_batches_per_epoch(batches), 0);
        for (int64_t epoch = 0; epoch < 3; epoch++) {
            check_position(batches, epoch, 0);
            assert_int_equal(next_n(batches), 0);
        }
        dirac_batches_destroy(batches);
        dirac_dataset_destroy(set);
    }
}

/* An epoch without batches asks the callback for nothing. */
static void test_drop_everything(void **state)
{
    (void)state;
    struct source source;
    dirac_dataset *set = make_callback(&source, -1);
    dirac_batches *batches = make_batches(set, COUNT + 1, 0, 2);
    assert_status(dirac_batches_set_drop_last(batches, 1), DIRAC_OK);
    assert_int_equal(next_n(batches), 0);
    rest(10);
    assert_int_equal(atomic_load(&source.calls), 0);
    dirac_batches_destroy(batches);
    dirac_dataset_destroy(set);
}

static void test_order_is_a_permutation(void **state)
{
    (void)state;
    for (int64_t count = 1; count <= 40; count += 13) {
        int64_t order[40], other[40];
        for (int64_t epoch = 0; epoch < 20; epoch++) {
            int seen[40] = {0};
            dirac__order_fill(order, count, 3, epoch);
            for (int64_t i = 0; i < count; i++) {
                assert_true(order[i] >= 0 && order[i] < count);
                assert_int_equal(seen[order[i]]++, 0);
            }
            dirac__order_fill(other, count, 3, epoch);
            assert_memory_equal(order, other, (size_t)count * sizeof *order);
            if (count < 14)
                continue;
            dirac__order_fill(other, count, 3, epoch + 1);
            assert_memory_not_equal(order, other, (size_t)count * sizeof *order);
            dirac__order_fill(other, count, 4, epoch);
            assert_memory_not_equal(order, other, (size_t)count * sizeof *order);
        }
    }
}

/* Each of the 24 orders of four comes up 1 time in 24: within 6 standard deviations (off by chance: 24 * 2e-9). */
static void test_orders_are_equally_likely(void **state)
{
    (void)state;
    enum { EPOCHS = 24000 };
    int counts[256] = {0}, kinds = 0;
    const double p = 1.0 / 24, expected = EPOCHS * p, allowed = 6 * sqrt(EPOCHS * p * (1 - p));
    for (int64_t epoch = 0; epoch < EPOCHS; epoch++) {
        int64_t order[4];
        dirac__order_fill(order, 4, 0, epoch);
        counts[order[0] * 64 + order[1] * 16 + order[2] * 4 + order[3]]++;
    }
    for (int i = 0; i < 256; i++)
        if (counts[i] > 0) {
            kinds++;
            assert_true(fabs(counts[i] - expected) <= allowed);
        }
    assert_int_equal(kinds, 24);
}

/* The labels of one epoch. */
static void read_epoch(dirac_batches *batches, int32_t *out, int64_t count)
{
    const float *samples;
    const int32_t *labels;
    int64_t n, done = 0;
    for (;;) {
        assert_status(dirac_batches_next(batches, &samples, &labels, &n), DIRAC_OK);
        if (n == 0)
            break;
        assert_true(done + n <= count);
        memcpy(out + done, labels, (size_t)n * sizeof *out);
        done += n;
    }
    assert_int_equal(done, count);
}

static void test_shuffled_stream(void **state)
{
    (void)state;
    dirac_dataset *set = make_images(23);
    dirac_batches *fours = make_batches(set, 4, 1, 0), *sevens = make_batches(set, 7, 1, 2);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        int32_t a[23], b[23];
        int64_t order[23];
        read_epoch(fours, a, 23);
        read_epoch(sevens, b, 23);
        dirac__order_fill(order, 23, 0, epoch);
        assert_memory_equal(a, b, sizeof a); /* the size of a batch does not matter */
        for (int i = 0; i < 23; i++)
            assert_int_equal(a[i], order[i]);
    }
    dirac_batches_destroy(fours);
    dirac_batches_destroy(sevens);
    dirac_dataset_destroy(set);
}

/* A recorded stream. */
struct recorded {
    int64_t n;
    int32_t labels[SIZE];
    float samples[VALUES];
};

static void record(dirac_batches *batches, struct recorded *out)
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
static void check_stream(dirac_batches *batches, struct recorded *recording, int64_t epoch,
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

static struct recorded *record_all(dirac_dataset *set)
{
    struct recorded *recording = malloc(EPOCHS * (PER_EPOCH + 1) * sizeof *recording);
    dirac_batches *batches = make_random(set, 0);
    for (int i = 0; i < EPOCHS * (PER_EPOCH + 1); i++)
        record(batches, recording + i);
    dirac_batches_destroy(batches);
    return recording;
}

static void test_same_stream_with_prefetch(void **state)
{
    (void)state;
    const int32_t ahead[] = {0, 1, 2, 4, 16};
    dirac_dataset *set = make_images(COUNT);
    struct recorded *recording = record_all(set);
    for (size_t i = 0; i < sizeof ahead / sizeof ahead[0]; i++) {
        dirac_batches *batches = make_random(set, ahead[i]);
        check_stream(batches, recording, 0, 0, EPOCHS * (PER_EPOCH + 1));
        dirac_batches_destroy(batches);
    }
    free(recording);
    dirac_dataset_destroy(set);
}

/* Another epoch, another seed: other crops and flips of the same images. By chance two draws for 23 images agree with
 * probability 50^-23. */
static void test_augmentation_changes(void **state)
{
    (void)state;
    const uint64_t seeds[2] = {77, 78};
    static float images[2][2][COUNT * 60];
    dirac_dataset *set = make_images(COUNT);
    for (int k = 0; k < 2; k++) {
        dirac_batches *batches = make_batches(set, COUNT, 0, 0);
        assert_status(dirac_batches_set_seed(batches, seeds[k]), DIRAC_OK);
        assert_status(dirac_batches_set_crop(batches, 2, DIRAC_PAD_REFLECT), DIRAC_OK);
        assert_status(dirac_batches_set_flip(batches, 1), DIRAC_OK);
        for (int epoch = 0; epoch < 2; epoch++) {
            const float *samples;
            const int32_t *labels;
            int64_t n;
            assert_status(dirac_batches_next(batches, &samples, &labels, &n), DIRAC_OK);
            assert_int_equal(n, COUNT);
            memcpy(images[k][epoch], samples, sizeof images[k][epoch]);
            assert_int_equal(next_n(batches), 0);
        }
        dirac_batches_destroy(batches);
    }
    assert_memory_not_equal(images[0][0], images[0][1], sizeof images[0][0]);
    assert_memory_not_equal(images[0][0], images[1][0], sizeof images[0][0]);
    dirac_dataset_destroy(set);
}

static void test_seek(void **state)
{
    (void)state;
    dirac_dataset *set = make_images(COUNT);
    struct recorded *recording = record_all(set);
    for (int32_t ahead = 0; ahead <= 4; ahead += 2) {
        dirac_batches *batches = make_random(set, ahead);
        uint32_t x = 9;
        assert_status(dirac_batches_seek(batches, 1, 2), DIRAC_OK); /* before the first batch */
        for (int i = 0; i < 60; i++) {
            int64_t epoch, batch;
            dirac_batches_position(batches, &epoch, &batch);
            check_stream(batches, recording, epoch, batch, (int)(x >> 30) + 1);
            x = x * 1664525u + 1013904223u;
            assert_status(dirac_batches_seek(batches, x >> 8 & 1, (x >> 10 & 0xff) % 6), DIRAC_OK);
            assert_status(dirac_batches_seek(batches, x >> 20 & 1, (x >> 22) % 6), DIRAC_OK);
        }
        assert_status(dirac_batches_seek(batches, -1, 0), DIRAC_ERR_ARGUMENT);
        assert_status(dirac_batches_seek(batches, INT64_MAX, 0), DIRAC_ERR_ARGUMENT);
        assert_status(dirac_batches_seek(batches, 0, -1), DIRAC_ERR_ARGUMENT);
        assert_status(dirac_batches_seek(batches, 0, PER_EPOCH + 1), DIRAC_ERR_ARGUMENT);
        assert_message("batch is 6, must be 0 to 5");
        assert_status(dirac_batches_seek(batches, INT64_MAX / 2, PER_EPOCH), DIRAC_OK);
        assert_int_equal(next_n(batches), 0);
        assert_int_equal(next_n(batches), SIZE);
        dirac_batches_destroy(batches);
    }
    free(recording);
    dirac_dataset_destroy(set);
}

/* The batch handed out stays as it is while others are made, and over a seek. */
static void test_batch_stays_until_the_next_call(void **state)
{
    (void)state;
    dirac_dataset *set = make_images(COUNT);
    struct recorded *recording = record_all(set);
    dirac_batches *batches = make_random(set, 1);
    for (int i = 0; i < 4; i++) {
        const float *samples;
        const int32_t *labels;
        int64_t n;
        assert_status(dirac_batches_next(batches, &samples, &labels, &n), DIRAC_OK);
        assert_status(dirac_batches_seek(batches, 0, i + 1), DIRAC_OK);
        rest(5);
        assert_memory_equal(samples, recording[i].samples, sizeof recording[i].samples);
        assert_memory_equal(labels, recording[i].labels, sizeof recording[i].labels);
    }
    dirac_batches_destroy(batches);
    free(recording);
    dirac_dataset_destroy(set);
}

static void test_state_and_restore(void **state)
{
    (void)state;
    dirac_dataset *set = make_images(COUNT);
    struct recorded *recording = record_all(set);
    for (int k = 0; k < 2 * (PER_EPOCH + 1); k++) {
        uint64_t saved[4];
        dirac_batches *batches = make_random(set, 3 * (k % 2));
        int64_t epoch = k / (PER_EPOCH + 1), batch = k % (PER_EPOCH + 1);
        check_stream(batches, recording, 0, 0, k);
        dirac__batches_state(batches, saved);
        assert_true(saved[0] == 77 && saved[1] == (uint64_t)epoch && saved[2] == (uint64_t)batch);
        dirac_batches_destroy(batches);

        batches = make_random(set, 2 - 2 * (k % 2)); /* another prefetch, and half of them begun */
        assert_status(dirac_batches_set_seed(batches, 5), DIRAC_OK);
        if (k % 3 == 0)
            next_n(batches);
        assert_status(dirac__batches_check_state(batches, saved), DIRAC_OK);
        assert_status(dirac__batches_restore(batches, saved), DIRAC_OK);
        check_stream(batches, recording, epoch, batch, 8);
        dirac_batches_destroy(batches);
    }
    free(recording);
    dirac_dataset_destroy(set);
}

static void test_restore_refusals(void **state)
{
    (void)state;
    const float mean[3] = {0, 0, 0}, deviation[3] = {255, 255, 254};
    dirac_dataset *set = make_images(COUNT), *larger = make_images(COUNT + 1);
    dirac_batches *first = make_random(set, 0);
    uint64_t saved[4], bad[4];
    dirac__batches_state(first, saved);
    memcpy(bad, saved, sizeof bad);
    bad[2] = PER_EPOCH + 1;
    assert_status(dirac__batches_restore(first, bad), DIRAC_ERR_FORMAT);
    bad[2] = 0;
    bad[1] = UINT64_MAX;
    assert_status(dirac__batches_restore(first, bad), DIRAC_ERR_FORMAT);
    for (int change = 0; change < 8; change++) {
        dirac_batches *other = make_random(change == 7 ? larger : set, 0);
        int32_t expected = change == 0 ? DIRAC_OK : DIRAC_ERR_MISMATCH;
        switch (change) {
        case 1: dirac_batches_set_size(other, SIZE + 1); break;
        case 2: dirac_batches_set_shuffle(other, 0); break;
        case 3: dirac_batches_set_drop_last(other, 1); break;
        case 4: dirac_batches_set_flip(other, 0); break;
        case 5: dirac_batches_set_crop(other, 1, DIRAC_PAD_REFLECT); break;
        case 6: dirac_batches_set_normalization(other, mean, deviation, 3); break;
        default: break;
        }
        assert_status(dirac__batches_restore(other, saved), expected);
        dirac_batches_destroy(other);
    }
    dirac_batches_destroy(first);
    dirac_dataset_destroy(set);
    dirac_dataset_destroy(larger);
}

static void test_options_fixed(void **state)
{
    (void)state;
    const float one[3] = {1, 1, 1}, *samples;
    const int32_t *labels;
    int64_t n;
    dirac_dataset *set = make_images(3);
    dirac_batches *batches = make_batches(set, 2, 0, 0);
    assert_status(dirac_batches_set_size(batches, 0), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_set_shuffle(batches, 2), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_set_drop_last(batches, -1), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_set_prefetch(batches, -1), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_set_prefetch(batches, 17), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_next(batches, NULL, &labels, &n), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_next(batches, &samples, NULL, &n), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_next(batches, &samples, &labels, NULL), DIRAC_ERR_ARGUMENT);
    assert_int_equal(next_n(batches), 2);
    assert_status(dirac_batches_set_size(batches, 2), DIRAC_ERR_STATE);
    assert_status(dirac_batches_set_seed(batches, 2), DIRAC_ERR_STATE);
    assert_status(dirac_batches_set_shuffle(batches, 1), DIRAC_ERR_STATE);
    assert_status(dirac_batches_set_drop_last(batches, 1), DIRAC_ERR_STATE);
    assert_status(dirac_batches_set_crop(batches, 1, 0), DIRAC_ERR_STATE);
    assert_status(dirac_batches_set_flip(batches, 1), DIRAC_ERR_STATE);
    assert_status(dirac_batches_set_normalization(batches, one, one, 3), DIRAC_ERR_STATE);
    assert_status(dirac_batches_set_prefetch(batches, 1), DIRAC_ERR_STATE);
    assert_int_equal(next_n(batches), 1);
    dirac_batches_destroy(batches);
    batches = make_batches(set, INT64_MAX, 0, 1); /* no more than the set holds is allocated */
    assert_int_equal(next_n(batches), 3);
    dirac_batches_destroy(batches);
    dirac_dataset_destroy(set);
}

static void test_null_handles(void **state)
{
    (void)state;
    const float *samples;
    const int32_t *labels;
    int64_t n;
    dirac_batches *batches;
    dirac_batches_destroy(NULL);
    assert_status(dirac_batches_create(&batches, NULL), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_set_size(NULL, 1), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_set_crop(NULL, 1, 0), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_next(NULL, &samples, &labels, &n), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_seek(NULL, 0, 0), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_position(NULL, &n, &n), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_batches_per_epoch(NULL), 0);
}

static void test_failing_callback(void **state)
{
    (void)state;
    const int32_t ahead[] = {0, 1, 4};
    for (size_t k = 0; k < 3; k++) {
        struct source source;
        dirac_dataset *set = make_callback(&source, 12); /* in batch 2 */
        dirac_batches *batches = make_batches(set, SIZE, 0, ahead[k]);
        const float *samples;
        const int32_t *labels;
        int64_t n;
        for (int i = 0; i < 2; i++)
            assert_int_equal(next_n(batches), SIZE);
        for (int i = 0; i < 3; i++) {
            if (i == 1)
                rest(5);
            assert_status(dirac_batches_next(batches, &samples, &labels, &n), DIRAC_ERR_CALLBACK);
            assert_message("returned 42 for sample 12");
            check_position(batches, 0, 2);
        }
        rest(5); /* a retry behind the caller's back would fail again now */
        atomic_store(&source.bad, -1);
        assert_status(dirac_batches_next(batches, &samples, &labels, &n), DIRAC_OK);
        assert_int_equal(n, SIZE);
        for (int i = 0; i < SIZE; i++) {
            assert_int_equal(labels[i], 10 + i);
            assert_true(samples[60 * i + 59] == (float)(100 * (10 + i) + 59));
        }
        check_position(batches, 0, 3);
        atomic_store(&source.bad, 0); /* an error does not survive a seek */
        assert_status(dirac_batches_seek(batches, 0, 0), DIRAC_OK);
        assert_status(dirac_batches_next(batches, &samples, &labels, &n), DIRAC_ERR_CALLBACK);
        assert_status(dirac_batches_seek(batches, 0, 3), DIRAC_OK);
        assert_int_equal(next_n(batches), SIZE);
        dirac_batches_destroy(batches);
        dirac_dataset_destroy(set);
    }
}

/* Augmented and shuffled, a callback's stream does not depend on prefetching either. */
static void test_callback_stream(void **state)
{
    (void)state;
    struct source source;
    dirac_dataset *set = make_callback(&source, -1);
    struct recorded *recording = record_all(set);
    dirac_batches *batches = make_random(set, 3);
    check_stream(batches, recording, 0, 0, EPOCHS * (PER_EPOCH + 1));
    dirac_batches_destroy(batches);
    free(recording);
    dirac_dataset_destroy(set);
}

static void test_destroy_waits(void **state)
{
    (void)state;
    struct source source;
    dirac_dataset *set = make_callback(&source, -1);
    dirac_batches *batches = make_batches(set, 1, 0, 2);
    source.dawdle = 10;
    assert_int_equal(next_n(batches), 1);
    while (atomic_load(&source.calls) < 2) /* then the thread is inside a later sample */
        rest(1);
    dirac_batches_destroy(batches);
    assert_int_equal(atomic_load(&source.running), 0);
    int calls = atomic_load(&source.calls);
    assert_true(calls >= 2 && calls <= 3); /* no more than was to be made ahead */
    rest(15);
    assert_int_equal(atomic_load(&source.calls), calls);
    dirac_dataset_destroy(set);
}

/* The thread makes as many batches ahead as it was told to, and no more. */
static void test_prefetch_depth(void **state)
{
    (void)state;
    struct source source;
    dirac_dataset *set = make_callback(&source, -1);
    dirac_batches *batches = make_batches(set, 1, 0, 3);
    assert_int_equal(next_n(batches), 1);
    for (int i = 0; i < 1000 && atomic_load(&source.calls) < 4; i++)
        rest(5);
    rest(10);
    assert_int_equal(atomic_load(&source.calls), 4);
    check_position(batches, 0, 1);
    dirac_batches_destroy(batches);
    dirac_dataset_destroy(set);
}

/* In a forked child the thread does not exist; destroying must neither wait for it nor for its locks. */
static void test_destroy_in_a_child(void **state)
{
    (void)state;
    struct source source;
    dirac_dataset *set = make_callback(&source, -1);
    dirac_batches *batches = make_batches(set, 1, 0, 2);
    int result = -1;
    assert_int_equal(next_n(batches), 1);
    while (atomic_load(&source.calls) < 3)
        rest(1);
    rest(10); /* then the thread has made what it may, and waits on its condition variable */
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        dirac_batches_destroy(batches);
        _exit(7);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 7);
    assert_int_equal(next_n(batches), 1);
    dirac_batches_destroy(batches);
    dirac_dataset_destroy(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_order),
        cmocka_unit_test(test_drop_last),
        cmocka_unit_test(test_drop_everything),
        cmocka_unit_test(test_order_is_a_permutation),
        cmocka_unit_test(test_orders_are_equally_likely),
        cmocka_unit_test(test_shuffled_stream),
        cmocka_unit_test(test_same_stream_with_prefetch),
        cmocka_unit_test(test_augmentation_changes),
        cmocka_unit_test(test_seek),
        cmocka_unit_test(test_batch_stays_until_the_next_call),
        cmocka_unit_test(test_state_and_restore),
        cmocka_unit_test(test_restore_refusals),
        cmocka_unit_test(test_options_fixed),
        cmocka_unit_test(test_null_handles),
        cmocka_unit_test(test_failing_callback),
        cmocka_unit_test(test_callback_stream),
        cmocka_unit_test(test_destroy_waits),
        cmocka_unit_test(test_prefetch_depth),
        cmocka_unit_test(test_destroy_in_a_child),
    };
    return cmocka_run_group_tests_name("batches", tests, setup, teardown);
}
