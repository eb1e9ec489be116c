/* SPDX-License-Identifier: MIT */
/* Long calls: progress is told, a stop is obeyed and has no effect, and the epoch helpers do what the single calls do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dirac/dirac.h>

typedef struct watch {
    int64_t calls, last, total;
    int64_t stop_at; /* call number; 0: never */
} watch;

static int32_t look(void *user, int64_t done, int64_t total)
{
    watch *w = user;
    assert_true(done > w->last && done <= total);
    w->last = done;
    w->total = total;
    return ++w->calls == w->stop_at;
}

#define OK(call) assert_int_equal((call), DIRAC_OK)

static dirac_net *make_net(dirac_context *context, int64_t hidden)
{
    dirac_net *net;
    OK(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_flatten(net, dirac_net_input2d(net, 1, 4, 4));
    x = dirac_net_relu(net, dirac_net_linear(net, x, hidden));
    dirac_net_output(net, dirac_net_linear(net, x, 3));
    OK(dirac_net_build(net));
    return net;
}

static dirac_batches *make_batches(dirac_context *context, int32_t count)
{
    dirac_dataset *set;
    dirac_batches *batches;
    OK(dirac_dataset_create_images(&set, context, 1, 4, 4));
    for (int32_t i = 0; i < count; i++) {
        uint8_t pixels[16];
        const int32_t label = i % 3;
        for (int j = 0; j < 16; j++)
            pixels[j] = (uint8_t)((i * 37 + j * 11 + (j % 3 == label) * 120) % 256);
        OK(dirac_dataset_add_images(set, pixels, DIRAC_LAYOUT_PLANAR, &label, 1));
    }
    OK(dirac_batches_create(&batches, set));
    OK(dirac_batches_set_size(batches, 8));
    OK(dirac_batches_set_shuffle(batches, 1));
    dirac_dataset_destroy(set);
    return batches;
}

static dirac_session *make_session(dirac_net *net, int32_t mode)
{
    dirac_session *session;
    OK(dirac_session_create(&session, net, mode));
    OK(dirac_session_set_batch(session, 8));
    OK(dirac_session_prepare(session));
    return session;
}

static void test_files(void **state)
{
    (void)state;
    char path[] = "/tmp/dirac-progress-XXXXXX";
    close(mkstemp(path));
    dirac_context *context;
    OK(dirac_context_create(&context));
    dirac_net *net = make_net(context, 200000), *small = make_net(context, 2), *loaded; /* 15 MB: several pieces */
    OK(dirac_net_save(small, path));
    watch w = {.stop_at = 2};
    OK(dirac_context_set_progress(context, look, &w));
    assert_int_equal(dirac_net_save(net, path), DIRAC_ERR_CANCELLED);
    assert_int_equal(w.calls, 2);
    OK(dirac_context_set_progress(context, NULL, NULL));
    OK(dirac_net_load_weights(small, path, DIRAC_LOAD_STRICT)); /* the old file, whole */
    w = (watch){0};
    OK(dirac_context_set_progress(context, look, &w));
    OK(dirac_net_save(net, path));
    assert_true(w.calls > 2 && w.last == w.total);
    w = (watch){.stop_at = 1};
    assert_int_equal(dirac_net_load(&loaded, context, path), DIRAC_ERR_CANCELLED);
    assert_null(loaded);
    w = (watch){0};
    OK(dirac_net_load(&loaded, context, path));
    assert_true(w.calls > 2 && w.last == w.total);
    dirac_net_destroy(net);
    dirac_net_destroy(small);
    dirac_net_destroy(loaded);
    dirac_context_destroy(context);
    unlink(path);
}

/* An epoch by the helper, stopped and gone on with, against the same calls one by one. */
static void test_epoch(void **state)
{
    (void)state;
    dirac_context *context;
    OK(dirac_context_create(&context));
    dirac_net *nets[2] = {make_net(context, 7), make_net(context, 7)};
    double loss, accuracy, sum = 0;
    int64_t right = 0;
    dirac_batches *batches = make_batches(context, 30);
    dirac_session *session = make_session(nets[0], DIRAC_TRAIN);
    dirac_sgd *sgd;
    OK(dirac_sgd_create(&sgd, nets[0]));
    watch w = {.stop_at = 2};
    assert_int_equal(dirac_sgd_epoch(sgd, session, batches, look, &w, &loss, &accuracy), DIRAC_ERR_CANCELLED);
    int64_t epoch, batch, steps;
    OK(dirac_batches_position(batches, &epoch, &batch));
    OK(dirac_sgd_steps(sgd, &steps));
    assert_true(epoch == 0 && batch == 2 && steps == 2 && w.total == 4);
    sum += loss * 16;
    right += (int64_t)lround(accuracy * 16);
    w = (watch){.last = 2};
    OK(dirac_sgd_epoch(sgd, session, batches, look, &w, &loss, &accuracy));
    assert_true(w.calls == 2 && w.last == 4);
    sum += loss * 14;
    right += (int64_t)lround(accuracy * 14);
    dirac_session_destroy(session);
    dirac_sgd_destroy(sgd);
    dirac_batches_destroy(batches);

    batches = make_batches(context, 30);
    session = make_session(nets[1], DIRAC_TRAIN);
    OK(dirac_sgd_create(&sgd, nets[1]));
    double expected = 0;
    int64_t expected_right = 0, n, correct;
    const float *samples;
    const int32_t *labels;
    for (;;) {
        float one;
        OK(dirac_batches_next(batches, &samples, &labels, &n));
        if (n == 0)
            break;
        OK(dirac_session_forward(session, samples, n));
        OK(dirac_session_cross_entropy(session, labels, &one));
        OK(dirac_session_count_correct(session, labels, &correct));
        OK(dirac_session_backward(session));
        OK(dirac_sgd_step(sgd, session));
        expected += (double)one * (double)n;
        expected_right += correct;
    }
    assert_true(fabs(sum - expected) <= 1e-9 * fabs(expected)); /* the same floats, added in another order in double */
    assert_int_equal(right, expected_right);
    float a[7 * 16], b[7 * 16];
    OK(dirac_net_tensor_read(nets[0], "linear.weight", a, 7 * 16));
    OK(dirac_net_tensor_read(nets[1], "linear.weight", b, 7 * 16));
    assert_memory_equal(a, b, sizeof a);

    dirac_session *test = make_session(nets[1], DIRAC_INFER);
    OK(dirac_session_evaluate(test, batches, NULL, NULL, &loss, &accuracy));
    assert_true(loss > 0 && accuracy >= 0 && accuracy <= 1);
    dirac_session_destroy(test);
    dirac_session_destroy(session);
    dirac_sgd_destroy(sgd);
    dirac_batches_destroy(batches);
    dirac_net_destroy(nets[0]);
    dirac_net_destroy(nets[1]);
    dirac_context_destroy(context);
}

static void test_wrong_samples(void **state)
{
    (void)state;
    dirac_context *context;
    OK(dirac_context_create(&context));
    dirac_net *net;
    OK(dirac_net_create(&net, context));
    dirac_net_output(net, dirac_net_linear(net, dirac_net_input(net, 16), 3));
    OK(dirac_net_build(net));
    dirac_batches *batches = make_batches(context, 9);
    dirac_session *session = make_session(net, DIRAC_INFER);
    assert_int_equal(dirac_session_evaluate(session, batches, NULL, NULL, NULL, NULL), DIRAC_ERR_SHAPE);
    dirac_sgd *sgd;
    int64_t epoch, batch;
    OK(dirac_sgd_create(&sgd, net));
    assert_int_equal(dirac_sgd_epoch(sgd, session, batches, NULL, NULL, NULL, NULL), DIRAC_ERR_STATE); /* infers */
    OK(dirac_sgd_set_nesterov(sgd, 1));
    dirac_session *training = make_session(net, DIRAC_TRAIN);
    assert_int_equal(dirac_sgd_epoch(sgd, training, batches, NULL, NULL, NULL, NULL), DIRAC_ERR_STATE); /* no momentum */
    dirac_session_destroy(training);
    dirac_session *unprepared;
    OK(dirac_session_create(&unprepared, net, DIRAC_TRAIN));
    assert_int_equal(dirac_sgd_epoch(sgd, unprepared, batches, NULL, NULL, NULL, NULL), DIRAC_ERR_STATE);
    OK(dirac_batches_position(batches, &epoch, &batch));
    assert_true(epoch == 0 && batch == 0); /* no batch was taken, and options may still be set */
    OK(dirac_batches_set_size(batches, 4));
    dirac_session_destroy(unprepared);
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(session);
    dirac_batches_destroy(batches);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}

/* Labels beyond the net's classes, one of them of the 5th image and one of the 12th. */
static dirac_batches *mislabelled_batches(dirac_context *context, int32_t ahead)
{
    const uint8_t pixels[16] = {1, 2, 3};
    dirac_dataset *set;
    dirac_batches *batches;
    OK(dirac_dataset_create_images(&set, context, 1, 4, 4));
    for (int32_t i = 0; i < 16; i++) {
        const int32_t label = i == 4 ? 9 : i == 11 ? 7 : i % 3;
        OK(dirac_dataset_add_images(set, pixels, DIRAC_LAYOUT_PLANAR, &label, 1));
    }
    OK(dirac_batches_create(&batches, set));
    OK(dirac_batches_set_size(batches, 4));
    OK(dirac_batches_set_shuffle(batches, 1));
    OK(dirac_batches_set_prefetch(batches, ahead));
    dirac_dataset_destroy(set);
    return batches;
}

/* The message names the image in the data set, wherever shuffling has put it. */
static void test_wrong_labels(void **state)
{
    (void)state;
    dirac_context *context;
    OK(dirac_context_create(&context));
    dirac_net *net = make_net(context, 5);
    dirac_session *session = make_session(net, DIRAC_TRAIN);
    dirac_sgd *sgd;
    OK(dirac_sgd_create(&sgd, net));
    for (uint64_t seed = 0; seed < 8; seed++) {
        dirac_batches *batches = mislabelled_batches(context, (int32_t)seed % 3);
        OK(dirac_batches_set_seed(batches, seed));
        assert_int_equal(dirac_sgd_epoch(sgd, session, batches, NULL, NULL, NULL, NULL), DIRAC_ERR_ARGUMENT);
        if (strcmp(dirac_error_message(), "the label of image 11 of the data set is 7, legal are 0 to 2") != 0)
            assert_string_equal(dirac_error_message(), "the label of image 4 of the data set is 9, legal are 0 to 2");
        assert_int_equal(dirac_session_evaluate(session, batches, NULL, NULL, NULL, NULL), DIRAC_ERR_ARGUMENT);
        dirac_batches_destroy(batches);
    }
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_epoch),
        cmocka_unit_test(test_wrong_samples),
        cmocka_unit_test(test_wrong_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
