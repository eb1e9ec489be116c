/* SPDX-License-Identifier: MIT */
/* Softmax cross-entropy against the formula in double: hard, smoothed, weighted and soft labels; value and gradient. */
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

enum { IMAGES = 6, CLASSES = 7 };

static const int32_t labels[IMAGES] = {0, 6, 3, 3, 1, 5};

typedef struct target {
    float smoothing;
    const float *weights;
    const float *soft; /* (IMAGES, CLASSES); NULL: hard labels */
} target;

static void build(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_relu(net, dirac_net_linear(net, dirac_net_input(net, 5), 9));
    dirac_net_output(net, dirac_net_dirac_linear(net, x, CLASSES));
}

/* -log softmax(z)[c] */
static double minus_log(const double *z, int64_t classes, int64_t c)
{
    double most = z[0], sum = 0;
    for (int64_t i = 1; i < classes; i++)
        most = fmax(most, z[i]);
    for (int64_t i = 0; i < classes; i++)
        sum += exp(z[i] - most);
    return most + log(sum) - z[c];
}

/* Hard: sum_n sum_c w[c] t[n,c] (-log p[c]) / sum_n w[y_n], t = (1 - e) on the label plus e / classes on each.
 * Soft: sum_n sum_c w[c] t[n,c] (-log p[c]) / n. */
static double loss(const twin *t, const void *user)
{
    const target *g = user;
    const twin_value *z = twin_output(t, 0);
    double sum = 0, divisor = 0;
    for (int64_t n = 0; n < t->n; n++) {
        for (int64_t c = 0; c < CLASSES; c++) {
            double part =
                g->smoothing / (double)CLASSES + (labels[n] == c ? 1.0 - g->smoothing : 0);
            if (g->soft)
                part = g->soft[n * CLASSES + c];
            sum += (g->weights ? g->weights[c] : 1) * part *
                   minus_log(z->data + n * CLASSES, CLASSES, c);
        }
        divisor += g->weights && !g->soft ? g->weights[labels[n]] : 1;
    }
    return sum / divisor;
}

static void apply(dirac_session *session, double want, const void *user)
{
    const target *g = user;
    float got = 0;
    OK(dirac_session_set_label_smoothing(session, g->smoothing));
    OK(dirac_session_set_class_weights(session, g->weights, g->weights ? CLASSES : 0));
    if (g->soft)
        OK(dirac_session_cross_entropy_soft(session, g->soft, &got));
    else
        OK(dirac_session_cross_entropy(session, labels, &got));
    assert_true(want > 0.1);
    /* The logits are off by their own rounding (some sums of 9 terms of size 1), the loss in double is not. */
    assert_true(fabs(got - want) <= 64 * 0x1p-24 * fmax(want, 1));
}

static void check(const char *what, const target *g)
{
    check_layer(&(layer_case){.what = what,
                              .build = build,
                              .user = g,
                              .n = IMAGES,
                              .loss = loss,
                              .apply = apply,
                              .low = -2,
                              .high = 2});
}

static const float weights[CLASSES] = {0.5f, 2, 1, 0, 3, 0.25f, 1.5f};

static void hard_labels(void **state)
{
    (void)state;
    check("hard labels", &(target){0});
    check("smoothed labels", &(target){.smoothing = 0.1f});
    check("all smoothed away", &(target){.smoothing = 1});
    check("weighted classes", &(target){.weights = weights});
    check("weighted and smoothed", &(target){.weights = weights, .smoothing = 0.25f});
}

static void soft_labels(void **state)
{
    float soft[IMAGES * CLASSES];
    (void)state;
    for (int n = 0; n < IMAGES; n++) {
        double sum = 0;
        for (int c = 0; c < CLASSES; c++)
            sum += layer_uniform(1, "soft", (size_t)(n * CLASSES + c), 0.1, 1);
        for (int c = 0; c < CLASSES; c++)
            soft[n * CLASSES + c] =
                (float)(layer_uniform(1, "soft", (size_t)(n * CLASSES + c), 0.1, 1) / sum);
    }
    check("soft labels", &(target){.soft = soft});
    check("soft labels, weighted classes", &(target){.soft = soft, .weights = weights});
    /* They need not sum to 1. */
    for (int i = 0; i < IMAGES * CLASSES; i++)
        soft[i] *= 1 + (float)(i / CLASSES);
    check("soft labels of unlike sums", &(target){.soft = soft});
}

/* ---- logits far apart: by hand --------------------------------------------------------------- */

static double loss_of_logits(const float *z, int64_t classes, int32_t label, float *gradient)
{
    dirac_context *context = NULL;
    dirac_net *net = NULL;
    dirac_session *session = NULL;
    const float *dz;
    float got = -1;
    OK(dirac_context_create(&context));
    OK(dirac_net_create(&net, context));
    dirac_net_output(net, dirac_net_flatten(net, dirac_net_input(net, classes)));
    OK(dirac_net_build(net));
    OK(dirac_session_create(&session, net, DIRAC_TRAIN));
    OK(dirac_session_set_input_gradients(session, 1));
    OK(dirac_session_prepare(session));
    OK(dirac_session_forward(session, z, 1));
    OK(dirac_session_cross_entropy(session, &label, &got));
    OK(dirac_session_backward(session));
    OK(dirac_session_input_gradient(session, 0, &dz, NULL));
    memcpy(gradient, dz, (size_t)classes * sizeof *dz);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    return got;
}

static void logits_far_apart(void **state)
{
    const float z[3] = {10000, -10000, 9999};
    const double e = exp(-1.0);
    float dz[3];
    (void)state;
    const double far = 20000 + log(1 + e);
    assert_true(fabs(loss_of_logits(z, 3, 1, dz) - far) <= 0x1p-24 * far);
    const double want[3] = {1 / (1 + e), -1, e / (1 + e)};
    layer_close("far apart", "dz", dz, want, 3, 0x1p-24);
    assert_true(fabs(loss_of_logits(z, 3, 0, dz) - log(1 + e)) < 0x1p-24);
}

static void one_class(void **state)
{
    const float z[1] = {3};
    float dz[1];
    (void)state;
    assert_true(loss_of_logits(z, 1, 0, dz) == 0 && dz[0] == 0);
}

static void not_finite_is_returned(void **state)
{
    const float z[2] = {NAN, 0};
    float dz[2];
    (void)state;
    assert_true(isnan(loss_of_logits(z, 2, 0, dz)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hard_labels),
        cmocka_unit_test(soft_labels),
        cmocka_unit_test(logits_far_apart),
        cmocka_unit_test(one_class),
        cmocka_unit_test(not_finite_is_returned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
