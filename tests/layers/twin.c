/* SPDX-License-Identifier: MIT */
/* The twin's walk over a net, its tensors and its shapes; the layers themselves are in the other twin_*.c. */
#include "layers/twin.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *kind;
    twin_layer_fn forward;
} layers[] = {
    {"conv", twin_convolution},
    {"linear", twin_linear},
    {"max_pool", twin_max_pool},
    {"average_pool", twin_average_pool},
    {"global_average_pool", twin_global_average_pool},
    {"batch_norm", twin_batch_norm},
    {"response_norm", twin_response_norm},
    {"softmax", twin_softmax},
    {"relu", twin_relu},
    {"ncrelu", twin_ncrelu},
    {"elu", twin_elu},
    {"dropout", twin_dropout},
    {"add", twin_add},
    {"concat", twin_concat},
    {"flatten", twin_flatten},
};

static double *doubles(size_t count)
{
    double *data = calloc(count, sizeof *data);
    assert_non_null(data);
    return data;
}

static void read_tensor(twin *t, int32_t index)
{
    twin_tensor *tensor = &t->tensors[index];
    int64_t dims[DIRAC_MAX_RANK];
    int32_t rank = 0;
    tensor->name = dirac_net_tensor_name(t->net, index);
    assert_int_equal(dirac_net_tensor_shape(t->net, tensor->name, dims, &rank, &tensor->role),
                     DIRAC_OK);
    tensor->count = 1;
    for (int32_t i = 0; i < rank; i++)
        tensor->count *= (size_t)dims[i];
    float *values = malloc(tensor->count * sizeof *values);
    assert_non_null(values);
    assert_int_equal(dirac_net_tensor_read(t->net, tensor->name, values, tensor->count), DIRAC_OK);
    tensor->data = doubles(tensor->count);
    for (size_t i = 0; i < tensor->count; i++)
        tensor->data[i] = values[i];
    if (tensor->role == DIRAC_ROLE_STATE) {
        tensor->pending = doubles(tensor->count);
        memcpy(tensor->pending, tensor->data, tensor->count * sizeof *tensor->data);
    }
    free(values);
}

static void shape_input(twin *t, twin_value *v)
{
    int64_t dims[4];
    int32_t rank = 0;
    assert_int_equal(dirac_node_shape(v->node, dims, &rank), DIRAC_OK);
    int64_t size[3] = {1, 1, 1};
    for (int32_t i = 1; i < rank; i++)
        size[3 - rank + i] = dims[i];
    twin_shape(t, v, rank - 1, dims[0], size);
}

twin *twin_create(const dirac_net *net, int64_t n)
{
    twin *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->net = net;
    t->n = n;
    t->value_count = (int32_t)dirac_net_node_count(net);
    t->values = calloc((size_t)t->value_count, sizeof *t->values);
    assert_non_null(t->values);
    for (int32_t i = 0; i < t->value_count; i++) {
        t->values[i].node = dirac_net_node(net, i);
        t->values[i].owner = dirac_node_name(t->values[i].node);
    }
    for (int32_t i = 0; i < dirac_net_input_count(net); i++)
        shape_input(t, twin_input(t, i));
    t->tensor_count = (int32_t)dirac_net_tensor_count(net);
    t->tensors = calloc((size_t)t->tensor_count + 1, sizeof *t->tensors);
    assert_non_null(t->tensors);
    for (int32_t i = 0; i < t->tensor_count; i++)
        read_tensor(t, i);
    return t;
}

void twin_destroy(twin *t)
{
    for (int32_t i = 0; i < t->value_count; i++)
        free(t->values[i].data);
    for (int32_t i = 0; i < t->tensor_count; i++) {
        free(t->tensors[i].data);
        free(t->tensors[i].pending);
    }
    free(t->values);
    free(t->tensors);
    free(t);
}

void twin_share(twin *t, const char *node, const char *owner)
{
    twin_value *v = twin_value_of(t, dirac_net_find(t->net, node));
    v->owner = owner;
}

void twin_set_input_size(twin *t, const int64_t size[3])
{
    for (int32_t i = 0; i < t->value_count; i++) {
        free(t->values[i].data);
        t->values[i].data = NULL;
    }
    twin_value *v = twin_input(t, 0);
    memcpy(v->size, size, sizeof v->size);
    v->data = doubles(twin_count(t, v));
}

twin_tensor *twin_find(const twin *t, const char *name)
{
    for (int32_t i = 0; i < t->tensor_count; i++)
        if (strcmp(t->tensors[i].name, name) == 0)
            return &t->tensors[i];
    return NULL;
}

