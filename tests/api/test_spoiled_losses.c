/* SPDX-License-Identifier: MIT */
/* A loss that is not finite: the step refuses it and names the layer where it began, nothing is changed, and once the
 * gradients are cleared the batch is forgotten. */
#include <float.h>

#include "support/test_context.h"

enum { N = 3, CLASSES = 4, LAYERS = 5, IMAGE = 2 * 8 * 8 };

/* Convolutions "conv0" to "conv4", each with batch norm "norm0"... and ReLU, and a head "fc". */
typedef struct training {
    dirac_net *net;
    dirac_session *session;
    dirac_sgd *sgd;
    floats images;
} training;

static dirac_node *numbered(dirac_node *node, const char *stem, int number)
{
    char name[16];
    snprintf(name, sizeof name, "%s%d", stem, number);
    ok(dirac_node_set_name(node, name));
    return node;
}

static training begin_with(int beside)
{
    training t = {.images = random_numbers(N * IMAGE, 3, -1, 1)};
    ok(dirac_net_create(&t.net, context));
    dirac_node *x = dirac_net_input2d(t.net, 2, 8, 8);
    ok(dirac_node_set_name(x, "images"));
    for (int i = 0; i < LAYERS; i++) {
        x = numbered(dirac_net_conv2d(t.net, x, 6, 3), "conv", i);
        x = dirac_net_relu(t.net, numbered(dirac_net_batch_norm(t.net, x), "norm", i));
    }
    dirac_node *pooled = dirac_net_global_average_pool(t.net, x);
    x = dirac_net_linear(t.net, pooled, CLASSES);
    ok(dirac_node_set_name(x, "fc"));
    dirac_net_output(t.net, x);
    if (beside)
        dirac_net_output(t.net, pooled);
    ok(dirac_net_build(t.net));
    ok(dirac_net_initialize(t.net, 5));
    t.session = open_session(t.net, DIRAC_TRAIN, N);
    ok(dirac_sgd_create(&t.sgd, t.net));
    ok(dirac_sgd_set_momentum(t.sgd, 0.5f));
    return t;
}

static training begin(void)
{
    return begin_with(0);
}

/* What the head reads is the second output. */
static training begin_beside(void)
{
    return begin_with(1);
}

static void end(training *t)
{
    drop_floats(&t->images);
    dirac_sgd_destroy(t->sgd);
    dirac_session_destroy(t->session);
    dirac_net_destroy(t->net);
}

static float take_batch(dirac_session *session, const float *images)
{
    const int32_t labels[N] = {0, 1, 3};
    float loss;
    ok(dirac_session_forward(session, images, N));
    ok(dirac_session_cross_entropy(session, labels, &loss));
    ok(dirac_session_backward(session));
    return loss;
}

static floats numbers_of(const training *t)
{
    floats all = {NULL, 0};
    append_net(&all, t->net);
    append_momentum(&all, t->sgd, t->net);
    return all;
}

static void step_refused(training *t, const char *place)
{
    floats before = numbers_of(t);
    refused(dirac_sgd_step(t->sgd, t->session), DIRAC_ERR_NOT_FINITE);
    message_has(place);
    floats after = numbers_of(t);
    same_bits("a refused step", before, after);
    drop_floats(&before), drop_floats(&after);
}

/* ---- where it began ---- */

static void fill(dirac_net *net, const char *name, float value)
{
    const size_t count = tensor_elements(net, name);
    floats all = {NULL, 0};
    float *at = append(&all, count);
    for (size_t i = 0; i < count; i++)
        at[i] = value;
    ok(dirac_net_tensor_write(net, name, at, count));
    drop_floats(&all);
}

/* A parameter of a layer in the middle that is NaN. */
static void test_parameter(void **state)
{
    (void)state;
    for (int i = 0; i < LAYERS; i++) {
        training t = begin();
        char name[32], quoted[64];
        snprintf(name, sizeof name, i % 2 == 0 ? "conv%d.weight" : "norm%d.bias", i);
        snprintf(quoted, sizeof quoted, "because parameter \"%s\" is not", name);
        fill(t.net, name, NAN);
        assert_false(isfinite(take_batch(t.session, t.images.at)));
        step_refused(&t, quoted);
        fill(t.net, i < LAYERS - 1 ? "fc.weight" : "conv0.weight", NAN);
        assert_false(isfinite(take_batch(t.session, t.images.at))); /* the first is reported, until gradients are cleared */
        step_refused(&t, quoted);
        end(&t);
    }
}

/* Finite weights so large that the sums of one layer leave float. */
static void test_overflow(void **state)
{
    (void)state;
    for (int i = 0; i < LAYERS; i++) {
        training t = begin();
        char name[32], quoted[64];
        snprintf(name, sizeof name, "conv%d.weight", i);
        snprintf(quoted, sizeof quoted, "because the output of \"conv%d\" is not, in image 0", i);
        for (size_t j = 0; i == 0 && j < t.images.count; j++)
            t.images.at[j] = fabsf(t.images.at[j]) + 1; /* else sums may stay small by luck */
        fill(t.net, name, FLT_MAX);
        assert_false(isfinite(take_batch(t.session, t.images.at)));
        step_refused(&t, quoted);
        end(&t);
    }
}

