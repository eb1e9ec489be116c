/* SPDX-License-Identifier: MIT */
/*
 * The kernels: loops over floats. They know no layer, no net and no handle.
 *
 * All files of this folder named in `kernel_sources` of lib/meson.build are compiled once per instruction set; each such
 * copy fills one table (table.c) and callers reach every kernel through it. A kernel file writes its functions as
 * KERNEL(name), which gives them a name of their own in each copy, and uses compiler vector types of DIRAC_LANES floats.
 *
 * Layout: channels-last. An activation of n images is x[n][d][h][w][c]; "rows" means n*d*h*w, so that an activation is
 * also x[rows][c]. Parameters keep their public layout (out, in / groups, taps). Nothing is padded.
 *
 * Same bits for any number of lanes: work is cut by shape alone, and partial sums are added in a fixed order. An image's
 * forward results do not depend on n or on its place in the batch: every output element sums in the same order whichever
 * tile it falls in.
 *
 * Pointers never alias unless the comment says so. Outputs first, then inputs, then sizes.
 */
#ifndef KERNELS_KERNELS_H
#define KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "base/threads.h"

/* A convolution, always in three dimensions (d, h, w); fewer have leading ones. Sizes are of one image. A linear layer
 * is a convolution with all spatial numbers 1. */
typedef struct dirac__convolution {
    int64_t n;            /* images */
    int64_t groups;
    int64_t ci, co;       /* in and out channels of ONE group; an activation has groups * ci and groups * co */
    int64_t in[3], out[3];
    int64_t kernel[3], stride[3], dilation[3];
    int64_t before[3];    /* padding before */
} dirac__convolution;

/* A pooling window; same conventions. */
typedef struct dirac__pooling {
    int64_t n, c;
    int64_t in[3], out[3];
    int64_t kernel[3], stride[3], before[3];
    int32_t count_padding; /* average: whether padding counts in the divisor (what lies beyond in + 2 before never does) */
} dirac__pooling;

/* How a convolution may read x: as max(scale[c] x + shift[c], 0). scale NULL: as it is. Padding is zero all the same. */
typedef struct dirac__activation {
    const float *scale, *shift;
} dirac__activation;

/* Where a convolution leaves mean[c] and the biased var[c] of its outputs. */
typedef struct dirac__moments {
    float *mean, *var;
} dirac__moments;

/* What the gradient at an input that was read through an activation goes through: dz = dx where scale[c] z + shift[c] > 0,
 * and 0 elsewhere. Leaves sum[c] of dz and product[c] of dz (z - mean[c]): batch norm's backward starts with them. */
typedef struct dirac__mask {
    const float *z, *scale, *shift, *mean;
    float *sum, *product;
} dirac__mask;

/* What the gradient at y goes through before it is used: dy <- a[c] dy + (b[c] (y - mean[c]) + t[c]): the rest of batch
 * norm's backward, with y its input. */
typedef struct dirac__correction {
    const float *y, *a, *b, *mean, *t;
} dirac__correction;

/* The weights of a product: packed; or, packed being NULL, as they are, with scale and delta as conv_pack takes them, for the
 * product itself to transform. */
typedef struct dirac__filters {
    const float *packed;
    const float *w, *scale, *delta;
} dirac__filters;

/* Convolution by Winograd's F(m x m, 3x3) (winograd.h): 2-D, 3x3, stride and dilation 1, one group, whole vectors of
 * channels. Arguments as of the direct kernels (below); activation, moments, mask and correction: NULL where not wanted. */
typedef struct dirac__winograd {
    int32_t out; /* m */
    int32_t (*fits)(const dirac__convolution *); /* whether it can be used */
    size_t (*packed)(const dirac__convolution *);
    void (*pack)(float *packed, const float *w, const float *scale, const float *delta, const dirac__convolution *,
                 dirac__team *);
    size_t (*packed_transposed)(const dirac__convolution *);
    void (*pack_transposed)(float *packed, const float *w, const float *scale, const float *delta,
                            const dirac__convolution *, dirac__team *);
    /* Whether products of up to n images take weights that are not packed: large ones, which meet few tiles. */
    int32_t (*takes_unpacked)(const dirac__convolution *);
    /* Floats of scratch of the next two, for a team of so many lanes and up to n images. */
    size_t (*scratch)(const dirac__convolution *, int32_t unpacked, int32_t lanes);
    void (*forward)(float *y, const float *x, const dirac__activation *, const dirac__filters *, const float *bias,
                    int32_t relu, const dirac__moments *, float *scratch, const dirac__convolution *, dirac__team *);
    void (*backward_data)(float *dx, const float *dy, const dirac__filters *, const dirac__mask *, float *scratch,
                          const dirac__convolution *, dirac__team *);
    size_t (*weight_scratch)(const dirac__convolution *, int32_t lanes);
    /* dy is overwritten where it is corrected. */
    void (*backward_weight)(float *g, const float *x, const dirac__activation *, float *dy, const dirac__correction *,
                            float *scratch, const dirac__convolution *, dirac__team *);
} dirac__winograd;

