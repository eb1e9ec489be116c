/* SPDX-License-Identifier: MIT */
/* Two custom layers and their twins; see custom_kinds.h. */
#include "layers/custom_kinds.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "layers/layer_values.h"

/* ---- polynomial ------------------------------------------------------------------------------ */

static int64_t input_area(const dirac_layer *layer, int64_t *channels)
{
    int64_t dims[4], area = 1;
    int32_t rank = 0;
    if (dirac_layer_input_shape(layer, 0, dims, &rank) != DIRAC_OK)
        return 0;
    *channels = dims[0];
    for (int32_t i = 1; i < rank; i++)
        area *= dims[i];
    return area;
}

static int32_t polynomial_setup(void *user, dirac_layer *layer)
{
    int64_t dims[4] = {0};
    int32_t rank = 0;
    (void)user;
    if (dirac_layer_output_shape(layer, dims, &rank) != DIRAC_ERR_STATE || dirac_layer_kept_count(layer) != 0)
        return 1;
    int32_t status = dirac_layer_input_shape(layer, 0, dims, &rank);
    if (status == DIRAC_OK)
        status = dirac_layer_set_output_shape(layer, dims, rank);
    int64_t numbers = 1;
    for (int32_t i = 0; i < rank; i++)
        numbers *= dims[i];
    const int64_t shape[2] = {dims[0], dirac_layer_get_int(layer, "degree")};
    if (status == DIRAC_OK)
        status =
            dirac_layer_add_parameter(layer, "weight", shape, 2, 1, DIRAC_INIT_NORMAL, 0.25, 0);
    if (status == DIRAC_OK)
        status = dirac_layer_add_state(layer, "mean", dims, 1, 0.125);
    /* The derivative of each number, and one more to see that it is where it should be. */
    return status == DIRAC_OK ? dirac_layer_keep(layer, numbers, 1) : status;
}

static void polynomial_values(dirac_layer *layer, int64_t channels, int64_t area)
{
    const int64_t degree = dirac_layer_get_int(layer, "degree");
    const float slope = (float)dirac_layer_get_float(layer, "slope");
    const float *x = dirac_layer_input(layer, 0), *w = dirac_layer_parameter(layer, "weight");
    const float *mean = dirac_layer_parameter(layer, "mean");
    float *y = dirac_layer_output(layer), *kept = dirac_layer_kept(layer);
    for (int64_t i = 0; i < dirac_layer_batch(layer) * channels * area; i++) {
        const int64_t c = i / area % channels;
        float value = 0, derivative = 0;
        for (int64_t k = degree; k-- > 0;) {
            value = (value + w[c * degree + k]) * x[i];
            derivative = derivative * x[i] + (float)(k + 1) * w[c * degree + k];
        }
        y[i] = value + slope * x[i] - (dirac_layer_is_training(layer) ? 0 : mean[c]);
        if (kept)
            kept[i] = derivative + slope;
    }
}

/* Forward and backward are told the sizes of what setup declared. */
static int sizes_are_right(dirac_layer *layer, int64_t channels, int64_t area)
{
    int64_t in[4], out[4], weight[DIRAC_MAX_RANK], mean[DIRAC_MAX_RANK];
    int32_t in_rank, out_rank, weight_rank, mean_rank;
    const int64_t kept = dirac_layer_batch(layer) * channels * area + 1;
    return dirac_layer_input_shape(layer, 0, in, &in_rank) == DIRAC_OK &&
           dirac_layer_output_shape(layer, out, &out_rank) == DIRAC_OK && out_rank == in_rank &&
           memcmp(in, out, (size_t)in_rank * sizeof *in) == 0 &&
           dirac_layer_parameter_shape(layer, "weight", weight, &weight_rank) == DIRAC_OK &&
           weight_rank == 2 && weight[0] == channels && weight[1] == dirac_layer_get_int(layer, "degree") &&
           dirac_layer_parameter_shape(layer, "mean", mean, &mean_rank) == DIRAC_OK && mean_rank == 1 &&
           mean[0] == channels && dirac_layer_parameter_shape(layer, "none", mean, &mean_rank) == DIRAC_ERR_NOT_FOUND &&
           dirac_layer_kept_count(layer) == (dirac_layer_is_training(layer) ? kept : 0);
}

