/* SPDX-License-Identifier: MIT */
/* Nets in which some gradients are nobody's concern, against the twin: parts that lead to no output, parameters that are
 * not trained, inputs without a gradient. What is left must be as right as ever, and what nobody needs exactly 0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layers/layer_check.h"
#include "layers/layer_values.h"

static dirac_node *conv(dirac_net *net, dirac_node *x, const char *name, int64_t channels, int64_t kernel)
{
    dirac_node *y = dirac_net_conv2d(net, x, channels, kernel);
    OK(dirac_node_set_name(y, name));
    return y;
}

static dirac_node *norm(dirac_net *net, dirac_node *x, const char *name)
{
    dirac_node *y = dirac_net_batch_norm(net, x);
    OK(dirac_node_set_name(y, name));
    return y;
}

static dirac_node *image(dirac_net *net)
{
    return dirac_net_input2d(net, 3, 5, 4);
}

/* ---- parts that lead to no output ------------------------------------------------------------ */

/* Two of them beside the way to the output: of the input, and of an inner value. */
static void side_ways(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = image(net);
    dirac_node *aside = dirac_net_relu(net, norm(net, conv(net, x, "aside", 4, 3), "aside_norm"));
    dirac_node *y = conv(net, x, "first", 4, 3);
    dirac_node *more = dirac_net_elu(net, conv(net, dirac_net_add(net, aside, y), "more", 3, 1));
    OK(dirac_node_set_name(more, "end"));
    y = dirac_net_relu(net, norm(net, y, "norm"));
    dirac_net_output(net, conv(net, y, "last", 3, 3));
}

/* Behind the output: the value that is read last is not the one that was asked for. */
static void beyond_the_output(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *y = dirac_net_output(net, dirac_net_relu(net, conv(net, image(net), "first", 4, 3)));
    y = conv(net, dirac_net_max_pool2d(net, y, 2), "beyond", 3, 1);
    dirac_net_global_average_pool(net, norm(net, y, "beyond_norm"));
}

/* A convolution with a batch norm behind it that leads nowhere, and another reader that does. */
static void norm_to_nowhere(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *y = conv(net, dirac_net_input2d(net, 16, 4, 4), "first", 16, 3);
    dirac_node *aside = dirac_net_relu(net, norm(net, y, "aside_norm"));
    OK(dirac_node_set_name(conv(net, aside, "aside", 16, 3), "aside"));
    dirac_net_output(net, conv(net, dirac_net_relu(net, y), "last", 3, 1));
}

