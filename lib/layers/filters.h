/* SPDX-License-Identifier: MIT */
/* How much of a layer with weights is identity, filter by filter (DIRAC_FILTER_* of <dirac/net.h>). */
#ifndef LAYERS_FILTERS_H
#define LAYERS_FILTERS_H

#include "layers/weights.h"

typedef struct dirac__filter_summary {
    int64_t filters;
    double mean, least, largest;
} dirac__filter_summary;

/* `parameters` in the order of the kind's list; values has one number a filter. */
void dirac__filters_read(float *values, int32_t quantity, const dirac__weights *w, float *const *parameters);
/* A NaN anywhere shows in all three. */
dirac__filter_summary dirac__filters_summarize(int32_t quantity, const dirac__weights *w, float *const *parameters);

#endif
