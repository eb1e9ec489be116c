/* SPDX-License-Identifier: MIT */
/* Winograd's kernels of every table against the direct sum in double, for tiles of 4x4 and of 2x2. The tolerance of each
 * output is a bound on the error of the algorithm itself (support/winograd_bound.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/compare.h"
#include "support/twin_convolution.h"
#include "support/winograd_bound.h"

/* The tiles under test: outputs a side. */
static int out_size;

static const dirac__winograd *table(const kernel_run *run)
{
    return out_size == 4 ? run->kernels->winograd4 : run->kernels->winograd2;
}

static int tiles_of_4(void **state)
{
    (void)state;
    out_size = 4;
    winograd_bound_tiles(4);
    return 0;
}

static int tiles_of_2(void **state)
{
    (void)state;
    out_size = 2;
    winograd_bound_tiles(2);
    return 0;
}

/* Channels whose weights are large: more than 256 K floats in all points, which are 36 or 16. */
static int64_t large_channels(void)
{
    return out_size == 4 ? 96 : 144;
}

/* ---- one geometry ---- */

static dirac__convolution shape(int64_t n, int64_t ci, int64_t co, int64_t h, int64_t w, int64_t top, int64_t left)
{
    return (dirac__convolution){.n = n, .groups = 1, .ci = ci, .co = co, .in = {1, h, w},
                                .out = {1, h + 2 * top - 2, w + 2 * left - 2}, .kernel = {1, 3, 3},
                                .stride = {1, 1, 1}, .dilation = {1, 1, 1}, .before = {0, top, left}};
}

static int64_t pixels(const int64_t size[3])
{
    return size[0] * size[1] * size[2];
}

static double *values_of(const twin_number *numbers, size_t count)
{
    double *out = new_doubles(count);
    for (size_t i = 0; i < count; i++)
        out[i] = numbers[i].value;
    return out;
}

static float *last(kernel_run *run, const float *x, int64_t n, int64_t c, int64_t s)
{
    float *out = new_floats((size_t)(n * c * s));
    run->kernels->to_channels_last(out, x, n, c, s, NULL);
    return out;
}

static float *first(kernel_run *run, const float *x, int64_t n, int64_t c, int64_t s)
{
    float *out = new_floats((size_t)(n * c * s));
    run->kernels->to_channels_first(out, x, n, c, s, NULL);
    return out;
}

static int unpacked_runs; /* of check_unpacked */

static float *dirty(size_t count)
{
    float *out = new_floats(count);
    for (size_t i = 0; i < count; i++)
        out[i] = NAN;
    return out;
}

/* Where weights need not be packed, they give the same bits. */
static void check_unpacked(kernel_run *run, const dirac__convolution *s, int back, const float *want, const float *x,
                           const float *bias, const dirac__filters *filters, size_t count)
{
    const dirac__winograd *k = table(run);
    if (!k->takes_unpacked(s))
        return;
    float *scratch = dirty(k->scratch(s, 1, run->team == NULL ? 1 : dirac__team_lanes(run->team))), *got = dirty(count);
    if (back)
        k->backward_data(got, x, filters, NULL, scratch, s, run->team);
    else
        k->forward(got, x, NULL, filters, bias, 0, NULL, scratch, s, run->team);
    check_bits("unpacked weights", got, want, count);
    free(scratch), free(got);
    unpacked_runs++;
}

