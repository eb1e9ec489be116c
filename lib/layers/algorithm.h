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

typedef struct dirac__algorithm {
    const dirac__kernels *kernels;
    const dirac__winograd *winograd; /* NULL: direct */
    bool takes_unpacked;             /* products take weights that are not packed, which serves those who use them once */
} dirac__algorithm;

/* The algorithm for a convolution whose n is the session's batch. */
dirac__algorithm dirac__algorithm_choose(const dirac__kernels *kernels, const dirac__convolution *shape, bool strict);

/* Whether activation, moments, mask and correction may be given; NULL otherwise. */
static inline bool dirac__algorithm_joins_norms(dirac__algorithm a)
{
    return a.winograd != NULL;
}

/* Sizes are in floats; `scratch` is needed during one call. Pointers and meanings as in kernels.h. */
size_t dirac__algorithm_packed(dirac__algorithm a, const dirac__convolution *shape, bool transposed);
void dirac__algorithm_pack(dirac__algorithm a, float *packed, const float *w, const float *scale, const float *delta,
                           const dirac__convolution *shape, bool transposed, dirac__team *team);
size_t dirac__algorithm_scratch(dirac__algorithm a, const dirac__convolution *shape, bool unpacked, int32_t lanes);
void dirac__algorithm_forward(dirac__algorithm a, float *y, const float *x, const dirac__activation *activation,
                              const dirac__filters *filters, const float *bias, int32_t relu, const dirac__moments *moments,
                              float *scratch, const dirac__convolution *shape, dirac__team *team);
void dirac__algorithm_backward_data(dirac__algorithm a, float *dx, const float *dy, const dirac__filters *filters,
                                    const dirac__mask *mask, float *scratch, const dirac__convolution *shape,
                                    dirac__team *team);
size_t dirac__algorithm_weight_scratch(dirac__algorithm a, const dirac__convolution *shape, int32_t lanes);
void dirac__algorithm_backward_weight(dirac__algorithm a, float *g, const float *x, const dirac__activation *activation,
                                      float *dy, const dirac__correction *correction, float *scratch,
                                      const dirac__convolution *shape, dirac__team *team);

#endif
