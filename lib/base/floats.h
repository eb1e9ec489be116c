/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic that leaves no trace. A host may have unmasked traps, and may look at the exception flags that its own
 * arithmetic raised: a public call that computes holds the floating-point environment at its beginning, which clears the
 * flags and masks the traps but keeps rounding and flushing to zero, and puts the whole of it back at its end.
 */
#ifndef BASE_FLOATS_H
#define BASE_FLOATS_H

#include <fenv.h>

static inline void dirac__floats_put_back(const fenv_t *kept)
{
    fesetenv(kept);
}

/* A declaration: from here to the end of the block. Calls inside each other may each have one. */
#define DIRAC__HOLD_FLOATS()                                                                       \
    fenv_t floats_kept __attribute__((cleanup(dirac__floats_put_back)));                           \
    feholdexcept(&floats_kept)

#endif
