/* SPDX-License-Identifier: MIT */
/* dirac_session_check_gradients(): small for right nets, every layer among them; it leaves no trace; and what it says
 * when it cannot be asked. That it is large for a wrong backward is in test_gradients_custom.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layers/layer_values.h"

enum {
    IMAGES = 4,
    CHANNELS = 3,
    HEIGHT = 8,
    WIDTH = 6,
    INPUTS = IMAGES * CHANNELS * HEIGHT * WIDTH
};

typedef struct bench {
    dirac_context *context;
    dirac_net *net;
    dirac_session *session;
    float *input;
} bench;

/* Without kinks: about 1e-2 is then what float differences can tell. */
static dirac_node *smooth(dirac_net *net, dirac_node *x)
{
    x = dirac_net_batch_norm(net, dirac_net_dirac_conv2d(net, x, 5, 3));
    x = dirac_net_average_pool2d(net, dirac_net_elu(net, x), 2);
    dirac_node *y = dirac_net_conv2d(net, x, 5, 3);
    dirac_node_set_int(y, "form", DIRAC_FORM_FIXED_DELTA);
    y = dirac_net_local_response_norm(net, dirac_net_add(net, x, y), 3);
    dirac_node *both[2] = {y, x};
    y = dirac_net_softmax(net, dirac_net_concat(net, both, 2));
    return dirac_net_linear(net, dirac_net_flatten(net, y), 4);
}

/* Dropout must be the same draw in every forward that the check makes. */
static dirac_node *dropped(dirac_net *net, dirac_node *x)
{
    x = dirac_net_dropout(net, dirac_net_dirac_conv2d(net, x, 7, 3), 0.5f);
    return dirac_net_dirac_linear(net, dirac_net_global_average_pool(net, x), 5);
}

static dirac_node *convolution_alone(dirac_net *net, dirac_node *x)
{
    x = dirac_net_conv2d(net, x, 6, 3);
    dirac_node_set_int(x, "bias", 1);
    return x;
}

static void open_bench(bench *b, dirac_node *(*body)(dirac_net *, dirac_node *), int32_t mode,
                       int32_t input_gradients)
{
    OK(dirac_context_create(&b->context));
    OK(dirac_net_create(&b->net, b->context));
    dirac_net_output(b->net, body(b->net, dirac_net_input2d(b->net, CHANNELS, HEIGHT, WIDTH)));
    OK(dirac_net_build(b->net));
    layer_fill(b->net, 3);
    OK(dirac_session_create(&b->session, b->net, mode));
    OK(dirac_session_set_batch(b->session, IMAGES));
    OK(dirac_session_set_input_gradients(b->session, input_gradients));
    OK(dirac_session_prepare(b->session));
    b->input = layer_random(INPUTS, 2, "input", -1, 1);
}

static void close_bench(bench *b)
{
    free(b->input);
    dirac_session_destroy(b->session);
    dirac_net_destroy(b->net);
    dirac_context_destroy(b->context);
}

static void small_for_right_nets(void **state)
{
    static dirac_node *(*const bodies[])(dirac_net *, dirac_node *) = {smooth, dropped,
                                                                       convolution_alone};
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        for (int32_t input_gradients = 0; input_gradients <= 1; input_gradients++) {
            bench b;
            double worst = -1;
            open_bench(&b, bodies[i], DIRAC_TRAIN, input_gradients);
            OK(dirac_session_check_gradients(b.session, b.input, IMAGES, 20, 0, &worst));
            if (!(worst > 0 && worst < 2e-2))
                fail_msg("net %d: %g", (int)i, worst);
            /* And of fewer images than there is room for, with a step of the caller's. */
            OK(dirac_session_check_gradients(b.session, b.input, IMAGES - 1, 3, 1e-2, &worst));
            if (!(worst > 0 && worst < 3e-2))
                fail_msg("net %d, step 0.01: %g", (int)i, worst);
            OK(dirac_session_check_gradients(b.session, b.input, IMAGES, 2, 0, NULL));
            close_bench(&b);
        }
}

