/* SPDX-License-Identifier: MIT */
/*
 * The micro-kernels. They are written for constant numbers of rows and vectors, so that all accumulators are
 * registers; an element adds up in the same order in every instance.
 */
#ifndef KERNELS_CONVOLUTION_TILE_H
#define KERNELS_CONVOLUTION_TILE_H

#include "kernels/convolution.h"

/* Every instance must contract alike. Clang's "fast" decides block by block, late; this makes it decide here. */
#ifdef __clang__
#pragma STDC FP_CONTRACT ON
#endif

/* Loops over a tile, to be unrolled so early that all its numbers become registers. Clang does so unasked. */
#ifdef __clang__
#define UNROLL
#define UNROLL_ROWS
#else
#define UNROLL _Pragma("GCC unroll 16")
#define UNROLL_ROWS _Pragma("GCC unroll 24")
#endif

/* What a tile of rows x panel sums: source rows [tap * stride + row], to be read from `offset` on; the panel, and where
 * in it each tap begins, counted in channels. */
typedef struct tile_operands {
    const float *const *rows;
    int64_t stride, offset;
    const float *panel;
    const int64_t *at;
    int64_t taps, channels;
    int32_t more; /* add to the tile */
} tile_operands;

/* The instances, by rows - 1 and vectors - 1; defined in convolution.c. */
typedef void dirac__tile_function(float *tile, const tile_operands *o);
extern dirac__tile_function *const KERNEL(tiles)[TILE_ROWS][2];

/* tile[row][v] (+)= sum over taps t and channels k of rows[t][row][k] panel[t][k][v] */
static ALWAYS_INLINE void tile_sum(int count, int vectors, float *tile, const tile_operands *o)
{
    const float *const *rows = o->rows;
    int64_t channels = o->channels;
    vec sum[TILE_ROWS][2];
    UNROLL
    for (int m = 0; m < count; m++) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            sum[m][v] = o->more ? vec_load(tile + (m * vectors + v) * DIRAC_LANES) : (vec){0};
        }
    }
    for (int64_t t = 0; t < o->taps; t++, rows += o->stride) {
        const float *x[TILE_ROWS];
        const float *w = o->panel + o->at[t] * vectors * DIRAC_LANES;
        UNROLL
        for (int m = 0; m < count; m++) {
            x[m] = rows[m] + o->offset;
        }
        for (int64_t k = 0; k < channels; k++, w += vectors * DIRAC_LANES) {
            vec b[2];
            UNROLL
            for (int v = 0; v < vectors; v++) {
                b[v] = vec_load(w + v * DIRAC_LANES);
            }
            UNROLL
            for (int m = 0; m < count; m++) {
                vec a = vec_all(x[m][k]);
                UNROLL
                for (int v = 0; v < vectors; v++) {
                    sum[m][v] += a * b[v];
                }
            }
        }
    }
    UNROLL
    for (int m = 0; m < count; m++) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            vec_store(tile + (m * vectors + v) * DIRAC_LANES, sum[m][v]);
        }
    }
}

/* The instances, by height - 1 and vectors - 1; defined in convolution_weight.c. */
typedef void dirac__outer_function(float *g, const float *const *rows, int64_t offset, const float *dy,
                                   int64_t count);
extern dirac__outer_function *const KERNEL(outers)[OUTER_ROWS][2];

/* g[m][v] += sum over rows r < count of rows[r][offset + m] dy[r][v], a sum that starts at zero. dy is as wide as the
 * panel. */
static ALWAYS_INLINE void outer_sum(int height, int vectors, float *g, const float *const *rows,
                                    int64_t offset, const float *dy, int64_t count)
{
    vec sum[OUTER_ROWS][2];
    UNROLL
    for (int m = 0; m < height; m++) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            sum[m][v] = (vec){0};
        }
    }
    for (int64_t r = 0; r < count; r++, dy += vectors * DIRAC_LANES) {
        const float *x = rows[r] + offset;
        vec b[2];
        /* Keeps x one pointer: gcc prefers `height` indices of rows[r], more than there are registers. */
        __asm__("" : "+r"(x));
        UNROLL
        for (int v = 0; v < vectors; v++) {
            b[v] = vec_load(dy + v * DIRAC_LANES);
        }
        UNROLL
        for (int m = 0; m < height; m++) {
            vec a = vec_all(x[m]);
            UNROLL
            for (int v = 0; v < vectors; v++) {
                sum[m][v] += a * b[v];
            }
        }
    }
    UNROLL
    for (int m = 0; m < height; m++) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            float *at = g + (m * vectors + v) * DIRAC_LANES;
            vec_store(at, vec_load(at) + sum[m][v]);
        }
    }
}

/* INSTANCE(1) ... INSTANCE(n) for the tile heights of this variant. */
#define DIRAC__HEIGHTS_4(X) X(1) X(2) X(3) X(4)
#define DIRAC__HEIGHTS_6(X) DIRAC__HEIGHTS_4(X) X(5) X(6)
#define DIRAC__HEIGHTS_8(X) DIRAC__HEIGHTS_6(X) X(7) X(8)
#define DIRAC__HEIGHTS_12(X) DIRAC__HEIGHTS_8(X) X(9) X(10) X(11) X(12)
#define DIRAC__HEIGHTS2(n, X) DIRAC__HEIGHTS_##n(X)
#define DIRAC__HEIGHTS(n, X) DIRAC__HEIGHTS2(n, X)

/* The same in two: heights below half of all, and the others. */
#define DIRAC__LOW_4(X) X(1)
#define DIRAC__LOW_6(X) DIRAC__LOW_4(X) X(2)
#define DIRAC__LOW_8(X) DIRAC__LOW_6(X) X(3)
#define DIRAC__LOW_12(X) DIRAC__LOW_8(X) X(4) X(5)
#define DIRAC__LOW2(n, X) DIRAC__LOW_##n(X)
#define DIRAC__LOW_HEIGHTS(n, X) DIRAC__LOW2(n, X)
#define DIRAC__TALL_4(X) X(2) X(3) X(4)
#define DIRAC__TALL_6(X) X(3) X(4) X(5) X(6)
#define DIRAC__TALL_8(X) X(4) X(5) X(6) X(7) X(8)
#define DIRAC__TALL_12(X) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#define DIRAC__TALL2(n, X) DIRAC__TALL_##n(X)
#define DIRAC__TALL_HEIGHTS(n, X) DIRAC__TALL2(n, X)

#endif
