/* SPDX-License-Identifier: MIT */
/* Custom layers with parameters and state among the library's: gradients against the twin, training, files, and the
 * library's own gradient check, which must find a wrong backward. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layers/custom_kinds.h"
#include "layers/layer_check.h"
#include "layers/layer_values.h"

static const int right = 1, wrong = 0;
static custom_kinds kinds; /* of the context that was made last */

static void attach(dirac_context *context)
{
    kinds = custom_register(context, &right);
}

static void build_polynomial(dirac_net *net, const void *user)
{
    (void)user;
    dirac_net_output(net, custom_polynomial(net, kinds, dirac_net_input2d(net, 17, 3, 2), 3, 0.5));
}

/* Between layers whose values are laid out, fused and reused as the library pleases. */
static void build_between(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x =
        dirac_net_batch_norm(net, dirac_net_conv2d(net, dirac_net_input2d(net, 3, 5, 4), 5, 3));
    dirac_node *y = custom_polynomial(net, kinds, dirac_net_relu(net, x), 2, -0.25);
    dirac_node *z = dirac_net_dirac_conv2d(net, dirac_net_elu(net, y), 5, 3);
    dirac_node *three[3] = {x, z, y};
    y = dirac_net_custom(net, kinds.product, three, 3);
    dirac_net_output(net, dirac_net_linear(net, dirac_net_global_average_pool(net, y), 4));
}

static void build_shared(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = custom_polynomial(net, kinds, dirac_net_input1d(net, 3, 7), 2, 0.5);
    OK(dirac_node_set_name(x, "first"));
    dirac_node *y = custom_polynomial(net, kinds, x, 2, 0.5);
    OK(dirac_node_set_name(y, "second"));
    OK(dirac_node_share_parameters(y, x));
    dirac_node *square[2] = {y, y};
    dirac_net_output(net, dirac_net_custom(net, kinds.product, square, 2));
}

static void gradients(void **state)
{
    static const char *const share[] = {"second", "first", NULL};
    (void)state;
    check_layer(&(layer_case){
        .what = "polynomial", .build = build_polynomial, .attach = attach, .custom = twin_custom});
    check_layer(&(layer_case){.what = "custom layers between others",
                              .build = build_between,
                              .attach = attach,
                              .custom = twin_custom});
    check_layer(&(layer_case){.what = "polynomial of a polynomial, squared",
                              .build = build_shared,
                              .share = share,
                              .attach = attach,
                              .custom = twin_custom});
}

/* ---- training -------------------------------------------------------------------------------- */

typedef struct bench {
    dirac_context *context;
    dirac_net *net;
    dirac_session *session;
    float *input;
} bench;

enum { IMAGES = 4, INPUTS = IMAGES * 3 * 5 * 4 };

static void open_bench(bench *b, const int *is_right)
{
    OK(dirac_context_create(&b->context));
    kinds = custom_register(b->context, is_right);
    OK(dirac_net_create(&b->net, b->context));
    build_between(b->net, NULL);
    OK(dirac_net_build(b->net));
    layer_fill(b->net, 7);
    OK(dirac_session_create(&b->session, b->net, DIRAC_TRAIN));
    OK(dirac_session_set_batch(b->session, IMAGES));
    OK(dirac_session_prepare(b->session));
    b->input = layer_random(INPUTS, 4, "input", -1, 1);
}

static void close_bench(bench *b)
{
    free(b->input);
    dirac_session_destroy(b->session);
    dirac_net_destroy(b->net);
    dirac_context_destroy(b->context);
}

