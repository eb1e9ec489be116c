/* SPDX-License-Identifier: MIT */
/* Element by element kernels, softmax and layouts against their formulas in double. u = 2^-24: a rounding to float. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/compare.h"

static const size_t counts[] = {1, 3, 7, 17, 255, 257, 50001};
enum { COUNTS = sizeof counts / sizeof *counts };

typedef struct shape {
    int64_t rows, c;
} shape;

static const shape shapes[] = {{1, 1}, {1, 10}, {3, 7}, {17, 3}, {5, 1000}, {2, 300}, {6000, 17}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Random numbers on both sides of 0, with every special value that fits. */
static float *special_floats(size_t count, uint64_t seed)
{
    static const float special[] = {NAN, 0.0f, -0.0f, INFINITY, -INFINITY, 0x1p-149f, -0x1p-149f};
    float *x = random_floats(count, seed, -4, 4);

    for (size_t i = 0; i < sizeof special / sizeof *special && 2 * i + 1 < count; i++)
        x[2 * i + 1] = special[i];
    return x;
}

/* Doubles that hold what a kernel must give exactly. */
static void check_exact(const char *what, const float *got, const double *want, size_t count)
{
    double *none = new_doubles(count);

    check_close(what, got, want, none, count);
    free(none);
}

/* ---- ReLU and NCReLU ---- */

static void check_relu(kernel_run *run, size_t count)
{
    float *x = special_floats(count, 1), *dy = random_floats(count, 2, -1, 1);
    float *y = new_floats(count), *dx = new_floats(count);
    double *want = new_doubles(count), *dwant = new_doubles(count);

    for (size_t i = 0; i < count; i++) {
        want[i] = isnan(x[i]) || x[i] > 0 ? (double)x[i] : 0;
        dwant[i] = x[i] > 0 ? (double)dy[i] : 0;
    }
    run->kernels->relu(y, x, count, run->team);
    check_exact("relu", y, want, count);
    for (size_t i = 0; i < count; i++)
        assert_true(isnan(y[i]) || !signbit(y[i]));
    run->kernels->relu_backward(dx, y, dy, count, run->team);
    check_exact("relu backward", dx, dwant, count);
    witness(run, y, count * sizeof *y);
    witness(run, dx, count * sizeof *dx);

    run->kernels->relu(x, x, count, run->team);
    check_bits("relu in place", x, y, count);
    run->kernels->relu_backward(dy, y, dy, count, run->team);
    check_bits("relu backward in place", dy, dx, count);
    free(x);
    free(dy);
    free(y);
    free(dx);
    free(want);
    free(dwant);
}

static void relus(kernel_run *run)
{
    for (int i = 0; i < COUNTS; i++)
        check_relu(run, counts[i]);
}

static void check_ncrelu(kernel_run *run, shape s)
{
    size_t count = (size_t)(s.rows * s.c), c = (size_t)s.c;
    float *x = special_floats(count, 3), *dy = random_floats(2 * count, 4, -1, 1);
    float *y = new_floats(2 * count), *dx = new_floats(count);
    double *want = new_doubles(2 * count), *dwant = new_doubles(count);

    for (size_t i = 0; i < count; i++) {
        size_t positive = i / c * 2 * c + i % c, negative = positive + c;

        want[positive] = isnan(x[i]) || x[i] > 0 ? (double)x[i] : 0;
        want[negative] = isnan(x[i]) || x[i] < 0 ? (double)x[i] : 0;
        dwant[i] = x[i] > 0 ? (double)dy[positive] : x[i] < 0 ? (double)dy[negative] : 0;
    }
    run->kernels->ncrelu(y, x, s.rows, s.c, run->team);
    check_exact("ncrelu", y, want, 2 * count);
    run->kernels->ncrelu_backward(dx, x, dy, s.rows, s.c, run->team);
    check_exact("ncrelu backward", dx, dwant, count);
    witness(run, y, 2 * count * sizeof *y);
    witness(run, dx, count * sizeof *dx);
    free(x);
    free(dy);
    free(y);
    free(dx);
    free(want);
    free(dwant);
}

