/* SPDX-License-Identifier: MIT */
/* Training as a whole: a net learns, and batch norm's running statistics follow their formula, or stay when frozen. */
#include "support/test_context.h"

/* ---- it learns ---- */

/* 96 images of four classes: noise with a pattern a class. A net that cannot tell them has a loss of ln 4 = 1.39. */
static void test_loss_falls(void **state)
{
    (void)state;
    dirac_net *net;
    dirac_batches *batches;
    dirac_sgd *sgd;
    dirac_dataset *set = make_dataset(context, 96, 3, 8, 4);
    ok(dirac_net_create(&net, context));
    ok(dirac_net_set_seed(net, 1));
    dirac_net_output(net, dirac_model_diracnet_cifar(net, dirac_net_input2d(net, 3, 8, 8), 10, 0.5, 4,
                                                     DIRAC_FORM_NORMALIZED_DELTA));
    ok(dirac_net_build(net));
    dirac_session *session = open_session(net, DIRAC_TRAIN, 16), *test = open_session(net, DIRAC_INFER, 96);
    ok(dirac_batches_create(&batches, set));
    ok(dirac_batches_set_size(batches, 16));
    ok(dirac_batches_set_shuffle(batches, 1));
    ok(dirac_batches_set_prefetch(batches, 2));
    ok(dirac_sgd_create(&sgd, net));
    ok(dirac_sgd_set_momentum(sgd, 0.9f));
    ok(dirac_sgd_set_weight_decay(sgd, 5e-4f));
    double epochs[12] = {0};
    const float *images;
    const int32_t *labels;
    int64_t n, correct;
    for (int epoch = 0; epoch < 12;) {
        float loss;
        ok(dirac_batches_next(batches, &images, &labels, &n));
        epoch += n == 0;
        if (n == 0)
            continue;
        ok(dirac_session_forward(session, images, n));
        ok(dirac_session_cross_entropy(session, labels, &loss));
        ok(dirac_session_backward(session));
        ok(dirac_sgd_step(sgd, session));
        epochs[epoch] += (double)loss / 6;
    }
    assert_true(epochs[0] > 0.3);
    assert_true(epochs[11] < 0.1 && epochs[11] < epochs[0] / 4);
    dirac_batches_destroy(batches);
    ok(dirac_batches_create(&batches, set));
    ok(dirac_batches_set_size(batches, 96));
    ok(dirac_batches_next(batches, &images, &labels, &n));
    ok(dirac_session_forward(test, images, n));
    ok(dirac_session_count_correct(test, labels, &correct));
    assert_true(correct >= 92);
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(session);
    dirac_session_destroy(test);
    dirac_batches_destroy(batches);
    dirac_dataset_destroy(set);
    dirac_net_destroy(net);
}

/* Forward and backward of the sum of r y with the given r. */
static void pass(dirac_session *session, const floats *images, const floats *r, int64_t first, int64_t n, int64_t of)
{
    const size_t image = images->count / (size_t)of, output = r->count / (size_t)of;
    ok(dirac_session_forward(session, images->at + (size_t)first * image, n));
    ok(dirac_session_set_output_gradient(session, 0, r->at + (size_t)first * output, (size_t)n * output));
    ok(dirac_session_backward(session));
}

/* ---- running statistics ---- */

enum { SIDE = 5, CHANNELS = 3 };

/* Convolution "conv", batch norm "norm" (momentum 0.3), straight to the output. */
static dirac_net *normed_net(int32_t frozen)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 2, SIDE, SIDE), CHANNELS, 3);
    dirac_node_set_name(x, "conv");
    x = dirac_net_batch_norm(net, x);
    dirac_node_set_name(x, "norm");
    dirac_node_set_float(x, "momentum", 0.3);
    if (frozen)
        ok(dirac_node_set_frozen(x, 1));
    dirac_net_output(net, x);
    ok(dirac_net_build(net));
    stir_batch_norms(net, 1, 5);
    return net;
}

/* running <- 0.7 running + 0.3 batch from the convolution's values, (n, CHANNELS, SIDE, SIDE). */
static void twin_statistics(const float *x, int64_t n, double mean[CHANNELS], double var[CHANNELS])
{
    const double m = (double)n * SIDE * SIDE;
    for (int c = 0; c < CHANNELS; c++) {
        double sum = 0, squares = 0;
        for (int pass_of = 0; pass_of < 2; pass_of++)
            for (int64_t i = 0; i < n; i++)
                for (int p = 0; p < SIDE * SIDE; p++) {
                    const double value = (double)x[(i * CHANNELS + c) * SIDE * SIDE + p];
                    if (pass_of == 0)
                        sum += value / m;
                    else
                        squares += (value - sum) * (value - sum);
                }
        mean[c] = 0.7 * mean[c] + 0.3 * sum;
        var[c] = 0.7 * var[c] + 0.3 * squares / (m - 1);
    }
}

