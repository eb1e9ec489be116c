/* SPDX-License-Identifier: MIT */
/* The twin of max-, average- and global average pooling.
 *
 *     size = floor((size + 2 padding - kernel) / stride) + 1; with "ceil" rounded up, but a window must start inside
 *     the image or its front padding
 */
#include "layers/twin.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

typedef struct windows {
    int64_t kernel[3], stride[3], padding[3], size[3];
} windows;

static windows read_windows(const twin_value *y, const twin_value *x)
{
    windows w;
    twin_ints(y, "kernel", 1, w.kernel);
    twin_ints(y, "stride", 1, w.stride);
    twin_ints(y, "padding", 0, w.padding);
    const bool up = twin_int(y, "ceil") == 1;
    for (int i = 0; i < 3; i++) {
        if (w.stride[i] == 0)
            w.stride[i] = w.kernel[i];
        const int64_t room = x->size[i] + 2 * w.padding[i] - w.kernel[i];
        w.size[i] = room / w.stride[i] + 1;
        if (up && room % w.stride[i] != 0 && w.size[i] * w.stride[i] < x->size[i] + w.padding[i])
            w.size[i]++;
    }
    return w;
}

typedef struct box {
    int64_t first[3], last[3]; /* of the image; last is one past */
    int64_t whole;             /* positions of the window that are image or padding */
} box;

static box window_at(const windows *w, const twin_value *x, const int64_t p[3])
{
    box b = {.whole = 1};
    for (int i = 0; i < 3; i++) {
        const int64_t from = p[i] * w->stride[i] - w->padding[i];
        int64_t to = from + w->kernel[i];
        if (to > x->size[i] + w->padding[i])
            to = x->size[i] + w->padding[i];
        b.whole *= to - from;
        b.first[i] = from < 0 ? 0 : from;
        b.last[i] = to > x->size[i] ? x->size[i] : to;
    }
    return b;
}

static double largest(twin *t, const double *x, const int64_t size[3], const box *b)
{
    double best = -INFINITY, second = -INFINITY;
    int64_t place = -1;
    for (int64_t d = b->first[0]; d < b->last[0]; d++)
        for (int64_t h = b->first[1]; h < b->last[1]; h++)
            for (int64_t w = b->first[2]; w < b->last[2]; w++) {
                const int64_t here = (d * size[1] + h) * size[2] + w;
                if (place < 0 || x[here] > best) {
                    second = best;
                    best = x[here];
                    place = here;
                } else if (x[here] > second) {
                    second = x[here];
                }
            }
    twin_decide(t, (uint64_t)place, best - second);
    return best;
}

static double total(const double *x, const int64_t size[3], const box *b)
{
    double sum = 0;
    for (int64_t d = b->first[0]; d < b->last[0]; d++)
        for (int64_t h = b->first[1]; h < b->last[1]; h++)
            for (int64_t w = b->first[2]; w < b->last[2]; w++)
                sum += x[(d * size[1] + h) * size[2] + w];
    return sum;
}

static void pool(twin *t, twin_value *y, bool max)
{
    const twin_value *x = twin_read(t, y, 0);
    const windows w = read_windows(y, x);
    twin_shape(t, y, x->dimensions, x->channels, w.size);
    const bool padding_counts = !max && twin_int(y, "count_padding") == 1;
    double *to = y->data;
    int64_t p[3];
    for (int64_t plane = 0; plane < t->n * x->channels; plane++) {
        const double *from = x->data + plane * twin_area(x);
        for (p[0] = 0; p[0] < w.size[0]; p[0]++)
            for (p[1] = 0; p[1] < w.size[1]; p[1]++)
                for (p[2] = 0; p[2] < w.size[2]; p[2]++) {
                    const box b = window_at(&w, x, p);
                    const int64_t inside = (b.last[0] - b.first[0]) * (b.last[1] - b.first[1]) *
                                           (b.last[2] - b.first[2]);
                    *to++ = max ? largest(t, from, x->size, &b)
                                : total(from, x->size, &b) /
                                      (double)(padding_counts ? b.whole : inside);
                }
    }
    twin_sums(t, (double)(w.kernel[0] * w.kernel[1] * w.kernel[2]));
}

void twin_max_pool(twin *t, twin_value *y)
{
    pool(t, y, true);
}

void twin_average_pool(twin *t, twin_value *y)
{
    pool(t, y, false);
}

void twin_global_average_pool(twin *t, twin_value *y)
{
    const twin_value *x = twin_read(t, y, 0);
    const int64_t one[3] = {1, 1, 1}, area = twin_area(x);
    twin_shape(t, y, 0, x->channels, one);
    for (int64_t plane = 0; plane < t->n * x->channels; plane++) {
        double sum = 0;
        for (int64_t i = 0; i < area; i++)
            sum += x->data[plane * area + i];
        y->data[plane] = sum / (double)area;
    }
    twin_sums(t, (double)area);
}
