/* SPDX-License-Identifier: MIT */
/* Data sets in memory: what goes in comes out, in either layout; growth, names, freezing, lifetimes, refusals, and every
 * allocation made to fail. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirac/context.h>
#include <dirac/data.h>
#include <dirac/status.h>

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

static void test_images_planar_and_interleaved(void **state)
{
    (void)state;
    /* 2 channels of 1x3: planar abc ABC, interleaved aA bB cC */
    const uint8_t planar[2][6] = {{1, 2, 3, 101, 102, 103}, {4, 5, 255, 0, 105, 106}};
    const uint8_t interleaved[2][6] = {{1, 101, 2, 102, 3, 103}, {4, 0, 5, 105, 255, 106}};
    const int32_t labels[2] = {7, 0};
    dirac_dataset *set;
    assert_status(dirac_dataset_create_images(&set, context, 2, 1, 3), DIRAC_OK);
    assert_int_equal(dirac_dataset_count(set), 0);
    assert_int_equal(dirac_dataset_classes(set), 0);
    assert_status(dirac_dataset_add_images(set, planar[0], DIRAC_LAYOUT_PLANAR, labels, 2),
                  DIRAC_OK);
    assert_status(
        dirac_dataset_add_images(set, interleaved[0], DIRAC_LAYOUT_INTERLEAVED, labels, 2),
        DIRAC_OK);
    assert_int_equal(dirac_dataset_count(set), 4);
    assert_int_equal(dirac_dataset_classes(set), 8);
    for (int64_t i = 0; i < 4; i++) {
        float values[6];
        assert_status(dirac_dataset_read(set, i, values, 6), DIRAC_OK);
        for (int j = 0; j < 6; j++)
            assert_true(values[j] == (float)planar[i % 2][j]);
        assert_int_equal(dirac_dataset_label(set, i), labels[i % 2]);
    }
    dirac_dataset_destroy(set);
}

static void test_floats_of_each_rank(void **state)
{
    (void)state;
    const int64_t dims[4] = {3, 1, 7, 2};
    float values[2][42], read[42];
    const int32_t labels[2] = {0, 1};
    for (int i = 0; i < 84; i++)
        values[i / 42][i % 42] = (float)(i * i) / 8 - 40;
    for (int32_t rank = 1; rank <= 4; rank++) {
        size_t length = 1;
        for (int32_t i = 0; i < rank; i++)
            length *= (size_t)dims[i];
        dirac_dataset *set;
        int64_t shape[4];
        int32_t shape_rank;
        assert_status(dirac_dataset_create_floats(&set, context, dims, rank), DIRAC_OK);
        assert_status(dirac_dataset_shape(set, shape, &shape_rank), DIRAC_OK);
        assert_int_equal(shape_rank, rank);
        assert_memory_equal(shape, dims, (size_t)rank * sizeof *dims);
        assert_status(dirac_dataset_add_floats(set, values[0], labels, 2), DIRAC_OK);
        assert_status(dirac_dataset_read(set, 1, read, length), DIRAC_OK);
        assert_memory_equal(read, values[0] + length, length * sizeof *read);
        assert_status(dirac_dataset_read(set, 1, read, length + 1), DIRAC_ERR_SHAPE);
        assert_status(dirac_dataset_read(set, 2, read, length), DIRAC_ERR_ARGUMENT);
        assert_status(dirac_dataset_read(set, -1, read, length), DIRAC_ERR_ARGUMENT);
        assert_int_equal(dirac_dataset_label(set, 1), 1);
        assert_int_equal(dirac_dataset_label(set, 2), -1);
        assert_int_equal(dirac_dataset_label(set, -1), -1);
        dirac_dataset_destroy(set);
    }
}

static void test_growth_keeps_samples(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    dirac_dataset *set;
    assert_status(dirac_dataset_create_images(&set, context, 1, 1, 2), DIRAC_OK);
    for (int32_t i = 0; i < COUNT; i++) {
        const uint8_t pixels[2] = {(uint8_t)i, (uint8_t)(i >> 8)};
        assert_status(dirac_dataset_add_images(set, pixels, DIRAC_LAYOUT_PLANAR, &i, 1), DIRAC_OK);
    }
    assert_status(dirac_dataset_add_images(set, NULL, DIRAC_LAYOUT_PLANAR, NULL, 0), DIRAC_OK);
    assert_int_equal(dirac_dataset_count(set), COUNT);
    assert_int_equal(dirac_dataset_classes(set), COUNT);
    for (int32_t i = 0; i < COUNT; i++) {
        float values[2];
        assert_status(dirac_dataset_read(set, i, values, 2), DIRAC_OK);
        assert_true(values[0] + 256 * values[1] == (float)i);
        assert_int_equal(dirac_dataset_label(set, i), i);
    }
    dirac_dataset_destroy(set);
}

