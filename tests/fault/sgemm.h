/* SPDX-License-Identifier: MIT */
/*
 * Watches OpenBLAS's sgemm. A program that links sgemm.c defines cblas_sgemm() itself, so the library's calls of it
 * come here, are counted, and go on to OpenBLAS. For any number of threads.
 */
#ifndef FAULT_SGEMM_H
#define FAULT_SGEMM_H

#include <stdatomic.h>

extern atomic_int sgemm_calls;
/* Called on the caller's thread before and after each product, if set. */
extern void (*sgemm_enter)(void), (*sgemm_leave)(void);

void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
                 const float *b, int ldb, float beta, float *c, int ldc);
/* Whether the library was built with OpenBLAS. */
int have_openblas(void);

#endif