static void ncrelus(kernel_run *run)
{
    for (int i = 0; i < SHAPES; i++)
        check_ncrelu(run, shapes[i]);
}

/* ---- ELU ---- */

/* expm1f may be off by a unit or two in the last place (up to 4 u), its product with alpha by u; below the normal
 * numbers a unit is 2^-149. */
static void check_elu(kernel_run *run, size_t count, float alpha)
{
    float *x = special_floats(count, 5), *dy = random_floats(count, 6, -1, 1);
    float *y = new_floats(count), *dx = new_floats(count);
    double *want = new_doubles(count), *off = new_doubles(count);

    for (size_t i = 0; i < count; i++) {
        want[i] = x[i] > 0 ? (double)x[i] : (double)alpha * expm1((double)x[i]);
        off[i] = x[i] > 0 ? 0 : 5 * ROUNDING * fabs(want[i]) + 0x1p-148;
    }
    run->kernels->elu(y, x, alpha, count, run->team);
    check_close("elu", y, want, off, count);

    for (size_t i = 0; i < count; i++) {
        want[i] = (double)dy[i] * (y[i] > 0 ? 1 : (double)y[i] + (double)alpha);
        off[i] = y[i] > 0 ? 0 : 2 * ROUNDING * fabs(want[i]);
    }
    run->kernels->elu_backward(dx, y, dy, alpha, count, run->team);
    check_close("elu backward", dx, want, off, count);
    witness(run, y, count * sizeof *y);
    witness(run, dx, count * sizeof *dx);

    run->kernels->elu(x, x, alpha, count, run->team);
    check_bits("elu in place", x, y, count);
    run->kernels->elu_backward(dy, y, dy, alpha, count, run->team);
    check_bits("elu backward in place", dy, dx, count);
    free(x);
    free(dy);
    free(y);
    free(dx);
    free(want);
    free(off);
}

static void elus(kernel_run *run)
{
    for (int i = 0; i < COUNTS; i++) {
        check_elu(run, counts[i], 1.0f);
        check_elu(run, counts[i], 0.3f);
    }
}

/* ---- sums, copies, dropout ---- */

static void check_add_and_copy(kernel_run *run, size_t count)
{
    float *a = special_floats(count, 7), *b = random_floats(count, 8, -1, 1),
          *y = new_floats(count);
    double *want = new_doubles(count);

    for (size_t i = 0; i < count; i++)
        want[i] =
            (double)(float)((double)a[i] + (double)b[i]); /* float addition rounds the exact sum */
    run->kernels->add(y, a, b, count, run->team);
    check_exact("add", y, want, count);
    witness(run, y, count * sizeof *y);
    run->kernels->add(b, a, b, count, run->team);
    check_bits("add in place", b, y, count);
    run->kernels->copy(y, a, count, run->team);
    check_bits("copy", y, a, count);
    run->kernels->copy(a, a, count, run->team);
    check_bits("copy in place", a, y, count);
    free(a);
    free(b);
    free(y);
    free(want);
}

static void adds(kernel_run *run)
{
    for (int i = 0; i < COUNTS; i++)
        check_add_and_copy(run, counts[i]);
}

