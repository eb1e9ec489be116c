/* SPDX-License-Identifier: MIT */
/* Numbers at their edges, as docs/numerics.md promises: the first layer that went wrong is named, steps that diverge, equal
 * images, one image, filters of length 0, logits as large as float, subnormal numbers, and NaN that leaves nothing
 * behind. tests/api/test_gradients.c shows that a refused step changes nothing. */
#include <float.h>

#include "support/test_context.h"
#include "support/variants.h"

static dirac_node *named(dirac_node *node, const char *name)
{
    ok(dirac_node_set_name(node, name));
    return node;
}

/* ---- a convolution, batch norm and a head, in training ---- */

enum { N = 3, CLASSES = 4, PIXELS = 2 * 6 * 6 };

typedef struct training {
    dirac_net *net;
    dirac_session *session;
    dirac_sgd *sgd;
    floats images;
} training;

static training begin(void)
{
    training t = {.net = new_net(context), .images = random_numbers(N * PIXELS, 3, -1, 1)};
    dirac_node *x = named(dirac_net_dirac_conv2d(t.net, dirac_net_input2d(t.net, 2, 6, 6), 5, 3), "conv");
    x = dirac_net_relu(t.net, named(dirac_net_batch_norm(t.net, x), "bn"));
    x = named(dirac_net_batch_norm(t.net, named(dirac_net_conv2d(t.net, x, 3, 3), "second")), "last");
    x = dirac_net_global_average_pool(t.net, x);
    dirac_net_output(t.net, named(dirac_net_linear(t.net, x, CLASSES), "fc"));
    ok(dirac_net_build(t.net));
    t.session = open_session(t.net, DIRAC_TRAIN, N);
    ok(dirac_sgd_create(&t.sgd, t.net));
    ok(dirac_sgd_set_momentum(t.sgd, 0.5f));
    return t;
}

static void end(training *t)
{
    drop_floats(&t->images);
    dirac_sgd_destroy(t->sgd);
    dirac_session_destroy(t->session);
    dirac_net_destroy(t->net);
}

static float backward_of(training *t, const float *images)
{
    const int32_t labels[N] = {0, 1, 3};
    float loss;
    ok(dirac_session_forward(t->session, images, N));
    ok(dirac_session_cross_entropy(t->session, labels, &loss));
    ok(dirac_session_backward(t->session));
    return loss;
}

/* Where the gradient of a parameter begins. */
static size_t gradient_at(const dirac_net *net, const char *wanted)
{
    size_t offset = 0;
    for (int64_t i = 0; i < dirac_net_tensor_count(net); i++) {
        const char *name = dirac_net_tensor_name(net, i);
        if (strcmp(name, wanted) == 0)
            return offset;
        if (is_trained(net, name))
            offset += tensor_elements(net, name);
    }
    fail_msg("no parameter %s", wanted);
    return 0;
}

/* ---- who is named ---- */

/* Where it began: the first statistic of forward, then the first gradient of backward, which is the last of the layers. */
static void test_first_layer_is_named(void **state)
{
    (void)state;
    training t = begin();
    float *gradients;
    size_t count;
    floats huge = random_numbers(N * PIXELS, 4, -1e25, 1e25);
    backward_of(&t, huge.at); /* the variance behind "conv" is beyond float: statistics of "bn" are bad */
    ok(dirac_session_gradients(t.session, &gradients, &count));
    memset(gradients, 0, count * sizeof *gradients);
    gradients[gradient_at(t.net, "fc.bias")] = NAN;
    gradients[gradient_at(t.net, "second.weight")] = INFINITY;
    refused(dirac_sgd_step(t.sgd, t.session), DIRAC_ERR_NOT_FINITE);
    message_has("\"bn.running_var\"");
    ok(dirac_session_clear_gradients(t.session));
    backward_of(&t, t.images.at);
    static const char *const spoiled[] = {"conv.alpha", "bn.bias", "second.weight", "fc.bias"};
    for (size_t i = 0; i < sizeof spoiled / sizeof *spoiled; i++) {
        gradients[gradient_at(t.net, spoiled[i])] = i % 2 == 0 ? NAN : -INFINITY;
        refused(dirac_sgd_step(t.sgd, t.session), DIRAC_ERR_NOT_FINITE);
        message_has(spoiled[i]);
    }
    drop_floats(&huge);
    end(&t);
}

