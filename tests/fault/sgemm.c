/* SPDX-License-Identifier: MIT */
/* The function is this program's own, so every shared library finds it before OpenBLAS's. */
#define _GNU_SOURCE
#include "fault/sgemm.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <dirac/dirac.h>

atomic_int sgemm_calls;
void (*sgemm_enter)(void), (*sgemm_leave)(void);

typedef void (*sgemm_fn)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *,
                         int);

void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
                 const float *b, int ldb, float beta, float *c, int ldc)
{
    sgemm_fn next;
    *(void **)(void *)&next = dlsym(RTLD_NEXT, "cblas_sgemm");
    if (next == NULL)
        abort();
    sgemm_calls++;
    if (sgemm_enter != NULL)
        sgemm_enter();
    next(order, transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    if (sgemm_leave != NULL)
        sgemm_leave();
}

int have_openblas(void)
{
    dirac_context *context;
    if (dirac_context_create(&context) != DIRAC_OK)
        abort();
    const int32_t status = dirac_context_set_blas(context, 1);
    dirac_context_destroy(context);
    return status == DIRAC_OK;
}
