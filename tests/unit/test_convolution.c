/* SPDX-License-Identifier: MIT */
/*
 * The convolution kernels of every table this CPU runs, against the twin in double (support/twin_convolution.h):
 * fixed corner cases and geometries drawn at random, the same bits for any number of lanes and any place in a batch,
 * and the delta as an exact identity.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/kernels.h"
#include "support/twin_convolution.h"

/* Half an ulp, relative: fp32 rounds each operation by at most this. */
#define UNIT 0x1p-24

static dirac__team *teams[3]; /* NULL, of 2 lanes and of 3 */

static uint32_t random_state = 1;

static uint32_t draw(uint32_t limit)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(random_state >> 8) * limit) >> 24);
}

/* Exactly `count` floats in (-1, 1), none zero: the sanitizer sees each access beyond them. */
static float *random_floats(int64_t count)
{
    float *out = malloc((size_t)count * sizeof *out + 1);
    assert_non_null(out);
    for (int64_t i = 0; i < count; i++) {
        out[i] = ((float)draw(1u << 20) + 0.5f) * 0x1p-19f - 1.0f;
    }
    return out;
}

/* Numbers that must all be overwritten, or not be read. */
static float *unset_floats(int64_t count)
{
    float *out = malloc((size_t)count * sizeof *out + 1);
    assert_non_null(out);
    for (int64_t i = 0; i < count; i++) {
        out[i] = NAN;
    }
    return out;
}

static float *copy_floats(const float *from, int64_t count)
{
    float *out = malloc((size_t)count * sizeof *out + 1);
    assert_non_null(out);
    memcpy(out, from, (size_t)count * sizeof *out);
    return out;
}

static int64_t product3(const int64_t size[3])
{
    return size[0] * size[1] * size[2];
}

static int64_t x_count(const dirac__convolution *s)
{
    return s->n * s->groups * s->ci * product3(s->in);
}

static int64_t y_count(const dirac__convolution *s)
{
    return s->n * s->groups * s->co * product3(s->out);
}

static int64_t w_count(const dirac__convolution *s)
{
    return s->groups * s->co * s->ci * product3(s->kernel);
}

/* (N, S, C) from (N, C, S). */
static float *channels_last(const float *from, int64_t n, int64_t c, int64_t pixels)
{
    float *out = unset_floats(n * c * pixels);
    for (int64_t i = 0; i < n * c * pixels; i++) {
        out[(i / pixels / c * pixels + i % pixels) * c + i / pixels % c] = from[i];
    }
    return out;
}

static void describe(const char *what, const char *table, const dirac__convolution *s)
{
    print_error("%s, %s: n %d groups %d ci %d co %d", what, table, (int)s->n, (int)s->groups,
                (int)s->ci, (int)s->co);
    for (int d = 0; d < 3; d++) {
        print_error(" | in %d out %d kernel %d stride %d dilation %d before %d", (int)s->in[d],
                    (int)s->out[d], (int)s->kernel[d], (int)s->stride[d], (int)s->dilation[d],
                    (int)s->before[d]);
    }
    print_error("\n");
}

/* got (N, S, C) lies within `roundings` UNIT of the twin's (N, C, S). */
static void compare(const char *what, const char *table, const dirac__convolution *s,
                    const float *got, const twin_number *twin, int64_t n, int64_t c, int64_t pixels,
                    double roundings, int32_t relu)
{
    for (int64_t i = 0; i < n * c * pixels; i++) {
        int64_t at = (i / pixels / c * pixels + i % pixels) * c + i / pixels % c;
        double expected = relu && twin[i].value < 0 ? 0 : twin[i].value;
        double bound = roundings * UNIT * twin[i].magnitude + 1e-37;
        if (!(fabs(got[at] - expected) <= bound)) {
            describe(what, table, s);
            fail_msg("element %d: %g, expected %g within %g", (int)i, (double)got[at], expected,
                     bound);
        }
    }
}

typedef struct problem {
    dirac__convolution s;
    float *w, *scale, *delta, *bias;
    float *x, *dy;           /* channels-last */
    twin_number *y, *dx, *g; /* (N, C, D, H, W) */
    int32_t relu;
} problem;

static twin_number *twin_numbers(int64_t count)
{
    twin_number *out = malloc((size_t)count * sizeof *out);
    assert_non_null(out);
    return out;
}

