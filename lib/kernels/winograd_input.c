/* SPDX-License-Identifier: MIT */
/*
 * Winograd's input transform V = B' x B (winograd.h) for blocks of tiles, one vector of channels at a time: columns first,
 * into a buffer that stays in the first-level cache, then rows.
 *
 * x may be read as max(scale x + shift, 0), so that a batch norm and ReLU before the convolution need no array of their own.
 * Padding is zero behind that map, not before it.
 */
#include "kernels/winograd.h"

/* The inputs of a tile: pixel (i, j) at rows[i] + j * steps[i], for columns begin to end - 1. Rows outside the image have
 * step 0 and lie in zeros; columns outside are zeros without being read. */
typedef struct patch {
    const float *rows[WINOGRAD_IN];
    int64_t steps[WINOGRAD_IN];
    int64_t begin, end, top, bottom; /* of columns and of rows inside */
} patch;

static ALWAYS_INLINE patch find_patch(const float *x, const float *zero, int64_t channels, const dirac__tiling *tiling,
                                       const dirac__tile_place *place)
{
    const int64_t top = place->row * WINOGRAD_OUT - tiling->before[0];
    const int64_t left = place->column * WINOGRAD_OUT - tiling->before[1];
    patch out = {.begin = at_least(0, -left), .end = at_most(WINOGRAD_IN, tiling->source[1] - left),
                 .top = at_least(0, -top), .bottom = at_most(WINOGRAD_IN, tiling->source[0] - top)};
    const float *first = x + ((place->image * tiling->source[0] + top) * tiling->source[1] + left) * channels;
    for (int64_t i = 0; i < WINOGRAD_IN; i++) {
        const int inside = i >= out.top && i < out.bottom;
        out.rows[i] = inside ? first + i * tiling->source[1] * channels : zero;
        out.steps[i] = inside ? channels : 0;
    }
    return out;
}

static ALWAYS_INLINE int is_whole(const patch *in)
{
    return in->begin == 0 && in->end == WINOGRAD_IN && in->top == 0 && in->bottom == WINOGRAD_IN;
}

static ALWAYS_INLINE void store_row(float *v, int64_t point, int64_t row, const vec points[WINOGRAD_IN])
{
    UNROLL
    for (int j = 0; j < WINOGRAD_IN; j++) {
        vec_store(v + (row * WINOGRAD_IN + j) * point, points[j]);
    }
}

/* One vector of channels of one tile, to v at e * point. `active`: through scale and shift. `whole`: all pixels inside. */
static ALWAYS_INLINE void transform(int active, int whole, float *v, int64_t point, const patch *in, int64_t c,
                                    const dirac__activation *map)
{
    vec middle[WINOGRAD_IN][WINOGRAD_IN]; /* [row of points][column] */
    vec scale = {0}, shift = {0};
    if (active) {
        scale = vec_load(map->scale + c);
        shift = vec_load(map->shift + c);
    }
    for (int64_t j = 0; j < WINOGRAD_IN; j++) {
        vec column[WINOGRAD_IN], points[WINOGRAD_IN];
        if (!whole && (j < in->begin || j >= in->end)) {
            UNROLL
            for (int i = 0; i < WINOGRAD_IN; i++) {
                middle[i][j] = (vec){0};
            }
            continue;
        }
        UNROLL
        for (int i = 0; i < WINOGRAD_IN; i++) {
            column[i] = vec_load(in->rows[i] + j * in->steps[i] + c);
            if (active) {
                column[i] = vec_relu(scale * column[i] + shift);
                if (!whole && (i < in->top || i >= in->bottom)) {
                    column[i] = (vec){0};
                }
            }
        }
        input_transform(points, column);
        UNROLL
        for (int i = 0; i < WINOGRAD_IN; i++) {
            middle[i][j] = points[i];
        }
    }
    for (int64_t i = 0; i < WINOGRAD_IN; i++) {
        vec points[WINOGRAD_IN];
        input_transform(points, middle[i]);
        store_row(v, point, i, points);
    }
}

/* Whole tiles take some rows of points at a time, so that they fit the registers: half of them where there are 32, or two,
 * which share sums, where there are 16. */
#define IN_HALVES (DIRAC_LANES == 16)
#define IN_PAIRS (DIRAC_LANES == 8 && WINOGRAD_OUT == 4)

#if IN_HALVES || IN_PAIRS