typedef struct dirac__kernels {
    const char *name; /* "scalar", "x86-64-v3", ... */
    int64_t reading;  /* products of a convolution that take as long as bringing one weight from memory */

    /* ---- convolution (convolution.c): y[r,o] = bias[o] + sum_{t,i} x[pixel(r,t), i] What[o,i,t] ---- */

    /* Floats of the packed weights. */
    size_t (*conv_packed)(const dirac__convolution *);
    /* packed <- What[o,i,t] = scale[o] w[o,i,t] + (delta[o] where i == o % co and t is the centre tap). w is (groups*co, ci,
     * taps). scale, delta: (groups*co); NULL means 1 and 0. The centre is tap k/2 in each dimension. */
    void (*conv_pack)(float *packed, const float *w, const float *scale, const float *delta, const dirac__convolution *,
                      dirac__team *);
    /* y (n, out, groups*co) <- convolution of x (n, in, groups*ci). bias (groups*co) or NULL. relu: y <- max(y, 0). */
    void (*conv_forward)(float *y, const float *x, const float *packed, const float *bias, int32_t relu,
                         const dirac__convolution *, dirac__team *);

    /* The same for dx[pixel, i] = sum over (o, t) of dy What: its own packing. dx is overwritten. */
    size_t (*conv_packed_transposed)(const dirac__convolution *);
    void (*conv_pack_transposed)(float *packed, const float *w, const float *scale, const float *delta,
                                 const dirac__convolution *, dirac__team *);
    void (*conv_backward_data)(float *dx, const float *dy, const float *packed, const dirac__convolution *,
                               dirac__team *);

    /* g (groups*co, ci, taps) <- sum over images and pixels of x dy: the gradient at What, overwritten.
     * scratch: conv_weight_scratch() floats. */
    size_t (*conv_weight_scratch)(const dirac__convolution *);
    void (*conv_backward_weight)(float *g, const float *x, const float *dy, float *scratch, const dirac__convolution *,
                                 dirac__team *);

    /* ---- the same by Winograd's algorithm, where it can be used ---- */

    const dirac__winograd *winograd4, *winograd2; /* tiles of 4x4 and of 2x2 outputs */

    /* ---- per-channel work on x[rows][c] (channels.c). Sums are in double across blocks of rows. ---- */

    /* Floats of scratch that any of the four below needs. */
    size_t (*channel_scratch)(int64_t rows, int64_t c);
    /* sum[c] <- sum over rows (overwritten). */
    void (*channel_sum)(float *sum, const float *x, float *scratch, int64_t rows, int64_t c, dirac__team *);
    /* mean[c], var[c] (biased), by two passes: the mean, then the squares about it. */
    void (*channel_moments)(float *mean, float *var, const float *x, float *scratch, int64_t rows, int64_t c,
                            dirac__team *);
    /* y = s[c] x + t[c], then max(y, 0) if relu. y may be x. */
    void (*channel_affine)(float *y, const float *x, const float *s, const float *t, int32_t relu, int64_t rows,
                           int64_t c, dirac__team *);
    /* sum[c] <- sum over rows of dy, product[c] <- of dy (x - mean[c]): what backward of y = gamma (x - mean) rstd + beta
     * needs of all rows. */
    void (*norm_sums)(float *sum, float *product, const float *x, const float *dy, const float *mean, float *scratch,
                      int64_t rows, int64_t c, dirac__team *);
    /* dx <- dy corrected, rows of correction->y beside those of dy. dx may be dy. */
    void (*norm_correct)(float *dx, const float *dy, const dirac__correction *, float *scratch, int64_t rows, int64_t c,
                         dirac__team *);

    /* ---- element by element (elements.c), count numbers; outputs may be inputs unless channels change ---- */

    void (*relu)(float *y, const float *x, size_t count, dirac__team *);                     /* NaN stays */
    void (*relu_backward)(float *dx, const float *y, const float *dy, size_t count, dirac__team *); /* dy where y > 0 */
    void (*ncrelu)(float *y, const float *x, int64_t rows, int64_t c, dirac__team *);        /* y[rows][2c]; no alias */
    void (*ncrelu_backward)(float *dx, const float *x, const float *dy, int64_t rows, int64_t c, dirac__team *);
    void (*elu)(float *y, const float *x, float alpha, size_t count, dirac__team *);         /* expm1 for x <= 0 */
    void (*elu_backward)(float *dx, const float *y, const float *dy, float alpha, size_t count, dirac__team *); /* from y */
    void (*add)(float *y, const float *a, const float *b, size_t count, dirac__team *);
    void (*copy)(float *y, const float *x, size_t count, dirac__team *);
    /* y = x mask / (1 - rate), mask drawn from uniform(index) >= rate; backward is the same call on dy. */
    void (*dropout)(float *y, const float *x, float rate, const dirac__random *, size_t count, dirac__team *);
    /* Copies c channels of x[rows][from_stride] into y[rows][to_stride] (concatenation and its undoing). */
    void (*copy_channels)(float *y, int64_t to_stride, const float *x, int64_t from_stride, int64_t rows, int64_t c,
                          dirac__team *);
    /* Layout: y[n][c][s] <-> x[n][s][c]. */
    void (*to_channels_first)(float *y, const float *x, int64_t n, int64_t c, int64_t s, dirac__team *);
    void (*to_channels_last)(float *y, const float *x, int64_t n, int64_t c, int64_t s, dirac__team *);
    /* Softmax over c of each row, exponentials of x - max; y may be x. Backward: dx = y (dy - <y, dy>). */
    void (*softmax)(float *y, const float *x, int64_t rows, int64_t c, dirac__team *);
    void (*softmax_backward)(float *dx, const float *y, const float *dy, int64_t rows, int64_t c, dirac__team *);
    /* Local response norm (outputs are no inputs): s = k + alpha/size sum_{window} x^2 (size/2 before, (size-1)/2 after),
     * y = x s^-beta. s[rows][c] is kept for backward (NULL: not wanted). Backward:
     * dx_i = dy_i s_i^-beta - 2 alpha beta/size x_i sum_{j: i in window(j)} dy_j y_j/s_j */
    void (*response_norm)(float *y, float *s, const float *x, int64_t rows, int64_t c, int64_t size, float alpha,
                          float beta, float k, dirac__team *);
    void (*response_norm_backward)(float *dx, const float *x, const float *y, const float *s, const float *dy,
                                   int64_t rows, int64_t c, int64_t size, float alpha, float beta, dirac__team *);

    /* ---- pooling (pooling.c) ---- */

    /* where (n, out, c), or NULL: the index within the window of the first largest (a NaN counts as largest). Windows
     * wholly in the padding cannot occur. */
    void (*max_pool)(float *y, uint32_t *where, const float *x, const dirac__pooling *, dirac__team *);
    void (*max_pool_backward)(float *dx, const uint32_t *where, const float *dy, const dirac__pooling *,
                              dirac__team *); /* dx overwritten */
    void (*average_pool)(float *y, const float *x, const dirac__pooling *, dirac__team *);
    void (*average_pool_backward)(float *dx, const float *dy, const dirac__pooling *, dirac__team *);

    /* ---- optimizer (update.c): the formulas of include/dirac/sgd.h. first: v = d instead of momentum v + d.
     * scale multiplies g first (clipping). ---- */
    void (*sgd_update)(float *p, float *v, const float *g, size_t count, float rate, float momentum, float decay,
                       float scale, int32_t nesterov, int32_t first, dirac__team *);
    /* Returns sum of squares in double (fixed blocks, fixed order); NaN or infinity in g gives a result not finite,
     * unless the squares themselves overflow double, which float cannot. scratch: squares_scratch() doubles. */
    size_t (*squares_scratch)(size_t count);
    double (*squares)(const float *g, double *scratch, size_t count, dirac__team *);
} dirac__kernels;

/* All tables of this build, NULL-terminated, the most capable first; the last is "scalar". */
extern const dirac__kernels *const dirac__kernel_tables[];
/* The best table this CPU runs, or the one of that name (NULL: no such table here, or the CPU does not run it). */
const dirac__kernels *dirac__kernels_best(void);
const dirac__kernels *dirac__kernels_named(const char *name);

#endif