/* Which are dropped is exact; 1 / (1 - rate) and the product are rounded once each. */
static void check_dropout(kernel_run *run, size_t count, float rate)
{
    const dirac__random random = {0x0123456789ABCDEFu, 0xFEDCBA9876543210u};
    float *x = random_floats(count, 9, 1, 2), *y = new_floats(count);
    double *want = new_doubles(count), *off = new_doubles(count);
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        int keep = dirac__random_uniform(&random, i) >= rate;

        want[i] = keep ? (double)x[i] / (1 - (double)rate) : 0;
        off[i] = keep ? 2.01 * ROUNDING * want[i] : 0;
        kept += (size_t)keep;
    }
    run->kernels->dropout(y, x, rate, &random, count, run->team);
    check_close("dropout", y, want, off, count);
    witness(run, y, count * sizeof *y);
    run->kernels->dropout(x, x, rate, &random, count, run->team);
    check_bits("dropout in place", x, y, count);
    if (count > 10000) /* within five standard deviations */
        assert_true(fabs((double)kept / (double)count - (1 - (double)rate)) <
                    5 * sqrt((double)rate * (1 - (double)rate) / (double)count) + 1e-12);
    free(x);
    free(y);
    free(want);
    free(off);
}

/* The number equal to the rate is kept. */
static void dropout_edge(kernel_run *run)
{
    const dirac__random random = {1, 2};
    float x[6] = {1, 1, 1, 1, 1, 1}, y[6];

    run->kernels->dropout(y, x, dirac__random_uniform(&random, 5), &random, 6, run->team);
    assert_true(y[5] > 1);
}

static void dropouts(kernel_run *run)
{
    static const float rates[] = {0, 0.1f, 0.5f, 0.99f};

    for (int i = 0; i < COUNTS; i++)
        for (int j = 0; j < 4; j++)
            check_dropout(run, counts[i], rates[j]);
}

/* ---- layouts ---- */

static void check_copy_channels(kernel_run *run, shape s, int64_t to_stride, int64_t from_stride)
{
    size_t to = (size_t)(s.rows * to_stride), from = (size_t)(s.rows * from_stride);
    float *x = random_floats(from, 10, -1, 1), *y = random_floats(to, 11, -1, 1),
          *want = random_floats(to, 11, -1, 1);

    for (int64_t r = 0; r < s.rows; r++)
        for (int64_t ch = 0; ch < s.c; ch++)
            want[r * to_stride + ch] = x[r * from_stride + ch];
    run->kernels->copy_channels(y, to_stride, x, from_stride, s.rows, s.c, run->team);
    check_bits("copy channels", y, want, to);
    free(x);
    free(y);
    free(want);
}

static void check_layouts(kernel_run *run, int64_t n, int64_t c, int64_t s)
{
    size_t count = (size_t)(n * c * s);
    float *last = random_floats(count, 12, -1, 1), *first = new_floats(count),
          *want = new_floats(count);

    for (int64_t i = 0; i < n; i++)
        for (int64_t ch = 0; ch < c; ch++)
            for (int64_t p = 0; p < s; p++)
                want[(i * c + ch) * s + p] = last[(i * s + p) * c + ch];
    run->kernels->to_channels_first(first, last, n, c, s, run->team);
    check_bits("to channels first", first, want, count);
    run->kernels->to_channels_last(want, first, n, c, s, run->team);
    check_bits("to channels last", want, last, count);
    free(last);
    free(first);
    free(want);
}

static void layouts(kernel_run *run)
{
    static const int64_t sizes[][3] = {{1, 1, 1},   {2, 3, 1025}, {3, 17, 33},
                                       {5, 64, 49}, {40, 100, 1}, {2, 1, 40000}};

    for (int i = 0; i < 6; i++)
        check_layouts(run, sizes[i][0], sizes[i][1], sizes[i][2]);
    for (int i = 0; i < SHAPES; i++) {
        check_copy_channels(run, shapes[i], shapes[i].c, shapes[i].c + 5);
        check_copy_channels(run, shapes[i], shapes[i].c + 3, shapes[i].c);
    }
}

/* ---- softmax ---- */

/* x - max is rounded, which moves its exponential by u |x - max|; expf is off by at most 2 u, the quotient by u. The
 * sum (in double) is off by the largest of these. */
