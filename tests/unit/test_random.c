/* SPDX-License-Identifier: MIT */
/* Random numbers: the published vectors of Philox and FNV, the formulas written again, and moments. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"

/* kat_vectors of Random123 1.14: counter, key, result of philox4x32 with 10 rounds. */
static void philox_gives_the_published_vectors(void **state)
{
    static const uint32_t vectors[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint32_t out[4];
        dirac__philox(vectors[i], vectors[i] + 4, out);
        assert_memory_equal(out, vectors[i] + 6, sizeof out);
    }
}

/* Vectors of the FNV reference (Fowler, Noll, Vo). */
static void streams_are_named_by_fnv(void **state)
{
    (void)state;
    assert_true(dirac__random_stream(1, "", 0).stream == UINT64_C(0xcbf29ce484222325));
    assert_true(dirac__random_stream(1, "a", 0).stream == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(dirac__random_stream(1, "foobar", 0).stream == UINT64_C(0x85944171f73967e8));
    assert_true(dirac__random_stream(UINT64_MAX, "a", 0).seed == UINT64_MAX);
    for (uint64_t step = 1; step < 1000; step++)
        assert_true(dirac__random_stream(1, "a", step).stream !=
                    dirac__random_stream(1, "a", step - 1).stream);
}

/* Nets drawn from a seed depend on this layout: key = seed, counter = (block, stream), low words first. */
static void bits_are_the_elements_of_blocks(void **state)
{
    const dirac__random random = {UINT64_C(0x299f31d0a4093822), UINT64_C(0x0370734413198a2e)};
    const uint32_t counter[4] = {0x243f6a88, 0x05a308d3, 0x13198a2e, 0x03707344},
                   key[2] = {0xa4093822, 0x299f31d0};
    const uint64_t block = UINT64_C(0x05a308d3243f6a88);
    uint32_t out[4];
    (void)state;
    dirac__philox(counter, key, out);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(dirac__random_bits(&random, 4 * block + i), out[i]);
    assert_int_equal(dirac__random_bits(&(dirac__random){0, 0}, 0), 0x6627e8d5);
    assert_int_equal(dirac__random_bits(&(dirac__random){0, 0}, 3), 0x9b00dbd8);
}

static void uniform_numbers_are_24_bits(void **state)
{
    const dirac__random random = dirac__random_stream(3, "uniform", 0);
    const int n = 100000;
    double sum = 0, squares = 0;
    (void)state;
    for (int i = 0; i < n; i++) {
        float u = dirac__random_uniform(&random, (uint64_t)i);
        assert_true(u >= 0 && u < 1);
        assert_true((double)u * 16777216.0 ==
                    (double)(dirac__random_bits(&random, (uint64_t)i) / 256));
        sum += u;
        squares += (double)u * u;
    }
    /* Mean 1/2, deviation sqrt(1/12); of u^2 1/3 and sqrt(4/45). Five standard errors. */
    assert_true(fabs(sum / n - 0.5) < 5 * sqrt(1.0 / 12 / n));
    assert_true(fabs(squares / n - 1.0 / 3) < 5 * sqrt(4.0 / 45 / n));
}

static double normal_twin(const dirac__random *random, uint64_t index)
{
    double u = (dirac__random_bits(random, index & ~UINT64_C(1)) + 0.5) / 4294967296.0;
    double angle = 2 * acos(-1.0) * dirac__random_bits(random, index | 1) / 4294967296.0;
    return sqrt(-2 * log(u)) * (index % 2 == 0 ? cos(angle) : sin(angle));
}

static void normal_numbers_follow_box_muller(void **state)
{
    const dirac__random random = dirac__random_stream(7, "normal", 2);
    enum { COUNT = 41 };
    float whole[COUNT];
    (void)state;
    dirac__random_normal(&random, 5, whole, COUNT, 1.5);
    for (uint64_t i = 0; i < COUNT; i++) {
        /* One rounding to float, 2^-24, and a few of double. */
        double expected = 1.5 * normal_twin(&random, 5 + i);
        assert_true(fabs(whole[i] - expected) <= fabs(expected) * 0x1.01p-24 + 1e-14);
    }
    /* Element i depends on i alone, however the filling is cut. */
    for (size_t first = 0; first < COUNT; first++)
        for (size_t count = 0; first + count <= COUNT; count += 3) {
            float part[COUNT + 1];
            part[count] = 99;
            dirac__random_normal(&random, 5 + first, part, count, 1.5);
            assert_memory_equal(part, whole + first, count * sizeof *part);
            assert_true(part[count] == 99);
        }
}

static void normal_numbers_have_normal_moments(void **state)
{
    enum { COUNT = 200000 };
    static float x[COUNT];
    const dirac__random random = dirac__random_stream(11, "moments", 0);
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0, neighbours = 0;
    (void)state;
    dirac__random_normal(&random, 0, x, COUNT, 1);
    for (int i = 0; i < COUNT; i++) {
        double v = x[i], expected = normal_twin(&random, (uint64_t)i);
        assert_true(fabs(v - expected) <= fabs(expected) * 0x1.01p-24 + 1e-14);
        m1 += v;
        m2 += v * v;
        m3 += v * v * v;
        m4 += v * v * v * v;
        neighbours += v * x[(i + 1) % COUNT];
    }
    /* E v^k = 0 1 0 3; variances E v^2k - (E v^k)^2 = 1 2 15 96. Five standard errors. */
    assert_true(fabs(m1 / COUNT) < 5 * sqrt(1.0 / COUNT));
    assert_true(fabs(m2 / COUNT - 1) < 5 * sqrt(2.0 / COUNT));
    assert_true(fabs(m3 / COUNT) < 5 * sqrt(15.0 / COUNT));
    assert_true(fabs(m4 / COUNT - 3) < 5 * sqrt(96.0 / COUNT));
    assert_true(fabs(neighbours / COUNT) < 5 * sqrt(1.0 / COUNT));
}

static void bounded_integers_are_in_range_and_even(void **state)
{
    static const uint64_t limits[] = {1, 2, 3, 7, 10, 1000, UINT64_C(1) << 40, UINT64_MAX};
    const dirac__random random = dirac__random_stream(5, "below", 0);
    (void)state;
    for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++)
        for (uint64_t i = 0; i < 1000; i++)
            assert_true(dirac__random_below(&random, i, limits[k]) < limits[k]);

    int seen[7] = {0};
    const int n = 70000;
    for (int i = 0; i < n; i++)
        seen[dirac__random_below(&random, (uint64_t)i, 7)]++;
    for (int i = 0; i < 7; i++) /* binomial: deviation sqrt(n p (1 - p)) */
        assert_true(fabs(seen[i] - n / 7.0) < 5 * sqrt(n * 6.0 / 49));
}