static void make_problem(problem *p, const dirac__convolution *s)
{
    int64_t filters = s->groups * s->co;
    float *x = random_floats(x_count(s));
    float *dy = random_floats(y_count(s));
    twin_number *what = twin_numbers(w_count(s));
    *p = (problem){.s = *s, .relu = (int32_t)draw(2)};
    p->w = random_floats(w_count(s));
    p->scale = draw(3) ? random_floats(filters) : NULL;
    p->delta = draw(3) ? random_floats(filters) : NULL;
    p->bias = draw(3) ? random_floats(filters) : NULL;
    p->x = channels_last(x, s->n, s->groups * s->ci, product3(s->in));
    p->dy = channels_last(dy, s->n, filters, product3(s->out));
    p->y = twin_numbers(y_count(s));
    p->dx = twin_numbers(x_count(s));
    p->g = twin_numbers(w_count(s));
    twin_effective(what, p->w, p->scale, p->delta, s);
    twin_forward(p->y, x, what, p->bias, s);
    twin_backward_data(p->dx, dy, what, s);
    twin_backward_weight(p->g, x, dy, s);
    free(x);
    free(dy);
    free(what);
}

static void free_problem(problem *p)
{
    float *const floats[] = {p->w, p->scale, p->delta, p->bias, p->x, p->dy};
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        free(floats[i]);
    }
    free(p->y);
    free(p->dx);
    free(p->g);
}

static float *run_forward(const dirac__kernels *k, const problem *p, dirac__team *team)
{
    float *packed = unset_floats((int64_t)k->conv_packed(&p->s));
    float *y = unset_floats(y_count(&p->s));
    k->conv_pack(packed, p->w, p->scale, p->delta, &p->s, team);
    k->conv_forward(y, p->x, packed, p->bias, p->relu, &p->s, team);
    free(packed);
    return y;
}

static float *run_backward_data(const dirac__kernels *k, const problem *p, dirac__team *team)
{
    float *packed = unset_floats((int64_t)k->conv_packed_transposed(&p->s));
    float *dx = unset_floats(x_count(&p->s));
    k->conv_pack_transposed(packed, p->w, p->scale, p->delta, &p->s, team);
    k->conv_backward_data(dx, p->dy, packed, &p->s, team);
    free(packed);
    return dx;
}

static float *run_backward_weight(const dirac__kernels *k, const problem *p, dirac__team *team)
{
    float *scratch = unset_floats((int64_t)k->conv_weight_scratch(&p->s));
    float *g = unset_floats(w_count(&p->s));
    k->conv_backward_weight(g, p->x, p->dy, scratch, &p->s, team);
    free(scratch);
    return g;
}

/* All three results of one table: near the twin with one lane, the same bits with two and three. */
static void check_table(const dirac__kernels *k, const problem *p)
{
    const dirac__convolution *s = &p->s;
    int64_t taps = product3(s->kernel);
    int64_t rows = s->n * product3(s->out);
    for (int t = 0; t < 3; t++) {
        static float *first[3];
        float *y = run_forward(k, p, teams[t]);
        float *dx = run_backward_data(k, p, teams[t]);
        float *g = run_backward_weight(k, p, teams[t]);
        if (t == 0) {
            /* A sum of K products errs by K roundings of its magnitude at most (K - 1 sums and the products, in any
             * order of adding); What itself took two, the bias one. For g, K is the number of rows. */
            compare("y", k->name, s, y, p->y, s->n, s->groups * s->co, product3(s->out),
                    (double)(taps * s->ci + 4), p->relu);
            compare("dx", k->name, s, dx, p->dx, s->n, s->groups * s->ci, product3(s->in),
                    (double)(taps * s->co + 4), 0);
            compare("g", k->name, s, g, p->g, 1, 1, w_count(s), (double)(rows + 1), 0);
            first[0] = y;
            first[1] = dx;
            first[2] = g;
            continue;
        }
        assert_memory_equal(y, first[0], (size_t)y_count(s) * sizeof(float));
        assert_memory_equal(dx, first[1], (size_t)x_count(s) * sizeof(float));
        assert_memory_equal(g, first[2], (size_t)w_count(s) * sizeof(float));
        free(y);
        free(dx);
        free(g);
        if (t == 2) {
            free(first[0]);
            free(first[1]);
            free(first[2]);
        }
    }
}

