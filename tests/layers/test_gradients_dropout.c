/* SPDX-License-Identifier: MIT */
/* Dropout: its draw by its properties, its gradient (of the recovered mask) against the twin. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layers/layer_check.h"
#include "layers/layer_values.h"

enum { CHANNELS = 19, HEIGHT = 7, WIDTH = 9, IMAGE = CHANNELS * HEIGHT * WIDTH, MOST = 8 };

/* ---- gradients ------------------------------------------------------------------------------- */

static void build_alone(dirac_net *net, const void *user)
{
    const float *rate = user;
    dirac_net_output(net, dirac_net_dropout(net, dirac_net_input2d(net, 3, 4, 5), *rate));
}

/* Between layers that fuse, and twice, so that two draws must be told apart. */
static void build_inside(dirac_net *net, const void *user)
{
    const float *rate = user;
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 3, 5, 4), 5, 3);
    x = dirac_net_dropout(net, dirac_net_relu(net, dirac_net_batch_norm(net, x)), *rate);
    x = dirac_net_conv2d(net, x, 4, 3);
    dirac_node *y = dirac_net_dropout(net, x, *rate);
    dirac_net_output(net, dirac_net_add(net, dirac_net_elu(net, x), y));
}

static void gradients(void **state)
{
    static const float rates[] = {0.0f, 0.25f, 0.5f, 0.75f};
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        char what[64];
        snprintf(what, sizeof what, "dropout %g", rates[i]);
        check_layer(&(layer_case){.what = what, .build = build_alone, .user = &rates[i]});
        snprintf(what, sizeof what, "dropout %g inside", rates[i]);
        check_layer(&(layer_case){.what = what, .build = build_inside, .user = &rates[i]});
    }
}

/* ---- the draw -------------------------------------------------------------------------------- */

typedef struct bench {
    dirac_context *context;
    dirac_net *net;
    dirac_session *session;
    float *ones;
} bench;

/* Two dropouts of the same input, each an output. */
static void open_bench(bench *b, float rate, uint64_t seed, int32_t mode, const char *name)
{
    OK(dirac_context_create(&b->context));
    OK(dirac_net_create(&b->net, b->context));
    dirac_node *x = dirac_net_input2d(b->net, CHANNELS, HEIGHT, WIDTH);
    dirac_node *first = dirac_net_output(b->net, dirac_net_dropout(b->net, x, rate));
    OK(dirac_node_set_name(first, name));
    dirac_net_output(b->net, dirac_net_dropout(b->net, x, rate));
    OK(dirac_net_build(b->net));
    OK(dirac_session_create(&b->session, b->net, mode));
    OK(dirac_session_set_batch(b->session, MOST));
    OK(dirac_session_set_seed(b->session, seed));
    if (mode == DIRAC_TRAIN)
        OK(dirac_session_set_input_gradients(b->session, 1));
    OK(dirac_session_prepare(b->session));
    b->ones = layer_random(MOST * IMAGE, 0, "", 1, 1);
}

static void close_bench(bench *b)
{
    free(b->ones);
    dirac_session_destroy(b->session);
    dirac_net_destroy(b->net);
    dirac_context_destroy(b->context);
}

/* The draw of the next forward of n images, to be freed. */
static float *draw(const bench *b, int64_t n, int32_t output)
{
    const float *values;
    size_t count;
    OK(dirac_session_forward(b->session, b->ones, n));
    OK(dirac_session_output(b->session, output, &values, &count));
    assert_int_equal(count, n * IMAGE);
    float *copy = malloc(count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, values, count * sizeof *copy);
    return copy;
}

/* Of `count` values each 0 with probability p, the number of zeros is within 5 sqrt(count p (1 - p)) of count p but for
 * one draw in 1.7 million. */
static void check_share(const float *values, size_t count, size_t step, double rate)
{
    size_t zeros = 0, seen = 0;
    const float kept = (float)(1 / (1 - rate));
    for (size_t i = 0; i < count; i += step, seen++) {
        zeros += values[i] == 0;
        assert_true(values[i] == 0 || fabsf(values[i] - kept) <= 0x1p-23f * kept);
    }
    assert_true(fabs((double)zeros - (double)seen * rate) <=
                5 * sqrt((double)seen * rate * (1 - rate)));
}

