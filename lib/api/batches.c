/* SPDX-License-Identifier: MIT */
/* The public functions of batches: they check their arguments and call down. */
#include <inttypes.h>
#include <math.h>

#include <dirac/data.h>

#include "base/fail.h"
#include "base/floats.h"
#include "base/number.h"
#include "data/batches.h"
#include "data/dataset.h"

#define PAD_LIMIT ((int64_t)1 << 30)
#define AHEAD_LIMIT 16

static int32_t fail_null(const char *what)
{
    return dirac__fail(DIRAC_ERR_ARGUMENT, "%s is NULL", what);
}

/* Options may be set until the first batch. */
static int32_t check_open(const dirac_batches *batches)
{
    if (!batches)
        return fail_null("batches");
    if (batches->fixed)
        return dirac__fail(DIRAC_ERR_STATE,
                           "batches: options are fixed since the first call of dirac_batches_next");
    return DIRAC_OK;
}

static int32_t check_switch(const dirac_batches *batches, const char *name, int32_t value)
{
    int32_t status = check_open(batches);
    if (status == DIRAC_OK && value != 0 && value != 1)
        status = dirac__fail(DIRAC_ERR_ARGUMENT, "batches: %s is %" PRId32 ", must be 0 or 1", name,
                             value);
    return status;
}

/* Cropping and mirroring are for samples with two spatial dimensions. */
static int32_t check_spatial(const dirac_batches *batches, const char *name)
{
    if (batches->dataset->rank >= 3)
        return DIRAC_OK;
    return dirac__fail(DIRAC_ERR_SHAPE,
                       "batches: %s needs samples of 3 or 4 dimensions (channels, then space), "
                       "these have %" PRId32,
                       name, batches->dataset->rank);
}

int32_t dirac_batches_create(dirac_batches **out, dirac_dataset *dataset)
{
    if (!out)
        return fail_null("out");
    *out = NULL;
    if (!dataset)
        return fail_null("dataset");
    return dirac__batches_create(out, dataset);
}

void dirac_batches_destroy(dirac_batches *batches)
{
    dirac__batches_destroy(batches);
}

int32_t dirac_batches_set_size(dirac_batches *batches, int64_t n)
{
    int32_t status = check_open(batches);
    if (status != DIRAC_OK)
        return status;
    if (n < 1)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "batches: size is %" PRId64 ", must be at least 1",
                           n);
    batches->maker.size = n;
    return DIRAC_OK;
}

int32_t dirac_batches_set_seed(dirac_batches *batches, uint64_t seed)
{
    int32_t status = check_open(batches);
    if (status == DIRAC_OK)
        batches->position.seed = seed;
    return status;
}

int32_t dirac_batches_set_shuffle(dirac_batches *batches, int32_t shuffle)
{
    int32_t status = check_switch(batches, "shuffle", shuffle);
    if (status == DIRAC_OK)
        batches->maker.shuffle = shuffle == 1;
    return status;
}

int32_t dirac_batches_set_drop_last(dirac_batches *batches, int32_t drop)
{
    int32_t status = check_switch(batches, "drop_last", drop);
    if (status == DIRAC_OK)
        batches->drop_last = drop == 1;
    return status;
}

int32_t dirac_batches_set_crop(dirac_batches *batches, int64_t pixels, int32_t mode)
{
    int32_t status = check_open(batches);
    if (status != DIRAC_OK)
        return status;
    dirac__augment *augment = &batches->maker.augment;
    if (pixels < 0 || pixels > PAD_LIMIT)
        return dirac__fail(DIRAC_ERR_ARGUMENT,
                           "batches: crop is %" PRId64 " pixels, must be 0 to %" PRId64, pixels,
                           PAD_LIMIT);
    if (mode != DIRAC_PAD_ZERO && mode != DIRAC_PAD_REFLECT)
        return dirac__fail(DIRAC_ERR_ARGUMENT,
                           "batches: crop mode is %" PRId32
                           ", must be DIRAC_PAD_ZERO (0) or DIRAC_PAD_REFLECT (1)",
                           mode);
    status = pixels > 0 ? check_spatial(batches, "crop") : (int32_t)DIRAC_OK;
    if (status != DIRAC_OK)
        return status;
    size_t smaller = augment->height < augment->width ? augment->height : augment->width;
    if (mode == DIRAC_PAD_REFLECT && pixels > 0 && (uint64_t)pixels >= smaller)
        return dirac__fail(DIRAC_ERR_ARGUMENT,
                           "batches: crop is %" PRId64
                           " pixels, reflection in %zu x %zu allows 0 to %zu",
                           pixels, augment->height, augment->width, smaller - 1);
    augment->pad = pixels;
    augment->mode = mode;
    return DIRAC_OK;
}

