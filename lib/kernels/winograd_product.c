/* SPDX-License-Identifier: MIT */
/*
 * The products of Winograd's convolution: for each point e, M[e] (tiles x written) = V[e] (tiles x summed) U[e].
 *
 * V is kept in blocks of TILE_ROWS tiles, each [summed / LANES][TILE_ROWS][LANES]: the micro-kernel walks one stream of
 * broadcasts and one of weights, at constant distances. A panel of U (summed x PANEL) is used for all blocks while it is in
 * the caches; an element adds up over k in order, wherever its tile falls.
 */
#include "kernels/winograd.h"

#define LINE 16 /* floats */

static int64_t whole_blocks(int64_t tiles)
{
    return (tiles + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
}

dirac__point_order WINOGRAD(order)(int64_t tiles, int64_t channels)
{
    return (dirac__point_order){.point = whole_blocks(tiles) * channels + LINE, .block = TILE_ROWS * channels,
                                .tile = DIRAC_LANES, .channel = TILE_ROWS * DIRAC_LANES};
}

int64_t WINOGRAD(inputs_size)(int64_t tiles, int64_t channels)
{
    return WINOGRAD_POINTS * (whole_blocks(tiles) * channels + LINE);
}

int64_t WINOGRAD(products_size)(int64_t tiles, int64_t channels)
{
    return WINOGRAD_POINTS * (tiles * padded_channels(channels) + LINE);
}

/* to[row][v] (+)= sum over k of x[k / LANES][row][k % LANES] panel[k][v], calling for `lines` lines of memory with every four
 * k. A prefetch past the end of an array touches nothing. */
static ALWAYS_INLINE void rows_product(int rows, int vectors, float *to, const float *x, const float *panel,
                                       const float *call, int64_t lines, int64_t channels, int32_t add)
{
    vec sum[TILE_ROWS][2];
    UNROLL
    for (int m = 0; m < rows; m++) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            sum[m][v] = add ? vec_load(to + (m * vectors + v) * DIRAC_LANES) : (vec){0};
        }
    }
    for (const float *end = x + channels * TILE_ROWS; x != end; x += TILE_ROWS * DIRAC_LANES) {
        for (int64_t four = 0; four < DIRAC_LANES; four += 4) {
            for (const float *called = call + lines * LINE; call != called; call += LINE) {
                __builtin_prefetch(call, 0, 2);
            }
            UNROLL
            for (int k = 0; k < 4; k++, panel += vectors * DIRAC_LANES) {
                vec b[2];
                UNROLL
                for (int v = 0; v < vectors; v++) {
                    b[v] = vec_load(panel + v * DIRAC_LANES);
                }
                UNROLL
                for (int m = 0; m < rows; m++) {
                    const vec a = vec_all(x[m * DIRAC_LANES + four + k]);
                    UNROLL
                    for (int v = 0; v < vectors; v++) {
                        sum[m][v] += a * b[v];
                    }
                }
            }
        }
    }
    UNROLL
    for (int m = 0; m < rows; m++) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            vec_store(to + (m * vectors + v) * DIRAC_LANES, sum[m][v]);
        }
    }
}

typedef void rows_function(float *to, const float *x, const float *panel, const float *call, int64_t lines,
                           int64_t channels, int32_t add);

#define ROWS_INSTANCE(m)                                                                                              \
    static void rows_##m##_1(float *to, const float *x, const float *panel, const float *call, int64_t lines,         \
                             int64_t channels, int32_t add)                                                           \
    {                                                                                                                 \
        rows_product(m, 1, to, x, panel, call, lines, channels, add);                                                 \
    }                                                                                                                 \
    static void rows_##m##_2(float *to, const float *x, const float *panel, const float *call, int64_t lines,         \
                             int64_t channels, int32_t add)                                                           \
    {                                                                                                                 \
        rows_product(m, 2, to, x, panel, call, lines, channels, add);                                                 \
    }
DIRAC__HEIGHTS(TILE_ROWS, ROWS_INSTANCE)

#define ROWS_ENTRY(m) {rows_##m##_1, rows_##m##_2},
static rows_function *const rows_functions[TILE_ROWS][2] = {DIRAC__HEIGHTS(TILE_ROWS, ROWS_ENTRY)};

void WINOGRAD(multiply_panel)(float *m, const float *v, int64_t block, const float *u, int64_t tiles, int64_t count,
                              int64_t width, int32_t add, dirac__stream ahead)
{
    const int wide = width > DIRAC_LANES;
    for (int64_t t = 0; t < tiles; t += TILE_ROWS, v += block, m += TILE_ROWS * width, ahead.at += ahead.step) {
        rows_functions[at_most(TILE_ROWS, tiles - t) - 1][wide](m, v, u, ahead.at, ahead.lines, count, add);
    }
}

/* A panel for blocks of tiles, and memory that `calls` has ready. */
static void multiply_calling(float *m, const float *v, const float *panel, int64_t tiles, int64_t summed, int64_t width,
                             dirac__calls *calls)
{
    for (int64_t t = 0; t < tiles; t += TILE_ROWS, v += TILE_ROWS * summed, m += TILE_ROWS * width) {
        const float *call = next_call(calls, summed * width);
        const dirac__stream ahead = {.at = call != NULL ? call : v, .lines = call != NULL ? 4 * width / LINE : 0};
        WINOGRAD(multiply_panel)(m, v, 0, panel, at_most(TILE_ROWS, tiles - t), summed, width, 0, ahead);
    }
}

void WINOGRAD(multiply)(float *m, const float *v, const float *u, int64_t tiles, int64_t summed, int64_t written,
                        int64_t p0, int64_t p1, dirac__calls *calls)
{
    const int64_t blocks = (tiles + TILE_ROWS - 1) / TILE_ROWS;
    for (int64_t p = p0; p < p1; p++) {
        const int64_t width = panel_width(written, p), lines = (4 * width / LINE + blocks - 1) / blocks;
        const float *panel = u + p * PANEL * summed;
        if (calls != NULL) {
            multiply_calling(m + p * PANEL * tiles, v, panel, tiles, summed, width, calls);
        } else {
            const dirac__stream next = {panel + summed * width, summed / 4 * lines * LINE, lines};
            WINOGRAD(multiply_panel)(m + p * PANEL * tiles, v, TILE_ROWS * summed, panel, tiles, summed, width, 0, next);
        }
    }
}
