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

void image_fit(const image *picture, int32_t width, int32_t height, uint8_t *out)
{
    if (picture->width == width && picture->height == height) {
        memcpy(out, picture->pixels, 3 * (size_t)width * (size_t)height);
        return;
    }
    double scale = fmin((double)picture->width / width, (double)picture->height / height);
    reach *across =
        make_reaches(width, picture->width, scale, (picture->width - scale * width) / 2);
    reach *down =
        make_reaches(height, picture->height, scale, (picture->height - scale * height) / 2);
    size_t row = 3 * (size_t)width;
    float *rows = allocate(row * (size_t)picture->height, sizeof *rows);
    for (int32_t y = 0; y < picture->height; y++)
        fit_row(picture->pixels + 3 * (size_t)picture->width * (size_t)y, across, width,
                rows + row * (size_t)y);
    for (int32_t y = 0; y < height; y++)
        for (size_t x = 0; x < row; x++) {
            float sum = 0.5f;
            for (int32_t j = 0; j < down[y].count; j++)
                sum += down[y].weights[j] * rows[row * (size_t)(down[y].first + j) + x];
            out[row * (size_t)y + x] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
        }
    free(rows);
    free_reaches(down, height);
    free_reaches(across, width);
}
