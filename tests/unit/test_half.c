/* SPDX-License-Identifier: MIT */
/*
 * All 65536 patterns of both 16-bit floats against their definition in double arithmetic: value = (-1)^s 2^(e - bias)
 * (1 + f / 2^bits), for e = 0 without the 1 and with e = 1. Every value is exact, so no tolerance.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "io/half.h"

/* The definition of a 16-bit float with `fraction_bits`, for finite ones; exponent and fraction as they stand. */
static double define(uint32_t bits, int fraction_bits)
{
    int exponent_bits = 15 - fraction_bits;
    int bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = (int)(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
    double fraction = (double)(bits & ((1u << fraction_bits) - 1)) / (double)(1 << fraction_bits);
    double magnitude = exponent == 0 ? ldexp(fraction, 1 - bias)
                                     : ldexp(1 + fraction, exponent - bias);
    return bits & 0x8000 ? -magnitude : magnitude;
}

static void check_all(float (*convert)(uint16_t), int fraction_bits)
{
    uint32_t largest = (1u << (15 - fraction_bits)) - 1;
    for (uint32_t bits = 0; bits < 65536; bits++) {
        float value = convert((uint16_t)bits);
        uint32_t exponent = (bits >> fraction_bits) & largest,
                 fraction = bits & ((1u << fraction_bits) - 1);
        assert_int_equal(signbit(value) != 0, bits >> 15);
        if (exponent == largest) {
            assert_true(fraction == 0 ? isinf(value) : isnan(value));
        } else {
            assert_true((double)value == define(bits, fraction_bits));
        }
    }
}

static void test_half_all(void **state)
{
    (void)state;
    check_all(dirac__half_to_float, 10);
}

static void test_bfloat16_all(void **state)
{
    (void)state;
    check_all(dirac__bfloat16_to_float, 7);
}

/* Values of IEEE 754-2008 tables, and of bfloat16's definition. */
static void test_known(void **state)
{
    (void)state;
    assert_true(dirac__half_to_float(0x3c00) == 1.0f);
    assert_true(dirac__half_to_float(0xc000) == -2.0f);
    assert_true(dirac__half_to_float(0x7bff) == 65504.0f);
    assert_true(dirac__half_to_float(0x0400) == 0x1p-14f);
    assert_true(dirac__half_to_float(0x03ff) == 0x1.ff8p-15f);
    assert_true(dirac__half_to_float(0x0001) == 0x1p-24f);
    assert_true(dirac__half_to_float(0x3555) == 0.333251953125f);
    assert_true(dirac__bfloat16_to_float(0x3f80) == 1.0f);
    assert_true(dirac__bfloat16_to_float(0x4049) == 3.140625f);
    assert_true(dirac__bfloat16_to_float(0x7f7f) == 0x1.fep127f);
    assert_true(dirac__bfloat16_to_float(0x0001) == 0x1p-133f);
}

/* A NaN keeps its sign and the bits of its fraction, at the top of float's. */
static void test_nan_payload(void **state)
{
    (void)state;
    float value = dirac__half_to_float(0xfe01);
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    assert_int_equal(bits, 0xffc02000u);
    value = dirac__bfloat16_to_float(0xffc1);
    memcpy(&bits, &value, sizeof bits);
    assert_int_equal(bits, 0xffc10000u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_all),
        cmocka_unit_test(test_bfloat16_all),
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_nan_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
