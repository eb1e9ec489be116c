/* SPDX-License-Identifier: MIT */
/*
 * The passes of layers with weights. In training What is packed for the kernels in every pass, into scratch: kept for
 * all layers, packed weights would cost as much as the parameters again; or it is left to kernels that take it unpacked. Its
 * coefficients, one number a filter, are kept from forward to backward. In inference weights are packed once a version, or,
 * lean, as in training.
 */
#include "layers/weights.h"

#include <inttypes.h>

#include "layers/algorithm.h"

/* ---- description ---- */

void dirac__weights_complete(dirac__weights *w, bool bias)
{
    const dirac__convolution *g = &w->geometry;
    int32_t next = 1;
    w->alpha = dirac__form_has_alpha(w->form) ? next++ : -1;
    w->beta = dirac__form_has_beta(w->form) ? next++ : -1;
    w->bias = bias ? next : -1;
    w->shape = (dirac__weight_shape){
        .groups = g->groups,
        .co = g->co,
        .ci = g->ci,
        .taps = g->kernel[0] * g->kernel[1] * g->kernel[2],
        .centre =
            (g->kernel[0] / 2 * g->kernel[1] + g->kernel[1] / 2) * g->kernel[2] + g->kernel[2] / 2,
    };
}

size_t dirac__weights_count(const dirac__weights *w)
{
    return (size_t)(w->shape.groups * w->shape.co * w->shape.ci * w->shape.taps);
}

static size_t channels_out(const dirac__weights *w)
{
    return (size_t)(w->shape.groups * w->shape.co);
}

static size_t rows_out(const dirac__weights *w)
{
    const dirac__convolution *g = &w->geometry;
    return (size_t)(g->n * g->out[0] * g->out[1] * g->out[2]);
}

static dirac__parameter vector(const dirac__weights *w, const char *name, int32_t init, double a)
{
    return (dirac__parameter){.name = name,
                              .rank = 1,
                              .dims = {(int64_t)channels_out(w)},
                              .role = DIRAC_ROLE_TRAINED,
                              .init = init,
                              .a = a,
                              .groups = 1};
}

void dirac__weights_parameters(const dirac__weights *w, dirac__parameter_list *list)
{
    dirac__parameter weight = {.name = "weight",
                               .rank = 2 + w->rank,
                               .dims = {(int64_t)channels_out(w), w->shape.ci},
                               .role = DIRAC_ROLE_TRAINED,
                               .decay = true,
                               .init = DIRAC_INIT_KAIMING_NORMAL,
                               .a = 1.4142135623730951,
                               .groups = w->shape.groups};
    for (int32_t i = 0; i < w->rank; i++)
        weight.dims[2 + i] = w->geometry.kernel[3 - w->rank + i];
    list->count = 0;
    list->items[list->count++] = weight;
    if (w->alpha >= 0)
        list->items[list->count++] = vector(w, "alpha", DIRAC_INIT_CONSTANT, 1.0);
    if (w->beta >= 0)
        list->items[list->count++] = vector(w, "beta", DIRAC_INIT_CONSTANT, 0.1);
    if (w->bias >= 0)
        list->items[list->count++] = vector(w, "bias", DIRAC_INIT_ZEROS, 0.0);
}

/* ---- plan ---- */

bool dirac__weights_coefficients_room(size_t *bytes, const dirac__weights *w)
{
    const size_t o = channels_out(w);
    return w->form == DIRAC_FORM_PLAIN ||
           (dirac__room(bytes, o, sizeof(float)) && dirac__room(bytes, o, sizeof(float)) &&
            dirac__room(bytes, o, sizeof(double)));
}

