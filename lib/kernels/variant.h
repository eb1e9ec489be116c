/* SPDX-License-Identifier: MIT */
/* What a kernel file needs to be compiled once per instruction set. The build defines DIRAC_VARIANT (an identifier such
 * as v3), DIRAC_VARIANT_NAME (a string) and DIRAC_LANES (floats of one vector register). */
#ifndef KERNELS_VARIANT_H
#define KERNELS_VARIANT_H

#include <string.h>

#if DIRAC_LANES >= 8
#include <immintrin.h>
#endif

#include "kernels/kernels.h"

#define DIRAC__JOIN2(a, b, c) a##b##_##c
#define DIRAC__JOIN(a, b, c) DIRAC__JOIN2(a, b, c)
#define KERNEL(name) DIRAC__JOIN(dirac__, DIRAC_VARIANT, name)

typedef float vec __attribute__((vector_size(DIRAC_LANES * 4)));

static inline vec vec_load(const float *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void vec_store(float *p, vec v)
{
    memcpy(p, &v, sizeof v);
}

static inline vec vec_all(float x)
{
    return x - (vec){0};
}

/* max(v, least); NaN in v stays: the instruction gives its second operand then */
static inline vec vec_at_least(vec v, vec least)
{
#if DIRAC_LANES == 16
    return (vec)_mm512_max_ps((__m512)least, (__m512)v);
#elif DIRAC_LANES == 8
    return (vec)_mm256_max_ps((__m256)least, (__m256)v);
#else
    typedef int32_t mask __attribute__((vector_size(DIRAC_LANES * 4)));
    const mask below = v < least;
    return (vec)(((mask)v & ~below) | ((mask)least & below));
#endif
}

static inline vec vec_relu(vec v)
{
    return vec_at_least(v, (vec){0});
}

#endif
