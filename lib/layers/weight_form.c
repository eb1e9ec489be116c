/* SPDX-License-Identifier: MIT */
/*
 * The weight forms: What[o] = scale[o] W[o] + delta[o] I[o], filter by filter, and the gradients through it.
 *
 *     plain  What = W       delta  What = diag(alpha) I + W       fixed delta  What = I + W
 *     normalised delta      What = diag(alpha) I + diag(beta) u,  u = W / max(|W|, 1e-12) per filter
 *
 * For the last: dalpha = G at the delta, dbeta = <G, u>, dW = (beta/|W|) (G - u <u, G>). Below 1e-12 the divisor is a
 * constant and dW = (beta/1e-12) G. Sums over a filter are in double.
 */
#include "layers/weight_form.h"

#include <math.h>

#include <dirac/net.h>

enum {
    PARTIAL = 8,        /* sums that run side by side, to fill vector registers in a fixed order */
    TASK_FLOATS = 16384 /* weights that one task reads */
};

static const double least_norm = 1e-12;

typedef struct form_job {
    int32_t form;
    float *scale, *delta; /* coefficients */
    double *norm;
    float *dw, *dalpha, *dbeta; /* backward */
    const float *g, *w, *alpha, *beta;
    const dirac__weight_shape *shape;
    dirac__task filter; /* works on one filter, as task number */
    int64_t per_task;
} form_job;

bool dirac__form_has_alpha(int32_t form)
{
    return form == DIRAC_FORM_DELTA || form == DIRAC_FORM_NORMALIZED_DELTA;
}

bool dirac__form_has_beta(int32_t form)
{
    return form == DIRAC_FORM_NORMALIZED_DELTA;
}

static int64_t filter_size(const dirac__weight_shape *shape)
{
    return shape->ci * shape->taps;
}

/* Where filter o has its one, within the filter; -1 if it has none. */
static int64_t delta_place(const dirac__weight_shape *shape, int64_t o)
{
    int64_t input = o % shape->co;

    return input < shape->ci ? input * shape->taps + shape->centre : -1;
}

/* <a, b> */
static double inner(const float *a, const float *b, int64_t count)
{
    double partial[PARTIAL] = {0}, sum = 0;
    int64_t i = 0;

    for (; i + PARTIAL <= count; i += PARTIAL)
        for (int64_t j = 0; j < PARTIAL; j++)
            partial[j] += (double)a[i + j] * (double)b[i + j];
    for (int64_t j = 0; i + j < count; j++)
        partial[j] += (double)a[i + j] * (double)b[i + j];
    for (int64_t j = 0; j < PARTIAL; j++)
        sum += partial[j];
    return sum;
}

static double filter_norm(const form_job *job, int64_t o)
{
    int64_t size = filter_size(job->shape);

    return sqrt(inner(job->w + o * size, job->w + o * size, size));
}

/* max(norm, 1e-12), and NaN stays */
static double divisor(double norm)
{
    return norm < least_norm ? least_norm : norm;
}

static void run_task(void *argument, int64_t task, int32_t lane)
{
    form_job *job = argument;
    int64_t first = task * job->per_task;
    int64_t filters = job->shape->groups * job->shape->co;

    for (int64_t o = first; o < filters && o < first + job->per_task; o++)
        job->filter(job, o, lane);
}

static void run_filters(form_job *job, dirac__task filter, dirac__team *team)
{
    int64_t size = filter_size(job->shape), filters = job->shape->groups * job->shape->co;

    job->filter = filter;
    job->per_task = size < TASK_FLOATS ? TASK_FLOATS / size : 1;
    dirac__team_run(team, (filters + job->per_task - 1) / job->per_task, run_task, job);
}

/* ---- forward ---- */

static double filter_delta(const form_job *job, int64_t o)
{
    if (job->form == DIRAC_FORM_PLAIN || delta_place(job->shape, o) < 0)
        return 0;
    return job->form == DIRAC_FORM_FIXED_DELTA ? 1 : (double)job->alpha[o];
}

