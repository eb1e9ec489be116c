/* SPDX-License-Identifier: MIT */
/* Reading JPEG and PNG files, and bringing an image to a size. */
#ifndef COMMON_IMAGE_H
#define COMMON_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Red, green, blue bytes, row by row. */
typedef struct {
    int32_t width, height;
    uint8_t *pixels;
} image;

/* Reads a file, known by its first bytes. False, with one sentence in `why`, when it cannot be read to its end. */
bool image_read(image *out, const char *path, char why[256]);
void image_free(image *picture);

/*
 * Scales the image so that it just covers width x height, and cuts the middle out of it: (height, width, 3) bytes.
 * Made smaller, each pixel is the weighted mean of the area it stands for; made larger, it is interpolated linearly.
 * An image of that size comes out as it is.
 */
void image_fit(const image *picture, int32_t width, int32_t height, uint8_t *out);
/* The same of the part of an image that begins at (left, top), width_in x height_in; its sides are scaled apart. */
void image_crop(const image *picture, int32_t left, int32_t top, int32_t width_in, int32_t height_in, int32_t width,
                int32_t height, uint8_t *out);
/*
 * The usual test crop: the image is scaled until its shorter side is `shorter`, and size x size is cut from its middle.
 * Made smaller or larger as above.
 */
void image_middle(const image *picture, int32_t shorter, int32_t size, uint8_t *out);
/* Whether a file's name ends like an image's: .jpg, .jpeg, .png in any case. */
bool image_name(const char *name);

#endif
