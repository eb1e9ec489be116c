/* SPDX-License-Identifier: MIT */
/* XXH64 of xxhash.h, built in: the library does not link libxxhash. */
#include "io/checksum.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(sizeof(XXH64_state_t) <= sizeof(dirac__checksum),
               "dirac__checksum is too small for XXH64's state");

void dirac__checksum_begin(dirac__checksum *checksum)
{
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    memcpy(checksum->state, &state, sizeof state);
}

void dirac__checksum_add(dirac__checksum *checksum, const void *data, size_t size)
{
    XXH64_state_t state;
    memcpy(&state, checksum->state, sizeof state);
    XXH64_update(&state, data, size);
    memcpy(checksum->state, &state, sizeof state);
}

void dirac__checksum_digits(const dirac__checksum *checksum,
                            char digits[DIRAC__CHECKSUM_DIGITS + 1])
{
    XXH64_state_t state;
    memcpy(&state, checksum->state, sizeof state);
    snprintf(digits, DIRAC__CHECKSUM_DIGITS + 1, "%016" PRIx64, (uint64_t)XXH64_digest(&state));
}
