/* SPDX-License-Identifier: MIT */
/* The same stream comes whatever is prefetched, sought or retried; and what the prefetching thread may and may not do. */
#define _GNU_SOURCE
#include <sys/wait.h>
#include <unistd.h>

#include "data/batches.h"
#include "support/other_threads.h"
#include "support/streams.h"

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

/* A checkpoint may hold the stream longer than its owner does; the owner's callback may be gone by then. */
static void test_destroy_ends_the_thread_of_a_held_stream(void **state)
{
    (void)state;
    struct source source;
    uint64_t saved[4];
    dirac_dataset *set = make_callback(&source, -1);
    dirac_batches *batches = make_batches(set, 1, 0, 16);
    source.dawdle = 5;
    assert_int_equal(next_n(batches), 1);
    dirac__batches_hold(batches);
    dirac_batches_destroy(batches);
    dirac_dataset_destroy(set);
    assert_int_equal(atomic_load(&source.running), 0);
    int calls = atomic_load(&source.calls);
    dirac__batches_state(batches, saved);
    assert_true(saved[1] == 0 && saved[2] == 1);
    saved[2] = 7;
    assert_status(dirac__batches_restore(batches, saved), DIRAC_OK);
    check_position(batches, 0, 7);
    rest(20);
    assert_int_equal(atomic_load(&source.calls), calls);
    dirac__batches_release(batches);
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
    wait_until_other_threads_sleep(); /* then the thread has made what it may, and waits on its condition variable */
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        dirac_context_destroy(context);
        dirac_dataset_destroy(set);
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
        cmocka_unit_test(test_same_stream_with_prefetch),
        cmocka_unit_test(test_seek),
        cmocka_unit_test(test_batch_stays_until_the_next_call),
        cmocka_unit_test(test_failing_callback),
        cmocka_unit_test(test_callback_stream),
        cmocka_unit_test(test_destroy_waits),
        cmocka_unit_test(test_destroy_ends_the_thread_of_a_held_stream),
        cmocka_unit_test(test_prefetch_depth),
        cmocka_unit_test(test_destroy_in_a_child),
    };
    return cmocka_run_group_tests_name("prefetch", tests, setup, teardown);
}