static void check_shape(const dirac__convolution *s)
{
    problem p;
    make_problem(&p, s);
    for (size_t t = 0; dirac__kernel_tables[t]; t++) {
        if (dirac__cpu_runs(dirac__kernel_tables[t]->name)) {
            check_table(dirac__kernel_tables[t], &p);
        }
    }
    free_problem(&p);
}

/* One dimension: the output size follows from the padding, which need not be the same before and after. */
static void set_dimension(dirac__convolution *s, int d, int64_t in, int64_t kernel, int64_t stride,
                          int64_t dilation, int64_t before, int64_t after)
{
    int64_t span = (kernel - 1) * dilation + 1;
    if (in + before + after < span) {
        after = span - in - before;
    }
    s->in[d] = in;
    s->kernel[d] = kernel;
    s->stride[d] = stride;
    s->dilation[d] = dilation;
    s->before[d] = before;
    s->out[d] = (in + before + after - span) / stride + 1;
}

static void set_channels(dirac__convolution *s, int64_t n, int64_t groups, int64_t ci, int64_t co)
{
    *s = (dirac__convolution){.n = n, .groups = groups, .ci = ci, .co = co};
    for (int d = 0; d < 3; d++) {
        set_dimension(s, d, 1, 1, 1, 1, 0, 0);
    }
}

static void test_random_shapes(void **state)
{
    static const int64_t channels[] = {1, 2, 3, 7, 16, 17, 33};
    (void)state;
    for (int round = 0; round < 400; round++) {
        dirac__convolution s;
        int dimensions = 1 + (int)draw(3);
        int64_t longest = dimensions == 1 ? 40 : dimensions == 2 ? 11 : 5;
        set_channels(&s, 1 + draw(5), draw(3) ? 1 : 1 + draw(4), channels[draw(7)],
                     channels[draw(7)]);
        for (int d = 3 - dimensions; d < 3; d++) {
            int64_t kernel = 1 + draw(dimensions == 3 ? 4 : 5);
            int64_t dilation = draw(3) ? 1 : 1 + draw(3);
            uint32_t padding = (uint32_t)((kernel - 1) * dilation + 2);
            set_dimension(&s, d, 1 + draw((uint32_t)longest), kernel, 1 + draw(3), dilation,
                          draw(padding), draw(padding));
        }
        check_shape(&s);
    }
}

/* A linear layer: one pixel, images as rows; 10 classes and 1000; more rows than a tile; one row; a weight gradient so
 * large that lanes have places for it. */
static void test_linear(void **state)
{
    static const int64_t sizes[][3] = {{1, 640, 10}, {5, 16, 1000}, {67, 33, 10},   {128, 7, 3},
                                       {1, 1, 1},    {37, 100, 64}, {150, 16, 2100}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        dirac__convolution s;
        set_channels(&s, sizes[i][0], 1, sizes[i][1], sizes[i][2]);
        check_shape(&s);
    }
}

static void test_fixed_shapes(void **state)
{
    dirac__convolution s;
    (void)state;
    set_channels(&s, 3, 1, 48,
                 80); /* several panels and blocks, several partitions of the weight gradient */
    set_dimension(&s, 1, 17, 3, 1, 1, 1, 1);
    set_dimension(&s, 2, 32, 3, 1, 1, 1, 1);
    check_shape(&s);
    set_channels(&s, 2, 1, 3, 64); /* the stem */
    set_dimension(&s, 1, 29, 7, 2, 1, 3, 3);
    set_dimension(&s, 2, 31, 7, 2, 1, 3, 3);
    check_shape(&s);
    set_channels(&s, 2, 37, 1, 1); /* depthwise */
    set_dimension(&s, 1, 9, 3, 1, 1, 1, 1);
    set_dimension(&s, 2, 8, 3, 2, 1, 1, 1);
    check_shape(&s);
    set_channels(&s, 2, 5, 1, 3); /* depthwise with three filters each */
    set_dimension(&s, 2, 21, 4, 1, 2, 3, 3);
    check_shape(&s);
    set_channels(&s, 2, 1, 2,
                 3); /* more taps than are gathered at once, most of them in the padding */
    set_dimension(&s, 1, 9, 13, 1, 1, 6, 6);
    set_dimension(&s, 2, 9, 17, 2, 1, 8, 8);
    check_shape(&s);
    set_channels(&s, 2, 1, 3, 2); /* 300 taps of one dimension */
    set_dimension(&s, 2, 320, 300, 3, 1, 5, 9);
    check_shape(&s);
    set_channels(&s, 2, 1, 3, 5); /* stride beyond the kernel: some pixels are never read */
    set_dimension(&s, 1, 10, 2, 5, 1, 0, 0);
    set_dimension(&s, 2, 11, 1, 4, 1, 0, 0);
    check_shape(&s);
    set_channels(&s, 3, 1, 4, 4); /* one output pixel from stride 7: flat, though strided */
    set_dimension(&s, 2, 1, 1, 7, 1, 0, 0);
    check_shape(&s);
    set_channels(&s, 2, 1, 2,
                 2); /* dilation and stride with a common divisor; all padding on one side */
    set_dimension(&s, 1, 13, 3, 4, 2, 4, 0);
    set_dimension(&s, 2, 13, 3, 2, 4, 0, 8);
    check_shape(&s);
    set_channels(&s, 700, 1, 5, 3); /* rows of many images: partitions of a single line of pixels */
    set_dimension(&s, 2, 3, 2, 1, 1, 1, 0);
    check_shape(&s);
}