static void check_forward(kernel_run *run, const dirac__convolution *s, const float *x, const float *w,
                          const float *scale, const float *delta, const twin_number *what)
{
    const dirac__winograd *k = table(run);
    const size_t count = (size_t)(s->n * s->co * pixels(s->out));
    const int32_t lanes = run->team == NULL ? 1 : dirac__team_lanes(run->team);
    float *xl = last(run, x, s->n, s->ci, pixels(s->in)), *packed = dirty(k->packed(s));
    float *scratch = dirty(k->scratch(s, 0, lanes)), *y = dirty(count);
    float *bias = random_floats((size_t)s->co, 5, -1, 1);
    twin_number *twin = malloc(count * sizeof *twin);
    double *bound = new_doubles(count);
    k->pack(packed, w, scale, delta, s, run->team);
    k->forward(y, xl, NULL, &(dirac__filters){.packed = packed}, bias, 0, NULL, scratch, s, run->team);
    float *yf = first(run, y, s->n, s->co, pixels(s->out));
    double *want = NULL;
    if (run->team == NULL) { /* other runs must give the same bits */
        twin_forward(twin, x, what, bias, s);
        winograd_bound_forward(bound, x, what, s);
        want = values_of(twin, count);
        for (size_t i = 0; i < count; i++)
            bound[i] += 2 * ROUNDING * fabs(want[i]);
        check_close("y", yf, want, bound, count);
    }
    witness(run, y, count * sizeof *y);
    check_unpacked(run, s, 0, y, xl, bias, &(dirac__filters){NULL, w, scale, delta}, count);
    float *relu = dirty(count);
    k->forward(relu, xl, &(dirac__activation){NULL, NULL}, &(dirac__filters){.packed = packed}, bias, 1, NULL, scratch, s,
               run->team); /* read as it is, too */
    for (size_t i = 0; i < count; i++)
        assert_true(relu[i] == (y[i] > 0 ? y[i] : 0));
    free(xl), free(packed), free(scratch), free(y), free(bias), free(twin), free(bound), free(yf), free(want), free(relu);
}

/* What with in and out exchanged and turned by 180 degrees: its forward is the gradient at the input. */
static twin_number *turned(const twin_number *what, const dirac__convolution *s)
{
    twin_number *out = malloc((size_t)(s->co * s->ci * 9) * sizeof *out);
    for (int64_t o = 0; o < s->co; o++)
        for (int64_t i = 0; i < s->ci; i++)
            for (int t = 0; t < 9; t++)
                out[(i * s->co + o) * 9 + 8 - t] = what[(o * s->ci + i) * 9 + t];
    return out;
}

static void check_backward_data(kernel_run *run, const dirac__convolution *s, const float *dy, const float *w,
                                const float *scale, const float *delta, const twin_number *what)
{
    const dirac__winograd *k = table(run);
    const size_t count = (size_t)(s->n * s->ci * pixels(s->in));
    const int32_t lanes = run->team == NULL ? 1 : dirac__team_lanes(run->team);
    float *dyl = last(run, dy, s->n, s->co, pixels(s->out)), *packed = dirty(k->packed_transposed(s));
    float *scratch = dirty(k->scratch(s, 0, lanes)), *dx = dirty(count);
    twin_number *twin = malloc(count * sizeof *twin), *back = turned(what, s);
    double *bound = new_doubles(count);
    dirac__convolution reverse = shape(s->n, s->co, s->ci, s->out[1], s->out[2], 2 - s->before[1], 2 - s->before[2]);
    k->pack_transposed(packed, w, scale, delta, s, run->team);
    k->backward_data(dx, dyl, &(dirac__filters){.packed = packed}, NULL, scratch, s, run->team);
    float *dxf = first(run, dx, s->n, s->ci, pixels(s->in));
    double *want = NULL;
    if (run->team == NULL) {
        twin_backward_data(twin, dy, what, s);
        winograd_bound_forward(bound, dy, back, &reverse);
        want = values_of(twin, count);
        check_close("dx", dxf, want, bound, count);
    }
    witness(run, dx, count * sizeof *dx);
    check_unpacked(run, s, 1, dx, dyl, NULL, &(dirac__filters){NULL, w, scale, delta}, count);
    free(dyl), free(packed), free(scratch), free(dx), free(twin), free(back), free(bound), free(dxf), free(want);
}

static void check_backward_weight(kernel_run *run, const dirac__convolution *s, const float *x, const float *dy)
{
    const dirac__winograd *k = table(run);
    const size_t count = (size_t)(s->co * s->ci * 9);
    float *xl = last(run, x, s->n, s->ci, pixels(s->in)), *dyl = last(run, dy, s->n, s->co, pixels(s->out));
    const int32_t lanes = run->team == NULL ? 1 : dirac__team_lanes(run->team);
    float *scratch = dirty(k->weight_scratch(s, lanes)), *g = dirty(count);
    twin_number *twin = malloc(count * sizeof *twin);
    double *bound = new_doubles(count);
    k->backward_weight(g, xl, NULL, dyl, NULL, scratch, s, run->team);
    double *want = NULL;
    if (run->team == NULL) {
        twin_backward_weight(twin, x, dy, s);
        winograd_bound_weight(bound, x, dy, s);
        want = values_of(twin, count);
        check_close("g", g, want, bound, count);
    }
    witness(run, g, count * sizeof *g);
    free(xl), free(dyl), free(scratch), free(g), free(twin), free(bound), free(want);
}

