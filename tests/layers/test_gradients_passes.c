/* SPDX-License-Identifier: MIT */
/* Several passes of one session against the twin: gradients that add up, running statistics that follow one another,
 * inner values that are kept, batches of several sizes, another input size, inference after training. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layers/layer_check.h"
#include "layers/layer_values.h"

enum { MOST = 5, AREA = 7 * 5, CHANNELS = 3 };

typedef struct bench {
    dirac_context *context;
    dirac_net *net;
    dirac_session *session;
    twin *t;
    dirac_node *conv, *norm, *relu; /* inner */
} bench;

static void build(bench *b, const int64_t size[2])
{
    OK(dirac_context_create(&b->context));
    OK(dirac_net_create(&b->net, b->context));
    dirac_node *x = dirac_net_input2d(b->net, CHANNELS, size[0], size[1]);
    b->conv = dirac_net_dirac_conv2d(b->net, x, 5, 3);
    b->norm = dirac_net_batch_norm(b->net, b->conv);
    b->relu = dirac_net_relu(b->net, b->norm);
    x = dirac_net_batch_norm(b->net, dirac_net_conv2d(b->net, b->relu, 4, 3));
    OK(dirac_node_set_float(x, "momentum", 0.3));
    OK(dirac_node_set_name(x, "last"));
    x = dirac_net_global_average_pool(b->net, dirac_net_elu(b->net, x));
    dirac_net_output(b->net, dirac_net_linear(b->net, x, 3));
    OK(dirac_net_build(b->net));
    layer_fill(b->net, 11);
}

static void open_bench(bench *b, int32_t mode)
{
    static const int64_t size[2] = {7, 5};
    memset(b, 0, sizeof *b);
    build(b, size);
    OK(dirac_session_create(&b->session, b->net, mode));
    OK(dirac_session_set_batch(b->session, MOST));
}

static void close_bench(bench *b)
{
    if (b->t)
        twin_destroy(b->t);
    dirac_session_destroy(b->session);
    dirac_net_destroy(b->net);
    dirac_context_destroy(b->context);
}

/* A new twin of n images, with inputs of which no kink is near; the same are returned as floats, to be freed. */
static float *new_twin(bench *b, int64_t n, uint64_t seed)
{
    const twin_tensor *old = b->t ? b->t->tensors : NULL;
    twin *t = twin_create(b->net, n);
    /* What the earlier forwards left pending stays pending. */
    for (int32_t i = 0; old && i < t->tensor_count; i++)
        if (t->tensors[i].pending)
            memcpy(t->tensors[i].pending, old[i].pending, old[i].count * sizeof(double));
    if (b->t)
        twin_destroy(b->t);
    b->t = t;
    twin_value *x = twin_input(t, 0);
    for (;; seed += 1000) {
        float *input = layer_random(twin_count(t, x), seed, "input", -1, 1);
        for (size_t i = 0; i < twin_count(t, x); i++)
            x->data[i] = input[i];
        twin_forward(t, TWIN_TRAIN);
        if (t->margin > 1e-5)
            return input;
        free(input);
    }
}

static void compare_output(const bench *b, const char *what)
{
    const float *y;
    size_t count;
    const twin_value *want = twin_output(b->t, 0);
    OK(dirac_session_output(b->session, 0, &y, &count));
    assert_int_equal(count, twin_count(b->t, want));
    layer_close(what, "output", y, want->data, count,
                layer_tolerance(b->t, &(layer_case){0}) * layer_largest(want->data, count));
}

/* Gradients of all parameters by the twin, of n images with r, added to `sums` (one array a tensor); NAN where a kink
 * lies within a step. */
static void add_differences(bench *b, float *r, double **sums, double *scales)
{
    static const layer_case plain = {0};
    for (int32_t i = 0; i < b->t->tensor_count; i++) {
        twin_tensor *tensor = &b->t->tensors[i];
        if (tensor->role != DIRAC_ROLE_TRAINED)
            continue;
        if (!sums[i])
            sums[i] = calloc(tensor->count, sizeof **sums);
        for (size_t j = 0; j < tensor->count; j++) {
            double gradient, size;
            if (!central_difference(b->t, &plain, &r, &tensor->data[j], &gradient, &size))
                gradient = NAN;
            sums[i][j] += gradient;
            scales[i] = fmax(scales[i], size);
        }
    }
    twin_forward(b->t, TWIN_TRAIN);
}

