/* SPDX-License-Identifier: MIT */
/* What a training reads. */
#include "feed.h"

#include <string.h>

#include "program.h"

feed feed_from_source(const source *from, int64_t batch, uint64_t seed)
{
    int64_t shorter = from->dims[1] < from->dims[2] ? from->dims[1] : from->dims[2];
    feed f = {.classes = from->classes,
              .train_images = dirac_dataset_count(from->training),
              .test_images = dirac_dataset_count(from->test),
              .train = source_batches(from, from->training, batch),
              .test = source_batches(from, from->test, batch)};
    memcpy(f.dims, from->dims, sizeof f.dims);
    check(dirac_batches_set_seed(f.train, seed), "seed");
    check(dirac_batches_set_shuffle(f.train, 1), "shuffling");
    check(dirac_batches_set_crop(f.train, shorter >= 32 ? 4 : shorter / 8, DIRAC_PAD_REFLECT), "cropping");
    check(dirac_batches_set_flip(f.train, from->mirror), "mirroring");
    check(dirac_batches_set_prefetch(f.train, 4), "prefetching");
    return f;
}

void feed_next(const feed *f, bool training, const float **images, const int32_t **labels, int64_t *n)
{
    dirac_batches *stream = training ? f->train : f->test;
    int64_t epoch, batch;
    check(dirac_batches_next(stream, images, labels, n), "next batch");
    check(dirac_batches_position(stream, &epoch, &batch), "position");
    if (f->images != NULL && *n > 0)
        *images = f->images(f->user, training, epoch, *images, *n);
}

void feed_close(feed *f)
{
    dirac_batches_destroy(f->train);
    dirac_batches_destroy(f->test);
}
