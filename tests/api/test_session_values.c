/* SPDX-License-Identifier: MIT */
/* What a session hands out: how long a gradient of an input is there, and whose nodes are asked for. */
#include "support/nets.h"

static dirac_context *context;

/* ---- a layer whose backward fails when it is told to: y = x ---- */

static int32_t set_up(void *user, dirac_layer *layer)
{
    int64_t dims[4];
    int32_t rank;
    (void)user;
    return dirac_layer_input_shape(layer, 0, dims, &rank) || dirac_layer_set_output_shape(layer, dims, rank);
}

static int32_t forward(void *user, dirac_layer *layer)
{
    (void)user;
    memcpy(dirac_layer_output(layer), dirac_layer_input(layer, 0),
           (size_t)dirac_layer_batch(layer) * 3 * sizeof(float));
    return 0;
}

static int32_t backward(void *user, dirac_layer *layer)
{
    const int *fails = user;
    if (*fails)
        return 1;
    memcpy(dirac_layer_input_gradient(layer, 0), dirac_layer_output_gradient(layer),
           (size_t)dirac_layer_batch(layer) * 3 * sizeof(float));
    return 0;
}

static dirac_net *make_net(int *fails)
{
    static int kinds;
    dirac_layer_kind *kind;
    dirac_net *net;
    char name[32];
    snprintf(name, sizeof name, "passing%d", kinds++);
    ok(dirac_layer_kind_create(&kind, context, name, 1));
    ok(dirac_layer_kind_set_user(kind, fails, NULL));
    ok(dirac_layer_kind_set_setup(kind, set_up));
    ok(dirac_layer_kind_set_forward(kind, forward));
    ok(dirac_layer_kind_set_backward(kind, backward));
    ok(dirac_layer_kind_register(kind));
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_input(net, 3);
    dirac_node *fc = dirac_net_linear(net, dirac_net_custom(net, kind, &x, 1), 2);
    ok(dirac_node_set_name(fc, "fc"));
    dirac_net_output(net, fc);
    ok(dirac_net_build(net));
    dirac_layer_kind_destroy(kind);
    return net;
}

/* ---- gradients of inputs ---- */

/* dx = W^T dy, in double, within the rounding of two products and a sum. */
static void check_gradient(const dirac_session *s, const float *w, const float *dy)
{
    const float *dx;
    size_t count;
    ok(dirac_session_input_gradient(s, 0, &dx, &count));
    assert_int_equal(count, 6);
    for (int i = 0; i < 6; i++) {
        const double a = (double)w[i % 3] * (double)dy[i / 3 * 2], b = (double)w[3 + i % 3] * (double)dy[i / 3 * 2 + 1];
        assert_true(fabs((double)dx[i] - (a + b)) <= 4 * 0x1p-24 * (fabs(a) + fabs(b)));
    }
}

static void test_input_gradient(void **state)
{
    (void)state;
    int fails = 1;
    float w[6];
    const float *dx, x[6] = {1, -2, 3, 4, 5, -6}, dy[4] = {0.5f, -1.25f, 3, 0.75f};
    dirac_net *net = make_net(&fails);
    dirac_session *s;
    dirac_sgd *sgd;
    ok(dirac_net_tensor_read(net, "fc.weight", w, 6));
    ok(dirac_sgd_create(&sgd, net));
    ok(dirac_session_create(&s, net, DIRAC_TRAIN));
    ok(dirac_session_set_batch(s, 2));
    ok(dirac_session_set_input_gradients(s, 1));
    ok(dirac_session_prepare(s));
    for (int round = 0; round < 3; round++) { /* backward fails in rounds 0 and 2 */
        fails = round != 1;
        ok(dirac_session_forward(s, x, 2));
        refused(dirac_session_input_gradient(s, 0, &dx, NULL), DIRAC_ERR_STATE); /* another forward's at best */
        ok(dirac_session_set_output_gradient(s, 0, dy, 4));
        if (fails) {
            refused(dirac_session_backward(s), DIRAC_ERR_CALLBACK);
            refused(dirac_session_input_gradient(s, 0, &dx, NULL), DIRAC_ERR_STATE);
            ok(dirac_session_clear_gradients(s));
            continue;
        }
        ok(dirac_session_backward(s));
        check_gradient(s, w, dy);
        ok(dirac_session_clear_gradients(s));
        check_gradient(s, w, dy);
        ok(dirac_session_forward(s, x, 2));
        ok(dirac_session_set_output_gradient(s, 0, dy, 4));
        ok(dirac_session_backward(s));
        ok(dirac_sgd_step(sgd, s));
        check_gradient(s, w, dy); /* at the parameters before the step */
    }
    dirac_session_destroy(s), dirac_sgd_destroy(sgd), dirac_net_destroy(net);
}

/* ---- nodes ---- */

static void test_nodes_of_another_net(void **state)
{
    (void)state;
    int fails = 0;
    const float x[3] = {1, 2, 3}, *values;
    dirac_net *net = make_net(&fails), *copy;
    dirac_session *s;
    ok(dirac_net_clone(&copy, net));
    ok(dirac_session_create(&s, net, DIRAC_INFER));
    ok(dirac_session_keep(s, dirac_net_find(net, "fc")));
    ok(dirac_session_prepare(s));
    ok(dirac_session_forward(s, x, 1));
    ok(dirac_session_activation(s, dirac_net_find(net, "fc"), &values, NULL));
    refused(dirac_session_activation(s, dirac_net_find(copy, "fc"), &values, NULL), DIRAC_ERR_ARGUMENT);
    message_has("another net");
    ok(dirac_session_set_net(s, copy));
    ok(dirac_session_forward(s, x, 1));
    ok(dirac_session_activation(s, dirac_net_find(copy, "fc"), &values, NULL));
    refused(dirac_session_activation(s, dirac_net_find(net, "fc"), &values, NULL), DIRAC_ERR_ARGUMENT);
    dirac_session_destroy(s), dirac_net_destroy(net), dirac_net_destroy(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_input_gradient),
        cmocka_unit_test(test_nodes_of_another_net),
    };
    if (dirac_context_create(&context) != DIRAC_OK)
        return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dirac_context_destroy(context);
    return failed;
}