/* ---- steps that diverge ---- */

/* A rate of 1e30: after a few steps one is refused, and from then on the net is as it was; drawn anew, it trains. */
static void test_divergence(void **state)
{
    (void)state;
    training t = begin();
    floats before = {NULL, 0}, after = {NULL, 0};
    int32_t status = DIRAC_OK;
    int steps = 0;
    ok(dirac_sgd_set_learning_rate(t.sgd, 1e30f));
    for (; status == DIRAC_OK && steps < 20; steps++) {
        (void)backward_of(&t, t.images.at);
        drop_floats(&before);
        append_net(&before, t.net);
        append_momentum(&before, t.sgd, t.net);
        status = dirac_sgd_step(t.sgd, t.session);
    }
    assert_int_equal(status, DIRAC_ERR_NOT_FINITE);
    append_net(&after, t.net);
    append_momentum(&after, t.sgd, t.net);
    same_bits("the refused step", before, after);
    ok(dirac_session_clear_gradients(t.session));
    ok(dirac_net_initialize(t.net, 9));
    ok(dirac_sgd_restart_momentum(t.sgd));
    ok(dirac_sgd_set_learning_rate(t.sgd, 0.01f));
    for (int i = 0; i < 3; i++) {
        assert_true(isfinite(backward_of(&t, t.images.at)));
        ok(dirac_sgd_step(t.sgd, t.session));
    }
    drop_floats(&before), drop_floats(&after);
    end(&t);
}

/* Rates whose product leaves float would make NaN of parameters whose momentum is 0. */
static void test_rate_beyond_float(void **state)
{
    (void)state;
    training t = begin();
    floats before = {NULL, 0}, after = {NULL, 0};
    append_net(&before, t.net);
    ok(dirac_sgd_set_learning_rate(t.sgd, 1e30f));
    ok(dirac_sgd_set_parameter_rate(t.sgd, "second.weight", 1e30f));
    (void)backward_of(&t, t.images.at);
    refused(dirac_sgd_step(t.sgd, t.session), DIRAC_ERR_NOT_FINITE);
    message_has("rate of \"second.weight\"");
    append_net(&after, t.net);
    same_bits("a refused step", before, after);
    ok(dirac_sgd_set_learning_rate(t.sgd, 0.1f));
    ok(dirac_sgd_set_parameter_rate(t.sgd, "second.weight", 1));
    ok(dirac_sgd_step(t.sgd, t.session)); /* the gradients are still there */
    drop_floats(&before), drop_floats(&after);
    end(&t);
}

/* ---- equal images, one image ---- */

/* Where a channel is constant its variance is 0: batch norm gives its bias there, and no gradient passes to the input. */
static void test_equal_images(void **state)
{
    (void)state;
    enum { C = 3, SIZE = 4 };
    const float values[C] = {0, 3, -1000}, gamma[C] = {1, 2, 0.5f}, beta[C] = {0.25f, -1, 7};
    dirac_net *net = new_net(context);
    dirac_net_output(net, named(dirac_net_batch_norm(net, dirac_net_input2d(net, C, SIZE, SIZE)), "bn"));
    ok(dirac_net_build(net));
    ok(dirac_net_tensor_write(net, "bn.weight", gamma, C));
    ok(dirac_net_tensor_write(net, "bn.bias", beta, C));
    dirac_session *s;
    ok(dirac_session_create(&s, net, DIRAC_TRAIN));
    ok(dirac_session_set_batch(s, 2));
    ok(dirac_session_set_input_gradients(s, 1));
    ok(dirac_session_prepare(s));
    float x[2 * C * SIZE * SIZE], dy[2 * C * SIZE * SIZE];
    const float *y, *dx;
    size_t count;
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
        x[i] = values[i / (SIZE * SIZE) % C];
        dy[i] = uniform(1, i, -1, 1);
    }
    ok(dirac_session_forward(s, x, 2));
    ok(dirac_session_output(s, 0, &y, &count));
    for (size_t i = 0; i < count; i++) {
        const size_t c = i / (SIZE * SIZE) % C;
        /* y = s x + t, s = gamma / sqrt(1e-5), t = beta - mean s: both are rounded, and cancel. */
        const double scale = fabs((double)gamma[c]) / sqrt(1e-5) * fabs((double)values[c]);
        assert_true(fabs((double)y[i] - (double)beta[c]) <= 3 * 0x1p-24 * (scale + fabs((double)beta[c])));
    }
    ok(dirac_session_set_output_gradient(s, 0, dy, count));
    ok(dirac_session_backward(s));
    ok(dirac_session_input_gradient(s, 0, &dx, NULL));
    for (size_t c = 0; c < C; c++) {
        double sum = 0, most = 0;
        for (size_t i = 0; i < count; i++)
            if (i / (SIZE * SIZE) % C == c) {
                assert_true(isfinite(dx[i]));
                sum += (double)dx[i];
                most = fmax(most, fabs((double)dx[i]));
            }
        assert_true(fabs(sum) <= 32 * 4 * 0x1p-24 * (most + 1)); /* dx = s (dy - mean dy): its sum is 0 */
    }
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

