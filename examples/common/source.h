/* SPDX-License-Identifier: MIT */
/* Where training data comes from: "cifar10:DIR", "cifar100:DIR", "idx:DIR" or "images:DIR". */
#ifndef COMMON_SOURCE_H
#define COMMON_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include <dirac/dirac.h>

enum { MOST_CHANNELS = 64 };

typedef struct {
    dirac_dataset *training, *test;
    int64_t dims[4]; /* channels, height, width */
    int32_t classes;
    bool mirror; /* whether an image's mirror image is as good an example */
    float mean[MOST_CHANNELS], deviation[MOST_CHANNELS];
} source;

/*
 * Opens both sets. `size` (images: only) is the height and width to bring images to; 0: those of the first one. Ends the
 * program, with the place named, when something cannot be read.
 */
void source_open(source *out, dirac_context *context, const char *text, int32_t size);
void source_close(source *from);
/* Batches of one of the sets, normalised with the source's mean and deviation. */
dirac_batches *source_batches(const source *from, dirac_dataset *set, int64_t size);

#endif