static void check_shape(kernel_run *run, const dirac__convolution *s, int plain)
{
    float *x = random_floats((size_t)(s->n * s->ci * pixels(s->in)), 1, -1, 1);
    float *dy = random_floats((size_t)(s->n * s->co * pixels(s->out)), 2, -1, 1);
    float *w = random_floats((size_t)(s->co * s->ci * 9), 3, -1, 1);
    float *scale = plain ? NULL : random_floats((size_t)s->co, 4, -2, 2);
    float *delta = plain ? NULL : random_floats((size_t)s->co, 6, -2, 2);
    twin_number *what = malloc((size_t)(s->co * s->ci * 9) * sizeof *what);
    twin_effective(what, w, scale, delta, s);
    check_forward(run, s, x, w, scale, delta, what);
    check_backward_data(run, s, dy, w, scale, delta, what);
    check_backward_weight(run, s, x, dy);
    free(x), free(dy), free(w), free(scale), free(delta), free(what);
}

/* ---- batch norm and ReLU inside ---- */

/* Multiples of 1/64 below 2, so that a power of two times one of them plus another is exact in float. */
static float *exact_floats(size_t count, uint64_t seed)
{
    float *out = random_floats(count, seed, -2, 2);
    for (size_t i = 0; i < count; i++)
        out[i] = (float)floor((double)out[i] * 64) / 64;
    return out;
}

static float *powers_of_two(size_t count, uint64_t seed)
{
    static const float list[] = {0.5f, 1, 2, -1, 0, -0.5f};
    float *out = random_floats(count, seed, 0, 5.99f);
    for (size_t i = 0; i < count; i++)
        out[i] = list[(int)out[i]];
    return out;
}

/* max(scale x + shift, 0), channels-first. */
static float *activated(const float *x, const float *scale, const float *shift, int64_t n, int64_t c, int64_t size)
{
    float *out = new_floats((size_t)(n * c * size));
    for (int64_t i = 0; i < n * c * size; i++) {
        const float v = scale[i / size % c] * x[i] + shift[i / size % c];
        out[i] = v > 0 ? v : 0;
    }
    return out;
}

/* The most float additions that one value passes through: those of its tile. All others are in double. */
#define ADDITIONS 16

/* Sums are of d = y - pivot, |d| at most the range r of the channel: off by ADDITIONS + 1 roundings of r each for the mean,
 * ADDITIONS + 3 of r^2 for the squares, and the mean's part twice more. */
static void check_moments(const dirac__moments *got, const float *y, int64_t rows, int64_t c)
{
    for (int64_t ch = 0; ch < c; ch++) {
        double mean = 0, var = 0, low = INFINITY, high = -INFINITY;
        for (int64_t r = 0; r < rows; r++) {
            const double v = y[r * c + ch];
            mean += v / (double)rows;
            low = fmin(low, v);
            high = fmax(high, v);
        }
        for (int64_t r = 0; r < rows; r++)
            var += (y[r * c + ch] - mean) * (y[r * c + ch] - mean) / (double)rows;
        const double range = high - low, off = (ADDITIONS + 3) * ROUNDING * range;
        assert_true(fabs((double)got->mean[ch] - mean) <= off + 2 * ROUNDING * fabs(mean));
        assert_true(fabs((double)got->var[ch] - var) <= 3 * off * range + 2 * ROUNDING * var);
    }
}

