/* SPDX-License-Identifier: MIT */
#include "support/winograd_bound.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/compare.h"

#define TRANSFORMS 42

/* The tiles: out x out outputs from in x in inputs. */
static int out_size, in_size;
static double input_matrix[36], weight_matrix[18], output_matrix[24], transposed_output[24], transposed_weight[18];

static void transpose(double *to, const double *from, int rows, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            to[j * rows + i] = from[i * columns + j];
}

/* From the general formulas of Toom and Cook, for `count` finite points and infinity. */
static void make_matrices(const double *point, int count)
{
    double all[6] = {1}; /* coefficients of the product of (x - p) over all points */
    in_size = count + 1;
    out_size = count - 1;
    memset(input_matrix, 0, sizeof input_matrix);
    memset(weight_matrix, 0, sizeof weight_matrix);
    memset(output_matrix, 0, sizeof output_matrix);
    for (int p = 0; p < count; p++) {
        double divisor = 1, other[6] = {1}; /* the same over the other points */
        for (int q = 0, degree = 0; q < count; q++) {
            if (q == p)
                continue;
            divisor *= point[p] - point[q];
            degree++;
            for (int k = degree; k >= 0; k--)
                other[k] = (k > 0 ? other[k - 1] : 0) - point[q] * (k < degree ? other[k] : 0);
        }
        for (int k = 0; k < count; k++)
            input_matrix[p * in_size + k] = other[k];
        for (int k = 0; k < 3; k++)
            weight_matrix[p * 3 + k] = pow(point[p], k) / divisor;
        for (int k = 0; k < out_size; k++)
            output_matrix[k * in_size + p] = pow(point[p], k);
        for (int k = p + 1; k >= 0; k--)
            all[k] = (k > 0 ? all[k - 1] : 0) - point[p] * (k < p + 1 ? all[k] : 0);
    }
    memcpy(input_matrix + count * in_size, all, (size_t)in_size * sizeof *all);
    weight_matrix[count * 3 + 2] = 1;
    output_matrix[(out_size - 1) * in_size + count] = 1;
    transpose(transposed_output, output_matrix, out_size, in_size);
    transpose(transposed_weight, weight_matrix, in_size, 3);
}

void winograd_bound_tiles(int out)
{
    const double a = sqrt(0.5), b = sqrt(2.0), five[5] = {0, a, -a, b, -b}, three[3] = {0, 1, -1};
    make_matrices(out == 4 ? five : three, out + 1);
}

/* out[i][j] = sum |m[i][k]| |in[k][l]| |m[j][l]| */
static void magnify(double *out, const double *m, int rows, int columns, const double *in)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
            double sum = 0;
            for (int k = 0; k < columns; k++)
                for (int l = 0; l < columns; l++)
                    sum += fabs(m[i * columns + k]) * fabs(in[k * columns + l]) * fabs(m[j * columns + l]);
            out[i * rows + j] = sum;
        }
}

/* x at image n, channel c, pixel (h, w), 0 outside; channels-first. */
static double at(const float *x, int64_t channels, const int64_t size[3], int64_t n, int64_t c, int64_t h, int64_t w)
{
    if (h < 0 || w < 0 || h >= size[1] || w >= size[2])
        return 0;
    return (double)x[((n * channels + c) * size[1] + h) * size[2] + w];
}

/* The magnitude of B' x B for one tile and channel. */
static void input_magnitude(double out[36], const float *x, const dirac__convolution *s, int64_t n, int64_t c, int64_t ty,
                            int64_t tx)
{
    double patch[36];
    for (int i = 0; i < in_size; i++)
        for (int j = 0; j < in_size; j++)
            patch[i * in_size + j] =
                at(x, s->ci, s->in, n, c, ty * out_size - s->before[1] + i, tx * out_size - s->before[2] + j);
    magnify(out, input_matrix, in_size, in_size, patch);
}

static int64_t tiles(int64_t size)
{
    return (size + out_size - 1) / out_size;
}

