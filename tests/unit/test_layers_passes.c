/* SPDX-License-Identifier: MIT */
/* What layers do around their kernels: running statistics, and the two ways of a linear layer.
 * Twins are in double; u = 2^-24 below is the error of one rounding to float. */
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirac/status.h>

#include "kernels/blas.h"
#include "layers/layer.h"
#include "support/compare.h"

/* A layer, its plan and memory for one pass. */
typedef struct bench {
    dirac__layer layer;
    dirac__shape in;
    dirac__layer_plan plan;
    dirac__pass pass;
    dirac__norm norm; /* of a batch norm: nothing beside it takes part */
    float *parameters[DIRAC__MAX_PARAMETERS], *gradients[DIRAC__MAX_PARAMETERS];
    float *pending[2 * DIRAC__MAX_PARAMETERS];
    const float *x[1];
    float *dx[1];
    void *memory[2]; /* scratch and saved */
} bench;

static void *bytes(size_t size)
{
    void *memory = dirac__alloc(&dirac__default_memory, size);
    assert_non_null(memory);
    return memory;
}

static void bench_make(bench *b, const kernel_run *run, const dirac__kind *kind, dirac__shape in)
{
    memset(b, 0, sizeof *b);
    dirac__layer_defaults(&b->layer, kind, in.rank == 0 ? 0 : in.rank);
    b->layer.n_inputs = 1;
    b->in = in;
    b->pass = (dirac__pass){.layer = &b->layer,
                            .name = "n",
                            .kernels = run->kernels,
                            .team = run->team,
                            .in = &b->in,
                            .x = b->x,
                            .dx = b->dx,
                            .parameters = b->parameters,
                            .gradients = b->gradients,
                            .pending = b->pending};
}

/* Plans for n images and gives the pass its memory. */
static void bench_plan(bench *b, int64_t n, bool training, bool blas)
{
    b->plan = (dirac__layer_plan){.layer = &b->layer,
                                  .name = "n",
                                  .in = &b->in,
                                  .batch = n,
                                  .images = n,
                                  .training = training,
                                  .blas = blas,
                                  .lanes = 1,
                                  .kernels = b->pass.kernels};
    assert_int_equal(b->layer.kind->plan(&b->plan), DIRAC_OK);
    b->pass.n = n;
    b->pass.out = b->plan.out;
    b->pass.training = training;
    b->pass.blas = blas;
    b->pass.scratch = b->memory[0] = bytes(b->plan.scratch);
    b->pass.saved = b->memory[1] = bytes(b->plan.saved);
    if (b->layer.kind->traits & DIRAC__IS_NORM) {
        dirac__batch_norm_cut(&b->norm, b->pass.saved, b->pass.in[0].c);
        b->pass.norm = &b->norm;
    }
    if (!training) {
        void *prepared = bytes(b->plan.prepared);
        b->layer.kind->prepare(&b->pass, prepared);
        b->pass.prepared = prepared;
    }
}

static void bench_free(bench *b)
{
    dirac__free(&dirac__default_memory, b->memory[0]);
    dirac__free(&dirac__default_memory, b->memory[1]);
    dirac__free(&dirac__default_memory, (void *)(uintptr_t)b->pass.prepared);
}

/* ---- batch norm ---- */

enum { IMAGES = 3, CHANNELS = 5, POSITIONS = 7, ROWS = IMAGES * POSITIONS };

typedef struct norm_bench {
    bench b;
    float *x, *y, *dy, *dx;
    float state[2][CHANNELS], pending[4][CHANNELS];
    float gradients[2][CHANNELS];
    float *weight, *bias;
} norm_bench;

static void norm_make(norm_bench *t, const kernel_run *run)
{
    const size_t count = ROWS * CHANNELS;
    bench_make(&t->b, run, &dirac__kind_batch_norm,
               (dirac__shape){.c = CHANNELS, .rank = 1, .size = {1, 1, POSITIONS}});
    assert_int_equal(dirac__layer_set_float(&t->b.layer, "n", "momentum", 0.25), DIRAC_OK);
    t->x = random_floats(count, 1, -2, 3);
    t->dy = random_floats(count, 2, -1, 1);
    t->y = new_floats(count);
    t->dx = new_floats(count);
    t->weight = random_floats(CHANNELS, 3, 0.5, 2);
    t->bias = random_floats(CHANNELS, 4, -1, 1);
    t->b.x[0] = t->x;
    t->b.dx[0] = t->dx;
    t->b.pass.y = t->y;
    t->b.pass.dy = t->dy;
    t->b.parameters[0] = t->weight;
    t->b.parameters[1] = t->bias;
    t->b.parameters[2] = t->state[0];
    t->b.parameters[3] = t->state[1];
    for (int i = 0; i < CHANNELS; i++) {
        t->state[0][i] = 0.5f * (float)i;
        t->state[1][i] = 1.0f + (float)i;
        t->pending[0][i] = t->pending[2][i] = 1;
        t->pending[1][i] = t->pending[3][i] = 0;
        t->gradients[0][i] = t->gradients[1][i] = 10;
    }
    for (int i = 0; i < 4; i++)
        t->b.pending[4 + i] =
            t->pending[i]; /* of parameters 2 and 3: decay, addend, decay, addend */
    bench_plan(&t->b, IMAGES, true, false);
}

