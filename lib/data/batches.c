/* SPDX-License-Identifier: MIT */
/* A stream of batches: walks the epochs, and hands out batches made on the spot or by the prefetching thread. Both make
 * them with the same maker, so the stream is the same. */
#include "data/batches.h"

#include <inttypes.h>
#include <string.h>

#include "base/fail.h"

static const dirac__memory *memory_of(const dirac_batches *batches)
{
    return &batches->dataset->context->memory;
}

/* The default normalisation: bytes / 255. */
static int32_t scale_bytes(dirac_batches *batches)
{
    size_t channels = batches->maker.augment.channels;
    float *scales = dirac__alloc_zero(memory_of(batches), channels, 2 * sizeof *scales);
    if (!scales)
        return dirac__fail_memory("normalisation");
    for (size_t c = 0; c < channels; c++)
        scales[channels + c] = 255;
    batches->scales = scales;
    batches->maker.augment.mean = scales;
    batches->maker.augment.deviation = scales + channels;
    return DIRAC_OK;
}

static void set_shape(dirac__augment *augment, const dirac_dataset *dataset)
{
    const int64_t *dims = dataset->dims;
    int32_t rank = dataset->rank;
    augment->channels = (size_t)dims[0];
    augment->depth = rank > 3 ? (size_t)dims[1] : 1;
    augment->height = rank > 2 ? (size_t)dims[rank - 2] : 1;
    augment->width = rank > 1 ? (size_t)dims[rank - 1] : 1;
}

int32_t dirac__batches_create(dirac_batches **out, dirac_dataset *dataset)
{
    if (dataset->count == 0)
        return dirac__fail(DIRAC_ERR_STATE, "batches: the data set is empty");
    dirac_batches *batches = dirac__alloc_zero(&dataset->context->memory, 1, sizeof *batches);
    if (!batches)
        return dirac__fail_memory("batches");
    atomic_init(&batches->references, 1);
    batches->dataset = dataset;
    batches->maker.dataset = dataset;
    batches->maker.size = 128;
    batches->position.seed = dataset->context->seed;
    set_shape(&batches->maker.augment, dataset);
    int32_t status =
        dataset->kind == DIRAC__SAMPLES_BYTES ? scale_bytes(batches) : (int32_t)DIRAC_OK;
    if (status != DIRAC_OK) {
        dirac__free(&dataset->context->memory, batches);
        return status;
    }
    dirac__dataset_retain(dataset);
    atomic_store(&dataset->frozen, true);
    *out = batches;
    return DIRAC_OK;
}

void dirac__batches_hold(dirac_batches *batches)
{
    atomic_fetch_add_explicit(&batches->references, 1, memory_order_relaxed);
}

void dirac__batches_release(dirac_batches *batches)
{
    if (!batches || atomic_fetch_sub_explicit(&batches->references, 1, memory_order_acq_rel) != 1)
        return;
    dirac_dataset *dataset = batches->dataset;
    const dirac__memory *memory = memory_of(batches);
    dirac__prefetch_stop(batches->prefetch);
    dirac__batch_free(&batches->maker, &batches->batch);
    dirac__maker_end(&batches->maker);
    dirac__free(memory, batches->scales);
    dirac__free(memory, batches);
    dirac__dataset_release(dataset);
}

void dirac__batches_destroy(dirac_batches *batches)
{
    if (!batches)
        return;
    dirac__prefetch_stop(batches->prefetch);
    batches->prefetch = NULL;
    dirac__batches_release(batches);
}

int32_t dirac__batches_normalize(dirac_batches *batches, const float *mean, const float *deviation)
{
    size_t channels = batches->maker.augment.channels;
    float *scales = dirac__alloc_zero(memory_of(batches), channels, 2 * sizeof *scales);
    if (!scales)
        return dirac__fail_memory("normalisation");
    memcpy(scales, mean, channels * sizeof *scales);
    memcpy(scales + channels, deviation, channels * sizeof *scales);
    dirac__free(memory_of(batches), batches->scales);
    batches->scales = scales;
    batches->maker.augment.mean = scales;
    batches->maker.augment.deviation = scales + channels;
    return DIRAC_OK;
}

int64_t dirac__batches_per_epoch(const dirac_batches *batches)
{
    int64_t count = batches->dataset->count, size = batches->maker.size;
    return count / size + (!batches->drop_last && count % size != 0 ? 1 : 0);
}

/* The first call of next: fixes the options and gets the memory, and the thread if one is wanted. */
static int32_t begin(dirac_batches *batches, int64_t per_epoch)
{
    int32_t status = dirac__maker_begin(&batches->maker);
    if (status != DIRAC_OK)
        return status;
    if (batches->ahead > 0)
        status = dirac__prefetch_start(&batches->prefetch, &batches->maker, batches->ahead,
                                       per_epoch, &batches->position);
    else
        status = dirac__batch_allocate(&batches->maker, &batches->batch);
    if (status != DIRAC_OK) {
        dirac__maker_end(&batches->maker);
        return status;
    }
    batches->fixed = true;
    return DIRAC_OK;
}

static int32_t make(dirac_batches *batches, const dirac__batch **out)
{
    if (batches->prefetch)
        return dirac__prefetch_take(batches->prefetch, &batches->position, out);
    *out = &batches->batch;
    return dirac__maker_make(&batches->maker, &batches->position, &batches->batch);
}

