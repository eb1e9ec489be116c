/* SPDX-License-Identifier: MIT */
/* What happens to gradients between backward and step: they add up over calls and sessions, and are refused when they
 * are not finite. */
#include "support/test_context.h"

/* Forward and backward of the sum of r y with the given r. */
static void pass(dirac_session *session, const floats *images, const floats *r, int64_t first, int64_t n, int64_t of)
{
    const size_t image = images->count / (size_t)of, output = r->count / (size_t)of;
    ok(dirac_session_forward(session, images->at + (size_t)first * image, n));
    ok(dirac_session_set_output_gradient(session, 0, r->at + (size_t)first * output, (size_t)n * output));
    ok(dirac_session_backward(session));
}

/* ---- sums of gradients, exactly ---- */

static floats whole_numbers(size_t count, uint64_t seed, int least, int most)
{
    floats x = random_numbers(count, seed, (double)least, (double)most + 1);
    for (size_t i = 0; i < count; i++)
        x.at[i] = floorf(x.at[i]);
    return x;
}

static void write_whole_numbers(dirac_net *net)
{
    for (int64_t i = 0; i < dirac_net_tensor_count(net); i++) {
        const char *name = dirac_net_tensor_name(net, i);
        floats x = whole_numbers(tensor_elements(net, name), (uint64_t)i, -1, 1);
        ok(dirac_net_tensor_write(net, name, x.at, x.count));
        drop_floats(&x);
    }
}

/*
 * Small whole numbers everywhere: on 2x6x6 images in -2..2, with weights in -1..1 and output gradients in -3..3, the
 * largest sum of absolute values is that of dW of the first convolution: 12 images x 36 places x 2 x (4 outputs x 3 x
 * 46 of weights) < 2^19. All sums are exact in float, so order and grouping cannot matter and equality must be
 * exact too. The session is strict: Winograd divides by 6.
 */
static dirac_session *exact_session(dirac_net *net, int64_t batch)
{
    dirac_session *session;
    ok(dirac_session_create(&session, net, DIRAC_TRAIN));
    ok(dirac_session_set_batch(session, batch));
    ok(dirac_session_set_strict(session, 1));
    ok(dirac_session_prepare(session));
    return session;
}

static dirac_net *exact_net(void)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 2, 6, 6), 5, 3);
    dirac_node_set_int(x, "bias", 1);
    x = dirac_net_conv2d(net, dirac_net_relu(net, x), 5, 3);
    dirac_node_set_int(x, "form", DIRAC_FORM_DELTA);
    x = dirac_net_flatten(net, dirac_net_max_pool2d(net, dirac_net_relu(net, x), 2));
    dirac_net_output(net, dirac_net_linear(net, x, 4));
    ok(dirac_net_build(net));
    write_whole_numbers(net);
    return net;
}

static void same_values(const char *what, dirac_session *a, dirac_session *b)
{
    floats x = {NULL, 0}, y = {NULL, 0};
    double size = 0;
    append_gradients(&x, a);
    append_gradients(&y, b);
    assert_int_equal(x.count, y.count);
    for (size_t i = 0; i < x.count; i++) {
        if (!(x.at[i] == y.at[i])) /* 0 is -0 here */
            fail_msg("%s: gradient %zu is %.9g, not %.9g", what, i, (double)y.at[i], (double)x.at[i]);
        size += fabs((double)x.at[i]);
    }
    assert_true(size > 1000); /* there was something to compare */
    drop_floats(&x);
    drop_floats(&y);
}

