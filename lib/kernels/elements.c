/* SPDX-License-Identifier: MIT */
/* Activations and other maps of one number to one number, and softmax over the channels of a row. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/parallel.h"
#include "kernels/table.h"

/* y from a and b, `c` channels a row where rows matter. */
typedef struct elements {
    float *y;
    const float *a, *b;
    float value;
    int64_t c;
} elements;

static void run_flat(const elements *e, size_t count, range_fn fn, dirac__team *team)
{
    for_ranges(team, (int64_t)count, DIRAC__TASK_FLOATS, fn, e);
}

static void run_rows(const elements *e, int64_t rows, range_fn fn, dirac__team *team)
{
    for_ranges(team, rows, items_per_task(e->c), fn, e);
}

/* ---- ReLU: y = max(x, 0) ---- */

static void relu_range(const void *job, int64_t first, int64_t last)
{
    const elements *e = job;
    float *y = e->y;
    const float *x = e->a;

    DIRAC__INDEPENDENT
    for (int64_t i = first; i < last; i++)
        y[i] = x[i] <= 0 ? 0 : x[i]; /* a NaN stays */
}

void KERNEL(relu)(float *y, const float *x, size_t count, dirac__team *team)
{
    elements e = {.y = y, .a = x};

    run_flat(&e, count, relu_range, team);
}

static void relu_backward_range(const void *job, int64_t first, int64_t last)
{
    const elements *e = job;
    float *dx = e->y;
    const float *y = e->a, *dy = e->b;

    DIRAC__INDEPENDENT
    for (int64_t i = first; i < last; i++) {
        float d = dy[i];
        dx[i] = y[i] > 0 ? d : 0;
    }
}

void KERNEL(relu_backward)(float *dx, const float *y, const float *dy, size_t count,
                           dirac__team *team)
{
    elements e = {.y = dx, .a = y, .b = dy};

    run_flat(&e, count, relu_backward_range, team);
}

/* ---- NCReLU: y = (max(x, 0), min(x, 0)) ---- */

static void ncrelu_rows(const void *job, int64_t first, int64_t last)
{
    const elements *e = job;

    for (int64_t row = first; row < last; row++) {
        const float *restrict x = e->a + row * e->c;
        float *restrict positive = e->y + row * 2 * e->c;
        float *restrict negative = positive + e->c;

        for (int64_t i = 0; i < e->c; i++) {
            positive[i] = x[i] <= 0 ? 0 : x[i];
            negative[i] = x[i] >= 0 ? 0 : x[i];
        }
    }
}

void KERNEL(ncrelu)(float *y, const float *x, int64_t rows, int64_t c, dirac__team *team)
{
    elements e = {.y = y, .a = x, .c = c};

    run_rows(&e, rows, ncrelu_rows, team);
}

static void ncrelu_backward_rows(const void *job, int64_t first, int64_t last)
{
    const elements *e = job;

    for (int64_t row = first; row < last; row++) {
        float *dx = e->y + row * e->c;
        const float *x = e->a + row * e->c;
        const float *positive = e->b + row * 2 * e->c, *negative = positive + e->c;

        DIRAC__INDEPENDENT
        for (int64_t i = 0; i < e->c; i++) {
            float p = positive[i], q = negative[i], v = x[i];
            float d = v > 0 ? p : 0;
            dx[i] = v < 0 ? q : d;
        }
    }
}

void KERNEL(ncrelu_backward)(float *dx, const float *x, const float *dy, int64_t rows, int64_t c,
                             dirac__team *team)
{
    elements e = {.y = dx, .a = x, .b = dy, .c = c};

    run_rows(&e, rows, ncrelu_backward_rows, team);
}

/* ---- ELU: y = x for x > 0, alpha (exp(x) - 1) otherwise ---- */

static void elu_range(const void *job, int64_t first, int64_t last)
{
    const elements *e = job;

    for (int64_t i = first; i < last; i++) {
        float x = e->a[i];
        e->y[i] = x > 0 ? x : e->value * expm1f(x);
    }
}

void KERNEL(elu)(float *y, const float *x, float alpha, size_t count, dirac__team *team)
{
    elements e = {.y = y, .a = x, .value = alpha};

    run_flat(&e, count, elu_range, team);
}

/* For x <= 0: dy/dx = alpha exp(x) = y + alpha. */
static void elu_backward_range(const void *job, int64_t first, int64_t last)
{
    const elements *e = job;
    float *dx = e->y;
    const float *y = e->a, *dy = e->b;
    float alpha = e->value;

    DIRAC__INDEPENDENT
    for (int64_t i = first; i < last; i++) {
        /* Two selects and a sum vectorise; a sum under a condition does not. A NaN stays. */
        float below = y[i] >= 0 ? 0 : y[i];
        float slope = y[i] > 0 ? 1 : alpha;
        dx[i] = dy[i] * (below + slope);
    }
}

void KERNEL(elu_backward)(float *dx, const float *y, const float *dy, float alpha, size_t count,
                          dirac__team *team)
{
    elements e = {.y = dx, .a = y, .b = dy, .value = alpha};

    run_flat(&e, count, elu_backward_range, team);
}

/* ---- sums ---- */

static void add_range(const void *job, int64_t first, int64_t last)
{
    const elements *e = job;
    float *y = e->y;
    const float *a = e->a, *b = e->b;

    DIRAC__INDEPENDENT
    for (int64_t i = first; i < last; i++)
        y[i] = a[i] + b[i];
}

void KERNEL(add)(float *y, const float *a, const float *b, size_t count, dirac__team *team)
{
    elements e = {.y = y, .a = a, .b = b};

    run_flat(&e, count, add_range, team);
}

/* ---- softmax: y = exp(x - max x) / sum exp(x - max x) ---- */

static void softmax_rows(const void *job, int64_t first, int64_t last)
{
    const elements *e = job;

    for (int64_t row = first; row < last; row++) {
        const float *x = e->a + row * e->c;
        float *y = e->y + row * e->c;
        float largest = x[0];
        double sum = 0;

        for (int64_t i = 1; i < e->c; i++)
            largest = x[i] > largest ? x[i] : largest;
        for (int64_t i = 0; i < e->c; i++) {
            y[i] = expf(x[i] - largest);
            sum += (double)y[i];
        }
        for (int64_t i = 0; i < e->c; i++)
            y[i] = (float)((double)y[i] / sum);
    }
}

void KERNEL(softmax)(float *y, const float *x, int64_t rows, int64_t c, dirac__team *team)
{
    elements e = {.y = y, .a = x, .c = c};

    run_rows(&e, rows, softmax_rows, team);
}

/* dx = y (dy - <y, dy>) */
static void softmax_backward_rows(const void *job, int64_t first, int64_t last)
{
    const elements *e = job;

    for (int64_t row = first; row < last; row++) {
        const float *y = e->a + row * e->c, *dy = e->b + row * e->c;
        float *dx = e->y + row * e->c;
        double dot = 0;

        for (int64_t i = 0; i < e->c; i++)
            dot += (double)y[i] * (double)dy[i];
        DIRAC__INDEPENDENT
        for (int64_t i = 0; i < e->c; i++)
            dx[i] = (float)((double)y[i] * ((double)dy[i] - dot));
    }
}

void KERNEL(softmax_backward)(float *dx, const float *y, const float *dy, int64_t rows, int64_t c,
                              dirac__team *team)
{
    elements e = {.y = dx, .a = y, .b = dy, .c = c};

    run_rows(&e, rows, softmax_backward_rows, team);
}
