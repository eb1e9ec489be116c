/* SPDX-License-Identifier: MIT */
/* What max-pool and average-pool share: the attributes of their window and the sizes that follow. */
#ifndef LAYERS_WINDOW_H
#define LAYERS_WINDOW_H

#include "layers/layer.h"

/* The first attributes of a pool, in its table and its values. */
enum { WINDOW_KERNEL, WINDOW_STRIDE, WINDOW_PADDING, WINDOW_CEIL, WINDOW_COUNT };

#define DIRAC__WINDOW_ATTRIBUTES                            \
    [WINDOW_KERNEL] = {"kernel", DIRAC__INTS, 1, 1024, 1},  \
    [WINDOW_STRIDE] = {"stride", DIRAC__INTS, 0, 1024, 0},  \
    [WINDOW_PADDING] = {"padding", DIRAC__INTS, 0, 512, 0}, \
    [WINDOW_CEIL] = {"ceil", DIRAC__INT, 0, 1, 0}

/* The window on n images of an input, with count_padding 1. */
dirac__pooling dirac__window(const dirac__layer *layer, const dirac__shape *in, int64_t n);

/* The plan but for what a pool keeps. */
int32_t dirac__window_plan(dirac__layer_plan *plan);

#endif
