/* SPDX-License-Identifier: MIT */
/* Crop, mirror and normalisation, pixel by pixel against a naive twin that makes the whole padded image and then cuts,
 * and how often each cut comes up. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirac/context.h>
#include <dirac/data.h>
#include <dirac/status.h>

#include "data/augment.h"

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

/* A sample's shape and how it is padded. */
struct shape {
    int channels, depth, height, width, pad, mode;
};

/* Where a padded index is read, by walking: a step beyond an end turns round. -1: zero. */
static int walk(int i, int size, int mode)
{
    int at = 0, step = i < 0 ? -1 : 1;
    if (mode == DIRAC_PAD_ZERO)
        return i >= 0 && i < size ? i : -1;
    for (int k = 0; k != i; k += i < 0 ? -1 : 1) {
        if (at + step < 0 || at + step >= size)
            step = -step;
        at += step;
    }
    return at;
}

/* (planes, height + 2 pad, width + 2 pad) from (planes, height, width) */
static float *pad_all(const struct shape *s, const float *in)
{
    int planes = s->channels * s->depth, h = s->height + 2 * s->pad, w = s->width + 2 * s->pad;
    float *out = malloc((size_t)(planes * h * w) * sizeof *out);
    for (int p = 0; p < planes; p++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++) {
                int from_y = walk(y - s->pad, s->height, s->mode);
                int from_x = walk(x - s->pad, s->width, s->mode);
                out[(p * h + y) * w + x] =
                    from_y < 0 || from_x < 0 ? 0 : in[(p * s->height + from_y) * s->width + from_x];
            }
    return out;
}

/* Cuts the original size at (top, left) of the padded image, and mirrors it. */
static void cut(const struct shape *s, const float *padded, int top, int left, bool mirror,
                float *out)
{
    int planes = s->channels * s->depth, h = s->height + 2 * s->pad, w = s->width + 2 * s->pad;
    for (int p = 0; p < planes; p++)
        for (int y = 0; y < s->height; y++)
            for (int x = 0; x < s->width; x++)
                out[(p * s->height + y) * s->width + (mirror ? s->width - 1 - x : x)] =
                    padded[(p * h + y + top) * w + x + left];
}

static size_t length(const struct shape *s)
{
    return (size_t)(s->channels * s->depth * s->height * s->width);
}

/* A byte a pixel, without pattern. */
static void fill(uint8_t *bytes, float *floats, size_t count)
{
    uint32_t x = 12345;
    for (size_t i = 0; i < count; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(x >> 24);
        floats[i] = bytes[i];
    }
}

/* Every cut of a shape, asked for by name, for bytes and floats: the values are equal to the last bit. */
static void check_shape(const struct shape *s)
{
    size_t n = length(s);
    uint8_t *bytes = malloc(n);
    float *floats = malloc(n * sizeof *floats), *expected = malloc(n * sizeof *floats);
    float *got = malloc(n * sizeof *floats);
    fill(bytes, floats, n);
    float *padded = pad_all(s, floats);
    dirac__augment augment = {(size_t)s->channels, (size_t)s->depth, (size_t)s->height,
                              (size_t)s->width,    s->pad,           s->mode,
                              true,                NULL,             NULL};
    for (int top = 0; top <= 2 * s->pad; top++)
        for (int left = 0; left <= 2 * s->pad; left++)
            for (int mirror = 0; mirror < 2; mirror++) {
                dirac__cut named = {top - s->pad, left - s->pad, mirror == 1};
                cut(s, padded, top, left, mirror == 1, expected);
                memset(got, 0xff, n * sizeof *got);
                dirac__augment_bytes(&augment, &named, bytes, got);
                assert_memory_equal(got, expected, n * sizeof *got);
                memset(got, 0xff, n * sizeof *got);
                dirac__augment_floats(&augment, &named, floats, got);
                assert_memory_equal(got, expected, n * sizeof *got);
            }
    free(padded);
    free(got);
    free(expected);
    free(floats);
    free(bytes);
}