static int32_t polynomial_forward(void *user, dirac_layer *layer)
{
    int64_t channels = 0;
    const int64_t area = input_area(layer, &channels), n = dirac_layer_batch(layer);
    const float *x = dirac_layer_input(layer, 0);
    float *next = dirac_layer_new_state(layer, "mean"), *kept = dirac_layer_kept(layer);
    (void)user;
    if ((next != NULL) != (dirac_layer_is_training(layer) == 1) || !sizes_are_right(layer, channels, area))
        return 1;
    polynomial_values(layer, channels, area);
    if (kept)
        kept[n * channels * area] = 42;
    for (int64_t c = 0; next && c < channels; c++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            for (int64_t p = 0; p < area; p++)
                sum += x[(i * channels + c) * area + p];
        next[c] = (float)(0.5 * next[c] + 0.5 * sum / (double)(n * area));
    }
    return 0;
}

static int32_t polynomial_backward(void *user, dirac_layer *layer)
{
    int64_t channels = 0;
    const int64_t area = input_area(layer, &channels);
    const int64_t count = dirac_layer_batch(layer) * channels * area;
    const int64_t degree = dirac_layer_get_int(layer, "degree");
    const float *x = dirac_layer_input(layer, 0), *dy = dirac_layer_output_gradient(layer);
    const float *kept = dirac_layer_kept(layer);
    float *dx = dirac_layer_input_gradient(layer, 0),
          *dw = dirac_layer_parameter_gradient(layer, "weight");
    (void)user;
    if (!kept || kept[count] != 42 || !sizes_are_right(layer, channels, area) || dirac_layer_parameter_gradient(layer, "mean"))
        return 1;
    for (int64_t i = 0; i < count; i++) {
        float power = x[i];
        for (int64_t k = 0; dw && k < degree; k++, power *= x[i])
            dw[i / area % channels * degree + k] += dy[i] * power;
        if (dx)
            dx[i] = dy[i] * kept[i];
    }
    return 0;
}

/* ---- product --------------------------------------------------------------------------------- */

static int32_t product_setup(void *user, dirac_layer *layer)
{
    int64_t dims[4];
    int32_t rank = 0;
    (void)user;
    const int32_t status = dirac_layer_input_shape(layer, 0, dims, &rank);
    return status == DIRAC_OK ? dirac_layer_set_output_shape(layer, dims, rank) : status;
}

static int32_t product_forward(void *user, dirac_layer *layer)
{
    int64_t channels = 0;
    const int64_t count = input_area(layer, &channels) * channels * dirac_layer_batch(layer);
    float *y = dirac_layer_output(layer);
    (void)user;
    for (int64_t i = 0; i < count; i++) {
        y[i] = 1;
        for (int32_t j = 0; j < dirac_layer_input_count(layer); j++)
            y[i] *= dirac_layer_input(layer, j)[i];
    }
    return 0;
}

static int32_t product_backward(void *user, dirac_layer *layer)
{
    int64_t channels = 0;
    const int64_t count = input_area(layer, &channels) * channels * dirac_layer_batch(layer);
    const int32_t inputs = dirac_layer_input_count(layer);
    const float *dy = dirac_layer_output_gradient(layer);
    for (int32_t j = 0; j < inputs; j++) {
        float *dx = dirac_layer_input_gradient(layer, j);
        const float wrong = *(const int *)user || j + 1 < inputs ? 1.0f : 1.5f;
        for (int64_t i = 0; dx && i < count; i++) {
            dx[i] = dy[i] * wrong;
            for (int32_t k = 0; k < inputs; k++)
                if (k != j)
                    dx[i] *= dirac_layer_input(layer, k)[i];
        }
    }
    return 0;
}

