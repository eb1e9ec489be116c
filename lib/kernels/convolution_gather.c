/* SPDX-License-Identifier: MIT */
/*
 * Lists of source rows, made run by run: neighbours along w read neighbours, so that a tap's valid pixels are one stretch.
 *
 * Pixels of few channels would make lists longer than what they point to. Where the taps along w are neighbours too, each
 * source line is copied instead, with its zeros on both sides, and all taps along w of a row become one stretch of it.
 */
#include "kernels/convolution.h"

void KERNEL(gather_forward)(dirac__gather *gather, const dirac__convolution *s, const float *x,
                            const float *zero)
{
    *gather = (dirac__gather){.images = s->n, .channels = s->groups * s->ci, .x = x, .zero = zero};
    for (int d = 0; d < 3; d++) {
        gather->grid[d] = s->out[d];
        gather->taps[d] = s->kernel[d];
        gather->source[d] = s->in[d];
        gather->first[d] = -s->before[d];
        gather->step[d] = s->stride[d];
        gather->tap_step[d] = s->dilation[d];
    }
    KERNEL(gather_flatten)(gather);
}

void KERNEL(gather_flatten)(dirac__gather *g)
{
    for (int d = 0; d < 3; d++) {
        if (g->taps[d] != 1 || g->first[d] != 0 || g->source[d] != g->grid[d] ||
            (g->step[d] != 1 && g->grid[d] != 1)) {
            return;
        }
    }
    g->grid[2] = g->source[2] = g->images * product(g->grid);
    g->images = g->grid[0] = g->grid[1] = g->source[0] = g->source[1] = g->step[2] = 1;
}

/* ceil(a / b) for b > 0, at least 0. */
static inline int64_t steps(int64_t a, int64_t b)
{
    return a <= 0 ? 0 : b == 1 ? a : (a - 1) / b + 1;
}

/* `count` rows along w from position c on, for one tap whose other coordinates give the source line. */
static inline void gather_run(const float **rows, const dirac__gather *g, const float *line,
                              int64_t c, int64_t tap, int64_t count)
{
    int64_t from = g->first[2] + c * g->step[2] + tap * g->tap_step[2];
    int64_t begin = at_most(steps(-from, g->step[2]), count);
    int64_t end = at_least(at_most(steps(g->source[2] - from, g->step[2]), count), begin);
    int64_t stride = g->step[2] * g->channels;
    for (int64_t j = 0; j < begin; j++) {
        rows[j] = g->zero;
    }
    if (begin < end) {
        const float *x = line + (from + begin * g->step[2]) * g->channels;
        for (int64_t j = begin; j < end; j++, x += stride) {
            rows[j] = x;
        }
    }
    for (int64_t j = end; j < count; j++) {
        rows[j] = g->zero;
    }
}

/* The source line that position (a, b) of an image and the taps (ta, tb) read; NULL outside. */
static inline const float *gather_line(const dirac__gather *g, int64_t image, int64_t a, int64_t b,
                                       int64_t ta, int64_t tb)
{
    int64_t d = g->first[0] + a * g->step[0] + ta * g->tap_step[0];
    int64_t h = g->first[1] + b * g->step[1] + tb * g->tap_step[1];
    if (d < 0 || d >= g->source[0] || h < 0 || h >= g->source[1]) {
        return NULL;
    }
    return g->x + ((image * g->source[0] + d) * g->source[1] + h) * g->source[2] * g->channels;
}

void KERNEL(gather_rows)(const float **rows, int64_t stride, const dirac__gather *g, int64_t row0,
                         int64_t count, int64_t tap0, int64_t taps)
{
    int64_t c = row0 % g->grid[2];
    int64_t b = row0 / g->grid[2] % g->grid[1];
    int64_t a = row0 / g->grid[2] / g->grid[1] % g->grid[0];
    int64_t image = row0 / g->grid[2] / g->grid[1] / g->grid[0];
    for (int64_t r = 0; r < count;) {
        int64_t run = at_most(count - r, g->grid[2] - c);
        int64_t tc = tap0 % at_least(g->taps[2], 1);
        int64_t tb = taps > 0 ? tap0 / g->taps[2] % g->taps[1] : 0;
        int64_t ta = taps > 0 ? tap0 / g->taps[2] / g->taps[1] : 0;
        const float *line = gather_line(g, image, a, b, ta, tb);
        for (int64_t t = 0; t < taps; t++) {
            if (line) {
                gather_run(rows + t * stride + r, g, line, c, tc, run);
            } else {
                for (int64_t j = 0; j < run; j++) {
                    rows[t * stride + r + j] = g->zero;
                }
            }
            if (++tc == g->taps[2]) {
                tc = 0;
                ta += ++tb == g->taps[1];
                tb = tb == g->taps[1] ? 0 : tb;
                line = gather_line(g, image, a, b, ta, tb);
            }
        }
        r += run;
        c = 0;
        if (++b == g->grid[1]) {
            b = 0;
            image += ++a == g->grid[0];
            a = a == g->grid[0] ? 0 : a;
        }
    }
}

/* A stretch of `pixels` pixels of a source line from position `from` on, with zeros outside; NULL: nothing but zeros. */
static inline void copy_line(float *to, const float *line, const dirac__gather *g, int64_t from, int64_t pixels)
{
    const int64_t begin = at_most(at_least(-from, 0), pixels);
    const int64_t end = line == NULL ? begin : at_least(at_most(g->source[2] - from, pixels), begin);
    const int64_t c = g->channels;
    memset(to, 0, (size_t)(begin * c) * sizeof *to);
    for (int64_t i = begin * c; i < end * c; i++) {
        to[i] = line[from * c + i];
    }
    memset(to + end * c, 0, (size_t)((pixels - end) * c) * sizeof *to);
}

void KERNEL(gather_lines)(const float **rows, float *lines, const dirac__gather *g, int64_t row0, int64_t count)
{
    int64_t c = row0 % g->grid[2];
    int64_t b = row0 / g->grid[2] % g->grid[1];
    int64_t a = row0 / g->grid[2] / g->grid[1] % g->grid[0];
    int64_t image = row0 / g->grid[2] / g->grid[1] / g->grid[0];
    for (int64_t r = 0; r < count;) {
        const int64_t run = at_most(count - r, g->grid[2] - c), pixels = (run - 1) * g->step[2] + g->taps[2];
        for (int64_t t = 0; t < g->taps[0] * g->taps[1]; t++, lines += pixels * g->channels) {
            copy_line(lines, gather_line(g, image, a, b, t / g->taps[1], t % g->taps[1]), g,
                      g->first[2] + c * g->step[2], pixels);
            for (int64_t j = 0; j < run; j++) {
                rows[t * count + r + j] = lines + j * g->step[2] * g->channels;
            }
        }
        r += run;
        c = 0;
        if (++b == g->grid[1]) {
            b = 0;
            image += ++a == g->grid[0];
            a = a == g->grid[0] ? 0 : a;
        }
    }
}
