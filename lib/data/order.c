/* SPDX-License-Identifier: MIT */
/* The random order of an epoch: Fisher-Yates with unbiased, counter-based draws, so that every permutation is as likely
 * as the next and any epoch's order can be made without those before it. */
#include "data/order.h"

#include "base/random.h"

void dirac__order_fill(int64_t *order, int64_t count, uint64_t seed, int64_t epoch)
{
    dirac__random random = dirac__random_stream(seed, "order", (uint64_t)epoch);
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = (int64_t)dirac__random_below(&random, (uint64_t)i, (uint64_t)i + 1);
        int64_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