/* ---- making them ----------------------------------------------------------------------------- */

custom_kinds custom_register(dirac_context *context, const int *right)
{
    custom_kinds kinds = {NULL, NULL};
    OK(dirac_layer_kind_create(&kinds.polynomial, context, "polynomial", 1));
    OK(dirac_layer_kind_add_int(kinds.polynomial, "degree", 1, 9, 2));
    OK(dirac_layer_kind_add_float(kinds.polynomial, "slope", -10, 10, 0));
    OK(dirac_layer_kind_set_setup(kinds.polynomial, polynomial_setup));
    OK(dirac_layer_kind_set_forward(kinds.polynomial, polynomial_forward));
    OK(dirac_layer_kind_set_backward(kinds.polynomial, polynomial_backward));
    OK(dirac_layer_kind_register(kinds.polynomial));
    OK(dirac_layer_kind_create(&kinds.product, context, "product", 0));
    OK(dirac_layer_kind_set_user(kinds.product, (void *)right, NULL));
    OK(dirac_layer_kind_set_setup(kinds.product, product_setup));
    OK(dirac_layer_kind_set_forward(kinds.product, product_forward));
    OK(dirac_layer_kind_set_backward(kinds.product, product_backward));
    OK(dirac_layer_kind_register(kinds.product));
    dirac_layer_kind_destroy(kinds.polynomial);
    dirac_layer_kind_destroy(kinds.product);
    return kinds;
}

dirac_node *custom_polynomial(dirac_net *net, custom_kinds kinds, dirac_node *x, int64_t degree,
                              double slope)
{
    dirac_node *y = dirac_net_custom(net, kinds.polynomial, &x, 1);
    OK(dirac_node_set_int(y, "degree", degree));
    OK(dirac_node_set_float(y, "slope", slope));
    return y;
}

/* ---- in double ------------------------------------------------------------------------------- */

static void twin_polynomial(twin *t, twin_value *y)
{
    const twin_value *x = twin_read(t, y, 0);
    const int64_t degree = twin_int(y, "degree"), area = twin_area(x);
    twin_shape(t, y, x->dimensions, x->channels, x->size);
    const double *w = twin_parameter(t, y, "weight", x->channels * degree);
    const double *mean = twin_parameter(t, y, "mean", x->channels);
    for (int64_t c = 0; c < x->channels; c++) {
        double sum = 0;
        for (int64_t n = 0; n < t->n; n++)
            for (int64_t p = 0; p < area; p++) {
                const int64_t i = (n * x->channels + c) * area + p;
                y->data[i] =
                    twin_float(y, "slope") * x->data[i] - (t->mode == TWIN_TRAIN ? 0 : mean[c]);
                for (int64_t k = 0; k < degree; k++)
                    y->data[i] += w[c * degree + k] * pow(x->data[i], (double)(k + 1));
                sum += x->data[i];
            }
        if (t->record) {
            double *next = twin_pending(t, y, "mean") + c;
            *next = 0.5 * *next + 0.5 * sum / (double)(t->n * area);
        }
    }
    twin_sums(t, (double)(t->n * area));
}

void twin_custom(twin *t, twin_value *y)
{
    if (strcmp(dirac_node_kind(y->node), "polynomial") == 0) {
        twin_polynomial(t, y);
        return;
    }
    assert_string_equal(dirac_node_kind(y->node), "product");
    const twin_value *first = twin_read(t, y, 0);
    twin_shape(t, y, first->dimensions, first->channels, first->size);
    for (size_t i = 0; i < twin_count(t, y); i++) {
        y->data[i] = 1;
        for (int32_t j = 0; j < dirac_node_input_count(y->node); j++)
            y->data[i] *= twin_read(t, y, j)->data[i];
    }
}
