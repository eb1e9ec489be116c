/* SPDX-License-Identifier: MIT */
/* Matrix products by the system's BLAS, where the library was built with one. From the calling thread only; BLAS's own
 * thread settings are left as they are. */
#ifndef KERNELS_BLAS_H
#define KERNELS_BLAS_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a product of these sizes can be handed over: there is a BLAS, and its int holds them. */
bool dirac__blas_fits(int64_t m, int64_t n, int64_t k);

/* c (m, n) = op(a) (m, k) op(b) (k, n) + beta c, all contiguous and row-major; op transposes if the flag beside the
 * matrix says so (a is then (k, m), b (n, k)). beta 0 does not read c. False, with c untouched, when
 * dirac__blas_fits() is. */
bool dirac__sgemm(float *c, const float *a, bool transpose_a, const float *b, bool transpose_b,
                  int64_t m, int64_t n, int64_t k, float beta);

#endif
