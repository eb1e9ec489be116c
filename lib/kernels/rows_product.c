/* SPDX-License-Identifier: MIT */
/*
 * The instances are written out for constant rows, vectors and paces: a count of lines to call for that is only known at run
 * time costs a branch with every channel, which is a tenth of the time where a panel meets few tiles. Both tile sizes use the
 * same ones.
 */
#include "kernels/rows_product.h"

/* Lines of the cache that four channels call for. */
static ALWAYS_INLINE int lines_called(int pace, int vectors)
{
    const int all = 4 * vectors * DIRAC_LANES / CACHE_LINE;
    return pace == DIRAC__CALLS_NONE ? 0 : pace == DIRAC__CALLS_HALF ? all / 2 : all;
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

static ALWAYS_INLINE void rows_product(int pace, int rows, int vectors, float *to, const float *x, const float *panel,
                                       const float *call, int64_t channels, int32_t add)
{
    const int lines = lines_called(pace, vectors);
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
            UNROLL
            for (int k = 0; k < 4; k++, panel += vectors * DIRAC_LANES) {
                vec b[2];
                UNROLL
                for (int l = k * lines / 4; l < (k + 1) * lines / 4; l++, call += CACHE_LINE) {
                    call_for(pace, call);
                }
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

#define ROWS_INSTANCE(name, pace, m, vectors)                                                                            \
    static void name(float *to, const float *x, const float *panel, const float *call, int64_t channels, int32_t add)    \
    {                                                                                                                    \
        rows_product(pace, m, vectors, to, x, panel, call, channels, add);                                               \
    }
#define ROWS_INSTANCES(m)                                    \
    ROWS_INSTANCE(none_##m##_1, DIRAC__CALLS_NONE, m, 1)     \
    ROWS_INSTANCE(none_##m##_2, DIRAC__CALLS_NONE, m, 2)     \
    ROWS_INSTANCE(whole_##m##_1, DIRAC__CALLS_WHOLE, m, 1)   \
    ROWS_INSTANCE(whole_##m##_2, DIRAC__CALLS_WHOLE, m, 2)   \
    ROWS_INSTANCE(next_##m##_2, DIRAC__CALLS_NEXT, m, 2)
DIRAC__HEIGHTS(TILE_ROWS, ROWS_INSTANCES)
ROWS_INSTANCE(half_1, DIRAC__CALLS_HALF, TILE_ROWS, 1)
ROWS_INSTANCE(half_2, DIRAC__CALLS_HALF, TILE_ROWS, 2)

#define NONE_ENTRY(m) {none_##m##_1, none_##m##_2},
#define WHOLE_ENTRY(m) {whole_##m##_1, whole_##m##_2},
#define NEXT_ENTRY(m) {whole_##m##_1, next_##m##_2}, /* one vector: the last panel, or the only one */
dirac__rows_function *const KERNEL(rows_products)[DIRAC__PACES][TILE_ROWS][2] = {
    [DIRAC__CALLS_NONE] = {DIRAC__HEIGHTS(TILE_ROWS, NONE_ENTRY)},
    [DIRAC__CALLS_HALF] = {[TILE_ROWS - 1] = {half_1, half_2}},
    [DIRAC__CALLS_WHOLE] = {DIRAC__HEIGHTS(TILE_ROWS, WHOLE_ENTRY)},
    [DIRAC__CALLS_NEXT] = {DIRAC__HEIGHTS(TILE_ROWS, NEXT_ENTRY)},
};