/* A step moves each parameter by rate times its gradient, and the state by what was pending; steps lower the loss. */
static void training(void **state)
{
    static const int32_t labels[IMAGES] = {0, 1, 2, 3};
    bench b;
    dirac_sgd *sgd = NULL;
    float loss = 0, first = 0;
    (void)state;
    open_bench(&b, &right);
    OK(dirac_sgd_create(&sgd, b.net));
    OK(dirac_sgd_set_learning_rate(sgd, 0.0625f));
    for (int step = 0; step < 30; step++) {
        OK(dirac_session_forward(b.session, b.input, IMAGES));
        OK(dirac_session_cross_entropy(b.session, labels, &loss));
        OK(dirac_session_backward(b.session));
        first = step == 0 ? loss : first;
        size_t count;
        float *gradient = layer_gradient(b.session, b.net, "polynomial.weight", &count);
        float *before = layer_read(b.net, "polynomial.weight", NULL),
              *mean = layer_read(b.net, "polynomial.mean", NULL);
        OK(dirac_sgd_step(sgd, b.session));
        float *after = layer_read(b.net, "polynomial.weight", NULL),
              *moved = layer_read(b.net, "polynomial.mean", NULL);
        for (size_t i = 0; i < count; i++)
            assert_true(fabs(after[i] - (before[i] - 0.0625 * gradient[i])) <=
                        2 * 0x1p-24 * fabs(before[i]));
        assert_true(step > 0 || (moved[0] != mean[0] && gradient[0] != 0));
        free(gradient);
        free(before);
        free(after);
        free(mean);
        free(moved);
    }
    assert_true(loss < 0.75f * first);
    dirac_sgd_destroy(sgd);
    close_bench(&b);
}

/* ---- failing --------------------------------------------------------------------------------- */

/* Fails when it sees a number above 99. */
static int32_t picky_forward(void *user, dirac_layer *layer)
{
    const float *x = dirac_layer_input(layer, 0);
    float *y = dirac_layer_output(layer);
    (void)user;
    for (int64_t i = 0; i < 4 * dirac_layer_batch(layer); i++) {
        if (x[i] > 99)
            return 7;
        y[i] = 2 * x[i];
    }
    return 0;
}

static int32_t picky_setup(void *user, dirac_layer *layer)
{
    const int64_t dims[1] = {4};
    (void)user;
    return dirac_layer_set_output_shape(layer, dims, 1);
}

static dirac_layer_kind *picky_kind(dirac_context *context)
{
    dirac_layer_kind *kind = NULL;
    OK(dirac_layer_kind_create(&kind, context, "picky", 1));
    OK(dirac_layer_kind_set_setup(kind, picky_setup));
    OK(dirac_layer_kind_set_forward(kind, picky_forward));
    OK(dirac_layer_kind_register(kind));
    dirac_layer_kind_destroy(kind);
    return kind;
}