static void test_every_cut_of_many_shapes(void **state)
{
    (void)state;
    const struct shape shapes[] = {
        {1, 1, 1, 1, 0, DIRAC_PAD_ZERO},    {1, 1, 1, 1, 3, DIRAC_PAD_ZERO},
        {2, 1, 3, 7, 2, DIRAC_PAD_REFLECT}, {3, 1, 7, 3, 2, DIRAC_PAD_REFLECT},
        {1, 1, 5, 5, 4, DIRAC_PAD_REFLECT}, {1, 1, 2, 2, 1, DIRAC_PAD_REFLECT},
        {3, 1, 4, 6, 3, DIRAC_PAD_ZERO},    {1, 1, 3, 2, 7, DIRAC_PAD_ZERO},
        {2, 3, 5, 4, 2, DIRAC_PAD_REFLECT}, {2, 3, 5, 4, 2, DIRAC_PAD_ZERO},
        {3, 1, 17, 16, 4, DIRAC_PAD_REFLECT}, {3, 1, 1, 9, 2, DIRAC_PAD_ZERO},
        {4, 1, 3, 5, 0, DIRAC_PAD_REFLECT},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        check_shape(shapes + i);
}

static void test_reflection_by_hand(void **state)
{
    (void)state;
    /* abcd padded by 3: dcb abcd cba */
    const uint8_t row[4] = {'a', 'b', 'c', 'd'};
    const char *const expected[7] = {"dcba", "cbab", "babc", "abcd", "bcdc", "cdcb", "dcba"};
    for (int64_t right = -3; right <= 3; right++) {
        dirac__augment augment = {.channels = 1, .depth = 1, .height = 1, .width = 4, .pad = 3,
                                  .mode = DIRAC_PAD_REFLECT};
        dirac__cut shift = {0, right, false};
        float out[4];
        dirac__augment_bytes(&augment, &shift, row, out);
        for (int x = 0; x < 4; x++)
            assert_true(out[x] == (float)expected[right + 3][x]);
    }
}

/* A count of n draws of probability p is within 6 standard deviations of n p (off by chance: 2e-9). */
static void check_frequency(long count, long n, double p)
{
    assert_true(fabs((double)count - (double)n * p) <= 6 * sqrt((double)n * p * (1 - p)));
}

enum { SAMPLES = 2500, PAD = 2, PLACES = 2 * PAD + 1 };

/* One epoch of a stream of equal images: which cut was each? Counts how often each came up. */
static void count_cuts(dirac_batches *batches, const struct shape *s, const float *image,
                       long counts[PLACES][PLACES][2])
{
    const float *samples;
    const int32_t *labels;
    int64_t n;
    size_t size = length(s);
    float *padded = pad_all(s, image), *expected = malloc(size * sizeof *expected);
    for (;;) {
        assert_status(dirac_batches_next(batches, &samples, &labels, &n), DIRAC_OK);
        for (int64_t i = 0; i < n; i++) {
            int found = 0;
            for (int k = 0; k < PLACES * PLACES * 2; k++) {
                int top = k / 2 / PLACES, left = k / 2 % PLACES;
                cut(s, padded, top, left, k % 2 == 1, expected);
                if (memcmp(samples + (size_t)i * size, expected, size * sizeof *expected) == 0) {
                    counts[top][left][k % 2]++;
                    found++;
                }
            }
            assert_int_equal(found, 1); /* a cut of this image, the same in each channel */
        }
        if (n == 0)
            break;
    }
    free(expected);
    free(padded);
}

static void test_stream_cuts_evenly(void **state)
{
    (void)state;
    const struct shape s = {3, 1, 5, 7, PAD, DIRAC_PAD_REFLECT};
    const float zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};
    long counts[PLACES][PLACES][2] = {{{0}}}, flips = 0;
    uint8_t bytes[105];
    float floats[105];
    int32_t label = 0;
    dirac_dataset *set;
    dirac_batches *batches;
    fill(bytes, floats, 105);
    assert_status(dirac_dataset_create_images(&set, context, 3, 5, 7), DIRAC_OK);
    for (int i = 0; i < SAMPLES; i++)
        assert_status(dirac_dataset_add_images(set, bytes, 0, &label, 1), DIRAC_OK);
    assert_status(dirac_batches_create(&batches, set), DIRAC_OK);
    assert_status(dirac_batches_set_crop(batches, PAD, DIRAC_PAD_REFLECT), DIRAC_OK);
    assert_status(dirac_batches_set_flip(batches, 1), DIRAC_OK);
    assert_status(dirac_batches_set_normalization(batches, zero, one, 3), DIRAC_OK);
    for (int epoch = 0; epoch < 2; epoch++)
        count_cuts(batches, &s, floats, counts);
    for (int top = 0; top < PLACES; top++)
        for (int left = 0; left < PLACES; left++)
            for (int mirror = 0; mirror < 2; mirror++) {
                check_frequency(counts[top][left][mirror], 2 * SAMPLES, 0.5 / (PLACES * PLACES));
                flips += mirror * counts[top][left][mirror];
            }
    check_frequency(flips, 2 * SAMPLES, 0.5);
    dirac_batches_destroy(batches);
    dirac_dataset_destroy(set);
}

