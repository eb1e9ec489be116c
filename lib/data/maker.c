/* SPDX-License-Identifier: MIT */
/* Makes batches. Order and augmentation are drawn from counter-based streams of (seed, epoch), so that seeking,
 * prefetching and resuming all give the same bits. */
#include "data/maker.h"

#include <assert.h>
#include <string.h>

#include "base/fail.h"
#include "data/order.h"

static const dirac__memory *memory_of(const dirac__maker *maker)
{
    return &maker->dataset->context->memory;
}

int32_t dirac__maker_begin(dirac__maker *maker)
{
    const dirac_dataset *dataset = maker->dataset;
    size_t bytes = 0;
    maker->order = NULL;
    maker->order_epoch = -1;
    maker->sample = NULL;
    if (maker->shuffle) {
        if ((uint64_t)dataset->count <= SIZE_MAX &&
            dirac__multiply((size_t)dataset->count, sizeof *maker->order, &bytes))
            maker->order = dirac__alloc(memory_of(maker), bytes);
        if (!maker->order)
            return dirac__fail_memory("order of an epoch");
    }
    if (dataset->kind == DIRAC__SAMPLES_CALLBACK) {
        maker->sample = dirac__alloc_zero(memory_of(maker), dataset->length, sizeof(float));
        if (!maker->sample) {
            dirac__maker_end(maker);
            return dirac__fail_memory("sample of a callback");
        }
    }
    return DIRAC_OK;
}

void dirac__maker_end(dirac__maker *maker)
{
    dirac__free(memory_of(maker), maker->order);
    dirac__free(memory_of(maker), maker->sample);
    maker->order = NULL;
    maker->sample = NULL;
}

int32_t dirac__batch_allocate(const dirac__maker *maker, dirac__batch *batch)
{
    int64_t count = maker->dataset->count;
    size_t n = (size_t)(maker->size < count ? maker->size : count), values = 0;
    *batch = (dirac__batch){0};
    if (dirac__multiply(n, maker->dataset->length, &values)) {
        batch->samples = dirac__alloc_zero(memory_of(maker), values, sizeof *batch->samples);
        batch->labels = dirac__alloc_zero(memory_of(maker), n, sizeof *batch->labels);
        batch->indices = dirac__alloc_zero(memory_of(maker), n, sizeof *batch->indices);
    }
    if (batch->samples && batch->labels && batch->indices)
        return DIRAC_OK;
    dirac__batch_free(maker, batch);
    return dirac__fail_memory("batch");
}

void dirac__batch_free(const dirac__maker *maker, dirac__batch *batch)
{
    dirac__free(memory_of(maker), batch->samples);
    dirac__free(memory_of(maker), batch->labels);
    dirac__free(memory_of(maker), batch->indices);
    *batch = (dirac__batch){0};
}

static void renew_order(dirac__maker *maker, const dirac__place *place)
{
    if (!maker->shuffle || (maker->order_epoch == place->epoch && maker->order_seed == place->seed))
        return;
    dirac__order_fill(maker->order, maker->dataset->count, place->seed, place->epoch);
    maker->order_epoch = place->epoch;
    maker->order_seed = place->seed;
}

static int32_t make_sample(dirac__maker *maker, const dirac__random *random, int64_t index,
                           float *out, int32_t *label)
{
    const dirac_dataset *dataset = maker->dataset;
    dirac__cut cut = dirac__cut_draw(&maker->augment, random, (uint64_t)index);
    if (dataset->kind == DIRAC__SAMPLES_CALLBACK) {
        int32_t status = dirac__dataset_call(dataset, index, maker->sample, label);
        if (status == DIRAC_OK)
            dirac__augment_floats(&maker->augment, &cut, maker->sample, out);
        return status;
    }
    const void *stored = dirac__dataset_stored(dataset, index);
    *label = dataset->labels[index];
    if (dataset->kind == DIRAC__SAMPLES_BYTES)
        dirac__augment_bytes(&maker->augment, &cut, stored, out);
    else
        dirac__augment_floats(&maker->augment, &cut, stored, out);
    return DIRAC_OK;
}

int32_t dirac__maker_make(dirac__maker *maker, const dirac__place *place, dirac__batch *batch)
{
    int64_t first = place->batch * maker->size, left = maker->dataset->count - first;
    int64_t n = left < maker->size ? left : maker->size;
    dirac__random random = dirac__random_stream(place->seed, "augment", (uint64_t)place->epoch);
    assert(n > 0);
    renew_order(maker, place);
    batch->n = n;
    for (int64_t i = 0; i < n; i++) {
        int64_t index = maker->order ? maker->order[first + i] : first + i;
        batch->indices[i] = index;
        float *out = batch->samples + (size_t)i * maker->dataset->length;
        int32_t status = make_sample(maker, &random, index, out, batch->labels + i);
        if (status != DIRAC_OK)
            return status;
    }
    return DIRAC_OK;
}
