/* SPDX-License-Identifier: MIT */
/* Initial values of tensors. A draw depends on the seed, the tensor's name and its shape alone. */
#include <math.h>
#include <string.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "base/random.h"
#include "graph/net.h"

static void fill(float *out, size_t count, double value)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (float)value;
}

/* Rounding to float may reach b, which the interval does not hold: then the float before it. */
static void fill_uniform(float *out, size_t count, double a, double b, const dirac__random *random)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = (float)(a + (b - a) * (double)dirac__random_uniform(random, i));
        if (a < b && (double)out[i] >= b)
            out[i] = nextafterf((float)b, -INFINITY);
    }
}

/* a times the identity of convolution: filter d of a group has its one at input d and the centre tap. */
static void fill_delta(float *out, const dirac__parameter *is, double a)
{
    int64_t taps = 1, centre = 0;
    for (int32_t i = 2; i < is->rank; i++) {
        taps *= is->dims[i];
        centre = centre * is->dims[i] + is->dims[i] / 2;
    }
    const int64_t groups = is->groups > 0 ? is->groups : 1, filters = is->dims[0] / groups, inputs = is->dims[1];
    fill(out, (size_t)(is->dims[0] * inputs * taps), 0);
    for (int64_t o = 0; o < is->dims[0]; o++)
        if (o % filters < inputs)
            out[(o * inputs + o % filters) * taps + centre] = (float)a;
}

/* Four partial sums: enough for the compiler to use vector registers, and a fixed order. */
static double inner_product(const double *a, const double *b, size_t count)
{
    double sum[4] = {0};
    size_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (size_t j = 0; j < 4; j++)
            sum[j] += a[i + j] * b[i + j];
    for (; i < count; i++)
        sum[0] += a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Gram-Schmidt on `vectors` rows of `length` >= vectors, twice for orthogonality to rounding. In exact arithmetic this is
 * the QR factorisation with a positive diagonal, which makes the result uniform over orthogonal matrices. */
static void orthonormalize(double *rows, size_t vectors, size_t length)
{
    for (size_t i = 0; i < vectors; i++) {
        double *row = rows + i * length;
        for (int pass = 0; pass < 2; pass++) {
            for (size_t j = 0; j < i; j++) {
                const double *other = rows + j * length;
                const double along = inner_product(row, other, length);
                for (size_t k = 0; k < length; k++)
                    row[k] -= along * other[k];
            }
            const double norm = sqrt(inner_product(row, row, length));
            for (size_t k = 0; k < length; k++)
                row[k] /= norm;
        }
    }
}

static int32_t fill_orthogonal(const dirac__memory *memory, float *out, const dirac__parameter *is, size_t count,
                               double gain, const dirac__random *random)
{
    const size_t rows = (size_t)is->dims[0], columns = count / rows;
    const bool wide = columns >= rows;
    const size_t vectors = wide ? rows : columns, length = wide ? columns : rows;
    double *q = dirac__alloc_zero(memory, count, sizeof *q);
    if (q == NULL)
        return dirac__fail_memory("orthogonal initialisation");
    dirac__random_normal(random, 0, out, count, 1.0);
    for (size_t i = 0; i < count; i++)
        q[i] = out[i];
    orthonormalize(q, vectors, length);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            out[r * columns + c] = (float)(gain * (wide ? q[r * length + c] : q[c * length + r]));
    dirac__free(memory, q);
    return DIRAC_OK;
}

int32_t dirac__tensor_initialize(const dirac_net *net, dirac__tensor *tensor, uint64_t seed)
{
    const dirac__parameter *is = &tensor->is;
    const dirac__random random = dirac__random_stream(seed, tensor->name, 0);
    switch (is->init) {
    case DIRAC_INIT_ZEROS:
        fill(tensor->data, tensor->count, 0);
        return DIRAC_OK;
    case DIRAC_INIT_CONSTANT:
        fill(tensor->data, tensor->count, is->a);
        return DIRAC_OK;
    case DIRAC_INIT_NORMAL:
        dirac__random_normal(&random, 0, tensor->data, tensor->count, is->a);
        return DIRAC_OK;
    case DIRAC_INIT_KAIMING_NORMAL:
        dirac__random_normal(&random, 0, tensor->data, tensor->count,
                             is->a / sqrt((double)tensor->count / (double)is->dims[0]));
        return DIRAC_OK;
    case DIRAC_INIT_UNIFORM:
        fill_uniform(tensor->data, tensor->count, is->a, is->b, &random);
        return DIRAC_OK;
    case DIRAC_INIT_ORTHOGONAL:
        return fill_orthogonal(net->memory, tensor->data, is, tensor->count, is->a, &random);
    case DIRAC_INIT_DELTA:
        fill_delta(tensor->data, is, is->a);
        return DIRAC_OK;
    default:
        return dirac__fail(DIRAC_ERR_ARGUMENT, "tensor \"%s\" has the unknown initialiser %d", tensor->name, is->init);
    }
}
