/* SPDX-License-Identifier: MIT */
/*
 * The algorithms of convolution behind one face, and the choice among them: a pure function of the shape (at the
 * session's batch), the kernels and whether the session is strict. Never of time, of the number of threads, or of how many
 * images one call brings.
 */
#ifndef LAYERS_ALGORITHM_H
#define LAYERS_ALGORITHM_H

#include <stdbool.h>

#include "kernels/kernels.h"

/* Sizes are in floats; `scratch` is needed during one call. Pointers and meanings as in kernels.h. */
typedef struct dirac__algorithm {
    const char *name;
    bool joins_norms; /* activation, moments, mask and correction may be given; NULL otherwise */
    size_t (*packed)(const dirac__kernels *, const dirac__convolution *, bool transposed);
    void (*pack)(const dirac__kernels *, float *packed, const float *w, const float *scale, const float *delta,
                 const dirac__convolution *, bool transposed, dirac__team *);
    size_t (*product_scratch)(const dirac__kernels *, const dirac__convolution *, int32_t lanes);
    void (*forward)(const dirac__kernels *, float *y, const float *x, const dirac__activation *, const float *packed,
                    const float *bias, int32_t relu, const dirac__moments *, float *scratch, const dirac__convolution *,
                    dirac__team *);
    void (*backward_data)(const dirac__kernels *, float *dx, const float *dy, const float *packed, const dirac__mask *,
                          float *scratch, const dirac__convolution *, dirac__team *);
    size_t (*weight_scratch)(const dirac__kernels *, const dirac__convolution *, int32_t lanes);
    void (*backward_weight)(const dirac__kernels *, float *g, const float *x, const dirac__activation *, float *dy,
                            const dirac__correction *, float *scratch, const dirac__convolution *, dirac__team *);
} dirac__algorithm;

/* The algorithm for a convolution whose n is the session's batch. */
const dirac__algorithm *dirac__algorithm_choose(const dirac__kernels *kernels, const dirac__convolution *shape,
                                                bool strict);

#endif
