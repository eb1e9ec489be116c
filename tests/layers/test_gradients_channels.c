/* SPDX-License-Identifier: MIT */
/* Norms, activations and the layers that move values against the twin; what the twin cannot show (0, NaN) by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "layers/layer_check.h"
#include "layers/layer_values.h"

/* A layer of one value, on inputs of every number of dimensions, of fewer and more channels than a vector holds. */
typedef struct single {
    dirac_node *(*add)(dirac_net *net, dirac_node *x);
    int64_t channels, size[3];
    int32_t dimensions; /* 0 to 3 */
} single;

static dirac_node *add_input(dirac_net *net, const single *s)
{
    switch (s->dimensions) {
    case 0:
        return dirac_net_input(net, s->channels);
    case 1:
        return dirac_net_input1d(net, s->channels, s->size[0]);
    case 2:
        return dirac_net_input2d(net, s->channels, s->size[0], s->size[1]);
    default:
        return dirac_net_input3d(net, s->channels, s->size[0], s->size[1], s->size[2]);
    }
}

static void build_single(dirac_net *net, const void *user)
{
    const single *s = user;
    dirac_net_output(net, s->add(net, add_input(net, s)));
}

static void check_single(const char *name, dirac_node *(*add)(dirac_net *, dirac_node *),
                         layer_case c)
{
    static const single all[] = {
        {.channels = 1, .dimensions = 1, .size = {5}},
        {.channels = 3, .dimensions = 2, .size = {4, 3}},
        {.channels = 19, .dimensions = 0},
        {.channels = 17, .dimensions = 2, .size = {3, 1}},
        {.channels = 2, .dimensions = 3, .size = {2, 3, 2}},
        {.channels = 33, .dimensions = 1, .size = {2}},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        single s = all[i];
        char what[96];
        s.add = add;
        snprintf(what, sizeof what, "%s of %d channels, %d-D", name, (int)s.channels,
                 (int)s.dimensions);
        c.what = what;
        c.build = build_single;
        c.user = &s;
        /* Of five images, so that a vector's channel has five values at least. */
        c.n = 5;
        check_layer(&c);
    }
}

/* ---- batch norm ------------------------------------------------------------------------------ */

static dirac_node *frozen_norm(dirac_net *net, dirac_node *x)
{
    dirac_node *y = dirac_net_batch_norm(net, x);
    OK(dirac_node_set_frozen(y, 1));
    return y;
}

static dirac_node *other_norm(dirac_net *net, dirac_node *x)
{
    dirac_node *y = dirac_net_batch_norm(net, x);
    OK(dirac_node_set_float(y, "epsilon", 0.25));
    OK(dirac_node_set_float(y, "momentum", 0.75));
    return y;
}

static void batch_norm(void **state)
{
    (void)state;
    check_single("batch norm", dirac_net_batch_norm, (layer_case){0});
    check_single("batch norm, epsilon 1/4, momentum 3/4", other_norm, (layer_case){0});
    check_single("frozen batch norm", frozen_norm, (layer_case){0});
}

/* A mean of 300 deviations: inputs are known to 300 2^-24 of a deviation, and so is what is made of them. A variance
 * by the mean of squares less the square of the mean would be off by 300^2 2^-24 = 0.5 %. */
static void batch_norm_far_from_zero(void **state)
{
    (void)state;
    check_single("batch norm of 300 +- 1", dirac_net_batch_norm,
                 (layer_case){.low = 299, .high = 301, .slack = 20});
}

/* ---- activations ----------------------------------------------------------------------------- */

static dirac_node *steep_elu(dirac_net *net, dirac_node *x)
{
    dirac_node *y = dirac_net_elu(net, x);
    OK(dirac_node_set_float(y, "alpha", 1.75));
    return y;
}

static void activations(void **state)
{
    (void)state;
    check_single("relu", dirac_net_relu, (layer_case){0});
    check_single("ncrelu", dirac_net_ncrelu, (layer_case){0});
    check_single("elu", dirac_net_elu, (layer_case){.low = -6, .high = 2});
    check_single("elu, alpha 7/4", steep_elu, (layer_case){0});
}