static void test_one_image(void **state)
{
    (void)state;
    training t = begin();
    dirac_session *s = open_session(t.net, DIRAC_TRAIN, 1);
    const int32_t label = 2;
    float loss;
    ok(dirac_session_forward(s, t.images.at, 1)); /* 36 values a channel */
    ok(dirac_session_cross_entropy(s, &label, &loss));
    ok(dirac_session_backward(s));
    ok(dirac_sgd_step(t.sgd, s));
    assert_true(isfinite(loss));
    dirac_session_destroy(s);
    end(&t);
    dirac_net *net = new_net(context); /* one value a channel: there is no variance */
    dirac_net_output(net, named(dirac_net_batch_norm(net, dirac_net_input(net, CLASSES)), "alone"));
    ok(dirac_net_build(net));
    s = open_session(net, DIRAC_TRAIN, 2);
    const float x[2 * CLASSES] = {1, 2, 3, 4, 5, 6, 7, 8};
    refused(dirac_session_forward(s, x, 1), DIRAC_ERR_SHAPE);
    message_has("alone");
    ok(dirac_session_forward(s, x, 2));
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

/* ---- filters of length 0 ---- */

/* Eq. 5 with W = 0 is the identity times alpha, trained and folded; the gradient of W is finite. */
static void test_zero_filters(void **state)
{
    (void)state;
    enum { C = 6, SIZE = 5, COUNT = C * SIZE * SIZE };
    dirac_net *net = new_net(context), *folded;
    dirac_node *conv = named(dirac_net_dirac_conv2d(net, dirac_net_input2d(net, C, SIZE, SIZE), C, 3), "conv");
    ok(dirac_node_set_initializer(conv, "weight", DIRAC_INIT_ZEROS, 0, 0));
    ok(dirac_node_set_initializer(conv, "alpha", DIRAC_INIT_CONSTANT, 1.5, 0));
    dirac_net_output(net, conv);
    ok(dirac_net_build(net));
    dirac_session *s = open_session(net, DIRAC_TRAIN, 1);
    floats x = random_numbers(COUNT, 5, -1, 1);
    const float *y;
    float *g;
    size_t count;
    ok(dirac_session_forward(s, x.at, 1));
    ok(dirac_session_output(s, 0, &y, &count));
    for (size_t i = 0; i < count; i++)
        assert_true(y[i] == 1.5f * x.at[i]);
    ok(dirac_session_set_output_gradient(s, 0, x.at, COUNT));
    ok(dirac_session_backward(s));
    ok(dirac_session_gradients(s, &g, &count));
    for (size_t i = 0; i < count; i++)
        assert_true(isfinite(g[i]));
    ok(dirac_net_fold(&folded, net));
    dirac_session *f = open_session(folded, DIRAC_INFER, 1);
    ok(dirac_session_forward(f, x.at, 1));
    ok(dirac_session_output(f, 0, &y, &count));
    for (size_t i = 0; i < count; i++)
        assert_true(y[i] == 1.5f * x.at[i]);
    drop_floats(&x);
    dirac_session_destroy(s), dirac_session_destroy(f);
    dirac_net_destroy(net), dirac_net_destroy(folded);
}

/* ---- logits ---- */

/* Numbers that go through a net without layers but ReLU's positive side: the loss of chosen logits. */
static double loss_of(const float *logits, int32_t label, float *gradient)
{
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_input(net, CLASSES);
    dirac_net_output(net, dirac_net_add(net, x, x));
    ok(dirac_net_build(net));
    dirac_session *s;
    const float *dx;
    float loss, half[CLASSES];
    ok(dirac_session_create(&s, net, DIRAC_TRAIN));
    ok(dirac_session_set_input_gradients(s, 1));
    ok(dirac_session_prepare(s));
    for (size_t c = 0; c < CLASSES; c++)
        half[c] = logits[c] / 2;
    ok(dirac_session_forward(s, half, 1));
    ok(dirac_session_cross_entropy(s, &label, &loss));
    ok(dirac_session_backward(s));
    ok(dirac_session_input_gradient(s, 0, &dx, NULL));
    for (size_t c = 0; c < CLASSES; c++)
        gradient[c] = dx[c] / 2;
    dirac_session_destroy(s);
    dirac_net_destroy(net);
    return (double)loss;
}

static void test_huge_logits(void **state)
{
    (void)state;
    const float far[CLASSES] = {FLT_MAX, -FLT_MAX, 0, 1}, same[CLASSES] = {FLT_MAX, FLT_MAX, FLT_MAX, FLT_MAX};
    float g[CLASSES];
    assert_true(loss_of(far, 0, g) == 0);
    for (size_t c = 0; c < CLASSES; c++)
        assert_true(g[c] == 0);
    assert_true(loss_of(far, 2, g) == (double)FLT_MAX);
    assert_true(g[0] == 1 && g[1] == 0 && g[2] == -1 && g[3] == 0);
    assert_true(isinf(loss_of(far, 1, g))); /* 2 FLT_MAX: the loss is float; its gradient is finite all the same */
    assert_true(g[0] == 1 && g[1] == -1 && g[2] == 0 && g[3] == 0);
    assert_true(fabs(loss_of(same, 3, g) - log(CLASSES)) < 1e-6);
    assert_true(fabsf(g[0] - 0.25f) < 1e-6f && fabsf(g[3] + 0.75f) < 1e-6f);
}

/* A NaN is the largest logit and never the right answer, wherever it stands. */
static void test_nan_is_never_right(void **state)
{
    (void)state;
    dirac_net *net = new_net(context);
    dirac_net_output(net, dirac_net_relu(net, dirac_net_input(net, CLASSES)));
    ok(dirac_net_build(net));
    dirac_session *s = open_session(net, DIRAC_INFER, 1);
    for (int32_t at = 0; at < CLASSES; at++)
        for (int32_t label = 0; label < CLASSES; label++) {
            float x[CLASSES] = {1, 2, 3, 4};
            int64_t correct = 7;
            x[at] = NAN;
            ok(dirac_session_forward(s, x, 1));
            ok(dirac_session_count_correct(s, &label, &correct));
            assert_int_equal(correct, 0);
        }
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

/* ---- subnormal numbers ---- */

/* They are numbers like others: kept by the identity, by a sum, by a pool; in every kernel. */
static void test_subnormal(void **state)
{
    (void)state;
    for (size_t k = 0; k < KERNEL_NAMES; k++) {
        dirac_context *owner = kernels_context(kernel_names[k]);
        if (owner == NULL)
            continue;
        dirac_net *net = new_net(owner);
        dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 3, 4, 4), 3, 3);
        ok(dirac_node_set_initializer(x, "weight", DIRAC_INIT_DELTA, 1, 0));
        dirac_net_output(net, dirac_net_relu(net, x));
        dirac_net_output(net, dirac_net_max_pool2d(net, x, 1));
        ok(dirac_net_build(net));
        dirac_session *s = open_session(net, DIRAC_INFER, 1);
        float in[48];
        const float *y[2];
        for (int i = 0; i < 48; i++)
            in[i] = (float)(i + 1) * FLT_TRUE_MIN;
        ok(dirac_session_forward(s, in, 1));
        ok(dirac_session_output(s, 0, &y[0], NULL));
        ok(dirac_session_output(s, 1, &y[1], NULL));
        for (int i = 0; i < 48; i++)
            assert_true(y[0][i] == in[i] && y[1][i] == in[i]);
        dirac_session_destroy(s);
        dirac_net_destroy(net);
        dirac_context_destroy(owner);
    }
}

