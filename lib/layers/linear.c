/* SPDX-License-Identifier: MIT */
/*
 * Linear layer on vectors: y[n] = What x[n] + bias. It is a convolution whose spatial numbers are all 1 and runs on the
 * same kernels; in training, large products go to BLAS where there is one. Inference never does: the bits of a BLAS
 * product may change with the number of images, and an image's logits must not depend on its batch.
 */
#include <string.h>

#include "kernels/blas.h"
#include "layers/weights.h"

enum { CHANNELS, BIAS, FORM, COUNT };

static const dirac__attribute attributes[COUNT] = {
    [CHANNELS] = {"channels", DIRAC__INT, 1, DIRAC__MAX_DIMENSION, 1},
    [BIAS] = {"bias", DIRAC__INT, 0, 1, 1},
    [FORM] = {"form", DIRAC__INT, DIRAC_FORM_PLAIN, DIRAC_FORM_FIXED_DELTA, DIRAC_FORM_PLAIN},
};

static void describe(dirac__weights *w, const dirac__layer *layer, const dirac__shape *in,
                     int64_t n)
{
    w->form = (int32_t)dirac__int(layer, FORM);
    w->rank = 0;
    w->geometry = (dirac__convolution){
        .n = n,
        .groups = 1,
        .ci = in->c,
        .co = dirac__int(layer, CHANNELS),
        .in = {1, 1, 1},
        .out = {1, 1, 1},
        .kernel = {1, 1, 1},
        .stride = {1, 1, 1},
        .dilation = {1, 1, 1},
    };
    dirac__weights_complete(w, dirac__int(layer, BIAS) != 0);
}

/* ---- the BLAS path ---- */

/* Products of fewer multiply-adds than this are not worth a second way to compute them. */
#define BLAS_LEAST 16777216.0

/* `w` for n images; at plan time n is the batch, so that the scratch serves every smaller one. */
static bool blas_serves(const dirac__weights *w, bool training, bool blas)
{
    const dirac__convolution *g = &w->geometry;
    return training && blas && dirac__blas_fits(g->n, g->co, g->ci) &&
           (double)g->n * (double)g->ci * (double)g->co >= BLAS_LEAST;
}

static bool blas_room(size_t *bytes, const dirac__weights *w)
{
    *bytes = 0;
    return dirac__weights_coefficients_room(bytes, w) &&
           dirac__room(bytes, dirac__weights_count(w), sizeof(float));
}

/* What (co, ci): W itself in plain form, else made in scratch. */
static const float *effective(const dirac__pass *pass, const dirac__weights *w)
{
    const float *weight = pass->parameters[0];
    unsigned char *at = pass->scratch;
    const dirac__coefficients c = dirac__weights_coefficients(pass, w, &at);
    if (c.scale == NULL)
        return weight;
    const int64_t co = w->geometry.co, ci = w->geometry.ci;
    float *what = (float *)at;
    for (int64_t o = 0; o < co; o++) {
        for (int64_t i = 0; i < ci; i++)
            what[o * ci + i] = c.scale[o] * weight[o * ci + i];
        if (o < ci)
            what[o * ci + o] += c.delta[o];
    }
    return what;
}

/* y (n, co) = x (n, ci) What^T, onto rows that hold the bias already. */
static void forward_blas(const dirac__pass *pass, const dirac__weights *w)
{
    const dirac__convolution *g = &w->geometry;
    const size_t co = (size_t)g->co;
    const float *what = effective(pass, w);
    if (w->bias >= 0)
        for (int64_t n = 0; n < g->n; n++)
            memcpy(pass->y + (size_t)n * co, pass->parameters[w->bias], co * sizeof(float));
    dirac__sgemm(pass->y, pass->x[0], false, what, true, g->n, g->co, g->ci,
                 w->bias >= 0 ? 1.0f : 0.0f);
    if (pass->relu)
        pass->kernels->relu(pass->y, pass->y, (size_t)g->n * co, pass->team);
}

