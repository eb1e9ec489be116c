/* SPDX-License-Identifier: MIT */
/* The list of layer kinds. A new kind is one row here. */
#include <string.h>

#include "layers/layer.h"

const dirac__kind *const dirac__kinds[] = {
    &dirac__kind_input,
    &dirac__kind_conv,
    &dirac__kind_linear,
    &dirac__kind_batch_norm,
    &dirac__kind_relu,
    &dirac__kind_ncrelu,
    &dirac__kind_elu,
    &dirac__kind_max_pool,
    &dirac__kind_average_pool,
    &dirac__kind_global_average_pool,
    &dirac__kind_dropout,
    &dirac__kind_response_norm,
    &dirac__kind_add,
    &dirac__kind_concat,
    &dirac__kind_flatten,
    &dirac__kind_softmax,
    NULL,
};

const dirac__kind *dirac__kind_find(const char *name)
{
    for (const dirac__kind *const *kind = dirac__kinds; *kind != NULL; kind++)
        if (strcmp((*kind)->name, name) == 0)
            return *kind;
    return NULL;
}
