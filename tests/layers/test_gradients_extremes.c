/* SPDX-License-Identifier: MIT */
/* Weight forms where differences cannot go: filters of length 0 and near the smallest divisor, filters so long that
 * the squares leave float; and that what is documented as the default of a layer is what the layer has. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layers/layer_values.h"

/* ---- eq. 5 at its edges ----
 * A linear layer of FILTERS filters over INPUTS inputs and IMAGES images: everything by hand in double. */
enum { FILTERS = 6, INPUTS = 4, IMAGES = 3 };

typedef struct edge {
    float w[FILTERS * INPUTS], alpha[FILTERS], beta[FILTERS], x[IMAGES * INPUTS],
        r[IMAGES * FILTERS];
    float y[IMAGES * FILTERS], dw[FILTERS * INPUTS], dalpha[FILTERS], dbeta[FILTERS];
} edge;

static void draw(edge *e, double length)
{
    const double sizes[FILTERS] = {0, length, 1, length, length, 0};
    for (size_t i = 0; i < FILTERS * INPUTS; i++)
        e->w[i] = (float)(layer_uniform(1, "w", i, -1, 1) * sizes[i / INPUTS]);
    for (size_t i = 0; i < FILTERS; i++) {
        e->alpha[i] = (float)layer_uniform(1, "alpha", i, 0.5, 1.5);
        e->beta[i] = (float)layer_uniform(1, "beta", i, 0.5, 1.5);
    }
    for (size_t i = 0; i < IMAGES * INPUTS; i++)
        e->x[i] = (float)layer_uniform(1, "x", i, -1, 1);
    for (size_t i = 0; i < IMAGES * FILTERS; i++)
        e->r[i] = (float)layer_uniform(1, "r", i, -1, 1);
}

static void run(edge *e)
{
    dirac_context *context = NULL;
    dirac_net *net = NULL;
    dirac_session *session = NULL;
    const float *y;
    OK(dirac_context_create(&context));
    OK(dirac_net_create(&net, context));
    dirac_node *layer = dirac_net_dirac_linear(net, dirac_net_input(net, INPUTS), FILTERS);
    OK(dirac_node_set_name(layer, "fc"));
    dirac_net_output(net, layer);
    OK(dirac_net_build(net));
    OK(dirac_net_tensor_write(net, "fc.weight", e->w, FILTERS * INPUTS));
    OK(dirac_net_tensor_write(net, "fc.alpha", e->alpha, FILTERS));
    OK(dirac_net_tensor_write(net, "fc.beta", e->beta, FILTERS));
    OK(dirac_session_create(&session, net, DIRAC_TRAIN));
    OK(dirac_session_set_batch(session, IMAGES));
    OK(dirac_session_prepare(session));
    OK(dirac_session_forward(session, e->x, IMAGES));
    OK(dirac_session_output(session, 0, &y, NULL));
    memcpy(e->y, y, sizeof e->y);
    OK(dirac_session_set_output_gradient(session, 0, e->r, IMAGES * FILTERS));
    OK(dirac_session_backward(session));
    OK(dirac_session_gradient_read(session, "fc.weight", e->dw, FILTERS * INPUTS));
    OK(dirac_session_gradient_read(session, "fc.alpha", e->dalpha, FILTERS));
    OK(dirac_session_gradient_read(session, "fc.beta", e->dbeta, FILTERS));
    dirac_session_destroy(session);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}

/* What = alpha I + beta w/m with m = max(|w|, 1e-12); G = dL/dWhat; dalpha = G at the delta; dbeta = <G, w/m>;
 * dW = (beta/|w|)(G - u <u, G>), and below 1e-12, where the divisor is a constant, (beta/1e-12) G. */
static void compare_filter(const edge *e, int o)
{
    double g[INPUTS] = {0}, squares = 0, along = 0, sizes = 0;
    const float *w = e->w + o * INPUTS;
    for (int i = 0; i < INPUTS; i++) {
        squares += (double)w[i] * w[i];
        for (int n = 0; n < IMAGES; n++)
            g[i] += (double)e->r[n * FILTERS + o] * e->x[n * INPUTS + i];
        sizes += fabs(g[i]);
    }
    const double norm = sqrt(squares), divisor = fmax(norm, 1e-12);
    for (int i = 0; i < INPUTS; i++)
        along += g[i] * w[i] / divisor;
    for (int n = 0; n < IMAGES; n++) {
        double y = o < INPUTS ? (double)e->alpha[o] * e->x[n * INPUTS + o] : 0;
        for (int i = 0; i < INPUTS; i++)
            y += e->beta[o] * w[i] / divisor * e->x[n * INPUTS + i];
        /* Sums of 5 products of numbers below 2. */
        assert_true(fabs(e->y[n * FILTERS + o] - y) <= 32 * 0x1p-24);
    }
    for (int i = 0; i < INPUTS; i++) {
        const double want =
            e->beta[o] / divisor * (norm < 1e-12 ? g[i] : g[i] - w[i] / norm * along);
        assert_true(fabs(e->dw[o * INPUTS + i] - want) <=
                    32 * 0x1p-24 * e->beta[o] / divisor * sizes);
    }
    assert_true(fabs(e->dbeta[o] - along) <= 32 * 0x1p-24 * sizes);
    assert_true(fabs(e->dalpha[o] - (o < INPUTS ? g[o] : 0)) <= 32 * 0x1p-24 * sizes);
}