static void softmax_twin(double *want, double *off, const float *x, int64_t c)
{
    double largest = -INFINITY, sum = 0, widest = 0;

    /* Not fmax(): GCC 12 for arm64 falls over loops that keep the largest with it. */
    for (int64_t i = 0; i < c; i++)
        largest = (double)x[i] > largest ? (double)x[i] : largest;
    for (int64_t i = 0; i < c; i++) {
        sum += exp((double)x[i] - largest);
        widest = largest - (double)x[i] > widest ? largest - (double)x[i] : widest;
    }
    for (int64_t i = 0; i < c; i++) {
        want[i] = exp((double)x[i] - largest) / sum;
        off[i] = want[i] * (largest - (double)x[i] + widest + 6) * ROUNDING + 0x1p-149;
    }
}

static void check_softmax(kernel_run *run, shape s)
{
    size_t count = (size_t)(s.rows * s.c), c = (size_t)s.c;
    float *x = random_floats(count, 13, -30, 30), *dy = random_floats(count, 14, -1, 1);
    float *y = new_floats(count), *dx = new_floats(count);
    double *want = new_doubles(count), *off = new_doubles(count);

    for (size_t r = 0; r < count; r += c)
        softmax_twin(want + r, off + r, x + r, s.c);
    run->kernels->softmax(y, x, s.rows, s.c, run->team);
    check_close("softmax", y, want, off, count);

    /* The kernel adds in double and rounds once. */
    for (size_t r = 0; r < count; r += c) {
        double dot = 0;

        for (size_t i = r; i < r + c; i++)
            dot += (double)y[i] * (double)dy[i];
        for (size_t i = r; i < r + c; i++) {
            want[i] = (double)y[i] * ((double)dy[i] - dot);
            off[i] = ROUNDING * fabs(want[i]) + 1e-12 * (double)y[i] + 0x1p-149;
        }
    }
    run->kernels->softmax_backward(dx, y, dy, s.rows, s.c, run->team);
    check_close("softmax backward", dx, want, off, count);
    witness(run, y, count * sizeof *y);
    witness(run, dx, count * sizeof *dx);

    run->kernels->softmax(x, x, s.rows, s.c, run->team);
    check_bits("softmax in place", x, y, count);
    run->kernels->softmax_backward(dy, y, dy, s.rows, s.c, run->team);
    check_bits("softmax backward in place", dy, dx, count);
    free(x);
    free(dy);
    free(y);
    free(dx);
    free(want);
    free(off);
}

static void softmaxes(kernel_run *run)
{
    for (int i = 0; i < SHAPES; i++)
        check_softmax(run, shapes[i]);
}

static void softmax_extremes(kernel_run *run)
{
    float x[6] = {3e38f, -3e38f, -INFINITY, 1, NAN, 2}, y[6];

    run->kernels->softmax(y, x, 2, 3, run->team);
    assert_true(y[0] == 1 && y[1] == 0 && y[2] == 0);
    assert_true(isnan(y[3]) && isnan(y[4]) && isnan(y[5]));
}

static void test_relu(void **state)
{
    (void)state;
    for_each_run(relus);
}

static void test_ncrelu(void **state)
{
    (void)state;
    for_each_run(ncrelus);
}

static void test_elu(void **state)
{
    (void)state;
    for_each_run(elus);
}

static void test_add_and_copy(void **state)
{
    (void)state;
    for_each_run(adds);
}

static void test_dropout(void **state)
{
    (void)state;
    for_each_run(dropouts);
    for_each_run(dropout_edge);
}

static void test_layouts(void **state)
{
    (void)state;
    for_each_run(layouts);
}

static void test_softmax(void **state)
{
    (void)state;
    for_each_run(softmaxes);
    for_each_run(softmax_extremes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relu),    cmocka_unit_test(test_ncrelu),
        cmocka_unit_test(test_elu),     cmocka_unit_test(test_add_and_copy),
        cmocka_unit_test(test_dropout), cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_softmax),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
