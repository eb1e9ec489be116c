/* SPDX-License-Identifier: MIT */
/*
 * The optimizer's arithmetic (include/dirac/sgd.h), and the sum of squares that clipping and the check for finite
 * gradients need:
 *
 *     d = scale g + decay p      v = d at first, then momentum v + d      p = p - rate v, or p - rate (d + momentum v)
 */
#include <stdint.h>

#include "kernels/parallel.h"
#include "kernels/table.h"

/* Sums that run side by side within a block: enough to fill vector registers, and the same number for all variants. */
enum { PARTIAL = 16 };

typedef struct update {
    float *p, *v;
    const float *g;
    float rate, momentum, decay, scale;
    int32_t nesterov;
} update;

static void first_range(const void *job, int64_t first, int64_t last)
{
    const update *u = job;
    float *restrict p = u->p, *restrict v = u->v;
    const float *restrict g = u->g;
    float again = u->nesterov ? u->momentum : 0;

    for (int64_t i = first; i < last; i++) {
        float d = u->scale * g[i];

        d += u->decay * p[i];
        v[i] = d;
        p[i] -= u->rate * (again * d + d);
    }
}

static void plain_range(const void *job, int64_t first, int64_t last)
{
    const update *u = job;
    float *restrict p = u->p, *restrict v = u->v;
    const float *restrict g = u->g;

    for (int64_t i = first; i < last; i++) {
        float d = u->scale * g[i];

        d += u->decay * p[i];
        v[i] = u->momentum * v[i] + d;
        p[i] -= u->rate * v[i];
    }
}

static void nesterov_range(const void *job, int64_t first, int64_t last)
{
    const update *u = job;
    float *restrict p = u->p, *restrict v = u->v;
    const float *restrict g = u->g;

    for (int64_t i = first; i < last; i++) {
        float d = u->scale * g[i];

        d += u->decay * p[i];
        v[i] = u->momentum * v[i] + d;
        p[i] -= u->rate * (u->momentum * v[i] + d);
    }
}

void KERNEL(sgd_update)(float *p, float *v, const float *g, size_t count, float rate,
                        float momentum, float decay, float scale, int32_t nesterov, int32_t first,
                        dirac__team *team)
{
    update u = {p, v, g, rate, momentum, decay, scale, nesterov};
    range_fn fn = first ? first_range : nesterov ? nesterov_range : plain_range;

    for_ranges(team, (int64_t)count, DIRAC__TASK_FLOATS, fn, &u);
}

/* ---- sum of squares ---- */

typedef struct squaring {
    double *sums; /* one a block */
    const float *g;
    int64_t count;
} squaring;

static void square_blocks(const void *job, int64_t first, int64_t last)
{
    const squaring *s = job;

    for (int64_t block = first; block < last; block++) {
        int64_t i = block * DIRAC__TASK_FLOATS;
        int64_t end = s->count - i < DIRAC__TASK_FLOATS ? s->count : i + DIRAC__TASK_FLOATS;
        double partial[PARTIAL] = {0}, sum = 0;

        for (; i + PARTIAL <= end; i += PARTIAL)
            for (int64_t j = 0; j < PARTIAL; j++)
                partial[j] += (double)s->g[i + j] * (double)s->g[i + j];
        for (int64_t j = 0; i + j < end; j++)
            partial[j] += (double)s->g[i + j] * (double)s->g[i + j];
        for (int64_t j = 0; j < PARTIAL; j++)
            sum += partial[j];
        s->sums[block] = sum;
    }
}

size_t KERNEL(squares_scratch)(size_t count)
{
    return (size_t)blocks_of((int64_t)count, DIRAC__TASK_FLOATS);
}

double KERNEL(squares)(const float *g, double *scratch, size_t count, dirac__team *team)
{
    squaring s = {scratch, g, (int64_t)count};
    int64_t blocks = blocks_of(s.count, DIRAC__TASK_FLOATS);
    double sum = 0;

    for_ranges(team, blocks, 1, square_blocks, &s);
    for (int64_t block = 0; block < blocks; block++)
        sum += scratch[block];
    return sum;
}