/* Draws differ between epochs and seeds, and neither option disturbs the other's. */
static void test_draws(void **state)
{
    (void)state;
    dirac__augment both = {.pad = 4, .flip = true}, crop = {.pad = 4}, flip = {.flip = true};
    dirac__random first = dirac__random_stream(1, "augment", 0);
    dirac__random second = dirac__random_stream(1, "augment", 1);
    dirac__random other = dirac__random_stream(2, "augment", 0);
    int same_epoch = 0, same_seed = 0;
    const int n = 1000;
    for (int i = 0; i < n; i++) {
        dirac__cut a = dirac__cut_draw(&both, &first, (uint64_t)i);
        dirac__cut b = dirac__cut_draw(&both, &second, (uint64_t)i);
        dirac__cut c = dirac__cut_draw(&both, &other, (uint64_t)i);
        dirac__cut d = dirac__cut_draw(&crop, &first, (uint64_t)i);
        dirac__cut e = dirac__cut_draw(&flip, &first, (uint64_t)i);
        assert_true(a.down >= -4 && a.down <= 4 && a.right >= -4 && a.right <= 4);
        assert_true(d.down == a.down && d.right == a.right && !d.mirror);
        assert_true(e.down == 0 && e.right == 0 && e.mirror == a.mirror);
        same_epoch += a.down == b.down && a.right == b.right && a.mirror == b.mirror;
        same_seed += a.down == c.down && a.right == c.right && a.mirror == c.mirror;
    }
    check_frequency(same_epoch, n, 1.0 / 162);
    check_frequency(same_seed, n, 1.0 / 162);
}

/* fl(fl(x - m) / d): two roundings of at most 2^-24 each, so within 2^-23 (1 + 2^-24) of the exact value; the double twin
 * adds 2^-52. Nothing here is subnormal. */
static void test_normalization_against_double(void **state)
{
    (void)state;
    const float mean[3] = {125.3f, 123.0f, -0.1f}, deviation[3] = {63.0f, 62.1f, 0.3f};
    uint8_t bytes[3 * 256];
    const int32_t label = 0, *labels;
    const float *samples;
    int64_t n;
    dirac_dataset *set;
    dirac_batches *batches;
    for (int i = 0; i < 768; i++)
        bytes[i] = (uint8_t)i;
    assert_status(dirac_dataset_create_images(&set, context, 3, 16, 16), DIRAC_OK);
    assert_status(dirac_dataset_add_images(set, bytes, 0, &label, 1), DIRAC_OK);
    assert_status(dirac_batches_create(&batches, set), DIRAC_OK);
    assert_status(dirac_batches_set_normalization(batches, mean, deviation, 3), DIRAC_OK);
    assert_status(dirac_batches_next(batches, &samples, &labels, &n), DIRAC_OK);
    for (int i = 0; i < 768; i++) {
        double exact = ((double)bytes[i] - (double)mean[i / 256]) / (double)deviation[i / 256];
        assert_true(fabs((double)samples[i] - exact) <= fabs(exact) * 0x1.0002p-23);
    }
    dirac_batches_destroy(batches);
    dirac_dataset_destroy(set);
}

/* Zero padding is 0 before normalisation: it comes out as -mean / deviation. */
static void test_zero_is_normalized_too(void **state)
{
    (void)state;
    const float mean = 3, deviation = 2;
    const uint8_t in[2] = {5, 7};
    float out[2];
    dirac__augment augment = {1, 1, 1, 2, 1, DIRAC_PAD_ZERO, false, &mean, &deviation};
    const dirac__cut right = {0, 1, false}, down = {1, 0, false};
    dirac__augment_bytes(&augment, &right, in, out);
    assert_true(out[0] == 2.0f && out[1] == -1.5f);
    dirac__augment_bytes(&augment, &down, in, out);
    assert_true(out[0] == -1.5f && out[1] == -1.5f);
}

