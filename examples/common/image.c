/* SPDX-License-Identifier: MIT */
/* Reading image files, known by their first bytes. */
#include "image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "image_formats.h"

/* A file of a few bytes may claim any size. */
#define MOST_PIXELS 100000000
#define LONGEST_SIDE 65535

bool image_too_large(uint32_t width, uint32_t height, char why[256])
{
    if (width > 0 && height > 0 && width <= LONGEST_SIDE && height <= LONGEST_SIDE &&
        (uint64_t)width * height <= MOST_PIXELS)
        return false;
    snprintf(why, 256, "it is %lu x %lu; a side must be 1 to %d, and all pixels at most %d",
             (unsigned long)width, (unsigned long)height, LONGEST_SIDE, MOST_PIXELS);
    return true;
}

#ifndef HAVE_JPEG
bool image_read_jpeg(image *out, FILE *file, char why[256])
{
    (void)out, (void)file;
    snprintf(why, 256, "this build cannot read JPEG files (libjpeg was missing)");
    return false;
}
#endif

#ifndef HAVE_PNG
bool image_read_png(image *out, FILE *file, char why[256])
{
    (void)out, (void)file;
    snprintf(why, 256, "this build cannot read PNG files (libpng was missing)");
    return false;
}
#endif

bool image_read(image *out, const char *path, char why[256])
{
    static const unsigned char jpeg[] = {0xff, 0xd8}, png[] = {0x89, 'P', 'N', 'G'};
    unsigned char start[4] = {0};
    *out = (image){0};
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        snprintf(why, 256, "%s", strerror(errno));
        return false;
    }
    bool good = false;
    errno = 0;
    size_t got = fread(start, 1, sizeof start, file);
    rewind(file);
    if (got >= sizeof jpeg && memcmp(start, jpeg, sizeof jpeg) == 0)
        good = image_read_jpeg(out, file, why);
    else if (got >= sizeof png && memcmp(start, png, sizeof png) == 0)
        good = image_read_png(out, file, why);
    else
        snprintf(why, 256, "%s", errno != 0 ? strerror(errno) : "neither a JPEG nor a PNG file");
    fclose(file);
    if (!good)
        image_free(out);
    return good;
}

void image_free(image *picture)
{
    free(picture->pixels);
    *picture = (image){0};
}

bool image_name(const char *name)
{
    const char *end = strrchr(name, '.');
    return end != NULL && name[0] != '.' &&
           (strcasecmp(end, ".jpg") == 0 || strcasecmp(end, ".jpeg") == 0 ||
            strcasecmp(end, ".png") == 0);
}
