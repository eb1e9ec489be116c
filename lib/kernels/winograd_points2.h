/* SPDX-License-Identifier: MIT */
/* The transforms of F(2x2, 3x3) in one dimension, with the interpolation points 0, 1, -1 and infinity. */
#ifndef KERNELS_WINOGRAD_POINTS2_H
#define KERNELS_WINOGRAD_POINTS2_H

/* B' d: input to points. */
static ALWAYS_INLINE void input_transform(vec out[4], const vec in[4])
{
    out[0] = in[0] - in[2];
    out[1] = in[2] + in[1];
    out[2] = in[2] - in[1];
    out[3] = in[3] - in[1];
}

/* A' m: points to outputs. */
static ALWAYS_INLINE void output_transform(vec out[2], const vec in[4])
{
    out[0] = in[0] + (in[1] + in[2]);
    out[1] = (in[1] - in[2]) + in[3];
}

/* A y: the adjoint, outputs' gradients to points. */
static ALWAYS_INLINE void output_adjoint(vec out[4], const vec in[2])
{
    out[0] = in[0];
    out[1] = in[0] + in[1];
    out[2] = in[0] - in[1];
    out[3] = in[1];
}

/* Points in pairs: 0 and infinity, 1 and -1. */
#define POINT_PAIRS 2
static ALWAYS_INLINE int pair_point(int pair, int which)
{
    static const int points[POINT_PAIRS][2] = {{0, 3}, {1, 2}};
    return points[pair][which];
}

/* G g of one pair. */
static ALWAYS_INLINE void weight_pair(int pair, vec out[2], const vec in[3])
{
    if (pair == 0) {
        out[0] = in[0];
        out[1] = in[2];
    } else {
        const vec even = 0.5f * (in[0] + in[2]), odd = 0.5f * in[1];
        out[0] = even + odd;
        out[1] = even - odd;
    }
}

/* G' u: the adjoint, points' gradients to weights. */
static ALWAYS_INLINE void weight_adjoint(vec out[3], const vec in[4])
{
    const vec sum = 0.5f * (in[1] + in[2]);
    out[0] = in[0] + sum;
    out[1] = 0.5f * (in[1] - in[2]);
    out[2] = sum + in[3];
}

#endif