twin_value *twin_value_of(const twin *t, const dirac_node *node)
{
    int32_t i = 0;
    while (i < t->value_count && t->values[i].node != node)
        i++;
    assert_in_range(i, 0, t->value_count - 1);
    return &t->values[i];
}

twin_value *twin_input(const twin *t, int32_t index)
{
    return twin_value_of(t, dirac_net_input_node(t->net, index));
}

twin_value *twin_output(const twin *t, int32_t index)
{
    return twin_value_of(t, dirac_net_output_node(t->net, index));
}

int64_t twin_area(const twin_value *v)
{
    return v->size[0] * v->size[1] * v->size[2];
}

size_t twin_count(const twin *t, const twin_value *v)
{
    return (size_t)(t->n * v->channels * twin_area(v));
}

static twin_layer_fn find_layer(const twin *t, const char *kind)
{
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (strcmp(layers[i].kind, kind) == 0)
            return layers[i].forward;
    if (!t->custom)
        fail_msg("the twin knows no layer '%s'", kind);
    return t->custom;
}

void twin_forward(twin *t, int32_t mode)
{
    t->mode = mode;
    t->choices = 14695981039346656037u;
    t->margin = INFINITY;
    t->terms = 0;
    for (int32_t i = 0; i < t->value_count; i++) {
        const char *kind = dirac_node_kind(t->values[i].node);
        if (strcmp(kind, "input") != 0)
            find_layer(t, kind)(t, &t->values[i]);
    }
}

void twin_forward_recorded(twin *t)
{
    t->record = 1;
    twin_forward(t, TWIN_TRAIN);
    t->record = 0;
}

const twin_value *twin_read(const twin *t, const twin_value *y, int32_t index)
{
    return twin_value_of(t, dirac_node_input(y->node, index));
}

/* Compares with what the library worked out, unless the input has another size than the net was built for. */
static void check_shape(const twin *t, const twin_value *y)
{
    int64_t dims[4];
    int32_t rank = 0;
    const twin_value *x = twin_input(t, 0);
    assert_int_equal(dirac_node_shape(x->node, dims, &rank), DIRAC_OK);
    for (int32_t i = 1; i < rank; i++)
        if (dims[i] != x->size[3 - rank + i])
            return;
    assert_int_equal(dirac_node_shape(y->node, dims, &rank), DIRAC_OK);
    assert_int_equal(rank, y->dimensions + 1);
    assert_int_equal(dims[0], y->channels);
    for (int32_t i = 1; i < rank; i++)
        assert_int_equal(dims[i], y->size[3 - rank + i]);
}

void twin_shape(twin *t, twin_value *y, int32_t dimensions, int64_t channels, const int64_t size[3])
{
    if (y->data)
        return;
    y->dimensions = dimensions;
    y->channels = channels;
    memcpy(y->size, size, sizeof y->size);
    y->data = doubles(twin_count(t, y));
    check_shape(t, y);
}

static twin_tensor *find_parameter(const twin *t, const twin_value *y, const char *parameter)
{
    char name[256];
    snprintf(name, sizeof name, "%s.%s", y->owner, parameter);
    twin_tensor *tensor = twin_find(t, name);
    if (!tensor)
        fail_msg("no tensor '%s'", name);
    return tensor;
}

double *twin_parameter(const twin *t, const twin_value *y, const char *parameter, int64_t count)
{
    twin_tensor *tensor = find_parameter(t, y, parameter);
    assert_int_equal(tensor->count, count);
    return tensor->data;
}

double *twin_pending(const twin *t, const twin_value *y, const char *state)
{
    return find_parameter(t, y, state)->pending;
}

int64_t twin_int(const twin_value *y, const char *attribute)
{
    int64_t value = 0;
    assert_int_equal(dirac_node_get_int(y->node, attribute, &value), DIRAC_OK);
    return value;
}

double twin_float(const twin_value *y, const char *attribute)
{
    double value = 0;
    assert_int_equal(dirac_node_get_float(y->node, attribute, &value), DIRAC_OK);
    return value;
}

void twin_ints(const twin_value *y, const char *attribute, int64_t missing, int64_t values[3])
{
    int64_t given[3];
    int32_t count = 0;
    assert_int_equal(dirac_node_get_ints(y->node, attribute, given, &count), DIRAC_OK);
    assert_in_range(count, 1, 3);
    for (int32_t i = 0; i < 3; i++)
        values[i] = i < 3 - count ? missing : given[i - (3 - count)];
}

void twin_decide(twin *t, uint64_t decision, double distance)
{
    t->choices = (t->choices ^ (decision + 1)) * 1099511628211u;
    if (distance > 0 && distance < t->margin)
        t->margin = distance;
}

void twin_sums(twin *t, double terms)
{
    t->terms += terms;
}