/* Image `index` of the batch alone gives the bits it has inside the batch, forward and at the input. */
static void check_alone(const dirac__kernels *k, const problem *p, const float *y, const float *dx,
                        int64_t index)
{
    problem one = *p;
    one.s.n = 1;
    int64_t ys = y_count(&one.s);
    int64_t xs = x_count(&one.s);
    one.x = copy_floats(p->x + index * xs, xs);
    one.dy = copy_floats(p->dy + index * ys, ys);
    float *one_y = run_forward(k, &one, NULL);
    float *one_dx = run_backward_data(k, &one, NULL);
    assert_memory_equal(one_y, y + index * ys, (size_t)ys * sizeof(float));
    assert_memory_equal(one_dx, dx + index * xs, (size_t)xs * sizeof(float));
    free(one.x);
    free(one.dy);
    free(one_y);
    free(one_dx);
}

static void test_batch_independence(void **state)
{
    (void)state;
    for (int round = 0; round < 12; round++) {
        dirac__convolution s;
        problem p;
        set_channels(&s, 5, 1 + draw(2), 1 + draw(40), 1 + draw(70));
        if (round > 1) { /* the first two are linear */
            set_dimension(&s, 1, 1 + draw(9), 3, 1 + draw(2), 1, 1, 1);
            set_dimension(&s, 2, 1 + draw(9), 3, 1 + draw(2), 1, 1, 1);
        }
        make_problem(&p, &s);
        for (size_t t = 0; dirac__kernel_tables[t]; t++) {
            const dirac__kernels *k = dirac__kernel_tables[t];
            if (!dirac__cpu_runs(k->name)) {
                continue;
            }
            float *y = run_forward(k, &p, NULL);
            float *dx = run_backward_data(k, &p, NULL);
            for (int64_t i = 0; i < s.n; i++) {
                check_alone(k, &p, y, dx, i);
            }
            free(y);
            free(dx);
        }
        free_problem(&p);
    }
}

/* scale 0, delta 1: What is the identity, and y is x to the bit, with padding dilation (k / 2) before. */
static void check_identity(const dirac__convolution *s)
{
    int64_t filters = s->groups * s->co;
    problem p = {.s = *s};
    p.w = random_floats(w_count(s));
    p.x = random_floats(x_count(s));
    p.dy = p.x;
    p.scale = random_floats(filters);
    p.delta = random_floats(filters);
    for (int64_t c = 0; c < filters; c++) {
        p.scale[c] = 0.0f;
        p.delta[c] = 1.0f;
    }
    for (size_t t = 0; dirac__kernel_tables[t]; t++) {
        if (dirac__cpu_runs(dirac__kernel_tables[t]->name)) {
            float *y = run_forward(dirac__kernel_tables[t], &p, NULL);
            float *dx = run_backward_data(dirac__kernel_tables[t], &p, NULL);
            assert_memory_equal(y, p.x, (size_t)x_count(s) * sizeof(float));
            assert_memory_equal(dx, p.x, (size_t)x_count(s) * sizeof(float));
            free(y);
            free(dx);
        }
    }
    free(p.w);
    free(p.x);
    free(p.scale);
    free(p.delta);
}

