/* SPDX-License-Identifier: MIT */
/* What dirac_sgd_epoch() and dirac_session_evaluate() refuse, and what an epoch that fails in its middle leaves. */
#include "support/test_context.h"

/* ---- refused at once ---- */

typedef struct stream {
    dirac_dataset *set;
    dirac_batches *batches;
} stream;

static stream open_stream(int64_t channels, int64_t size, int64_t batch)
{
    stream s = {.set = make_dataset(context, 6, channels, size, 3)};
    ok(dirac_batches_create(&s.batches, s.set));
    ok(dirac_batches_set_size(s.batches, batch));
    return s;
}

/* Refused before the first batch is taken: the stream stands where it stood. */
static void epoch_refused(dirac_session *session, dirac_sgd *sgd, stream s, int32_t status, const char *part)
{
    int64_t epoch, batch;
    double loss = -1, accuracy = -1;
    refused(dirac_session_evaluate(session, s.batches, NULL, NULL, &loss, &accuracy), status);
    message_has(part);
    assert_true(loss == 0 && accuracy == 0); /* written on failure too */
    if (sgd != NULL) {
        refused(dirac_sgd_epoch(sgd, session, s.batches, NULL, NULL, NULL, NULL), status);
        message_has(part);
    }
    ok(dirac_batches_position(s.batches, &epoch, &batch));
    assert_true(epoch == 0 && batch == 0);
}

static void close_stream(stream s)
{
    dirac_batches_destroy(s.batches);
    dirac_dataset_destroy(s.set);
}

static void test_refused_at_once(void **state)
{
    (void)state;
    dirac_net *net = net_of_images(context, 4, 3), *two = net_of_two_inputs(context);
    dirac_session *raw, *train = open_session(net, DIRAC_TRAIN, 4), *pair = open_session(two, DIRAC_TRAIN, 4);
    dirac_sgd *sgd, *sgd_of_two;
    stream s = open_stream(2, 4, 4), large = open_stream(2, 4, 5);
    stream wide = open_stream(2, 5, 4), deep = open_stream(3, 4, 4);
    ok(dirac_sgd_create(&sgd, net));
    ok(dirac_sgd_create(&sgd_of_two, two));
    ok(dirac_session_create(&raw, net, DIRAC_TRAIN));
    epoch_refused(raw, sgd, s, DIRAC_ERR_STATE, "not prepared");
    epoch_refused(train, sgd, large, DIRAC_ERR_ARGUMENT, "up to 5 images, the session takes 4");
    epoch_refused(train, sgd, wide, DIRAC_ERR_SHAPE, "(2, 5, 5), the net's input is (2, 4, 4)");
    epoch_refused(train, sgd, deep, DIRAC_ERR_SHAPE, "(3, 4, 4)");
    epoch_refused(pair, sgd_of_two, s, DIRAC_ERR_SHAPE, "one input, this one has 2");
    refused(dirac_sgd_epoch(sgd, pair, s.batches, NULL, NULL, NULL, NULL), DIRAC_ERR_ARGUMENT); /* another net */
    double loss = -1;
    ok(dirac_sgd_epoch(sgd, train, s.batches, NULL, NULL, &loss, NULL));
    assert_true(loss > 0);
    const float broken[3] = {NAN, 0, 0};
    ok(dirac_net_tensor_write(net, "linear.bias", broken, 3));
    refused(dirac_sgd_epoch(sgd, train, s.batches, NULL, NULL, &loss, NULL), DIRAC_ERR_NOT_FINITE);
    message_has("linear.bias");
    dirac_net *map = new_net(context); /* its output is no vector */
    dirac_net_output(map, dirac_net_conv2d(map, dirac_net_input2d(map, 2, 4, 4), 3, 1));
    ok(dirac_net_build(map));
    dirac_session *mapping = open_session(map, DIRAC_INFER, 4);
    stream fresh = open_stream(2, 4, 4);
    epoch_refused(mapping, NULL, fresh, DIRAC_ERR_SHAPE, "vector of logits");
    dirac_session_destroy(mapping);
    dirac_net_destroy(map);
    close_stream(fresh);
    close_stream(s), close_stream(large), close_stream(wide), close_stream(deep);
    dirac_sgd_destroy(sgd), dirac_sgd_destroy(sgd_of_two);
    dirac_session_destroy(raw), dirac_session_destroy(train), dirac_session_destroy(pair);
    dirac_net_destroy(net), dirac_net_destroy(two);
}

/* Samples of 6 that are fewer than a batch of 8: what counts is the largest batch that comes. */
static void test_batches_larger_than_the_set(void **state)
{
    (void)state;
    dirac_net *net = net_of_images(context, 4, 3);
    dirac_session *session = open_session(net, DIRAC_INFER, 6);
    stream s = open_stream(2, 4, 8);
    double loss = -1;
    ok(dirac_session_evaluate(session, s.batches, NULL, NULL, &loss, NULL));
    assert_true(loss > 0);
    close_stream(s);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
}

