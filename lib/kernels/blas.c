/* SPDX-License-Identifier: MIT */
/* The only file that includes cblas.h. */
#include "kernels/blas.h"

#if DIRAC_HAVE_BLAS

#include <cblas.h>
#include <limits.h>

bool dirac__blas_fits(int64_t m, int64_t n, int64_t k)
{
    return m >= 1 && n >= 1 && k >= 1 && m <= INT_MAX && n <= INT_MAX && k <= INT_MAX;
}

bool dirac__sgemm(float *c, const float *a, bool transpose_a, const float *b, bool transpose_b,
                  int64_t m, int64_t n, int64_t k, float beta)
{
    if (!dirac__blas_fits(m, n, k))
        return false;
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
                transpose_b ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, 1.0f, a,
                (int)(transpose_a ? m : k), b, (int)(transpose_b ? k : n), beta, c, (int)n);
    return true;
}

#else

bool dirac__blas_fits(int64_t m, int64_t n, int64_t k)
{
    (void)m;
    (void)n;
    (void)k;
    return false;
}

bool dirac__sgemm(float *c, const float *a, bool transpose_a, const float *b, bool transpose_b,
                  int64_t m, int64_t n, int64_t k, float beta)
{
    (void)c;
    (void)a;
    (void)transpose_a;
    (void)b;
    (void)transpose_b;
    (void)m;
    (void)n;
    (void)k;
    (void)beta;
    return false;
}

#endif
