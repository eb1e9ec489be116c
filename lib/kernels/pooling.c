/* SPDX-License-Identifier: MIT */
/*
 * Max- and average-pooling of x[n][in...][c] to y[n][out...][c], the inner loops always over channels. Window o of a
 * dimension covers pixels o stride - before .. + kernel - 1; `span` is the part of it that lies inside.
 *
 * A task works on whole lines (all pixels that differ in the last dimension only): of y in the forward, of dx in the
 * backward, which gathers from the windows that hold a pixel, in ascending order. So no two tasks write the same place.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/parallel.h"
#include "kernels/table.h"
#include "kernels/variant.h"

enum { CHUNK = 64 }; /* channels of the average's partial sums */

typedef struct pooling_job {
    float *out;      /* y or dx */
    const float *in; /* x or dy */
    uint32_t *where;
    const uint32_t *where_in;
    const dirac__pooling *p;
} pooling_job;

/* Taps first .. last - 1 of a window meet pixels start + first .. start + last - 1. */
typedef struct span {
    int64_t start, first, last;
} span;

static span window(const dirac__pooling *p, int dim, int64_t o)
{
    span s = {.start = o * p->stride[dim] - p->before[dim]};
    int64_t room = p->in[dim] - s.start;

    s.first = s.start < 0 ? -s.start : 0;
    s.last = room < p->kernel[dim] ? room : p->kernel[dim];
    return s;
}

/* Windows first .. last - 1 hold pixel i. */
static span windows_of(const dirac__pooling *p, int dim, int64_t i)
{
    int64_t at = i + p->before[dim];
    int64_t past = at - p->kernel[dim]; /* the last start of a window that ends before the pixel */
    span s = {.first = past < 0 ? 0 : past / p->stride[dim] + 1, .last = at / p->stride[dim] + 1};

    if (s.last > p->out[dim])
        s.last = p->out[dim];
    return s;
}

static int64_t product(const int64_t size[3])
{
    return size[0] * size[1] * size[2];
}

/* A float costs more here than in other loops, and of a single image each lane has some in its own cache. */
enum { WEIGHT = 4 };

/* Runs fn over all lines of y or of dx. */
static void run_lines(const pooling_job *job, const int64_t size[3], int64_t work, range_fn fn,
                      dirac__team *team)
{
    const dirac__pooling *p = job->p;

    for_ranges(team, p->n * size[0] * size[1], items_per_task(size[2] * p->c * work * WEIGHT), fn, job);
}

/* Line `line` of an array [n][size...][c] is (image, d, h). */
static void locate(int64_t line, const int64_t size[3], int64_t *image, int64_t *d, int64_t *h)
{
    *h = line % size[1];
    *d = line / size[1] % size[0];
    *image = line / size[1] / size[0];
}

/* ---- max-pool ---- */

static void take_first(float *restrict y, uint32_t *restrict where, const float *restrict x,
                       uint32_t tap, int64_t c)
{
    memcpy(y, x, (size_t)c * sizeof *y);
    for (int64_t i = 0; where && i < c; i++)
        where[i] = tap;
}

/* Takes what is larger, and the first NaN. */
static void take_larger(float *restrict y, const float *restrict x, int64_t c)
{
    for (int64_t i = 0; i < c; i++) {
        float v = x[i], best = y[i];
        float larger = v <= best ? best : v;

        y[i] = best != best ? best : larger;
    }
}

static void take_larger_where(float *restrict y, uint32_t *restrict where, const float *restrict x,
                              uint32_t tap, int64_t c)
{
    for (int64_t i = 0; i < c; i++) {
        float v = x[i], best = y[i];
        float larger = v <= best ? best : v;
        uint32_t place = v <= best ? where[i] : tap;

        where[i] = best != best ? where[i] : place;
        y[i] = best != best ? best : larger;
    }
}

/* The larger of each pair, and the first NaN. */
static inline vec larger_of(vec best, vec v)
{
    typedef int32_t mask __attribute__((vector_size(DIRAC_LANES * 4)));
    const mask keep = (mask)(v <= best) | (mask)(best != best);
    return (vec)(((mask)best & keep) | ((mask)v & ~keep));
}

/* One window, whole vectors of channels, without the places of the largest. */
static void max_vectors(float *y, const float *image, const span s[3], const dirac__pooling *p)
{
    for (int64_t c = 0; c < p->c; c += DIRAC_LANES) {
        vec best = vec_all(-INFINITY);
        for (int64_t kd = s[0].first; kd < s[0].last; kd++) {
            for (int64_t kh = s[1].first; kh < s[1].last; kh++) {
                const int64_t row = (s[0].start + kd) * p->in[1] + s[1].start + kh;
                const float *x = image + (row * p->in[2] + s[2].start + s[2].first) * p->c + c;
                for (int64_t kw = s[2].first; kw < s[2].last; kw++, x += p->c)
                    best = larger_of(best, vec_load(x));
            }
        }
        vec_store(y + c, best);
    }
}

