/* SPDX-License-Identifier: MIT */
/*
 * What convolution and linear layers share: parameters weight, alpha, beta, bias (those the form and the attribute ask
 * for, in this order), the effective weight What, and the passes around the convolution kernels. A linear layer is a
 * convolution whose spatial numbers are all 1.
 */
#ifndef LAYERS_WEIGHTS_H
#define LAYERS_WEIGHTS_H

#include "layers/layer.h"
#include "layers/planning.h"
#include "layers/weight_form.h"

typedef struct dirac__weights {
    int32_t form; /* DIRAC_FORM_* */
    int32_t rank; /* spatial dimensions of the kernel; 0 for a linear layer */
    int32_t alpha, beta,
        bias; /* where they are among the parameters, -1: not there; the weight is number 0 */
    dirac__convolution geometry;
    dirac__weight_shape shape;
} dirac__weights;

/* Ends a description of which geometry, form and rank are set. */
void dirac__weights_complete(dirac__weights *w, bool bias);

/* ---- tables ---- */

/* Costs; w->geometry.n is the batch. */
int32_t dirac__weights_plan(dirac__layer_plan *plan, const dirac__weights *w);
void dirac__weights_parameters(const dirac__weights *w, dirac__parameter_list *list);
void dirac__weights_prepare(const dirac__pass *pass, const dirac__weights *w, void *prepared);
void dirac__weights_forward(const dirac__pass *pass, const dirac__weights *w);
void dirac__weights_backward(const dirac__pass *pass, const dirac__weights *w);
/* `to` is weight, then a bias if the folded layer has one. */
int32_t dirac__weights_fold(const dirac__memory *memory, const dirac__weights *w,
                            float *const *from, bool bias, float *const *to, const double *s,
                            const double *t);

/* ---- parts, for another way to multiply ---- */

/* What[o] = scale[o] W[o] + delta[o] I[o]. NULL stands for scale 1 and delta 0: the plain form. */
typedef struct dirac__coefficients {
    float *scale, *delta;
    double *norm; /* |W| of each filter, in the normalised form */
} dirac__coefficients;

/* Cuts them off *at and fills them. */
dirac__coefficients dirac__weights_coefficients(const dirac__pass *pass, const dirac__weights *w,
                                                unsigned char **at);
bool dirac__weights_coefficients_room(size_t *bytes, const dirac__weights *w);
/* The numbers of W; only after a plan that was not refused. */
size_t dirac__weights_count(const dirac__weights *w);
/* Whether backward has to work out dL/dWhat. */
bool dirac__weights_trained(const dirac__pass *pass, const dirac__weights *w);
/* Adds what G = dL/dWhat means for weight, alpha and beta to their gradients. norm: |W| of each filter, NULL if unknown. */
void dirac__weights_collect(const dirac__pass *pass, const dirac__weights *w, const float *g, const double *norm);
/* Adds the bias' gradient, if it is wanted. Uses the scratch from its start. */
void dirac__weights_collect_bias(const dirac__pass *pass, const dirac__weights *w);

#endif