static void pass(bench *b, int64_t n, uint64_t seed, double **sums, double *scales)
{
    float *input = new_twin(b, n, seed), *r = layer_random((size_t)n * 3, seed, "r", -1, 1);
    OK(dirac_session_forward(b->session, input, n));
    compare_output(b, "pass");
    OK(dirac_session_set_output_gradient(b->session, 0, r, (size_t)n * 3));
    OK(dirac_session_backward(b->session));
    add_differences(b, r, sums, scales);
    twin_forward_recorded(b->t);
    free(input);
    free(r);
}

static void compare_sums(const bench *b, double **sums, const double *scales)
{
    for (int32_t i = 0; i < b->t->tensor_count; i++) {
        if (!sums[i])
            continue;
        size_t count;
        float *got = layer_gradient(b->session, b->net, b->t->tensors[i].name, &count);
        /* Of up to three passes. */
        const double tolerance = 3 * layer_tolerance(b->t, &(layer_case){0}) * scales[i];
        size_t compared = 0;
        assert_true(layer_largest(sums[i], count) > 1e-3);
        for (size_t j = 0; j < count; j++) {
            if (isnan(sums[i][j]))
                continue;
            layer_close("added up", b->t->tensors[i].name, &got[j], &sums[i][j], 1, tolerance);
            compared++;
        }
        assert_true(2 * compared > count);
        free(got);
        free(sums[i]);
    }
}

static void compare_state(const bench *b)
{
    for (int32_t i = 0; i < b->t->tensor_count; i++) {
        const twin_tensor *tensor = &b->t->tensors[i];
        if (!tensor->pending)
            continue;
        float *got = layer_read(b->net, tensor->name, NULL);
        layer_close("running statistics", tensor->name, got, tensor->pending, tensor->count,
                    layer_tolerance(b->t, &(layer_case){0}) *
                        layer_largest(tensor->pending, tensor->count));
        /* They have moved by far more than the tolerance. */
        assert_true(fabs(tensor->pending[0] - tensor->data[0]) > 1e-2 * fabs(tensor->data[0]));
        free(got);
    }
}

/* Two forwards of unlike size, each with its backward, before one commit. */
static void gradients_and_statistics_add_up(void **state)
{
    double *sums[64] = {NULL}, scales[64] = {0};
    bench b;
    (void)state;
    open_bench(&b, DIRAC_TRAIN);
    OK(dirac_session_prepare(b.session));
    pass(&b, 3, 1, sums, scales);
    pass(&b, MOST, 2, sums, scales);
    pass(&b, 2, 3, sums, scales);
    compare_sums(&b, sums, scales);
    OK(dirac_session_commit_statistics(b.session));
    compare_state(&b);
    close_bench(&b);
}

/* A forward whose backward is not asked for counts for the statistics alone, and clearing leaves the statistics. */
static void forward_alone(void **state)
{
    double *sums[64] = {NULL}, *dropped[64] = {NULL}, scales[64] = {0};
    bench b;
    (void)state;
    open_bench(&b, DIRAC_TRAIN);
    OK(dirac_session_prepare(b.session));
    float *input = new_twin(&b, 4, 5);
    OK(dirac_session_forward(b.session, input, 4));
    twin_forward_recorded(b.t);
    free(input);
    pass(&b, 3, 6, dropped, scales);
    OK(dirac_session_clear_gradients(b.session));
    pass(&b, 3, 7, sums, scales);
    compare_sums(&b, sums, scales);
    for (int i = 0; i < 64; i++)
        free(dropped[i]);
    OK(dirac_session_commit_statistics(b.session));
    compare_state(&b);
    close_bench(&b);
}

/* Nothing pending is seen by the net before the commit; a second commit has nothing to add. */
static void pending_until_committed(void **state)
{
    bench b;
    (void)state;
    open_bench(&b, DIRAC_TRAIN);
    OK(dirac_session_prepare(b.session));
    float *before = layer_read(b.net, "last.running_mean", NULL);
    float *input = new_twin(&b, 3, 8);
    OK(dirac_session_forward(b.session, input, 3));
    float *after = layer_read(b.net, "last.running_mean", NULL);
    layer_same_bits("before the commit", after, before, 4);
    free(after);
    twin_forward_recorded(b.t);
    OK(dirac_session_commit_statistics(b.session));
    compare_state(&b);
    after = layer_read(b.net, "last.running_mean", NULL);
    OK(dirac_session_commit_statistics(b.session));
    float *again = layer_read(b.net, "last.running_mean", NULL);
    layer_same_bits("second commit", again, after, 4);
    free(input);
    free(before);
    free(after);
    free(again);
    close_bench(&b);
}

