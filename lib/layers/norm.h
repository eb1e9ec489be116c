/* SPDX-License-Identifier: MIT */
/*
 * How a batch norm shares its passes with the convolutions beside it in training. Between
 *
 *     convolution -> z -> batch norm -> ReLU -> convolution
 *
 * the plan (plan/norms.c) may have z alone in memory: the convolution before gathers the moments of z while it writes it;
 * the one behind reads z as max(scale z + shift, 0), and, backward, sends its gradient through that ReLU and gathers
 * sum dy and sum dy (z - mean); the one before then corrects the gradient where it reads it. What is left to the batch norm
 * itself is arithmetic on one number a channel. Each of the three can be there without the others.
 */
#ifndef LAYERS_NORM_H
#define LAYERS_NORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One array of c numbers each; in what the batch norm saves. */
typedef struct dirac__norm {
    bool gathered;  /* the convolution before leaves mean and var */
    bool read;      /* the convolution behind reads through scale and shift, and leaves sum and product */
    bool corrected; /* the convolution before applies dy <- a dy + (b (z - mean) + t) */
    float *mean, *var, *rstd;
    float *scale, *shift;
    float *sum, *product;
    float *a, *b, *t;
} dirac__norm;

/* Adds the bytes of the arrays; false when they cannot be addressed. */
bool dirac__norm_room(size_t *bytes, size_t c);
/* Points the arrays into what dirac__norm_room() counted; leaves the three answers alone. */
void dirac__norm_cut(dirac__norm *norm, void *from, size_t c);
/* The same in all that a batch norm of c channels saves (batch_norm.c). */
void dirac__batch_norm_cut(dirac__norm *norm, void *saved, int64_t c);

#endif
