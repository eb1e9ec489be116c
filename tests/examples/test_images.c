/* SPDX-License-Identifier: MIT */
/* The example programs' ways to bring an image to a size: what must come out byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/image.h"

static image random_image(int32_t width, int32_t height)
{
    image picture = {width, height, malloc(3 * (size_t)width * (size_t)height)};
    uint32_t state = 1;
    assert_non_null(picture.pixels);
    for (size_t i = 0; i < 3 * (size_t)width * (size_t)height; i++)
        picture.pixels[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
    return picture;
}

/* Whether out (width, height) is the part of the picture that begins at (left, top). */
static void is_part(const image *picture, int32_t left, int32_t top, int32_t width, int32_t height, const uint8_t *out)
{
    for (int32_t y = 0; y < height; y++)
        assert_memory_equal(out + 3 * (size_t)(y * width),
                            picture->pixels + 3 * (size_t)((top + y) * picture->width + left), 3 * (size_t)width);
}

static void test_unscaled(void **state)
{
    (void)state;
    image picture = random_image(23, 17);
    uint8_t out[3 * 23 * 17];
    image_crop(&picture, 5, 2, 11, 13, 11, 13, out);
    is_part(&picture, 5, 2, 11, 13, out);
    image_crop(&picture, 0, 0, 23, 17, 23, 17, out);
    is_part(&picture, 0, 0, 23, 17, out);
    image_middle(&picture, 17, 9, out); /* the shorter side has its size already */
    is_part(&picture, 7, 4, 9, 9, out);
    image_fit(&picture, 17, 17, out);
    is_part(&picture, 3, 0, 17, 17, out);
    image_free(&picture);
}

/* Scaled, a whole image is what image_fit() makes of it, and a part sees nothing outside. */
static void test_scaled(void **state)
{
    (void)state;
    static const int32_t sizes[] = {7, 10, 25, 40};
    image picture = random_image(20, 20), part = random_image(12, 12);
    uint8_t a[3 * 40 * 40], b[3 * 40 * 40];
    for (int32_t y = 0; y < 12; y++)
        memcpy(part.pixels + 36 * (size_t)y, picture.pixels + 3 * (size_t)((y + 6) * 20 + 3), 36);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int32_t size = sizes[i];
        image_fit(&picture, size, size, a);
        image_crop(&picture, 0, 0, 20, 20, size, size, b);
        assert_memory_equal(a, b, 3 * (size_t)(size * size));
        image_middle(&picture, size, size, b);
        assert_memory_equal(a, b, 3 * (size_t)(size * size));
        image_fit(&part, size, size, a);
        image_crop(&picture, 3, 6, 12, 12, size, size, b);
        assert_memory_equal(a, b, 3 * (size_t)(size * size));
    }
    image_free(&part);
    image_free(&picture);
}

/* Sides are scaled apart: a picture of columns keeps its columns whatever becomes of its height. */
static void test_apart(void **state)
{
    (void)state;
    image picture = random_image(8, 8);
    uint8_t out[3 * 8 * 5];
    for (int32_t y = 1; y < 8; y++)
        memcpy(picture.pixels + 24 * (size_t)y, picture.pixels, 24);
    image_crop(&picture, 0, 0, 8, 8, 8, 5, out);
    for (int32_t y = 0; y < 5; y++)
        for (int32_t i = 0; i < 24; i++)
            assert_in_range(out[24 * y + i] - picture.pixels[i] + 1, 0, 2); /* weights add up to 1 within rounding */
    image_free(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unscaled),
        cmocka_unit_test(test_scaled),
        cmocka_unit_test(test_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
