/* SPDX-License-Identifier: MIT */
/*
 * Per-channel sums and per-channel affine maps of x[rows][c]: what batch norm and biases are made of.
 *
 * Few channels would make short inner loops, so x is seen as wide rows: `width` = k c columns, k = 256 / c for c < 256
 * and 1 otherwise. Column j belongs to channel j % c. Sums run in float down the columns of a block of HEIGHT wide
 * rows (one task), then in double over blocks and columns, in a fixed order.
 */
#include <stdint.h>
#include <string.h>

#include "kernels/parallel.h"
#include "kernels/table.h"

enum {
    WIDTH = 256,  /* wide rows have at most so many columns, unless c has more */
    HEIGHT = 128, /* wide rows of a block: bounds the rounding error of the float sums */
    STRIP = 64,   /* channels of one task of combine() */
    PATTERNS = 4  /* per-column arrays kept in scratch beside the partial sums */
};

typedef struct wide {
    int64_t c, k, width;
    int64_t count;  /* floats of x */
    int64_t blocks; /* of HEIGHT wide rows */
} wide;

static wide wide_rows(int64_t rows, int64_t c)
{
    wide w = {.c = c, .k = c < WIDTH ? WIDTH / c : 1, .count = rows * c};

    w.width = w.k * c;
    w.blocks = blocks_of(w.count, w.width * HEIGHT);
    return w;
}

size_t KERNEL(channel_scratch)(int64_t rows, int64_t c)
{
    wide w = wide_rows(rows, c);

    return (size_t)((2 * w.blocks + PATTERNS) * w.width);
}

/* Writes a per-channel array once per column. */
static void repeat(float *columns, const float *channels, const wide *w)
{
    for (int64_t j = 0; j < w->k; j++)
        memcpy(columns + j * w->c, channels, (size_t)w->c * sizeof *columns);
}

/* ---- sums ---- */

/* One or two sums per column: parts[blocks][terms][width]. */
typedef struct column_sums {
    float *parts;
    const float *x, *dy;
    const float *mean; /* per column */
    int64_t terms;
    wide w;
} column_sums;

/* acc += x */
static void add_plain(float *restrict acc, const float *restrict x, int64_t columns)
{
    for (int64_t j = 0; j < columns; j++)
        acc[j] += x[j];
}

/* acc += (x - mean)^2 */
static void add_squares(float *restrict acc, const float *restrict x, const float *restrict mean,
                        int64_t columns)
{
    for (int64_t j = 0; j < columns; j++) {
        float d = x[j] - mean[j];
        acc[j] += d * d;
    }
}

/* sum += dy, product += dy (x - mean) */
static void add_products(float *restrict sum, float *restrict product, const float *restrict x,
                         const float *restrict dy, const float *restrict mean, int64_t columns)
{
    for (int64_t j = 0; j < columns; j++) {
        sum[j] += dy[j];
        product[j] += dy[j] * (x[j] - mean[j]);
    }
}

static void sum_blocks(const void *job, int64_t first, int64_t last)
{
    const column_sums *s = job;
    int64_t width = s->w.width;

    for (int64_t block = first; block < last; block++) {
        float *acc = s->parts + block * s->terms * width;
        int64_t at = block * width * HEIGHT;
        int64_t end = s->w.count - at < width * HEIGHT ? s->w.count : at + width * HEIGHT;

        memset(acc, 0, (size_t)(s->terms * width) * sizeof *acc);
        for (; at < end; at += width) {
            int64_t columns = end - at < width ? end - at : width;

            if (s->dy)
                add_products(acc, acc + width, s->x + at, s->dy + at, s->mean, columns);
            else if (s->mean)
                add_squares(acc, s->x + at, s->mean, columns);
            else
                add_plain(acc, s->x + at, columns);
        }
    }
}

/* out[ch] = factor times the sum over blocks and columns of one term. */
typedef struct combination {
    float *out;
    const column_sums *sums;
    int64_t term;
    double factor;
} combination;

static void combine_strips(const void *job, int64_t first, int64_t last)
{
    const combination *m = job;
    const column_sums *s = m->sums;
    int64_t channels = last - first;
    double total[STRIP] = {0};

    for (int64_t block = 0; block < s->w.blocks; block++) {
        for (int64_t j = 0; j < s->w.k; j++) {
            int64_t row = block * s->terms + m->term;
            const float *part = s->parts + row * s->w.width + j * s->w.c + first;

            for (int64_t i = 0; i < channels; i++)
                total[i] += (double)part[i];
        }
    }
    for (int64_t i = 0; i < channels; i++)
        m->out[first + i] = (float)(total[i] * m->factor);
}

static void combine(float *out, const column_sums *sums, int64_t term, double factor, dirac__team *team)
{
    combination m = {out, sums, term, factor};

    for_ranges(team, sums->w.c, STRIP, combine_strips, &m);
}

