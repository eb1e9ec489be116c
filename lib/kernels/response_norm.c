/* SPDX-License-Identifier: MIT */
/*
 * Local response norm over the channels of x[rows][c]:
 *
 *     s_j = k + alpha/size sum_{i in window(j)} x_i^2       y_j = x_j s_j^-beta
 *
 * with window(j) = j - size/2 .. j + (size-1)/2
 *
 * Window sums are taken afresh for every channel, shift by shift: a running sum would carry a NaN, an infinity or the
 * rounding error of a large value along the row.
 */
#include <math.h>
#include <stdint.h>

#include "kernels/parallel.h"
#include "kernels/table.h"

enum { CHUNK = 256 };

typedef struct response {
    float *y, *s; /* in the backward y is dx */
    const float *x, *dy;
    const float *y_in, *s_in;
    int64_t c, before, after;
    float share; /* alpha / size */
    float beta, k;
} response;

static void run_rows(const response *r, int64_t rows, range_fn fn, dirac__team *team)
{
    for_ranges(team, rows, items_per_task(r->c), fn, r);
}

/* sums[j] = sum of squares in the window of j. */
static void window_squares(float *restrict sums, const float *restrict x, const response *r)
{
    int64_t before = r->before < r->c ? r->before : r->c, after = r->after < r->c ? r->after : r->c;

    for (int64_t j = 0; j < r->c; j++)
        sums[j] = 0;
    for (int64_t shift = -before; shift <= after; shift++) {
        int64_t first = shift < 0 ? -shift : 0;
        int64_t last = shift > 0 ? r->c - shift : r->c;

        for (int64_t j = first; j < last; j++)
            sums[j] += x[j + shift] * x[j + shift];
    }
}

static void forward_rows(const void *job, int64_t first, int64_t last)
{
    const response *r = job;

    for (int64_t row = first; row < last; row++) {
        const float *x = r->x + row * r->c;
        float *y = r->y + row * r->c;
        float *s = r->s ? r->s + row * r->c : y;

        window_squares(s, x, r);
        for (int64_t j = 0; j < r->c; j++) {
            float norm = r->share * s[j] + r->k;
            s[j] = norm;
            y[j] = x[j] * powf(norm, -r->beta);
        }
    }
}

void KERNEL(response_norm)(float *y, float *s, const float *x, int64_t rows, int64_t c,
                           int64_t size, float alpha, float beta, float k, dirac__team *team)
{
    response r = {.y = y,
                  .s = s,
                  .x = x,
                  .c = c,
                  .before = size / 2,
                  .after = (size - 1) / 2,
                  .share = alpha / (float)size,
                  .beta = beta,
                  .k = k};

    run_rows(&r, rows, forward_rows, team);
}

/* sums[i] = sum of dy_j y_j / s_j over the j whose window holds i. The quotients are made a chunk of j at a time. */
static void scatter_quotients(float *restrict sums, const float *restrict dy,
                              const float *restrict y, const float *restrict s, const response *r)
{
    float quotient[CHUNK];

    for (int64_t i = 0; i < r->c; i++)
        sums[i] = 0;
    for (int64_t at = 0; at < r->c; at += CHUNK) {
        int64_t length = r->c - at < CHUNK ? r->c - at : CHUNK;

        for (int64_t j = 0; j < length; j++)
            quotient[j] = dy[at + j] * y[at + j] / s[at + j];
        for (int64_t shift = -r->before; shift <= r->after; shift++) {
            int64_t first = at + shift < 0 ? -(at + shift) : 0;
            int64_t room = r->c - at - shift;
            int64_t last = room < length ? room : length;

            for (int64_t j = first; j < last; j++)
                sums[at + shift + j] += quotient[j];
        }
    }
}

/* dx_i = dy_i s_i^-beta - 2 alpha beta/size x_i sum_{j: i in window(j)} dy_j y_j/s_j */
static void backward_rows(const void *job, int64_t first, int64_t last)
{
    const response *r = job;
    float factor = 2 * r->share * r->beta;

    for (int64_t row = first; row < last; row++) {
        int64_t at = row * r->c;
        float *dx = r->y + at;
        const float *x = r->x + at, *dy = r->dy + at, *s = r->s_in + at;

        scatter_quotients(dx, dy, r->y_in + at, s, r);
        for (int64_t i = 0; i < r->c; i++)
            dx[i] = dy[i] * powf(s[i], -r->beta) - factor * x[i] * dx[i];
    }
}

void KERNEL(response_norm_backward)(float *dx, const float *x, const float *y, const float *s,
                                    const float *dy, int64_t rows, int64_t c, int64_t size,
                                    float alpha, float beta, dirac__team *team)
{
    response r = {.y = dx,
                  .x = x,
                  .y_in = y,
                  .s_in = s,
                  .dy = dy,
                  .c = c,
                  .before = size / 2,
                  .after = (size - 1) / 2,
                  .share = alpha / (float)size,
                  .beta = beta};

    run_rows(&r, rows, backward_rows, team);
}
