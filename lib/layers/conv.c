/* SPDX-License-Identifier: MIT */
/* Convolution of 1, 2 or 3 dimensions: y[n,o,p] = bias[o] + sum_{i,t} x[n, i, p stride - padding + t dilation] What[o,i,t]. */
#include <inttypes.h>

#include "layers/weights.h"

enum { CHANNELS, KERNEL, STRIDE, DILATION, PADDING, GROUPS, BIAS, FORM, COUNT };

static const dirac__attribute attributes[COUNT] = {
    [CHANNELS] = {"channels", DIRAC__INT, 1, DIRAC__MAX_DIMENSION, 1},
    [KERNEL] = {"kernel", DIRAC__INTS, 1, 1024, 1},
    [STRIDE] = {"stride", DIRAC__INTS, 1, 1024, 1},
    [DILATION] = {"dilation", DIRAC__INTS, 1, 1024, 1},
    [PADDING] = {"padding", DIRAC__INTS, -1, 1024, -1},
    [GROUPS] = {"groups", DIRAC__INT, 1, DIRAC__MAX_DIMENSION, 1},
    [BIAS] = {"bias", DIRAC__INT, 0, 1, 0},
    [FORM] = {"form", DIRAC__INT, DIRAC_FORM_PLAIN, DIRAC_FORM_FIXED_DELTA, DIRAC_FORM_PLAIN},
};
_Static_assert(COUNT <= DIRAC__MAX_ATTRIBUTES, "a layer has room for its attributes");

/* One dimension: padding -1 is "same", dilation (k/2) before and dilation (k - 1 - k/2) after. An output of 0 means that
 * the window does not fit. */
static void describe_dimension(dirac__convolution *g, const dirac__layer *layer, int i)
{
    const int64_t k = layer->values[KERNEL].v[i], dilation = layer->values[DILATION].v[i];
    const int64_t padding = layer->values[PADDING].v[i];
    const int64_t after = padding >= 0 ? padding : dilation * (k - 1 - k / 2);
    g->kernel[i] = k;
    g->dilation[i] = dilation;
    g->stride[i] = layer->values[STRIDE].v[i];
    g->before[i] = padding >= 0 ? padding : dilation * (k / 2);
    const int64_t room = g->in[i] + g->before[i] + after - dilation * (k - 1) - 1;
    g->out[i] = room < 0 ? 0 : room / g->stride[i] + 1;
}

static void describe(dirac__weights *w, const dirac__layer *layer, const dirac__shape *in,
                     int64_t n)
{
    dirac__convolution *g = &w->geometry;
    w->form = (int32_t)dirac__int(layer, FORM);
    w->rank = layer->rank;
    g->n = n;
    g->groups = dirac__int(layer, GROUPS);
    g->ci = in->c / g->groups;
    g->co = dirac__int(layer, CHANNELS) / g->groups;
    for (int i = 0; i < 3; i++) {
        g->in[i] = in->size[i];
        describe_dimension(g, layer, i);
    }
    dirac__weights_complete(w, dirac__int(layer, BIAS) != 0);
}

static int32_t check_window(const dirac__layer_plan *plan, const dirac__convolution *g)
{
    const int32_t rank = plan->layer->rank;
    char input[64], window[64];
    int64_t extent[3];
    bool fits = true;
    for (int i = 0; i < 3; i++) {
        extent[i] = g->dilation[i] * (g->kernel[i] - 1) + 1;
        fits = fits && g->out[i] > 0;
    }
    if (fits)
        return DIRAC_OK;
    return dirac__fail(
        DIRAC_ERR_SHAPE,
        "layer \"%s\": its kernel spans %s, more than its input %s with padding; each must fit",
        plan->name, dirac__sizes_text(window, extent, rank),
        dirac__shape_text(input, &plan->in[0]));
}

static int32_t plan(dirac__layer_plan *plan)
{
    const dirac__shape *in = &plan->in[0];
    const int64_t groups = dirac__int(plan->layer, GROUPS),
                  channels = dirac__int(plan->layer, CHANNELS);
    char text[64];
    int32_t status = dirac__check_rank(plan, "a convolution");
    if (status != DIRAC_OK)
        return status;
    if (in->c % groups != 0 || channels % groups != 0)
        return dirac__fail(DIRAC_ERR_SHAPE,
                           "layer \"%s\": attribute \"groups\" is %" PRId64
                           "; it must divide the channels of its input %s"
                           " and its own %" PRId64 " channels",
                           plan->name, groups, dirac__shape_text(text, in), channels);
    dirac__weights w;
    describe(&w, plan->layer, in, plan->batch);
    status = check_window(plan, &w.geometry);
    if (status != DIRAC_OK)
        return status;
    plan->out = (dirac__shape){.c = channels,
                               .rank = in->rank,
                               .size = {w.geometry.out[0], w.geometry.out[1], w.geometry.out[2]}};
    return dirac__weights_plan(plan, &w);
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
    dirac__weights_forward(pass, &w);
    return DIRAC_OK;
}

static int32_t backward(const dirac__pass *pass)
{
    dirac__weights w;
    describe(&w, pass->layer, &pass->in[0], pass->n);
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

const dirac__kind dirac__kind_conv = {
    .name = "conv",
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
