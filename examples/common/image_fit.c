/* SPDX-License-Identifier: MIT */
/*
 * Bringing an image to a size, one direction after the other. A pixel of the result is the mean of the source pixels
 * under a triangle around its place, as wide on each side as a result pixel is in the source, and at least one pixel.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "program.h"

/* The source pixels that make one result pixel: `count` of them from `first` on. */
typedef struct {
    int32_t first, count;
    float *weights;
} reach;

/* For each of `size` result pixels, which stand for `scale` source pixels each, the first of them at `offset`. */
static reach *make_reaches(int32_t size, int32_t source, double scale, double offset)
{
    reach *reaches = allocate((size_t)size, sizeof *reaches);
    double radius = scale > 1 ? scale : 1;
    for (int32_t i = 0; i < size; i++) {
        double centre = offset + (i + 0.5) * scale, sum = 0;
        int32_t first = (int32_t)fmax(0, floor(centre - radius)),
                last = (int32_t)fmin(source, ceil(centre + radius));
        reaches[i] = (reach){first, last - first, allocate((size_t)(last - first), sizeof(float))};
        for (int32_t j = first; j < last; j++)
            sum += fmax(0, 1 - fabs(j + 0.5 - centre) / radius);
        for (int32_t j = first; j < last; j++)
            reaches[i].weights[j - first] =
                (float)(fmax(0, 1 - fabs(j + 0.5 - centre) / radius) / sum);
    }
    return reaches;
}

static void free_reaches(reach *reaches, int32_t size)
{
    for (int32_t i = 0; i < size; i++)
        free(reaches[i].weights);
    free(reaches);
}

/* One row of the source to `width` pixels of three floats. */
static void fit_row(const uint8_t *row, const reach *reaches, int32_t width, float *out)
{
    for (int32_t x = 0; x < width; x++)
        for (int c = 0; c < 3; c++) {
            float sum = 0;
            for (int32_t j = 0; j < reaches[x].count; j++)
                sum += reaches[x].weights[j] * row[3 * (reaches[x].first + j) + c];
            out[3 * x + c] = sum;
        }
}

/* What is read of an image: rows of width x height pixels, each `stride` bytes after the one before. */
typedef struct {
    const uint8_t *pixels;
    size_t stride;
    int32_t width, height;
} window;

/* Result pixels stand for scale_x by scale_y source pixels; the first begins at (x, y). */
static void fit(const window *from, double scale_x, double scale_y, double x, double y, int32_t width, int32_t height,
                uint8_t *out)
{
    reach *across = make_reaches(width, from->width, scale_x, x);
    reach *down = make_reaches(height, from->height, scale_y, y);
    size_t row = 3 * (size_t)width;
    float *rows = allocate(row * (size_t)from->height, sizeof *rows);
    for (int32_t i = 0; i < from->height; i++)
        fit_row(from->pixels + from->stride * (size_t)i, across, width, rows + row * (size_t)i);
    for (int32_t i = 0; i < height; i++)
        for (size_t j = 0; j < row; j++) {
            float sum = 0.5f;
            for (int32_t k = 0; k < down[i].count; k++)
                sum += down[i].weights[k] * rows[row * (size_t)(down[i].first + k) + j];
            out[row * (size_t)i + j] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
        }
    free(rows);
    free_reaches(down, height);
    free_reaches(across, width);
}

static window whole(const image *picture)
{
    return (window){picture->pixels, 3 * (size_t)picture->width, picture->width, picture->height};
}

void image_fit(const image *picture, int32_t width, int32_t height, uint8_t *out)
{
    if (picture->width == width && picture->height == height) {
        memcpy(out, picture->pixels, 3 * (size_t)width * (size_t)height);
        return;
    }
    const window from = whole(picture);
    double scale = fmin((double)picture->width / width, (double)picture->height / height);
    fit(&from, scale, scale, (picture->width - scale * width) / 2, (picture->height - scale * height) / 2, width,
        height, out);
}

void image_crop(const image *picture, int32_t left, int32_t top, int32_t width_in, int32_t height_in, int32_t width,
                int32_t height, uint8_t *out)
{
    window from = whole(picture);
    from.pixels += from.stride * (size_t)top + 3 * (size_t)left;
    from.width = width_in;
    from.height = height_in;
    fit(&from, (double)width_in / width, (double)height_in / height, 0, 0, width, height, out);
}

void image_middle(const image *picture, int32_t shorter, int32_t size, uint8_t *out)
{
    const window from = whole(picture);
    double scale = fmin(picture->width, picture->height) / shorter;
    fit(&from, scale, scale, (picture->width - scale * size) / 2, (picture->height - scale * size) / 2, size, size,
        out);
}
