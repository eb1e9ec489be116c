/* SPDX-License-Identifier: MIT */
/* Pooling against a naive twin: max exactly, average in double. u = 2^-24 is one rounding to float. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/compare.h"

/* n, c, in, out, kernel, stride, before, count_padding; out written by hand where a window goes beyond (ceil). */
static const dirac__pooling shapes[] = {
    {1, 1, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, 1},
    {2, 3, {1, 1, 7}, {1, 1, 3}, {1, 1, 2}, {1, 1, 2}, {0, 0, 0}, 1},  /* a pixel in no window */
    {2, 17, {1, 7, 9}, {1, 4, 5}, {1, 3, 3}, {1, 2, 2}, {0, 1, 1}, 1}, /* overlap and padding */
    {2, 17, {1, 7, 9}, {1, 4, 5}, {1, 3, 3}, {1, 2, 2}, {0, 1, 1}, 0},
    {3, 64, {1, 16, 16}, {1, 8, 8}, {1, 2, 2}, {1, 2, 2}, {0, 0, 0}, 1},
    {2,
     70,
     {1, 8, 8},
     {1, 4, 4},
     {1, 3, 3},
     {1, 2, 2},
     {0, 0, 0},
     1}, /* ceil: last windows beyond the image */
    {2,
     5,
     {1, 6, 6},
     {1, 4, 4},
     {1, 3, 3},
     {1, 2, 2},
     {0, 1, 1},
     1}, /* ceil and padding: beyond both */
    {2, 5, {1, 6, 6}, {1, 4, 4}, {1, 3, 3}, {1, 2, 2}, {0, 1, 1}, 0},
    {1, 7, {3, 5, 4}, {2, 3, 2}, {2, 3, 3}, {1, 1, 2}, {0, 0, 1}, 1},
    {2, 3, {4, 5, 6}, {2, 5, 2}, {3, 3, 2}, {2, 1, 4}, {1, 1, 0}, 0},
    {4, 10, {1, 9, 9}, {1, 3, 3}, {1, 2, 2}, {1, 3, 3}, {0, 0, 0}, 1},  /* gaps between windows */
    {5, 130, {1, 8, 8}, {1, 1, 1}, {1, 8, 8}, {1, 8, 8}, {0, 0, 0}, 1}, /* global */
    {1, 3, {1, 90, 90}, {1, 1, 1}, {1, 90, 90}, {1, 1, 1}, {0, 0, 0}, 1},
    {1, 2, {1, 12, 12}, {1, 12, 12}, {1, 9, 9}, {1, 1, 1}, {0, 4, 4}, 1},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static size_t floats_of(const dirac__pooling *p, const int64_t size[3])
{
    return (size_t)(p->n * size[0] * size[1] * size[2] * p->c);
}

/* What a twin sees of one window of one channel, tap by tap in order. `at`: the place in x. */
typedef void (*tap_fn)(void *user, size_t at, uint32_t tap);

static void each_tap(const dirac__pooling *p, size_t out, tap_fn fn, void *user)
{
    int64_t rest = (int64_t)out / p->c, o[3], image;
    uint32_t tap = 0;

    for (int dim = 2; dim >= 0; dim--) {
        o[dim] = rest % p->out[dim];
        rest /= p->out[dim];
    }
    image = rest;
    for (int64_t kd = 0; kd < p->kernel[0]; kd++) {
        for (int64_t kh = 0; kh < p->kernel[1]; kh++) {
            for (int64_t kw = 0; kw < p->kernel[2]; kw++, tap++) {
                int64_t d = o[0] * p->stride[0] - p->before[0] + kd;
                int64_t h = o[1] * p->stride[1] - p->before[1] + kh;
                int64_t w = o[2] * p->stride[2] - p->before[2] + kw;

                if (d >= 0 && d < p->in[0] && h >= 0 && h < p->in[1] && w >= 0 && w < p->in[2])
                    fn(user,
                       (size_t)((((image * p->in[0] + d) * p->in[1] + h) * p->in[2] + w) * p->c) +
                           out % (size_t)p->c,
                       tap);
            }
        }
    }
}

typedef struct window_twin {
    const float *x;
    size_t best; /* place of the largest */
    uint32_t where;
    int taps;
    double sum, magnitude;
    double *dx, *dx_off; /* backward: share is added to each */
    double share;
} window_twin;

static void see_tap(void *user, size_t at, uint32_t tap)
{
    window_twin *t = user;
    float v = t->x[at];

    if (t->taps++ == 0 || v > t->x[t->best] || (isnan(v) && !isnan(t->x[t->best]))) {
        t->best = at;
        t->where = tap;
    }
    t->sum += (double)v;
    t->magnitude += fabs((double)v);
}

static void share_tap(void *user, size_t at, uint32_t tap)
{
    window_twin *t = user;

    (void)tap;
    t->dx[at] += t->share;
    t->dx_off[at] += fabs(t->share);
}

/* Additions that meet in one element of dx: the windows that hold it, at most. Each adds u times what was added. */
static double chain(const dirac__pooling *p)
{
    double windows = 1;

    for (int dim = 0; dim < 3; dim++)
        windows *= (double)((p->kernel[dim] + p->stride[dim] - 1) / p->stride[dim]);
    return windows;
}

/* Few different values, so that windows hold ties, and NaNs. */
static float *tied_floats(size_t count)
{
    float *x = random_floats(count, 1, -3, 3);

    for (size_t i = 0; i < count; i++) {
        x[i] = floorf(x[i]);
        if (i % 41 == 7)
            x[i] = NAN;
        if (i % 23 == 5)
            x[i] = -INFINITY;
    }
    return x;
}

static void check_max(kernel_run *run, const dirac__pooling *p, float *x)
{
    size_t in = floats_of(p, p->in), out = floats_of(p, p->out);
    float *y = new_floats(out), *again = new_floats(out), *want = new_floats(out);
    float *dy = random_floats(out, 2, -1, 1), *dx = random_floats(in, 3, -1, 1);
    uint32_t *where = calloc(out, sizeof *where);
    double *want_dx = new_doubles(in), *off = new_doubles(in);

    assert_non_null(where);
    run->kernels->max_pool(y, where, x, p, run->team);
    run->kernels->max_pool(again, NULL, x, p, run->team);
    check_bits("max without places", again, y, out);
    run->kernels->max_pool_backward(dx, where, dy, p, run->team);
    for (size_t o = 0; o < out; o++) {
        window_twin t = {.x = x};

        each_tap(p, o, see_tap, &t);
        assert_true(t.taps > 0);
        want[o] = x[t.best];
        if (where[o] != t.where)
            fail_msg("max at %zu came from tap %u, not %u", o, (unsigned)where[o],
                     (unsigned)t.where);
        want_dx[t.best] += (double)dy[o];
        off[t.best] += chain(p) * ROUNDING * fabs((double)dy[o]);
    }
    check_bits("max", y, want, out);
    check_close("max backward", dx, want_dx, off, in);
    witness(run, y, out * sizeof *y);
    witness(run, dx, in * sizeof *dx);
    free(x);
    free(y);
    free(again);
    free(want);
    free(dy);
    free(dx);
    free(where);
    free(want_dx);
    free(off);
}

static void max_pools(kernel_run *run)
{
    for (int i = 0; i < SHAPES; i++) {
        check_max(run, &shapes[i], random_floats(floats_of(&shapes[i], shapes[i].in), 4, -1, 1));
        check_max(run, &shapes[i], tied_floats(floats_of(&shapes[i], shapes[i].in)));
    }
}

/* As PyTorch: a window is cut at the image and its padding to give the divisor, or at the image alone. */
static double divisor(const dirac__pooling *p, size_t out)
{
    int64_t rest = (int64_t)out / p->c, product = 1;

    for (int dim = 2; dim >= 0; dim--) {
        int64_t start = rest % p->out[dim] * p->stride[dim] - p->before[dim];
        int64_t end = start + p->kernel[dim];
        int64_t limit = p->in[dim] + (p->count_padding ? p->before[dim] : 0);

        end = end < limit ? end : limit;
        start = p->count_padding || start > 0 ? start : 0;
        product *= end - start;
        rest /= p->out[dim];
    }
    return (double)product;
}

/* A line of a window is summed, then its lines: no chain of additions is longer than the two numbers together. */
static void check_average(kernel_run *run, const dirac__pooling *p)
{
    size_t in = floats_of(p, p->in), out = floats_of(p, p->out);
    float *x = random_floats(in, 5, -1, 2), *y = new_floats(out);
    float *dy = random_floats(out, 6, -1, 1), *dx = random_floats(in, 7, -1, 1);
    double *want = new_doubles(out), *off = new_doubles(out);
    window_twin back = {.x = x, .dx = new_doubles(in), .dx_off = new_doubles(in)};
    double additions = (double)(p->kernel[2] + p->kernel[0] * p->kernel[1]);

    run->kernels->average_pool(y, x, p, run->team);
    run->kernels->average_pool_backward(dx, dy, p, run->team);
    for (size_t o = 0; o < out; o++) {
        window_twin t = {.x = x};

        each_tap(p, o, see_tap, &t);
        want[o] = t.sum / divisor(p, o);
        off[o] = (additions * t.magnitude / divisor(p, o) + fabs(want[o])) * ROUNDING;
        back.share = (double)dy[o] / divisor(p, o);
        each_tap(p, o, share_tap, &back);
    }
    for (size_t i = 0; i < in; i++)
        back.dx_off[i] *= (chain(p) + 2) * ROUNDING; /* and the reciprocal and the product */
    check_close("average", y, want, off, out);
    check_close("average backward", dx, back.dx, back.dx_off, in);
    witness(run, y, out * sizeof *y);
    witness(run, dx, in * sizeof *dx);
    free(x);
    free(y);
    free(dy);
    free(dx);
    free(want);
    free(off);
    free(back.dx);
    free(back.dx_off);
}

static void average_pools(kernel_run *run)
{
    for (int i = 0; i < SHAPES; i++)
        check_average(run, &shapes[i]);
}

/* PyTorch 1.13, avg_pool1d([1..6], 3, stride 2, padding 1, ceil_mode): windows (0 1 2) (2 3 4) (4 5 6) (6), the last
 * one cut at the padding's end: 1, 3, 5 and 6 / 2. Not counting padding: 1.5, 3, 5, 6. */
static void by_hand(kernel_run *run)
{
    dirac__pooling p = {1, 1, {1, 1, 6}, {1, 1, 4}, {1, 1, 3}, {1, 1, 2}, {0, 0, 1}, 1};
    const float x[6] = {1, 2, 3, 4, 5, 6}, counted[4] = {1, 3, 5, 3},
                uncounted[4] = {1.5f, 3, 5, 6};
    float y[4];

    run->kernels->average_pool(y, x, &p, run->team);
    check_bits("counted", y, counted, 4);
    p.count_padding = 0;
    run->kernels->average_pool(y, x, &p, run->team);
    check_bits("uncounted", y, uncounted, 4);
}

/* All the same number, not exact in binary: roundings of one long chain of additions would all go the same way. */
static void large_window(kernel_run *run)
{
    const dirac__pooling p = {1,         3, {1, 150, 150}, {1, 1, 1}, {1, 150, 150}, {1, 1, 1},
                              {0, 0, 0}, 1};
    size_t count = floats_of(&p, p.in);
    float *x = new_floats(count), y[3];

    for (size_t i = 0; i < count; i++)
        x[i] = 0.1f;
    run->kernels->average_pool(y, x, &p, run->team);
    for (int i = 0; i < 3; i++)
        assert_true(fabs((double)y[i] - (double)0.1f) <= 300 * ROUNDING * 0.1);
    free(x);
}

/* An image of a batch gives the bits it gives alone. */
static void alone(kernel_run *run)
{
    for (int i = 0; i < SHAPES; i++) {
        dirac__pooling p = shapes[i];
        size_t in = floats_of(&p, p.in), out = floats_of(&p, p.out), last = (size_t)(p.n - 1);
        float *x = random_floats(in, 8, -1, 1), *y = new_floats(out), *one = new_floats(out);

        run->kernels->average_pool(y, x, &p, run->team);
        in /= (size_t)p.n;
        out /= (size_t)p.n;
        p.n = 1;
        run->kernels->average_pool(one, x + last * in, &p, run->team);
        check_bits("average of one image", one, y + last * out, out);
        free(x);
        free(y);
        free(one);
    }
}

static void test_max(void **state)
{
    (void)state;
    for_each_run(max_pools);
}

static void test_average(void **state)
{
    (void)state;
    for_each_run(average_pools);
    for_each_run(by_hand);
    for_each_run(large_window);
    for_each_run(alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max),
        cmocka_unit_test(test_average),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