/* All three with values kept in the parts that lead nowhere, which then are computed, forward only. */
static void parts_without_output(void **state)
{
    static const char *const side[] = {"aside.weight", "aside_norm.weight", "aside_norm.bias", "more.weight", NULL};
    static const char *const beyond[] = {"beyond.weight", "beyond_norm.weight", "beyond_norm.bias", NULL};
    static const char *const nowhere[] = {"aside_norm.weight", "aside_norm.bias", "aside.weight", NULL};
    static const char *const end[] = {"end", NULL}, *const last[] = {"beyond_norm", NULL}, *const aside[] = {"aside", NULL};
    layer_case cases[] = {
        {.what = "parts beside the way", .build = side_ways, .idle = side, .keep = end},
        {.what = "parts beyond the output", .build = beyond_the_output, .idle = beyond, .keep = last},
        {.what = "a norm to nowhere", .build = norm_to_nowhere, .idle = nowhere, .keep = aside},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (cases[i].plain_inputs = 0; cases[i].plain_inputs < 2; cases[i].plain_inputs++)
            check_layer(&cases[i]);
}

/* A training pass of side_ways(), with `keep` or nothing kept: all gradients, and two running means after it. */
typedef struct pass {
    float *gradients, *aside, *on_the_way;
    size_t count;
} pass;

static pass run_side_ways(dirac_context *context, const char *keep)
{
    dirac_net *net;
    dirac_session *session;
    float *gradients, *input = layer_random(3 * 60, 1, "input", -1, 1), *r = layer_random(3 * 60, 1, "r", -1, 1);
    pass p;
    OK(dirac_net_create(&net, context));
    side_ways(net, NULL);
    OK(dirac_net_build(net));
    layer_fill(net, 7);
    OK(dirac_session_create(&session, net, DIRAC_TRAIN));
    OK(dirac_session_set_batch(session, 3));
    if (keep)
        OK(dirac_session_keep(session, dirac_net_find(net, keep)));
    OK(dirac_session_prepare(session));
    OK(dirac_session_forward(session, input, 3));
    OK(dirac_session_set_output_gradient(session, 0, r, 3 * 60));
    OK(dirac_session_backward(session));
    OK(dirac_session_commit_statistics(session));
    OK(dirac_session_gradients(session, &gradients, &p.count));
    p.gradients = malloc(p.count * sizeof *gradients);
    assert_non_null(p.gradients);
    memcpy(p.gradients, gradients, p.count * sizeof *gradients);
    p.aside = layer_read(net, "aside_norm.running_mean", NULL);
    p.on_the_way = layer_read(net, "norm.running_mean", NULL);
    free(input), free(r);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
    return p;
}

/* What nobody looks at is not computed and leaves no statistics; the rest does not notice. */
static void not_computed(void **state)
{
    dirac_context *context;
    dirac_net *net;
    (void)state;
    OK(dirac_context_create(&context));
    OK(dirac_net_create(&net, context));
    side_ways(net, NULL);
    OK(dirac_net_build(net));
    layer_fill(net, 7);
    float *before = layer_read(net, "aside_norm.running_mean", NULL);
    const pass without = run_side_ways(context, NULL), with = run_side_ways(context, "end");
    assert_int_equal(without.count, with.count);
    layer_same_bits("gradients", without.gradients, with.gradients, with.count);
    layer_same_bits("on the way", without.on_the_way, with.on_the_way, 4);
    layer_same_bits("not computed", without.aside, before, 4);
    for (int i = 0; i < 4; i++)
        assert_true(with.aside[i] != before[i]);
    free(before);
    free(with.gradients), free(with.aside), free(with.on_the_way);
    free(without.gradients), free(without.aside), free(without.on_the_way);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}

/* ---- inputs without a gradient --------------------------------------------------------------- */

static void flattened(dirac_net *net, const void *user)
{
    (void)user;
    dirac_net_output(net, dirac_net_linear(net, dirac_net_flatten(net, image(net)), 4));
}

static void flattened_vector(dirac_net *net, const void *user)
{
    (void)user;
    dirac_net_output(net, dirac_net_linear(net, dirac_net_flatten(net, dirac_net_input(net, 7)), 4));
}

static void normalised(dirac_net *net, const void *user)
{
    (void)user;
    dirac_net_output(net, conv(net, dirac_net_relu(net, norm(net, image(net), "norm")), "last", 4, 3));
}

/* 16 channels: the convolution reads its input through the batch norm. */
static void normalised_and_read(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_relu(net, norm(net, dirac_net_input2d(net, 16, 4, 4), "norm"));
    dirac_net_output(net, conv(net, x, "last", 16, 3));
}

/* Every kind of layer that moves or scales values, right behind an input. */
static dirac_node *first_layer(dirac_net *net, dirac_node *x, int which)
{
    dirac_node *const pair[2] = {x, x};
    switch (which) {
    case 0:
        return dirac_net_relu(net, x);
    case 1:
        return dirac_net_elu(net, x);
    case 2:
        return dirac_net_ncrelu(net, x);
    case 3:
        return dirac_net_max_pool2d(net, x, 2);
    case 4:
        return dirac_net_average_pool2d(net, x, 2);
    case 5:
        return dirac_net_local_response_norm(net, x, 3);
    case 6:
        return dirac_net_softmax(net, dirac_net_global_average_pool(net, x));
    case 7:
        return dirac_net_add(net, x, x);
    case 8:
        return dirac_net_concat(net, pair, 2);
    case 9:
        return dirac_net_dropout(net, x, 0.5f);
    case 10:
        return dirac_net_global_average_pool(net, x);
    default:
        return dirac_net_flatten(net, x);
    }
}

enum { FIRST_LAYERS = 12 };

static void behind_the_input(dirac_net *net, const void *user)
{
    dirac_node *x = dirac_net_flatten(net, first_layer(net, image(net), *(const int *)user));
    dirac_net_output(net, dirac_net_linear(net, x, 3));
}

/* One of two inputs is read by a layer of parameters, the other joins at an addition or a concatenation. */
static void second_input(dirac_net *net, const void *user)
{
    const int *which = user;
    dirac_node *x = image(net), *y = conv(net, image(net), "first", 3, 3);
    dirac_node *const pairs[3][2] = {{x, y}, {y, x}, {x, x}};
    for (int i = 0; i < 3; i++) {
        dirac_node *sum = *which == 0 ? dirac_net_add(net, pairs[i][0], pairs[i][1]) : dirac_net_concat(net, pairs[i], 2);
        sum = dirac_net_global_average_pool(net, dirac_net_elu(net, sum));
        dirac_net_output(net, dirac_net_linear(net, sum, 2));
    }
}

static void inputs_without_gradient(void **state)
{
    (void)state;
    check_layer(&(layer_case){.what = "flattened input", .build = flattened, .plain_inputs = 1});
    check_layer(&(layer_case){.what = "flattened vector", .build = flattened_vector, .plain_inputs = 1});
    check_layer(&(layer_case){.what = "normalised input", .build = normalised, .plain_inputs = 1});
    check_layer(&(layer_case){.what = "read through a norm", .build = normalised_and_read, .plain_inputs = 1});
    for (int i = 0; i < FIRST_LAYERS; i++)
        check_layer(&(layer_case){.what = "behind the input", .build = behind_the_input, .user = &i, .plain_inputs = 1});
    for (int i = 0; i < 2; i++)
        for (int plain = 0; plain < 2; plain++)
            check_layer(&(layer_case){
                .what = "second input", .build = second_input, .user = &i, .plain_inputs = plain});
}

/* ---- parameters that are not trained --------------------------------------------------------- */

/* What comes before the norm whose convolution is not trained. */
typedef struct chain {
    int64_t channels; /* 16: convolutions and batch norms share passes */
    int32_t bias, frozen;
} chain;

static void chain_of_three(dirac_net *net, const void *user)
{
    const chain *c = user;
    const int64_t n = c->channels;
    dirac_node *x = conv(net, dirac_net_input2d(net, n, 4, 4), "first", n, 3);
    x = dirac_net_relu(net, norm(net, x, "first_norm"));
    x = dirac_net_dirac_conv2d(net, x, n, 3);
    OK(dirac_node_set_name(x, "middle"));
    OK(dirac_node_set_int(x, "bias", c->bias));
    x = norm(net, x, "norm");
    OK(dirac_node_set_int(x, "frozen", c->frozen));
    dirac_net_output(net, conv(net, dirac_net_relu(net, x), "last", n, 3));
}

static void check_chain(const chain *c, const char *const *untrained, int32_t plain_inputs)
{
    /* A bias before a batch norm moves nothing, unless the norm is frozen. */
    static const char *const flat[] = {"middle.bias", NULL};
    check_layer(&(layer_case){.what = "chain of three", .build = chain_of_three, .user = c, .n = 2,
                              .untrained = untrained, .flat = c->frozen ? NULL : flat, .plain_inputs = plain_inputs});
}

static void untrained_parameters(void **state)
{
    static const char *const middle[] = {"middle.weight", "middle.alpha", "middle.beta", NULL},
                      *const weight[] = {"middle.weight", NULL}, *const scales[] = {"middle.alpha", "middle.beta", NULL},
                      *const norms[] = {"norm.weight", "norm.bias", NULL}, *const gamma[] = {"norm.weight", NULL},
                      *const beta[] = {"norm.bias", NULL}, *const last[] = {"last.weight", NULL},
                      *const first[] = {"first.weight", "first_norm.weight", "first_norm.bias", NULL},
                      *const head[] = {"first.weight", "first_norm.weight", "first_norm.bias", "middle.weight",
                                       "middle.alpha", "middle.beta", "norm.weight", "norm.bias", NULL};
    static const char *const *const lists[] = {middle, weight, scales, norms, gamma, beta, last, first, head};
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const chain wide = {16, i & 1, i >> 1 & 1}, other = {16, !wide.bias, wide.frozen}, narrow = {5, 1, 0};
        check_chain(&wide, lists[i], 0);
        check_chain(&other, lists[i], 1); /* of the head nothing then has a backward */
        check_chain(&narrow, lists[i], 0);
    }
}

