/* SPDX-License-Identifier: MIT */
/*
 * Batch norm per channel: y = gamma (x - mean) rstd + beta, rstd = 1 / sqrt(var + eps), run as y = s x + t with
 * s = gamma rstd and t = beta - mean s. s and t are worked out in double and rounded once; what is left is the rounding
 * of s x, which is relative to |mean| s: channels whose mean is far larger than their deviation lose that many bits.
 */
#include <math.h>
#include <string.h>

#include "layers/planning.h"

/* FROZEN may change after build, between passes; a backward goes by what its forward saw. */
enum { EPSILON, MOMENTUM, FROZEN, COUNT };
enum { WEIGHT, BIAS, RUNNING_MEAN, RUNNING_VAR };

static const dirac__attribute attributes[COUNT] = {
    [EPSILON] = {"epsilon", DIRAC__FLOAT, 1.17549435e-38, 3.40282347e+38, 1e-5},
    [MOMENTUM] = {"momentum", DIRAC__FLOAT, 0, 1, 0.1},
    [FROZEN] = {"frozen", DIRAC__INT, 0, 1, 0},
};

/* What a training forward leaves for backward: which statistics it used; then the arrays of norm.h. */
static int32_t *fixed_of(const dirac__pass *pass)
{
    unsigned char *at = pass->saved;
    return dirac__take(&at, 1, sizeof(int32_t));
}

void dirac__batch_norm_cut(dirac__norm *norm, void *saved, int64_t c)
{
    unsigned char *at = saved;
    dirac__take(&at, 1, sizeof(int32_t));
    dirac__norm_cut(norm, at, (size_t)c);
}

static bool training_room(dirac__layer_plan *plan, size_t c)
{
    const int64_t rows = plan->batch * dirac__shape_positions(&plan->in[0]);
    return dirac__room(&plan->saved, 1, sizeof(int32_t)) && dirac__norm_room(&plan->saved, c) &&
           dirac__room(&plan->scratch, plan->kernels->channel_scratch(rows, (int64_t)c), sizeof(float));
}

static int32_t plan(dirac__layer_plan *plan)
{
    const size_t c = (size_t)plan->in[0].c;
    int32_t status = dirac__plan_same(plan);
    if (status != DIRAC_OK || plan->batch == 0)
        return status;
    plan->keeps_input = plan->training;
    bool fits = plan->training ? training_room(plan, c)
                               : dirac__room(&plan->prepared, c, sizeof(float)) &&
                                     dirac__room(&plan->prepared, c, sizeof(float));
    return fits ? DIRAC_OK : dirac__fail_room(plan, "computing it");
}

static dirac__parameter vector(const char *name, int64_t c, int32_t role, int32_t init, double a,
                               double b)
{
    return (dirac__parameter){.name = name,
                              .rank = 1,
                              .dims = {c},
                              .role = role,
                              .init = init,
                              .a = a,
                              .b = b,
                              .groups = 1};
}

static int32_t parameters(const dirac__layer *layer, const dirac__shape *in,
                          dirac__parameter_list *list)
{
    const int32_t trained = DIRAC_ROLE_TRAINED, state = DIRAC_ROLE_STATE;
    dirac__parameter *items = list->items;
    (void)layer;
    list->count = 4;
    items[WEIGHT] = vector("weight", in->c, trained, DIRAC_INIT_UNIFORM, 0, 1);
    items[BIAS] = vector("bias", in->c, trained, DIRAC_INIT_ZEROS, 0, 0);
    items[RUNNING_MEAN] = vector("running_mean", in->c, state, DIRAC_INIT_ZEROS, 0, 0);
    items[RUNNING_VAR] = vector("running_var", in->c, state, DIRAC_INIT_CONSTANT, 1, 0);
    return DIRAC_OK;
}

static double reciprocal_deviation(const dirac__layer *layer, float var)
{
    return 1.0 / sqrt((double)var + dirac__float(layer, EPSILON));
}

static void affine(const dirac__layer *layer, float *const *parameters_of, int64_t c, double *s,
                   double *t)
{
    for (int64_t i = 0; i < c; i++) {
        s[i] =
            parameters_of[WEIGHT][i] * reciprocal_deviation(layer, parameters_of[RUNNING_VAR][i]);
        t[i] = parameters_of[BIAS][i] - parameters_of[RUNNING_MEAN][i] * s[i];
    }
}

/* The same in single precision, from any statistics. */
static void coefficients(const dirac__pass *pass, float *s, float *t, const float *mean,
                         const float *var)
{
    for (int64_t i = 0; i < pass->in[0].c; i++) {
        const double scale =
            pass->parameters[WEIGHT][i] * reciprocal_deviation(pass->layer, var[i]);
        s[i] = (float)scale;
        t[i] = (float)(pass->parameters[BIAS][i] - mean[i] * scale);
    }
}

static void prepare(const dirac__pass *pass, void *prepared)
{
    unsigned char *at = prepared;
    float *s = dirac__take(&at, (size_t)pass->in[0].c, sizeof(float));
    float *t = dirac__take(&at, (size_t)pass->in[0].c, sizeof(float));
    coefficients(pass, s, t, pass->parameters[RUNNING_MEAN], pass->parameters[RUNNING_VAR]);
}

/* Composes state <- (1 - m) state + m batch after what earlier forwards left pending. */
static void leave_pending(const dirac__pass *pass, int32_t index, const float *batch, double factor)
{
    float *decay = pass->pending[2 * index], *addend = pass->pending[2 * index + 1];
    const double m = dirac__float(pass->layer, MOMENTUM);
    if (decay == NULL)
        return;
    for (int64_t i = 0; i < pass->in[0].c; i++) {
        decay[i] = (float)((1.0 - m) * decay[i]);
        addend[i] = (float)((1.0 - m) * addend[i] + m * (factor * batch[i]));
    }
}

