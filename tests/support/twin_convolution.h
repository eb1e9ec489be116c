/* SPDX-License-Identifier: MIT */
/* A convolution and its gradients in double, straight from the formula, in the public order (N, C, D, H, W). */
#ifndef SUPPORT_TWIN_CONVOLUTION_H
#define SUPPORT_TWIN_CONVOLUTION_H

#include "kernels/kernels.h"

/* Beside each result stands its magnitude, the sum of the absolute values of what was added: rounding errors are
 * bounded by a multiple of it. Weights come as value and magnitude too. Results are overwritten. */
typedef struct twin_number {
    double value, magnitude;
} twin_number;

/* What = scale w + delta at the centre (i == o % co), weights in the parameters' order (groups * co, ci, taps). */
void twin_effective(twin_number *what, const float *w, const float *scale, const float *delta,
                    const dirac__convolution *s);
void twin_forward(twin_number *y, const float *x, const twin_number *what, const float *bias,
                  const dirac__convolution *s);
void twin_backward_data(twin_number *dx, const float *dy, const twin_number *what,
                        const dirac__convolution *s);
void twin_backward_weight(twin_number *g, const float *x, const float *dy,
                          const dirac__convolution *s);

#endif
