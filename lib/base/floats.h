/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic that leaves no trace. A host may have unmasked traps, and may look at the exception flags that its own
 * arithmetic raised: a public call that computes holds the floating-point environment at its beginning, which clears the
 * flags and masks the traps but keeps rounding and flushing to zero, and puts the whole of it back at its end.
 */
#ifndef BASE_FLOATS_H
#define BASE_FLOATS_H

#include <fenv.h>
#include <stdbool.h>
#include <stdint.h>

static inline void dirac__floats_put_back(const fenv_t *kept)
{
    fesetenv(kept);
}

/* A declaration: from here to the end of the block. Calls inside each other may each have one. */
#define DIRAC__HOLD_FLOATS()                                                                       \
    fenv_t floats_kept __attribute__((cleanup(dirac__floats_put_back)));                           \
    feholdexcept(&floats_kept)

/* Rounding, denormals and traps: what an environment holds beside the flags that arithmetic raises, and reads much faster.
 * False where only rounding is known. */
static inline bool dirac__floats_modes(uint64_t *modes)
{
#if defined(__x86_64__)
    uint16_t x87;
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    *modes = (uint64_t)x87 << 32 | (__builtin_ia32_stmxcsr() & 0xFFC0u);
    return true;
#elif defined(__aarch64__)
    __asm__ volatile("mrs %0, fpcr" : "=r"(*modes));
    return true;
#else
    *modes = (uint64_t)fegetround();
    return false;
#endif
}

#endif