/* y and dx (for dy of ones) of a layer on four numbers of one channel each. */
static void on_four(dirac_node *(*add)(dirac_net *, dirac_node *), const float x[4], float *y,
                    float dx[4])
{
    static const float ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    dirac_context *context = NULL;
    dirac_net *net = NULL;
    dirac_session *session = NULL;
    const float *values;
    size_t count;
    OK(dirac_context_create(&context));
    OK(dirac_net_create(&net, context));
    dirac_net_output(net, add(net, dirac_net_input(net, 4)));
    OK(dirac_net_build(net));
    OK(dirac_session_create(&session, net, DIRAC_TRAIN));
    OK(dirac_session_set_input_gradients(session, 1));
    OK(dirac_session_prepare(session));
    OK(dirac_session_forward(session, x, 1));
    OK(dirac_session_output(session, 0, &values, &count));
    memcpy(y, values, count * sizeof *y);
    OK(dirac_session_set_output_gradient(session, 0, ones, count));
    OK(dirac_session_backward(session));
    OK(dirac_session_input_gradient(session, 0, &values, NULL));
    memcpy(dx, values, 4 * sizeof *dx);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}

static void zero_and_nan(void **state)
{
    const float x[4] = {0, NAN, -0.0f, INFINITY};
    float y[8], dx[4];
    (void)state;
    on_four(dirac_net_relu, x, y, dx);
    assert_true(y[0] == 0 && isnan(y[1]) && y[2] == 0 && y[3] == INFINITY);
    assert_true(dx[0] == 0 && dx[2] == 0 && dx[3] == 1);
    on_four(dirac_net_ncrelu, x, y, dx);
    assert_true(y[0] == 0 && isnan(y[1]) && y[2] == 0 && y[3] == INFINITY);
    assert_true(y[4] == 0 && isnan(y[5]) && y[6] == 0 && y[7] == 0);
    on_four(dirac_net_elu, x, y, dx);
    assert_true(y[0] == 0 && isnan(y[1]) && y[2] == 0 && y[3] == INFINITY);
    assert_true(dx[3] == 1);
}

/* Numbers that are all one value, and too large for exp without the largest taken off. */
static void softmax_of_large_numbers(void **state)
{
    const float x[4] = {1000, 1000, 999, -1e30f};
    const double e = exp(-1.0), sum = 2 + e, want[4] = {1 / sum, 1 / sum, e / sum, 0};
    float y[4], dx[4];
    (void)state;
    on_four(dirac_net_softmax, x, y, dx);
    layer_close("softmax", "y", y, want, 4, 4 * 0x1p-24);
    /* The sum of y is 1 whatever x is. */
    for (int i = 0; i < 4; i++)
        assert_true(fabs(dx[i]) <= 8 * 0x1p-24);
}

/* ---- across channels ------------------------------------------------------------------------- */

static dirac_node *default_response_norm(dirac_net *net, dirac_node *x)
{
    return dirac_net_local_response_norm(net, x, 5);
}

/* So strong that every term of the gradient shows. */
static dirac_node *strong_response_norm(dirac_net *net, dirac_node *x)
{
    dirac_node *y = dirac_net_local_response_norm(net, x, 4);
    OK(dirac_node_set_float(y, "alpha", 3));
    OK(dirac_node_set_float(y, "beta", 1.25));
    OK(dirac_node_set_float(y, "k", 0.5));
    return y;
}

static dirac_node *wide_response_norm(dirac_net *net, dirac_node *x)
{
    dirac_node *y = dirac_net_local_response_norm(net, x, 41);
    OK(dirac_node_set_float(y, "alpha", 2));
    return y;
}

static void response_norm(void **state)
{
    (void)state;
    check_single("response norm", default_response_norm, (layer_case){0});
    check_single("strong response norm", strong_response_norm, (layer_case){.low = -3, .high = 3});
    check_single("response norm wider than the channels", wide_response_norm,
                 (layer_case){.low = -2, .high = 2});
}

static dirac_node *two_channel_softmax(dirac_net *net, dirac_node *x)
{
    dirac_node *both[2] = {x, dirac_net_elu(net, x)};
    return dirac_net_softmax(net, dirac_net_concat(net, both, 2));
}

static void softmax(void **state)
{
    (void)state;
    /* Concatenated with another, for a softmax of one channel is 1. */
    check_single("softmax", two_channel_softmax, (layer_case){.low = -3, .high = 3});
}

/* ---- moving values --------------------------------------------------------------------------- */

static dirac_node *twice(dirac_net *net, dirac_node *x)
{
    return dirac_net_add(net, x, x);
}

