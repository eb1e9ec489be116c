/* SPDX-License-Identifier: MIT */
/* A stream of batches: its options, its position, and how it is saved in a checkpoint. */
#ifndef DATA_BATCHES_H
#define DATA_BATCHES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <dirac/data.h>

#include "data/maker.h"
#include "data/prefetch.h"

#define DIRAC__EPOCH_LIMIT (INT64_MAX / 2) /* the last one may seek: counting on cannot overflow */

struct dirac_batches {
    atomic_int references; /* the caller's, and that of each checkpoint it was added to */
    dirac_dataset *dataset;
    dirac__maker maker; /* size, shuffle and augment are options from the beginning */
    float *scales;      /* what augment.mean and .deviation point into; NULL: values as they are */
    bool drop_last;
    int32_t ahead;
    bool fixed;         /* next was called: options are fixed and one of the two below exists */
    dirac__batch batch; /* without prefetching */
    dirac__prefetch *prefetch;
    const dirac__batch *given; /* by the last next; valid until the one after it */
    dirac__place position; /* seed and next batch; batch = batches an epoch: its end is next */
};

/* Errors: STATE (empty set), MEMORY. */
int32_t dirac__batches_create(dirac_batches **out, dirac_dataset *dataset);
void dirac__batches_hold(dirac_batches *batches);
/* Gives a reference back. NULL is accepted. */
void dirac__batches_release(dirac_batches *batches);
/* Gives the caller's reference back: also ends the thread, after the batch it is making, whoever else holds the stream,
 * so that no callback of the host runs any more. The position stays. NULL is accepted. */
void dirac__batches_destroy(dirac_batches *batches);

/* Errors: MEMORY. The caller checked the rest. */
int32_t dirac__batches_normalize(dirac_batches *batches, const float *mean, const float *deviation);
int64_t dirac__batches_per_epoch(const dirac_batches *batches);
int32_t dirac__batches_next(dirac_batches *batches, const float **samples, const int32_t **labels,
                            int64_t *n);
/* Which sample of the data set is sample i of the batch that was given last. */
int64_t dirac__batches_index(const dirac_batches *batches, int64_t i);
/* Errors: ARGUMENT. */
int32_t dirac__batches_seek(dirac_batches *batches, int64_t epoch, int64_t batch);

/* For checkpoints: seed, epoch, batch, and a hash of the options and the data's shape and count. Prefetched batches do
 * not count, and how many are prefetched is no part of the hash. */
void dirac__batches_state(const dirac_batches *batches, uint64_t out[4]);
/* Whether dirac__batches_restore() would accept a state. Errors: MISMATCH (another hash), FORMAT (no such place). */
int32_t dirac__batches_check_state(const dirac_batches *batches, const uint64_t in[4]);
/* Goes back to a state, seed included. Errors: as dirac__batches_check_state(); then nothing changed. */
int32_t dirac__batches_restore(dirac_batches *batches, const uint64_t in[4]);

#endif