static size_t differences(const float *a, const float *b, size_t count)
{
    size_t different = 0;
    for (size_t i = 0; i < count; i++)
        different += a[i] != b[i];
    return different;
}

/* Two independent draws of one rate differ at a share of 2 p (1 - p). */
static void check_independent(const float *a, const float *b, size_t count, double rate)
{
    const double share = 2 * rate * (1 - rate);
    const double off = fabs((double)differences(a, b, count) - (double)count * share);
    assert_true(off <= 5 * sqrt((double)count * share * (1 - share)));
}

static void right_share_of_zeros(void **state)
{
    static const float rates[] = {0.1f, 0.5f, 0.75f, 0.9f};
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        bench b;
        open_bench(&b, rates[i], 3, DIRAC_TRAIN, "drop");
        float *values = draw(&b, MOST, 0);
        check_share(values, MOST * IMAGE, 1, rates[i]);
        /* In each image and in each place of a vector of 8 too. */
        for (size_t j = 0; j < 8; j++) {
            check_share(values + j * IMAGE, IMAGE, 1, rates[i]);
            check_share(values + j, MOST * IMAGE - j, 8, rates[i]);
        }
        check_independent(values, values + IMAGE, IMAGE, rates[i]);
        check_independent(values, values + 1, MOST * IMAGE - 1, rates[i]);
        check_independent(values, values + WIDTH * HEIGHT, MOST * IMAGE - WIDTH * HEIGHT, rates[i]);
        free(values);
        close_bench(&b);
    }
}

static void seed_name_and_forward_decide(void **state)
{
    bench a, same, other_seed, other_name;
    (void)state;
    open_bench(&a, 0.5f, 3, DIRAC_TRAIN, "drop");
    open_bench(&same, 0.5f, 3, DIRAC_TRAIN, "drop");
    open_bench(&other_seed, 0.5f, 4, DIRAC_TRAIN, "drop");
    open_bench(&other_name, 0.5f, 3, DIRAC_TRAIN, "else");
    float *first = draw(&a, MOST, 0), *second = draw(&a, MOST, 0), *third = draw(&a, MOST, 1);
    /* An index's draw does not depend on how many images there are. */
    float *again = draw(&same, 3, 0), *next = draw(&same, MOST, 0);
    layer_same_bits("same seed, fewer images", again, first, 3 * IMAGE);
    layer_same_bits("same seed, second forward", next, second, MOST * IMAGE);
    free(again);
    free(next);
    again = draw(&other_seed, MOST, 0);
    next = draw(&other_name, MOST, 0);
    const float *const others[] = {second, third, again, next};
    for (size_t i = 0; i < 4; i++)
        check_independent(first, others[i], MOST * IMAGE, 0.5);
    /* Of the third forward, the two dropouts of one net. */
    float *one = draw(&other_seed, MOST, 0);
    const float *two;
    OK(dirac_session_output(other_seed.session, 1, &two, NULL));
    check_independent(one, two, MOST * IMAGE, 0.5);
    free(one);
    free(first);
    free(second);
    free(third);
    free(again);
    free(next);
    close_bench(&a);
    close_bench(&same);
    close_bench(&other_seed);
    close_bench(&other_name);
}

/* dx = mask dy with the mask of the forward, to the bit. */
static void backward_uses_the_same_draw(void **state)
{
    bench b;
    (void)state;
    open_bench(&b, 0.3f, 5, DIRAC_TRAIN, "drop");
    for (int forward = 0; forward < 2; forward++) {
        float *mask = draw(&b, MOST, 0);
        const float *dx;
        OK(dirac_session_set_output_gradient(b.session, 0, b.ones, MOST * IMAGE));
        OK(dirac_session_backward(b.session));
        OK(dirac_session_input_gradient(b.session, 0, &dx, NULL));
        layer_same_bits("dx", dx, mask, MOST * IMAGE);
        free(mask);
    }
    close_bench(&b);
}

static void inference_passes_all(void **state)
{
    bench b;
    (void)state;
    open_bench(&b, 0.9f, 5, DIRAC_INFER, "drop");
    float *values = draw(&b, MOST, 0);
    layer_same_bits("inference", values, b.ones, MOST * IMAGE);
    free(values);
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients),
        cmocka_unit_test(right_share_of_zeros),
        cmocka_unit_test(seed_name_and_forward_decide),
        cmocka_unit_test(backward_uses_the_same_draw),
        cmocka_unit_test(inference_passes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
