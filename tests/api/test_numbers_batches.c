/* SPDX-License-Identifier: MIT */
/* Batches and gradients at the edges of docs/numerics.md, in whole nets: batches of one image over and over, channels
 * that are constant where batch norm may be part of a convolution, and gradients that are subnormal. Expected values
 * are formulas in double. */
#include <float.h>

#include "support/nets.h"
#include "support/variants.h"

static dirac_node *named(dirac_node *node, const char *name)
{
    ok(dirac_node_set_name(node, name));
    return node;
}

static dirac_session *open_strict(dirac_net *net, int64_t batch, int32_t strict)
{
    dirac_session *session;
    ok(dirac_session_create(&session, net, DIRAC_TRAIN));
    ok(dirac_session_set_batch(session, batch));
    ok(dirac_session_set_strict(session, strict));
    ok(dirac_session_prepare(session));
    return session;
}

static double largest(floats x)
{
    double most = 0;
    for (size_t i = 0; i < x.count; i++)
        most = fmax(most, fabs((double)x.at[i]));
    return most;
}

/* ---- one image, and copies of it ---- */

enum { COPIES = 6, CLASSES = 10, SIZE = 16, PIXELS = 3 * SIZE * SIZE };

/* What a batch of n equal images leads to: all logits, the loss, the gradients, the net with its statistics. */
typedef struct outcome {
    floats logits, gradients;
    double loss;
    dirac_net *net;
} outcome;

static outcome train_on_copies(dirac_context *owner, int64_t n)
{
    outcome o = {.net = new_net(owner)};
    const int32_t labels[COPIES] = {3, 3, 3, 3, 3, 3};
    floats image = random_numbers(PIXELS, 11, -1, 1), batch = {NULL, 0};
    float loss;
    dirac_node *x = dirac_net_input2d(o.net, 3, SIZE, SIZE);
    dirac_net_output(o.net, dirac_model_diracnet_cifar(o.net, x, 10, 1, CLASSES, DIRAC_FORM_NORMALIZED_DELTA));
    ok(dirac_net_build(o.net));
    stir_batch_norms(o.net, 5, 7);
    for (int64_t i = 0; i < n; i++)
        append_copy(&batch, image.at, image.count);
    dirac_session *s = open_strict(o.net, n, 1);
    ok(dirac_session_forward(s, batch.at, n));
    append_output(&o.logits, s);
    ok(dirac_session_cross_entropy(s, labels, &loss));
    ok(dirac_session_backward(s));
    append_gradients(&o.gradients, s);
    ok(dirac_session_commit_statistics(s));
    o.loss = (double)loss;
    dirac_session_destroy(s);
    drop_floats(&image), drop_floats(&batch);
    return o;
}

/* The variance of a batch norm's channels, from running_var = 0.9 * 1 + 0.1 * variance * count / (count - 1). */
static floats batch_variance(const outcome *o, const char *name, int64_t n, const dirac_node *node)
{
    floats list = {NULL, 0};
    int64_t dims[4], count = n;
    int32_t rank;
    ok(dirac_node_shape(node, dims, &rank));
    for (int32_t i = 1; i < rank; i++)
        count *= dims[i];
    append_tensor(&list, o->net, name);
    for (size_t c = 0; c < list.count; c++)
        list.at[c] = (float)(((double)list.at[c] - 0.9) / 0.1 * (double)(count - 1) / (double)count);
    return list;
}

static void same_variances(const outcome *one, const outcome *many)
{
    int32_t norms = 0;
    for (int64_t i = 0; i < dirac_net_node_count(one->net); i++) {
        const dirac_node *node = dirac_net_node(one->net, i);
        char name[256];
        if (strcmp(dirac_node_kind(node), "batch_norm") != 0)
            continue;
        snprintf(name, sizeof name, "%s.running_var", dirac_node_name(node));
        floats a = batch_variance(one, name, 1, node);
        floats b = batch_variance(many, name, COPIES, node);
        for (size_t c = 0; c < a.count; c++) /* 10 times the rounding of a number near 1, beside that of the values */
            assert_true(fabs((double)a.at[c] - (double)b.at[c]) <= 1e-5 * (1 + fabs((double)a.at[c])));
        drop_floats(&a), drop_floats(&b);
        norms++;
    }
    assert_true(norms >= 5);
}

/*
 * n copies have the mean and the variance of one, and the mean of n equal losses is one of them: only roundings
 * differ, those of batch norm's two coefficients. A layer hands relative errors on and adds some of 2^-24 of what it
 * sums, which is up to 10 times the result; ten layers make 10 * 10 * 2^-24 = 6e-6 of the largest, and twenty, there
 * and back, the double.
 */
