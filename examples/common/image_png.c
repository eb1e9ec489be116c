/* SPDX-License-Identifier: MIT */
/* PNG files with libpng. */
#include <stdio.h>
#include <stdlib.h>

#include <png.h>

#include "image_formats.h"

bool image_read_png(image *out, FILE *file, char why[256])
{
    png_image decoder = {.version = PNG_IMAGE_VERSION};
    png_color white = {255, 255, 255}; /* behind transparent pixels */
    bool good = png_image_begin_read_from_stdio(&decoder, file) != 0;
    if (good && image_too_large(decoder.width, decoder.height, why)) {
        png_image_free(&decoder);
        return false;
    }
    if (good) {
        decoder.format = PNG_FORMAT_RGB;
        out->width = (int32_t)decoder.width;
        out->height = (int32_t)decoder.height;
        out->pixels = malloc(PNG_IMAGE_SIZE(decoder));
        good = out->pixels != NULL &&
               png_image_finish_read(&decoder, &white, out->pixels, 0, NULL) != 0;
    }
    if (!good)
        snprintf(why, 256, "%s", decoder.message[0] != '\0' ? decoder.message : "out of memory");
    png_image_free(&decoder);
    return good;
}
