/* SPDX-License-Identifier: MIT */
/* A linear layer large enough for OpenBLAS (2^24 multiply-adds and more, in training): the same bits for any number of
 * context threads, and the same gradients as without OpenBLAS to rounding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <dirac/dirac.h>

enum { BATCH = 32, IN = 768, HIDDEN = 1024, OUT = 5 }; /* 32 * 768 * 1024 > 2^24; more outputs than inputs */

#define OK(call) assert_int_equal((call), DIRAC_OK)

/* Weights after three steps, and the first gradient of the large weight. */
typedef struct outcome {
    float *weight, *gradient;
} outcome;

/* Filters of different sizes, where the form has such. */
static void vary(dirac_net *net, const char *name)
{
    float values[HIDDEN];
    for (int i = 0; i < HIDDEN; i++)
        values[i] = 0.5f + (float)i / HIDDEN;
    const int32_t status = dirac_net_tensor_write(net, name, values, HIDDEN);
    assert_true(status == DIRAC_OK || status == DIRAC_ERR_NOT_FOUND);
}

static outcome train(int32_t threads, int32_t blas, int32_t form)
{
    outcome out = {malloc(IN * HIDDEN * sizeof(float)), malloc(IN * HIDDEN * sizeof(float))};
    float *x = malloc(BATCH * IN * sizeof *x);
    int32_t labels[BATCH];
    dirac_context *context;
    dirac_net *net;
    dirac_session *session;
    dirac_sgd *sgd;
    uint32_t state = 1;
    for (int i = 0; i < BATCH * IN; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
    }
    for (int i = 0; i < BATCH; i++)
        labels[i] = i % OUT;
    OK(dirac_context_create(&context));
    OK(dirac_context_set_threads(context, threads));
    if (dirac_context_set_blas(context, blas) != DIRAC_OK) /* a build without it: nothing to compare */
        blas = 0;
    OK(dirac_net_create(&net, context));
    dirac_node *node = dirac_net_linear(net, dirac_net_input(net, IN), HIDDEN);
    dirac_node_set_int(node, "form", form);
    dirac_net_output(net, dirac_net_linear(net, dirac_net_relu(net, node), OUT));
    OK(dirac_net_build(net));
    vary(net, "linear.alpha");
    vary(net, "linear.beta");
    OK(dirac_session_create(&session, net, DIRAC_TRAIN));
    OK(dirac_session_set_batch(session, BATCH));
    OK(dirac_session_prepare(session));
    OK(dirac_sgd_create(&sgd, net));
    for (int step = 0; step < 3; step++) {
        OK(dirac_session_forward(session, x, BATCH));
        OK(dirac_session_cross_entropy(session, labels, NULL));
        OK(dirac_session_backward(session));
        if (step == 0)
            OK(dirac_session_gradient_read(session, "linear.weight", out.gradient, IN * HIDDEN));
        OK(dirac_sgd_step(sgd, session));
    }
    OK(dirac_net_tensor_read(net, "linear.weight", out.weight, IN * HIDDEN));
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    free(x);
    return out;
}

static void drop(outcome *o)
{
    free(o->weight);
    free(o->gradient);
}

static void test_threads(void **state)
{
    (void)state;
    outcome one = train(1, 1, DIRAC_FORM_PLAIN);
    for (int32_t threads = 2; threads <= 3; threads++) {
        outcome more = train(threads, 1, DIRAC_FORM_PLAIN);
        assert_memory_equal(one.weight, more.weight, IN * HIDDEN * sizeof(float));
        assert_memory_equal(one.gradient, more.gradient, IN * HIDDEN * sizeof(float));
        drop(&more);
    }
    drop(&one);
}

/* Both sum the same products in float, in another order: at most IN roundings of 2^-24 forward, which the small layers
 * behind pass on to the gradients; relative to the largest gradient. A ReLU that flips would show far above that. */
static void test_against_own(void **state)
{
    (void)state;
    for (int32_t form = DIRAC_FORM_PLAIN; form <= DIRAC_FORM_FIXED_DELTA; form++) {
        outcome with = train(1, 1, form), without = train(1, 0, form);
        double largest = 0, worst = 0;
        for (int i = 0; i < IN * HIDDEN; i++) {
            const double size = fabs((double)without.gradient[i]);
            const double off = fabs((double)with.gradient[i] - (double)without.gradient[i]);
            largest = size > largest ? size : largest; /* not fmax(): GCC 12 for arm64 falls over it */
            worst = off > worst ? off : worst;
        }
        assert_true(largest > 0);
        assert_true(worst <= IN * 0x1p-24 * largest);
        drop(&with);
        drop(&without);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_against_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
