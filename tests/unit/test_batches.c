/* SPDX-License-Identifier: MIT */
/* Streams of batches: their order, options and ends, and that a saved place gives back the rest of the stream. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>

#include "data/batches.h"
#include "data/order.h"
#include "support/streams.h"

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

/* Volumes of (channels, depth, height, width) are mirrored like images: each row by itself. */
static void test_volumes(void **state)
{
    (void)state;
    const int64_t dims[4] = {2, 3, 2, 3};
    const int32_t label = 0;
    float values[36];
    int mirrored = 0;
    dirac_dataset *set;
    for (int i = 0; i < 36; i++)
        values[i] = (float)(i * i);
    assert_status(dirac_dataset_create_floats(&set, context, dims, 4), DIRAC_OK);
    assert_status(dirac_dataset_add_floats(set, values, &label, 1), DIRAC_OK);
    dirac_batches *batches = make_batches(set, 1, 0, 0);
    assert_status(dirac_batches_set_flip(batches, 1), DIRAC_OK);
    for (int epoch = 0; epoch < 64; epoch++) {
        const float *got;
        const int32_t *labels;
        int64_t n;
        assert_status(dirac_batches_next(batches, &got, &labels, &n), DIRAC_OK);
        const int flip = got[0] == values[2];
        for (int i = 0; i < 36; i++)
            assert_true(got[i] == values[flip ? i / 3 * 3 + 2 - i % 3 : i]);
        mirrored += flip;
        assert_int_equal(next_n(batches), 0);
    }
    assert_true(mirrored > 0 && mirrored < 64);
    dirac_batches_destroy(batches);
    dirac_dataset_destroy(set);
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
    enum { TIMES = 24000 };
    int counts[256] = {0}, kinds = 0;
    const double p = 1.0 / 24, expected = TIMES * p, allowed = 6 * sqrt(TIMES * p * (1 - p));
    for (int64_t epoch = 0; epoch < TIMES; epoch++) {
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

/* What changes nothing about the stream is no other option: how to pad by no pixels. */
static void test_restore_without_crop(void **state)
{
    (void)state;
    uint64_t saved[4];
    dirac_dataset *set = make_images(COUNT);
    dirac_batches *plain = make_batches(set, SIZE, 0, 0), *reflecting = make_batches(set, SIZE, 0, 0);
    assert_status(dirac_batches_set_crop(reflecting, 0, DIRAC_PAD_ZERO), DIRAC_OK);
    dirac__batches_state(reflecting, saved);
    assert_status(dirac__batches_restore(plain, saved), DIRAC_OK);
    assert_status(dirac_batches_set_crop(reflecting, 0, DIRAC_PAD_REFLECT), DIRAC_OK);
    dirac__batches_state(reflecting, saved);
    assert_status(dirac__batches_restore(plain, saved), DIRAC_OK);
    dirac_batches_destroy(plain);
    dirac_batches_destroy(reflecting);
    dirac_dataset_destroy(set);
}

/* Larger batches after a seek leave the place behind the epoch's end: saved, it is the end. */
static void test_state_behind_the_end(void **state)
{
    (void)state;
    uint64_t saved[4];
    dirac_dataset *set = make_images(COUNT);
    dirac_batches *batches = make_batches(set, 1, 0, 0), *other = make_batches(set, COUNT, 0, 0);
    assert_status(dirac_batches_seek(batches, 3, COUNT), DIRAC_OK);
    assert_status(dirac_batches_set_size(batches, COUNT), DIRAC_OK);
    dirac__batches_state(batches, saved);
    assert_true(saved[1] == 3 && saved[2] == 1);
    assert_status(dirac__batches_restore(other, saved), DIRAC_OK);
    check_position(other, 3, 1);
    assert_int_equal(next_n(other), 0);
    check_position(other, 4, 0);
    dirac_batches_destroy(batches);
    dirac_batches_destroy(other);
    dirac_dataset_destroy(set);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_order),
        cmocka_unit_test(test_volumes),
        cmocka_unit_test(test_drop_last),
        cmocka_unit_test(test_drop_everything),
        cmocka_unit_test(test_order_is_a_permutation),
        cmocka_unit_test(test_orders_are_equally_likely),
        cmocka_unit_test(test_shuffled_stream),
        cmocka_unit_test(test_augmentation_changes),
        cmocka_unit_test(test_state_and_restore),
        cmocka_unit_test(test_restore_refusals),
        cmocka_unit_test(test_restore_without_crop),
        cmocka_unit_test(test_state_behind_the_end),
        cmocka_unit_test(test_options_fixed),
        cmocka_unit_test(test_null_handles),
    };
    return cmocka_run_group_tests_name("batches", tests, setup, teardown);
}
