/* SPDX-License-Identifier: MIT */
/*
 * The weight forms of convolution and linear layers (DIRAC_FORM_* of <dirac/net.h>): from the parameters (alpha, beta, W)
 * to What = diag(scale) W + diag(delta) I, and from G = dL/dWhat back to the parameters' gradients. Kernels only see
 * scale and delta.
 */
#ifndef LAYERS_WEIGHT_FORM_H
#define LAYERS_WEIGHT_FORM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/threads.h"

typedef struct dirac__weight_shape {
    int64_t groups, co, ci, taps; /* of one group; W is (groups * co, ci, taps) */
    int64_t centre;               /* tap of the delta */
} dirac__weight_shape;

/* What parameters a form has besides weight. */
bool dirac__form_has_alpha(int32_t form);
bool dirac__form_has_beta(int32_t form);

/* scale[o], delta[o] (groups * co each) such that What[o] = scale[o] W[o] + delta[o] I[o]. norm[o] receives |W[o]| (sum in
 * double) for form 2, is untouched otherwise and may then be NULL. Form 2: scale = beta / max(norm, 1e-12). */
void dirac__form_coefficients(int32_t form, float *scale, float *delta, double *norm, const float *w,
                              const float *alpha, const float *beta, const dirac__weight_shape *shape,
                              dirac__team *team);

/* Adds to dw, dalpha, dbeta (any may be NULL: not trained) from g = dL/dWhat. Form 2, u = W/|W|: dalpha = G at the
 * delta, 0 for filters without one; dbeta = <G, u>; dW = (beta/|W|)(G - u <u, G>); where |W| < 1e-12: u = W/1e-12,
 * dW = (beta/1e-12) G. Inner products in double. norm: |W| of each filter if it is known, or NULL. */
void dirac__form_backward(int32_t form, float *dw, float *dalpha, float *dbeta, const float *g, const float *w,
                          const double *norm, const float *beta, const dirac__weight_shape *shape, dirac__team *team);

/* What filter o is made of, What = alpha I + rest: alpha is 0 and `identity` false where it has no one or the form no I;
 * beta is 1 but in form 2; norm is |W|, rest the length of what is not alpha I. */
typedef struct dirac__filter {
    bool identity;
    double alpha, beta, norm, rest;
} dirac__filter;

dirac__filter dirac__form_measure(int32_t form, int64_t o, const float *w, const float *alpha, const float *beta,
                                  const dirac__weight_shape *shape);

/* What[o] in double into out (ci * taps), for folding. */
void dirac__form_filter(int32_t form, double *out, int64_t o, const float *w, const float *alpha, const float *beta,
                        const dirac__weight_shape *shape);

#endif