static void test_input(void **state)
{
    (void)state;
    training t = begin();
    t.images.at[2 * IMAGE + 7] = INFINITY;
    assert_false(isfinite(take_batch(t.session, t.images.at)));
    step_refused(&t, "because input \"images\" is not, in image 2 of the batch");
    end(&t);
}

/* Logits so far apart that the loss leaves float, with gradients that are finite. */
static void test_loss_alone(void **state)
{
    (void)state;
    training t = begin();
    const float bias[CLASSES] = {-FLT_MAX, FLT_MAX, 0, -FLT_MAX};
    float *gradients;
    size_t count;
    ok(dirac_net_tensor_write(t.net, "fc.bias", bias, CLASSES));
    assert_true(isinf(take_batch(t.session, t.images.at)));
    ok(dirac_session_gradients(t.session, &gradients, &count));
    for (size_t i = 0; i < count; i++)
        assert_true(isfinite(gradients[i]));
    step_refused(&t, "though all layers' outputs are");
    end(&t);
}

static void test_given_gradient(void **state)
{
    (void)state;
    training t = begin();
    float given[N * CLASSES] = {0};
    given[5] = NAN;
    ok(dirac_session_forward(t.session, t.images.at, N));
    ok(dirac_session_set_output_gradient(t.session, 0, given, N * CLASSES));
    ok(dirac_session_backward(t.session));
    step_refused(&t, "though all layers' outputs are");
    end(&t);
}

/* A gradient of the host's at the second output, and the loss at the first; in that order or the other. */
static void give_beside(training *t, dirac_node *node, float value, int loss_last)
{
    int64_t dims[4];
    int32_t rank;
    const int32_t labels[N] = {0, 1, 3};
    float given[N * 8] = {0}, loss;
    ok(dirac_node_shape(node, dims, &rank));
    given[N * dims[0] - 1] = value;
    if (!loss_last)
        ok(dirac_session_cross_entropy(t->session, labels, &loss));
    ok(dirac_session_set_output_gradient(t->session, 1, given, (size_t)(N * dims[0])));
    if (loss_last)
        ok(dirac_session_cross_entropy(t->session, labels, &loss));
}

/* Whether the bad gradient or the good loss comes last is all one; a gradient that takes the place of a bad one is all that
 * counts. */
static void test_two_outputs(void **state)
{
    (void)state;
    for (int loss_last = 0; loss_last < 2; loss_last++) {
        training t = begin_beside();
        dirac_node *beside = dirac_net_output_node(t.net, 1);
        ok(dirac_session_forward(t.session, t.images.at, N));
        give_beside(&t, beside, NAN, loss_last);
        ok(dirac_session_backward(t.session));
        step_refused(&t, "the loss or its gradient at the outputs is not finite, though all layers' outputs are");
        ok(dirac_session_clear_gradients(t.session));
        ok(dirac_session_forward(t.session, t.images.at, N));
        give_beside(&t, beside, NAN, loss_last);
        give_beside(&t, beside, 0.5f, loss_last);
        ok(dirac_session_backward(t.session));
        ok(dirac_sgd_step(t.sgd, t.session));
        end(&t);
    }
}

/* Under a finite gradient of the host's, who saw no loss: statistics of forward are named, then what backward met. */
static void test_parameter_under_a_given_gradient(void **state)
{
    (void)state;
    static const char *const cases[2][2] = {
        {"conv3.weight", "statistics for \"norm3.running_mean\""},
        {"fc.weight", "gradient of \"norm4.bias\" is not finite, because parameter \"fc.weight\" is not"}};
    for (int i = 0; i < 2; i++) {
        training t = begin();
        float given[N * CLASSES] = {0};
        given[0] = 1;
        fill(t.net, cases[i][0], NAN);
        ok(dirac_session_forward(t.session, t.images.at, N));
        ok(dirac_session_set_output_gradient(t.session, 0, given, N * CLASSES));
        ok(dirac_session_backward(t.session));
        step_refused(&t, cases[i][1]);
        end(&t);
    }
}

/* ---- sums of several batches ---- */

static void test_accumulation(void **state)
{
    (void)state;
    training t = begin();
    floats bad = random_numbers(N * IMAGE, 3, -1, 1);
    bad.at[IMAGE] = NAN;
    take_batch(t.session, t.images.at);
    take_batch(t.session, bad.at);
    assert_true(isfinite(take_batch(t.session, t.images.at)));
    step_refused(&t, "because input \"images\" is not, in image 1");
    drop_floats(&bad);
    end(&t);
}

