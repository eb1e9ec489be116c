/* SPDX-License-Identifier: MIT */
/* Between image.c and the files for JPEG and PNG, each built where its library is there (HAVE_JPEG, HAVE_PNG). */
#ifndef COMMON_IMAGE_FORMATS_H
#define COMMON_IMAGE_FORMATS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "image.h"

/* Each reads an open file; false, with one sentence in `why`, when it cannot. The pixels are the caller's to free. */
bool image_read_jpeg(image *out, FILE *file, char why[256]);
bool image_read_png(image *out, FILE *file, char why[256]);

/* True, with the sentence written, when an image of that size is not to be read. */
bool image_too_large(uint32_t width, uint32_t height, char why[256]);

#endif