static void max_pixel(float *y, uint32_t *where, const float *image, const span s[3],
                      const dirac__pooling *p)
{
    int64_t first_tap = (s[0].first * p->kernel[1] + s[1].first) * p->kernel[2] + s[2].first;

    if (where == NULL && p->c % DIRAC_LANES == 0) {
        max_vectors(y, image, s, p);
        return;
    }
    for (int64_t kd = s[0].first; kd < s[0].last; kd++) {
        for (int64_t kh = s[1].first; kh < s[1].last; kh++) {
            for (int64_t kw = s[2].first; kw < s[2].last; kw++) {
                int64_t tap = (kd * p->kernel[1] + kh) * p->kernel[2] + kw;
                int64_t row = (s[0].start + kd) * p->in[1] + s[1].start + kh;
                const float *x = image + (row * p->in[2] + s[2].start + kw) * p->c;

                if (tap == first_tap)
                    take_first(y, where, x, (uint32_t)tap, p->c);
                else if (where)
                    take_larger_where(y, where, x, (uint32_t)tap, p->c);
                else
                    take_larger(y, x, p->c);
            }
        }
    }
}

static void max_lines(const void *argument, int64_t first, int64_t last)
{
    const pooling_job *job = argument;
    const dirac__pooling *p = job->p;

    for (int64_t line = first; line < last; line++) {
        int64_t image, d, h, at = line * p->out[2] * p->c;

        locate(line, p->out, &image, &d, &h);
        span s[3] = {window(p, 0, d), window(p, 1, h), {0, 0, 0}};
        for (int64_t w = 0; w < p->out[2]; w++, at += p->c) {
            s[2] = window(p, 2, w);
            max_pixel(job->out + at, job->where ? job->where + at : NULL,
                      job->in + image * product(p->in) * p->c, s, p);
        }
    }
}

void KERNEL(max_pool)(float *y, uint32_t *where, const float *x, const dirac__pooling *p,
                      dirac__team *team)
{
    pooling_job job = {.out = y, .in = x, .where = where, .p = p};

    run_lines(&job, p->out, product(p->kernel), max_lines, team);
}

/* dx += dy where the window's largest was this tap. */
static void add_chosen(float *restrict dx, const uint32_t *restrict where, const float *restrict dy,
                       uint32_t tap, int64_t c)
{
    for (int64_t i = 0; i < c; i++) {
        float d = dy[i];
        dx[i] += where[i] == tap ? d : 0;
    }
}

/* Adds what the windows of one line of y (at out_line) give to one line of dx, of which they see tap line (kd, kh). */
static void max_gather(float *dx, const pooling_job *job, int64_t out_line, int64_t tap_line)
{
    const dirac__pooling *p = job->p;

    for (int64_t w = 0; w < p->out[2]; w++) {
        int64_t at = (out_line * p->out[2] + w) * p->c;
        span s = window(p, 2, w);

        for (int64_t kw = s.first; kw < s.last; kw++)
            add_chosen(dx + (s.start + kw) * p->c, job->where_in + at, job->in + at,
                       (uint32_t)(tap_line * p->kernel[2] + kw), p->c);
    }
}

static void max_backward_lines(const void *argument, int64_t first, int64_t last)
{
    const pooling_job *job = argument;
    const dirac__pooling *p = job->p;

    for (int64_t line = first; line < last; line++) {
        float *dx = job->out + line * p->in[2] * p->c;
        int64_t image, d, h;

        locate(line, p->in, &image, &d, &h);
        span sd = windows_of(p, 0, d), sh = windows_of(p, 1, h);
        memset(dx, 0, (size_t)(p->in[2] * p->c) * sizeof *dx);
        for (int64_t od = sd.first; od < sd.last; od++)
            for (int64_t oh = sh.first; oh < sh.last; oh++)
                max_gather(dx, job, (image * p->out[0] + od) * p->out[1] + oh,
                           (d - window(p, 0, od).start) * p->kernel[1] + h -
                               window(p, 1, oh).start);
    }
}

/* Floats of y seen for one of x: windows may overlap. */
static int64_t overlap(const dirac__pooling *p)
{
    int64_t windows = 1;

    for (int dim = 0; dim < 3; dim++)
        windows *= blocks_of(p->kernel[dim], p->stride[dim]);
    return windows;
}

void KERNEL(max_pool_backward)(float *dx, const uint32_t *where, const float *dy,
                               const dirac__pooling *p, dirac__team *team)
{
    pooling_job job = {.out = dx, .in = dy, .where_in = where, .p = p};

    run_lines(&job, p->in, overlap(p), max_backward_lines, team);
}