/* Reading through a batch norm and ReLU, and its moments for the one behind. */
static void check_reading(kernel_run *run, const dirac__convolution *s)
{
    const dirac__winograd *k = table(run);
    const size_t count = (size_t)(s->n * s->co * pixels(s->out));
    const int32_t lanes = run->team == NULL ? 1 : dirac__team_lanes(run->team);
    float *x = exact_floats((size_t)(s->n * s->ci * pixels(s->in)), 1), *w = random_floats((size_t)(s->co * s->ci * 9), 3, -1, 1);
    float *scale = powers_of_two((size_t)s->ci, 4), *shift = exact_floats((size_t)s->ci, 5);
    float *active = activated(x, scale, shift, s->n, s->ci, pixels(s->in));
    float *xl = last(run, x, s->n, s->ci, pixels(s->in)), *packed = dirty(k->packed(s));
    float *scratch = dirty(k->scratch(s, 0, lanes)), *y = dirty(count);
    float *mean = dirty((size_t)s->co), *var = dirty((size_t)s->co);
    const dirac__activation activation = {scale, shift};
    const dirac__moments moments = {mean, var};
    k->pack(packed, w, NULL, NULL, s, run->team);
    k->forward(y, xl, &activation, &(dirac__filters){.packed = packed}, NULL, 0, &moments, scratch, s, run->team);
    check_moments(&moments, y, s->n * pixels(s->out), s->co);
    if (run->team == NULL) {
        twin_number *what = malloc((size_t)(s->co * s->ci * 9) * sizeof *what), *twin = malloc(count * sizeof *twin);
        double *bound = new_doubles(count);
        twin_effective(what, w, NULL, NULL, s);
        twin_forward(twin, active, what, NULL, s);
        winograd_bound_forward(bound, active, what, s);
        float *yf = first(run, y, s->n, s->co, pixels(s->out));
        double *want = values_of(twin, count);
        check_close("y of an activation", yf, want, bound, count);
        free(what), free(twin), free(bound), free(yf), free(want);
    }
    witness(run, y, count * sizeof *y);
    witness(run, mean, (size_t)s->co * sizeof *mean);
    witness(run, var, (size_t)s->co * sizeof *var);
    free(x), free(w), free(scale), free(shift), free(active), free(xl), free(packed), free(scratch), free(y), free(mean),
        free(var);
}

/* sum and product of each channel against the sums in double of the very gradients that were written. */
static void check_mask_sums(const dirac__mask *mask, const float *dx, size_t count, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++) {
        double total = 0, size = 0, with = 0, with_size = 0;
        for (size_t i = (size_t)c; i < count; i += (size_t)channels) {
            const double term = (double)dx[i] * ((double)mask->z[i] - (double)mask->mean[c]);
            total += (double)dx[i];
            size += fabs((double)dx[i]);
            with += term;
            with_size += fabs(term);
        }
        assert_true(fabs((double)mask->sum[c] - total) <= (ADDITIONS * size + fabs(total)) * ROUNDING);
        assert_true(fabs((double)mask->product[c] - with) <= ((ADDITIONS + 2) * with_size + fabs(with)) * ROUNDING);
    }
}

/* The gradient at an input that was read through a batch norm and ReLU, and the sums of that batch norm. */
static void check_masking(kernel_run *run, const dirac__convolution *s)
{
    const dirac__winograd *k = table(run);
    const size_t count = (size_t)(s->n * s->ci * pixels(s->in));
    const int32_t lanes = run->team == NULL ? 1 : dirac__team_lanes(run->team);
    float *dy = random_floats((size_t)(s->n * s->co * pixels(s->out)), 2, -1, 1), *z = exact_floats(count, 1);
    float *w = random_floats((size_t)(s->co * s->ci * 9), 3, -1, 1), *scale = powers_of_two((size_t)s->ci, 4);
    float *shift = exact_floats((size_t)s->ci, 5), *mean = exact_floats((size_t)s->ci, 6);
    float *dyl = last(run, dy, s->n, s->co, pixels(s->out)), *zl = last(run, z, s->n, s->ci, pixels(s->in));
    float *packed = dirty(k->packed_transposed(s)), *scratch = dirty(k->scratch(s, 0, lanes));
    float *dx = dirty(count), *sum = dirty((size_t)s->ci), *product = dirty((size_t)s->ci);
    const dirac__mask mask = {zl, scale, shift, mean, sum, product};
    k->pack_transposed(packed, w, NULL, NULL, s, run->team);
    k->backward_data(dx, dyl, &(dirac__filters){.packed = packed}, &mask, scratch, s, run->team);
    check_mask_sums(&mask, dx, count, s->ci);
    if (run->team == NULL) {
        twin_number *what = malloc((size_t)(s->co * s->ci * 9) * sizeof *what), *twin = malloc(count * sizeof *twin);
        double *bound = new_doubles(count);
        twin_effective(what, w, NULL, NULL, s);
        twin_number *back = turned(what, s);
        dirac__convolution reverse =
            shape(s->n, s->co, s->ci, s->out[1], s->out[2], 2 - s->before[1], 2 - s->before[2]);
        twin_backward_data(twin, dy, what, s);
        winograd_bound_forward(bound, dy, back, &reverse);
        float *dxf = first(run, dx, s->n, s->ci, pixels(s->in)), *active = activated(z, scale, shift, s->n, s->ci, pixels(s->in));
        double *want = values_of(twin, count);
        for (size_t i = 0; i < count; i++) {
            want[i] = active[i] > 0 ? want[i] : 0;
            bound[i] = active[i] > 0 ? bound[i] : 0;
        }
        check_close("dx through a ReLU", dxf, want, bound, count);
        free(what), free(twin), free(bound), free(back), free(dxf), free(active), free(want);
    }
    witness(run, dx, count * sizeof *dx);
    witness(run, sum, (size_t)s->ci * sizeof *sum);
    witness(run, product, (size_t)s->ci * sizeof *product);
    free(dy), free(z), free(w), free(scale), free(shift), free(mean), free(dyl), free(zl), free(packed), free(scratch),
        free(dx), free(sum), free(product);
}