/* Sample i is (i, i + 0.5) with label 10 i; the number in *user fails, its negative gets a bad label. */
static int32_t supply(void *user, int64_t index, float *values, int32_t *label)
{
    int64_t bad = *(int64_t *)user;
    values[0] = (float)index;
    values[1] = (float)index + 0.5f;
    *label = index == -bad ? -1 : (int32_t)(10 * index);
    return index == bad ? 5 : 0;
}

static void test_callback_set(void **state)
{
    (void)state;
    const int64_t dims[2] = {1, 2};
    int64_t bad = 100;
    float values[2];
    dirac_dataset *set;
    assert_status(dirac_dataset_create_callback(&set, context, dims, 2, 9, supply, &bad), DIRAC_OK);
    assert_int_equal(dirac_dataset_count(set), 9);
    assert_int_equal(dirac_dataset_classes(set), 0);
    assert_int_equal(dirac_dataset_label(set, 3), -1);
    assert_status(dirac_dataset_read(set, 8, values, 2), DIRAC_OK);
    assert_true(values[0] == 8 && values[1] == 8.5f);
    bad = 3;
    assert_status(dirac_dataset_read(set, 3, values, 2), DIRAC_ERR_CALLBACK);
    assert_message("returned 5 for sample 3");
    bad = -3;
    assert_status(dirac_dataset_read(set, 3, values, 2), DIRAC_ERR_CALLBACK);
    assert_message("label -1 for sample 3");
    assert_status(dirac_dataset_add_floats(set, values, (const int32_t[]){0}, 1),
                  DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_set_class_name(set, 4, "four"), DIRAC_OK);
    assert_int_equal(dirac_dataset_classes(set), 5);
    dirac_dataset_destroy(set);
}

static void test_class_names(void **state)
{
    (void)state;
    dirac_dataset *set;
    assert_status(dirac_dataset_create_images(&set, context, 1, 1, 1), DIRAC_OK);
    assert_status(dirac_dataset_set_class_name(set, 5, "five"), DIRAC_OK);
    assert_status(dirac_dataset_set_class_name(set, 0, "none"), DIRAC_OK);
    assert_status(dirac_dataset_set_class_name(set, INT32_MAX - 1, "last"), DIRAC_OK);
    assert_status(dirac_dataset_set_class_name(set, 3, ""), DIRAC_OK);
    const char *five = dirac_dataset_class_name(set, 5);
    assert_string_equal(five, "five");
    assert_status(dirac_dataset_set_class_name(set, 5, "FIVE"), DIRAC_OK);
    assert_string_equal(dirac_dataset_class_name(set, 5), "FIVE");
    assert_string_equal(five, "five"); /* valid as long as the set */
    assert_string_equal(dirac_dataset_class_name(set, 0), "none");
    assert_string_equal(dirac_dataset_class_name(set, 3), "");
    assert_string_equal(dirac_dataset_class_name(set, INT32_MAX - 1), "last");
    assert_null(dirac_dataset_class_name(set, 1));
    assert_null(dirac_dataset_class_name(set, -1));
    assert_null(dirac_dataset_class_name(set, INT32_MAX));
    assert_int_equal(dirac_dataset_classes(set), INT32_MAX);
    assert_status(dirac_dataset_set_class_name(set, -1, "x"), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_set_class_name(set, INT32_MAX, "x"), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_set_class_name(set, 1, NULL), DIRAC_ERR_ARGUMENT);
    dirac_dataset_destroy(set);
}

