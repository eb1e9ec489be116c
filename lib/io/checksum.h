/* SPDX-License-Identifier: MIT */
/* The checksum of files: XXH64, seed 0, in pieces. Only checksum.c includes xxhash.h, which is all inline. */
#ifndef IO_CHECKSUM_H
#define IO_CHECKSUM_H

#include <stddef.h>

#define DIRAC__CHECKSUM_DIGITS ((size_t)16)

typedef struct dirac__checksum {
    unsigned char state[96]; /* a copy of XXH64's, whose type only checksum.c knows */
} dirac__checksum;

void dirac__checksum_begin(dirac__checksum *checksum);
void dirac__checksum_add(dirac__checksum *checksum, const void *data, size_t size);
/* The number of everything added, as 16 lower-case hexadecimal digits and a 0 byte. */
void dirac__checksum_digits(const dirac__checksum *checksum,
                            char digits[DIRAC__CHECKSUM_DIGITS + 1]);

#endif
