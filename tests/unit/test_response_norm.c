/* SPDX-License-Identifier: MIT */
/* Local response norm against the formula in double; its backward against the Jacobian written out. u = 2^-24. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/compare.h"

typedef struct problem {
    int64_t rows, c, size;
    float alpha, beta, k;
} problem;

static const problem problems[] = {
    {3, 7, 5, 1e-4f, 0.75f, 1}, {5, 17, 4, 2, 0.5f, 2},        {2, 3, 9, 1, 0.75f, 1},
    {1, 1, 1, 0.5f, 1, 1},      {2, 600, 300, 3, 0.75f, 1.5f}, {4, 300, 1, 1, 2, 1},
    {700, 64, 5, 1, 0.75f, 2},  {2, 20, 4096, 50, 0.75f, 1},
};
enum { PROBLEMS = sizeof problems / sizeof *problems };

static int in_window(int64_t i, int64_t j, int64_t size)
{
    return i >= j - size / 2 && i <= j + (size - 1) / 2;
}

/* s_j = k + alpha/size sum x_i^2 over the window of j. */
static void twin_forward(double *s, double *y, const float *x, const problem *p)
{
    for (int64_t j = 0; j < p->c; j++) {
        double sum = 0;

        for (int64_t i = 0; i < p->c; i++)
            if (in_window(i, j, p->size))
                sum += (double)x[i] * (double)x[i];
        s[j] = (double)p->k + (double)p->alpha / (double)p->size * sum;
        y[j] = (double)x[j] * pow(s[j], -(double)p->beta);
    }
}

/* dx_i = sum_j dy_j dy_j/dx_i; magnitude: the sum of what is added. */
static void twin_backward(double *dx, double *magnitude, const double *s, const float *x,
                          const float *dy, const problem *p)
{
    double beta = (double)p->beta, share = (double)p->alpha / (double)p->size;

    for (int64_t i = 0; i < p->c; i++) {
        dx[i] = magnitude[i] = 0;
        for (int64_t j = 0; j < p->c; j++) {
            double own = i == j ? pow(s[j], -beta) : 0, through = 0;

            if (in_window(i, j, p->size))
                through = beta * (double)x[j] * pow(s[j], -beta - 1) * 2 * share * (double)x[i];
            dx[i] += (double)dy[j] * (own - through);
            magnitude[i] += fabs((double)dy[j]) * (own + fabs(through));
        }
    }
}

/* A sum of m squares, all positive, is off by a factor of at most (m + 3) u with the division and k; the power passes
 * on beta times that and adds 3 u of its own and of the product. The backward adds a chain of m more. */
static void check_problem(kernel_run *run, const problem *p)
{
    size_t count = (size_t)(p->rows * p->c);
    float *x = random_floats(count, 1, -2, 2), *dy = random_floats(count, 2, -1, 1);
    float *y = new_floats(count), *s = new_floats(count), *dx = new_floats(count);
    double *want_y = new_doubles(count), *want_s = new_doubles(count),
           *want_dx = new_doubles(count);
    double *off_y = new_doubles(count), *off_s = new_doubles(count), *off_dx = new_doubles(count);
    double terms = (double)(p->size < p->c ? p->size : p->c) + 3;

    for (size_t r = 0; r < count; r += (size_t)p->c) {
        twin_forward(want_s + r, want_y + r, x + r, p);
        twin_backward(want_dx + r, off_dx + r, want_s + r, x + r, dy + r, p);
    }
    for (size_t i = 0; i < count; i++) {
        double power = ((double)p->beta * terms + 4) * ROUNDING;

        off_s[i] = terms * ROUNDING * want_s[i];
        off_y[i] = power * fabs(want_y[i]);
        off_dx[i] *= power + 2 * (terms + 4) * ROUNDING;
    }
    run->kernels->response_norm(y, s, x, p->rows, p->c, p->size, p->alpha, p->beta, p->k,
                                run->team);
    check_close("s", s, want_s, off_s, count);
    check_close("y", y, want_y, off_y, count);
    run->kernels->response_norm_backward(dx, x, y, s, dy, p->rows, p->c, p->size, p->alpha, p->beta,
                                         run->team);
    check_close("dx", dx, want_dx, off_dx, count);
    witness(run, y, count * sizeof *y);
    witness(run, dx, count * sizeof *dx);

    run->kernels->response_norm(dx, NULL, x, p->rows, p->c, p->size, p->alpha, p->beta, p->k,
                                run->team);
    check_bits("y without s", dx, y, count);
    float *floats[] = {x, dy, y, s, dx};
    double *doubles[] = {want_y, want_s, want_dx, off_y, off_s, off_dx};
    for (int i = 0; i < 5; i++)
        free(floats[i]);
    for (int i = 0; i < 6; i++)
        free(doubles[i]);
}

static void all_problems(kernel_run *run)
{
    for (int i = 0; i < PROBLEMS; i++)
        check_problem(run, &problems[i]);
}

/* A NaN or a huge value reaches its windows and nothing else. */
static void stays_local(kernel_run *run)
{
    float x[12] = {1, 1, NAN, 1, 1, 1, 1, 1, 1e15f, 1, 1, 1}, y[12];

    run->kernels->response_norm(y, NULL, x, 1, 12, 3, 3, 0.5f, 1, run->team);
    for (int i = 0; i < 12; i++) {
        if (i >= 1 && i <= 3)
            assert_true(isnan(y[i]));
        else if (i >= 7 && i <= 9)
            assert_true(y[i] <= 1);
        else
            assert_true(fabsf(y[i] - 1 / sqrtf(i == 0 || i == 11 ? 3 : 4)) < 1e-6f);
    }
}

static void test_formula(void **state)
{
    (void)state;
    for_each_run(all_problems);
}

static void test_stays_local(void **state)
{
    (void)state;
    for_each_run(stays_local);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formula),
        cmocka_unit_test(test_stays_local),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