static void test_pending_statistics(void **state)
{
    (void)state;
    dirac_net *net = normed_net(0);
    dirac_session *session;
    double mean[CHANNELS] = {0}, var[CHANNELS] = {1, 1, 1};
    floats before = {NULL, 0}, after = {NULL, 0}, now = {NULL, 0};
    ok(dirac_session_create(&session, net, DIRAC_TRAIN));
    ok(dirac_session_set_batch(session, 6));
    ok(dirac_session_keep(session, dirac_net_find(net, "conv")));
    ok(dirac_session_prepare(session));
    append_net(&before, net);
    for (int64_t n = 6; n >= 2; n -= 2) { /* three forwards, one commit, in their order */
        floats images = random_numbers((size_t)n * 2 * SIDE * SIDE, (uint64_t)n, 0, 3);
        const float *x;
        ok(dirac_session_forward(session, images.at, n));
        ok(dirac_session_activation(session, dirac_net_find(net, "conv"), &x, NULL));
        twin_statistics(x, n, mean, var);
        drop_floats(&images);
    }
    append_net(&after, net);
    same_bits("forwards alone", before, after);
    ok(dirac_session_commit_statistics(session));
    append_tensor(&now, net, "norm.running_mean");
    append_tensor(&now, net, "norm.running_var");
    for (int c = 0; c < CHANNELS; c++) { /* sums in float over at most 150 values of size up to 6: well below 1e-5 */
        assert_true(fabs((double)now.at[c] - mean[c]) < 1e-5 * (1 + fabs(mean[c])));
        assert_true(fabs((double)now.at[CHANNELS + c] - var[c]) < 1e-5 * (1 + var[c]));
    }
    const uint64_t version = dirac_net_version(net);
    ok(dirac_session_commit_statistics(session)); /* nothing is pending any more */
    assert_true(dirac_net_version(net) == version);
    drop_floats(&before);
    drop_floats(&after);
    drop_floats(&now);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
}

/* Frozen: y = s (x - mean) + bias with the running ones; they stay; weight and bias train by dy sums. */
static void test_frozen(void **state)
{
    (void)state;
    enum { N = 4, PLACES = SIDE * SIDE };
    dirac_net *net = normed_net(1);
    dirac_session *session;
    dirac_sgd *sgd;
    const float mean[CHANNELS] = {0.5f, -1, 2}, var[CHANNELS] = {0.25f, 4, 1.5f};
    float dweight[CHANNELS], dbias[CHANNELS];
    const float *x, *y;
    floats images = random_numbers(N * 2 * PLACES, 3, -1, 1), r = random_numbers(N * CHANNELS * PLACES, 4, -1, 1);
    floats weight = {NULL, 0}, statistics = {NULL, 0}, after = {NULL, 0};
    ok(dirac_net_tensor_write(net, "norm.running_mean", mean, CHANNELS));
    ok(dirac_net_tensor_write(net, "norm.running_var", var, CHANNELS));
    append_tensor(&weight, net, "norm.weight");
    append_tensor(&weight, net, "norm.bias");
    append_tensor(&statistics, net, "norm.running_mean");
    append_tensor(&statistics, net, "norm.running_var");
    ok(dirac_session_create(&session, net, DIRAC_TRAIN));
    ok(dirac_session_set_batch(session, N));
    ok(dirac_session_keep(session, dirac_net_find(net, "conv")));
    ok(dirac_session_prepare(session));
    pass(session, &images, &r, 0, N, N);
    ok(dirac_session_activation(session, dirac_net_find(net, "conv"), &x, NULL));
    ok(dirac_session_output(session, 0, &y, NULL));
    ok(dirac_session_gradient_read(session, "norm.weight", dweight, CHANNELS));
    ok(dirac_session_gradient_read(session, "norm.bias", dbias, CHANNELS));
    for (size_t c = 0; c < CHANNELS; c++) {
        double dw = 0, db = 0, size = 0;
        for (size_t i = 0; i < N * PLACES; i++) {
            const size_t at = (i / PLACES * CHANNELS + c) * PLACES + i % PLACES;
            const double xhat = ((double)x[at] - (double)mean[c]) / sqrt((double)var[c] + 1e-5);
            const double want = (double)weight.at[c] * xhat + (double)weight.at[CHANNELS + c];
            assert_true(fabs((double)y[at] - want) <= 1e-6 * (1 + fabs(want) + fabs(xhat)));
            dw += (double)r.at[at] * xhat;
            db += (double)r.at[at];
            size += fabs((double)r.at[at]) * (1 + fabs(xhat));
        }
        assert_true(fabs((double)dweight[c] - dw) <= N * PLACES * 0x1p-24 * size);
        assert_true(fabs((double)dbias[c] - db) <= N * PLACES * 0x1p-24 * size);
    }
    ok(dirac_sgd_create(&sgd, net));
    ok(dirac_sgd_step(sgd, session));
    append_tensor(&after, net, "norm.running_mean");
    append_tensor(&after, net, "norm.running_var");
    same_bits("statistics of a frozen batch norm", statistics, after);
    drop_floats(&after);
    append_tensor(&after, net, "norm.weight");
    for (size_t c = 0; c < CHANNELS; c++)
        assert_true(after.at[c] != weight.at[c]);
    ok(dirac_node_set_frozen(dirac_net_find(net, "norm"), 0)); /* thawed, the next step moves them */
    pass(session, &images, &r, 0, N, N);
    ok(dirac_sgd_step(sgd, session));
    drop_floats(&after);
    append_tensor(&after, net, "norm.running_mean");
    append_tensor(&after, net, "norm.running_var");
    for (size_t c = 0; c < 2 * CHANNELS; c++)
        assert_true(after.at[c] != statistics.at[c]);
    floats *const lists[] = {&images, &r, &weight, &statistics, &after};
    for (size_t i = 0; i < 5; i++)
        drop_floats(lists[i]);
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss_falls),
        cmocka_unit_test(test_pending_statistics),
        cmocka_unit_test(test_frozen),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