static void check_copies(dirac_context *owner)
{
    outcome one = train_on_copies(owner, 1), many = train_on_copies(owner, COPIES);
    const double most = largest(one.logits);
    assert_true(most > 0.01);
    for (size_t i = 0; i < many.logits.count; i++) {
        assert_true(many.logits.at[i] == many.logits.at[i % CLASSES]); /* equal images, equal bits */
        assert_true(fabs((double)many.logits.at[i] - (double)one.logits.at[i % CLASSES]) <= 6e-6 * most);
    }
    assert_true(fabs(many.loss - one.loss) <= 2 * 6e-6 * most + 0x1p-23 * one.loss);
    assert_int_equal(many.gradients.count, one.gradients.count);
    size_t at = 0;
    for (int64_t i = 0; i < dirac_net_tensor_count(one.net); i++) {
        const char *name = dirac_net_tensor_name(one.net, i);
        if (!is_trained(one.net, name))
            continue;
        floats a = {one.gradients.at + at, tensor_elements(one.net, name)};
        const double bound = 12e-6 * largest(a);
        for (size_t j = 0; j < a.count; j++)
            if (!(fabs((double)many.gradients.at[at + j] - (double)a.at[j]) <= bound))
                fail_msg("%s[%zu]: %.9g, and %.9g of copies, more than %.3g apart", name, j, (double)a.at[j],
                         (double)many.gradients.at[at + j], bound);
        at += a.count;
    }
    same_variances(&one, &many);
    drop_floats(&one.logits), drop_floats(&one.gradients);
    drop_floats(&many.logits), drop_floats(&many.gradients);
    dirac_net_destroy(one.net), dirac_net_destroy(many.net);
}

/* ---- channels that are constant ---- */

enum { N = 4, C = 16, SIDE = 8, AREA = SIDE * SIDE };

static const double epsilon = 1e-5;
static float gammas[C], betas[C], biases[C];

/* A convolution of weights 0 gives its bias everywhere; batch norm, ReLU, the identity as a convolution, the mean. */
static dirac_net *constant_net(dirac_context *owner)
{
    dirac_net *net = new_net(owner);
    dirac_node *x = named(dirac_net_conv2d(net, dirac_net_input2d(net, C, SIDE, SIDE), C, 3), "first");
    ok(dirac_node_set_int(x, "bias", 1));
    ok(dirac_node_set_initializer(x, "weight", DIRAC_INIT_ZEROS, 0, 0));
    x = dirac_net_relu(net, named(dirac_net_batch_norm(net, x), "bn"));
    x = named(dirac_net_conv2d(net, x, C, 3), "second");
    ok(dirac_node_set_initializer(x, "weight", DIRAC_INIT_DELTA, 1, 0));
    dirac_net_output(net, dirac_net_global_average_pool(net, x));
    ok(dirac_net_build(net));
    for (size_t c = 0; c < C; c++) {
        gammas[c] = uniform(1, c, 0.5, 1.5) * (c % 5 == 0 ? -1 : 1);
        betas[c] = uniform(2, c, 0.25, 1) * (c % 3 == 0 ? -1 : 1);
        biases[c] = c % 4 == 0 ? 0 : (float)(c % 4) * 37.5f - 60;
    }
    ok(dirac_net_tensor_write(net, "bn.weight", gammas, C));
    ok(dirac_net_tensor_write(net, "bn.bias", betas, C));
    ok(dirac_net_tensor_write(net, "first.bias", biases, C));
    return net;
}

/* 2^-24 of what cancels in y = s x + t, with s = gamma / sqrt(epsilon) */
static double cancelled(size_t c)
{
    return 0x1p-24 * (fabs((double)gammas[c]) / sqrt(epsilon) * fabs((double)biases[c]) + fabs((double)betas[c]));
}

/* The gradient of "first".weight at [c][i][u][v], and the sum of the sizes of what is added: dy of an image is the same
 * everywhere, and passes ReLU where beta > 0. */
static double weight_gradient(const float *x, const float *dy, size_t c, size_t i, int32_t u, int32_t v, double *size)
{
    const double s = (double)gammas[c] / sqrt(epsilon);
    double mean = 0, sum = 0;
    *size = 0;
    for (size_t n = 0; n < N; n++)
        mean += betas[c] > 0 ? (double)dy[n * C + c] / AREA / N : 0;
    for (size_t n = 0; n < N; n++)
        for (int32_t p = 0; p < SIDE; p++)
            for (int32_t q = 0; q < SIDE; q++) {
                const int32_t row = p + u - 1, column = q + v - 1;
                if (row < 0 || row >= SIDE || column < 0 || column >= SIDE || !(betas[c] > 0))
                    continue;
                const double value = (double)x[(n * C + i) * AREA + (size_t)(row * SIDE + column)];
                sum += s * ((double)dy[n * C + c] / AREA - mean) * value;
                *size += fabs(s * value) * (fabs((double)dy[n * C + c] / AREA) + fabs(mean));
            }
    return sum;
}

/*
 * "second" hands the gradient of the mean on with products by 0 and 1. Roundings of strict sums: dy / 64 is exact, s
 * and the mean are rounded, then the product, the difference and the sum of 256 values in runs of at most 64: 70 times
 * 2^-24 of the sizes at most. y has four: of s, t, s x and the sum. Winograd adds what docs/numerics.md measures, below
 * 1e-5 of the largest. For dgamma, xhat is the rounding of the mean over sqrt(epsilon).
 */
