/* SPDX-License-Identifier: MIT */
/*
 * Winograd's F(4x4, 3x3): a 3x3 convolution of stride 1 in 36 instead of 144 multiplications for each 4x4 tile of outputs.
 *
 *     y = A' [ (G g G') . (B' x B) ] A        x: 6x6 inputs, g: 3x3 weights, y: 4x4 outputs, . element by element
 *
 * with the interpolation points 0, +-a, +-b and infinity. a = sqrt(1/2) and b = sqrt(2) make the error about a third of
 * that of the usual 1 and 2 (and twice that of the direct sum; docs/numerics.md). Summed over input channels, the
 * products are 36 independent matrix products. The gradients are adjoints of the same three transforms:
 *
 *     dg = G' [ sum over tiles of (A dy A') . (B' x B) ] G
 */
#ifndef KERNELS_WINOGRAD_H
#define KERNELS_WINOGRAD_H

#include "kernels/convolution_tile.h"

#define WINOGRAD_OUT 4      /* outputs a side */
#define WINOGRAD_IN 6       /* inputs a side */
#define WINOGRAD_POINTS 36  /* products a tile */

#define POINT_A 0.70710678118654752f
#define POINT_B 1.41421356237309505f
/* a^2 = 1/2, b^2 = 2, a^2 b^2 = 1, a^2 + b^2 = 5/2 */
#define POINT_A3 0.35355339059327376f /* a^3 */
#define POINT_B3 2.82842712474619010f /* b^3 */

/* B' d: input to points. */
static ALWAYS_INLINE void input_transform(vec out[6], const vec in[6])
{
    const vec even_a = in[4] - 2.0f * in[2], odd_a = POINT_A * (in[3] - 2.0f * in[1]);
    const vec even_b = in[4] - 0.5f * in[2], odd_b = POINT_B * (in[3] - 0.5f * in[1]);
    out[0] = in[0] - 2.5f * in[2] + in[4];
    out[1] = even_a + odd_a;
    out[2] = even_a - odd_a;
    out[3] = even_b + odd_b;
    out[4] = even_b - odd_b;
    out[5] = in[1] - 2.5f * in[3] + in[5];
}

/* A' m: points to outputs. */
static ALWAYS_INLINE void output_transform(vec out[4], const vec in[6])
{
    const vec sum_a = in[1] + in[2], difference_a = in[1] - in[2];
    const vec sum_b = in[3] + in[4], difference_b = in[3] - in[4];
    out[0] = in[0] + sum_a + sum_b;
    out[1] = POINT_A * difference_a + POINT_B * difference_b;
    out[2] = 0.5f * sum_a + 2.0f * sum_b;
    out[3] = POINT_A3 * difference_a + POINT_B3 * difference_b + in[5];
}

/* A y: the adjoint, outputs' gradients to points. */
static ALWAYS_INLINE void output_adjoint(vec out[6], const vec in[4])
{
    const vec even_a = in[0] + 0.5f * in[2], odd_a = POINT_A * in[1] + POINT_A3 * in[3];
    const vec even_b = in[0] + 2.0f * in[2], odd_b = POINT_B * in[1] + POINT_B3 * in[3];
    out[0] = in[0];
    out[1] = even_a + odd_a;
    out[2] = even_a - odd_a;
    out[3] = even_b + odd_b;
    out[4] = even_b - odd_b;
    out[5] = in[3];
}

/* The factors of G: 1 / product over the other finite points q of (p - q). */
#define WEIGHT_A (-2.0f / 3.0f) /* 1 / (2 a^2 (a^2 - b^2)) */
#define WEIGHT_B (1.0f / 6.0f)  /* 1 / (2 b^2 (b^2 - a^2)) */

/* G g: weights to points. */
static ALWAYS_INLINE void weight_transform(vec out[6], const vec in[3])
{
    const vec even_a = WEIGHT_A * (in[0] + 0.5f * in[2]), odd_a = (WEIGHT_A * POINT_A) * in[1];
    const vec even_b = WEIGHT_B * (in[0] + 2.0f * in[2]), odd_b = (WEIGHT_B * POINT_B) * in[1];
    out[0] = in[0];
    out[1] = even_a + odd_a;
    out[2] = even_a - odd_a;
    out[3] = even_b + odd_b;
    out[4] = even_b - odd_b;
    out[5] = in[2];
}

