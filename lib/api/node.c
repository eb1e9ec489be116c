/* SPDX-License-Identifier: MIT */
/* Public calls on one node: its options before build, its description after. */
#include <math.h>
#include <string.h>

#include <dirac/net.h>

#include "api/check.h"

/* ---- options ---- */

/* The node may be changed: its net is sound and not built. */
static int32_t check_open(dirac_node *node, const char *function)
{
    if (node == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: the node is NULL", function);
    CHECK(dirac__net_stuck(node->net));
    if (node->net->built)
        return dirac__fail(DIRAC_ERR_STATE, "%s: the net is built and layer \"%s\" cannot be changed", function,
                           node->name);
    return DIRAC_OK;
}

int32_t dirac_node_set_name(dirac_node *node, const char *name)
{
    CHECK(check_open(node, __func__));
    return dirac__net_stick(node->net, dirac__node_rename(node, name));
}

int32_t dirac_node_set_int(dirac_node *node, const char *attribute, int64_t value)
{
    DIRAC__HOLD_FLOATS();
    CHECK(check_open(node, __func__));
    return dirac__net_stick(node->net, dirac__layer_set_int(&node->layer, node->name, attribute, value));
}

int32_t dirac_node_set_ints(dirac_node *node, const char *attribute, const int64_t *values, int32_t count)
{
    DIRAC__HOLD_FLOATS();
    CHECK(check_open(node, __func__));
    return dirac__net_stick(node->net, dirac__layer_set_ints(&node->layer, node->name, attribute, values, count));
}

int32_t dirac_node_set_float(dirac_node *node, const char *attribute, double value)
{
    DIRAC__HOLD_FLOATS();
    CHECK(check_open(node, __func__));
    return dirac__net_stick(node->net, dirac__layer_set_float(&node->layer, node->name, attribute, value));
}

static int32_t check_initializer(const dirac_node *node, const char *parameter, int32_t init, double a, double b)
{
    if (parameter == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "layer \"%s\": the name of the parameter to initialise is NULL", node->name);
    if (init < DIRAC_INIT_ZEROS || init > DIRAC_INIT_DELTA)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "\"%s.%s\": initialiser %d, legal are %d to %d", node->name, parameter,
                           init, DIRAC_INIT_ZEROS, DIRAC_INIT_DELTA);
    if (!isfinite(a) || !isfinite(b))
        return dirac__fail(DIRAC_ERR_ARGUMENT, "\"%s.%s\": a number of its initialiser is not finite", node->name,
                           parameter);
    return DIRAC_OK;
}

int32_t dirac_node_set_initializer(dirac_node *node, const char *parameter, int32_t init, double a, double b)
{
    DIRAC__HOLD_FLOATS();
    CHECK(check_open(node, __func__));
    int32_t status = check_initializer(node, parameter, init, a, b);
    if (status != DIRAC_OK)
        return dirac__net_stick(node->net, status);
    dirac__initializer *slot = NULL;
    for (int32_t i = 0; i < node->n_initializers && slot == NULL; i++)
        if (strcmp(node->initializers[i].parameter, parameter) == 0)
            slot = &node->initializers[i];
    if (slot == NULL) {
        if (node->n_initializers == DIRAC__MAX_PARAMETERS)
            return dirac__net_stick(node->net, dirac__fail(DIRAC_ERR_ARGUMENT, "layer \"%s\" has %d initialisers already",
                                                           node->name, node->n_initializers));
        char *copy = dirac__copy_string(node->net->memory, parameter);
        if (copy == NULL)
            return dirac__net_stick(node->net, dirac__fail_memory("an initialiser"));
        slot = &node->initializers[node->n_initializers++];
        slot->parameter = copy;
    }
    slot->init = init;
    slot->a = a;
    slot->b = b;
    return DIRAC_OK;
}

int32_t dirac_node_share_parameters(dirac_node *node, dirac_node *owner)
{
    CHECK(check_open(node, __func__));
    int32_t status = DIRAC_OK;
    if (owner == NULL || owner->net != node->net || owner->id >= node->id)
        status = dirac__fail(DIRAC_ERR_ARGUMENT, "layer \"%s\" can share the parameters of an earlier layer of its net only",
                             node->name);
    else if (owner->layer.kind != node->layer.kind)
        status = dirac__fail(DIRAC_ERR_ARGUMENT, "layer \"%s\" of kind \"%s\" cannot share the parameters of \"%s\" of kind \"%s\"",
                             node->name, node->layer.kind->name, owner->name, owner->layer.kind->name);
    else
        node->owner = owner->owner != NULL ? owner->owner : owner;
    return dirac__net_stick(node->net, status);
}