/* ---- no trace -------------------------------------------------------------------------------- */

static void train_pass(bench *b)
{
    static const int32_t labels[IMAGES] = {0, 3, 1, 2};
    OK(dirac_session_forward(b->session, b->input, IMAGES));
    OK(dirac_session_cross_entropy(b->session, labels, NULL));
    OK(dirac_session_backward(b->session));
}

/* All tensors of a net one after the other, to be freed. */
static float *everything(const dirac_net *net, size_t *total)
{
    float *all = NULL;
    *total = 0;
    for (int64_t i = 0; i < dirac_net_tensor_count(net); i++) {
        size_t count;
        float *values = layer_read(net, dirac_net_tensor_name(net, i), &count);
        all = realloc(all, (*total + count) * sizeof *all);
        assert_non_null(all);
        memcpy(all + *total, values, count * sizeof *all);
        *total += count;
        free(values);
    }
    return all;
}

static dirac_node *all_that_remembers(dirac_net *net, dirac_node *x)
{
    x = dirac_net_relu(net, dirac_net_batch_norm(net, dirac_net_dirac_conv2d(net, x, 5, 3)));
    x = dirac_net_dropout(net, x, 0.5f);
    return dirac_net_linear(net, dirac_net_global_average_pool(net, x), 4);
}

/* Two sessions do the same passes, and one checks its gradients in between: all bits stay equal. */
static void leaves_no_trace(void **state)
{
    bench a, b;
    size_t count = 0;
    double worst;
    (void)state;
    open_bench(&a, all_that_remembers, DIRAC_TRAIN, 0);
    open_bench(&b, all_that_remembers, DIRAC_TRAIN, 0);
    train_pass(&a);
    train_pass(&b);
    float *before = everything(a.net, &count);
    OK(dirac_session_check_gradients(a.session, a.input, 3, 5, 0, &worst));
    float *after = everything(a.net, &count);
    layer_same_bits("parameters and state", after, before, count);
    train_pass(&a);
    train_pass(&b);
    float *of_a, *of_b;
    size_t gradients;
    OK(dirac_session_gradients(a.session, &of_a, &gradients));
    OK(dirac_session_gradients(b.session, &of_b, NULL));
    layer_same_bits("gradients", of_a, of_b, gradients);
    OK(dirac_session_commit_statistics(a.session));
    OK(dirac_session_commit_statistics(b.session));
    free(before);
    free(after);
    before = everything(b.net, &count);
    after = everything(a.net, &count);
    layer_same_bits("after the commit", after, before, count);
    free(before);
    free(after);
    close_bench(&a);
    close_bench(&b);
}

static void refusals(void **state)
{
    bench b;
    double worst;
    (void)state;
    open_bench(&b, convolution_alone, DIRAC_TRAIN, 0);
    assert_int_equal(dirac_session_check_gradients(NULL, b.input, 1, 1, 0, &worst),
                     DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_session_check_gradients(b.session, NULL, 1, 1, 0, &worst),
                     DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_session_check_gradients(b.session, b.input, 0, 1, 0, &worst),
                     DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_session_check_gradients(b.session, b.input, IMAGES + 1, 1, 0, &worst),
                     DIRAC_ERR_ARGUMENT);
    close_bench(&b);
    OK(dirac_context_create(&b.context));
    OK(dirac_net_create(&b.net, b.context));
    dirac_net_output(b.net,
                     convolution_alone(b.net, dirac_net_input2d(b.net, CHANNELS, HEIGHT, WIDTH)));
    OK(dirac_net_build(b.net));
    OK(dirac_session_create(&b.session, b.net, DIRAC_INFER));
    OK(dirac_session_prepare(b.session));
    b.input = layer_random(INPUTS, 2, "input", -1, 1);
    assert_int_equal(dirac_session_check_gradients(b.session, b.input, 1, 1, 0, &worst),
                     DIRAC_ERR_STATE);
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_for_right_nets),
        cmocka_unit_test(leaves_no_trace),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