static void test_sums_are_exact(void **state)
{
    (void)state;
    dirac_net *net = exact_net(), *other_net = exact_net();
    dirac_session *all = exact_session(net, 12), *a = exact_session(net, 5), *b = exact_session(net, 7);
    dirac_session *other = exact_session(other_net, 5), *serving = open_session(net, DIRAC_INFER, 1);
    floats images = whole_numbers(12 * 72, 50, -2, 2), r = whole_numbers(12 * 4, 51, -3, 3);
    pass(all, &images, &r, 0, 12, 12);
    pass(a, &images, &r, 0, 5, 12);
    pass(b, &images, &r, 5, 7, 12);
    refused(dirac_session_add_gradients(a, a), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_add_gradients(a, other), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_add_gradients(a, serving), DIRAC_ERR_STATE);
    ok(dirac_session_add_gradients(a, b));
    same_values("two sessions joined", all, a);

    ok(dirac_session_clear_gradients(b));
    pass(b, &images, &r, 0, 3, 12);
    pass(b, &images, &r, 3, 7, 12);
    pass(b, &images, &r, 10, 2, 12);
    same_values("three backwards of one session", all, b);

    /* One that did nothing itself can take the sum and step. */
    dirac_session *c = exact_session(net, 1);
    dirac_sgd *sgd;
    floats before = {NULL, 0}, gradients = {NULL, 0}, after = {NULL, 0};
    ok(dirac_sgd_create(&sgd, net));
    ok(dirac_sgd_set_learning_rate(sgd, 0.5f));
    refused(dirac_sgd_step(sgd, c), DIRAC_ERR_STATE);
    ok(dirac_session_add_gradients(c, all));
    append_net(&before, net);
    append_gradients(&gradients, all);
    ok(dirac_sgd_step(sgd, c));
    append_net(&after, net);
    for (size_t i = 0; i < gradients.count; i++)
        assert_true(after.at[i] == before.at[i] - 0.5f * gradients.at[i]); /* exact: halves of whole numbers */
    drop_floats(&before);
    drop_floats(&gradients);
    drop_floats(&after);
    drop_floats(&images);
    drop_floats(&r);
    dirac_sgd_destroy(sgd);
    dirac_session *const sessions[] = {all, a, b, c, other, serving};
    for (size_t i = 0; i < 6; i++)
        dirac_session_destroy(sessions[i]);
    dirac_net_destroy(net);
    dirac_net_destroy(other_net);
}

/* ---- the same with a loss, real weights and fast convolution ---- */

/* Batch norm frozen, as its batch statistics belong to the batch. The loss is a mean, so the joined gradient is halved
 * by the host. Winograd's transforms leave up to 6e-6 of a tensor's largest gradient. */
static void test_joined_loss(void **state)
{
    (void)state;
    dirac_net *net;
    const int32_t labels[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 4, 2};
    ok(dirac_net_create(&net, context));
    dirac_net_output(net, dirac_model_diracnet_cifar(net, dirac_net_input2d(net, 3, 16, 16), 10, 1, 10,
                                                     DIRAC_FORM_NORMALIZED_DELTA));
    for (int64_t i = 0; i < dirac_net_node_count(net); i++)
        if (strcmp(dirac_node_kind(dirac_net_node(net, i)), "batch_norm") == 0)
            ok(dirac_node_set_frozen(dirac_net_node(net, i), 1));
    ok(dirac_net_build(net));
    stir_batch_norms(net, 3, 5);
    dirac_session *all = open_session(net, DIRAC_TRAIN, 12), *halves[2];
    floats images = random_numbers(12 * 768, 9, -1, 1);
    float loss, half[2];
    ok(dirac_session_forward(all, images.at, 12));
    ok(dirac_session_cross_entropy(all, labels, &loss));
    ok(dirac_session_backward(all));
    for (int i = 0; i < 2; i++) {
        halves[i] = open_session(net, DIRAC_TRAIN, 6);
        ok(dirac_session_forward(halves[i], images.at + i * 6 * 768, 6));
        ok(dirac_session_cross_entropy(halves[i], labels + 6 * i, &half[i]));
        ok(dirac_session_backward(halves[i]));
    }
    assert_true(fabsf(loss - (half[0] + half[1]) / 2) <= 1e-5f * loss);
    ok(dirac_session_add_gradients(halves[0], halves[1]));
    for (int64_t i = 0; i < dirac_net_tensor_count(net); i++) {
        const char *name = dirac_net_tensor_name(net, i);
        floats x = {NULL, 0}, y = {NULL, 0};
        double largest = 0;
        if (!is_trained(net, name))
            continue;
        const size_t count = tensor_elements(net, name);
        ok(dirac_session_gradient_read(all, name, append(&x, count), count));
        ok(dirac_session_gradient_read(halves[0], name, append(&y, count), count));
        for (size_t j = 0; j < count; j++) { /* not fmax(): GCC 12 for arm64 falls over it */
            const double size = fabs((double)x.at[j]);
            largest = size > largest ? size : largest;
        }
        assert_true(largest > 0);
        for (size_t j = 0; j < count; j++)
            if (!(fabs((double)x.at[j] - (double)y.at[j] / 2) <= 1e-5 * largest))
                fail_msg("%s at %zu: %.9g, not %.9g (largest %.3g)", name, j, (double)y.at[j] / 2, (double)x.at[j],
                         largest);
        drop_floats(&x);
        drop_floats(&y);
    }
    drop_floats(&images);
    dirac_session_destroy(all);
    dirac_session_destroy(halves[0]);
    dirac_session_destroy(halves[1]);
    dirac_net_destroy(net);
}