/* dx (n, ci) = dy (n, co) What and G (co, ci) = dy^T x. */
static void backward_blas(const dirac__pass *pass, const dirac__weights *w)
{
    const dirac__convolution *g = &w->geometry;
    if (pass->dx[0] != NULL)
        dirac__sgemm(pass->dx[0], pass->dy, false, effective(pass, w), false, g->n, g->ci, g->co,
                     0.0f);
    if (dirac__weights_trained(pass, w)) {
        float *gradient = pass->scratch;
        dirac__sgemm(gradient, pass->dy, true, pass->x[0], false, g->co, g->ci, g->n, 0.0f);
        dirac__weights_collect(pass, w, gradient, NULL);
    }
    dirac__weights_collect_bias(pass, w);
}

/* ---- the table ---- */

static int32_t plan(dirac__layer_plan *plan)
{
    const dirac__shape *in = &plan->in[0];
    char text[64];
    if (in->rank != 0)
        return dirac__fail(
            DIRAC_ERR_SHAPE,
            "layer \"%s\": a linear layer takes vectors, its input is %s; flatten or pool it first",
            plan->name, dirac__shape_text(text, in));
    dirac__weights w;
    describe(&w, plan->layer, in, plan->batch);
    plan->out = (dirac__shape){.c = w.geometry.co, .rank = 0, .size = {1, 1, 1}};
    int32_t status = dirac__weights_plan(plan, &w);
    if (status != DIRAC_OK || plan->batch == 0 || !blas_serves(&w, plan->training, plan->blas))
        return status;
    size_t room;
    if (!blas_room(&room, &w))
        return dirac__fail_room(plan, "computing it");
    if (plan->scratch < room)
        plan->scratch = room;
    return DIRAC_OK;
}

static int32_t parameters(const dirac__layer *layer, const dirac__shape *in,
                          dirac__parameter_list *list)
{
    dirac__weights w;
    describe(&w, layer, in, 1);
    dirac__weights_parameters(&w, list);
    return DIRAC_OK;
}

static void prepare(const dirac__pass *pass, void *prepared)
{
    dirac__weights w;
    describe(&w, pass->layer, &pass->in[0], 1);
    dirac__weights_prepare(pass, &w, prepared);
}

static int32_t forward(const dirac__pass *pass)
{
    dirac__weights w;
    describe(&w, pass->layer, &pass->in[0], pass->n);
    if (blas_serves(&w, pass->training, pass->blas))
        forward_blas(pass, &w);
    else
        dirac__weights_forward(pass, &w);
    return DIRAC_OK;
}

static int32_t backward(const dirac__pass *pass)
{
    dirac__weights w;
    describe(&w, pass->layer, &pass->in[0], pass->n);
    if (blas_serves(&w, pass->training, pass->blas))
        backward_blas(pass, &w);
    else
        dirac__weights_backward(pass, &w);
    return DIRAC_OK;
}

static void fold_attributes(const dirac__layer *layer, bool absorb, dirac__layer *folded)
{
    *folded = *layer;
    folded->values[FORM].i = DIRAC_FORM_PLAIN;
    if (absorb)
        folded->values[BIAS].i = 1;
}

static int32_t fold_parameters(const dirac__memory *memory, const dirac__layer *layer,
                               const dirac__shape *in, float *const *from,
                               const dirac__layer *folded, float *const *to, const double *s,
                               const double *t)
{
    dirac__weights w;
    describe(&w, layer, in, 1);
    return dirac__weights_fold(memory, &w, from, dirac__int(folded, BIAS) != 0, to, s, t);
}

const dirac__kind dirac__kind_linear = {
    .name = "linear",
    .attributes = attributes,
    .n_attributes = COUNT,
    .inputs = 1,
    .traits = DIRAC__ABSORBS_AFFINE | DIRAC__FUSES_RELU,
    .plan = plan,
    .parameters = parameters,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .describe = describe,
    .fold_attributes = fold_attributes,
    .fold_parameters = fold_parameters,
};
