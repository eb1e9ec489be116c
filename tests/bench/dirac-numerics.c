/* SPDX-License-Identifier: MIT */
/*
 * Every set of convolution kernels that this machine runs, compared and timed: dirac-numerics [--all | KERNELS]
 * prints a Markdown table for the best set, for all of them, or for the one named. For the forward product, the gradient at
 * the input and that at the weights it gives, against the sum in double, the root mean square of the error over that of the
 * result and the largest error over the largest result; and GFLOP/s of direct convolution's arithmetic on one thread, the
 * best of several runs. Inputs are max(N(0,1), 0), weights and gradients N(0,1).
 *
 * It fails where an error is beyond what rounding explains: LOSS sqrt(terms) 2^-24 of the result, in root mean square. A sum
 * of so many terms in float, taken one after the other with independent roundings, errs by less than half of sqrt(terms) 2^-24;
 * F(4x4, 3x3) by at most four times that.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cpu.h"
#include "base/random.h"
#include "support/twin_convolution.h"

#define LOSS 2.0
#define RUNS 7

static int failures;

static void *get(size_t size)
{
    void *p = NULL;
    if (posix_memalign(&p, 64, size + 64) != 0)
        exit(1);
    memset(p, 0, size);
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

/* ---- a shape, its operands and its results in double ---- */

enum { FORWARD, DATA, WEIGHT, PASSES };

typedef struct operands {
    dirac__convolution s;
    float *x, *dy, *w; /* channels-first */
    twin_number *want[PASSES];
    size_t count[PASSES];
    double terms[PASSES];
} operands;

static operands make_operands(int64_t channels, int64_t side, int64_t n)
{
    operands o = {.s = {.n = n, .groups = 1, .ci = channels, .co = channels, .in = {1, side, side},
                        .out = {1, side, side}, .kernel = {1, 3, 3}, .stride = {1, 1, 1}, .dilation = {1, 1, 1},
                        .before = {0, 1, 1}}};
    const size_t values = (size_t)(n * channels * side * side), weights = (size_t)(channels * channels * 9);
    twin_number *what = get(weights * sizeof *what);
    o.x = normal(values, "x", 1);
    o.dy = normal(values, "dy", 0);
    o.w = normal(weights, "w", 0);
    o.count[FORWARD] = o.count[DATA] = values;
    o.count[WEIGHT] = weights;
    o.terms[FORWARD] = o.terms[DATA] = 9.0 * (double)channels;
    o.terms[WEIGHT] = (double)(n * side * side);
    for (int p = 0; p < PASSES; p++)
        o.want[p] = get(o.count[p] * sizeof *o.want[p]);
    twin_effective(what, o.w, NULL, NULL, &o.s);
    twin_forward(o.want[FORWARD], o.x, what, NULL, &o.s);
    twin_backward_data(o.want[DATA], o.dy, what, &o.s);
    twin_backward_weight(o.want[WEIGHT], o.x, o.dy, &o.s);
    free(what);
    return o;
}

static void drop_operands(operands *o)
{
    for (int p = 0; p < PASSES; p++)
        free(o->want[p]);
    free(o->x), free(o->dy), free(o->w);
}

/* ---- one algorithm of one set of kernels ---- */

typedef struct work {
    const dirac__kernels *kernels;
    const dirac__winograd *winograd; /* NULL: direct sums */
    const dirac__convolution *s;
    float *x, *dy; /* channels-last */
    float *packed, *scratch, *result;
} work;

static size_t packed_floats(const work *w, int pass)
{
    if (w->winograd != NULL)
        return pass == DATA ? w->winograd->packed_transposed(w->s) : w->winograd->packed(w->s);
    return pass == DATA ? w->kernels->conv_packed_transposed(w->s) : w->kernels->conv_packed(w->s);
}

static size_t scratch_floats(const work *w, int pass)
{
    if (w->winograd != NULL)
        return pass == WEIGHT ? w->winograd->weight_scratch(w->s, 1) : w->winograd->scratch(w->s, 0, 1);
    return pass == WEIGHT ? w->kernels->conv_weight_scratch(w->s) : 0;
}

static void pack(const work *w, int pass, const float *weights)
{
    if (pass == FORWARD && w->winograd != NULL)
        w->winograd->pack(w->packed, weights, NULL, NULL, w->s, NULL);
    else if (pass == FORWARD)
        w->kernels->conv_pack(w->packed, weights, NULL, NULL, w->s, NULL);
    else if (pass == DATA && w->winograd != NULL)
        w->winograd->pack_transposed(w->packed, weights, NULL, NULL, w->s, NULL);
    else if (pass == DATA)
        w->kernels->conv_pack_transposed(w->packed, weights, NULL, NULL, w->s, NULL);
}

