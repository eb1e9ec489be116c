/* SPDX-License-Identifier: MIT */
/* One walk over every product of the convolution; the three results only differ in what they add where. */
#include "support/twin_convolution.h"

#include <math.h>
#include <string.h>

typedef struct walk {
    twin_number *out;
    const float *x, *dy;
    const twin_number *what;
} walk;

typedef void visit(walk *k, int64_t x, int64_t w, int64_t y);

static void forward(walk *k, int64_t x, int64_t w, int64_t y)
{
    k->out[y].value += k->x[x] * k->what[w].value;
    k->out[y].magnitude += fabs((double)k->x[x]) * k->what[w].magnitude;
}

static void backward_data(walk *k, int64_t x, int64_t w, int64_t y)
{
    k->out[x].value += k->dy[y] * k->what[w].value;
    k->out[x].magnitude += fabs((double)k->dy[y]) * k->what[w].magnitude;
}

static void backward_weight(walk *k, int64_t x, int64_t w, int64_t y)
{
    k->out[w].value += (double)k->x[x] * k->dy[y];
    k->out[w].magnitude += fabs((double)k->x[x] * k->dy[y]);
}

/* All (input, weight, output) triples of one output pixel (od, oh, ow) of output channel c (of all groups). */
static void each_input(const dirac__convolution *s, visit *add, walk *k, int64_t n, int64_t c,
                       const int64_t o[3])
{
    int64_t group = c / s->co;
    int64_t y =
        (((n * s->groups * s->co + c) * s->out[0] + o[0]) * s->out[1] + o[1]) * s->out[2] + o[2];
    for (int64_t i = 0; i < s->ci; i++) {
        for (int64_t d = 0; d < s->kernel[0]; d++) {
            for (int64_t h = 0; h < s->kernel[1]; h++) {
                for (int64_t w = 0; w < s->kernel[2]; w++) {
                    int64_t id = o[0] * s->stride[0] - s->before[0] + d * s->dilation[0];
                    int64_t ih = o[1] * s->stride[1] - s->before[1] + h * s->dilation[1];
                    int64_t iw = o[2] * s->stride[2] - s->before[2] + w * s->dilation[2];
                    if (id < 0 || id >= s->in[0] || ih < 0 || ih >= s->in[1] || iw < 0 ||
                        iw >= s->in[2]) {
                        continue;
                    }
                    int64_t x = n * s->groups * s->ci + group * s->ci + i;
                    x = ((x * s->in[0] + id) * s->in[1] + ih) * s->in[2] + iw;
                    int64_t weight =
                        (((c * s->ci + i) * s->kernel[0] + d) * s->kernel[1] + h) * s->kernel[2] +
                        w;
                    add(k, x, weight, y);
                }
            }
        }
    }
}

static void each_product(const dirac__convolution *s, visit *add, walk *k)
{
    int64_t o[3];
    for (int64_t n = 0; n < s->n; n++) {
        for (int64_t c = 0; c < s->groups * s->co; c++) {
            for (o[0] = 0; o[0] < s->out[0]; o[0]++) {
                for (o[1] = 0; o[1] < s->out[1]; o[1]++) {
                    for (o[2] = 0; o[2] < s->out[2]; o[2]++) {
                        each_input(s, add, k, n, c, o);
                    }
                }
            }
        }
    }
}

static void clear(twin_number *out, int64_t count)
{
    memset(out, 0, (size_t)count * sizeof *out);
}

void twin_effective(twin_number *what, const float *w, const float *scale, const float *delta,
                    const dirac__convolution *s)
{
    int64_t taps = s->kernel[0] * s->kernel[1] * s->kernel[2];
    int64_t centre =
        (s->kernel[0] / 2 * s->kernel[1] + s->kernel[1] / 2) * s->kernel[2] + s->kernel[2] / 2;
    for (int64_t c = 0; c < s->groups * s->co; c++) {
        for (int64_t i = 0; i < s->ci; i++) {
            for (int64_t t = 0; t < taps; t++) {
                int64_t at = (c * s->ci + i) * taps + t;
                double product = (scale ? (double)scale[c] : 1.0) * w[at];
                double one = delta && i == c % s->co && t == centre ? (double)delta[c] : 0.0;
                what[at] = (twin_number){product + one, fabs(product) + fabs(one)};
            }
        }
    }
}

void twin_forward(twin_number *y, const float *x, const twin_number *what, const float *bias,
                  const dirac__convolution *s)
{
    int64_t channels = s->groups * s->co;
    int64_t pixels = s->out[0] * s->out[1] * s->out[2];
    clear(y, s->n * channels * pixels);
    each_product(s, forward, &(walk){.out = y, .x = x, .what = what});
    for (int64_t j = 0; bias && j < s->n * channels * pixels; j++) {
        y[j].value += bias[j / pixels % channels];
        y[j].magnitude += fabs((double)bias[j / pixels % channels]);
    }
}

void twin_backward_data(twin_number *dx, const float *dy, const twin_number *what,
                        const dirac__convolution *s)
{
    clear(dx, s->n * s->groups * s->ci * s->in[0] * s->in[1] * s->in[2]);
    each_product(s, backward_data, &(walk){.out = dx, .dy = dy, .what = what});
}

void twin_backward_weight(twin_number *g, const float *x, const float *dy,
                          const dirac__convolution *s)
{
    clear(g, s->groups * s->co * s->ci * s->kernel[0] * s->kernel[1] * s->kernel[2]);
    each_product(s, backward_weight, &(walk){.out = g, .x = x, .dy = dy});
}