int32_t dirac_batches_set_flip(dirac_batches *batches, int32_t flip)
{
    int32_t status = check_switch(batches, "flip", flip);
    if (status == DIRAC_OK && flip == 1)
        status = check_spatial(batches, "flip");
    if (status == DIRAC_OK)
        batches->maker.augment.flip = flip == 1;
    return status;
}

int32_t dirac_batches_set_normalization(dirac_batches *batches, const float *mean,
                                        const float *deviation, int64_t channels)
{
    DIRAC__HOLD_FLOATS();
    char text[DIRAC__NUMBER_CAPACITY];
    int32_t status = check_open(batches);
    if (status != DIRAC_OK)
        return status;
    if (!mean)
        return fail_null("mean");
    if (!deviation)
        return fail_null("deviation");
    if (channels != batches->dataset->dims[0])
        return dirac__fail(DIRAC_ERR_SHAPE,
                           "batches: normalisation of %" PRId64
                           " channels, the samples have %" PRId64,
                           channels, batches->dataset->dims[0]);
    for (int64_t c = 0; c < channels; c++) {
        if (!isfinite(mean[c]))
            return dirac__fail(DIRAC_ERR_ARGUMENT,
                               "batches: mean[%" PRId64 "] is %s, must be finite", c,
                               dirac__format_number(text, (double)mean[c], 9));
        if (!isfinite(deviation[c]) || deviation[c] <= 0)
            return dirac__fail(DIRAC_ERR_ARGUMENT,
                               "batches: deviation[%" PRId64 "] is %s, must be above 0 and finite",
                               c, dirac__format_number(text, (double)deviation[c], 9));
    }
    return dirac__batches_normalize(batches, mean, deviation);
}

int32_t dirac_batches_set_prefetch(dirac_batches *batches, int32_t batches_ahead)
{
    int32_t status = check_open(batches);
    if (status != DIRAC_OK)
        return status;
    if (batches_ahead < 0 || batches_ahead > AHEAD_LIMIT)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "batches: prefetch is %" PRId32 ", must be 0 to %d",
                           batches_ahead, AHEAD_LIMIT);
    batches->ahead = batches_ahead;
    return DIRAC_OK;
}

int32_t dirac_batches_next(dirac_batches *batches, const float **samples, const int32_t **labels,
                           int64_t *n)
{
    DIRAC__HOLD_FLOATS();
    if (!batches)
        return fail_null("batches");
    if (!samples)
        return fail_null("samples");
    if (!labels)
        return fail_null("labels");
    if (!n)
        return fail_null("n");
    return dirac__batches_next(batches, samples, labels, n);
}

int32_t dirac_batches_seek(dirac_batches *batches, int64_t epoch, int64_t batch)
{
    return batches ? dirac__batches_seek(batches, epoch, batch) : fail_null("batches");
}

int32_t dirac_batches_position(const dirac_batches *batches, int64_t *epoch, int64_t *batch)
{
    if (!batches)
        return fail_null("batches");
    if (!epoch)
        return fail_null("epoch");
    if (!batch)
        return fail_null("batch");
    *epoch = batches->position.epoch;
    *batch = batches->position.batch;
    return DIRAC_OK;
}

int64_t dirac_batches_per_epoch(const dirac_batches *batches)
{
    return batches ? dirac__batches_per_epoch(batches) : 0;
}