static void compare_constant(dirac_context *owner, int32_t strict)
{
    dirac_net *net = constant_net(owner);
    dirac_session *s = open_strict(net, N, strict);
    floats x = random_numbers(N * C * AREA, 3, -1, 1), dy = random_numbers(N * C, 4, -1, 1);
    floats y = {NULL, 0}, g = {NULL, 0};
    const double more = strict ? 0 : 1e-5;
    ok(dirac_session_forward(s, x.at, N));
    append_output(&y, s);
    for (size_t i = 0; i < y.count; i++) {
        const size_t c = i % C;
        const double want = fmax((double)betas[c], 0);
        assert_true(fabs((double)y.at[i] - want) <= 4 * cancelled(c) + more * fmax(want, 1) + 4 * more);
    }
    ok(dirac_session_set_output_gradient(s, 0, dy.at, dy.count));
    ok(dirac_session_backward(s));
    append_gradients(&g, s);
    const float *dw = g.at, *dgamma = g.at + C * C * 9 + C, *dbeta = dgamma + C;
    for (size_t c = 0; c < C; c++) {
        double size, sum = 0, sizes = 0;
        for (size_t n = 0; n < N; n++) {
            sum += betas[c] > 0 ? (double)dy.at[n * C + c] : 0;
            sizes += fabs((double)dy.at[n * C + c]);
        }
        assert_true(fabs((double)dbeta[c] - sum) <= 70 * 0x1p-24 * sizes + more * sizes);
        assert_true(fabs((double)dgamma[c]) <= sizes * 70 * 0x1p-24 * fabs((double)biases[c]) / sqrt(epsilon));
        for (size_t i = 0; i < C * 9; i++) {
            const double want = weight_gradient(x.at, dy.at, c, i / 9, (int32_t)(i % 9 / 3), (int32_t)(i % 3), &size);
            if (!(fabs((double)dw[c * C * 9 + i] - want) <= (70 * 0x1p-24 + more) * size))
                fail_msg("channel %zu, weight %zu: %.9g, not %.9g", c, i, (double)dw[c * C * 9 + i], want);
        }
    }
    drop_floats(&x), drop_floats(&dy), drop_floats(&y), drop_floats(&g);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

static void check_constant(dirac_context *owner)
{
    compare_constant(owner, 1);
    compare_constant(owner, 0);
}

/* ---- subnormal gradients ---- */

/* v = v/2 + g, w = w - v, in whole multiples of the smallest float: both steps are exact. */
static void check_subnormal_gradients(dirac_context *owner)
{
    enum { IN = 7, OUT = 5, COUNT = IN * OUT + OUT };
    const float zeros[COUNT] = {0};
    dirac_net *net = new_net(owner);
    dirac_sgd *sgd;
    dirac_net_output(net, named(dirac_net_linear(net, dirac_net_input(net, IN), OUT), "fc"));
    ok(dirac_net_build(net));
    ok(dirac_net_tensor_write(net, "fc.weight", zeros, IN * OUT));
    ok(dirac_net_tensor_write(net, "fc.bias", zeros, OUT));
    dirac_session *s = open_session(net, DIRAC_TRAIN, 1);
    ok(dirac_sgd_create(&sgd, net));
    ok(dirac_sgd_set_learning_rate(sgd, 1));
    ok(dirac_sgd_set_momentum(sgd, 0.5f));
    for (int step = 0; step < 2; step++) {
        float *g;
        size_t count;
        ok(dirac_session_forward(s, zeros, 1));
        ok(dirac_session_set_output_gradient(s, 0, zeros, OUT));
        ok(dirac_session_backward(s));
        ok(dirac_session_gradients(s, &g, &count));
        assert_int_equal(count, COUNT);
        for (int i = 0; i < COUNT; i++)
            g[i] = (float)(2 * i - 20) * FLT_TRUE_MIN;
        ok(dirac_sgd_step(sgd, s));
    }
    floats w = {NULL, 0}, v = {NULL, 0};
    append_net(&w, net);
    append_momentum(&v, sgd, net);
    for (int i = 0; i < COUNT; i++) {
        assert_true(v.at[i] == (float)(3 * (i - 10)) * FLT_TRUE_MIN);
        assert_true(w.at[i] == (float)(-5 * (i - 10)) * FLT_TRUE_MIN);
    }
    drop_floats(&w), drop_floats(&v);
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

/* ---- with all kernels of this machine ---- */

static void with_all_kernels(void (*check)(dirac_context *owner))
{
    for (size_t k = 0; k < KERNEL_NAMES; k++) {
        dirac_context *owner = kernels_context(kernel_names[k]);
        if (owner == NULL)
            continue;
        check(owner);
        dirac_context_destroy(owner);
    }
}

static void test_copies(void **state)
{
    (void)state;
    with_all_kernels(check_copies);
}

static void test_constant_channels(void **state)
{
    (void)state;
    with_all_kernels(check_constant);
}

static void test_subnormal_gradients(void **state)
{
    (void)state;
    with_all_kernels(check_subnormal_gradients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_constant_channels),
        cmocka_unit_test(test_subnormal_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
