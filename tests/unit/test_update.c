/* SPDX-License-Identifier: MIT */
/* The optimizer's arithmetic against its formulas in double. u = 2^-24 is one rounding to float. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/compare.h"

static const size_t counts[] = {1, 3, 7, 17, 16385, 50001};
enum { COUNTS = sizeof counts / sizeof *counts };

typedef struct rule {
    float rate, momentum, decay, scale;
    int32_t nesterov, first;
} rule;

static const rule rules[] = {
    {0.1f, 0.9f, 5e-4f, 1, 0, 0},   {0.1f, 0.9f, 5e-4f, 1, 0, 1},
    {0.1f, 0.9f, 0.3f, 0.7f, 1, 0}, {0.1f, 0.9f, 0.3f, 0.7f, 1, 1},
    {0.5f, 0, 0, 1, 0, 0},          {0.5f, 0.25f, 0.125f, 0.01f, 0, 0},
};
enum { RULES = sizeof rules / sizeof *rules };

/* The twin in double takes one step; each number is made with at most six roundings of terms no larger than these. */
static void check_step(kernel_run *run, size_t count, const rule *r)
{
    float *p = random_floats(count, 1, -1, 1), *v = random_floats(count, 2, -1, 1),
          *g = random_floats(count, 3, -1, 1);
    double *want_p = new_doubles(count), *want_v = new_doubles(count);
    double *off_p = new_doubles(count), *off_v = new_doubles(count);
    double rate = (double)r->rate, momentum = (double)r->momentum;

    for (size_t i = 0; i < count; i++) {
        double d = (double)g[i] * (double)r->scale + (double)r->decay * (double)p[i];
        double size = fabs((double)g[i] * (double)r->scale) + fabs((double)r->decay * (double)p[i]);
        double kept = r->first ? 0 : momentum * (double)v[i];

        want_v[i] = kept + d;
        want_p[i] = (double)p[i] - rate * (r->nesterov ? d + momentum * want_v[i] : want_v[i]);
        off_v[i] = 4 * ROUNDING * (size + fabs(kept));
        off_p[i] =
            ROUNDING * fabs(want_p[i]) + 6 * ROUNDING * rate * (1 + momentum) * (size + fabs(kept));
    }
    if (r->first)
        v[count / 2] = NAN; /* v is not read */
    run->kernels->sgd_update(p, v, g, count, r->rate, r->momentum, r->decay, r->scale, r->nesterov,
                             r->first, run->team);
    check_close("v", v, want_v, off_v, count);
    check_close("p", p, want_p, off_p, count);
    witness(run, p, count * sizeof *p);
    witness(run, v, count * sizeof *v);
    free(p);
    free(v);
    free(g);
    free(want_p);
    free(want_v);
    free(off_p);
    free(off_v);
}

static void steps(kernel_run *run)
{
    for (int i = 0; i < COUNTS; i++)
        for (int j = 0; j < RULES; j++)
            check_step(run, counts[i], &rules[j]);
}

/* Two steps by hand, numbers exact in binary: p 1, g 1, rate 1/4, momentum 1/2, decay 1/2: d = 3/2, v = 3/2, p = 5/8;
 * then d = 1 + 5/16 = 21/16, v = 3/4 + 21/16 = 33/16, p = 5/8 - 33/64 = 7/64. */
static void by_hand(kernel_run *run)
{
    float p = 1, v = 5, g = 1;

    run->kernels->sgd_update(&p, &v, &g, 1, 0.25f, 0.5f, 0.5f, 1, 0, 1, run->team);
    assert_true(v == 1.5f && p == 0.625f);
    run->kernels->sgd_update(&p, &v, &g, 1, 0.25f, 0.5f, 0.5f, 1, 0, 0, run->team);
    assert_true(v == 33.0f / 16 && p == 7.0f / 64);
}

static void check_squares(kernel_run *run, size_t count)
{
    float *g = random_floats(count, 4, -2, 1);
    double *scratch = new_doubles(run->kernels->squares_scratch(count));
    long double want = 0;

    for (size_t i = 0; i < count; i++)
        want += (long double)g[i] * (long double)g[i];
    double got = run->kernels->squares(g, scratch, count, run->team);
    /* Squares of floats are exact in double; no sum is longer than a block / 16 + 16 + the blocks. */
    assert_true(fabsl((long double)got - want) <= 1100 * 0x1p-53L * want);
    witness(run, &got, sizeof got);

    g[count / 2] = 3e38f; /* whose square a float could not hold */
    assert_true(isfinite(run->kernels->squares(g, scratch, count, run->team)));
    g[count - 1] = INFINITY;
    assert_false(isfinite(run->kernels->squares(g, scratch, count, run->team)));
    g[count - 1] = NAN;
    assert_false(isfinite(run->kernels->squares(g, scratch, count, run->team)));
    free(g);
    free(scratch);
}

static void squares(kernel_run *run)
{
    for (int i = 0; i < COUNTS; i++)
        check_squares(run, counts[i]);
}

static void test_step(void **state)
{
    (void)state;
    for_each_run(steps);
    for_each_run(by_hand);
}

static void test_squares(void **state)
{
    (void)state;
    for_each_run(squares);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_step),
        cmocka_unit_test(test_squares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