static void norm_free(norm_bench *t)
{
    free(t->x);
    free(t->y);
    free(t->dy);
    free(t->dx);
    free(t->weight);
    free(t->bias);
    bench_free(&t->b);
}

static void twin_moments(const float *x, int c, double *mean, double *var)
{
    *mean = *var = 0;
    for (int r = 0; r < ROWS; r++)
        *mean += x[r * CHANNELS + c] / (double)ROWS;
    for (int r = 0; r < ROWS; r++)
        *var += (x[r * CHANNELS + c] - *mean) * (x[r * CHANNELS + c] - *mean) / (double)ROWS;
}

/* Two forwards leave what two updates in turn would make of the state. */
static void statistics_compose(kernel_run *run)
{
    norm_bench t;
    const double m = 0.25;
    double want[2][CHANNELS], tolerance[CHANNELS];
    float got[2][CHANNELS];
    norm_make(&t, run);
    for (int i = 0; i < CHANNELS; i++) {
        want[0][i] = t.state[0][i];
        want[1][i] = t.state[1][i];
        /* values below 30: a dozen roundings, of the moments, the products and the sums */
        tolerance[i] = 12 * 30 * ROUNDING;
    }
    for (int step = 0; step < 2; step++) {
        assert_int_equal(t.b.layer.kind->forward(&t.b.pass), DIRAC_OK);
        for (int i = 0; i < CHANNELS; i++) {
            double mean, var;
            twin_moments(t.x, i, &mean, &var);
            want[0][i] = (1 - m) * want[0][i] + m * mean;
            want[1][i] = (1 - m) * want[1][i] + m * var * ROWS / (ROWS - 1.0);
        }
        for (int i = 0; i < ROWS * CHANNELS; i++)
            t.x[i] = 1.5f * t.x[i] + 1; /* the second forward sees other numbers */
    }
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < CHANNELS; i++)
            got[s][i] = t.pending[2 * s][i] * t.state[s][i] + t.pending[2 * s + 1][i];
    check_close("running mean", got[0], want[0], tolerance, CHANNELS);
    check_close("running variance", got[1], want[1], tolerance, CHANNELS);
    norm_free(&t);
}

/* A frozen forward uses the state, leaves nothing pending, and backward remembers that it was frozen. */
static void frozen_uses_the_state(kernel_run *run)
{
    norm_bench t;
    double y[ROWS * CHANNELS], dx[ROWS * CHANNELS], tolerance[ROWS * CHANNELS],
        sums[2][CHANNELS] = {{0}};
    norm_make(&t, run);
    t.b.gradients[0] = t.gradients[0]; /* the bias is not trained */
    assert_int_equal(dirac__layer_set_int(&t.b.layer, "n", "frozen", 1), DIRAC_OK);
    assert_int_equal(t.b.layer.kind->forward(&t.b.pass), DIRAC_OK);
    assert_int_equal(dirac__layer_set_int(&t.b.layer, "n", "frozen", 0), DIRAC_OK);
    assert_int_equal(t.b.layer.kind->backward(&t.b.pass), DIRAC_OK);
    for (int i = 0; i < ROWS * CHANNELS; i++) {
        const int c = i % CHANNELS;
        const double rstd = 1 / sqrt(t.state[1][c] + 1e-5),
                     hat = (t.x[i] - (double)t.state[0][c]) * rstd;
        y[i] = t.weight[c] * hat + t.bias[c];
        dx[i] = t.weight[c] * rstd * t.dy[i];
        sums[0][c] += t.dy[i] * hat;
        tolerance[i] = 8 * 16 * ROUNDING; /* |terms| < 16 and fewer than 8 roundings */
    }
    check_close("y", t.y, y, tolerance, ROWS * CHANNELS);
    check_close("dx", t.dx, dx, tolerance, ROWS * CHANNELS);
    for (int c = 0; c < CHANNELS; c++) {
        assert_true(t.pending[0][c] == 1 && t.pending[1][c] == 0 && t.pending[2][c] == 1 &&
                    t.pending[3][c] == 0);
        assert_true(fabs(t.gradients[0][c] - (10 + sums[0][c])) <= ROWS * 8 * 16 * ROUNDING);
        assert_true(t.gradients[1][c] == 10);
    }
    norm_free(&t);
}