int32_t dirac_node_set_frozen(dirac_node *node, int32_t frozen)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(node);
    if (node->layer.kind != &dirac__kind_batch_norm)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "layer \"%s\" of kind \"%s\" cannot be frozen: it is no batch norm",
                           node->name, node->layer.kind->name);
    CHECK_SWITCH(frozen);
    CHECK(dirac__net_begin_write(node->net));
    int32_t status = dirac__layer_set_int(&node->layer, node->name, "frozen", frozen);
    dirac__net_end_write(node->net, false);
    return status;
}

/* ---- description ---- */

const char *dirac_node_name(const dirac_node *node)
{
    return node == NULL ? "" : node->name;
}

const char *dirac_node_kind(const dirac_node *node)
{
    return node == NULL ? "" : node->layer.kind->name;
}

int32_t dirac_node_input_count(const dirac_node *node)
{
    return node == NULL ? 0 : node->layer.n_inputs;
}

dirac_node *dirac_node_input(const dirac_node *node, int32_t index)
{
    return node == NULL || index < 0 || index >= node->layer.n_inputs ? NULL : node->inputs[index];
}

int32_t dirac_node_shape(const dirac_node *node, int64_t *dims, int32_t *rank)
{
    CHECK_HANDLE(node);
    CHECK_HANDLE(dims);
    CHECK_HANDLE(rank);
    CHECK(dirac__check_built(node->net, __func__));
    dirac__shape_dims(&node->shape, dims, rank);
    return DIRAC_OK;
}

/* The value of an attribute of that type (or, for INT, of INTS). */
static int32_t look_up(const dirac_node *node, const char *attribute, int32_t type, dirac__value **value,
                       int32_t *found)
{
    if (node == NULL || attribute == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "the node or the attribute's name is NULL");
    const int32_t index = dirac__attribute_find(node->layer.kind, attribute);
    if (index < 0)
        return dirac__fail(DIRAC_ERR_NOT_FOUND, "layer \"%s\" of kind \"%s\" has no attribute \"%s\"", node->name,
                           node->layer.kind->name, attribute);
    *found = node->layer.kind->attributes[index].type;
    if ((*found == DIRAC__FLOAT) != (type == DIRAC__FLOAT))
        return dirac__fail(DIRAC_ERR_ARGUMENT, "attribute \"%s\" of layer \"%s\" is of another type", attribute, node->name);
    *value = &((dirac_node *)node)->layer.values[index]; /* only looked at: an atomic load wants it so */
    return DIRAC_OK;
}

int32_t dirac_node_get_int(const dirac_node *node, const char *attribute, int64_t *value)
{
    int64_t values[3] = {0};
    int32_t count;
    CHECK_HANDLE(value);
    CHECK(dirac_node_get_ints(node, attribute, values, &count));
    *value = values[0];
    return DIRAC_OK;
}

int32_t dirac_node_get_ints(const dirac_node *node, const char *attribute, int64_t *values, int32_t *count)
{
    dirac__value *value = NULL;
    int32_t type = 0;
    CHECK_HANDLE(values);
    CHECK_HANDLE(count);
    CHECK(look_up(node, attribute, DIRAC__INT, &value, &type));
    const int32_t rank = node->layer.rank;
    *count = type == DIRAC__INT ? 1 : rank;
    for (int32_t i = 0; i < *count; i++)
        values[i] = type == DIRAC__INT ? atomic_load_explicit(&value->shared, memory_order_relaxed) : value->v[3 - rank + i];
    return DIRAC_OK;
}

int32_t dirac_node_get_float(const dirac_node *node, const char *attribute, double *value)
{
    dirac__value *found = NULL;
    int32_t type = 0;
    CHECK_HANDLE(value);
    CHECK(look_up(node, attribute, DIRAC__FLOAT, &found, &type));
    *value = found->f;
    return DIRAC_OK;
}

int64_t dirac_node_trained_count(const dirac_node *node)
{
    int64_t sum = 0;
    if (node == NULL || !node->net->built || node->owner != NULL)
        return 0;
    for (int32_t i = 0; i < node->n_tensors; i++) {
        const dirac__tensor *tensor = &node->net->tensors[node->tensors[i]];
        if (tensor->is.role == DIRAC_ROLE_TRAINED)
            sum += (int64_t)tensor->count;
    }
    return sum;
}

int64_t dirac_node_multiply_adds(const dirac_node *node)
{
    return node == NULL || !node->net->built ? 0 : node->multiply_adds;
}