/* All but the bias of the convolution that a batch norm corrects. */
static void bias_alone(void **state)
{
    static const char *const all[] = {"first.weight", "first_norm.weight", "first_norm.bias", "middle.weight",
                                      "middle.alpha", "middle.beta", "norm.weight", "norm.bias", "last.weight", NULL};
    (void)state;
    for (int64_t channels = 5; channels <= 16; channels += 11) {
        const chain c = {channels, 1, 1};
        check_chain(&c, all, 0);
    }
}

/* ---- values that are kept -------------------------------------------------------------------- */

/* At inference dropout is the identity: its value and the one it reads are one, and both can be looked at. */
static void dropout_inside(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_relu(net, conv(net, image(net), "first", 4, 3));
    OK(dirac_node_set_name(x, "before"));
    x = dirac_net_dropout(net, x, 0.5f);
    OK(dirac_node_set_name(x, "drop"));
    dirac_node *y = dirac_net_elu(net, x);
    OK(dirac_node_set_name(y, "elu"));
    dirac_net_output(net, conv(net, y, "last", 3, 3));
}

static void dropout_of_the_input(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_dropout(net, image(net), 0.25f);
    OK(dirac_node_set_name(x, "drop"));
    dirac_net_output(net, x);
    dirac_net_output(net, conv(net, dirac_net_relu(net, x), "last", 3, 3));
}

static void kept_around_dropout(void **state)
{
    static const char *const input[] = {"before", NULL}, *const both[] = {"before", "drop", NULL},
                      *const all[] = {"before", "drop", "elu", NULL}, *const of_input[] = {"input", "drop", NULL};
    (void)state;
    check_layer(&(layer_case){.what = "dropout's input kept", .build = dropout_inside, .keep = input});
    check_layer(&(layer_case){.what = "dropout and its input kept", .build = dropout_inside, .keep = both});
    check_layer(&(layer_case){.what = "all around dropout kept", .build = dropout_inside, .keep = all});
    check_layer(&(layer_case){.what = "dropout of the input", .build = dropout_of_the_input, .keep = of_input});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_without_output),
        cmocka_unit_test(not_computed),
        cmocka_unit_test(inputs_without_gradient),
        cmocka_unit_test(untrained_parameters),
        cmocka_unit_test(bias_alone),
        cmocka_unit_test(kept_around_dropout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
