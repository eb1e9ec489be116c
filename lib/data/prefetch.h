/* SPDX-License-Identifier: MIT */
/* A thread that makes batches ahead of the one who takes them. */
#ifndef DATA_PREFETCH_H
#define DATA_PREFETCH_H

#include <stdint.h>

#include "data/maker.h"

typedef struct dirac__prefetch dirac__prefetch;

/* Starts the thread, which uses `maker` alone from now on and goes through the batches from `from` on, epoch after
 * epoch of `per_epoch` > 0 batches. It keeps at most `ahead` (1 to 16) made. Errors: MEMORY, THREAD. */
int32_t dirac__prefetch_start(dirac__prefetch **out, dirac__maker *maker, int32_t ahead,
                              int64_t per_epoch, const dirac__place *from);
/* Ends the thread, after the batch it is making. NULL is accepted. */
void dirac__prefetch_stop(dirac__prefetch *prefetch);

/* Waits for the next batch, which is at `place`, valid until the next take. It was made under the caller's floating-point
 * modes. After an error (CALLBACK) the same batch is next. */
int32_t dirac__prefetch_take(dirac__prefetch *prefetch, const dirac__place *place,
                             const dirac__batch **out);
/* Drops what is made ahead and goes on from `to`. Does not wait. */
void dirac__prefetch_seek(dirac__prefetch *prefetch, const dirac__place *to);

#endif