/* Without normalisation a float set's values come out with their bits, NaN and -0 included. */
static void test_floats_as_they_are(void **state)
{
    (void)state;
    const float values[4] = {NAN, -0.0f, 0x1p-149f, -INFINITY};
    const int32_t label = 1, *labels;
    const float *samples;
    int64_t n;
    dirac_dataset *set;
    dirac_batches *batches;
    assert_status(dirac_dataset_create_floats(&set, context, (const int64_t[]){4}, 1), DIRAC_OK);
    assert_status(dirac_dataset_add_floats(set, values, &label, 1), DIRAC_OK);
    assert_status(dirac_batches_create(&batches, set), DIRAC_OK);
    assert_status(dirac_batches_next(batches, &samples, &labels, &n), DIRAC_OK);
    assert_memory_equal(samples, values, sizeof values);
    dirac_batches_destroy(batches);
    dirac_dataset_destroy(set);
}

static void test_option_refusals(void **state)
{
    (void)state;
    const uint8_t pixels[15] = {0};
    const float mean[2] = {0, 0}, good[2] = {1, 1}, zero[2] = {1, 0}, nan[2] = {1, NAN};
    const int32_t label = 0;
    dirac_dataset *set;
    dirac_batches *batches;
    assert_status(dirac_dataset_create_images(&set, context, 1, 3, 5), DIRAC_OK);
    assert_status(dirac_dataset_add_images(set, pixels, 0, &label, 1), DIRAC_OK);
    assert_status(dirac_batches_create(&batches, set), DIRAC_OK);
    assert_status(dirac_batches_set_crop(batches, -1, 0), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_set_crop(batches, 1, 2), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_set_crop(batches, 3, DIRAC_PAD_REFLECT), DIRAC_ERR_ARGUMENT);
    assert_message("3 x 5 allows 0 to 2");
    assert_status(dirac_batches_set_crop(batches, INT64_MAX, 0), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_set_crop(batches, 2, DIRAC_PAD_REFLECT), DIRAC_OK);
    assert_status(dirac_batches_set_crop(batches, 3, DIRAC_PAD_ZERO), DIRAC_OK);
    assert_status(dirac_batches_set_flip(batches, 2), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_set_normalization(batches, mean, good, 2), DIRAC_ERR_SHAPE);
    assert_status(dirac_batches_set_normalization(batches, NULL, good, 1), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_set_normalization(batches, mean, NULL, 1), DIRAC_ERR_ARGUMENT);
    dirac_batches_destroy(batches);
    dirac_dataset_destroy(set);

    const float values[2] = {0, 0};
    assert_status(dirac_dataset_create_floats(&set, context, (const int64_t[]){2, 1}, 2), DIRAC_OK);
    assert_status(dirac_dataset_add_floats(set, values, &label, 1), DIRAC_OK);
    assert_status(dirac_batches_create(&batches, set), DIRAC_OK);
    assert_status(dirac_batches_set_crop(batches, 1, 0), DIRAC_ERR_SHAPE);
    assert_status(dirac_batches_set_crop(batches, 0, 0), DIRAC_OK);
    assert_status(dirac_batches_set_flip(batches, 1), DIRAC_ERR_SHAPE);
    assert_status(dirac_batches_set_flip(batches, 0), DIRAC_OK);
    assert_status(dirac_batches_set_normalization(batches, mean, zero, 2), DIRAC_ERR_ARGUMENT);
    assert_message("deviation[1] is 0,");
    assert_status(dirac_batches_set_normalization(batches, mean, nan, 2), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_batches_set_normalization(batches, nan, good, 2), DIRAC_ERR_ARGUMENT);
    assert_message("mean[1] is nan");
    assert_status(dirac_batches_set_normalization(batches, mean, good, 2), DIRAC_OK);
    dirac_batches_destroy(batches);
    dirac_dataset_destroy(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut_of_many_shapes),
        cmocka_unit_test(test_reflection_by_hand),
        cmocka_unit_test(test_stream_cuts_evenly),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_normalization_against_double),
        cmocka_unit_test(test_zero_is_normalized_too),
        cmocka_unit_test(test_floats_as_they_are),
        cmocka_unit_test(test_option_refusals),
    };
    return cmocka_run_group_tests_name("augment", tests, setup, teardown);
}