/* ---- what is not finite ---- */

static floats everything(const dirac_net *net, const dirac_sgd *sgd)
{
    floats all = {NULL, 0};
    append_net(&all, net);
    append_momentum(&all, sgd, net);
    return all;
}

static void unchanged(const dirac_net *net, const dirac_sgd *sgd, floats before, uint64_t version, int64_t steps)
{
    int64_t now;
    floats after = everything(net, sgd);
    same_bits("a refused step changed something", before, after);
    drop_floats(&after);
    assert_true(dirac_net_version(net) == version);
    ok(dirac_sgd_steps(sgd, &now));
    assert_int_equal(now, steps);
}

typedef struct training {
    dirac_net *net;
    dirac_session *session;
    dirac_sgd *sgd;
    floats images;
} training;

static void backward_of(training *t, const float *images)
{
    const int32_t labels[4] = {0, 1, 2, 3};
    ok(dirac_session_forward(t->session, images, 4));
    ok(dirac_session_cross_entropy(t->session, labels, NULL));
    ok(dirac_session_backward(t->session));
}

static training begin_training(void)
{
    training t = {.images = random_numbers(4 * 192, 5, -1, 1)};
    ok(dirac_net_create(&t.net, context));
    dirac_net_output(t.net, dirac_model_diracnet_cifar(t.net, dirac_net_input2d(t.net, 3, 8, 8), 10, 0.5, 4,
                                                       DIRAC_FORM_NORMALIZED_DELTA));
    ok(dirac_net_build(t.net));
    t.session = open_session(t.net, DIRAC_TRAIN, 4);
    ok(dirac_sgd_create(&t.sgd, t.net));
    ok(dirac_sgd_set_momentum(t.sgd, 0.9f));
    for (int i = 0; i < 2; i++) {
        backward_of(&t, t.images.at);
        ok(dirac_sgd_step(t.sgd, t.session));
    }
    return t;
}

static void end_training(training *t)
{
    drop_floats(&t->images);
    dirac_sgd_destroy(t->sgd);
    dirac_session_destroy(t->session);
    dirac_net_destroy(t->net);
}