static dirac_node *flat(dirac_net *net, dirac_node *x)
{
    return dirac_net_flatten(net, x);
}

static dirac_node *thrice(dirac_net *net, dirac_node *x)
{
    dirac_node *all[3] = {x, dirac_net_elu(net, x), x};
    return dirac_net_concat(net, all, 3);
}

static dirac_node *alone(dirac_net *net, dirac_node *x)
{
    return dirac_net_concat(net, &x, 1);
}

static void moving(void **state)
{
    (void)state;
    check_single("x + x", twice, (layer_case){0});
    check_single("flatten", flat, (layer_case){0});
    check_single("concat of x, elu(x), x", thrice, (layer_case){0});
    check_single("concat of one", alone, (layer_case){0});
}

static void build_two_inputs(dirac_net *net, const void *user)
{
    dirac_node *a = dirac_net_input2d(net, 3, 4, 5), *b = dirac_net_input2d(net, 3, 4, 5);
    dirac_node *c = dirac_net_input2d(net, 17, 4, 5);
    (void)user;
    dirac_node *all[3] = {c, dirac_net_add(net, a, b), b};
    dirac_net_output(net, dirac_net_concat(net, all, 3));
    dirac_net_output(net, dirac_net_flatten(net, dirac_net_add(net, b, a)));
}

static void several_inputs_and_outputs(void **state)
{
    (void)state;
    check_layer(&(layer_case){.what = "three inputs, two outputs", .build = build_two_inputs});
}

/* ---- more than one task's work --------------------------------------------------------------- */

static void large(void **state)
{
    static const single images = {.channels = 3, .dimensions = 2, .size = {70, 60}};
    static const single channels = {.channels = 300, .dimensions = 1, .size = {9}};
    static const struct {
        const char *name;
        dirac_node *(*add)(dirac_net *, dirac_node *);
    } layers[] = {
        {"large batch norm", dirac_net_batch_norm},
        {"large frozen batch norm", frozen_norm},
        {"large relu", dirac_net_relu},
        {"large ncrelu", dirac_net_ncrelu},
        {"large elu", dirac_net_elu},
        {"large response norm", strong_response_norm},
        {"large softmax", two_channel_softmax},
        {"large sum", twice},
        {"large concat", thrice},
        {"large global average", dirac_net_global_average_pool},
    };
    (void)state;
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        for (int many = 0; many <= 1; many++) {
            single s = many ? channels : images;
            s.add = layers[i].add;
            check_layer(&(layer_case){.what = layers[i].name, .build = build_single, .user = &s});
        }
}

/* One value a channel has no variance: the error of a training forward, not of inference nor of a frozen layer. */
static void one_value_a_channel(void **state)
{
    static const float x[3] = {1, 2, 3};
    (void)state;
    for (int frozen = 0; frozen <= 1; frozen++)
        for (int32_t mode = DIRAC_INFER; mode <= DIRAC_TRAIN; mode++) {
            dirac_context *context = NULL;
            dirac_net *net = NULL;
            dirac_session *session = NULL;
            OK(dirac_context_create(&context));
            OK(dirac_net_create(&net, context));
            dirac_node *norm = dirac_net_batch_norm(net, dirac_net_input(net, 3));
            OK(dirac_node_set_name(norm, "lonely"));
            OK(dirac_node_set_frozen(norm, frozen));
            dirac_net_output(net, norm);
            OK(dirac_net_build(net));
            OK(dirac_session_create(&session, net, mode));
            OK(dirac_session_prepare(session));
            const int32_t status = dirac_session_forward(session, x, 1);
            assert_int_equal(status, mode == DIRAC_TRAIN && !frozen ? DIRAC_ERR_SHAPE : DIRAC_OK);
            if (status != DIRAC_OK)
                assert_non_null(strstr(dirac_error_message(), "lonely"));
            dirac_session_destroy(session);
            dirac_net_destroy(net);
            dirac_context_destroy(context);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_norm),
        cmocka_unit_test(batch_norm_far_from_zero),
        cmocka_unit_test(activations),
        cmocka_unit_test(zero_and_nan),
        cmocka_unit_test(softmax_of_large_numbers),
        cmocka_unit_test(response_norm),
        cmocka_unit_test(softmax),
        cmocka_unit_test(moving),
        cmocka_unit_test(several_inputs_and_outputs),
        cmocka_unit_test(large),
        cmocka_unit_test(one_value_a_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