/* ---- NaN leaves nothing behind ---- */

/* Layers of all kinds, with channels that do not fill a vector, and some that take the Winograd path. */
static dirac_net *all_layers(dirac_context *owner)
{
    dirac_net *net = new_net(owner);
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 3, 16, 16), 17, 3);
    x = dirac_net_relu(net, dirac_net_batch_norm(net, x));
    dirac_node *y = dirac_net_dirac_conv2d(net, x, 16, 3);
    y = dirac_net_elu(net, dirac_net_batch_norm(net, dirac_net_dirac_conv2d(net, y, 16, 3)));
    dirac_node *z = dirac_net_conv2d(net, y, 5, 2);
    ok(dirac_node_set_int(z, "stride", 2));
    z = dirac_net_local_response_norm(net, dirac_net_ncrelu(net, z), 3);
    y = dirac_net_average_pool2d(net, dirac_net_max_pool2d(net, y, 2), 2);
    dirac_node *flat = dirac_net_dirac_linear(net, dirac_net_flatten(net, y), 7);
    dirac_node *joined[3] = {flat, dirac_net_global_average_pool(net, z), dirac_net_linear(net, dirac_net_flatten(net, z), 3)};
    dirac_net_output(net, dirac_net_linear(net, dirac_net_dropout(net, dirac_net_concat(net, joined, 3), 0.25f), CLASSES));
    ok(dirac_net_build(net));
    return net;
}

