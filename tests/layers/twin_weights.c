/* SPDX-License-Identifier: MIT */
/* The twin of the layers with weights: the four weight forms, convolution and linear.
 *
 *     plain  What = W                             eq. 4  What = diag(alpha) I + W
 *     eq. 5  What = diag(alpha) I + diag(beta) W/max(|W|, 1e-12)     eq. 8  What = I + W
 *     y[n,o,p] = bias[o] + sum_{i,t} What[o,i,t] x[n, i, p stride - padding + t dilation]
 */
#include "layers/twin.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What of `out` filters over `in` inputs of each group and `taps` taps, to be freed. The identity's ones: filter d of a
 * group, input d, tap `centre`. */
static double *effective_weight(const twin *t, const twin_value *y, int64_t groups, int64_t in,
                                int64_t taps, int64_t centre)
{
    const int64_t out = y->channels, fan = in * taps, form = twin_int(y, "form");
    const double *w = twin_parameter(t, y, "weight", out * fan);
    double *what = malloc((size_t)(out * fan) * sizeof *what);
    assert_non_null(what);
    memcpy(what, w, (size_t)(out * fan) * sizeof *what);
    for (int64_t o = 0; o < out; o++) {
        double *row = what + o * fan;
        if (form == DIRAC_FORM_NORMALIZED_DELTA) {
            double squares = 0;
            for (int64_t j = 0; j < fan; j++)
                squares += row[j] * row[j];
            double norm = sqrt(squares) > 1e-12 ? sqrt(squares) : 1e-12;
            for (int64_t j = 0; j < fan; j++)
                row[j] *= twin_parameter(t, y, "beta", out)[o] / norm;
        }
        const int64_t d = o % (out / groups);
        if (form == DIRAC_FORM_PLAIN || d >= in)
            continue;
        row[d * taps + centre] +=
            form == DIRAC_FORM_FIXED_DELTA ? 1 : twin_parameter(t, y, "alpha", out)[o];
    }
    return what;
}

typedef struct geometry {
    int64_t kernel[3], stride[3], dilation[3], before[3], groups;
} geometry;

static geometry read_geometry(const twin_value *y, const twin_value *x, int64_t size[3])
{
    geometry g;
    int64_t padding[3];
    twin_ints(y, "kernel", 1, g.kernel);
    twin_ints(y, "stride", 1, g.stride);
    twin_ints(y, "dilation", 1, g.dilation);
    twin_ints(y, "padding", 0, padding);
    g.groups = twin_int(y, "groups");
    for (int i = 0; i < 3; i++) {
        int64_t after = padding[i];
        g.before[i] = padding[i];
        if (padding[i] == -1) {
            g.before[i] = g.dilation[i] * (g.kernel[i] / 2);
            after = g.dilation[i] * (g.kernel[i] - 1 - g.kernel[i] / 2);
        }
        int64_t reach = g.dilation[i] * (g.kernel[i] - 1) + 1;
        size[i] = (x->size[i] + g.before[i] + after - reach) / g.stride[i] + 1;
    }
    return g;
}

/* sum_{i,t} of one position p: rows of `row` are inputs, `x` is the first input channel of the group. */
static double at_position(const geometry *g, const double *row, const double *x,
                          const int64_t size[3], int64_t in, const int64_t p[3])
{
    double sum = 0;
    for (int64_t i = 0; i < in; i++)
        for (int64_t a = 0; a < g->kernel[0]; a++)
            for (int64_t b = 0; b < g->kernel[1]; b++)
                for (int64_t c = 0; c < g->kernel[2]; c++, row++) {
                    const int64_t d = p[0] * g->stride[0] - g->before[0] + a * g->dilation[0];
                    const int64_t h = p[1] * g->stride[1] - g->before[1] + b * g->dilation[1];
                    const int64_t w = p[2] * g->stride[2] - g->before[2] + c * g->dilation[2];
                    if (d >= 0 && d < size[0] && h >= 0 && h < size[1] && w >= 0 && w < size[2])
                        sum += *row * x[((i * size[0] + d) * size[1] + h) * size[2] + w];
                }
    return sum;
}

void twin_convolution(twin *t, twin_value *y)
{
    const twin_value *x = twin_read(t, y, 0);
    int64_t dims[DIRAC_MAX_RANK], size[3], p[3];
    const geometry g = read_geometry(y, x, size);
    char name[256] = "";
    strncat(strncat(name, y->owner, 240), ".weight", 8);
    assert_int_equal(dirac_net_tensor_shape(t->net, name, dims, NULL, NULL), DIRAC_OK);
    twin_shape(t, y, x->dimensions, dims[0], size);

    const int64_t in = x->channels / g.groups, out = y->channels / g.groups;
    const int64_t taps = g.kernel[0] * g.kernel[1] * g.kernel[2];
    const int64_t centre =
        (g.kernel[0] / 2 * g.kernel[1] + g.kernel[1] / 2) * g.kernel[2] + g.kernel[2] / 2;
    double *what = effective_weight(t, y, g.groups, in, taps, centre);
    const double *bias = twin_int(y, "bias") ? twin_parameter(t, y, "bias", y->channels) : NULL;
    double *to = y->data;
    for (int64_t image = 0; image < t->n; image++)
        for (int64_t o = 0; o < y->channels; o++) {
            const double *from = x->data + (image * x->channels + o / out * in) * twin_area(x);
            for (p[0] = 0; p[0] < size[0]; p[0]++)
                for (p[1] = 0; p[1] < size[1]; p[1]++)
                    for (p[2] = 0; p[2] < size[2]; p[2]++)
                        *to++ = (bias ? bias[o] : 0) +
                                at_position(&g, what + o * in * taps, from, x->size, in, p);
        }
    free(what);
    twin_sums(t,
              fmax((double)(in * taps), fmax((double)(t->n * twin_area(y)), (double)(out * taps))));
    if (twin_int(y, "form") == DIRAC_FORM_NORMALIZED_DELTA)
        twin_sums(t, (double)(in * taps));
}

void twin_linear(twin *t, twin_value *y)
{
    const twin_value *x = twin_read(t, y, 0);
    const int64_t in = x->channels, one[3] = {1, 1, 1};
    int64_t dims[DIRAC_MAX_RANK];
    char name[256] = "";
    strncat(strncat(name, y->owner, 240), ".weight", 8);
    assert_int_equal(dirac_net_tensor_shape(t->net, name, dims, NULL, NULL), DIRAC_OK);
    assert_int_equal(dims[1], in);
    twin_shape(t, y, 0, dims[0], one);

    double *what = effective_weight(t, y, 1, in, 1, 0);
    const double *bias = twin_int(y, "bias") ? twin_parameter(t, y, "bias", y->channels) : NULL;
    for (int64_t image = 0; image < t->n; image++)
        for (int64_t o = 0; o < y->channels; o++) {
            double sum = bias ? bias[o] : 0;
            for (int64_t i = 0; i < in; i++)
                sum += what[o * in + i] * x->data[image * in + i];
            y->data[image * y->channels + o] = sum;
        }
    free(what);
    if (twin_int(y, "form") == DIRAC_FORM_NORMALIZED_DELTA)
        twin_sums(t, (double)in);
    twin_sums(t, fmax((double)in, fmax((double)t->n, (double)y->channels)));
}