/* ---- average-pool ---- */

/* What a dimension gives to the divisor. */
static int64_t extent(const dirac__pooling *p, int dim, int64_t o)
{
    span s = window(p, dim, o);
    int64_t room = p->in[dim] + p->before[dim] - s.start;

    if (!p->count_padding)
        return s.last - s.first;
    return room < p->kernel[dim] ? room : p->kernel[dim];
}

static void add_channels(float *restrict sum, const float *restrict x, int64_t c)
{
    for (int64_t i = 0; i < c; i++)
        sum[i] += x[i];
}

/* One output pixel, c <= CHUNK channels. Lines of a window are summed on their own: for a large window the rounding
 * error then grows with its sides, not with its area. */
static void average_chunk(float *y, const float *image, const span s[3], float divisor,
                          const dirac__pooling *p, int64_t c)
{
    float total[CHUNK] = {0};

    for (int64_t kd = s[0].first; kd < s[0].last; kd++) {
        for (int64_t kh = s[1].first; kh < s[1].last; kh++) {
            int64_t row = (s[0].start + kd) * p->in[1] + s[1].start + kh;
            const float *x = image + (row * p->in[2] + s[2].start) * p->c;
            float sum[CHUNK] = {0};

            for (int64_t kw = s[2].first; kw < s[2].last; kw++)
                add_channels(sum, x + kw * p->c, c);
            add_channels(total, sum, c);
        }
    }
    for (int64_t i = 0; i < c; i++)
        y[i] = total[i] / divisor;
}

static void average_lines(const void *argument, int64_t first, int64_t last)
{
    const pooling_job *job = argument;
    const dirac__pooling *p = job->p;

    for (int64_t line = first; line < last; line++) {
        float *y = job->out + line * p->out[2] * p->c;
        int64_t image, d, h;

        locate(line, p->out, &image, &d, &h);
        span s[3] = {window(p, 0, d), window(p, 1, h), {0, 0, 0}};
        for (int64_t w = 0; w < p->out[2]; w++, y += p->c) {
            float divisor = (float)(extent(p, 0, d) * extent(p, 1, h) * extent(p, 2, w));

            s[2] = window(p, 2, w);
            for (int64_t ch = 0; ch < p->c; ch += CHUNK)
                average_chunk(y + ch, job->in + image * product(p->in) * p->c + ch, s, divisor, p,
                              p->c - ch < CHUNK ? p->c - ch : CHUNK);
        }
    }
}

void KERNEL(average_pool)(float *y, const float *x, const dirac__pooling *p, dirac__team *team)
{
    pooling_job job = {.out = y, .in = x, .p = p};

    run_lines(&job, p->out, product(p->kernel), average_lines, team);
}

static void add_scaled(float *restrict dx, const float *restrict dy, float scale, int64_t c)
{
    for (int64_t i = 0; i < c; i++)
        dx[i] += scale * dy[i];
}

/* Adds what the windows of one line of y (at out_line) give to one line of dx. */
static void average_gather(float *dx, const pooling_job *job, int64_t out_line, int64_t area)
{
    const dirac__pooling *p = job->p;

    for (int64_t w = 0; w < p->out[2]; w++) {
        const float *dy = job->in + (out_line * p->out[2] + w) * p->c;
        float scale = 1.0f / (float)(area * extent(p, 2, w));
        span s = window(p, 2, w);

        for (int64_t kw = s.first; kw < s.last; kw++)
            add_scaled(dx + (s.start + kw) * p->c, dy, scale, p->c);
    }
}

static void average_backward_lines(const void *argument, int64_t first, int64_t last)
{
    const pooling_job *job = argument;
    const dirac__pooling *p = job->p;

    for (int64_t line = first; line < last; line++) {
        float *dx = job->out + line * p->in[2] * p->c;
        int64_t image, d, h;

        locate(line, p->in, &image, &d, &h);
        span sd = windows_of(p, 0, d), sh = windows_of(p, 1, h);
        memset(dx, 0, (size_t)(p->in[2] * p->c) * sizeof *dx);
        for (int64_t od = sd.first; od < sd.last; od++)
            for (int64_t oh = sh.first; oh < sh.last; oh++)
                average_gather(dx, job, (image * p->out[0] + od) * p->out[1] + oh,
                               extent(p, 0, od) * extent(p, 1, oh));
    }
}

void KERNEL(average_pool_backward)(float *dx, const float *dy, const dirac__pooling *p,
                                   dirac__team *team)
{
    pooling_job job = {.out = dx, .in = dy, .p = p};

    run_lines(&job, p->in, overlap(p), average_backward_lines, team);
}
