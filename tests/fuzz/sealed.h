/* SPDX-License-Identifier: MIT */
/* Inputs whose checksum is right: changes to a file of ours would otherwise end at the checksum, and nothing behind it
 * would be tried. */
#ifndef FUZZ_SEALED_H
#define FUZZ_SEALED_H

#include "fuzz.h"
#include "io/checksum.h"

/* Where the 16 digits after "dirac.checksum":"xxh64: stand; NULL if nowhere. */
static inline uint8_t *fuzz_digits(uint8_t *data, size_t size)
{
    static const char key[] = "\"dirac.checksum\":\"xxh64:";
    const size_t length = sizeof key - 1;
    for (size_t i = 0; i + length + DIRAC__CHECKSUM_DIGITS <= size; i++)
        if (memcmp(data + i, key, length) == 0)
            return data + i + length;
    return NULL;
}

/* A copy of exactly that size, to be freed, with the checksum that belongs to it if it has the place for one. */
static inline uint8_t *fuzz_seal(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + (size == 0));
    FUZZ_CHECK(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    uint8_t *place = fuzz_digits(copy, size);
    if (place != NULL) {
        char digits[DIRAC__CHECKSUM_DIGITS + 1];
        dirac__checksum sum;
        memset(place, '0', DIRAC__CHECKSUM_DIGITS);
        dirac__checksum_begin(&sum);
        dirac__checksum_add(&sum, copy, size);
        dirac__checksum_digits(&sum, digits);
        memcpy(place, digits, DIRAC__CHECKSUM_DIGITS);
    }
    return copy;
}

#endif