static void filter_coefficients(void *argument, int64_t o, int32_t lane)
{
    const form_job *job = argument;

    (void)lane;
    job->scale[o] = 1;
    job->delta[o] = (float)filter_delta(job, o);
    if (job->form == DIRAC_FORM_NORMALIZED_DELTA) {
        double norm = filter_norm(job, o);

        if (job->norm)
            job->norm[o] = norm;
        job->scale[o] = (float)((double)job->beta[o] / divisor(norm));
    }
}

void dirac__form_coefficients(int32_t form, float *scale, float *delta, double *norm,
                              const float *w, const float *alpha, const float *beta,
                              const dirac__weight_shape *shape, dirac__team *team)
{
    form_job job = {.form = form,
                    .scale = scale,
                    .delta = delta,
                    .norm = norm,
                    .w = w,
                    .alpha = alpha,
                    .beta = beta,
                    .shape = shape};

    run_filters(&job, filter_coefficients, team);
}

void dirac__form_filter(int32_t form, double *out, int64_t o, const float *w, const float *alpha,
                        const float *beta, const dirac__weight_shape *shape)
{
    form_job job = {.form = form, .w = w, .alpha = alpha, .beta = beta, .shape = shape};
    int64_t size = filter_size(shape), place = delta_place(shape, o);
    double scale = 1;

    if (form == DIRAC_FORM_NORMALIZED_DELTA)
        scale = (double)beta[o] / divisor(filter_norm(&job, o));
    for (int64_t i = 0; i < size; i++)
        out[i] = scale * (double)w[o * size + i];
    if (place >= 0)
        out[place] += filter_delta(&job, o);
}

dirac__filter dirac__form_measure(int32_t form, int64_t o, const float *w, const float *alpha, const float *beta,
                                  const dirac__weight_shape *shape)
{
    form_job job = {.form = form, .w = w, .alpha = alpha, .shape = shape};
    dirac__filter f = {.identity = form != DIRAC_FORM_PLAIN && delta_place(shape, o) >= 0,
                       .alpha = filter_delta(&job, o),
                       .beta = 1,
                       .norm = filter_norm(&job, o)};

    f.rest = f.norm;
    if (form == DIRAC_FORM_NORMALIZED_DELTA) {
        f.beta = (double)beta[o];
        f.rest = fabs(f.beta) * (f.norm / divisor(f.norm));
    }
    return f;
}

/* ---- backward ---- */

/* dW += (beta/|W|) (G - u <u, G>), u = W/|W|; dbeta += <G, u>. */
static void normalized_backward(const form_job *job, int64_t o)
{
    int64_t size = filter_size(job->shape);
    const float *w = job->w + o * size, *g = job->g + o * size;
    double norm = job->norm ? job->norm[o] : filter_norm(job, o);
    double dot = inner(g, w, size) / divisor(norm);

    if (job->dbeta)
        job->dbeta[o] += (float)dot;
    if (job->dw) {
        float *dw = job->dw + o * size;
        double scale = (double)job->beta[o] / divisor(norm);
        double along = norm < least_norm ? 0 : scale * dot / norm;

        for (int64_t i = 0; i < size; i++)
            dw[i] += (float)(scale * (double)g[i] - along * (double)w[i]);
    }
}

static void filter_backward(void *argument, int64_t o, int32_t lane)
{
    const form_job *job = argument;
    int64_t size = filter_size(job->shape), place = delta_place(job->shape, o);

    (void)lane;
    if (job->dalpha && place >= 0)
        job->dalpha[o] += job->g[o * size + place];
    if (job->form == DIRAC_FORM_NORMALIZED_DELTA)
        normalized_backward(job, o);
    else
        for (int64_t i = o * size; job->dw && i < (o + 1) * size; i++)
            job->dw[i] += job->g[i];
}

void dirac__form_backward(int32_t form, float *dw, float *dalpha, float *dbeta, const float *g,
                          const float *w, const double *norm, const float *beta, const dirac__weight_shape *shape,
                          dirac__team *team)
{
    form_job job = {.form = form,
                    .dw = dw,
                    .dalpha = dirac__form_has_alpha(form) ? dalpha : NULL,
                    .dbeta = dbeta,
                    .norm = (double *)(uintptr_t)norm, /* read only here */
                    .g = g,
                    .w = w,
                    .beta = beta,
                    .shape = shape};

    run_filters(&job, filter_backward, team);
}
