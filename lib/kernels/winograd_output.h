/* SPDX-License-Identifier: MIT */
/*
 * Winograd's output transform y = A' m A (winograd.h) and what is done to outputs before they leave the registers:
 *
 * - forward: + bias, ReLU, which is a maximum with zero or, where there is none, with minus infinity;
 * - moments, of outputs that no ReLU changes: + bias, sums of y - p and (y - p)^2 a channel, p the group's first value, so
 *   that nothing cancels but where values spread far about their mean;
 * - mask: the gradient through y = max(scale z + shift, 0), and the sums of it and of it times (z - mean).
 *
 * The sums of one tile are taken in float, all others in double: batch norm's backward takes a gradient apart along its mean
 * and along z, and what an inexact mean, variance or product leaves in it adds up over all positions.
 *
 * A group of tiles (a block, or a few tiles) has a part of its own for its sums: n, then p of each channel in float, then sum
 * and second of each in double.
 */
#ifndef KERNELS_WINOGRAD_OUTPUT_H
#define KERNELS_WINOGRAD_OUTPUT_H

#include <math.h>

#include "kernels/winograd.h"

enum { WRITE_PLAIN, WRITE_MOMENTS, WRITE_MASKED };

typedef struct dirac__output {
    float *y; /* (images, target, written) */
    const float *bias;
    int32_t relu;
    const dirac__moments *moments;
    const dirac__mask *mask;
    float *parts;
    int64_t written;
} dirac__output;

static inline int write_mode(const dirac__output *o)
{
    return o->mask != NULL ? WRITE_MASKED : o->moments != NULL ? WRITE_MOMENTS : WRITE_PLAIN;
}

/* M: [point][panel][t][width], point apart by stride; tile t0 of the tiling is number `first` of `count`. */
typedef struct dirac__products {
    const float *m;
    int64_t stride, count, first;
} dirac__products;

static inline int64_t dirac__group_floats(int64_t written)
{
    return 16 + 5 * written;
}

/* Where a part has p, and where it has sum; second stands `written` behind. */
static inline float *pivots_of(float *part)
{
    return part + 16;
}

static inline double *sums_of(float *part, int64_t written)
{
    return (double *)(void *)(pivots_of(part) + written);
}

/* A tile's place in y, and how much of it lies inside. */
typedef struct tile_target {
    int64_t offset, line, high, wide;
} tile_target;

static ALWAYS_INLINE tile_target find_target(const dirac__tiling *tiling, const dirac__tile_place *place, int64_t channels)
{
    const int64_t top = place->row * WINOGRAD_OUT, left = place->column * WINOGRAD_OUT;
    return (tile_target){
        .offset = ((place->image * tiling->target[0] + top) * tiling->target[1] + left) * channels,
        .line = tiling->target[1] * channels,
        .high = at_most(WINOGRAD_OUT, tiling->target[0] - top),
        .wide = at_most(WINOGRAD_OUT, tiling->target[1] - left)};
}

/* What one vector of channels of one tile is written with. */
typedef struct vector_writer {
    float *y;
    const float *z;
    int64_t line, channels, high, wide;
    vec bias, least, pivot, scale, shift, mean;
    vec sum, second;
} vector_writer;

/* One output vector of row i, column j. */
static ALWAYS_INLINE void write_one(int mode, vector_writer *w, int64_t i, int64_t j, vec v)
{
    const int64_t at = i * w->line + j * w->channels;
    if (mode == WRITE_MASKED) {
        typedef int32_t bits __attribute__((vector_size(DIRAC_LANES * 4)));
        const vec z = vec_load(w->z + at);
        v = (vec)((bits)v & (bits)(w->scale * z + w->shift > (vec){0}));
        w->sum += v;
        w->second += v * (z - w->mean);
    } else {
        v += w->bias;
        if (mode == WRITE_MOMENTS) {
            const vec d = v - w->pivot;
            w->sum += d;
            w->second += d * d;
        } else {
            v = vec_at_least(v, w->least);
        }
    }
    vec_store(w->y + at, v);
}

/* One row of outputs. */
static ALWAYS_INLINE void write_row(int mode, int whole, vector_writer *w, int64_t i, const vec out[WINOGRAD_OUT])
{
    UNROLL
    for (int j = 0; j < WINOGRAD_OUT; j++) {
        if (!whole && j >= w->wide) {
            break;
        }
        write_one(mode, w, i, j, out[j]);
    }
}

/* Channels c to c + LANES - 1 of a tile; `part` as above, `first` of its group or not. */
static ALWAYS_INLINE vector_writer start_vector(int mode, const dirac__output *o, const tile_target *target, int64_t c,
                                                float *part, int32_t first)
{
    vector_writer w = {.y = o->y + target->offset + c, .line = target->line, .channels = o->written,
                       .high = target->high, .wide = target->wide, .least = vec_all(o->relu ? 0 : -INFINITY)};
    if (o->bias != NULL) {
        w.bias = vec_load(o->bias + c);
    }
    if (mode == WRITE_MASKED) {
        w.z = o->mask->z + target->offset + c;
        w.scale = vec_load(o->mask->scale + c);
        w.shift = vec_load(o->mask->shift + c);
        w.mean = vec_load(o->mask->mean + c);
    }
    if (mode == WRITE_MOMENTS && !first) {
        w.pivot = vec_load(pivots_of(part) + c);
    }
    return w;
}

static ALWAYS_INLINE void add_lanes(double *to, vec v)
{
    float lanes[DIRAC_LANES];
    vec_store(lanes, v);
    for (int i = 0; i < DIRAC_LANES; i++) {
        to[i] += (double)lanes[i];
    }
}

