/* SPDX-License-Identifier: MIT */
/* Kernels that move floats and compute nothing: copies, ranges of channels, and the two layouts of an activation. */
#include <stdint.h>
#include <string.h>

#include "kernels/parallel.h"
#include "kernels/table.h"

enum { TILE = 16 }; /* both sides of a block of a transposition: 16 lines of cache on either side */

typedef struct moving {
    float *y;
    const float *x;
    int64_t to_stride, from_stride;
    int64_t c, s;
    int64_t strips; /* of an image */
} moving;

static void copy_range(const void *job, int64_t first, int64_t last)
{
    const moving *m = job;

    memcpy(m->y + first, m->x + first, (size_t)(last - first) * sizeof *m->y);
}

void KERNEL(copy)(float *y, const float *x, size_t count, dirac__team *team)
{
    moving m = {.y = y, .x = x};

    if (y != x)
        for_ranges(team, (int64_t)count, DIRAC__TASK_FLOATS, copy_range, &m);
}

static void copy_rows(const void *job, int64_t first, int64_t last)
{
    const moving *m = job;

    for (int64_t row = first; row < last; row++)
        memcpy(m->y + row * m->to_stride, m->x + row * m->from_stride, (size_t)m->c * sizeof *m->y);
}

void KERNEL(copy_channels)(float *y, int64_t to_stride, const float *x, int64_t from_stride,
                           int64_t rows, int64_t c, dirac__team *team)
{
    moving m = {.y = y, .x = x, .to_stride = to_stride, .from_stride = from_stride, .c = c};

    for_ranges(team, rows, items_per_task(c), copy_rows, &m);
}

/* y[j][i] = x[i][j] for i < height, j < width, given the distance between rows of each. */
static void transpose(float *restrict y, int64_t y_stride, const float *restrict x,
                      int64_t x_stride, int64_t height, int64_t width)
{
    for (int64_t j = 0; j < width; j++)
        for (int64_t i = 0; i < height; i++)
            y[j * y_stride + i] = x[i * x_stride + j];
}

/* A strip is TILE positions of one image, all channels. */
static void strips_first(const void *job, int64_t first, int64_t last)
{
    const moving *m = job;

    for (int64_t strip = first; strip < last; strip++) {
        int64_t image = strip / m->strips * m->c * m->s;
        int64_t p = strip % m->strips * TILE;
        int64_t positions = m->s - p < TILE ? m->s - p : TILE;

        for (int64_t ch = 0; ch < m->c; ch += TILE)
            transpose(m->y + image + ch * m->s + p, m->s, m->x + image + p * m->c + ch, m->c,
                      positions, m->c - ch < TILE ? m->c - ch : TILE);
    }
}

static void strips_last(const void *job, int64_t first, int64_t last)
{
    const moving *m = job;

    for (int64_t strip = first; strip < last; strip++) {
        int64_t image = strip / m->strips * m->c * m->s;
        int64_t p = strip % m->strips * TILE;
        int64_t positions = m->s - p < TILE ? m->s - p : TILE;

        for (int64_t ch = 0; ch < m->c; ch += TILE)
            transpose(m->y + image + p * m->c + ch, m->c, m->x + image + ch * m->s + p, m->s,
                      m->c - ch < TILE ? m->c - ch : TILE, positions);
    }
}

static void run_strips(float *y, const float *x, int64_t n, int64_t c, int64_t s, range_fn fn,
                       dirac__team *team)
{
    moving m = {.y = y, .x = x, .c = c, .s = s, .strips = blocks_of(s, TILE)};

    for_ranges(team, n * m.strips, items_per_task(c * (s < TILE ? s : TILE)), fn, &m);
}

void KERNEL(to_channels_first)(float *y, const float *x, int64_t n, int64_t c, int64_t s,
                               dirac__team *team)
{
    run_strips(y, x, n, c, s, strips_first, team);
}

void KERNEL(to_channels_last)(float *y, const float *x, int64_t n, int64_t c, int64_t s,
                              dirac__team *team)
{
    run_strips(y, x, n, c, s, strips_last, team);
}
