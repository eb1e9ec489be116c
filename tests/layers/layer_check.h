/* SPDX-License-Identifier: MIT */
/* The gradient check of a net against the twin: see check_layer(). */
#ifndef LAYERS_LAYER_CHECK_H
#define LAYERS_LAYER_CHECK_H

#include <dirac/dirac.h>

#include "layers/twin.h"

typedef struct layer_case {
    const char *what; /* for messages */
    void (*build)(dirac_net *net,
                  const void *user); /* from inputs to outputs, without dirac_net_build() */
    const void *user;
    int64_t n;                /* images; 0: 3 */
    double low, high;         /* of the inputs; both 0: -1 to 1 */
    double slack;             /* multiplies the tolerance; 0: 1. Whoever sets it says why */
    const char *const *share; /* pairs "node", "owner of its parameters"; then NULL. NULL: none */
    const char *const *flat;  /* parameters whose gradient is 0 everywhere; then NULL. NULL: none */
    /* Parameters that are not to be trained, and trained ones that lead to no output; each then NULL. NULL: none. Both
     * have a gradient of exactly 0. */
    const char *const *untrained, *const *idle;
    const char *const *keep; /* nodes whose values are compared too; then NULL. NULL: none */
    int32_t plain_inputs;    /* 1: nobody asks for gradients of the inputs */
    /* A loss of its own, both or neither; default sum r y over all outputs with r random. */
    double (*loss)(const twin *t, const void *user);
    void (*apply)(dirac_session *session, double loss, const void *user);
    /* For kinds that are not the library's. */
    void (*attach)(dirac_context *context);
    twin_layer_fn custom;
} layer_case;

/*
 * Builds the case's net with parameters and inputs of its own choice and compares, with every set of kernels that this
 * machine runs, one and several threads, transformed and strict convolution, full and partial batches:
 *   - the outputs in training and in inference, of the net and of its folded form, with the twin's;
 *   - the gradient of every parameter and input with central differences of the twin's loss: of all entries if a tensor
 *     has few, otherwise of the first, the last and some between. Entries whose difference reaches over a kink are
 *     left out, and inputs are drawn so that no kink is so near that float and double may be on its two sides;
 *   - the running statistics after a commit with the formula's;
 *   - all entries of all gradients between the sets of kernels.
 */
void check_layer(const layer_case *c);

/* Central difference of `c`'s loss at one number of the twin; `output_gradients` holds r for each output.
 * @param size receives how large the gradient is without cancellation: it is a sum over the outputs, and this is the
 * root of the sum of its squared terms, or the gradient itself if that is more.
 * @return 1, or 0 if a kink lies within the step. */
int central_difference(twin *t, const layer_case *c, float *const *output_gradients, double *at,
                       double *gradient, double *size);

/* Tolerance, relative to the scale of a tensor, of float results on the twin's net after its last forward. */
double layer_tolerance(const twin *t, const layer_case *c);

#endif