/* Column j of a whole tile's inputs. */
static ALWAYS_INLINE void read_whole(int active, vec column[WINOGRAD_IN], const patch *in, int64_t j, int64_t c,
                                     const dirac__activation *map)
{
    UNROLL
    for (int i = 0; i < WINOGRAD_IN; i++) {
        column[i] = vec_load(in->rows[i] + j * in->steps[0] + c);
        if (active) {
            column[i] = vec_relu(vec_load(map->scale + c) * column[i] + vec_load(map->shift + c));
        }
    }
}

#endif

#if IN_HALVES

static ALWAYS_INLINE void transform_half(int active, int64_t first, float *v, int64_t point, const patch *in, int64_t c,
                                         const dirac__activation *map)
{
    vec middle[WINOGRAD_IN / 2][WINOGRAD_IN], points[WINOGRAD_IN];
    UNROLL
    for (int64_t j = 0; j < WINOGRAD_IN; j++) {
        vec column[WINOGRAD_IN];
        read_whole(active, column, in, j, c, map);
        input_transform(points, column);
        UNROLL
        for (int64_t i = 0; i < WINOGRAD_IN / 2; i++) {
            middle[i][j] = points[first + i];
        }
    }
    UNROLL
    for (int64_t i = 0; i < WINOGRAD_IN / 2; i++) {
        input_transform(points, middle[i]);
        store_row(v, point, first + i, points);
    }
}

static ALWAYS_INLINE void transform_whole(int active, float *v, int64_t point, const patch *in, int64_t c,
                                          const dirac__activation *map)
{
    transform_half(active, 0, v, point, in, c, map);
    transform_half(active, WINOGRAD_IN / 2, v, point, in, c, map);
}

#elif IN_PAIRS

static ALWAYS_INLINE void transform_pair(int active, int pair, float *v, int64_t point, const patch *in, int64_t c,
                                         const dirac__activation *map)
{
    vec p[WINOGRAD_IN], q[WINOGRAD_IN], points[WINOGRAD_IN];
    UNROLL
    for (int64_t j = 0; j < WINOGRAD_IN; j++) {
        vec column[WINOGRAD_IN], two[2];
        read_whole(active, column, in, j, c, map);
        input_pair(pair, two, column);
        p[j] = two[0];
        q[j] = two[1];
    }
    input_transform(points, p);
    store_row(v, point, pair_point(pair, 0), points);
    input_transform(points, q);
    store_row(v, point, pair_point(pair, 1), points);
}

static ALWAYS_INLINE void transform_whole(int active, float *v, int64_t point, const patch *in, int64_t c,
                                          const dirac__activation *map)
{
    transform_pair(active, 0, v, point, in, c, map);
    transform_pair(active, 1, v, point, in, c, map);
    transform_pair(active, 2, v, point, in, c, map);
}

#else

static ALWAYS_INLINE void transform_whole(int active, float *v, int64_t point, const patch *in, int64_t c,
                                          const dirac__activation *map)
{
    transform(active, 1, v, point, in, c, map);
}

#endif

/* All channels of one tile. */
static ALWAYS_INLINE void transform_tile(int active, int whole, float *v, const dirac__point_order *order, const patch *in,
                                         int64_t channels, const dirac__activation *map)
{
    for (int64_t c = 0; c < channels; c += DIRAC_LANES) {
        float *to = v + c / CACHE_LINE * order->line + c % CACHE_LINE / DIRAC_LANES * order->vector;
        if (whole) {
            transform_whole(active, to, order->point, in, c, map);
        } else {
            transform(active, 0, to, order->point, in, c, map);
        }
    }
}

void WINOGRAD(inputs)(float *v, const dirac__point_order *order, int64_t first, const float *x,
                      const dirac__activation *activation, const float *zero, int64_t channels,
                      const dirac__tiling *tiling, int64_t t0, int64_t count)
{
    dirac__tile_place place = place_of(tiling, t0);
    const int active = activation != NULL && activation->scale != NULL;
    for (int64_t t = first; t < first + count; t++, next_place(&place, tiling)) {
        float *to = v + t / order->rows * order->block + t % order->rows * order->tile;
        const patch in = find_patch(x, zero, channels, tiling, &place);
        if (is_whole(&in)) {
            if (active) {
                transform_tile(1, 1, to, order, &in, channels, activation);
            } else {
                transform_tile(0, 1, to, order, &in, channels, activation);
            }
        } else if (active) {
            transform_tile(1, 0, to, order, &in, channels, activation);
        } else {
            transform_tile(0, 0, to, order, &in, channels, activation);
        }
    }
}