/* Logits and gradients of a batch; dropout is in the same place for every session's second forward. */
static floats pass(dirac_session *s, const float *images, int32_t mode)
{
    const int32_t labels[N] = {0, 1, 3};
    floats all = {NULL, 0};
    const float *y;
    float *g;
    size_t count;
    ok(dirac_session_forward(s, images, N));
    ok(dirac_session_output(s, 0, &y, &count));
    append_copy(&all, y, count);
    if (mode == DIRAC_TRAIN) {
        ok(dirac_session_cross_entropy(s, labels, NULL));
        ok(dirac_session_backward(s));
        ok(dirac_session_gradients(s, &g, &count));
        append_copy(&all, g, count);
        ok(dirac_session_clear_gradients(s));
    }
    return all;
}

static void nothing_behind(dirac_context *owner, int32_t mode)
{
    dirac_net *net = all_layers(owner);
    const float bad[3] = {NAN, INFINITY, FLT_MAX};
    floats good = random_numbers(N * 768, 1, -1, 1);
    dirac_session *clean = open_session(net, mode, N), *spoiled = open_session(net, mode, N);
    for (int i = 0; i < 3; i++) {
        floats wrong = random_numbers(N * 768, 2, -1, 1);
        for (size_t j = 0; j < wrong.count; j += 1 + (size_t)i * 97)
            wrong.at[j] = bad[i];
        floats first = pass(clean, good.at, mode), other = pass(spoiled, wrong.at, mode);
        floats want = pass(clean, good.at, mode), got = pass(spoiled, good.at, mode);
        same_bits("after a batch that is not finite", want, got);
        assert_true(isfinite(got.at[0]));
        drop_floats(&first), drop_floats(&other), drop_floats(&want), drop_floats(&got), drop_floats(&wrong);
    }
    drop_floats(&good);
    dirac_session_destroy(clean), dirac_session_destroy(spoiled);
    dirac_net_destroy(net);
}

static void test_nan_leaves_nothing(void **state)
{
    (void)state;
    for (size_t k = 0; k < KERNEL_NAMES; k++) {
        dirac_context *owner = kernels_context(kernel_names[k]);
        if (owner == NULL)
            continue;
        nothing_behind(owner, DIRAC_INFER);
        nothing_behind(owner, DIRAC_TRAIN);
        dirac_context_destroy(owner);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_layer_is_named),
        cmocka_unit_test(test_divergence),
        cmocka_unit_test(test_rate_beyond_float),
        cmocka_unit_test(test_equal_images),
        cmocka_unit_test(test_one_image),
        cmocka_unit_test(test_zero_filters),
        cmocka_unit_test(test_huge_logits),
        cmocka_unit_test(test_nan_is_never_right),
        cmocka_unit_test(test_subnormal),
        cmocka_unit_test(test_nan_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