/* ---- failures in the middle ---- */

/* A layer y = x over the 2x4x4 values of an image, whose calls fail when told to. */
typedef struct moods {
    int forward, backward; /* each: the calls until one fails, 0 for none */
} moods;

static int is_last(int *calls)
{
    return *calls > 0 && --*calls == 0;
}

static int32_t set_up(void *user, dirac_layer *layer)
{
    int64_t dims[4];
    int32_t rank;
    (void)user;
    return dirac_layer_input_shape(layer, 0, dims, &rank) || dirac_layer_set_output_shape(layer, dims, rank);
}

static int32_t pass_on(const dirac_layer *layer, float *to, const float *from)
{
    memcpy(to, from, (size_t)dirac_layer_batch(layer) * 32 * sizeof(float));
    return 0;
}

static int32_t forward(void *user, dirac_layer *layer)
{
    moods *m = user;
    return is_last(&m->forward) ? 7 : pass_on(layer, dirac_layer_output(layer), dirac_layer_input(layer, 0));
}

static int32_t backward(void *user, dirac_layer *layer)
{
    moods *m = user;
    if (is_last(&m->backward))
        return 7;
    return pass_on(layer, dirac_layer_input_gradient(layer, 0), dirac_layer_output_gradient(layer));
}

static dirac_net *moody_net(moods *m)
{
    dirac_layer_kind *kind;
    dirac_net *net = new_net(context);
    ok(dirac_layer_kind_create(&kind, context, "moody", 1));
    ok(dirac_layer_kind_set_user(kind, m, NULL));
    ok(dirac_layer_kind_set_setup(kind, set_up));
    ok(dirac_layer_kind_set_forward(kind, forward));
    ok(dirac_layer_kind_set_backward(kind, backward));
    ok(dirac_layer_kind_register(kind));
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 2, 4, 4), 2, 1);
    x = dirac_net_global_average_pool(net, dirac_net_custom(net, kind, &x, 1));
    dirac_net_output(net, dirac_net_linear(net, x, 3));
    ok(dirac_net_build(net));
    dirac_layer_kind_destroy(kind);
    return net;
}

/* The second batch of three fails: one step was taken, the sums are of the first, and the rest goes on without it. */
static void epoch_fails(dirac_session *session, dirac_sgd *sgd, stream s, int32_t status, const char *part)
{
    double loss = -1, accuracy = -1;
    int64_t before, after;
    ok(dirac_sgd_steps(sgd, &before));
    refused(dirac_sgd_epoch(sgd, session, s.batches, NULL, NULL, &loss, &accuracy), status);
    message_has(part);
    assert_true(loss > 0 && accuracy >= 0 && accuracy <= 1);
    ok(dirac_sgd_steps(sgd, &after));
    assert_int_equal(after, before + 1);
    ok(dirac_session_clear_gradients(session));
    ok(dirac_sgd_epoch(sgd, session, s.batches, NULL, NULL, &loss, NULL));
    assert_true(loss > 0);
    ok(dirac_sgd_steps(sgd, &after));
    assert_int_equal(after, before + 2);
}

/* Each of the calls that a batch makes fails once. */
static void test_failures_in_the_middle(void **state)
{
    (void)state;
    moods m = {0, 0};
    dirac_net *net = moody_net(&m);
    dirac_session *session = open_session(net, DIRAC_TRAIN, 2);
    dirac_sgd *sgd;
    stream s = open_stream(2, 4, 2);
    ok(dirac_sgd_create(&sgd, net));
    m.forward = 2;
    epoch_fails(session, sgd, s, DIRAC_ERR_CALLBACK, "moody");
    m.backward = 2;
    epoch_fails(session, sgd, s, DIRAC_ERR_CALLBACK, "moody");
    dirac_sgd_destroy(sgd), dirac_session_destroy(session), close_stream(s), dirac_net_destroy(net);
}

/* Labels in order are 0, 1, 2, 0, 1, 2: of the batches of one, the third has a class without weight. */
static void test_loss_without_weight(void **state)
{
    (void)state;
    const float weights[3] = {1, 1, 0};
    dirac_net *net = net_of_images(context, 4, 3);
    dirac_session *session;
    stream s = open_stream(2, 4, 1);
    double loss = -1, accuracy = -1;
    int64_t epoch, batch;
    ok(dirac_session_create(&session, net, DIRAC_INFER));
    ok(dirac_session_set_class_weights(session, weights, 3));
    ok(dirac_session_prepare(session));
    refused(dirac_session_evaluate(session, s.batches, NULL, NULL, &loss, &accuracy), DIRAC_ERR_ARGUMENT);
    message_has("class weights of all labels of the batch are zero");
    assert_true(loss > 0);
    ok(dirac_batches_position(s.batches, &epoch, &batch));
    assert_true(epoch == 0 && batch == 3);
    close_stream(s);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_context(test_refused_at_once),
        with_context(test_batches_larger_than_the_set),
        with_context(test_failures_in_the_middle),
        with_context(test_loss_without_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
