/* SPDX-License-Identifier: MIT */
/*
 * Filters of 3x3 taps, nine floats that follow each other, to vectors of one tap of several filters, and back: transpositions
 * of eight columns in registers, and the ninth one by one.
 */
#ifndef KERNELS_WINOGRAD_TAPS_H
#define KERNELS_WINOGRAD_TAPS_H

#include "kernels/convolution.h"

#define SIDE (DIRAC_LANES < 8 ? DIRAC_LANES : 8) /* of a square that is transposed; vectors of 16 hold two of them */

/* Of a pair of rows i and i + s: lane l of the first one and l + s of it are exchanged with those of the other. */
#define LOWER(l, s) ((l) & (s) ? DIRAC_LANES + (l) - (s) : (l))
#define UPPER(l, s) ((l) & (s) ? DIRAC_LANES + (l) : (l) + (s))
#if DIRAC_LANES == 16
#define EACH_LANE(F, s) \
    F(0, s), F(1, s), F(2, s), F(3, s), F(4, s), F(5, s), F(6, s), F(7, s), F(8, s), F(9, s), F(10, s), F(11, s), F(12, s), \
        F(13, s), F(14, s), F(15, s)
#elif DIRAC_LANES == 8
#define EACH_LANE(F, s) F(0, s), F(1, s), F(2, s), F(3, s), F(4, s), F(5, s), F(6, s), F(7, s)
#else
#define EACH_LANE(F, s) F(0, s), F(1, s), F(2, s), F(3, s)
#endif
#if defined(__clang__)
#define SHUFFLE(a, b, F, s) __builtin_shufflevector(a, b, EACH_LANE(F, s))
#else
typedef int32_t lanes_of __attribute__((vector_size(DIRAC_LANES * 4)));
#define SHUFFLE(a, b, F, s) __builtin_shuffle(a, b, (lanes_of){EACH_LANE(F, s)})
#endif

#define EXCHANGE(rows, s)                                  \
    UNROLL                                                 \
    for (int i = 0; i < SIDE; i++) {                       \
        if ((i & (s)) == 0) {                              \
            const vec a = (rows)[i], b = (rows)[i + (s)];  \
            (rows)[i] = SHUFFLE(a, b, LOWER, s);           \
            (rows)[i + (s)] = SHUFFLE(a, b, UPPER, s);     \
        }                                                  \
    }

/* rows[i][l] <-> rows[l][i], in squares. */
static ALWAYS_INLINE void transpose(vec rows[SIDE])
{
    EXCHANGE(rows, 1)
    EXCHANGE(rows, 2)
#if DIRAC_LANES >= 8
    EXCHANGE(rows, 4)
#endif
}

/* Row l of the squares: SIDE floats of filter l, and of l + SIDE where there are two. */
static ALWAYS_INLINE vec load_row(const float *from, int64_t step)
{
#if DIRAC_LANES == 16
    return (vec)_mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(from)), _mm256_loadu_ps(from + SIDE * step), 1);
#else
    (void)step;
    return vec_load(from);
#endif
}

static ALWAYS_INLINE void store_row(float *to, int64_t step, vec row)
{
#if DIRAC_LANES == 16
    _mm256_storeu_ps(to, _mm512_castps512_ps256((__m512)row));
    _mm256_storeu_ps(to + SIDE * step, _mm512_extractf32x8_ps((__m512)row, 1));
#else
    (void)step;
    vec_store(to, row);
#endif
}

/* taps[t][l] <- from[l * step + t]. */
static ALWAYS_INLINE void load_filters(vec taps[9], const float *from, int64_t step)
{
    UNROLL
    for (int t = 0; t < 8; t += SIDE) {
        UNROLL
        for (int l = 0; l < SIDE; l++) {
            taps[t + l] = load_row(from + l * step + t, step);
        }
        transpose(taps + t);
    }
    vec last = {0};
    UNROLL
    for (int l = 0; l < DIRAC_LANES; l++) {
        last[l] = from[l * step + 8];
    }
    taps[8] = last;
}

/* to[l * step + t] <- taps[t][l]; taps are lost. */
static ALWAYS_INLINE void store_filters(float *to, int64_t step, vec taps[9])
{
    UNROLL
    for (int t = 0; t < 8; t += SIDE) {
        transpose(taps + t);
        UNROLL
        for (int l = 0; l < SIDE; l++) {
            store_row(to + l * step + t, step, taps[t + l]);
        }
    }
    UNROLL
    for (int l = 0; l < DIRAC_LANES; l++) {
        to[l * step + 8] = taps[8][l];
    }
}

#endif
