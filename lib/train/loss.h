/* SPDX-License-Identifier: MIT */
/* Softmax cross-entropy: the loss and its gradient at the logits, in double. */
#ifndef TRAIN_LOSS_H
#define TRAIN_LOSS_H

#include <stdint.h>

typedef struct dirac__loss {
    const float *logits; /* (n, classes) */
    int64_t n, classes;
    const int32_t *labels; /* hard labels, or NULL */
    const float *targets;  /* soft labels (n, classes), when `labels` is NULL */
    float smoothing;       /* of hard labels */
    const float *weights;  /* a class, or NULL for 1 */
} dirac__loss;

/* The loss of include/dirac/session.h; gradient (n, classes) is overwritten, or NULL: not wanted.
 * Errors: ARGUMENT (a label out of range, with its place; weights that are all zero). */
int32_t dirac__cross_entropy(const dirac__loss *loss, float *gradient, double *value);
/* How many rows have their label as the first largest logit. Errors: ARGUMENT. */
int32_t dirac__count_correct(const dirac__loss *loss, int64_t *correct);

#endif
