/* SPDX-License-Identifier: MIT */
/* Public calls on parameters and state, by name. */
#include <string.h>

#include <dirac/net.h>

#include "api/check.h"

int64_t dirac_net_tensor_count(const dirac_net *net)
{
    return net == NULL || !net->built ? 0 : (int64_t)net->n_tensors;
}

const char *dirac_net_tensor_name(const dirac_net *net, int64_t index)
{
    return index < 0 || index >= dirac_net_tensor_count(net) ? NULL : net->tensors[index].name;
}

/* The tensor of a built net; with values, `count` must be its length. */
static int32_t look_up(const dirac_net *net, const char *name, const char *function, dirac__tensor **tensor)
{
    CHECK(dirac__check_built(net, function));
    if (name == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: the name is NULL", function);
    *tensor = dirac__net_find_tensor(net, name);
    if (*tensor == NULL)
        return dirac__fail(DIRAC_ERR_NOT_FOUND, "%s: no tensor is called \"%s\"", function, name);
    return DIRAC_OK;
}

static int32_t check_count(const dirac__tensor *tensor, const float *values, size_t count, const char *function)
{
    if (values == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: the values are NULL", function);
    if (count != tensor->count)
        return dirac__fail(DIRAC_ERR_SHAPE, "%s: tensor \"%s\" has %zu elements, not %zu", function, tensor->name,
                           tensor->count, count);
    return DIRAC_OK;
}

int32_t dirac_net_tensor_shape(const dirac_net *net, const char *name, int64_t *dims, int32_t *rank, int32_t *role)
{
    dirac__tensor *tensor = NULL;
    CHECK(look_up(net, name, __func__, &tensor));
    CHECK_HANDLE(dims);
    memcpy(dims, tensor->is.dims, (size_t)tensor->is.rank * sizeof *dims);
    if (rank != NULL)
        *rank = tensor->is.rank;
    if (role != NULL)
        *role = tensor->is.role;
    return DIRAC_OK;
}

int32_t dirac_net_tensor_read(const dirac_net *net, const char *name, float *values, size_t count)
{
    dirac__tensor *tensor = NULL;
    CHECK(look_up(net, name, __func__, &tensor));
    CHECK(check_count(tensor, values, count, __func__));
    CHECK(dirac__net_begin_read(net));
    memcpy(values, tensor->data, count * sizeof *values);
    dirac__net_end_read(net);
    return DIRAC_OK;
}

int32_t dirac_net_tensor_write(dirac_net *net, const char *name, const float *values, size_t count)
{
    dirac__tensor *tensor = NULL;
    CHECK(look_up(net, name, __func__, &tensor));
    CHECK(check_count(tensor, values, count, __func__));
    CHECK(dirac__net_begin_write(net));
    memcpy(tensor->data, values, count * sizeof *values);
    dirac__net_end_write(net, true);
    return DIRAC_OK;
}

int32_t dirac_net_initialize(dirac_net *net, uint64_t seed)
{
    DIRAC__HOLD_FLOATS();
    CHECK(dirac__check_built(net, __func__));
    CHECK(dirac__net_begin_write(net));
    /* A draw that needs memory may fail on the way: then everything is put back. */
    const size_t bytes = net->n_values * sizeof *net->values;
    float *before = dirac__alloc(net->memory, bytes);
    int32_t status = before == NULL ? dirac__fail_memory("drawing parameters anew") : DIRAC_OK;
    if (before != NULL)
        memcpy(before, net->values, bytes);
    for (size_t i = 0; i < net->n_tensors && status == DIRAC_OK; i++)
        status = dirac__tensor_initialize(net, &net->tensors[i], seed);
    if (status != DIRAC_OK && before != NULL)
        memcpy(net->values, before, bytes);
    dirac__free(net->memory, before);
    dirac__net_end_write(net, status == DIRAC_OK);
    return status;
}

int32_t dirac_net_set_trainable(dirac_net *net, const char *pattern, int32_t trainable)
{
    CHECK(dirac__check_built(net, __func__));
    CHECK_HANDLE(pattern);
    CHECK_SWITCH(trainable);
    CHECK(dirac__net_begin_write(net));
    bool found = false;
    for (size_t i = 0; i < net->n_tensors; i++) {
        dirac__tensor *tensor = &net->tensors[i];
        if (tensor->is.role == DIRAC_ROLE_TRAINED && dirac__matches(pattern, tensor->name)) {
            tensor->trainable = trainable == 1;
            found = true;
        }
    }
    dirac__net_end_write(net, false);
    return found ? DIRAC_OK : dirac__fail_no_match(net, pattern);
}
