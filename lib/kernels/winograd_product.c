/* SPDX-License-Identifier: MIT */
/*
 * The products of Winograd's convolution: for each point e, M[e] (tiles x written) = V[e] (tiles x summed) U[e].
 *
 * V is kept in blocks of TILE_ROWS tiles, each [summed / CACHE_LINE][TILE_ROWS][CACHE_LINE]: a tile's transform fills whole
 * lines of the cache, and the micro-kernel walks one stream of broadcasts and one of weights, at constant distances. A panel
 * of U (summed x PANEL) is used for all blocks while it is in the caches; an element adds up over k in order, wherever its
 * tile falls.
 */
#include "kernels/winograd.h"

static int64_t block_count(int64_t tiles)
{
    return (tiles + TILE_ROWS - 1) / TILE_ROWS;
}

/* Of V, for one point. */
static int64_t block_floats(int64_t channels)
{
    return TILE_ROWS * ((channels + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
}

dirac__point_order WINOGRAD(order)(int64_t tiles, int64_t channels)
{
    const int64_t blocks = block_count(tiles), block = block_floats(channels);
    return (dirac__point_order){.point = blocks * block + CACHE_LINE, .block = block, .tile = CACHE_LINE,
                                .line = TILE_ROWS * CACHE_LINE, .vector = DIRAC_LANES,
                                .rows = (tiles + blocks - 1) / blocks};
}

int64_t WINOGRAD(inputs_size)(int64_t tiles, int64_t channels)
{
    return WINOGRAD_POINTS * (block_count(tiles) * block_floats(channels) + CACHE_LINE);
}

int64_t WINOGRAD(products_size)(int64_t tiles, int64_t channels)
{
    return WINOGRAD_POINTS * (tiles * padded_channels(channels) + CACHE_LINE);
}

/* A panel for blocks of tiles, the first of which call for memory, as many as `ahead` says. */
void WINOGRAD(multiply_panel)(float *m, const float *v, const dirac__point_order *order, const float *u, int64_t tiles,
                              int64_t count, int64_t width, int32_t add, dirac__stream ahead)
{
    const int wide = width > DIRAC_LANES;
    for (int64_t t = 0; t < tiles; t += order->rows, v += order->block, m += order->rows * width) {
        const int64_t rows = at_most(order->rows, tiles - t);
        const int calling = ahead.blocks-- > 0;
        KERNEL(rows_products)[calling ? ahead.pace : DIRAC__CALLS_NONE][rows - 1][wide](m, v, u, ahead.at, count, add);
        if (calling) {
            ahead.at += ahead.step;
        }
    }
}

/* A panel for blocks of tiles, and memory that `calls` has ready. */
static void multiply_calling(float *m, const float *v, const dirac__point_order *order, const float *panel, int64_t tiles,
                             int64_t summed, int64_t width, dirac__calls *calls)
{
    for (int64_t t = 0; t < tiles; t += order->rows, v += order->block, m += order->rows * width) {
        const float *call = next_call(calls, summed * width);
        const dirac__stream ahead = {.at = call, .blocks = call != NULL, .pace = DIRAC__CALLS_WHOLE};
        WINOGRAD(multiply_panel)(m, v, order, panel, at_most(order->rows, tiles - t), summed, width, 0, ahead);
    }
}

#define NEXT_FLOATS 4096 /* of a panel of which the first-level cache holds two, beside what meets them */

/* The panel behind this one, called for with the first blocks of tiles, four or two or the only one. */
static dirac__stream next_panel(const float *panel, int64_t blocks, int64_t floats)
{
    dirac__stream next = {.at = panel + floats, .blocks = 1, .pace = DIRAC__CALLS_WHOLE};
    if (blocks >= 4) {
        next = (dirac__stream){.at = panel + floats, .step = floats / 4, .blocks = 4, .pace = DIRAC__CALLS_QUARTER};
    } else if (blocks > 1) {
        next = (dirac__stream){.at = panel + floats, .step = floats / 2, .blocks = 2, .pace = DIRAC__CALLS_HALF};
    } else if (floats <= NEXT_FLOATS) {
        next.pace = DIRAC__CALLS_NEXT;
    }
    return next;
}

void WINOGRAD(multiply)(float *m, const float *v, const dirac__point_order *order, const float *u, int64_t tiles,
                        int64_t summed, int64_t written, int64_t p0, int64_t p1, dirac__calls *calls)
{
    for (int64_t p = p0; p < p1; p++) {
        const int64_t width = panel_width(written, p);
        const float *panel = u + p * PANEL * summed;
        float *to = m + p * PANEL * tiles;
        if (calls != NULL) {
            multiply_calling(to, v, order, panel, tiles, summed, width, calls);
        } else {
            WINOGRAD(multiply_panel)(to, v, order, panel, tiles, summed, width, 0,
                                     next_panel(panel, block_count(tiles), summed * width));
        }
    }
}
