/* SPDX-License-Identifier: MIT */
/*
 * The products of Winograd's convolution: for each point e, M[e] (tiles x written) = V[e] (tiles x summed) U[e].
 *
 * V is kept in blocks of TILE_ROWS tiles, each [summed / LANES][TILE_ROWS][LANES]: the micro-kernel walks one stream of
 * broadcasts and one of weights, at constant distances. A panel of U (summed x PANEL) is used for all blocks while it is in
 * the caches; an element adds up over k in order, wherever its tile falls.
 */
#include "kernels/winograd.h"

static int64_t whole_blocks(int64_t tiles)
{
    return (tiles + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
}

dirac__point_order WINOGRAD(order)(int64_t tiles, int64_t channels)
{
    return (dirac__point_order){.point = whole_blocks(tiles) * channels + CACHE_LINE, .block = TILE_ROWS * channels,
                                .tile = DIRAC_LANES, .channel = TILE_ROWS * DIRAC_LANES};
}

int64_t WINOGRAD(inputs_size)(int64_t tiles, int64_t channels)
{
    return WINOGRAD_POINTS * (whole_blocks(tiles) * channels + CACHE_LINE);
}

int64_t WINOGRAD(products_size)(int64_t tiles, int64_t channels)
{
    return WINOGRAD_POINTS * (tiles * padded_channels(channels) + CACHE_LINE);
}

/* A panel for blocks of tiles, the first `calling` of which call for memory from `ahead` on. */
void WINOGRAD(multiply_panel)(float *m, const float *v, int64_t block, const float *u, int64_t tiles, int64_t count,
                              int64_t width, int32_t add, dirac__stream ahead)
{
    const int wide = width > DIRAC_LANES;
    for (int64_t t = 0; t < tiles; t += TILE_ROWS, v += block, m += TILE_ROWS * width) {
        const int64_t rows = at_most(TILE_ROWS, tiles - t);
        const int calling = t < ahead.blocks * TILE_ROWS;
        int32_t pace = calling ? ahead.pace : DIRAC__CALLS_NONE;
        if (pace == DIRAC__CALLS_HALF && rows < TILE_ROWS) {
            pace = DIRAC__CALLS_WHOLE; /* some lines too many, which does no harm */
        }
        KERNEL(rows_products)[pace][rows - 1][wide](m, v, u, ahead.at, count, add);
        if (calling) {
            ahead.at += ahead.step;
        }
    }
}

/* A panel for blocks of tiles, and memory that `calls` has ready. */
static void multiply_calling(float *m, const float *v, const float *panel, int64_t tiles, int64_t summed, int64_t width,
                             dirac__calls *calls)
{
    for (int64_t t = 0; t < tiles; t += TILE_ROWS, v += TILE_ROWS * summed, m += TILE_ROWS * width) {
        const float *call = next_call(calls, summed * width);
        const dirac__stream ahead = {.at = call, .blocks = call != NULL, .pace = DIRAC__CALLS_WHOLE};
        WINOGRAD(multiply_panel)(m, v, 0, panel, at_most(TILE_ROWS, tiles - t), summed, width, 0, ahead);
    }
}

#define NEXT_FLOATS 4096 /* of a panel of which the first-level cache holds two, beside what meets them */

/* The panel behind this one, called for with the first two blocks of tiles, or the only one. */
static dirac__stream next_panel(const float *panel, int64_t tiles, int64_t floats)
{
    if (tiles <= TILE_ROWS) {
        const int32_t pace = floats <= NEXT_FLOATS ? DIRAC__CALLS_NEXT : DIRAC__CALLS_WHOLE;
        return (dirac__stream){.at = panel + floats, .blocks = 1, .pace = pace};
    }
    return (dirac__stream){.at = panel + floats, .step = floats / 2, .blocks = 2, .pace = DIRAC__CALLS_HALF};
}

void WINOGRAD(multiply)(float *m, const float *v, const float *u, int64_t tiles, int64_t summed, int64_t written,
                        int64_t p0, int64_t p1, dirac__calls *calls)
{
    for (int64_t p = p0; p < p1; p++) {
        const int64_t width = panel_width(written, p);
        const float *panel = u + p * PANEL * summed;
        if (calls != NULL) {
            multiply_calling(m + p * PANEL * tiles, v, panel, tiles, summed, width, calls);
        } else {
            WINOGRAD(multiply_panel)(m + p * PANEL * tiles, v, TILE_ROWS * summed, panel, tiles, summed, width, 0,
                                     next_panel(panel, tiles, summed * width));
        }
    }
}