static void test_sessions_added(void **state)
{
    (void)state;
    training t = begin();
    dirac_session *other = open_session(t.net, DIRAC_TRAIN, N);
    floats bad = random_numbers(N * IMAGE, 3, -1, 1);
    bad.at[0] = -INFINITY;
    take_batch(t.session, t.images.at);
    take_batch(other, bad.at);
    ok(dirac_session_add_gradients(t.session, other));
    step_refused(&t, "because input \"images\" is not, in image 0");
    take_batch(other, t.images.at);
    ok(dirac_session_add_gradients(t.session, other)); /* what was wrong first stays */
    step_refused(&t, "because input \"images\" is not, in image 0");
    dirac_session_destroy(other);
    drop_floats(&bad);
    end(&t);
}

/* ---- afterwards ---- */

/* Training goes on as one that has never seen the batch: parameters, momentum, statistics. */
static void test_forgotten(void **state)
{
    (void)state;
    for (int bad_loss_alone = 0; bad_loss_alone < 2; bad_loss_alone++) {
        training t = begin(), never = begin();
        floats bad = random_numbers(N * IMAGE, 3, -1, 1), saved = {NULL, 0};
        const float bias[CLASSES] = {-FLT_MAX, FLT_MAX, 0, -FLT_MAX};
        append_tensor(&saved, t.net, "fc.bias");
        if (bad_loss_alone)
            ok(dirac_net_tensor_write(t.net, "fc.bias", bias, CLASSES)); /* all statistics are finite */
        else
            bad.at[4] = NAN;
        take_batch(t.session, bad.at);
        refused(dirac_sgd_step(t.sgd, t.session), DIRAC_ERR_NOT_FINITE);
        ok(dirac_session_clear_gradients(t.session));
        ok(dirac_net_tensor_write(t.net, "fc.bias", saved.at, CLASSES));
        for (int i = 0; i < 3; i++) {
            take_batch(t.session, t.images.at), take_batch(never.session, t.images.at);
            ok(dirac_sgd_step(t.sgd, t.session));
            ok(dirac_sgd_step(never.sgd, never.session));
        }
        floats got = numbers_of(&t), want = numbers_of(&never);
        same_bits("after a batch that was refused", want, got);
        drop_floats(&bad), drop_floats(&got), drop_floats(&want), drop_floats(&saved);
        end(&t), end(&never);
    }
}

/* A loss that no backward took in is no reason to refuse a step. */
static void test_loss_without_backward(void **state)
{
    (void)state;
    training t = begin();
    const int32_t labels[N] = {0, 1, 3};
    floats bad = random_numbers(N * IMAGE, 3, -1, 1);
    bad.at[0] = NAN;
    dirac_session *s = t.session;
    take_batch(s, t.images.at);
    ok(dirac_session_commit_statistics(s));
    ok(dirac_session_forward(s, bad.at, N));
    ok(dirac_session_cross_entropy(s, labels, NULL));
    refused(dirac_sgd_step(t.sgd, s), DIRAC_ERR_NOT_FINITE); /* for its statistics */
    message_has("statistics for \"norm0.running_mean\"");
    ok(dirac_session_clear_gradients(s));
    take_batch(s, t.images.at);
    ok(dirac_sgd_step(t.sgd, s));
    drop_floats(&bad);
    end(&t);
}

/* Resumed between backward and step, the step is refused all the same. */
static void test_checkpoint(void **state)
{
    (void)state;
    training t = begin(), fresh = begin();
    const float bias[CLASSES] = {-FLT_MAX, FLT_MAX, 0, -FLT_MAX};
    training *both[2] = {&t, &fresh};
    dirac_checkpoint *c[2];
    void *data;
    size_t size;
    for (int i = 0; i < 2; i++) {
        ok(dirac_checkpoint_create(&c[i], context));
        ok(dirac_checkpoint_add_net(c[i], "net", both[i]->net));
        ok(dirac_checkpoint_add_sgd(c[i], "sgd", both[i]->sgd));
        ok(dirac_checkpoint_add_session(c[i], "session", both[i]->session));
    }
    ok(dirac_net_tensor_write(t.net, "fc.bias", bias, CLASSES));
    take_batch(t.session, t.images.at);
    ok(dirac_checkpoint_save_memory(c[0], &data, &size));
    ok(dirac_checkpoint_load_memory(c[1], data, size));
    step_refused(&fresh, "a loss before the checkpoint was not finite");
    ok(dirac_session_clear_gradients(fresh.session));
    ok(dirac_net_initialize(fresh.net, 5));
    take_batch(fresh.session, fresh.images.at);
    ok(dirac_sgd_step(fresh.sgd, fresh.session));
    dirac_buffer_free(context, data, size);
    dirac_checkpoint_destroy(c[0]), dirac_checkpoint_destroy(c[1]);
    end(&t), end(&fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameter),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_loss_alone),
        cmocka_unit_test(test_given_gradient),
        cmocka_unit_test(test_two_outputs),
        cmocka_unit_test(test_parameter_under_a_given_gradient),
        cmocka_unit_test(test_accumulation),
        cmocka_unit_test(test_sessions_added),
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_loss_without_backward),
        cmocka_unit_test(test_checkpoint),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