/* With limit 3 * 2^62 a quarter of the draws must be refused. Plain multiply-shift without refusal would give multiples
 * of 3 twice as often as the others: x -> floor(3 x / 4). */
static void bounded_integers_have_no_bias(void **state)
{
    const dirac__random random = dirac__random_stream(6, "bias", 0);
    const int n = 30000;
    int seen[3] = {0};
    (void)state;
    for (int i = 0; i < n; i++)
        seen[dirac__random_below(&random, (uint64_t)i, UINT64_C(3) << 62) % 3]++;
    for (int i = 0; i < 3; i++)
        assert_true(fabs(seen[i] - n / 3.0) < 5 * sqrt(n * 2.0 / 9));
}

/* The product's high half, against another way of computing it: below a limit of 2^k it is the draw's top k bits, so
 * draws under different powers of two agree in their leading bits. */
static void bounded_integers_below_powers_of_two_agree(void **state)
{
    const dirac__random random = dirac__random_stream(8, "powers", 0);
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t most = dirac__random_below(&random, i, UINT64_C(1) << 63);
        for (int k = 0; k < 63; k++)
            assert_true(dirac__random_below(&random, i, UINT64_C(1) << k) == most >> (63 - k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_vectors),
        cmocka_unit_test(streams_are_named_by_fnv),
        cmocka_unit_test(bits_are_the_elements_of_blocks),
        cmocka_unit_test(uniform_numbers_are_24_bits),
        cmocka_unit_test(normal_numbers_follow_box_muller),
        cmocka_unit_test(normal_numbers_have_normal_moments),
        cmocka_unit_test(bounded_integers_are_in_range_and_even),
        cmocka_unit_test(bounded_integers_have_no_bias),
        cmocka_unit_test(bounded_integers_below_powers_of_two_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