static void one_value_cannot_train(kernel_run *run)
{
    bench b;
    float x[2] = {1, 2}, y[2] = {0}, parameters[4][2] = {{1, 1}, {0, 0}, {0, 0}, {1, 1}};
    bench_make(&b, run, &dirac__kind_batch_norm,
               (dirac__shape){.c = 2, .rank = 0, .size = {1, 1, 1}});
    for (int i = 0; i < 4; i++)
        b.parameters[i] = parameters[i];
    b.x[0] = x;
    b.pass.y = y;
    bench_plan(&b, 1, true, false);
    assert_int_equal(b.layer.kind->forward(&b.pass), DIRAC_ERR_SHAPE);
    assert_string_equal(dirac_error_message(),
                        "layer \"n\": batch norm cannot train with one value a channel, its input "
                        "is one image of (2); give it more images or freeze it");
    assert_int_equal(dirac__layer_set_int(&b.layer, "n", "frozen", 1), DIRAC_OK);
    assert_int_equal(b.layer.kind->forward(&b.pass), DIRAC_OK);
    assert_true(fabs(y[1] - 2 / sqrt(1 + 1e-5)) < 4 * ROUNDING);
    bench_free(&b);
}

/* ---- linear layers, by our kernels and by BLAS ---- */

enum { N = 65, I = 520, O = 512 }; /* just above what goes to BLAS */

typedef struct linear_bench {
    bench b;
    float *x, *y, *dy, *dx, *w, *bias, *dw, *dbias;
} linear_bench;

static void linear_make(linear_bench *t, const kernel_run *run)
{
    bench_make(&t->b, run, &dirac__kind_linear,
               (dirac__shape){.c = I, .rank = 0, .size = {1, 1, 1}});
    assert_int_equal(dirac__layer_set_int(&t->b.layer, "n", "channels", O), DIRAC_OK);
    assert_int_equal(dirac__layer_set_int(&t->b.layer, "n", "form", DIRAC_FORM_FIXED_DELTA),
                     DIRAC_OK);
    t->x = random_floats(N * I, 1, -1, 1);
    t->dy = random_floats(N * O, 2, -1, 1);
    t->w = random_floats(O * I, 3, -1, 1);
    t->bias = random_floats(O, 4, -1, 1);
    t->y = new_floats(N * O);
    t->dx = new_floats(N * I);
    t->dw = random_floats(O * I, 5, 2, 2.5);
    t->dbias = random_floats(O, 6, 2, 2.5);
    t->b.x[0] = t->x;
    t->b.dx[0] = t->dx;
    t->b.pass.y = t->y;
    t->b.pass.dy = t->dy;
    t->b.parameters[0] = t->w;
    t->b.parameters[1] = t->bias;
    t->b.gradients[0] = t->dw;
    t->b.gradients[1] = t->dbias;
}

static void linear_free(linear_bench *t)
{
    free(t->x);
    free(t->y);
    free(t->dy);
    free(t->dx);
    free(t->w);
    free(t->bias);
    free(t->dw);
    free(t->dbias);
    bench_free(&t->b);
}

static double effective(const linear_bench *t, int o, int i)
{
    return t->w[o * I + i] + (i == o ? 1.0 : 0.0);
}

/* A sum of K products in float, in any order, is off by less than K u sum |a b|; here |a b| <= 2 and some roundings more. */
static void check_sums(const char *what, const float *got, const double *want, size_t count,
                       int64_t k)
{
    double *tolerance = new_doubles(count);
    for (size_t i = 0; i < count; i++)
        tolerance[i] = ((double)k + 4) * ROUNDING * 2 * ((double)k + 4);
    check_close(what, got, want, tolerance, count);
    free(tolerance);
}