static void test_create_refusals(void **state)
{
    (void)state;
    const int64_t dims[5] = {1, 1, 0, 1, 1};
    const int64_t vast[4] = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
    const int64_t wide[1] = {INT64_MAX / 2};
    int64_t bad = 0;
    dirac_dataset *set = (dirac_dataset *)&bad;
    assert_status(dirac_dataset_create_images(NULL, context, 1, 1, 1), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_create_images(&set, NULL, 1, 1, 1), DIRAC_ERR_ARGUMENT);
    assert_null(set);
    assert_status(dirac_dataset_create_images(&set, context, 0, 1, 1), DIRAC_ERR_ARGUMENT);
    assert_message("dimension 0 is 0");
    assert_status(dirac_dataset_create_images(&set, context, 1, -2, 1), DIRAC_ERR_ARGUMENT);
    assert_message("dimension 1 is -2");
    assert_status(dirac_dataset_create_floats(&set, context, dims, 3), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_create_floats(&set, context, dims, 0), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_create_floats(&set, context, dims, 5), DIRAC_ERR_ARGUMENT);
    assert_message("rank is 5");
    assert_status(dirac_dataset_create_floats(&set, context, NULL, 2), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_create_floats(&set, context, vast, 4), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_create_floats(&set, context, wide, 1), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_create_callback(&set, context, dims, 2, -1, supply, &bad),
                  DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_create_callback(&set, context, dims, 2, 1, NULL, &bad),
                  DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_create_callback(&set, context, NULL, 2, 1, supply, &bad),
                  DIRAC_ERR_ARGUMENT);
    assert_null(set);
}

static void test_add_refusals(void **state)
{
    (void)state;
    const uint8_t pixels[3] = {1, 2, 3};
    const float values[3] = {1, 2, 3};
    const int32_t labels[3] = {0, 1, 2}, negative[3] = {0, 1, -1}, large[3] = {0, INT32_MAX, 1};
    dirac_dataset *set;
    assert_status(dirac_dataset_create_images(&set, context, 1, 1, 1), DIRAC_OK);
    assert_status(dirac_dataset_add_images(NULL, pixels, 0, labels, 3), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_add_images(set, NULL, 0, labels, 3), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_add_images(set, pixels, 0, NULL, 3), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_add_images(set, pixels, 2, labels, 3), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_add_images(set, pixels, 0, labels, -1), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_add_images(set, pixels, 0, negative, 3), DIRAC_ERR_ARGUMENT);
    assert_message("labels[2] is -1");
    assert_status(dirac_dataset_add_images(set, pixels, 0, large, 3), DIRAC_ERR_ARGUMENT);
    assert_message("labels[1] is 2147483647");
    assert_status(dirac_dataset_add_images(set, pixels, 0, labels, INT64_MAX), DIRAC_ERR_LIMIT);
    assert_status(dirac_dataset_add_floats(set, values, labels, 3), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_dataset_count(set), 0);
    assert_int_equal(dirac_dataset_classes(set), 0);
    dirac_dataset_destroy(set);

    assert_status(dirac_dataset_create_floats(&set, context, (const int64_t[]){1}, 1), DIRAC_OK);
    assert_status(dirac_dataset_add_images(set, pixels, 0, labels, 3), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_add_floats(set, NULL, labels, 3), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_dataset_count(set), 0);
    dirac_dataset_destroy(set);
}

static void test_null_handles(void **state)
{
    (void)state;
    float value;
    int64_t dims[4];
    int32_t rank;
    dirac_dataset_destroy(NULL);
    assert_int_equal(dirac_dataset_count(NULL), 0);
    assert_int_equal(dirac_dataset_classes(NULL), 0);
    assert_int_equal(dirac_dataset_label(NULL, 0), -1);
    assert_null(dirac_dataset_class_name(NULL, 0));
    assert_status(dirac_dataset_shape(NULL, dims, &rank), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_read(NULL, 0, &value, 1), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_set_class_name(NULL, 0, "x"), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_add_floats(NULL, &value, &rank, 1), DIRAC_ERR_ARGUMENT);
}

static void test_frozen_by_batches(void **state)
{
    (void)state;
    const uint8_t pixel = 9;
    const int32_t label = 0;
    dirac_dataset *set;
    dirac_batches *batches;
    assert_status(dirac_dataset_create_images(&set, context, 1, 1, 1), DIRAC_OK);
    assert_status(dirac_batches_create(&batches, set), DIRAC_ERR_STATE);
    assert_null(batches);
    assert_status(dirac_dataset_add_images(set, &pixel, 0, &label, 1), DIRAC_OK);
    assert_status(dirac_batches_create(&batches, set), DIRAC_OK);
    assert_status(dirac_dataset_add_images(set, &pixel, 0, &label, 1), DIRAC_ERR_STATE);
    assert_status(dirac_dataset_set_class_name(set, 0, "x"), DIRAC_ERR_STATE);
    dirac_batches_destroy(batches);
    assert_status(dirac_dataset_add_images(set, &pixel, 0, &label, 1), DIRAC_ERR_STATE);
    assert_int_equal(dirac_dataset_count(set), 1);
    dirac_dataset_destroy(set);
}

