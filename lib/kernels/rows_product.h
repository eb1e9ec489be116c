/* SPDX-License-Identifier: MIT */
/* The micro-kernels of Winograd's products: up to TILE_ROWS tiles times one panel of weights. */
#ifndef KERNELS_ROWS_PRODUCT_H
#define KERNELS_ROWS_PRODUCT_H

#include "kernels/convolution_tile.h"

#define CACHE_LINE 16 /* floats */

/* How much memory a product calls for: none, a quarter of what it reads of the panel, half, or as much, into the second-level
 * cache; or as much into the first, for what is read next. */
enum { DIRAC__CALLS_NONE, DIRAC__CALLS_QUARTER, DIRAC__CALLS_HALF, DIRAC__CALLS_WHOLE, DIRAC__CALLS_NEXT, DIRAC__PACES };

/* Ranges to call for, the last one first. */
typedef struct dirac__calls {
    const float *at[3], *end[3];
    int32_t count;
} dirac__calls;

/* The next `floats` floats to call for, one line after the other; NULL: none are left. */
static inline const float *next_call(dirac__calls *calls, int64_t floats)
{
    if (calls->count == 0) {
        return NULL;
    }
    const int32_t last = calls->count - 1;
    const float *at = calls->at[last];
    calls->at[last] += floats;
    calls->count -= calls->at[last] >= calls->end[last];
    return at;
}

/* to[row][v] (+)= sum over k < channels (a multiple of DIRAC_LANES) of x[k / CACHE_LINE][row][k % CACHE_LINE] panel[k][v], in
 * order of k; added to what is there if `add`. Meanwhile the memory from `call` on is called for. */
typedef void dirac__rows_function(float *to, const float *x, const float *panel, const float *call, int64_t channels,
                                  int32_t add);

/* The instances, by pace, rows - 1 and vectors - 1. Those of one vector call for nothing; those that call for a quarter or
 * half do so from half of TILE_ROWS on. */
extern dirac__rows_function *const KERNEL(rows_products)[DIRAC__PACES][TILE_ROWS][2];

#endif