static void check_linear(kernel_run *run, bool blas)
{
    linear_bench t;
    linear_make(&t, run);
    double *y = new_doubles(N * O), *dx = new_doubles(N * I), *dw = new_doubles(O * I),
           *dbias = new_doubles(O);
    for (int o = 0; o < O; o++) {
        dbias[o] = t.dbias[o];
        for (int i = 0; i < I; i++)
            dw[o * I + i] = t.dw[o * I + i];
        for (int n = 0; n < N; n++) {
            const double d = t.dy[n * O + o];
            double sum = t.bias[o];
            for (int i = 0; i < I; i++) {
                sum += effective(&t, o, i) * t.x[n * I + i];
                dx[n * I + i] += d * effective(&t, o, i);
                dw[o * I + i] += d * t.x[n * I + i];
            }
            y[n * O + o] = sum > 0 ? sum : 0;
            dbias[o] += d;
        }
    }
    bench_plan(&t.b, N, true, blas);
    t.b.pass.relu = true;
    assert_int_equal(t.b.layer.kind->forward(&t.b.pass), DIRAC_OK);
    assert_int_equal(t.b.layer.kind->backward(&t.b.pass), DIRAC_OK);
    check_sums("y", t.y, y, N * O, I);
    check_sums("dx", t.dx, dx, N * I, O);
    check_sums("dw", t.dw, dw, O * I, N);
    check_sums("dbias", t.dbias, dbias, O, N);
    linear_free(&t);
    free(y);
    free(dx);
    free(dw);
    free(dbias);
}

/* The work is large: the best table does. */
static kernel_run best(void)
{
    return (kernel_run){.kernels = dirac__kernels_best()};
}

static void linear_layers(void **state)
{
    (void)state;
    kernel_run run = best();
    check_linear(&run, false);
    check_linear(&run, true); /* the same again in a build without BLAS */
}

/* An image's logits do not depend on its batch, with BLAS allowed too. */
static void inference_is_the_same_alone(void **state)
{
    (void)state;
    kernel_run run = best();
    linear_bench t;
    linear_make(&t, &run);
    bench_plan(&t.b, N, false, true);
    assert_int_equal(t.b.layer.kind->forward(&t.b.pass), DIRAC_OK);
    float *alone = new_floats(O);
    for (int n = 0; n < N; n += 8) {
        t.b.x[0] = t.x + n * I;
        t.b.pass.n = 1;
        t.b.pass.y = alone;
        assert_int_equal(t.b.layer.kind->forward(&t.b.pass), DIRAC_OK);
        check_bits("an image alone", alone, t.y + n * O, O);
    }
    free(alone);
    linear_free(&t);
}

/* ---- BLAS ---- */

static void check_product(int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b,
                          float beta)
{
    float *a = random_floats((size_t)(m * k), 1, -1, 1),
          *b = random_floats((size_t)(k * n), 2, -1, 1);
    float *c = random_floats((size_t)(m * n), 3, -1, 1);
    double *want = new_doubles((size_t)(m * n));
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            want[i * n + j] = beta == 0 ? 0 : (double)beta * c[i * n + j];
            for (int64_t l = 0; l < k; l++)
                want[i * n + j] += (double)a[transpose_a ? l * m + i : i * k + l] *
                                   b[transpose_b ? j * k + l : l * n + j];
        }
    if (beta == 0)
        for (int64_t i = 0; i < m * n; i++)
            c[i] = NAN; /* must not be read */
    assert_true(dirac__sgemm(c, a, transpose_a, b, transpose_b, m, n, k, beta));
    check_sums("product", c, want, (size_t)(m * n), k);
    free(a);
    free(b);
    free(c);
    free(want);
}

static void blas_products(void **state)
{
    (void)state;
    float c = 5, one = 1;
    assert_false(dirac__blas_fits((int64_t)INT_MAX + 1, 1, 1));
    assert_false(dirac__sgemm(&c, &one, false, &one, false, 1, (int64_t)INT_MAX + 1, 1, 0));
    assert_false(dirac__sgemm(&c, &one, false, &one, false, 1, 1, 0, 0));
    assert_true(c == 5);
    if (!dirac__blas_fits(1, 1, 1))
        skip();
    for (int flags = 0; flags < 8; flags++) {
        check_product(3, 5, 7, flags & 1, flags & 2, flags & 4 ? 1 : 0);
        check_product(1, 17, 3, flags & 1, flags & 2, flags & 4 ? 1 : 0);
    }
}

static void test_statistics_compose(void **state)
{
    (void)state;
    for_each_run(statistics_compose);
}
static void test_frozen(void **state)
{
    (void)state;
    for_each_run(frozen_uses_the_state);
}
static void test_one_value(void **state)
{
    (void)state;
    for_each_run(one_value_cannot_train);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statistics_compose),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_one_value),
        cmocka_unit_test(linear_layers),
        cmocka_unit_test(inference_is_the_same_alone),
        cmocka_unit_test(blas_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