/* The sums of what was written, and of a group's first vectors the pivot, into the group's part. */
static ALWAYS_INLINE void finish_vector(int mode, const vector_writer *w, int64_t c, float *part, int32_t first)
{
    if (mode == WRITE_MOMENTS && first) {
        vec_store(pivots_of(part) + c, w->pivot);
    }
    if (mode != WRITE_PLAIN) {
        double *sum = sums_of(part, w->channels) + c, *second = sum + w->channels;
        if (first) {
            memset(sum, 0, DIRAC_LANES * sizeof *sum);
            memset(second, 0, DIRAC_LANES * sizeof *second);
        }
        add_lanes(sum, w->sum);
        add_lanes(second, w->second);
    }
}

/* One vector of channels of one tile; m its first product. Columns first, then rows. */
static ALWAYS_INLINE void write_vector(int mode, int whole, vector_writer *w, const float *m, int64_t stride, int32_t first)
{
    vec middle[WINOGRAD_OUT][WINOGRAD_IN], out[WINOGRAD_OUT];
    for (int64_t j = 0; j < WINOGRAD_IN; j++) {
        vec column[WINOGRAD_IN];
        UNROLL
        for (int i = 0; i < WINOGRAD_IN; i++) {
            column[i] = vec_load(m + (i * WINOGRAD_IN + j) * stride);
        }
        output_transform(out, column);
        UNROLL
        for (int i = 0; i < WINOGRAD_OUT; i++) {
            middle[i][j] = out[i];
        }
    }
    for (int64_t i = 0; i < (whole ? WINOGRAD_OUT : w->high); i++) {
        output_transform(out, middle[i]);
        if (mode == WRITE_MOMENTS && first && i == 0) {
            w->pivot = out[0] + w->bias;
        }
        write_row(mode, whole, w, i, out);
    }
}

/* All channels of one tile, number t of the products. */
static ALWAYS_INLINE void write_tile(int mode, int whole, const dirac__output *o, const tile_target *target,
                                     const dirac__products *products, int64_t t, float *part, int32_t first)
{
    for (int64_t c = 0; c < o->written; c += DIRAC_LANES) {
        const int64_t p = c / PANEL;
        const float *m = products->m + p * PANEL * products->count + t * panel_width(o->written, p) + c % PANEL;
        vector_writer w = start_vector(mode, o, target, c, part, first);
        write_vector(mode, whole, &w, m, products->stride, first);
        finish_vector(mode, &w, c, part, first);
    }
}

static ALWAYS_INLINE void write_tiles(int mode, const dirac__output *o, const dirac__tiling *tiling,
                                      const dirac__products *products, int64_t t0, int64_t count, float *part)
{
    dirac__tile_place place = place_of(tiling, t0);
    float n = 0;
    for (int64_t t = 0; t < count; t++, next_place(&place, tiling)) {
        const tile_target target = find_target(tiling, &place, o->written);
        if (target.high == WINOGRAD_OUT && target.wide == WINOGRAD_OUT) {
            write_tile(mode, 1, o, &target, products, products->first + t, part, t == 0);
        } else {
            write_tile(mode, 0, o, &target, products, products->first + t, part, t == 0);
        }
        n += (float)(target.high * target.wide);
    }
    if (mode != WRITE_PLAIN) {
        part[0] = n;
    }
}

/* Writes `count` tiles from t0 on; they are group `group`. */
static inline void write_outputs(const dirac__output *o, const dirac__tiling *tiling, const dirac__products *products,
                                 int64_t t0, int64_t count, int64_t group)
{
    float *part = o->parts + group * dirac__group_floats(o->written);
    switch (write_mode(o)) {
    case WRITE_MASKED: write_tiles(WRITE_MASKED, o, tiling, products, t0, count, part); break;
    case WRITE_MOMENTS: write_tiles(WRITE_MOMENTS, o, tiling, products, t0, count, part); break;
    default: write_tiles(WRITE_PLAIN, o, tiling, products, t0, count, part); break;
    }
}

/* ---- joining the groups ---- */

/* Means and squares about them of two sets: delta = mean_b - mean_a, mean = mean_a + delta n_b/n,
 * squares = squares_a + squares_b + delta^2 n_a n_b / n. */
static inline void join_moments(const dirac__output *o, int64_t groups, int64_t c)
{
    double n = 0, mean = 0, squares = 0;
    for (int64_t g = 0; g < groups; g++) {
        float *part = o->parts + g * dirac__group_floats(o->written);
        const double *sums = sums_of(part, o->written) + c;
        const double count = part[0], delta = pivots_of(part)[c] + sums[0] / count - mean, total = n + count;
        squares += sums[o->written] - sums[0] * sums[0] / count + delta * delta * n * count / total;
        mean += delta * count / total;
        n = total;
    }
    o->moments->mean[c] = (float)mean;
    o->moments->var[c] = (float)(squares > 0 ? squares / n : squares < 0 ? 0 : squares); /* NaN stays */
}

static inline void join_mask(const dirac__output *o, int64_t groups, int64_t c)
{
    double sum = 0, product = 0;
    for (int64_t g = 0; g < groups; g++) {
        const double *sums = sums_of(o->parts + g * dirac__group_floats(o->written), o->written) + c;
        sum += sums[0];
        product += sums[o->written];
    }
    o->mask->sum[c] = (float)sum;
    o->mask->product[c] = (float)product;
}

static inline void finish_outputs(const dirac__output *o, int64_t groups)
{
    for (int64_t c = 0; c < o->written && o->moments != NULL; c++) {
        join_moments(o, groups, c);
    }
    for (int64_t c = 0; c < o->written && o->mask != NULL; c++) {
        join_mask(o, groups, c);
    }
}

#endif
