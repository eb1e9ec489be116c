/* SPDX-License-Identifier: MIT */
/* The micro-kernels of Winograd's products: up to TILE_ROWS tiles times one panel of weights. */
#ifndef KERNELS_ROWS_PRODUCT_H
#define KERNELS_ROWS_PRODUCT_H

#include "kernels/convolution_tile.h"

#define CACHE_LINE 16 /* floats */

/* How much memory a product calls for: none, half as much as it reads of the panel, or as much. */
enum { DIRAC__CALLS_NONE, DIRAC__CALLS_HALF, DIRAC__CALLS_WHOLE, DIRAC__PACES };

/* to[row][v] (+)= sum over k < channels (a multiple of DIRAC_LANES) of x[k / LANES][row][k % LANES] panel[k][v], in order of
 * k; added to what is there if `add`. Meanwhile the memory from `call` on is called for into the second-level cache. */
typedef void dirac__rows_function(float *to, const float *x, const float *panel, const float *call, int64_t channels,
                                  int32_t add);

/* The instances, by pace, rows - 1 and vectors - 1. */
extern dirac__rows_function *const KERNEL(rows_products)[DIRAC__PACES][TILE_ROWS][2];

#endif
