/* SPDX-License-Identifier: MIT */
/* Counter-based random numbers: Philox4x32-10 (Salmon et al., SC'11). A number depends on (seed, stream, index) alone. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* A stream: key from the seed, high counter words from what the numbers are for. */
typedef struct dirac__random {
    uint64_t seed;   /* Philox key */
    uint64_t stream; /* counter words 2 and 3 */
} dirac__random;

/* One Philox4x32-10 block. */
void dirac__philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* The stream called `name` (64-bit FNV-1a), step `step`, of a seed. */
dirac__random dirac__random_stream(uint64_t seed, const char *name, uint64_t step);

/* 32 random bits, number `index` of the stream (element index % 4 of block index / 4). */
uint32_t dirac__random_bits(const dirac__random *random, uint64_t index);
/* Uniform in [0, 1) with 24 bits, exact in float: bits >> 8 times 2^-24. */
float dirac__random_uniform(const dirac__random *random, uint64_t index);
/* Fills with normal numbers (Box-Muller in double from pairs of 32 bits; element i depends on i alone). */
void dirac__random_normal(const dirac__random *random, uint64_t first, float *out, size_t count, double deviation);
/* Uniform integer in [0, limit), limit >= 1, without bias (multiply-shift with rejection inside the number's own
 * substream). */
uint64_t dirac__random_below(const dirac__random *random, uint64_t index, uint64_t limit);

#endif
