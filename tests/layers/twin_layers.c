/* SPDX-License-Identifier: MIT */
/* The twin of the norms, the activations, dropout and the layers that only move values. */
#include "layers/twin.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* y of the same shape as its only input, which is returned. */
static const twin_value *shape_as_input(twin *t, twin_value *y)
{
    const twin_value *x = twin_read(t, y, 0);
    twin_shape(t, y, x->dimensions, x->channels, x->size);
    return x;
}

static void channel_statistics(const twin *t, const twin_value *x, int64_t c, double *mean,
                               double *var)
{
    const int64_t area = twin_area(x);
    const double count = (double)(t->n * area);
    *mean = *var = 0;
    for (int64_t n = 0; n < t->n; n++)
        for (int64_t p = 0; p < area; p++)
            *mean += x->data[(n * x->channels + c) * area + p] / count;
    for (int64_t n = 0; n < t->n; n++)
        for (int64_t p = 0; p < area; p++) {
            const double off = x->data[(n * x->channels + c) * area + p] - *mean;
            *var += off * off / count;
        }
}

/* y = gamma (x - mean) / sqrt(var + eps) + beta; running = (1 - m) running + m batch, the variance unbiased there. */
void twin_batch_norm(twin *t, twin_value *y)
{
    const twin_value *x = shape_as_input(t, y);
    const int64_t channels = x->channels, area = twin_area(x);
    const double *gamma = twin_parameter(t, y, "weight", channels),
                 *beta = twin_parameter(t, y, "bias", channels);
    const double *running_mean = twin_parameter(t, y, "running_mean", channels);
    const double *running_var = twin_parameter(t, y, "running_var", channels);
    const double epsilon = twin_float(y, "epsilon"), m = twin_float(y, "momentum");
    const double count = (double)(t->n * area);
    const int batch = t->mode == TWIN_TRAIN && !twin_int(y, "frozen");
    for (int64_t c = 0; c < channels; c++) {
        double mean = running_mean[c], var = running_var[c];
        if (batch)
            channel_statistics(t, x, c, &mean, &var);
        if (batch && t->record) {
            double *next_mean = twin_pending(t, y, "running_mean") + c;
            double *next_var = twin_pending(t, y, "running_var") + c;
            *next_mean = (1 - m) * *next_mean + m * mean;
            *next_var = (1 - m) * *next_var + m * var * count / (count - 1);
        }
        for (int64_t n = 0; n < t->n; n++)
            for (int64_t p = 0; p < area; p++) {
                const int64_t i = (n * channels + c) * area + p;
                y->data[i] = gamma[c] * (x->data[i] - mean) / sqrt(var + epsilon) + beta[c];
            }
    }
    twin_sums(t, count);
}

/* y[c] = x[c] / (k + alpha/size sum x[j]^2)^beta, j from c - size/2 to c + (size-1)/2. */
void twin_response_norm(twin *t, twin_value *y)
{
    const twin_value *x = shape_as_input(t, y);
    const int64_t size = twin_int(y, "size"), area = twin_area(x);
    const double alpha = twin_float(y, "alpha"), beta = twin_float(y, "beta"),
                 k = twin_float(y, "k");
    for (int64_t n = 0; n < t->n; n++)
        for (int64_t p = 0; p < area; p++) {
            const double *from = x->data + n * x->channels * area + p;
            double *to = y->data + n * x->channels * area + p;
            for (int64_t c = 0; c < x->channels; c++) {
                double squares = 0;
                for (int64_t j = c - size / 2; j <= c + (size - 1) / 2; j++)
                    if (j >= 0 && j < x->channels)
                        squares += from[j * area] * from[j * area];
                to[c * area] = from[c * area] / pow(k + alpha / (double)size * squares, beta);
            }
        }
    twin_sums(t, (double)size);
}

void twin_softmax(twin *t, twin_value *y)
{
    const twin_value *x = shape_as_input(t, y);
    const int64_t area = twin_area(x);
    for (int64_t n = 0; n < t->n; n++)
        for (int64_t p = 0; p < area; p++) {
            const double *from = x->data + n * x->channels * area + p;
            double *to = y->data + n * x->channels * area + p;
            double most = from[0], sum = 0;
            for (int64_t c = 1; c < x->channels; c++)
                most = fmax(most, from[c * area]);
            for (int64_t c = 0; c < x->channels; c++)
                sum += exp(from[c * area] - most);
            for (int64_t c = 0; c < x->channels; c++)
                to[c * area] = exp(from[c * area] - most) / sum;
        }
    twin_sums(t, (double)x->channels);
}

void twin_relu(twin *t, twin_value *y)
{
    const twin_value *x = shape_as_input(t, y);
    for (size_t i = 0; i < twin_count(t, x); i++) {
        y->data[i] = x->data[i] > 0 ? x->data[i] : 0;
        twin_decide(t, x->data[i] > 0, fabs(x->data[i]));
    }
}

void twin_ncrelu(twin *t, twin_value *y)
{
    const twin_value *x = twin_read(t, y, 0);
    const int64_t half = x->channels * twin_area(x);
    twin_shape(t, y, x->dimensions, 2 * x->channels, x->size);
    for (int64_t n = 0; n < t->n; n++)
        for (int64_t i = 0; i < half; i++) {
            const double value = x->data[n * half + i];
            y->data[2 * n * half + i] = value > 0 ? value : 0;
            y->data[(2 * n + 1) * half + i] = value < 0 ? value : 0;
            twin_decide(t, value > 0, fabs(value));
        }
}

void twin_elu(twin *t, twin_value *y)
{
    const twin_value *x = shape_as_input(t, y);
    const double alpha = twin_float(y, "alpha");
    for (size_t i = 0; i < twin_count(t, x); i++) {
        y->data[i] = x->data[i] > 0 ? x->data[i] : alpha * (exp(x->data[i]) - 1);
        twin_decide(t, x->data[i] > 0, fabs(x->data[i]));
    }
}

void twin_dropout(twin *t, twin_value *y)
{
    const twin_value *x = shape_as_input(t, y);
    for (size_t i = 0; i < twin_count(t, x); i++)
        y->data[i] = x->data[i] * (t->mode == TWIN_TRAIN && y->mask ? y->mask[i] : 1);
}

void twin_add(twin *t, twin_value *y)
{
    const twin_value *a = shape_as_input(t, y), *b = twin_read(t, y, 1);
    assert_int_equal(twin_count(t, a), twin_count(t, b));
    for (size_t i = 0; i < twin_count(t, y); i++)
        y->data[i] = a->data[i] + b->data[i];
}

void twin_concat(twin *t, twin_value *y)
{
    const twin_value *first = twin_read(t, y, 0);
    const int64_t area = twin_area(first);
    int64_t channels = 0, from = 0;
    for (int32_t i = 0; i < dirac_node_input_count(y->node); i++)
        channels += twin_read(t, y, i)->channels;
    twin_shape(t, y, first->dimensions, channels, first->size);
    for (int32_t i = 0; i < dirac_node_input_count(y->node); i++) {
        const twin_value *x = twin_read(t, y, i);
        for (int64_t n = 0; n < t->n; n++)
            memcpy(y->data + (n * channels + from) * area, x->data + n * x->channels * area,
                   (size_t)(x->channels * area) * sizeof *x->data);
        from += x->channels;
    }
}

void twin_flatten(twin *t, twin_value *y)
{
    const twin_value *x = twin_read(t, y, 0);
    const int64_t one[3] = {1, 1, 1};
    twin_shape(t, y, 0, x->channels * twin_area(x), one);
    memcpy(y->data, x->data, twin_count(t, x) * sizeof *x->data);
}