/* A forward that fails at its second batch norm takes back what the first has left. */
static void failed_forward_leaves_nothing(void **state)
{
    static const int64_t images[] = {3, 1, 2};
    bench b = {0};
    (void)state;
    OK(dirac_context_create(&b.context));
    OK(dirac_net_create(&b.net, b.context));
    dirac_node *x = dirac_net_batch_norm(b.net, dirac_net_input2d(b.net, CHANNELS, 7, 5));
    x = dirac_net_batch_norm(b.net, dirac_net_global_average_pool(b.net, dirac_net_elu(b.net, x)));
    dirac_net_output(b.net, x);
    OK(dirac_net_build(b.net));
    layer_fill(b.net, 11);
    OK(dirac_session_create(&b.session, b.net, DIRAC_TRAIN));
    OK(dirac_session_set_batch(b.session, MOST));
    OK(dirac_session_prepare(b.session));
    for (size_t i = 0; i < 3; i++) {
        float *input = new_twin(&b, images[i], 50 + i);
        const int32_t status = dirac_session_forward(b.session, input, images[i]);
        assert_int_equal(status, images[i] == 1 ? DIRAC_ERR_SHAPE : DIRAC_OK);
        if (status == DIRAC_OK)
            twin_forward_recorded(b.t);
        free(input);
    }
    OK(dirac_session_commit_statistics(b.session));
    compare_state(&b);
    close_bench(&b);
}

/* Frozen and thawed between two passes of one session. */
static void frozen_between_passes(void **state)
{
    bench b;
    (void)state;
    open_bench(&b, DIRAC_TRAIN);
    OK(dirac_session_prepare(b.session));
    for (int32_t frozen = 1; frozen >= 0; frozen--) {
        double *sums[64] = {NULL}, scales[64] = {0};
        OK(dirac_node_set_frozen(b.norm, frozen));
        OK(dirac_session_clear_gradients(b.session));
        pass(&b, 3, 40, sums, scales);
        compare_sums(&b, sums, scales);
    }
    OK(dirac_session_commit_statistics(b.session));
    compare_state(&b);
    close_bench(&b);
}

/* ---- inner values ---------------------------------------------------------------------------- */

static void compare_inner(const bench *b, const dirac_node *node)
{
    const float *values;
    size_t count;
    const twin_value *want = twin_value_of(b->t, node);
    OK(dirac_session_activation(b->session, node, &values, &count));
    assert_int_equal(count, twin_count(b->t, want));
    const double largest = layer_largest(want->data, count);
    assert_true(largest > 0.1);
    layer_close("kept", dirac_node_kind(node), values, want->data, count,
                layer_tolerance(b->t, &(layer_case){0}) * largest);
}

/* Which of the three inner nodes are kept: bit 0 convolution, 1 norm, 2 ReLU. */
static void check_kept(int32_t mode, int which)
{
    double *sums[64] = {NULL}, scales[64] = {0};
    bench b;
    open_bench(&b, mode);
    const dirac_node *nodes[3] = {b.conv, b.norm, b.relu};
    for (int i = 0; i < 3; i++)
        if (which >> i & 1)
            OK(dirac_session_keep(b.session, nodes[i]));
    OK(dirac_session_prepare(b.session));
    if (mode == DIRAC_TRAIN) {
        pass(&b, 3, 9, sums, scales);
        compare_sums(&b, sums, scales);
    } else {
        float *input = new_twin(&b, 3, 9);
        OK(dirac_session_forward(b.session, input, 3));
        twin_forward(b.t, TWIN_INFER);
        compare_output(&b, "inference");
        free(input);
    }
    for (int i = 0; i < 3; i++)
        if (which >> i & 1)
            compare_inner(&b, nodes[i]);
    close_bench(&b);
}

static void kept_values(void **state)
{
    (void)state;
    for (int which = 1; which < 8; which++) {
        check_kept(DIRAC_TRAIN, which);
        check_kept(DIRAC_INFER, which);
    }
}

