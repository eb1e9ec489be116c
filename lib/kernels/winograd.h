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

/* B' d: input to points. A two-dimensional transform goes by pairs of points, which share their terms: the 6x6 vectors of
 * all at once would be more than there are registers. */
static ALWAYS_INLINE void input_pair(int pair, vec out[2], const vec in[6])
{
    if (pair == 0) { /* points 0 and infinity */
        out[0] = in[0] - 2.5f * in[2] + in[4];
        out[1] = in[1] - 2.5f * in[3] + in[5];
    } else { /* a and -a, b and -b */
        const float square = pair == 1 ? 2.0f : 0.5f, factor = pair == 1 ? POINT_A : POINT_B;
        const vec even = in[4] - square * in[2], odd = factor * (in[3] - square * in[1]);
        out[0] = even + odd;
        out[1] = even - odd;
    }
}

/* The points of a pair. */
#define PAIR_FIRST(pair) ((pair) == 0 ? 0 : 2 * (pair) - 1)
#define PAIR_SECOND(pair) ((pair) == 0 ? 5 : 2 * (pair))

static ALWAYS_INLINE void input_transform(vec out[6], const vec in[6])
{
    UNROLL
    for (int pair = 0; pair < 3; pair++) {
        vec two[2];
        input_pair(pair, two, in);
        out[PAIR_FIRST(pair)] = two[0];
        out[PAIR_SECOND(pair)] = two[1];
    }
}

/* A' m: points to outputs; half 0 gives outputs 0 and 2, half 1 gives 1 and 3. */
static ALWAYS_INLINE void output_half(int half, vec out[2], const vec in[6])
{
    if (half == 0) {
        const vec sum_a = in[1] + in[2], sum_b = in[3] + in[4];
        out[0] = in[0] + sum_a + sum_b;
        out[1] = 0.5f * sum_a + 2.0f * sum_b;
    } else {
        const vec difference_a = in[1] - in[2], difference_b = in[3] - in[4];
        out[0] = POINT_A * difference_a + POINT_B * difference_b;
        out[1] = POINT_A3 * difference_a + POINT_B3 * difference_b + in[5];
    }
}

static ALWAYS_INLINE void output_transform(vec out[4], const vec in[6])
{
    vec even[2], odd[2];
    output_half(0, even, in);
    output_half(1, odd, in);
    out[0] = even[0];
    out[1] = odd[0];
    out[2] = even[1];
    out[3] = odd[1];
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

/* The tiling of a forward product, and of the product that gives the gradient at the input. */
dirac__tiling KERNEL(tiling_forward)(const dirac__convolution *shape);
dirac__tiling KERNEL(tiling_backward)(const dirac__convolution *shape);

/* v[e * stride + (t - t0) * channels + c] <- B' x B of tiles t0 to t0 + count - 1; x (images, source, channels). `zero`:
 * `channels` zeros. */
void KERNEL(winograd_inputs)(float *v, int64_t stride, const float *x, const float *zero, int64_t channels,
                             const dirac__tiling *tiling, int64_t t0, int64_t count);

/* Floats of 36 matrices of summed x written channels in panels (convolution.h): [e][panel][k][width]. */
int64_t KERNEL(winograd_matrix_size)(int64_t summed, int64_t written);

#endif