int32_t dirac__batches_next(dirac_batches *batches, const float **samples, const int32_t **labels,
                            int64_t *n)
{
    int64_t per_epoch = dirac__batches_per_epoch(batches);
    const dirac__batch *batch = NULL;
    /* Epochs without a batch (all dropped) need no thread, which would look for one for ever. */
    int32_t status =
        batches->fixed || per_epoch == 0 ? (int32_t)DIRAC_OK : begin(batches, per_epoch);
    if (status != DIRAC_OK)
        return status;
    batches->fixed = true;
    if (batches->position.batch >= per_epoch) {
        if (batches->position.epoch < INT64_MAX)
            batches->position.epoch++;
        batches->position.batch = 0;
        *samples = NULL;
        *labels = NULL;
        *n = 0;
        return DIRAC_OK;
    }
    status = make(batches, &batch);
    if (status != DIRAC_OK)
        return status;
    batches->position.batch++;
    batches->given = batch;
    *samples = batch->samples;
    *labels = batch->labels;
    *n = batch->n;
    return DIRAC_OK;
}

int64_t dirac__batches_index(const dirac_batches *batches, int64_t i)
{
    return batches->given->indices[i];
}

static void go(dirac_batches *batches, const dirac__place *place)
{
    batches->position = *place;
    if (batches->prefetch)
        dirac__prefetch_seek(batches->prefetch, place);
}

int32_t dirac__batches_seek(dirac_batches *batches, int64_t epoch, int64_t batch)
{
    int64_t per_epoch = dirac__batches_per_epoch(batches);
    if (epoch < 0 || epoch > DIRAC__EPOCH_LIMIT)
        return dirac__fail(DIRAC_ERR_ARGUMENT,
                           "batches: epoch is %" PRId64 ", must be 0 to %" PRId64, epoch,
                           DIRAC__EPOCH_LIMIT);
    if (batch < 0 || batch > per_epoch)
        return dirac__fail(DIRAC_ERR_ARGUMENT,
                           "batches: batch is %" PRId64 ", must be 0 to %" PRId64, batch,
                           per_epoch);
    dirac__place place = {batches->position.seed, epoch, batch};
    go(batches, &place);
    return DIRAC_OK;
}

/* 64-bit FNV-1a over the value's bytes, lowest first whatever the machine's order. */
static uint64_t hash_value(uint64_t hash, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        hash = (hash ^ (value >> 8 * i & 0xff)) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_floats(uint64_t hash, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, sizeof bits);
        hash = hash_value(hash, bits);
    }
    return hash;
}

/* Whatever the stream depends on, except seed and data. */
static uint64_t hash_options(const dirac_batches *batches)
{
    const dirac__augment *augment = &batches->maker.augment;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    hash = hash_value(hash, (uint64_t)batches->dataset->count);
    hash = hash_value(hash, (uint64_t)batches->dataset->rank);
    for (int32_t i = 0; i < batches->dataset->rank; i++)
        hash = hash_value(hash, (uint64_t)batches->dataset->dims[i]);
    hash = hash_value(hash, (uint64_t)batches->maker.size);
    hash = hash_value(hash, batches->maker.shuffle);
    hash = hash_value(hash, batches->drop_last);
    hash = hash_value(hash, augment->flip);
    hash = hash_value(hash, (uint64_t)augment->pad);
    hash = hash_value(hash, augment->pad > 0 ? (uint64_t)augment->mode : 0);
    hash = hash_value(hash, batches->scales != NULL);
    if (batches->scales)
        hash = hash_floats(hash, batches->scales, 2 * augment->channels);
    return hash;
}

void dirac__batches_state(const dirac_batches *batches, uint64_t out[4])
{
    int64_t per_epoch = dirac__batches_per_epoch(batches), batch = batches->position.batch;
    out[0] = batches->position.seed;
    out[1] = (uint64_t)batches->position.epoch;
    out[2] = (uint64_t)(batch < per_epoch ? batch : per_epoch); /* options may change after a seek */
    out[3] = hash_options(batches);
}

int32_t dirac__batches_check_state(const dirac_batches *batches, const uint64_t in[4])
{
    uint64_t per_epoch = (uint64_t)dirac__batches_per_epoch(batches);
    if (in[3] != hash_options(batches))
        return dirac__fail(DIRAC_ERR_MISMATCH,
                           "batches: the saved stream had other options (size, shuffle, drop_last, "
                           "crop, flip, normalisation) or another number or shape of samples");
    if (in[1] > (uint64_t)DIRAC__EPOCH_LIMIT || in[2] > per_epoch)
        return dirac__fail(DIRAC_ERR_FORMAT,
                           "batches: the saved place is epoch %" PRIu64 ", batch %" PRIu64
                           ", must be at most epoch %" PRId64 ", batch %" PRIu64,
                           in[1], in[2], DIRAC__EPOCH_LIMIT, per_epoch);
    return DIRAC_OK;
}

int32_t dirac__batches_restore(dirac_batches *batches, const uint64_t in[4])
{
    int32_t status = dirac__batches_check_state(batches, in);
    if (status != DIRAC_OK)
        return status;
    dirac__place place = {in[0], (int64_t)in[1], (int64_t)in[2]};
    go(batches, &place);
    return DIRAC_OK;
}
