/* SPDX-License-Identifier: MIT */
/*
 * The instances are written out for constant rows, vectors and paces: a count of lines to call for that is only known at run
 * time costs a branch with every channel, which is a tenth of the time where a panel meets few tiles. Both tile sizes use the
 * same ones.
 */
#include "kernels/rows_product.h"

/* A pace calls for one line of the cache where the panel has so many; none for DIRAC__CALLS_NONE. */
static ALWAYS_INLINE int lines_for_one(int pace)
{
    return pace == DIRAC__CALLS_QUARTER ? 4 : pace == DIRAC__CALLS_HALF ? 2 : 1;
}

/* Channels that follow each other without a branch: few where each is work enough, but enough to call for a line. */
static ALWAYS_INLINE int channels_unrolled(int pace, int rows, int vectors)
{
    return rows * vectors >= 10 && 2 * vectors * DIRAC_LANES >= lines_for_one(pace) * CACHE_LINE ? 2 : 4;
}

/* One line; past the end of an array it touches nothing. */
static ALWAYS_INLINE void call_for(int pace, const float *line)
{
    if (pace == DIRAC__CALLS_NEXT) {
        __builtin_prefetch(line, 0, 3);
    } else {
        __builtin_prefetch(line, 0, 2);
    }
}

/* Whether a line of the cache of channels begins with channel c, a multiple of DIRAC_LANES. */
static ALWAYS_INLINE int is_line(int64_t c)
{
    return DIRAC_LANES == CACHE_LINE || c % CACHE_LINE == 0;
}

static ALWAYS_INLINE void rows_product(int pace, int rows, int vectors, float *to, const float *x, const float *panel,
                                       const float *call, int64_t channels, int32_t add)
{
    const int step = channels_unrolled(pace, rows, vectors);
    const int lines = pace == DIRAC__CALLS_NONE ? 0 : step * vectors * DIRAC_LANES / CACHE_LINE / lines_for_one(pace);
    const int64_t next_line = TILE_ROWS * CACHE_LINE - (CACHE_LINE - DIRAC_LANES);
    vec sum[TILE_ROWS][2];
    UNROLL
    for (int m = 0; m < rows; m++) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            sum[m][v] = add ? vec_load(to + (m * vectors + v) * DIRAC_LANES) : (vec){0};
        }
    }
    for (int64_t c = 0; c < channels; c += DIRAC_LANES, x += is_line(c) ? next_line : DIRAC_LANES) {
        for (int64_t k0 = 0; k0 < DIRAC_LANES; k0 += step) {
            UNROLL
            for (int k = 0; k < step; k++, panel += vectors * DIRAC_LANES) {
                vec b[2];
                UNROLL
                for (int l = k * lines / step; l < (k + 1) * lines / step; l++, call += CACHE_LINE) {
                    call_for(pace, call);
                }
                UNROLL
                for (int v = 0; v < vectors; v++) {
                    b[v] = vec_load(panel + v * DIRAC_LANES);
                }
                UNROLL
                for (int m = 0; m < rows; m++) {
                    const vec a = vec_all(x[m * CACHE_LINE + k0 + k]);
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

#define ROWS_INSTANCE(name, pace, m, vectors)                                                                            \
    static void name(float *to, const float *x, const float *panel, const float *call, int64_t channels, int32_t add)    \
    {                                                                                                                    \
        rows_product(pace, m, vectors, to, x, panel, call, channels, add);                                               \
    }
#define ROWS_INSTANCES(m)                                  \
    ROWS_INSTANCE(none_##m##_1, DIRAC__CALLS_NONE, m, 1)   \
    ROWS_INSTANCE(none_##m##_2, DIRAC__CALLS_NONE, m, 2)   \
    ROWS_INSTANCE(whole_##m##_2, DIRAC__CALLS_WHOLE, m, 2) \
    ROWS_INSTANCE(next_##m##_2, DIRAC__CALLS_NEXT, m, 2)
#define TALL_INSTANCES(m)                                      \
    ROWS_INSTANCE(quarter_##m##_2, DIRAC__CALLS_QUARTER, m, 2) \
    ROWS_INSTANCE(half_##m##_2, DIRAC__CALLS_HALF, m, 2)
DIRAC__HEIGHTS(TILE_ROWS, ROWS_INSTANCES)
DIRAC__TALL_HEIGHTS(TILE_ROWS, TALL_INSTANCES)

/* One vector is the last panel of many, or the only one, of few weights. */
#define NONE_ENTRY(m) {none_##m##_1, none_##m##_2},
#define QUARTER_ENTRY(m) {none_##m##_1, quarter_##m##_2},
#define HALF_ENTRY(m) {none_##m##_1, half_##m##_2},
#define WHOLE_ENTRY(m) {none_##m##_1, whole_##m##_2},
#define NEXT_ENTRY(m) {none_##m##_1, next_##m##_2},
dirac__rows_function *const KERNEL(rows_products)[DIRAC__PACES][TILE_ROWS][2] = {
    [DIRAC__CALLS_NONE] = {DIRAC__HEIGHTS(TILE_ROWS, NONE_ENTRY)},
    [DIRAC__CALLS_QUARTER] = {DIRAC__LOW_HEIGHTS(TILE_ROWS, NONE_ENTRY) DIRAC__TALL_HEIGHTS(TILE_ROWS, QUARTER_ENTRY)},
    [DIRAC__CALLS_HALF] = {DIRAC__LOW_HEIGHTS(TILE_ROWS, NONE_ENTRY) DIRAC__TALL_HEIGHTS(TILE_ROWS, HALF_ENTRY)},
    [DIRAC__CALLS_WHOLE] = {DIRAC__HEIGHTS(TILE_ROWS, WHOLE_ENTRY)},
    [DIRAC__CALLS_NEXT] = {DIRAC__HEIGHTS(TILE_ROWS, NEXT_ENTRY)},
};