static void test_delta_is_identity(void **state)
{
    (void)state;
    for (int64_t kernel = 1; kernel <= 5; kernel++) {
        for (int dimensions = 1; dimensions <= 3; dimensions++) {
            for (int64_t groups = 1; groups <= 3; groups += 2) {
                for (int64_t dilation = 1; dilation <= 2; dilation++) {
                    dirac__convolution s;
                    int64_t channels = 1 + draw(20);
                    set_channels(&s, 2, groups, channels, channels);
                    for (int d = 3 - dimensions; d < 3; d++) {
                        set_dimension(&s, d, 3 + d, kernel, 1, dilation, dilation * (kernel / 2),
                                      dilation * (kernel - 1 - kernel / 2));
                        assert_int_equal(s.out[d], s.in[d]);
                    }
                    check_identity(&s);
                }
            }
        }
    }
}

/* ReLU of the epilogue: NaN stays NaN, infinities go where max(., 0) sends them, in every column of a panel. */
static void test_relu_keeps_nan(void **state)
{
    dirac__convolution s;
    (void)state;
    set_channels(&s, 3, 1, 2, 37);
    for (size_t t = 0; dirac__kernel_tables[t]; t++) {
        const dirac__kernels *k = dirac__kernel_tables[t];
        if (!dirac__cpu_runs(k->name)) {
            continue;
        }
        float x[6] = {NAN, 1.0f, INFINITY, 1.0f, -INFINITY, 1.0f};
        problem p = {.s = s, .x = x, .relu = 1};
        p.w = unset_floats(w_count(&s));
        for (int64_t i = 0; i < w_count(&s); i++) {
            p.w[i] = 1.0f;
        }
        float *y = run_forward(k, &p, NULL);
        for (int64_t c = 0; c < s.co; c++) {
            assert_true(isnan(y[c]));
            assert_true(isinf(y[s.co + c]) && y[s.co + c] > 0);
            assert_true(y[2 * s.co + c] == 0.0f);
        }
        free(p.w);
        free(y);
    }
}

static void test_selection(void **state)
{
    size_t count = 0;
    (void)state;
    while (dirac__kernel_tables[count]) {
        const dirac__kernels *table = dirac__kernel_tables[count++];
        const dirac__kernels *expected = dirac__cpu_runs(table->name) ? table : NULL;
        assert_ptr_equal(dirac__kernels_named(table->name), expected);
    }
    assert_true(count > 0);
    assert_string_equal(dirac__kernel_tables[count - 1]->name, "scalar");
    assert_null(dirac__kernels_named("no such table"));
    assert_null(dirac__kernels_named(""));
    for (size_t t = 0; dirac__kernel_tables[t] != dirac__kernels_best(); t++) {
        assert_false(dirac__cpu_runs(dirac__kernel_tables[t]->name));
    }
}

/* A plan asks for the largest batch and then runs smaller ones. */
static void test_scratch_grows_with_batch(void **state)
{
    static const int64_t channels[][2] = {{3, 16},    {16, 16},   {64, 64},  {160, 160},
                                          {640, 640}, {16, 4096}, {1000, 10}};
    (void)state;
    for (size_t t = 0; dirac__kernel_tables[t]; t++) {
        if (!dirac__cpu_runs(dirac__kernel_tables[t]->name)) {
            continue;
        }
        for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
            size_t last = 0;
            for (int64_t n = 1; n < 3000; n += 1 + n / 3) {
                dirac__convolution s;
                set_channels(&s, n, 1, channels[i][0], channels[i][1]);
                set_dimension(&s, 2, 9, 3, 1, 1, 1, 1);
                size_t size = dirac__kernel_tables[t]->conv_weight_scratch(&s);
                assert_true(size >= last);
                last = size;
            }
        }
    }
}

static int start_teams(void **state)
{
    (void)state;
    for (int32_t i = 1; i < 3; i++) {
        teams[i] = dirac__team_create(&dirac__default_memory, i + 1, NULL, NULL);
        if (!teams[i]) {
            return -1;
        }
    }
    return 0;
}

static int stop_teams(void **state)
{
    (void)state;
    dirac__team_destroy(teams[1]);
    dirac__team_destroy(teams[2]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_fixed_shapes),
        cmocka_unit_test(test_random_shapes),
        cmocka_unit_test(test_batch_independence),
        cmocka_unit_test(test_delta_is_identity),
        cmocka_unit_test(test_relu_keeps_nan),
        cmocka_unit_test(test_scratch_grows_with_batch),
        cmocka_unit_test(test_selection),
    };
    return cmocka_run_group_tests(tests, start_teams, stop_teams);
}