/* A kind without backward cannot be trained; a forward that fails leaves no output, and the session goes on. */
static void failing_forward(void **state)
{
    const float good[4] = {1, 2, 3, 4}, bad[4] = {1, 2, 100, 4};
    dirac_context *context = NULL;
    dirac_net *net = NULL;
    dirac_session *session = NULL;
    const float *y;
    (void)state;
    OK(dirac_context_create(&context));
    dirac_layer_kind *kind = picky_kind(context);
    OK(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_input(net, 4);
    dirac_node *custom = dirac_net_custom(net, kind, &x, 1);
    OK(dirac_node_set_name(custom, "fussy"));
    dirac_net_output(net, custom);
    OK(dirac_net_build(net));

    OK(dirac_session_create(&session, net, DIRAC_TRAIN));
    assert_int_equal(dirac_session_prepare(session), DIRAC_ERR_UNSUPPORTED);
    assert_non_null(strstr(dirac_error_message(), "fussy"));
    dirac_session_destroy(session);

    OK(dirac_session_create(&session, net, DIRAC_INFER));
    OK(dirac_session_prepare(session));
    OK(dirac_session_forward(session, good, 1));
    assert_int_equal(dirac_session_forward(session, bad, 1), DIRAC_ERR_CALLBACK);
    assert_non_null(strstr(dirac_error_message(), "fussy"));
    assert_int_equal(dirac_session_output(session, 0, &y, NULL), DIRAC_ERR_STATE);
    OK(dirac_session_forward(session, good, 1));
    OK(dirac_session_output(session, 0, &y, NULL));
    for (int i = 0; i < 4; i++)
        assert_true(y[i] == 2 * good[i]);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void infer(dirac_net *net, const float *input, float y[IMAGES * 4])
{
    dirac_session *session = NULL;
    const float *values;
    size_t count;
    OK(dirac_session_create(&session, net, DIRAC_INFER));
    OK(dirac_session_set_batch(session, IMAGES));
    OK(dirac_session_prepare(session));
    OK(dirac_session_forward(session, input, IMAGES));
    OK(dirac_session_output(session, 0, &values, &count));
    assert_int_equal(count, IMAGES * 4);
    memcpy(y, values, count * sizeof *y);
    dirac_session_destroy(session);
}

static void files(void **state)
{
    bench b;
    void *data = NULL;
    size_t size = 0;
    dirac_net *loaded = NULL, *folded = NULL, *copy = NULL;
    float want[IMAGES * 4], got[IMAGES * 4];
    (void)state;
    open_bench(&b, &right);
    infer(b.net, b.input, want);
    OK(dirac_net_save_memory(b.net, &data, &size));
    OK(dirac_net_load_memory(&loaded, b.context, data, size));
    infer(loaded, b.input, got);
    layer_same_bits("loaded", got, want, IMAGES * 4);
    double slope = 0;
    OK(dirac_node_get_float(dirac_net_find(loaded, "polynomial"), "slope", &slope));
    assert_true(slope == -0.25);
    OK(dirac_net_clone(&copy, b.net));
    infer(copy, b.input, got);
    layer_same_bits("clone", got, want, IMAGES * 4);
    OK(dirac_net_fold(&folded, loaded));
    infer(folded, b.input, got);
    for (int i = 0; i < IMAGES * 4; i++)
        assert_true(fabsf(got[i] - want[i]) <= 256 * 0x1p-24f * fmaxf(fabsf(want[i]), 1));

    /* A context that does not know the kind. */
    dirac_context *other = NULL;
    dirac_net *none = NULL;
    OK(dirac_context_create(&other));
    assert_int_equal(dirac_net_load_memory(&none, other, data, size), DIRAC_ERR_NOT_FOUND);
    assert_null(none);
    assert_non_null(strstr(dirac_error_message(), "polynomial"));
    custom_register(other, &right);
    OK(dirac_net_load_memory(&none, other, data, size));
    infer(none, b.input, got);
    layer_same_bits("loaded elsewhere", got, want, IMAGES * 4);
    dirac_net_destroy(none);
    dirac_context_destroy(other);
    dirac_buffer_free(b.context, data, size);
    dirac_net_destroy(loaded);
    dirac_net_destroy(folded);
    dirac_net_destroy(copy);
    close_bench(&b);
}

/* ---- the library's own check ----------------------------------------------------------------- */

static void wrong_backward_is_found(void **state)
{
    (void)state;
    for (int is_right = 0; is_right <= 1; is_right++) {
        bench b;
        double worst = -1;
        open_bench(&b, is_right ? &right : &wrong);
        float *mean = layer_read(b.net, "polynomial.mean", NULL);
        const uint64_t version = dirac_net_version(b.net);
        OK(dirac_session_check_gradients(b.session, b.input, IMAGES, 12, 0, &worst));
        /* A gradient half as large again is 1/3 off; what float32 can tell is given as 1e-2. */
        if (is_right)
            assert_true(worst >= 0 && worst < 2e-2);
        else
            assert_true(worst > 0.1);
        float *after = layer_read(b.net, "polynomial.mean", NULL);
        layer_same_bits("state after a check", after, mean, 5);
        assert_true(dirac_net_version(b.net) >= version);
        free(mean);
        free(after);
        close_bench(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients),
        cmocka_unit_test(training),
        cmocka_unit_test(failing_forward),
        cmocka_unit_test(files),
        cmocka_unit_test(wrong_backward_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