static size_t largest(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t packed_once(dirac__algorithm a, const dirac__convolution *g, bool transposed)
{
    return a.takes_unpacked ? 0 : dirac__algorithm_packed(a, g, transposed);
}

/* The phases of training run one after the other in the same scratch. */
static bool training_room(size_t *scratch, const dirac__layer_plan *plan, const dirac__weights *w)
{
    const dirac__kernels *k = plan->kernels;
    const dirac__convolution *g = &w->geometry;
    const dirac__algorithm a = dirac__algorithm_choose(k, g, plan->strict);
    const size_t product = dirac__algorithm_scratch(a, g, a.takes_unpacked, plan->lanes);
    const size_t o = channels_out(w);
    size_t forward = 0, data = 0, weight = 0, bias = 0;
    bool fits =
        dirac__room(&forward, packed_once(a, g, false), sizeof(float)) &&
        dirac__room(&forward, product, sizeof(float)) &&
        dirac__room(&data, packed_once(a, g, true), sizeof(float)) &&
        dirac__room(&data, product, sizeof(float)) &&
        dirac__room(&weight, dirac__weights_count(w), sizeof(float)) &&
        dirac__room(&weight, dirac__algorithm_weight_scratch(a, g, plan->lanes), sizeof(float)) &&
        dirac__room(&bias, o, sizeof(float)) &&
        dirac__room(&bias, k->channel_scratch((int64_t)rows_out(w), (int64_t)o), sizeof(float));
    *scratch = largest(largest(forward, data), largest(weight, w->bias >= 0 || dirac__algorithm_joins_norms(a) ? bias : 0));
    return fits;
}

static int32_t plan_memory(dirac__layer_plan *plan, const dirac__weights *w)
{
    bool fits = true;
    if (plan->training) {
        plan->keeps_input = true;
        plan->joins_norms = dirac__algorithm_joins_norms(
            dirac__algorithm_choose(plan->kernels, &w->geometry, plan->strict));
        fits = training_room(&plan->scratch, plan, w) && dirac__weights_coefficients_room(&plan->saved, w);
    } else {
        /* the coefficients only live while weights are packed; they are few */
        const dirac__kernels *k = plan->kernels;
        const dirac__algorithm a = dirac__algorithm_choose(k, &w->geometry, plan->strict);
        dirac__convolution pass = w->geometry;
        pass.n = plan->images;
        const bool unpacked = plan->lean && a.takes_unpacked;
        size_t *packed = plan->lean ? &plan->scratch : &plan->prepared;
        fits = dirac__room(packed, unpacked ? 0 : dirac__algorithm_packed(a, &pass, false), sizeof(float)) &&
               dirac__weights_coefficients_room(packed, w) &&
               dirac__room(&plan->scratch, dirac__algorithm_scratch(a, &pass, unpacked, plan->lanes), sizeof(float));
    }
    return fits ? DIRAC_OK : dirac__fail_room(plan, "computing it");
}

int32_t dirac__weights_plan(dirac__layer_plan *plan, const dirac__weights *w)
{
    const dirac__convolution *g = &w->geometry;
    size_t filter = 0, count = 0, cost = 0;
    bool fits = dirac__multiply((size_t)g->ci, (size_t)w->shape.taps, &filter) &&
                dirac__multiply(filter, channels_out(w), &count) && count <= DIRAC__MAX_COUNT;
    if (!fits)
        return dirac__fail_room(plan, "its weight");
    int32_t status = dirac__check_output(plan);
    if (status != DIRAC_OK)
        return status;
    const bool counted = dirac__multiply(filter, (size_t)dirac__shape_count(&plan->out), &cost);
    const uint64_t wide = cost; /* size_t may have 32 bits */
    if (!counted || wide > INT64_MAX)
        return dirac__fail(DIRAC_ERR_LIMIT,
                           "layer \"%s\": one image takes more than %" PRId64 " multiply-adds",
                           plan->name, INT64_MAX);
    plan->multiply_adds = (int64_t)cost;
    return plan->batch > 0 ? plan_memory(plan, w) : DIRAC_OK;
}

/* ---- forward ---- */

/* The plan's choice, whatever n this call has. */
static dirac__algorithm choose(const dirac__pass *pass, const dirac__weights *w)
{
    dirac__convolution planned = w->geometry;
    planned.n = pass->batch;
    return dirac__algorithm_choose(pass->kernels, &planned, pass->strict);
}

static dirac__coefficients cut_coefficients(const dirac__weights *w, unsigned char **at)
{
    dirac__coefficients c = {NULL, NULL, NULL};
    if (w->form == DIRAC_FORM_PLAIN)
        return c;
    const size_t o = channels_out(w);
    c.scale = dirac__take(at, o, sizeof(float));
    c.delta = dirac__take(at, o, sizeof(float));
    c.norm = dirac__take(at, o, sizeof(double));
    return c;
}

dirac__coefficients dirac__weights_coefficients(const dirac__pass *pass, const dirac__weights *w,
                                                unsigned char **at)
{
    const dirac__coefficients c = cut_coefficients(w, at);
    if (c.scale != NULL)
        dirac__form_coefficients(w->form, c.scale, c.delta, c.norm, pass->parameters[0],
                                 w->alpha >= 0 ? pass->parameters[w->alpha] : NULL,
                                 w->beta >= 0 ? pass->parameters[w->beta] : NULL, &w->shape, pass->team);
    return c;
}

/* Those that a training forward left. */
static dirac__coefficients saved_coefficients(const dirac__pass *pass, const dirac__weights *w)
{
    unsigned char *at = pass->saved;
    return cut_coefficients(w, &at);
}

/* The coefficients, which nobody needs later, behind the packed weights. */
void dirac__weights_prepare(const dirac__pass *pass, const dirac__weights *w, void *prepared)
{
    const dirac__algorithm a = choose(pass, w);
    unsigned char *at = prepared;
    float *packed = dirac__take(&at, dirac__algorithm_packed(a, &w->geometry, false), sizeof(float));
    const dirac__coefficients c = dirac__weights_coefficients(pass, w, &at);
    dirac__algorithm_pack(a, packed, pass->parameters[0], c.scale, c.delta, &w->geometry, false, pass->team);
}

/* What of one pass: packed at *at, or as it is. */
static dirac__filters filters_once(const dirac__pass *pass, const dirac__weights *w, dirac__algorithm a,
                                   const dirac__coefficients *c, bool transposed, unsigned char **at)
{
    dirac__filters filters = {NULL, pass->parameters[0], c->scale, c->delta};
    if (!a.takes_unpacked) {
        float *packed = dirac__take(at, dirac__algorithm_packed(a, &w->geometry, transposed), sizeof(float));
        dirac__algorithm_pack(a, packed, pass->parameters[0], c->scale, c->delta, &w->geometry, transposed, pass->team);
        filters.packed = packed;
    }
    return filters;
}

/* What x is read through, where a batch norm and its ReLU stand before. */
static dirac__activation activation_of(const dirac__pass *pass)
{
    return pass->before == NULL ? (dirac__activation){NULL, NULL}
                                : (dirac__activation){pass->before->scale, pass->before->shift};
}

void dirac__weights_forward(const dirac__pass *pass, const dirac__weights *w)
{
    const dirac__algorithm a = choose(pass, w);
    dirac__filters filters = {.packed = pass->prepared};
    unsigned char *at = pass->scratch, *saved = pass->saved;
    if (filters.packed == NULL) { /* in training, and in lean inference, which keeps no coefficients either */
        const dirac__coefficients c = dirac__weights_coefficients(pass, w, pass->training ? &saved : &at);
        filters = filters_once(pass, w, a, &c, false, &at);
    }
    const dirac__activation activation = activation_of(pass);
    const dirac__moments moments = {pass->behind != NULL ? pass->behind->mean : NULL,
                                    pass->behind != NULL ? pass->behind->var : NULL};
    dirac__algorithm_forward(a, pass->y, pass->x[0], pass->before != NULL ? &activation : NULL, &filters,
               w->bias >= 0 ? pass->parameters[w->bias] : NULL, pass->relu,
               pass->behind != NULL && pass->behind->gathered ? &moments : NULL, (float *)at, &w->geometry, pass->team);
}

/* ---- backward ---- */

static float *gradient(const dirac__pass *pass, int32_t index)
{
    return index >= 0 ? pass->gradients[index] : NULL;
}

bool dirac__weights_trained(const dirac__pass *pass, const dirac__weights *w)
{
    return gradient(pass, 0) != NULL || gradient(pass, w->alpha) != NULL ||
           gradient(pass, w->beta) != NULL;
}

void dirac__weights_collect(const dirac__pass *pass, const dirac__weights *w, const float *g, const double *norm)
{
    dirac__form_backward(w->form, gradient(pass, 0), gradient(pass, w->alpha),
                         gradient(pass, w->beta), g, pass->parameters[0], norm,
                         w->beta >= 0 ? pass->parameters[w->beta] : NULL, &w->shape, pass->team);
}

void dirac__weights_collect_bias(const dirac__pass *pass, const dirac__weights *w)
{
    float *dbias = gradient(pass, w->bias);
    if (dbias == NULL)
        return;
    const size_t o = channels_out(w);
    unsigned char *at = pass->scratch;
    float *sum = dirac__take(&at, o, sizeof(float));
    pass->kernels->channel_sum(sum, pass->dy, (float *)at, (int64_t)rows_out(w), (int64_t)o,
                               pass->team);
    pass->kernels->add(dbias, dbias, sum, o, pass->team);
}

static void backward_data(const dirac__pass *pass, const dirac__weights *w)
{
    unsigned char *at = pass->scratch;
    const dirac__coefficients c = saved_coefficients(pass, w);
    const dirac__algorithm a = choose(pass, w);
    const dirac__filters filters = filters_once(pass, w, a, &c, true, &at);
    const dirac__norm *n = pass->before;
    dirac__mask mask;
    if (n != NULL)
        mask = (dirac__mask){pass->x[0], n->scale, n->shift, n->mean, n->sum, n->product};
    dirac__algorithm_backward_data(a, pass->dx[0], pass->dy, &filters, n != NULL ? &mask : NULL, (float *)at, &w->geometry,
                     pass->team);
}

/* What is left to do to dy, if a batch norm behind leaves it to this layer; which then is the only one to use dy. */
static const dirac__correction *correction_of(const dirac__pass *pass, dirac__correction *room)
{
    const dirac__norm *n = pass->behind;
    if (n == NULL || !n->corrected)
        return NULL;
    *room = (dirac__correction){pass->y, n->a, n->b, n->mean, n->t};
    return room;
}

static void backward_weight(const dirac__pass *pass, const dirac__weights *w, const dirac__correction *correction)
{
    unsigned char *at = pass->scratch;
    const dirac__activation activation = activation_of(pass);
    float *g = dirac__take(&at, dirac__weights_count(w), sizeof(float));
    dirac__algorithm_backward_weight(choose(pass, w), g, pass->x[0], pass->before != NULL ? &activation : NULL, pass->dy,
                                     correction, (float *)at, &w->geometry, pass->team);
    dirac__weights_collect(pass, w, g, saved_coefficients(pass, w).norm);
}

/* The weights first: they correct dy on the way. */
void dirac__weights_backward(const dirac__pass *pass, const dirac__weights *w)
{
    dirac__correction room;
    const dirac__correction *correction = correction_of(pass, &room);
    if (dirac__weights_trained(pass, w))
        backward_weight(pass, w, correction);
    else if (correction != NULL)
        pass->kernels->norm_correct(pass->dy, pass->dy, correction, pass->scratch, (int64_t)rows_out(w),
                                    (int64_t)channels_out(w), pass->team);
    if (pass->dx[0] != NULL)
        backward_data(pass, w);
    dirac__weights_collect_bias(pass, w);
}

/* ---- fold ---- */

int32_t dirac__weights_fold(const dirac__memory *memory, const dirac__weights *w,
                            float *const *from, bool bias, float *const *to, const double *s,
                            const double *t)
{
    const size_t o = channels_out(w), filter = dirac__weights_count(w) / o;
    double *row = dirac__alloc(memory, filter * sizeof *row);
    if (row == NULL)
        return dirac__fail_memory("a folded filter");
    for (size_t i = 0; i < o; i++) {
        dirac__form_filter(w->form, row, (int64_t)i, from[0], w->alpha >= 0 ? from[w->alpha] : NULL,
                           w->beta >= 0 ? from[w->beta] : NULL, &w->shape);
        const double scale = s != NULL ? s[i] : 1.0;
        for (size_t j = 0; j < filter; j++)
            to[0][i * filter + j] = (float)(scale * row[j]);
        if (bias)
            to[1][i] = (float)(scale * (w->bias >= 0 ? (double)from[w->bias][i] : 0.0) +
                               (t != NULL ? t[i] : 0.0));
    }
    dirac__free(memory, row);
    return DIRAC_OK;
}