static void test_handles_outlive_what_they_came_from(void **state)
{
    (void)state;
    const uint8_t pixel = 51;
    const int32_t label = 2;
    const float *samples;
    const int32_t *labels;
    int64_t n;
    dirac_context *own;
    dirac_dataset *set;
    dirac_batches *batches;
    assert_status(dirac_context_create(&own), DIRAC_OK);
    assert_status(dirac_dataset_create_images(&set, own, 1, 1, 1), DIRAC_OK);
    dirac_context_destroy(own);
    assert_status(dirac_dataset_add_images(set, &pixel, 0, &label, 1), DIRAC_OK);
    assert_status(dirac_batches_create(&batches, set), DIRAC_OK);
    dirac_dataset_destroy(set);
    assert_status(dirac_batches_next(batches, &samples, &labels, &n), DIRAC_OK);
    assert_int_equal(n, 1);
    assert_true(samples[0] == 51.0f / 255.0f);
    assert_int_equal(labels[0], 2);
    dirac_batches_destroy(batches);
}

/* An allocator that fails from the `left`-th request on, and knows how many blocks are out. */
static struct {
    long left, out;
} faults;

static void *faulty_allocate(void *user, size_t size, size_t alignment)
{
    void *pointer = NULL;
    (void)user;
    if (faults.left-- <= 0 || posix_memalign(&pointer, alignment, size) != 0)
        return NULL;
    faults.out++;
    return pointer;
}

static void faulty_release(void *user, void *pointer, size_t size)
{
    (void)user;
    (void)size;
    faults.out--;
    free(pointer);
}

/* Fills a set and takes two batches; every failure must be MEMORY. */
static int32_t use_everything(int32_t ahead)
{
    const uint8_t pixels[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const int32_t labels[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    const float mean = 1, deviation = 2, *samples;
    const int32_t *batch_labels;
    int64_t n;
    dirac_context *own = NULL;
    dirac_dataset *set = NULL;
    dirac_batches *batches = NULL;
    int32_t status =
        dirac_context_create_with_allocator(&own, faulty_allocate, faulty_release, NULL);
    if (status == DIRAC_OK)
        status = dirac_dataset_create_images(&set, own, 1, 1, 1);
    for (int i = 0; status == DIRAC_OK && i < 2; i++) {
        status = dirac_dataset_add_images(set, pixels, 0, labels, 8);
        assert_int_equal(dirac_dataset_count(set), 8 * (i + (status == DIRAC_OK)));
    }
    for (int i = 0; status == DIRAC_OK && i < 3; i++)
        status = dirac_dataset_set_class_name(set, i / 2, "name");
    if (status == DIRAC_OK)
        status = dirac_batches_create(&batches, set);
    if (status == DIRAC_OK) {
        dirac_batches_set_shuffle(batches, 1);
        dirac_batches_set_prefetch(batches, ahead);
        status = dirac_batches_set_normalization(batches, &mean, &deviation, 1);
    }
    for (int i = 0; status == DIRAC_OK && i < 2; i++)
        status = dirac_batches_next(batches, &samples, &batch_labels, &n);
    dirac_batches_destroy(batches);
    dirac_dataset_destroy(set);
    dirac_context_destroy(own);
    return status;
}

static void test_every_allocation_fails(void **state)
{
    (void)state;
    for (int32_t ahead = 0; ahead <= 2; ahead += 2) {
        int32_t status = DIRAC_ERR_MEMORY;
        for (long n = 0; status != DIRAC_OK; n++) {
            faults.left = n;
            faults.out = 0;
            status = use_everything(ahead);
            assert_true(status == DIRAC_OK || status == DIRAC_ERR_MEMORY);
            assert_int_equal(faults.out, 0);
            assert_true(n < 200);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_images_planar_and_interleaved),
        cmocka_unit_test(test_floats_of_each_rank),
        cmocka_unit_test(test_growth_keeps_samples),
        cmocka_unit_test(test_callback_set),
        cmocka_unit_test(test_class_names),
        cmocka_unit_test(test_create_refusals),
        cmocka_unit_test(test_add_refusals),
        cmocka_unit_test(test_null_handles),
        cmocka_unit_test(test_frozen_by_batches),
        cmocka_unit_test(test_handles_outlive_what_they_came_from),
        cmocka_unit_test(test_every_allocation_fails),
    };
    return cmocka_run_group_tests_name("dataset", tests, setup, teardown);
}
