/* SPDX-License-Identifier: MIT */
/*
 * Memory called for while arithmetic runs. Transforms wait for memory, products hardly touch it: so during the products of a
 * block of tiles, the pixels of the next block, and those this block is about to write, come into the second-level cache.
 * They are called for one by one, between multiplications: called for at once, most of them would be dropped.
 */
#ifndef KERNELS_WINOGRAD_AHEAD_H
#define KERNELS_WINOGRAD_AHEAD_H

#include "kernels/winograd.h"

#define CALLED_MOST (64 * 1024) /* floats of a range: more would push out what the products use */

/* Floats from `begin` to `end` of an array (images, height, width, channels). */
typedef struct dirac__range {
    int64_t begin, end;
} dirac__range;

/* What lies between the first and the last pixel of `rows` rows a tile from `-before` on, for tiles t0 to t0 + count - 1. */
static inline dirac__range range_of(const dirac__tiling *tiling, const int64_t size[2], int64_t before, int64_t rows,
                                    int64_t channels, int64_t t0, int64_t count)
{
    if (t0 >= tiling->count || count < 1) {
        return (dirac__range){0, 0};
    }
    const dirac__tile_place a = place_of(tiling, t0), b = place_of(tiling, at_most(t0 + count, tiling->count) - 1);
    const int64_t top = at_least(a.row * WINOGRAD_OUT - before, 0);
    const int64_t bottom = at_most(b.row * WINOGRAD_OUT - before + rows, size[0]), line = size[1] * channels;
    return (dirac__range){(a.image * size[0] + top) * line, (b.image * size[0] + bottom) * line};
}

static inline dirac__range source_range(const dirac__tiling *tiling, int64_t channels, int64_t t0, int64_t count)
{
    return range_of(tiling, tiling->source, tiling->before[0], WINOGRAD_IN, channels, t0, count);
}

static inline dirac__range target_range(const dirac__tiling *tiling, int64_t channels, int64_t t0, int64_t count)
{
    return range_of(tiling, tiling->target, 0, WINOGRAD_OUT, channels, t0, count);
}

static inline void add_call(dirac__calls *calls, const float *x, dirac__range range)
{
    if (x != NULL && range.end > range.begin && range.end - range.begin <= CALLED_MOST) {
        calls->at[calls->count] = x + range.begin;
        calls->end[calls->count] = x + range.end;
        calls->count++;
    }
}

#endif
