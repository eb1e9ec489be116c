/* SPDX-License-Identifier: MIT */
/* The random order of an epoch. */
#ifndef DATA_ORDER_H
#define DATA_ORDER_H

#include <stdint.h>

/* Fills order[0..count) with a permutation of 0..count-1 that depends on (count, seed, epoch) alone. */
void dirac__order_fill(int64_t *order, int64_t count, uint64_t seed, int64_t epoch);

#endif
