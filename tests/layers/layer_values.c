/* SPDX-License-Identifier: MIT */
/* Reproducible numbers, parameters and comparison; see layer_values.h. */
#include "layers/layer_values.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void layer_ok(int32_t status, const char *call, const char *file, int line)
{
    if (status == DIRAC_OK)
        return;
    print_error("%s: %s: %s\n", call, dirac_status_name(status), dirac_error_message());
    _fail(file, line);
}

/* The finalizer of splitmix64: every bit of the result depends on every bit of z. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double layer_uniform(uint64_t seed, const char *name, size_t index, double low, double high)
{
    uint64_t z = mix(seed + 0x9e3779b97f4a7c15u);
    for (; *name; name++)
        z = mix(z ^ (unsigned char)*name);
    z = mix(z ^ ((uint64_t)index + 1) * 0x9e3779b97f4a7c15u);
    return low + (high - low) * (double)(z >> 11) * 0x1p-53;
}

float *layer_random(size_t count, uint64_t seed, const char *name, double low, double high)
{
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)layer_uniform(seed, name, i, low, high);
    return values;
}

static const struct {
    const char *ending;
    double low, high;
    int both_signs;
} ranges[] = {
    {".alpha", 0.5, 1.5, 1},       {".beta", 0.3, 1.2, 1},   {".running_mean", -0.5, 0.5, 0},
    {".running_var", 0.5, 2.0, 0}, {".weight", 0.5, 1.5, 1}, {"", -0.5, 0.5, 0},
};

static double vector_entry(uint64_t seed, const char *name, size_t i)
{
    const size_t length = strlen(name);
    size_t k = 0;
    while (strlen(ranges[k].ending) > length ||
           strcmp(name + length - strlen(ranges[k].ending), ranges[k].ending) != 0)
        k++;
    double value = layer_uniform(seed, name, i, ranges[k].low, ranges[k].high);
    return ranges[k].both_signs && layer_uniform(seed + 1, name, i, 0, 1) < 0.5 ? -value : value;
}

void layer_fill(dirac_net *net, uint64_t seed)
{
    for (int64_t t = 0; t < dirac_net_tensor_count(net); t++) {
        const char *name = dirac_net_tensor_name(net, t);
        int64_t dims[DIRAC_MAX_RANK];
        int32_t rank = 0;
        OK(dirac_net_tensor_shape(net, name, dims, &rank, NULL));
        size_t fan = 1;
        for (int32_t i = 1; i < rank; i++)
            fan *= (size_t)dims[i];
        const size_t count = fan * (size_t)dims[0];
        float *values = malloc(count * sizeof *values);
        assert_non_null(values);
        for (size_t i = 0; i < count; i++) {
            /* Filters of length near 1/2, 1 and 3/2. */
            const double wide = sqrt(3.0 / (double)fan) * (0.5 + 0.5 * (double)(i / fan % 3));
            values[i] = (float)(rank == 1 ? vector_entry(seed, name, i)
                                          : layer_uniform(seed, name, i, -wide, wide));
        }
        OK(dirac_net_tensor_write(net, name, values, count));
        free(values);
    }
}

static size_t tensor_count(const dirac_net *net, const char *name)
{
    int64_t dims[DIRAC_MAX_RANK];
    int32_t rank = 0;
    size_t count = 1;
    OK(dirac_net_tensor_shape(net, name, dims, &rank, NULL));
    for (int32_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    return count;
}

float *layer_read(const dirac_net *net, const char *name, size_t *count)
{
    const size_t size = tensor_count(net, name);
    float *values = malloc(size * sizeof *values);
    assert_non_null(values);
    OK(dirac_net_tensor_read(net, name, values, size));
    if (count)
        *count = size;
    return values;
}

float *layer_gradient(const dirac_session *session, const dirac_net *net, const char *name,
                      size_t *count)
{
    const size_t size = tensor_count(net, name);
    float *values = malloc(size * sizeof *values);
    assert_non_null(values);
    OK(dirac_session_gradient_read(session, name, values, size));
    if (count)
        *count = size;
    return values;
}

double layer_largest(const double *want, size_t count)
{
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs(want[i]));
    return most;
}

void layer_close(const char *what, const char *part, const float *got, const double *want,
                 size_t count, double tolerance)
{
    for (size_t i = 0; i < count; i++) {
        const double off = fabs(got[i] - want[i]);
        if (!(off <= tolerance)) {
            print_error("%s, %s [%zu]: %.9g, want %.9g, off %.3g, allowed %.3g\n", what, part, i,
                        got[i], want[i], off, tolerance);
            fail();
        }
    }
}

void layer_same_bits(const char *what, const float *got, const float *want, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&got[i], &want[i], sizeof *got) != 0)
            fail_msg("%s [%zu]: %.9g, want %.9g", what, i, got[i], want[i]);
}