static void run(const work *w, int pass)
{
    const dirac__filters filters = {.packed = w->packed};
    if (pass == FORWARD && w->winograd != NULL)
        w->winograd->forward(w->result, w->x, NULL, &filters, NULL, 0, NULL, w->scratch, w->s, NULL);
    else if (pass == FORWARD)
        w->kernels->conv_forward(w->result, w->x, w->packed, NULL, 0, w->s, NULL);
    else if (pass == DATA && w->winograd != NULL)
        w->winograd->backward_data(w->result, w->dy, &filters, NULL, w->scratch, w->s, NULL);
    else if (pass == DATA)
        w->kernels->conv_backward_data(w->result, w->dy, w->packed, w->s, NULL);
    else if (w->winograd != NULL)
        w->winograd->backward_weight(w->result, w->x, NULL, w->dy, NULL, w->scratch, w->s, NULL);
    else
        w->kernels->conv_backward_weight(w->result, w->x, w->dy, w->scratch, w->s, NULL);
}

static double seconds(const work *w, int pass)
{
    double best = INFINITY;
    for (int i = 0; i < RUNS; i++) {
        struct timespec from, to;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
        run(w, pass);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
        best = fmin(best, (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec));
    }
    return best;
}

static void compare(const float *got, const operands *o, int pass)
{
    double squares = 0, errors = 0, largest = 0, worst = 0;
    for (size_t i = 0; i < o->count[pass]; i++) {
        const double want = o->want[pass][i].value, error = fabs((double)got[i] - want);
        squares += want * want;
        errors += error * error;
        largest = fmax(largest, fabs(want));
        worst = fmax(worst, error);
    }
    const double relative = sqrt(errors / squares);
    printf(" %.1e, %.1e", relative, worst / largest);
    if (!(relative <= LOSS * sqrt(o->terms[pass]) * 0x1p-24)) {
        printf(" WRONG");
        failures++;
    }
}

static void cell(work *w, const operands *o, int pass)
{
    const dirac__convolution *s = w->s;
    const double arithmetic = 18.0 * (double)(s->ci * s->co * s->n * s->out[1] * s->out[2]);
    float *first = get(o->count[pass] * sizeof *first);
    w->packed = get(packed_floats(w, pass) * sizeof *w->packed);
    w->scratch = get(scratch_floats(w, pass) * sizeof *w->scratch);
    w->result = get(o->count[pass] * sizeof *w->result);
    pack(w, pass, o->w);
    const double best = seconds(w, pass);
    if (pass == WEIGHT)
        memcpy(first, w->result, o->count[pass] * sizeof *first);
    else
        w->kernels->to_channels_first(first, w->result, s->n, s->co, s->out[1] * s->out[2], NULL);
    compare(first, o, pass);
    printf(", %.0f |", arithmetic / best * 1e-9);
    free(w->packed), free(w->scratch), free(w->result), free(first);
}

static float *last(const dirac__kernels *k, const float *x, const dirac__convolution *s)
{
    const int64_t pixels = s->in[1] * s->in[2];
    float *out = get((size_t)(s->n * s->ci * pixels) * sizeof *out);
    k->to_channels_last(out, x, s->n, s->ci, pixels, NULL);
    return out;
}

static void line(const dirac__kernels *k, const operands *o, const dirac__winograd *winograd)
{
    work w = {.kernels = k, .winograd = winograd, .s = &o->s, .x = last(k, o->x, &o->s), .dy = last(k, o->dy, &o->s)};
    printf("| %s | %s | %lld channels, %lldx%lld, n %lld |", k->name,
           winograd == NULL ? "direct" : winograd->out == 4 ? "F(4x4, 3x3)" : "F(2x2, 3x3)", (long long)o->s.ci,
           (long long)o->s.in[1], (long long)o->s.in[2], (long long)o->s.n);
    for (int pass = 0; pass < PASSES; pass++)
        cell(&w, o, pass);
    printf("\n");
    free(w.x), free(w.dy);
}

int main(int argc, char **argv)
{
    const int64_t shapes[][3] = {{16, 32, 8}, {32, 16, 8}, {64, 8, 16}, {160, 16, 2}, {512, 7, 8}};
    const char *wanted = argc > 1 ? argv[1] : dirac__kernels_best()->name;
    const int all = strcmp(wanted, "--all") == 0;
    printf("| kernels | algorithm | shape | forward | dx | dW |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        operands o = make_operands(shapes[i][0], shapes[i][1], shapes[i][2]);
        for (size_t t = 0; dirac__kernel_tables[t] != NULL; t++) {
            const dirac__kernels *k = dirac__kernel_tables[t];
            if (!dirac__cpu_runs(k->name) || !(all || strcmp(k->name, wanted) == 0))
                continue;
            line(k, &o, NULL);
            line(k, &o, k->winograd4);
            line(k, &o, k->winograd2);
        }
        drop_operands(&o);
    }
    if (failures > 0)
        printf("\n%d results are off by more than rounding explains\n", failures);
    return failures > 0;
}
