/* SPDX-License-Identifier: MIT */
/*
 * The transforms of F(4x4, 3x3) in one dimension, with the interpolation points 0, +-a, +-b and infinity. a = sqrt(1/2) and
 * b = sqrt(2) make the error about a third of that of the usual 1 and 2 (and twice that of the direct sum;
 * docs/numerics.md).
 */
#ifndef KERNELS_WINOGRAD_POINTS4_H
#define KERNELS_WINOGRAD_POINTS4_H

#define POINT_A 0.70710678118654752f
#define POINT_B 1.41421356237309505f
/* a^2 = 1/2, b^2 = 2, a^2 b^2 = 1, a^2 + b^2 = 5/2 */
#define POINT_A3 0.35355339059327376f /* a^3 */
#define POINT_B3 2.82842712474619010f /* b^3 */

/* Points in pairs: 0 and infinity, +-a, +-b. */
#define POINT_PAIRS 3
static ALWAYS_INLINE int pair_point(int pair, int which)
{
    static const int points[POINT_PAIRS][2] = {{0, 5}, {1, 2}, {3, 4}};
    return points[pair][which];
}

/* B' d of one pair. */
static ALWAYS_INLINE void input_pair(int pair, vec out[2], const vec in[6])
{
    if (pair == 0) {
        out[0] = in[0] - 2.5f * in[2] + in[4];
        out[1] = in[1] - 2.5f * in[3] + in[5];
    } else {
        const float point = pair == 1 ? POINT_A : POINT_B, square = pair == 1 ? 2.0f : 0.5f; /* of the other pair */
        const vec even = in[4] - square * in[2], odd = point * (in[3] - square * in[1]);
        out[0] = even + odd;
        out[1] = even - odd;
    }
}

/* B' d: input to points. */
static ALWAYS_INLINE void input_transform(vec out[6], const vec in[6])
{
    UNROLL
    for (int pair = 0; pair < POINT_PAIRS; pair++) {
        vec points[2];
        input_pair(pair, points, in);
        out[pair_point(pair, 0)] = points[0];
        out[pair_point(pair, 1)] = points[1];
    }
}

/* A' m of one pair, as output_join takes it: the two themselves for 0 and infinity, or else their sum and difference. */
static ALWAYS_INLINE void output_pair(int pair, vec out[2], vec a, vec b)
{
    out[0] = pair == 0 ? a : a + b;
    out[1] = pair == 0 ? b : a - b;
}

static ALWAYS_INLINE void output_join(vec out[4], vec pairs[POINT_PAIRS][2])
{
    out[0] = pairs[0][0] + pairs[1][0] + pairs[2][0];
    out[1] = POINT_A * pairs[1][1] + POINT_B * pairs[2][1];
    out[2] = 0.5f * pairs[1][0] + 2.0f * pairs[2][0];
    out[3] = POINT_A3 * pairs[1][1] + POINT_B3 * pairs[2][1] + pairs[0][1];
}

/* A' m: points to outputs. */
static ALWAYS_INLINE void output_transform(vec out[4], const vec in[6])
{
    vec pairs[POINT_PAIRS][2];
    UNROLL
    for (int pair = 0; pair < POINT_PAIRS; pair++) {
        output_pair(pair, pairs[pair], in[pair_point(pair, 0)], in[pair_point(pair, 1)]);
    }
    output_join(out, pairs);
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

/* G g of one pair. */
static ALWAYS_INLINE void weight_pair(int pair, vec out[2], const vec in[3])
{
    if (pair == 0) {
        out[0] = in[0];
        out[1] = in[2];
    } else {
        const float factor = pair == 1 ? WEIGHT_A : WEIGHT_B, point = pair == 1 ? POINT_A : POINT_B;
        const float square = pair == 1 ? 0.5f : 2.0f;
        const vec even = factor * (in[0] + square * in[2]), odd = (factor * point) * in[1];
        out[0] = even + odd;
        out[1] = even - odd;
    }
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

#endif