/* a dy + (b (y - mean) + t), channels-first; exact. */
static float *corrected(const float *dy, const float *y, const float *a, const float *b, const float *mean, const float *t,
                        int64_t n, int64_t c, int64_t size)
{
    float *out = new_floats((size_t)(n * c * size));
    for (int64_t i = 0; i < n * c * size; i++) {
        const int64_t ch = i / size % c;
        out[i] = a[ch] * dy[i] + (b[ch] * (y[i] - mean[ch]) + t[ch]);
    }
    return out;
}

/* The gradient at the weights, of x through an activation, with dy corrected on the way and left corrected. */
static void check_correcting(kernel_run *run, const dirac__convolution *s)
{
    const dirac__winograd *k = table(run);
    const size_t count = (size_t)(s->co * s->ci * 9), outputs = (size_t)(s->n * s->co * pixels(s->out));
    const int32_t lanes = run->team == NULL ? 1 : dirac__team_lanes(run->team);
    float *x = exact_floats((size_t)(s->n * s->ci * pixels(s->in)), 1), *dy = exact_floats(outputs, 2);
    float *y = exact_floats(outputs, 3), *scale = powers_of_two((size_t)s->ci, 4), *shift = exact_floats((size_t)s->ci, 5);
    float *a = powers_of_two((size_t)s->co, 6), *b = powers_of_two((size_t)s->co, 7), *mean = exact_floats((size_t)s->co, 8);
    float *t = exact_floats((size_t)s->co, 9), *active = activated(x, scale, shift, s->n, s->ci, pixels(s->in));
    float *right = corrected(dy, y, a, b, mean, t, s->n, s->co, pixels(s->out));
    float *xl = last(run, x, s->n, s->ci, pixels(s->in)), *dyl = last(run, dy, s->n, s->co, pixels(s->out));
    float *yl = last(run, y, s->n, s->co, pixels(s->out)), *rightl = last(run, right, s->n, s->co, pixels(s->out));
    float *scratch = dirty(k->weight_scratch(s, lanes)), *g = dirty(count);
    const dirac__activation activation = {scale, shift};
    const dirac__correction correction = {yl, a, b, mean, t};
    k->backward_weight(g, xl, &activation, dyl, &correction, scratch, s, run->team);
    for (size_t i = 0; i < outputs; i++)
        assert_true(dyl[i] == rightl[i]);
    if (run->team == NULL) {
        twin_number *twin = malloc(count * sizeof *twin);
        double *bound = new_doubles(count);
        twin_backward_weight(twin, active, right, s);
        winograd_bound_weight(bound, active, right, s);
        double *want = values_of(twin, count);
        check_close("g of corrected dy", g, want, bound, count);
        free(twin), free(bound), free(want);
    }
    witness(run, g, count * sizeof *g);
    free(x), free(dy), free(y), free(scale), free(shift), free(a), free(b), free(mean), free(t), free(active), free(right),
        free(xl), free(dyl), free(yl), free(rightl), free(scratch), free(g);
}

static void norms(kernel_run *run)
{
    const dirac__convolution list[] = {shape(2, 16, 32, 5, 7, 1, 1), shape(1, 32, 16, 9, 8, 1, 1),
                                       shape(1, 48, 16, 3, 4, 2, 2), shape(9, 16, 48, 18, 13, 0, 0),
                                       shape(3, 16, 16, 10, 31, 1, 1), shape(2, 16, 16, 7, 70, 2, 0),
                                       shape(2, large_channels() - 16, large_channels(), 7, 5, 1, 1)};
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        check_reading(run, &list[i]);
        check_masking(run, &list[i]);
        check_correcting(run, &list[i]);
    }
}

