/* SPDX-License-Identifier: MIT */
/* Makes any batch of any epoch, by itself: what a batch holds depends on its place and on the options alone. */
#ifndef DATA_MAKER_H
#define DATA_MAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "data/augment.h"
#include "data/dataset.h"

/* Which batch. */
typedef struct dirac__place {
    uint64_t seed;
    int64_t epoch, batch;
} dirac__place;

/* A batch's memory and, once made, its contents. */
typedef struct dirac__batch {
    float *samples;  /* (n, C, spatial...) */
    int32_t *labels; /* (n) */
    int64_t *indices; /* (n): which sample of the data set each is */
    int64_t n;
} dirac__batch;

/* Used by one thread at a time. */
typedef struct dirac__maker {
    const dirac_dataset *dataset;
    dirac__augment augment;
    int64_t size; /* samples a batch */
    bool shuffle;
    int64_t *order; /* of epoch `order_epoch` (-1: of none) and `order_seed`; NULL: no shuffling */
    uint64_t order_seed;
    int64_t order_epoch;
    float *sample; /* what a callback gave; NULL for stored samples */
} dirac__maker;

/* Allocates what making needs; the fields dataset, augment, size and shuffle are set. Errors: MEMORY. */
int32_t dirac__maker_begin(dirac__maker *maker);
void dirac__maker_end(dirac__maker *maker);
/* Makes the batch at `place`, which is inside its epoch. Allocates nothing. Errors: CALLBACK. */
int32_t dirac__maker_make(dirac__maker *maker, const dirac__place *place, dirac__batch *batch);

/* Memory for the largest batch. Errors: MEMORY. */
int32_t dirac__batch_allocate(const dirac__maker *maker, dirac__batch *batch);
void dirac__batch_free(const dirac__maker *maker, dirac__batch *batch);

#endif
