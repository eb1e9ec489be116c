/* SPDX-License-Identifier: MIT */
/* Data sets in memory: creation, growth, references. Bytes stay bytes until they are in a batch: a set of images then
 * takes a quarter of the memory. */
#include "data/dataset.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/fail.h"

/* The number of values in a sample; false if the shape is not one. */
static bool shape_length(const int64_t *dims, int32_t rank, size_t *length)
{
    size_t product = 1;
    for (int32_t i = 0; i < rank; i++)
        if (dims[i] < 1 || (uint64_t)dims[i] > SIZE_MAX ||
            !dirac__multiply(product, (size_t)dims[i], &product))
            return false;
    *length = product;
    return product <= (size_t)PTRDIFF_MAX / sizeof(float);
}

static int32_t check_shape(const int64_t *dims, int32_t rank, size_t *length)
{
    if (rank < 1 || rank > DIRAC__SAMPLE_RANK)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "data set: rank is %" PRId32 ", must be 1 to %d",
                           rank, DIRAC__SAMPLE_RANK);
    for (int32_t i = 0; i < rank; i++)
        if (dims[i] < 1)
            return dirac__fail(DIRAC_ERR_ARGUMENT,
                               "data set: dimension %" PRId32 " is %" PRId64 ", must be at least 1",
                               i, dims[i]);
    if (!shape_length(dims, rank, length))
        return dirac__fail(DIRAC_ERR_ARGUMENT, "data set: a sample does not fit in memory");
    return DIRAC_OK;
}

int32_t dirac__dataset_create(dirac_dataset **out, dirac_context *context, int32_t kind,
                              const int64_t *dims, int32_t rank)
{
    size_t length = 0;
    int32_t status = check_shape(dims, rank, &length);
    if (status != DIRAC_OK)
        return status;
    status = dirac__context_use(context);
    if (status != DIRAC_OK)
        return status;
    dirac_dataset *dataset = dirac__alloc_zero(&context->memory, 1, sizeof *dataset);
    if (!dataset) {
        dirac__context_release(context);
        return dirac__fail_memory("data set");
    }
    dataset->context = context;
    atomic_init(&dataset->references, 1);
    atomic_init(&dataset->frozen, false);
    dataset->kind = kind;
    dataset->rank = rank;
    memcpy(dataset->dims, dims, (size_t)rank * sizeof *dims);
    dataset->length = length;
    if (kind != DIRAC__SAMPLES_CALLBACK)
        dataset->sample_bytes = length * (kind == DIRAC__SAMPLES_BYTES ? 1 : sizeof(float));
    *out = dataset;
    return DIRAC_OK;
}

void dirac__dataset_retain(dirac_dataset *dataset)
{
    atomic_fetch_add_explicit(&dataset->references, 1, memory_order_relaxed);
}

void dirac__dataset_release(dirac_dataset *dataset)
{
    if (!dataset || atomic_fetch_sub_explicit(&dataset->references, 1, memory_order_acq_rel) != 1)
        return;
    dirac_context *context = dataset->context;
    dirac__class_names_release(&dataset->names, &context->memory);
    dirac__free(&context->memory, dataset->values);
    dirac__free(&context->memory, dataset->labels);
    dirac__free(&context->memory, dataset);
    dirac__context_release(context);
}

/* Not dirac__grow(): samples may be so large that neither spare ones nor zeros to write over are wanted. The first
 * reservation is exact; later ones double, so that adding one by one copies each sample but a few times. */
static bool grow_values(dirac_dataset *dataset, size_t needed)
{
    const dirac__memory *memory = &dataset->context->memory;
    size_t capacity = dataset->values_capacity, bytes;
    if (needed <= capacity)
        return true;
    capacity = capacity > needed / 2 ? 2 * capacity : needed;
    unsigned char *grown = NULL;
    if (dirac__multiply(capacity, dataset->sample_bytes, &bytes) && bytes <= PTRDIFF_MAX)
        grown = dirac__alloc(memory, bytes);
    if (!grown)
        return false;
    if (dataset->count > 0)
        memcpy(grown, dataset->values, (size_t)dataset->count * dataset->sample_bytes);
    dirac__free(memory, dataset->values);
    dataset->values = grown;
    dataset->values_capacity = capacity;
    return true;
}

