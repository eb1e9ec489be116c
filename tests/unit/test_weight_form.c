/* SPDX-License-Identifier: MIT */
/*
 * The weight forms against their equations in double: What = diag(alpha) I + diag(beta) W/max(|W|, 1e-12). I comes from
 * its definition, conv(x, I) = x; the gradient is checked against the Jacobian of What written out. u = 2^-24.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirac/net.h>

#include "layers/weight_form.h"
#include "support/compare.h"

static const int32_t forms[] = {DIRAC_FORM_PLAIN, DIRAC_FORM_DELTA, DIRAC_FORM_NORMALIZED_DELTA,
                                DIRAC_FORM_FIXED_DELTA};

/* groups, co, ci, taps, centre */
static const dirac__weight_shape shapes[] = {
    {1, 1, 1, 1, 0},     {1, 3, 3, 9, 4},
    {1, 7, 3, 9, 4}, /* more filters than inputs: four have no one */
    {1, 2, 5, 9, 4},     {3, 4, 2, 3, 1},
    {4, 1, 1, 25, 12}, /* groups; depthwise */
    {1, 17, 17, 1, 0},   {1, 5, 5, 4, 3},
    {1, 64, 40, 27, 13}, /* linear; even kernel; several tasks */
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

typedef struct layer {
    dirac__weight_shape shape;
    int64_t filters, size;
    float *w, *g, *alpha, *beta;
    float *scale, *delta;
} layer;

static void layer_make(layer *l, const dirac__weight_shape *shape)
{
    *l = (layer){
        .shape = *shape, .filters = shape->groups * shape->co, .size = shape->ci * shape->taps};
    size_t filters = (size_t)l->filters, count = filters * (size_t)l->size;

    l->w = random_floats(count, 1, -1, 1);
    l->g = random_floats(count, 2, -1, 0.5);
    l->alpha = random_floats(filters, 3, 0.5, 2);
    l->beta = random_floats(filters, 4, -1, 1);
    l->scale = new_floats(filters);
    l->delta = new_floats(filters);
}

static void layer_free(layer *l)
{
    free(l->w);
    free(l->g);
    free(l->alpha);
    free(l->beta);
    free(l->scale);
    free(l->delta);
}

/* I[o]: the filter with which output o of its group is input o of it, where there is one. */
static double identity(const layer *l, int64_t o, int64_t i)
{
    int64_t input = i / l->shape.taps, tap = i % l->shape.taps;

    return input == o % l->shape.co && tap == l->shape.centre;
}

static double norm_of(const layer *l, int64_t o)
{
    double sum = 0;

    for (int64_t i = 0; i < l->size; i++)
        sum += (double)l->w[o * l->size + i] * (double)l->w[o * l->size + i];
    return sqrt(sum);
}

static double bounded(double norm)
{
    return norm < 1e-12 ? 1e-12 : norm;
}

static double twin_weight(const layer *l, int32_t form, int64_t o, int64_t i)
{
    double w = (double)l->w[o * l->size + i], one = identity(l, o, i);

    switch (form) {
    case DIRAC_FORM_DELTA:
        return (double)l->alpha[o] * one + w;
    case DIRAC_FORM_NORMALIZED_DELTA:
        return (double)l->alpha[o] * one + (double)l->beta[o] * w / bounded(norm_of(l, o));
    case DIRAC_FORM_FIXED_DELTA:
        return one + w;
    default:
        return w;
    }
}

/* scale and delta are rounded once each; the filter in double differs by the order of the norm's sum. */
static void check_weights(const layer *l, int32_t form, dirac__team *team)
{
    double *filter = new_doubles((size_t)l->size), *norm = new_doubles((size_t)l->filters);

    norm[0] = -1;
    dirac__form_coefficients(form, l->scale, l->delta, norm, l->w, l->alpha, l->beta, &l->shape,
                             team);
    if (form != DIRAC_FORM_NORMALIZED_DELTA)
        assert_true(norm[0] == -1);
    for (int64_t o = 0; o < l->filters; o++) {
        if (form == DIRAC_FORM_NORMALIZED_DELTA)
            assert_true(fabs(norm[o] - norm_of(l, o)) <= 1e-12 * norm[o]);
        dirac__form_filter(form, filter, o, l->w, l->alpha, l->beta, &l->shape);
        for (int64_t i = 0; i < l->size; i++) {
            double want = twin_weight(l, form, o, i), w = (double)l->w[o * l->size + i];
            double made = (double)l->scale[o] * w + (double)l->delta[o] * identity(l, o, i);
            double size = fabs((double)l->scale[o] * w) + fabs((double)l->delta[o]);

            assert_true(fabs(filter[i] - want) <= 1e-12 * (size + fabs(want)));
            assert_true(fabs(made - want) <= 1.01 * ROUNDING * size);
        }
    }
    free(filter);
    free(norm);
}

/* dL/dW_k = sum_i G_i dWhat_i/dW_k. Form 2: dWhat_i/dW_k = beta/|W| ((i == k) - W_i W_k/|W|^2). */
static double twin_dw(const layer *l, int32_t form, int64_t o, int64_t k, double *magnitude)
{
    const float *g = l->g + o * l->size, *w = l->w + o * l->size;
    double norm = norm_of(l, o), sum = 0;

    *magnitude = fabs((double)g[k]);
    if (form != DIRAC_FORM_NORMALIZED_DELTA)
        return (double)g[k];
    *magnitude = 0;
    for (int64_t i = 0; i < l->size; i++) {
        double own = i == k, along = norm < 1e-12 ? 0 : (double)w[i] / norm * (double)w[k] / norm;
        double slope = (double)l->beta[o] / bounded(norm) * (own - along);

        sum += (double)g[i] * slope;
        *magnitude += fabs((double)g[i] * slope);
    }
    return sum;
}

typedef struct gradients {
    size_t filters, count;
    float *dw, *dalpha, *dbeta;
} gradients;

static gradients gradients_make(const layer *l)
{
    size_t filters = (size_t)l->filters, count = filters * (size_t)l->size;
    gradients d = {filters, count, random_floats(count, 5, -1, 1), random_floats(filters, 6, -1, 1),
                   random_floats(filters, 7, -1, 1)};

    return d;
}

static void gradients_free(gradients *d)
{
    free(d->dw);
    free(d->dalpha);
    free(d->dbeta);
}

/* What the gradients d must be after the call; all were made in double and rounded twice: as a number, as the sum. */
static void check_gradients(const layer *l, int32_t form, const gradients *before,
                            const gradients *after)
{
    int has_alpha = form == DIRAC_FORM_DELTA || form == DIRAC_FORM_NORMALIZED_DELTA;

    for (int64_t o = 0; o < l->filters; o++) {
        double da = 0, db = 0;

        for (int64_t i = 0; i < l->size; i++) {
            double magnitude, dw = twin_dw(l, form, o, i, &magnitude),
                              g = (double)l->g[o * l->size + i];
            double want = (double)before->dw[o * l->size + i] + dw;

            da += has_alpha ? g * identity(l, o, i) : 0;
            if (form == DIRAC_FORM_NORMALIZED_DELTA)
                db += g * (double)l->w[o * l->size + i] / bounded(norm_of(l, o));
            assert_true(fabs((double)after->dw[o * l->size + i] - want) <=
                        ROUNDING * (fabs(dw) + fabs(want)) + 1e-12 * magnitude);
        }
        da += (double)before->dalpha[o];
        assert_true(fabs((double)after->dalpha[o] - da) <= ROUNDING * fabs(da));
        double want = db + (double)before->dbeta[o];
        assert_true(fabs((double)after->dbeta[o] - want) <=
                    1.01 * ROUNDING * (fabs(db) + fabs(want)) + 1e-12);
    }
}

/* Each may be left out, and the others stay what they are. */
static void check_optional(const layer *l, int32_t form, const gradients *full, dirac__team *team)
{
    gradients d = gradients_make(l);

    dirac__form_backward(form, NULL, NULL, NULL, l->g, l->w, NULL, l->beta, &l->shape, team);
    dirac__form_backward(form, d.dw, NULL, NULL, l->g, l->w, NULL, l->beta, &l->shape, team);
    check_bits("dw alone", d.dw, full->dw, d.count);
    dirac__form_backward(form, NULL, d.dalpha, NULL, l->g, l->w, NULL, l->beta, &l->shape, team);
    check_bits("dalpha alone", d.dalpha, full->dalpha, d.filters);
    dirac__form_backward(form, NULL, NULL, d.dbeta, l->g, l->w, NULL, l->beta, &l->shape, team);
    check_bits("dbeta alone", d.dbeta, full->dbeta, d.filters);
    gradients_free(&d);
}

static void check_layer(const layer *l, int32_t form)
{
    gradients before = gradients_make(l), first = gradients_make(l);

    for (int32_t lanes = 1; lanes <= 3; lanes++) {
        dirac__team *team = dirac__team_create(&dirac__default_memory, lanes, NULL, NULL);
        gradients d = gradients_make(l);

        assert_non_null(team);
        check_weights(l, form, team);
        dirac__form_backward(form, d.dw, d.dalpha, d.dbeta, l->g, l->w, NULL, l->beta, &l->shape, team);
        if (lanes == 1) {
            check_gradients(l, form, &before, &d);
            check_optional(l, form, &d, team);
            memcpy(first.dw, d.dw, d.count * sizeof *d.dw);
        }
        check_bits("dw with more lanes", d.dw, first.dw, d.count);
        gradients_free(&d);
        dirac__team_destroy(team);
    }
    gradients_free(&before);
    gradients_free(&first);
}

static void test_equations(void **state)
{
    (void)state;
    for (int i = 0; i < SHAPES; i++) {
        for (int f = 0; f < 4; f++) {
            layer l;

            layer_make(&l, &shapes[i]);
            check_layer(&l, forms[f]);
            layer_free(&l);
        }
    }
}

/* One filter of zeros, one of length below 1e-12, one just above, one large. */
static void test_lengths(void **state)
{
    static const float factors[] = {0, 1e-13f, 1e-9f, 1e15f};
    const dirac__weight_shape shape = {1, 4, 3, 9, 4};
    layer l;

    (void)state;
    layer_make(&l, &shape);
    for (int64_t i = 0; i < 4 * l.size; i++)
        l.w[i] *= factors[i / l.size];
    assert_true(norm_of(&l, 1) < 1e-12 && norm_of(&l, 2) > 1e-12);
    check_layer(&l, DIRAC_FORM_NORMALIZED_DELTA);
    layer_free(&l);
}

/* By hand, one filter W = (3, 4), |W| = 5, u = (.6, .8), alpha 2, beta 10, G = (1, 2): scale 2, delta 2, dalpha = G_0
 * = 1, <G, u> = 2.2, dW = 2 (G - 2.2 u) = 2 (1 - 1.32, 2 - 1.76) = (-.64, .48). */
static void test_by_hand(void **state)
{
    const dirac__weight_shape shape = {1, 1, 2, 1, 0};
    const float w[2] = {3, 4}, g[2] = {1, 2}, alpha = 2, beta = 10;
    float scale, delta, dw[2] = {0, 0}, dalpha = 0, dbeta = 0;
    double norm, filter[2];

    (void)state;
    dirac__form_coefficients(DIRAC_FORM_NORMALIZED_DELTA, &scale, &delta, &norm, w, &alpha, &beta,
                             &shape, NULL);
    assert_true(scale == 2 && delta == 2 && norm == 5);
    dirac__form_coefficients(DIRAC_FORM_FIXED_DELTA, &scale, &delta, NULL, w, NULL, NULL, &shape,
                             NULL);
    assert_true(scale == 1 && delta == 1);
    dirac__form_filter(DIRAC_FORM_NORMALIZED_DELTA, filter, 0, w, &alpha, &beta, &shape);
    assert_true(filter[0] == 8 && filter[1] == 8);
    dirac__form_backward(DIRAC_FORM_NORMALIZED_DELTA, dw, &dalpha, &dbeta, g, w, NULL, &beta, &shape,
                         NULL);
    assert_true(dalpha == 1 && dbeta == 2.2f);
    assert_true(fabs((double)dw[0] + 0.64) < 1e-7 && fabs((double)dw[1] - 0.48) < 1e-7);
}

/* A length that is not a number must be seen, not hidden by the bound. */
static void test_nan(void **state)
{
    const dirac__weight_shape shape = {1, 1, 2, 1, 0};
    const float w[2] = {NAN, 4}, alpha = 2, beta = 10;
    float scale, delta;

    (void)state;
    dirac__form_coefficients(DIRAC_FORM_NORMALIZED_DELTA, &scale, &delta, NULL, w, &alpha, &beta,
                             &shape, NULL);
    assert_true(isnan(scale));
}

static void test_parameters(void **state)
{
    static const bool alpha[] = {false, true, true, false}, beta[] = {false, false, true, false};

    (void)state;
    for (int f = 0; f < 4; f++) {
        assert_int_equal(dirac__form_has_alpha(forms[f]), alpha[f]);
        assert_int_equal(dirac__form_has_beta(forms[f]), beta[f]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equations),  cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_by_hand),    cmocka_unit_test(test_nan),
        cmocka_unit_test(test_parameters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