static void test_gradient_not_finite(void **state)
{
    (void)state;
    training t = begin_training();
    const float bad[3] = {NAN, INFINITY, -INFINITY};
    const uint64_t version = dirac_net_version(t.net);
    floats before = everything(t.net, t.sgd);
    float *gradients;
    size_t count, offset = 0;
    backward_of(&t, t.images.at);
    ok(dirac_session_gradients(t.session, &gradients, &count));
    for (int64_t i = 0; i < dirac_net_tensor_count(t.net); i++) {
        const char *name = dirac_net_tensor_name(t.net, i);
        const size_t size = tensor_elements(t.net, name);
        if (!is_trained(t.net, name))
            continue;
        /* One bad number at the tensor's end, and one in the very first place: backward met the later tensor first. */
        const float good = gradients[offset + size - 1], first = gradients[0];
        gradients[0] = NAN;
        gradients[offset + size - 1] = bad[i % 3];
        refused(dirac_sgd_step(t.sgd, t.session), DIRAC_ERR_NOT_FINITE);
        char quoted[256];
        snprintf(quoted, sizeof quoted, "\"%s\"", name);
        message_has(quoted);
        unchanged(t.net, t.sgd, before, version, 2);
        gradients[offset + size - 1] = good;
        gradients[0] = first;
        offset += size;
    }
    assert_int_equal(offset, count);
    gradients[0] = 3e38f; /* finite, although its square is not in float */
    ok(dirac_sgd_set_learning_rate(t.sgd, 1e-38f));
    ok(dirac_sgd_step(t.sgd, t.session));
    drop_floats(&before);
    end_training(&t);
}

/* A batch that spoils gradients and statistics is refused; after a clear training goes on without it. */
static void test_batch_not_finite(void **state)
{
    (void)state;
    training t = begin_training();
    const uint64_t version = dirac_net_version(t.net);
    floats before = everything(t.net, t.sgd), spoiled = {NULL, 0};
    append_copy(&spoiled, t.images.at, t.images.count);
    spoiled.at[100] = NAN;
    backward_of(&t, spoiled.at);
    refused(dirac_sgd_step(t.sgd, t.session), DIRAC_ERR_NOT_FINITE);
    unchanged(t.net, t.sgd, before, version, 2);
    refused(dirac_session_commit_statistics(t.session), DIRAC_ERR_NOT_FINITE);
    message_has("running_");
    unchanged(t.net, t.sgd, before, version, 2);
    ok(dirac_session_clear_gradients(t.session));
    backward_of(&t, t.images.at);
    ok(dirac_sgd_step(t.sgd, t.session));

    /* As if the batch had never been there. */
    training u = begin_training();
    backward_of(&u, u.images.at);
    ok(dirac_sgd_step(u.sgd, u.session));
    floats with = everything(t.net, t.sgd), without = everything(u.net, u.sgd);
    same_bits("training after a refused batch", with, without);
    drop_floats(&with);
    drop_floats(&without);
    drop_floats(&before);
    drop_floats(&spoiled);
    end_training(&u);
    end_training(&t);
}

/* Statistics alone that are not finite (the variance of numbers around 1e25 is no float) stop the step as well. */
static void test_statistics_not_finite(void **state)
{
    (void)state;
    training t = begin_training();
    floats before = everything(t.net, t.sgd), huge = random_numbers(t.images.count, 6, -1e25, 1e25);
    float *gradients;
    size_t count;
    backward_of(&t, huge.at);
    ok(dirac_session_gradients(t.session, &gradients, &count));
    memset(gradients, 0, count * sizeof *gradients);
    refused(dirac_sgd_step(t.sgd, t.session), DIRAC_ERR_NOT_FINITE);
    message_has("bn.running_var");
    unchanged(t.net, t.sgd, before, dirac_net_version(t.net), 2);
    ok(dirac_session_clear_gradients(t.session));
    backward_of(&t, t.images.at);
    ok(dirac_sgd_step(t.sgd, t.session));
    drop_floats(&before);
    drop_floats(&huge);
    end_training(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_are_exact),
        cmocka_unit_test(test_joined_loss),
        cmocka_unit_test(test_gradient_not_finite),
        cmocka_unit_test(test_batch_not_finite),
        cmocka_unit_test(test_statistics_not_finite),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