/* ---- tests ---- */

static void shapes(kernel_run *run)
{
    const dirac__convolution list[] = {
        shape(1, 16, 16, 4, 4, 1, 1),  shape(2, 16, 32, 5, 7, 1, 1),  shape(1, 32, 16, 9, 8, 1, 1),
        shape(3, 16, 16, 1, 1, 1, 1),  shape(1, 16, 48, 6, 13, 0, 0), shape(1, 48, 16, 3, 4, 2, 2),
        shape(2, 16, 16, 10, 3, 2, 1), shape(1, 16, 16, 17, 17, 1, 1), shape(2, 16, 16, 9, 31, 1, 1),
        shape(1, 16, 16, 6, 70, 2, 2), shape(2, 16, 16, 11, 34, 0, 0)};
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        check_shape(run, &list[i], i % 2);
}

static void test_shapes(void **state)
{
    (void)state;
    for_each_run(shapes);
}

static int odd_vectors_checked;

/* Channels that fill some vectors, but not a line of the cache: whole vectors with AVX2 and less. */
static void odd_vectors(kernel_run *run)
{
    const dirac__convolution list[] = {shape(2, 24, 8, 9, 14, 1, 1), shape(1, 8, 40, 13, 6, 2, 0),
                                       shape(5, 40, 24, 8, 8, 1, 1)};
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (table(run)->fits(&list[i])) {
            check_shape(run, &list[i], i % 2);
            check_reading(run, &list[i]);
            odd_vectors_checked++;
        }
    }
}

static void test_odd_vectors(void **state)
{
    (void)state;
    odd_vectors_checked = 0;
    for_each_run(odd_vectors);
    assert_true(odd_vectors_checked > 0);
}

/* Several blocks and chunks of tiles. */
static void many_tiles(kernel_run *run)
{
    const dirac__convolution s = shape(10, 16, 16, 32, 28, 1, 1), lines = shape(2, 16, 16, 30, 32, 1, 1);
    check_shape(run, &s, 0);
    check_shape(run, &lines, 1);
}

static void test_many_tiles(void **state)
{
    (void)state;
    for_each_run(many_tiles);
}

/* Weights so large that the lanes share out the products: a few tiles, and more than one chunk of them. */
static void large_weights(kernel_run *run)
{
    const int64_t c = large_channels();
    const dirac__convolution few = shape(2, c - 16, c, 7, 5, 1, 1), many = shape(258, c - 16, c, 3, 3, 0, 0);
    check_shape(run, &few, 0);
    check_shape(run, &many, 1);
}

static void test_large_weights(void **state)
{
    (void)state;
    unpacked_runs = 0;
    for_each_run(large_weights);
    assert_true(unpacked_runs > 0);
}

/* An image's outputs do not depend on the images beside it. */
static void check_alone(kernel_run *run, const dirac__convolution *s)
{
    const dirac__winograd *k = table(run);
    const size_t in = (size_t)(s->ci * pixels(s->in)), out = (size_t)(s->co * pixels(s->out)), n = (size_t)s->n;
    const int32_t lanes = run->team == NULL ? 1 : dirac__team_lanes(run->team);
    float *x = random_floats(n * in, 1, -1, 1), *w = random_floats((size_t)(s->co * s->ci * 9), 2, -1, 1);
    float *packed = dirty(k->packed(s)), *scratch = dirty(k->scratch(s, 0, lanes));
    float *y = dirty(n * out), *one = dirty(out);
    k->pack(packed, w, NULL, NULL, s, run->team);
    k->forward(y, x, NULL, &(dirac__filters){.packed = packed}, NULL, 0, NULL, scratch, s, run->team);
    for (size_t i = 0; i < n; i++) {
        dirac__convolution single = *s;
        single.n = 1;
        k->forward(one, x + i * in, NULL, &(dirac__filters){.packed = packed}, NULL, 0, NULL, scratch, &single, run->team);
        check_bits("image alone", one, y + i * out, out);
    }
    free(x), free(w), free(packed), free(scratch), free(y), free(one);
}