/* A branch that leads to no output is computed if it is kept, and has no gradient. */
static void kept_beside_the_way(void **state)
{
    double *sums[64] = {NULL}, scales[64] = {0};
    static const int64_t size[2] = {7, 5};
    bench b = {0};
    (void)state;
    OK(dirac_context_create(&b.context));
    OK(dirac_net_create(&b.net, b.context));
    dirac_node *x =
        dirac_net_conv2d(b.net, dirac_net_input2d(b.net, CHANNELS, size[0], size[1]), 4, 3);
    dirac_node *aside = dirac_net_relu(b.net, dirac_net_conv2d(b.net, x, 6, 3));
    x = dirac_net_global_average_pool(b.net, dirac_net_relu(b.net, x));
    dirac_net_output(b.net, dirac_net_linear(b.net, x, 3));
    OK(dirac_net_build(b.net));
    layer_fill(b.net, 11);
    OK(dirac_session_create(&b.session, b.net, DIRAC_TRAIN));
    OK(dirac_session_set_batch(b.session, MOST));
    OK(dirac_session_keep(b.session, aside));
    OK(dirac_session_prepare(b.session));
    pass(&b, 3, 60, sums, scales);
    compare_inner(&b, aside);
    size_t count;
    float *gradient = layer_gradient(b.session, b.net, "conv2.weight", &count);
    for (size_t i = 0; i < count; i++)
        assert_true(gradient[i] == 0);
    free(gradient);
    for (int32_t i = 0; i < b.t->tensor_count; i++)
        if (strncmp(b.t->tensors[i].name, "conv2.", 6) == 0) {
            free(sums[i]);
            sums[i] = NULL;
        }
    compare_sums(&b, sums, scales);
    close_bench(&b);
}

/* ---- other sizes ----------------------------------------------------------------------------- */

static void another_input_size(void **state)
{
    static const int64_t size[2] = {4, 9}, whole[3] = {1, 4, 9};
    bench b;
    (void)state;
    open_bench(&b, DIRAC_INFER);
    OK(dirac_session_set_input_size(b.session, 0, size, 2));
    OK(dirac_session_prepare(b.session));
    b.t = twin_create(b.net, 2);
    twin_set_input_size(b.t, whole);
    twin_value *x = twin_input(b.t, 0);
    float *input = layer_random(twin_count(b.t, x), 13, "input", -1, 1);
    for (size_t i = 0; i < twin_count(b.t, x); i++)
        x->data[i] = input[i];
    twin_forward(b.t, TWIN_INFER);
    OK(dirac_session_forward(b.session, input, 2));
    compare_output(&b, "another size");
    free(input);
    close_bench(&b);
}

/* An inference session sees what a training session has committed. */
static void inference_after_training(void **state)
{
    bench b;
    dirac_session *infer = NULL;
    (void)state;
    open_bench(&b, DIRAC_TRAIN);
    OK(dirac_session_prepare(b.session));
    OK(dirac_session_create(&infer, b.net, DIRAC_INFER));
    OK(dirac_session_set_batch(infer, MOST));
    OK(dirac_session_prepare(infer));
    for (uint64_t i = 0; i < 3; i++) {
        float *input = new_twin(&b, MOST, 20 + i);
        OK(dirac_session_forward(b.session, input, MOST));
        OK(dirac_session_commit_statistics(b.session));
        OK(dirac_session_forward(infer, input, MOST));
        twin_destroy(b.t);
        b.t = twin_create(b.net, MOST);
        for (size_t j = 0; j < MOST * CHANNELS * AREA; j++)
            twin_input(b.t, 0)->data[j] = input[j];
        twin_forward(b.t, TWIN_INFER);
        dirac_session *training = b.session;
        b.session = infer;
        compare_output(&b, "after a commit");
        b.session = training;
        free(input);
    }
    dirac_session_destroy(infer);
    close_bench(&b);
}

/* Two sessions on one net: their gradients joined are the sum. */
static void joined_gradients(void **state)
{
    double *sums[64] = {NULL}, scales[64] = {0};
    bench b;
    dirac_session *other = NULL;
    (void)state;
    open_bench(&b, DIRAC_TRAIN);
    OK(dirac_session_prepare(b.session));
    pass(&b, 3, 30, sums, scales);
    OK(dirac_session_create(&other, b.net, DIRAC_TRAIN));
    OK(dirac_session_set_batch(other, MOST));
    OK(dirac_session_prepare(other));
    dirac_session *first = b.session;
    b.session = other;
    pass(&b, 4, 31, sums, scales);
    b.session = first;
    OK(dirac_session_add_gradients(first, other));
    compare_sums(&b, sums, scales);
    dirac_session_destroy(other);
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_and_statistics_add_up),
        cmocka_unit_test(forward_alone),
        cmocka_unit_test(pending_until_committed),
        cmocka_unit_test(failed_forward_leaves_nothing),
        cmocka_unit_test(frozen_between_passes),
        cmocka_unit_test(kept_values),
        cmocka_unit_test(kept_beside_the_way),
        cmocka_unit_test(another_input_size),
        cmocka_unit_test(inference_after_training),
        cmocka_unit_test(joined_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
