/* SPDX-License-Identifier: MIT */
/*
 * What a training reads: two streams of batches, and how a batch of a stream becomes images. Sets in memory are the
 * images already; a tree of large images is a stream of numbers of files, which are read when their batch comes.
 */
#ifndef COMMON_FEED_H
#define COMMON_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include <dirac/dirac.h>

#include "source.h"

typedef struct {
    int64_t dims[3]; /* channels, height, width of an image */
    int32_t classes;
    int64_t train_images, test_images;
    dirac_batches *train, *test;
    /* The images of n entries of a stream, in epoch `epoch` from 0; NULL: the entries are the images. */
    const float *(*images)(void *user, bool training, int64_t epoch, const float *entries, int64_t n);
    void *user;
} feed;

/* Section 3 of the paper: pad by 4 with the image's reflection, cut at random, mirror half of them. */
feed feed_from_source(const source *from, int64_t batch, uint64_t seed);
/* The next batch; n is 0 at the end of an epoch. Ends the program when it cannot be had. */
void feed_next(const feed *f, bool training, const float **images, const int32_t **labels, int64_t *n);
/* Gives up the streams. */
void feed_close(feed *f);

#endif