static void alone(kernel_run *run)
{
    const dirac__convolution s = shape(5, 16, 32, 9, 9, 1, 1), lines = shape(5, 16, 16, 9, 39, 1, 1);
    check_alone(run, &s);
    check_alone(run, &lines);
}

static void test_alone(void **state)
{
    (void)state;
    for_each_run(alone);
}

/* One NaN among ones, read as it is or through a batch norm and ReLU, is in every output whose window holds it, ReLU or not,
 * and in none whose tile does not. */
static void check_nan(kernel_run *run, const dirac__activation *activation, int64_t width, int64_t column)
{
    const dirac__winograd *k = table(run);
    const dirac__convolution s = shape(1, 16, 16, 9, width, 1, 1);
    const int64_t row = 4, out = out_size;
    const size_t count = (size_t)(9 * width * 16);
    const int32_t lanes = run->team == NULL ? 1 : dirac__team_lanes(run->team);
    float *x = new_floats(count), *w = new_floats(16 * 16 * 9), *packed = dirty(k->packed(&s));
    float *scratch = dirty(k->scratch(&s, 0, lanes)), *y = dirty(count);
    for (size_t i = 0; i < count; i++)
        x[i] = 1;
    for (size_t i = 0; i < 16 * 16 * 9; i++)
        w[i] = 1;
    x[(row * width + column) * 16 + 3] = NAN;
    k->pack(packed, w, NULL, NULL, &s, run->team);
    k->forward(y, x, activation, &(dirac__filters){.packed = packed}, NULL, 1, NULL, scratch, &s, run->team);
    for (int64_t i = 0; i < 9; i++)
        for (int64_t j = 0; j < width; j++) {
            const int64_t top = i / out * out - 1, left = j / out * out - 1;
            const int holds = llabs(i - row) <= 1 && llabs(j - column) <= 1;
            const int tile_holds = row >= top && row < top + out + 2 && column >= left && column < left + out + 2;
            for (int64_t c = 0; c < 16; c++) {
                const float value = y[(i * width + j) * 16 + c];
                assert_true(holds ? isnan(value) : tile_holds || isfinite(value));
            }
        }
    free(x), free(w), free(packed), free(scratch), free(y);
}

static void nan_inputs(kernel_run *run)
{
    float scale[16], shift[16] = {0};
    for (int c = 0; c < 16; c++)
        scale[c] = 1;
    const dirac__activation activation = {scale, shift};
    check_nan(run, NULL, 10, 5); /* a tile inside, and all kinds at the border */
    check_nan(run, &activation, 10, 5);
    check_nan(run, NULL, 38, 20); /* so wide that lines of tiles are worked on for themselves */
    check_nan(run, &activation, 38, 20);
}

static void test_nan(void **state)
{
    (void)state;
    for_each_run(nan_inputs);
}

static void test_norms(void **state)
{
    (void)state;
    for_each_run(norms);
}

static void test_fits(void **state)
{
    (void)state;
    const dirac__kernels *kernels = dirac__kernels_best();
    const dirac__winograd *k = out_size == 4 ? kernels->winograd4 : kernels->winograd2;
    dirac__convolution s = shape(128, 16, 16, 32, 32, 1, 1);
    assert_true(k->fits(&s));
    s.stride[2] = 2;
    assert_false(k->fits(&s));
    s = shape(128, 16, 16, 32, 32, 1, 1);
    s.dilation[1] = 2;
    assert_false(k->fits(&s));
    s = shape(128, 3, 16, 32, 32, 1, 1);
    assert_false(k->fits(&s));
    s = shape(128, 16, 10, 32, 32, 1, 1);
    assert_false(k->fits(&s));
    s = shape(128, 16, 16, 32, 32, 1, 1);
    s.groups = 2;
    assert_false(k->fits(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes), cmocka_unit_test(test_odd_vectors), cmocka_unit_test(test_many_tiles),
        cmocka_unit_test(test_large_weights), cmocka_unit_test(test_norms), cmocka_unit_test(test_alone),
        cmocka_unit_test(test_fits), cmocka_unit_test(test_nan),
    };
    return cmocka_run_group_tests_name("tiles of 4x4", tests, tiles_of_4, NULL) +
           cmocka_run_group_tests_name("tiles of 2x2", tests, tiles_of_2, NULL);
}
