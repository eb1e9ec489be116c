/* SPDX-License-Identifier: MIT */
/*
 * Measures the error of the convolution algorithms against the sum in double, as a Markdown table: for the forward product,
 * the gradient at the input and that at the weights, the root mean square of the error over that of the result, and the
 * largest error over the largest result. Inputs are max(N(0,1), 0), weights and gradients N(0,1).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "support/twin_convolution.h"

static void *get(size_t size)
{
    void *p = malloc(size + 1);
    if (p == NULL)
        exit(1);
    return p;
}

static float *normal(size_t count, const char *name, int rectified)
{
    float *out = get(count * sizeof *out);
    const dirac__random random = dirac__random_stream(1, name, 0);
    dirac__random_normal(&random, 0, out, count, 1.0);
    for (size_t i = 0; rectified && i < count; i++)
        out[i] = out[i] > 0 ? out[i] : 0;
    return out;
}

static void report(const float *got, const twin_number *want, size_t count)
{
    double squares = 0, errors = 0, largest = 0, worst = 0;
    for (size_t i = 0; i < count; i++) {
        const double error = fabs((double)got[i] - want[i].value), size = fabs(want[i].value);
        squares += size * size;
        errors += error * error;
        largest = size > largest ? size : largest;
        worst = error > worst ? error : worst;
    }
    printf(" %.1e, %.1e |", sqrt(errors / squares), worst / largest);
}

static float *last(const dirac__kernels *k, const float *x, int64_t n, int64_t c, int64_t s)
{
    float *out = get((size_t)(n * c * s) * sizeof *out);
    k->to_channels_last(out, x, n, c, s, NULL);
    return out;
}

/* winograd: NULL for direct sums. */
static void line(const dirac__kernels *k, const dirac__convolution *s, const dirac__winograd *winograd)
{
    const int64_t in = s->in[1] * s->in[2], out = s->out[1] * s->out[2];
    const size_t nx = (size_t)(s->n * s->ci * in), ny = (size_t)(s->n * s->co * out), nw = (size_t)(s->co * s->ci * 9);
    const size_t most = nx + ny + nw;
    float *x = normal(nx, "x", 1), *dy = normal(ny, "dy", 0), *w = normal(nw, "w", 0);
    float *xl = last(k, x, s->n, s->ci, in), *dyl = last(k, dy, s->n, s->co, out);
    float *result = get(most * sizeof *result), *first = get(most * sizeof *first);
    float *packed = get((k->winograd4->packed(s) + k->winograd4->packed_transposed(s) + k->conv_packed(s) +
                         k->conv_packed_transposed(s)) * sizeof *packed);
    float *scratch = get((k->winograd4->scratch(s, 1) + k->winograd2->scratch(s, 1) + k->winograd4->weight_scratch(s, 1) + k->winograd2->weight_scratch(s, 1) + k->conv_weight_scratch(s)) *
                         sizeof *scratch);
    twin_number *what = get(nw * sizeof *what), *want = get(most * sizeof *want);
    twin_effective(what, w, NULL, NULL, s);
    printf("| %s | %lld channels, %lldx%lld, n %lld |", winograd == NULL ? "direct" : winograd->out == 4 ? "Winograd F(4x4)" : "Winograd F(2x2)", (long long)s->ci,
           (long long)s->in[1], (long long)s->in[2], (long long)s->n);
    if (winograd) {
        winograd->pack(packed, w, NULL, NULL, s, NULL);
        winograd->forward(result, xl, NULL, packed, NULL, 0, NULL, scratch, s, NULL);
    } else {
        k->conv_pack(packed, w, NULL, NULL, s, NULL);
        k->conv_forward(result, xl, packed, NULL, 0, s, NULL);
    }
    k->to_channels_first(first, result, s->n, s->co, out, NULL);
    twin_forward(want, x, what, NULL, s);
    report(first, want, ny);
    if (winograd) {
        winograd->pack_transposed(packed, w, NULL, NULL, s, NULL);
        winograd->backward_data(result, dyl, packed, NULL, scratch, s, NULL);
    } else {
        k->conv_pack_transposed(packed, w, NULL, NULL, s, NULL);
        k->conv_backward_data(result, dyl, packed, s, NULL);
    }
    k->to_channels_first(first, result, s->n, s->ci, in, NULL);
    twin_backward_data(want, dy, what, s);
    report(first, want, nx);
    if (winograd)
        winograd->backward_weight(result, xl, NULL, dyl, NULL, scratch, s, NULL);
    else
        k->conv_backward_weight(result, xl, dyl, scratch, s, NULL);
    twin_backward_weight(want, x, dy, s);
    report(result, want, nw);
    printf("\n");
    free(x), free(dy), free(w), free(xl), free(dyl), free(result), free(first), free(packed), free(scratch), free(what),
        free(want);
}

int main(void)
{
    const int64_t shapes[][3] = {{16, 32, 8}, {32, 16, 8}, {64, 8, 16}, {160, 16, 2}, {512, 7, 8}};
    printf("| algorithm | shape | forward | dx | dW |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const int64_t c = shapes[i][0], h = shapes[i][1], n = shapes[i][2];
        const dirac__convolution s = {.n = n, .groups = 1, .ci = c, .co = c, .in = {1, h, h}, .out = {1, h, h},
                                      .kernel = {1, 3, 3}, .stride = {1, 1, 1}, .dilation = {1, 1, 1},
                                      .before = {0, 1, 1}};
        const dirac__kernels *k = dirac__kernels_best();
        line(k, &s, NULL);
        line(k, &s, k->winograd4);
        line(k, &s, k->winograd2);
    }
    return 0;
}