/* G' u: the adjoint, points' gradients to weights. */
static ALWAYS_INLINE void weight_adjoint(vec out[3], const vec in[6])
{
    const vec sum_a = WEIGHT_A * (in[1] + in[2]), difference_a = in[1] - in[2];
    const vec sum_b = WEIGHT_B * (in[3] + in[4]), difference_b = in[3] - in[4];
    out[0] = in[0] + sum_a + sum_b;
    out[1] = (WEIGHT_A * POINT_A) * difference_a + (WEIGHT_B * POINT_B) * difference_b;
    out[2] = 0.5f * sum_a + 2.0f * sum_b + in[5];
}

/* The tiles of a convolution: tile t is row ty, column tx of image t / (high * wide). */
typedef struct dirac__tiling {
    int64_t high, wide, count; /* tiles of one image in each direction; of all images */
    int64_t source[2], target[2]; /* height and width of what is read and written */
    int64_t before[2];
} dirac__tiling;

/* Where a tile is; the next one follows without a division. */
typedef struct dirac__tile_place {
    int64_t image, row, column;
} dirac__tile_place;

static inline dirac__tile_place place_of(const dirac__tiling *tiling, int64_t tile)
{
    const int64_t line = tile / tiling->wide;
    return (dirac__tile_place){line / tiling->high, line % tiling->high, tile % tiling->wide};
}

static inline void next_place(dirac__tile_place *place, const dirac__tiling *tiling)
{
    if (++place->column == tiling->wide) {
        place->column = 0;
        if (++place->row == tiling->high) {
            place->row = 0;
            place->image++;
        }
    }
}

static inline int64_t tiles_over(int64_t size)
{
    return (size + WINOGRAD_OUT - 1) / WINOGRAD_OUT;
}

/* The tiling of a forward product, and of the product that gives the gradient at the input. */
dirac__tiling KERNEL(tiling_forward)(const dirac__convolution *shape);
dirac__tiling KERNEL(tiling_backward)(const dirac__convolution *shape);

/* ---- transformed inputs (winograd_input.c) ---- */

/* Where point e of tile t, channel c goes, for c a multiple of DIRAC_LANES:
 *     v[e * point + t / TILE_ROWS * block + t % TILE_ROWS * tile + c / DIRAC_LANES * channel] */
typedef struct dirac__point_order {
    int64_t point, block, tile, channel;
} dirac__point_order;

/* v <- B' x B of tiles t0 to t0 + count - 1, the first of them tile number `first` of v; x (images, source, channels), read
 * as `activation` says. `zero`: `channels` zeros. */
void KERNEL(winograd_inputs)(float *v, const dirac__point_order *order, int64_t first, const float *x,
                             const dirac__activation *activation, const float *zero, int64_t channels,
                             const dirac__tiling *tiling, int64_t t0, int64_t count);

/* ---- products (winograd_product.c) ---- */

/* The order of V that products read: blocks of TILE_ROWS tiles, in each [channels / LANES][TILE_ROWS][LANES]. */
dirac__point_order KERNEL(winograd_order)(int64_t tiles, int64_t channels);

/* Floats of V and of M for `tiles` tiles; a line of the cache lies between matrices, lest 36 streams meet in one set. */
int64_t KERNEL(winograd_inputs_size)(int64_t tiles, int64_t channels);
int64_t KERNEL(winograd_products_size)(int64_t tiles, int64_t channels);

/* m[panel][t][width] <- V U for one point: `tiles` tiles, panels p0 to p1 - 1; u and v are that point's. */
void KERNEL(winograd_multiply)(float *m, const float *v, const float *u, int64_t tiles, int64_t summed, int64_t written,
                               int64_t p0, int64_t p1);

/* ---- weights (winograd_pack.c) ---- */

/* Floats from one matrix of summed x written channels to the next: [panel][k][width] (convolution.h), and a line of the
 * cache, lest 36 streams meet in one set. */
static inline int64_t matrix_stride(int64_t summed, int64_t written)
{
    return padded_channels(written) * summed + 16;
}

#endif