void KERNEL(channel_sum)(float *sum, const float *x, float *scratch, int64_t rows, int64_t c,
                         dirac__team *team)
{
    column_sums s = {.parts = scratch, .x = x, .terms = 1, .w = wide_rows(rows, c)};

    for_ranges(team, s.w.blocks, 1, sum_blocks, &s);
    combine(sum, &s, 0, 1.0, team);
}

void KERNEL(channel_moments)(float *mean, float *var, const float *x, float *scratch, int64_t rows,
                             int64_t c, dirac__team *team)
{
    column_sums s = {.parts = scratch, .x = x, .terms = 1, .w = wide_rows(rows, c)};
    float *columns = scratch + s.w.blocks * s.w.width;

    for_ranges(team, s.w.blocks, 1, sum_blocks, &s);
    combine(mean, &s, 0, 1.0 / (double)rows, team);
    repeat(columns, mean, &s.w);
    s.mean = columns;
    for_ranges(team, s.w.blocks, 1, sum_blocks, &s);
    combine(var, &s, 0, 1.0 / (double)rows, team);
}

/* ---- maps ---- */

/* y = a x + (b (z - mean) + t), all but x, y, z per column; b NULL: y = a x + t. */
typedef struct column_map {
    float *y;
    const float *x, *z;
    const float *a, *b, *mean, *t;
    int32_t relu;
    wide w;
} column_map;

static void map_affine(float *y, const float *x, const float *a, const float *t, int64_t columns)
{
    DIRAC__INDEPENDENT
    for (int64_t j = 0; j < columns; j++)
        y[j] = a[j] * x[j] + t[j];
}

static void map_affine_relu(float *y, const float *x, const float *a, const float *t,
                            int64_t columns)
{
    DIRAC__INDEPENDENT
    for (int64_t j = 0; j < columns; j++) {
        float v = a[j] * x[j] + t[j];
        y[j] = v <= 0 ? 0 : v; /* a NaN stays */
    }
}

static void map_norm(const column_map *m, int64_t at, int64_t columns)
{
    float *y = m->y + at;
    const float *x = m->x + at, *z = m->z + at;
    const float *a = m->a, *b = m->b, *mean = m->mean, *t = m->t;

    DIRAC__INDEPENDENT
    for (int64_t j = 0; j < columns; j++)
        y[j] = a[j] * x[j] + (b[j] * (z[j] - mean[j]) + t[j]);
}

static void map_rows(const void *job, int64_t first, int64_t last)
{
    const column_map *m = job;

    for (int64_t row = first; row < last; row++) {
        int64_t at = row * m->w.width;
        int64_t columns = m->w.count - at < m->w.width ? m->w.count - at : m->w.width;

        if (m->b)
            map_norm(m, at, columns);
        else if (m->relu)
            map_affine_relu(m->y + at, m->x + at, m->a, m->t, columns);
        else
            map_affine(m->y + at, m->x + at, m->a, m->t, columns);
    }
}

static void map_all(const column_map *m, dirac__team *team)
{
    for_ranges(team, blocks_of(m->w.count, m->w.width), items_per_task(m->w.width), map_rows, m);
}

void KERNEL(channel_affine)(float *y, const float *x, const float *s, const float *t, int32_t relu,
                            int64_t rows, int64_t c, dirac__team *team)
{
    column_map m = {.y = y, .x = x, .a = s, .t = t, .relu = relu, .w = wide_rows(rows, c)};
    float a[WIDTH], b[WIDTH];

    if (m.w.k > 1) {
        repeat(a, s, &m.w);
        repeat(b, t, &m.w);
        m.a = a;
        m.t = b;
    }
    map_all(&m, team);
}

/* ---- backward of batch norm: y = gamma (x - mean) rstd + beta ---- */

void KERNEL(norm_sums)(float *sum, float *product, const float *x, const float *dy, const float *mean, float *scratch,
                       int64_t rows, int64_t c, dirac__team *team)
{
    float *columns = scratch;
    column_sums s = {.x = x, .dy = dy, .mean = columns, .terms = 2, .w = wide_rows(rows, c)};

    s.parts = columns + PATTERNS * s.w.width;
    repeat(columns, mean, &s.w);
    for_ranges(team, s.w.blocks, 1, sum_blocks, &s);
    combine(sum, &s, 0, 1.0, team);
    combine(product, &s, 1, 1.0, team);
}

void KERNEL(norm_correct)(float *dx, const float *dy, const dirac__correction *k, float *scratch, int64_t rows, int64_t c,
                          dirac__team *team)
{
    const wide w = wide_rows(rows, c);
    float *a = scratch, *b = a + w.width, *mean = b + w.width, *t = mean + w.width;
    const column_map m = {.y = dx, .x = dy, .z = k->y, .a = a, .b = b, .mean = mean, .t = t, .w = w};

    repeat(a, k->a, &w);
    repeat(b, k->b, &w);
    repeat(mean, k->mean, &w);
    repeat(t, k->t, &w);
    map_all(&m, team);
}
