/* SPDX-License-Identifier: MIT */
/* Per-channel kernels against twins in double. u = 2^-24 below is the error of one rounding to float. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/compare.h"

/* The kernels add at most so many floats before they go over to double. */
enum { FLOAT_SUMS = 128 };

typedef struct shape {
    int64_t rows, c;
} shape;

static const shape shapes[] = {{1, 1},     {1, 257},   {3, 2},     {7, 3},
                               {130, 17},  {257, 16},  {5, 300},   {129, 256},
                               {300, 255}, {40000, 3}, {4097, 64}, {1500, 70}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* One shape's inputs, and what the twin says of them. */
typedef struct batch {
    int64_t rows, c;
    size_t count;
    float *x, *dy;
    float *mean, *rstd, *gamma;
    float *scratch;
} batch;

static void batch_make(batch *b, const kernel_run *run, shape s, double low, double high)
{
    *b = (batch){.rows = s.rows, .c = s.c, .count = (size_t)(s.rows * s.c)};
    b->x = random_floats(b->count, 1, low, high);
    b->dy = random_floats(b->count, 2, -1, 0.5);
    b->mean = random_floats((size_t)s.c, 3, low, high);
    b->rstd = random_floats((size_t)s.c, 4, 0.5, 3);
    b->gamma = random_floats((size_t)s.c, 5, -1, 1);
    b->scratch = new_floats(run->kernels->channel_scratch(s.rows, s.c));
}

static void batch_free(batch *b)
{
    free(b->x);
    free(b->dy);
    free(b->mean);
    free(b->rstd);
    free(b->gamma);
    free(b->scratch);
}

/* A sum of floats: FLOAT_SUMS additions, each off by u times what was added so far, and the last rounding. */
static double sum_tolerance(double magnitude, double sum)
{
    return (FLOAT_SUMS * magnitude + fabs(sum)) * ROUNDING;
}

static void check_sum(kernel_run *run, shape s)
{
    batch b;
    batch_make(&b, run, s, -1, 2);
    double *want = new_doubles((size_t)s.c), *tolerance = new_doubles((size_t)s.c);
    float *sum = new_floats((size_t)s.c);

    for (int64_t ch = 0; ch < s.c; ch++) {
        double magnitude = 0;
        for (int64_t r = 0; r < s.rows; r++) {
            want[ch] += (double)b.x[r * s.c + ch];
            magnitude += fabs((double)b.x[r * s.c + ch]);
        }
        tolerance[ch] = sum_tolerance(magnitude, want[ch]);
    }
    run->kernels->channel_sum(sum, b.x, b.scratch, s.rows, s.c, run->team);
    check_close("sum", sum, want, tolerance, (size_t)s.c);
    witness(run, sum, (size_t)s.c * sizeof *sum);
    free(want);
    free(tolerance);
    free(sum);
    batch_free(&b);
}

static void sums(kernel_run *run)
{
    for (int i = 0; i < SHAPES; i++)
        check_sum(run, shapes[i]);
}

/* All the same number, not exact in binary: roundings of one long chain of additions would all go the same way. */
static void long_sums(kernel_run *run)
{
    const int64_t rows = 5000, c = 260;
    float *x = new_floats((size_t)(rows * c)), *sum = new_floats((size_t)c);
    float *scratch = new_floats(run->kernels->channel_scratch(rows, c));

    for (int64_t i = 0; i < rows * c; i++)
        x[i] = 0.1f;
    run->kernels->channel_sum(sum, x, scratch, rows, c, run->team);
    for (int64_t ch = 0; ch < c; ch++) {
        double want = (double)rows * (double)0.1f;
        assert_true(fabs((double)sum[ch] - want) <= sum_tolerance(want, want));
    }
    free(x);
    free(sum);
    free(scratch);
}

/* The mean is off by e <= FLOAT_SUMS u mean|x| + u |mean|. The squares about it are off by e^2 in the mean, by 2 u each
 * for the rounding of x - mean, u for that of the square, and by their sum. */
static void check_moments(kernel_run *run, shape s, double low, double high)
{
    batch b;
    batch_make(&b, run, s, low, high);
    size_t c = (size_t)s.c;
    double *mean = new_doubles(c), *var = new_doubles(c), *mean_off = new_doubles(c),
           *var_off = new_doubles(c);
    float *got_mean = new_floats(c), *got_var = new_floats(c);

    for (int64_t ch = 0; ch < s.c; ch++) {
        double magnitude = 0;
        for (int64_t r = 0; r < s.rows; r++) {
            mean[ch] += (double)b.x[r * s.c + ch] / (double)s.rows;
            magnitude += fabs((double)b.x[r * s.c + ch]) / (double)s.rows;
        }
        for (int64_t r = 0; r < s.rows; r++) {
            double d = (double)b.x[r * s.c + ch] - mean[ch];
            var[ch] += d * d / (double)s.rows;
        }
        mean_off[ch] = sum_tolerance(magnitude, mean[ch]);
        var_off[ch] = mean_off[ch] * mean_off[ch] + (FLOAT_SUMS + 5) * ROUNDING * var[ch];
    }
    run->kernels->channel_moments(got_mean, got_var, b.x, b.scratch, s.rows, s.c, run->team);
    check_close("mean", got_mean, mean, mean_off, c);
    check_close("var", got_var, var, var_off, c);
    witness(run, got_mean, c * sizeof *got_mean);
    witness(run, got_var, c * sizeof *got_var);
    free(mean);
    free(var);
    free(mean_off);
    free(var_off);
    free(got_mean);
    free(got_var);
    batch_free(&b);
}

static void moments(kernel_run *run)
{
    for (int i = 0; i < SHAPES; i++) {
        check_moments(run, shapes[i], -1, 2);
        check_moments(run, shapes[i], 1000,
                      1001); /* mean of squares less square of the mean would be off by 0.1 */
    }
}

/* y = s x + t: the product and the sum are rounded, or only the sum. */
static void check_affine(kernel_run *run, shape s, int32_t relu)
{
    batch b;
    batch_make(&b, run, s, -1, 2);
    double *want = new_doubles(b.count), *tolerance = new_doubles(b.count);
    float *y = new_floats(b.count);

    b.x[b.count / 2] = NAN;
    for (size_t i = 0; i < b.count; i++) {
        double product = (double)b.gamma[i % (size_t)s.c] * (double)b.x[i];
        double v = product + (double)b.mean[i % (size_t)s.c];

        want[i] = relu && v <= 0 ? 0 : v;
        tolerance[i] = (fabs(product) + fabs(v)) * ROUNDING;
    }
    run->kernels->channel_affine(y, b.x, b.gamma, b.mean, relu, s.rows, s.c, run->team);
    check_close("affine", y, want, tolerance, b.count);
    witness(run, y, b.count * sizeof *y);
    run->kernels->channel_affine(b.x, b.x, b.gamma, b.mean, relu, s.rows, s.c, run->team);
    check_bits("affine in place", b.x, y, b.count);
    free(want);
    free(tolerance);
    free(y);
    batch_free(&b);
}

static void affine(kernel_run *run)
{
    for (int i = 0; i < SHAPES; i++) {
        check_affine(run, shapes[i], 0);
        check_affine(run, shapes[i], 1);
    }
}

/* The last rows of a batch alone give the same bits as within it, wherever they fall in a vector. */
static void affine_alone(kernel_run *run)
{
    static const int64_t channels[] = {1, 3, 17, 100, 259};

    for (int i = 0; i < 5; i++) {
        int64_t c = channels[i], rows = 25;
        batch b;
        batch_make(&b, run, (shape){3 * rows, c}, -1, 2);
        float *all = new_floats(b.count), *alone = new_floats(b.count / 3);

        run->kernels->channel_affine(all, b.x, b.gamma, b.mean, 0, 3 * rows, c, run->team);
        for (int64_t n = 0; n < 3; n++) {
            run->kernels->channel_affine(alone, b.x + n * rows * c, b.gamma, b.mean, 0, rows, c,
                                         run->team);
            check_bits("affine of one image", alone, all + n * rows * c, (size_t)(rows * c));
        }
        free(all);
        free(alone);
        batch_free(&b);
    }
}

/* What the formula says, and how far the kernel may be from it. */
typedef struct norm_twin {
    double *dx, *dgamma, *dbeta;
    double *dx_off, *dgamma_off, *dbeta_off;
} norm_twin;

static void norm_twin_free(norm_twin *t)
{
    free(t->dx);
    free(t->dgamma);
    free(t->dbeta);
    free(t->dx_off);
    free(t->dgamma_off);
    free(t->dbeta_off);
}

/* The terms of dgamma are rounded twice (difference, product) before they are summed, the sum once more for the product
 * and once times rstd. The three terms of dx
 * are made with at most six roundings each, and carry what dgamma and dbeta are off by. */
static void norm_twin_channel(norm_twin *t, const batch *b, int64_t ch, int fixed)
{
    double m = (double)b->rows, mean = (double)b->mean[ch], rstd = (double)b->rstd[ch];
    double scale = (double)b->gamma[ch] * rstd, dy_size = 0, product_size = 0;

    for (size_t i = (size_t)ch; i < b->count; i += (size_t)b->c) {
        double dy = (double)b->dy[i], xhat = ((double)b->x[i] - mean) * rstd;

        t->dbeta[ch] += dy;
        t->dgamma[ch] += dy * xhat;
        dy_size += fabs(dy);
        product_size += fabs(dy * xhat);
    }
    t->dbeta_off[ch] = sum_tolerance(dy_size, t->dbeta[ch]);
    t->dgamma_off[ch] = sum_tolerance(product_size, t->dgamma[ch]) + 4 * ROUNDING * product_size;
    for (size_t i = (size_t)ch; i < b->count; i += (size_t)b->c) {
        double dy = (double)b->dy[i], xhat = ((double)b->x[i] - mean) * rstd;
        double shift = fixed ? 0 : t->dbeta[ch] / m, slope = fixed ? 0 : xhat * t->dgamma[ch] / m;

        t->dx[i] = scale * (dy - shift - slope);
        t->dx_off[i] = 6 * ROUNDING * fabs(scale) * (fabs(dy) + fabs(shift) + fabs(slope));
        if (!fixed)
            t->dx_off[i] += fabs(scale) * (t->dbeta_off[ch] + fabs(xhat) * t->dgamma_off[ch]) / m;
    }
}

static norm_twin norm_twin_make(const batch *b, int fixed)
{
    size_t c = (size_t)b->c;
    norm_twin t = {new_doubles(b->count), new_doubles(c), new_doubles(c),
                   new_doubles(b->count), new_doubles(c), new_doubles(c)};

    for (int64_t ch = 0; ch < b->c; ch++)
        norm_twin_channel(&t, b, ch, fixed);
    return t;
}

/* Backward as batch norm puts it together from the two kernels. */
static void backward(kernel_run *run, float *dx, float *dgamma, float *dbeta, const batch *b, int fixed)
{
    const size_t c = (size_t)b->c;
    const double m = (double)b->rows;
    float *product = new_floats(c), *k[3] = {new_floats(c), new_floats(c), new_floats(c)};
    run->kernels->norm_sums(dbeta, product, b->x, b->dy, b->mean, b->scratch, b->rows, b->c, run->team);
    for (size_t ch = 0; ch < c; ch++) {
        const double rstd = (double)b->rstd[ch], scale = (double)b->gamma[ch] * rstd;
        dgamma[ch] = (float)(rstd * (double)product[ch]);
        k[0][ch] = (float)scale;
        k[1][ch] = fixed ? 0 : (float)(-scale * rstd * rstd * (double)product[ch] / m);
        k[2][ch] = fixed ? 0 : (float)(-scale * (double)dbeta[ch] / m);
    }
    const dirac__correction correction = {b->x, k[0], k[1], b->mean, k[2]};
    run->kernels->norm_correct(dx, b->dy, &correction, b->scratch, b->rows, b->c, run->team);
    free(product), free(k[0]), free(k[1]), free(k[2]);
}

static void check_norm(kernel_run *run, shape s, int fixed)
{
    batch b;
    batch_make(&b, run, s, -1, 2);
    norm_twin t = norm_twin_make(&b, fixed);
    size_t c = (size_t)s.c;
    float *dx = new_floats(b.count), *dgamma = new_floats(c), *dbeta = new_floats(c),
          *again = new_floats(c);
    backward(run, dx, dgamma, dbeta, &b, fixed);
    check_close("dgamma", dgamma, t.dgamma, t.dgamma_off, c);
    check_close("dbeta", dbeta, t.dbeta, t.dbeta_off, c);
    check_close("dx", dx, t.dx, t.dx_off, b.count);
    witness(run, dx, b.count * sizeof *dx);
    witness(run, dgamma, c * sizeof *dgamma);
    witness(run, dbeta, c * sizeof *dbeta);

    backward(run, b.dy, again, dbeta, &b, fixed);
    check_bits("dx in place of dy", b.dy, dx, b.count);

    free(dx);
    free(dgamma);
    free(dbeta);
    free(again);
    norm_twin_free(&t);
    batch_free(&b);
}

static void norms(kernel_run *run)
{
    for (int i = 0; i < SHAPES; i++) {
        check_norm(run, shapes[i], 0);
        check_norm(run, shapes[i], 1);
    }
}

static void test_sum(void **state)
{
    (void)state;
    for_each_run(sums);
    for_each_run(long_sums);
}

static void test_moments(void **state)
{
    (void)state;
    for_each_run(moments);
}

static void test_affine(void **state)
{
    (void)state;
    for_each_run(affine);
}

static void test_affine_of_one_image(void **state)
{
    (void)state;
    for_each_run(affine_alone);
}

static void test_norm_backward(void **state)
{
    (void)state;
    for_each_run(norms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum),           cmocka_unit_test(test_moments),
        cmocka_unit_test(test_affine),        cmocka_unit_test(test_affine_of_one_image),
        cmocka_unit_test(test_norm_backward),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
