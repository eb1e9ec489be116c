/* SPDX-License-Identifier: MIT */
/* Layers as a host would write them, and the same in double for the twin. */
#ifndef LAYERS_CUSTOM_KINDS_H
#define LAYERS_CUSTOM_KINDS_H

#include <dirac/dirac.h>

#include "layers/twin.h"

/*
 * "polynomial", one input: y = slope x + sum_k weight[c,k] x^(k+1), k < degree; in inference less state mean[c], which
 * a training forward moves half way to the batch's mean of x.
 * "product", any number of inputs: y = x[0] x[1] ..., of which the last input's gradient is only right if `right` is 1.
 */
typedef struct custom_kinds {
    dirac_layer_kind *polynomial, *product;
} custom_kinds;

/* Registers both with a context, which keeps them. `right` as above; must live as long as the context. */
custom_kinds custom_register(dirac_context *context, const int *right);
void twin_custom(twin *t, twin_value *y);

dirac_node *custom_polynomial(dirac_net *net, custom_kinds kinds, dirac_node *x, int64_t degree,
                              double slope);

#endif