static int32_t refuse_one_value(const dirac__pass *pass)
{
    char text[64];
    return dirac__fail(DIRAC_ERR_SHAPE,
                       "layer \"%s\": batch norm cannot train with one value a channel, its input is one image of %s; give "
                       "it more images or freeze it",
                       pass->name, dirac__shape_text(text, &pass->in[0]));
}

/* Mean and variance of the batch, unless the convolution before left them. */
static void take_moments(const dirac__pass *pass, int64_t rows)
{
    const dirac__norm *norm = pass->norm;
    if (!norm->gathered)
        pass->kernels->channel_moments(norm->mean, norm->var, pass->x[0], pass->scratch, rows, pass->in[0].c, pass->team);
    leave_pending(pass, RUNNING_MEAN, norm->mean, 1.0);
    leave_pending(pass, RUNNING_VAR, norm->var, (double)rows / (double)(rows - 1));
}

static int32_t forward_training(const dirac__pass *pass)
{
    const int64_t c = pass->in[0].c, rows = dirac__rows(pass);
    const dirac__norm *norm = pass->norm;
    const bool frozen = dirac__int(pass->layer, FROZEN) != 0;
    if (!frozen && rows == 1)
        return refuse_one_value(pass);
    *fixed_of(pass) = frozen;
    if (frozen) {
        memcpy(norm->mean, pass->parameters[RUNNING_MEAN], (size_t)c * sizeof(float));
        memcpy(norm->var, pass->parameters[RUNNING_VAR], (size_t)c * sizeof(float));
    } else {
        take_moments(pass, rows);
    }
    coefficients(pass, norm->scale, norm->shift, norm->mean, norm->var);
    for (int64_t i = 0; i < c; i++)
        norm->rstd[i] = (float)reciprocal_deviation(pass->layer, norm->var[i]);
    if (!norm->read)
        pass->kernels->channel_affine(pass->y, pass->x[0], norm->scale, norm->shift, pass->relu, rows, c, pass->team);
    return DIRAC_OK;
}

static int32_t forward(const dirac__pass *pass)
{
    if (pass->training)
        return forward_training(pass);
    const int64_t c = pass->in[0].c;
    unsigned char *at = (unsigned char *)(uintptr_t)pass->prepared;
    const float *s = dirac__take(&at, (size_t)c, sizeof(float));
    const float *t = dirac__take(&at, (size_t)c, sizeof(float));
    pass->kernels->channel_affine(pass->y, pass->x[0], s, t, pass->relu, dirac__rows(pass), c,
                                  pass->team);
    return DIRAC_OK;
}

/* dbeta = sum dy, dgamma = rstd sum dy (x - mean); added to what is there. */
static void add_gradients(const dirac__pass *pass)
{
    const dirac__norm *norm = pass->norm;
    float *weight = pass->gradients[WEIGHT], *bias = pass->gradients[BIAS];
    for (int64_t i = 0; i < pass->in[0].c; i++) {
        if (weight != NULL)
            weight[i] += (float)((double)norm->rstd[i] * (double)norm->product[i]);
        if (bias != NULL)
            bias[i] += norm->sum[i];
    }
}

/* dx = gamma rstd (dy - dbeta/m - xhat dgamma/m) as a dy + (b (x - mean) + t). With fixed statistics b = t = 0. */
static void find_correction(const dirac__pass *pass)
{
    const dirac__norm *norm = pass->norm;
    const double m = (double)dirac__rows(pass);
    const bool fixed = *fixed_of(pass) != 0;
    for (int64_t i = 0; i < pass->in[0].c; i++) {
        const double rstd = norm->rstd[i], scale = (double)pass->parameters[WEIGHT][i] * rstd;
        norm->a[i] = (float)scale;
        norm->b[i] = fixed ? 0 : (float)(-scale * rstd * rstd * (double)norm->product[i] / m);
        norm->t[i] = fixed ? 0 : (float)(-scale * (double)norm->sum[i] / m);
    }
}

static int32_t backward(const dirac__pass *pass)
{
    const int64_t c = pass->in[0].c, rows = dirac__rows(pass);
    const dirac__norm *norm = pass->norm;
    if (pass->dx[0] == NULL && pass->gradients[WEIGHT] == NULL && pass->gradients[BIAS] == NULL)
        return DIRAC_OK;
    if (!norm->read)
        pass->kernels->norm_sums(norm->sum, norm->product, pass->x[0], pass->dy, norm->mean, pass->scratch, rows, c,
                                 pass->team);
    add_gradients(pass);
    find_correction(pass);
    if (pass->dx[0] != NULL && !norm->corrected) {
        const dirac__correction correction = {pass->x[0], norm->a, norm->b, norm->mean, norm->t};
        pass->kernels->norm_correct(pass->dx[0], pass->dy, &correction, pass->scratch, rows, c, pass->team);
    }
    return DIRAC_OK;
}

const dirac__kind dirac__kind_batch_norm = {
    .name = "batch_norm",
    .attributes = attributes,
    .n_attributes = COUNT,
    .inputs = 1,
    .traits =
        DIRAC__CHANNEL_AFFINE | DIRAC__IN_PLACE | DIRAC__GRADIENT_IN_PLACE | DIRAC__FUSES_RELU | DIRAC__IS_NORM,
    .plan = plan,
    .parameters = parameters,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .affine = affine,
};