void winograd_bound_forward(double *bound, const float *x, const twin_number *what, const dirac__convolution *s)
{
    double *weights = new_doubles((size_t)(s->co * s->ci * 36)), *inputs = new_doubles((size_t)s->ci * 36);
    for (int64_t k = 0; k < s->co * s->ci; k++) {
        double taps[9];
        for (int t = 0; t < 9; t++)
            taps[t] = what[k * 9 + t].magnitude;
        magnify(weights + k * 36, weight_matrix, in_size, 3, taps);
    }
    for (int64_t n = 0; n < s->n; n++)
        for (int64_t ty = 0; ty < tiles(s->out[1]); ty++)
            for (int64_t tx = 0; tx < tiles(s->out[2]); tx++) {
                for (int64_t i = 0; i < s->ci; i++)
                    input_magnitude(inputs + i * 36, x, s, n, i, ty, tx);
                for (int64_t o = 0; o < s->co; o++) {
                    double sum[36] = {0}, out[16];
                    for (int64_t i = 0; i < s->ci; i++)
                        for (int e = 0; e < in_size * in_size; e++)
                            sum[e] += inputs[i * 36 + e] * weights[(o * s->ci + i) * 36 + e];
                    magnify(out, output_matrix, out_size, in_size, sum);
                    for (int64_t i = 0; i < out_size && ty * out_size + i < s->out[1]; i++)
                        for (int64_t j = 0; j < out_size && tx * out_size + j < s->out[2]; j++)
                            bound[((n * s->co + o) * s->out[1] + ty * out_size + i) * s->out[2] + tx * out_size + j] =
                                ROUNDING * (double)(s->ci + TRANSFORMS) * out[i * out_size + j];
                }
            }
    free(weights);
    free(inputs);
}

/* The place of tile t: image, row, column. */
static void tile_place(int64_t place[3], const dirac__convolution *s, int64_t t)
{
    const int64_t high = tiles(s->out[1]), wide = tiles(s->out[2]);
    place[0] = t / wide / high;
    place[1] = t / wide % high;
    place[2] = t % wide;
}

/* The magnitudes of A dy A' of every tile for output channel o. */
static void gradient_magnitudes(double *out, const float *dy, const dirac__convolution *s, int64_t o)
{
    for (int64_t t = 0; t < s->n * tiles(s->out[1]) * tiles(s->out[2]); t++) {
        double patch[16];
        int64_t at_tile[3];
        tile_place(at_tile, s, t);
        for (int p = 0; p < out_size * out_size; p++)
            patch[p] = at(dy, s->co, s->out, at_tile[0], o, at_tile[1] * out_size + p / out_size,
                          at_tile[2] * out_size + p % out_size);
        magnify(out + t * 36, transposed_output, in_size, out_size, patch);
    }
}

void winograd_bound_weight(double *bound, const float *x, const float *dy, const dirac__convolution *s)
{
    const int64_t count = s->n * tiles(s->out[1]) * tiles(s->out[2]);
    double *inputs = new_doubles((size_t)(s->ci * count) * 36), *gradients = new_doubles((size_t)count * 36);
    for (int64_t k = 0; k < s->ci * count; k++) {
        int64_t at_tile[3];
        tile_place(at_tile, s, k % count);
        input_magnitude(inputs + k * 36, x, s, at_tile[0], k / count, at_tile[1], at_tile[2]);
    }
    for (int64_t o = 0; o < s->co; o++) {
        gradient_magnitudes(gradients, dy, s, o);
        for (int64_t i = 0; i < s->ci; i++) {
            double sum[36] = {0}, out[9];
            for (int64_t t = 0; t < count; t++)
                for (int e = 0; e < in_size * in_size; e++)
                    sum[e] += inputs[(i * count + t) * 36 + e] * gradients[t * 36 + e];
            magnify(out, transposed_weight, 3, in_size, sum);
            for (int t = 0; t < 9; t++)
                bound[(o * s->ci + i) * 9 + t] = ROUNDING * (double)(count + TRANSFORMS) * out[t];
        }
    }
    free(inputs), free(gradients);
}
