/* SPDX-License-Identifier: MIT */
/* What is done with a data set that came out of a hostile file: every sample is read, and one epoch of batches. */
#ifndef FUZZ_USE_DATASET_H
#define FUZZ_USE_DATASET_H

#include "fuzz.h"

static inline void fuzz_read_samples(const dirac_dataset *set)
{
    int64_t dims[4];
    int32_t rank;
    size_t values = 1;
    FUZZ_CHECK(dirac_dataset_shape(set, dims, &rank) == DIRAC_OK);
    for (int32_t i = 0; i < rank; i++)
        values *= (size_t)dims[i];
    float *sample = malloc(values * sizeof *sample);
    FUZZ_CHECK(sample != NULL);
    for (int64_t i = 0; i < dirac_dataset_count(set) && i < 64; i++) {
        const int32_t label = dirac_dataset_label(set, i);
        FUZZ_CHECK(dirac_dataset_read(set, i, sample, values) == DIRAC_OK);
        FUZZ_CHECK(label >= 0 && label < dirac_dataset_classes(set));
        for (size_t j = 0; j < values; j++)
            FUZZ_CHECK(sample[j] >= 0 && sample[j] <= 255);
    }
    free(sample);
}

/* Two sets that should hold the same, or are both NULL: labels, and the values of the first samples. */
static inline void fuzz_same_samples(const dirac_dataset *a, const dirac_dataset *b)
{
    int64_t dims[4] = {0};
    int32_t rank = 0;
    size_t values = 1;
    FUZZ_CHECK((a == NULL) == (b == NULL) && dirac_dataset_count(a) == dirac_dataset_count(b));
    if (a == NULL)
        return;
    FUZZ_CHECK(dirac_dataset_shape(a, dims, &rank) == DIRAC_OK);
    for (int32_t i = 0; i < rank; i++)
        values *= (size_t)dims[i];
    float *sample = malloc(2 * values * sizeof *sample);
    FUZZ_CHECK(sample != NULL);
    for (int64_t i = 0; i < dirac_dataset_count(a) && i < 4; i++) {
        FUZZ_CHECK(dirac_dataset_label(a, i) == dirac_dataset_label(b, i));
        FUZZ_CHECK(dirac_dataset_read(a, i, sample, values) == DIRAC_OK);
        FUZZ_CHECK(dirac_dataset_read(b, i, sample + values, values) == DIRAC_OK);
        FUZZ_CHECK(memcmp(sample, sample + values, values * sizeof *sample) == 0);
    }
    free(sample);
}

static inline void fuzz_read_batches(dirac_dataset *set)
{
    dirac_batches *batches = NULL;
    const float *samples;
    const int32_t *labels;
    int64_t n = 1, seen = 0;
    fuzz_status(dirac_batches_create(&batches, set));
    if (batches == NULL)
        return;
    FUZZ_CHECK(dirac_batches_set_size(batches, 3) == DIRAC_OK);
    FUZZ_CHECK(dirac_batches_set_shuffle(batches, 1) == DIRAC_OK);
    fuzz_status(dirac_batches_set_flip(batches, 1));
    fuzz_status(dirac_batches_set_crop(batches, 1, DIRAC_PAD_REFLECT));
    for (int32_t i = 0; i < 64 && n > 0; i++) {
        const int32_t status = dirac_batches_next(batches, &samples, &labels, &n);
        fuzz_status(status);
        if (status != DIRAC_OK)
            break;
        seen += n;
        FUZZ_CHECK(n > 0 || seen == dirac_dataset_count(set));
    }
    dirac_batches_destroy(batches);
}

static inline void fuzz_use_dataset(dirac_dataset *set)
{
    if (set == NULL)
        return;
    fuzz_read_samples(set);
    fuzz_read_batches(set);
    dirac_dataset_destroy(set);
}

#endif
