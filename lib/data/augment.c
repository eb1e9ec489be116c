/* SPDX-License-Identifier: MIT */
/* Random crop of the padded image, mirror and normalisation, a row at a time and straight from the stored sample: the
 * padded image is never made. Bytes and floats differ only in how a row is fetched. */
#include "data/augment.h"

#include <string.h>

#include <dirac/data.h>

/* How the elements of a stored sample become float. */
struct source {
    const void *data;
    void (*load)(float *out, const void *data, size_t first, size_t count);
};

static void load_bytes(float *out, const void *data, size_t first, size_t count)
{
    const uint8_t *in = (const uint8_t *)data + first;
    for (size_t i = 0; i < count; i++)
        out[i] = in[i];
}

static void load_floats(float *out, const void *data, size_t first, size_t count)
{
    memcpy(out, (const float *)data + first, count * sizeof *out);
}

/* Where index i, beyond 0..size-1 by less than `size`, is reflected to: -1 -> 1, size -> size - 2. */
static int64_t reflect(int64_t i, int64_t size)
{
    if (i < 0)
        return -i;
    return i < size ? i : 2 * (size - 1) - i;
}

static int64_t clamp(int64_t i, int64_t most)
{
    return i < 0 ? 0 : i < most ? i : most;
}

/* A padded row: `width` values of a source from `first` on, and how they go on beyond its ends. */
struct row {
    const struct source *in;
    size_t first;
    int64_t width;
    int32_t mode;
};

/* out[x] = row[x + right] for x in begin..end-1, all of them beyond the row's ends. */
static void fetch_edge(float *out, const struct row *row, int64_t right, int64_t begin, int64_t end)
{
    for (int64_t x = begin; x < end; x++) {
        if (row->mode == DIRAC_PAD_REFLECT)
            row->in->load(out + x, row->in->data,
                          row->first + (size_t)reflect(x + right, row->width), 1);
        else
            out[x] = 0;
    }
}

/* out[x] = row[x + right] for x in 0..width-1. */
static void fetch_row(float *out, const struct row *row, int64_t right)
{
    int64_t begin = clamp(-right, row->width), end = clamp(row->width - right, row->width);
    fetch_edge(out, row, right, 0, begin);
    if (begin < end)
        row->in->load(out + begin, row->in->data, row->first + (size_t)(begin + right),
                      (size_t)(end - begin));
    fetch_edge(out, row, right, end, row->width);
}

static void mirror_row(float *out, size_t width)
{
    for (size_t x = 0; x < width / 2; x++) {
        float kept = out[x];
        out[x] = out[width - 1 - x];
        out[width - 1 - x] = kept;
    }
}

/* One channel plane (height, width), cut out of its padded self. */
static void cut_plane(const dirac__augment *augment, const dirac__cut *cut,
                      const struct source *in, size_t first, float *out)
{
    int64_t height = (int64_t)augment->height, width = (int64_t)augment->width;
    for (int64_t y = 0; y < height; y++) {
        int64_t from = y + cut->down;
        float *line = out + y * width;
        if (augment->mode == DIRAC_PAD_REFLECT)
            from = reflect(from, height);
        if (from < 0 || from >= height) {
            memset(line, 0, (size_t)width * sizeof *line);
            continue;
        }
        struct row row = {in, first + (size_t)(from * width), width, augment->mode};
        fetch_row(line, &row, cut->right);
        if (cut->mirror)
            mirror_row(line, augment->width);
    }
}

static void normalize(float *out, size_t count, float mean, float deviation)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (out[i] - mean) / deviation;
}

static void augment_sample(const dirac__augment *augment, const dirac__cut *cut,
                           const struct source *in, float *out)
{
    size_t plane = augment->height * augment->width, channel = augment->depth * plane;
    bool whole = cut->down == 0 && cut->right == 0 && !cut->mirror;
    for (size_t c = 0; c < augment->channels; c++) {
        size_t first = c * channel;
        if (whole)
            in->load(out + first, in->data, first, channel);
        else
            for (size_t d = 0; d < augment->depth; d++)
                cut_plane(augment, cut, in, first + d * plane, out + first + d * plane);
        if (augment->mean)
            normalize(out + first, channel, augment->mean[c], augment->deviation[c]);
    }
}

void dirac__augment_bytes(const dirac__augment *augment, const dirac__cut *cut, const uint8_t *in,
                          float *out)
{
    struct source source = {in, load_bytes};
    augment_sample(augment, cut, &source, out);
}

void dirac__augment_floats(const dirac__augment *augment, const dirac__cut *cut, const float *in,
                           float *out)
{
    struct source source = {in, load_floats};
    augment_sample(augment, cut, &source, out);
}

/* Three numbers a sample, used or not, so that switching one option off leaves the other's draws as they were. */
dirac__cut dirac__cut_draw(const dirac__augment *augment, const dirac__random *random,
                           uint64_t index)
{
    dirac__cut cut = {0, 0, false};
    if (augment->pad > 0) {
        uint64_t places = 2 * (uint64_t)augment->pad + 1;
        cut.down = (int64_t)dirac__random_below(random, 3 * index, places) - augment->pad;
        cut.right = (int64_t)dirac__random_below(random, 3 * index + 1, places) - augment->pad;
    }
    if (augment->flip)
        cut.mirror = dirac__random_below(random, 3 * index + 2, 2) == 1;
    return cut;
}
