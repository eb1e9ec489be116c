/* SPDX-License-Identifier: MIT */
/*
 * Winograd's F(m x m, 3x3): a 3x3 convolution of stride 1 in (m+2)^2 instead of 9 m^2 multiplications for each m x m tile of
 * outputs: 36 instead of 144 for m = 4, 16 instead of 36 for m = 2.
 *
 *     y = A' [ (G g G') . (B' x B) ] A        x: (m+2)^2 inputs, g: 3x3 weights, y: m x m outputs, . element by element
 *
 * Summed over input channels, the products are (m+2)^2 independent matrix products. The gradients are adjoints of the same
 * three transforms:
 *
 *     dg = G' [ sum over tiles of (A dy A') . (B' x B) ] G
 */
#ifndef KERNELS_WINOGRAD_H
#define KERNELS_WINOGRAD_H

#include "kernels/rows_product.h"

/* WINOGRAD_OUT, outputs a side: 4 or 2, by the build, which compiles these files for both. */
#define WINOGRAD_IN (WINOGRAD_OUT + 2)              /* inputs a side */
#define WINOGRAD_POINTS (WINOGRAD_IN * WINOGRAD_IN) /* products a tile */

#if WINOGRAD_OUT == 4
#define WINOGRAD(name) DIRAC__JOIN(dirac__, DIRAC_VARIANT, winograd4_##name)
#include "kernels/winograd_points4.h"
#elif WINOGRAD_OUT == 2
#define WINOGRAD(name) DIRAC__JOIN(dirac__, DIRAC_VARIANT, winograd2_##name)
#include "kernels/winograd_points2.h"
#endif

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
dirac__tiling WINOGRAD(tiling_forward)(const dirac__convolution *shape);
dirac__tiling WINOGRAD(tiling_backward)(const dirac__convolution *shape);

/* ---- transformed inputs (winograd_input.c) ---- */

/* Where point e of tile t, channel c goes, for c a multiple of DIRAC_LANES:
 *     v[e * point + t / rows * block + t % rows * tile + c / CACHE_LINE * line + c % CACHE_LINE / DIRAC_LANES * vector] */
typedef struct dirac__point_order {
    int64_t point, block, tile, line, vector;
    int64_t rows; /* tiles of a block, at most TILE_ROWS */
} dirac__point_order;

/* v <- B' x B of tiles t0 to t0 + count - 1, the first of them tile number `first` of v; x (images, source, channels), read
 * as `activation` says. `zero`: `channels` zeros. */
void WINOGRAD(inputs)(float *v, const dirac__point_order *order, int64_t first, const float *x,
                      const dirac__activation *activation, const float *zero, int64_t channels,
                      const dirac__tiling *tiling, int64_t t0, int64_t count);

/* ---- products (winograd_product.c) ---- */

/* The order of V that products read: as few blocks as can be, of equally many tiles but for the last, in each
 * [channels / LANES][TILE_ROWS][LANES]. */
dirac__point_order WINOGRAD(order)(int64_t tiles, int64_t channels);

/* Floats of V and of M for `tiles` tiles; a line of the cache lies between matrices, lest 36 streams meet in one set. */
int64_t WINOGRAD(inputs_size)(int64_t tiles, int64_t channels);
int64_t WINOGRAD(products_size)(int64_t tiles, int64_t channels);

/* Memory to call for with the first `blocks` blocks of tiles, at a pace of rows_product.h, from `at` on, which moves by `step`
 * floats from block to block. */
typedef struct dirac__stream {
    const float *at;
    int64_t step, blocks;
    int32_t pace;
} dirac__stream;

/* m[t][width] <- V U for one point and `count` channels of one panel, or added to m if `add`. */
void WINOGRAD(multiply_panel)(float *m, const float *v, const dirac__point_order *order, const float *u, int64_t tiles,
                              int64_t count, int64_t width, int32_t add, dirac__stream ahead);

/* m[panel][t][width] <- V U for one point: `tiles` tiles, panels p0 to p1 - 1; u and v are that point's. Meanwhile memory is
 * called for: what `calls` says, or if NULL, the panel behind. */
void WINOGRAD(multiply)(float *m, const float *v, const dirac__point_order *order, const float *u, int64_t tiles,
                        int64_t summed, int64_t written, int64_t p0, int64_t p1, dirac__calls *calls);

/* ---- gradient at the weights (winograd_weight.c) ---- */

size_t WINOGRAD(weight_scratch)(const dirac__convolution *shape, int32_t lanes);
void WINOGRAD(backward_weight)(float *g, const float *x, const dirac__activation *, float *dy, const dirac__correction *,
                               float *scratch, const dirac__convolution *, dirac__team *);

/* ---- weights (winograd_pack.c) ---- */

size_t WINOGRAD(packed)(const dirac__convolution *shape);
void WINOGRAD(pack)(float *packed, const float *w, const float *scale, const float *delta, const dirac__convolution *,
                    dirac__team *);
size_t WINOGRAD(packed_transposed)(const dirac__convolution *shape);
void WINOGRAD(pack_transposed)(float *packed, const float *w, const float *scale, const float *delta,
                               const dirac__convolution *, dirac__team *);

/* u[e * point + k * width + j] <- U of `count` summed channels from k0 on, panel p of `written` channels. */
void WINOGRAD(pack_channels)(float *u, int64_t point, const dirac__filters *filters, int32_t transposed, int64_t ci,
                             int64_t written, int64_t p, int64_t k0, int64_t count);

/* Floats from one matrix of summed x written channels to the next: [panel][k][width] (convolution.h), and a line of the
 * cache, lest 36 streams meet in one set. */
static inline int64_t matrix_stride(int64_t summed, int64_t written)
{
    return padded_channels(written) * summed + 16;
}

#endif