int32_t dirac__dataset_reserve(dirac_dataset *dataset, int64_t more)
{
    size_t needed, values_bytes, label_bytes;
    assert(more >= 0 && dataset->kind != DIRAC__SAMPLES_CALLBACK);
    if ((uint64_t)more > SIZE_MAX || !dirac__add((size_t)dataset->count, (size_t)more, &needed) ||
        !dirac__multiply(needed, dataset->sample_bytes, &values_bytes) ||
        !dirac__multiply(needed, sizeof *dataset->labels, &label_bytes) ||
        values_bytes > PTRDIFF_MAX || label_bytes > PTRDIFF_MAX)
        return dirac__fail(DIRAC_ERR_LIMIT,
                           "data set: %" PRId64 " samples and %" PRId64 " more of %zu bytes each "
                           "are beyond the address space",
                           dataset->count, more, dataset->sample_bytes);
    if (needed == 0)
        return DIRAC_OK;
    if (!grow_values(dataset, needed) ||
        !dirac__grow(&dataset->context->memory, &dataset->labels, &dataset->labels_capacity, needed,
                     sizeof *dataset->labels))
        return dirac__fail_memory("samples of a data set");
    return DIRAC_OK;
}

/* Where the next sample goes; counts it. */
static void *append_label(dirac_dataset *dataset, int32_t label)
{
    size_t at = (size_t)dataset->count;
    assert(at < dataset->values_capacity && at < dataset->labels_capacity);
    assert(label >= 0 && label <= DIRAC__LABEL_LIMIT);
    dataset->labels[at] = label;
    if (dataset->classes <= label)
        dataset->classes = label + 1;
    dataset->count++;
    return (unsigned char *)dataset->values + at * dataset->sample_bytes;
}

void dirac__dataset_append(dirac_dataset *dataset, const void *sample, int32_t label)
{
    memcpy(append_label(dataset, label), sample, dataset->sample_bytes);
}

void dirac__dataset_append_interleaved(dirac_dataset *dataset, const uint8_t *image, int32_t label)
{
    size_t channels = (size_t)dataset->dims[0], pixels = dataset->length / channels;
    uint8_t *planes = append_label(dataset, label);
    assert(dataset->kind == DIRAC__SAMPLES_BYTES);
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < pixels; i++)
            planes[c * pixels + i] = image[i * channels + c];
}

int32_t dirac__dataset_name_class(dirac_dataset *dataset, int32_t label, const char *name)
{
    assert(label >= 0 && label <= DIRAC__LABEL_LIMIT);
    int32_t status =
        dirac__class_names_set(&dataset->names, &dataset->context->memory, label, name);
    if (status == DIRAC_OK && dataset->classes <= label)
        dataset->classes = label + 1;
    return status;
}

int32_t dirac__dataset_check_limit(const dirac_dataset *dataset, uint64_t more, uint64_t held,
                                   const char *source)
{
    uint64_t each = (uint64_t)dataset->sample_bytes + sizeof *dataset->labels;
    uint64_t limit = dataset->context->load_limit;
    uint64_t samples = (uint64_t)dataset->count;
    if (held <= limit && more <= UINT64_MAX - samples && samples + more <= (limit - held) / each)
        return DIRAC_OK;
    return dirac__fail(DIRAC_ERR_LIMIT,
                       "%s: %" PRIu64 " samples of %" PRIu64 " bytes and %" PRIu64
                       " bytes of files are more than the load limit of %" PRIu64 " bytes",
                       source, samples + more, each, held, limit);
}

const void *dirac__dataset_stored(const dirac_dataset *dataset, int64_t index)
{
    assert(index >= 0 && index < dataset->count && dataset->kind != DIRAC__SAMPLES_CALLBACK);
    return (const unsigned char *)dataset->values + (size_t)index * dataset->sample_bytes;
}

int32_t dirac__dataset_call(const dirac_dataset *dataset, int64_t index, float *values,
                            int32_t *label)
{
    int32_t given = -1;
    int32_t result = dataset->sample(dataset->user, index, values, &given);
    if (result != 0)
        return dirac__fail(DIRAC_ERR_CALLBACK,
                           "data set: the callback returned %" PRId32 " for sample %" PRId64,
                           result, index);
    if (given < 0)
        return dirac__fail(DIRAC_ERR_CALLBACK,
                           "data set: the callback gave label %" PRId32 " for sample %" PRId64
                           ", must be at least 0",
                           given, index);
    *label = given;
    return DIRAC_OK;
}

int32_t dirac__dataset_read(const dirac_dataset *dataset, int64_t index, float *values,
                            int32_t *label)
{
    if (dataset->kind == DIRAC__SAMPLES_CALLBACK)
        return dirac__dataset_call(dataset, index, values, label);
    const void *stored = dirac__dataset_stored(dataset, index);
    *label = dataset->labels[index];
    if (dataset->kind == DIRAC__SAMPLES_FLOATS)
        memcpy(values, stored, dataset->sample_bytes);
    else
        for (size_t i = 0; i < dataset->length; i++)
            values[i] = ((const uint8_t *)stored)[i];
    return DIRAC_OK;
}
