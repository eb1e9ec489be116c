/* SPDX-License-Identifier: MIT */
/* A data set's inside: samples of one shape and their labels. It is filled by one thread, then only read. */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dirac/data.h>

#include "base/context.h"
#include "data/class_names.h"

#define DIRAC__SAMPLE_RANK 4
#define DIRAC__LABEL_LIMIT (INT32_MAX - 1) /* the largest label: the number of classes must fit too */

enum { DIRAC__SAMPLES_BYTES, DIRAC__SAMPLES_FLOATS, DIRAC__SAMPLES_CALLBACK };

struct dirac_dataset {
    dirac_context *context;
    atomic_int references;
    atomic_bool frozen; /* batches were made on it */
    int32_t kind;       /* DIRAC__SAMPLES_* */
    int32_t rank;
    int64_t dims[DIRAC__SAMPLE_RANK];
    size_t length;       /* values a sample */
    size_t sample_bytes; /* bytes stored a sample, 0 for callback sets */
    int64_t count;
    void *values; /* count * length of uint8_t or float, planar */
    size_t values_capacity, labels_capacity;
    int32_t *labels;
    int32_t classes; /* one more than the largest label or named class */
    dirac__class_names names;
    dirac_sample_fn sample; /* callback sets */
    void *user;
};

/* An empty set with one reference. Errors: ARGUMENT (rank or dims), MEMORY. */
int32_t dirac__dataset_create(dirac_dataset **out, dirac_context *context, int32_t kind,
                              const int64_t *dims, int32_t rank);
void dirac__dataset_retain(dirac_dataset *dataset);
/* Gives a reference back; the last one frees the set. NULL is accepted. */
void dirac__dataset_release(dirac_dataset *dataset);

/* Makes room for `more` samples. Errors: LIMIT (beyond the address space), MEMORY. */
int32_t dirac__dataset_reserve(dirac_dataset *dataset, int64_t more);
/* Adds a planar sample; room was reserved. Cannot fail. */
void dirac__dataset_append(dirac_dataset *dataset, const void *sample, int32_t label);
/* The same for an (H, W, C) byte image. */
void dirac__dataset_append_interleaved(dirac_dataset *dataset, const uint8_t *image, int32_t label);
/* Names a class of a set that is not frozen. Errors: MEMORY. */
int32_t dirac__dataset_name_class(dirac_dataset *dataset, int32_t label, const char *name);

/* Whether `more` samples beside `held` bytes of file contents stay within the context's load limit; if not, LIMIT,
 * naming `source`. */
int32_t dirac__dataset_check_limit(const dirac_dataset *dataset, uint64_t more, uint64_t held,
                                   const char *source);

/* Sample `index` of a byte or float set, as stored. */
const void *dirac__dataset_stored(const dirac_dataset *dataset, int64_t index);
/* Asks the callback for sample `index`. Errors: CALLBACK (it failed or gave a negative label). */
int32_t dirac__dataset_call(const dirac_dataset *dataset, int64_t index, float *values,
                            int32_t *label);
/* Sample `index` of any set as float, planar, and its label. Errors: CALLBACK. */
int32_t dirac__dataset_read(const dirac_dataset *dataset, int64_t index, float *values,
                            int32_t *label);

#endif