static void lengths_at_the_edge(void **state)
{
    /* Shorter than the smallest divisor and just above it; the squares under- or overflow in float. */
    static const double lengths[] = {1e-13, 4e-12, 1e-18, 1e-25, 1e15, 1e25, 1e37};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        edge e;
        draw(&e, lengths[i]);
        run(&e);
        for (int o = 0; o < FILTERS; o++)
            compare_filter(&e, o);
        assert_true(e.dalpha[4] == 0 && e.dalpha[5] == 0);
        assert_true(e.dbeta[0] == 0 && e.dbeta[5] == 0 && e.dw[0] != 0);
    }
}

/* ---- defaults, as <dirac/net.h> states them -------------------------------------------------- */

static void has_int(const dirac_node *node, const char *attribute, int64_t want)
{
    int64_t value = -99;
    OK(dirac_node_get_int(node, attribute, &value));
    if (value != want)
        fail_msg("%s.%s is %d, documented %d", dirac_node_kind(node), attribute, (int)value,
                 (int)want);
}

static void has_float(const dirac_node *node, const char *attribute, double want)
{
    double value = -99;
    OK(dirac_node_get_float(node, attribute, &value));
    if (!(fabs(value - want) <= 1e-9 * fabs(want)))
        fail_msg("%s.%s is %g, documented %g", dirac_node_kind(node), attribute, value, want);
}

static void has_all(const dirac_net *net, const char *name, float want)
{
    size_t count;
    float *values = layer_read(net, name, &count);
    for (size_t i = 0; i < count; i++)
        assert_true(values[i] == want);
    free(values);
}

static void weights_defaults(dirac_node *plain, dirac_node *dirac, dirac_node *linear,
                             dirac_node *dirac_linear)
{
    for (int i = 0; i < 2; i++) {
        const dirac_node *conv = i == 0 ? plain : dirac;
        has_int(conv, "kernel", 3);
        has_int(conv, "stride", 1);
        has_int(conv, "dilation", 1);
        has_int(conv, "padding", -1);
        has_int(conv, "groups", 1);
        has_int(conv, "bias", 0);
        has_int(conv, "form", i == 0 ? DIRAC_FORM_PLAIN : DIRAC_FORM_NORMALIZED_DELTA);
    }
    has_int(linear, "bias", 1);
    has_int(linear, "form", DIRAC_FORM_PLAIN);
    has_int(dirac_linear, "bias", 0);
    has_int(dirac_linear, "form", DIRAC_FORM_NORMALIZED_DELTA);
}

static void window_defaults(dirac_node *max_pool, dirac_node *average_pool)
{
    for (int i = 0; i < 2; i++) {
        const dirac_node *pool = i == 0 ? max_pool : average_pool;
        has_int(pool, "kernel", 2);
        has_int(pool, "stride", 0);
        has_int(pool, "padding", 0);
        has_int(pool, "ceil", 0);
    }
    has_int(average_pool, "count_padding", 1);
}

static void defaults(void **state)
{
    dirac_context *context = NULL;
    dirac_net *net = NULL;
    (void)state;
    OK(dirac_context_create(&context));
    OK(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_input2d(net, 4, 8, 8);
    dirac_node *plain = dirac_net_conv2d(net, x, 4, 3),
               *dirac = dirac_net_dirac_conv2d(net, plain, 4, 3);
    dirac_node *norm = dirac_net_batch_norm(net, dirac), *elu = dirac_net_elu(net, norm);
    dirac_node *max_pool = dirac_net_max_pool2d(net, elu, 2),
               *average_pool = dirac_net_average_pool2d(net, max_pool, 2);
    dirac_node *response = dirac_net_local_response_norm(net, average_pool, 5);
    dirac_node *drop = dirac_net_dropout(net, response, 0.25f);
    dirac_node *linear = dirac_net_linear(net, dirac_net_flatten(net, drop), 6);
    dirac_node *dirac_linear = dirac_net_dirac_linear(net, linear, 6);
    dirac_net_output(net, dirac_linear);
    OK(dirac_net_build(net));
    weights_defaults(plain, dirac, linear, dirac_linear);
    window_defaults(max_pool, average_pool);
    has_float(norm, "epsilon", 1e-5);
    has_float(norm, "momentum", 0.1);
    has_int(norm, "frozen", 0);
    has_float(elu, "alpha", 1);
    has_int(response, "size", 5);
    has_float(response, "alpha", 1e-4);
    has_float(response, "beta", 0.75);
    has_float(response, "k", 1);
    has_float(drop, "rate", 0.25);
    has_all(net, "conv2.alpha", 1);
    has_all(net, "conv2.beta", 0.1f);
    has_all(net, "linear.bias", 0);
    has_all(net, "batch_norm.bias", 0);
    has_all(net, "batch_norm.running_mean", 0);
    has_all(net, "batch_norm.running_var", 1);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_at_the_edge),
        cmocka_unit_test(defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
