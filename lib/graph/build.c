/* SPDX-License-Identifier: MIT */
/* From a finished graph to shapes, named tensors and one array that holds their values. */
#include <string.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "graph/net.h"
#include "layers/planning.h"

/* ---- shapes ---- */

static int32_t infer_node(const dirac_node *node, const dirac__shape *shapes, dirac__shape *out, int64_t *multiply_adds)
{
    dirac__shape in[DIRAC__MAX_INPUTS];
    if (node->layer.kind->traits & DIRAC__IS_INPUT)
        in[0] = *out;
    for (int32_t i = 0; i < node->layer.n_inputs; i++)
        in[i] = shapes[node->inputs[i]->id];
    dirac__layer_plan plan = {.layer = &node->layer, .name = node->name, .in = in};
    int32_t status = node->layer.kind->plan(&plan);
    if (status == DIRAC_OK) {
        *out = plan.out;
        *multiply_adds = plan.multiply_adds;
    }
    return status;
}

int32_t dirac__net_infer(const dirac_net *net, const dirac__shape *inputs, dirac__shape *shapes)
{
    size_t next = 0;
    int64_t unused;
    for (size_t i = 0; i < net->n_nodes; i++) {
        if (net->nodes[i]->layer.kind->traits & DIRAC__IS_INPUT)
            shapes[i] = inputs[next++];
        int32_t status = infer_node(net->nodes[i], shapes, &shapes[i], &unused);
        if (status != DIRAC_OK)
            return status;
    }
    return DIRAC_OK;
}

/* So that dirac_net_multiply_adds() can add them up. */
static int32_t check_multiply_adds(const dirac_net *net)
{
    int64_t left = INT64_MAX;
    for (size_t i = 0; i < net->n_nodes; i++) {
        if (net->nodes[i]->multiply_adds > left)
            return dirac__fail_multiply_adds(net->nodes[i]->name);
        left -= net->nodes[i]->multiply_adds;
    }
    return DIRAC_OK;
}

static int32_t infer_all(dirac_net *net)
{
    dirac__shape *shapes = dirac__alloc_zero(net->memory, net->n_nodes, sizeof *shapes);
    if (shapes == NULL)
        return dirac__fail_memory("shapes");
    int32_t status = DIRAC_OK;
    for (size_t i = 0; i < net->n_nodes && status == DIRAC_OK; i++) {
        dirac_node *node = net->nodes[i];
        shapes[i] = node->shape;
        status = infer_node(node, shapes, &shapes[i], &node->multiply_adds);
        node->shape = shapes[i];
    }
    dirac__free(net->memory, shapes);
    return status == DIRAC_OK ? check_multiply_adds(net) : status;
}

/* ---- tensors ---- */

int64_t dirac__parameter_count(const dirac__parameter *parameter)
{
    int64_t count = 1;
    for (int32_t i = 0; i < parameter->rank; i++)
        if (parameter->dims[i] != 0 && count > INT64_MAX / 64 / parameter->dims[i])
            return INT64_MAX / 64; /* beyond any memory; refused when sizes are added up */
        else
            count *= parameter->dims[i];
    return count;
}

static int32_t list_parameters(const dirac_node *node, dirac__parameter_list *list)
{
    list->count = 0;
    if (node->layer.kind->parameters == NULL)
        return DIRAC_OK;
    dirac__shape in[DIRAC__MAX_INPUTS];
    for (int32_t i = 0; i < node->layer.n_inputs; i++)
        in[i] = node->inputs[i]->shape;
    return node->layer.kind->parameters(&node->layer, in, list);
}

/* The host's initialisers take the place of the kind's. */
static int32_t apply_initializers(const dirac_node *node, dirac__parameter_list *list)
{
    for (int32_t i = 0; i < node->n_initializers; i++) {
        const dirac__initializer *wanted = &node->initializers[i];
        int32_t j = 0;
        while (j < list->count && strcmp(list->items[j].name, wanted->parameter) != 0)
            j++;
        if (j == list->count)
            return dirac__fail(DIRAC_ERR_NOT_FOUND, "layer \"%s\" has no parameter \"%s\" to initialise", node->name,
                               wanted->parameter);
        if (wanted->init == DIRAC_INIT_DELTA && list->items[j].rank < 2)
            return dirac__fail(DIRAC_ERR_ARGUMENT, "\"%s.%s\" has one dimension: the delta initialiser needs a weight",
                               node->name, wanted->parameter);
        list->items[j].init = wanted->init;
        list->items[j].a = wanted->a;
        list->items[j].b = wanted->b;
    }
    return DIRAC_OK;
}

static int32_t add_tensor(dirac_net *net, dirac_node *node, const dirac__parameter *parameter, size_t *capacity)
{
    if (!dirac__grow(net->memory, &net->tensors, capacity, net->n_tensors + 1, sizeof *net->tensors) ||
        !dirac__name_index_reserve(&net->tensor_names, net->memory, 1))
        return dirac__fail_memory("the list of tensors");
    dirac__buffer name = {.memory = net->memory};
    dirac__buffer_text(&name, node->name);
    dirac__buffer_text(&name, ".");
    dirac__buffer_text(&name, parameter->name);
    char *copy = name.failed ? NULL : dirac__copy_string(net->memory, name.data);
    dirac__buffer_release(&name);
    if (copy == NULL)
        return dirac__fail_memory("a tensor's name");
    if (dirac__net_find_tensor(net, copy) != NULL) {
        int32_t status = dirac__fail(DIRAC_ERR_ARGUMENT, "two tensors would be called \"%s\"", copy);
        dirac__free(net->memory, copy);
        return status;
    }
    if ((uint64_t)dirac__parameter_count(parameter) > DIRAC__MAX_COUNT) {
        int32_t status = dirac__fail(DIRAC_ERR_LIMIT, "tensor \"%s\" would have more elements than %zu", copy,
                                     DIRAC__MAX_COUNT);
        dirac__free(net->memory, copy);
        return status;
    }
    dirac__tensor *tensor = &net->tensors[net->n_tensors];
    *tensor = (dirac__tensor){.name = copy, .is = *parameter, .node = node,
                              .count = (size_t)dirac__parameter_count(parameter),
                              .trainable = parameter->role == DIRAC_ROLE_TRAINED};
    tensor->is.name = copy + strlen(node->name) + 1; /* the list that named it may go */
    dirac__name_index_put(&net->tensor_names, copy, net->n_tensors);
    node->tensors[node->n_tensors++] = (int32_t)net->n_tensors++;
    return DIRAC_OK;
}

static bool same_parameters(const dirac__parameter_list *a, const dirac_net *net, const dirac_node *owner)
{
    if (a->count != owner->n_tensors)
        return false;
    for (int32_t i = 0; i < a->count; i++) {
        const dirac__parameter *b = &net->tensors[owner->tensors[i]].is;
        if (a->items[i].rank != b->rank || strcmp(a->items[i].name, b->name) != 0 ||
            memcmp(a->items[i].dims, b->dims, (size_t)b->rank * sizeof b->dims[0]) != 0)
            return false;
    }
    return true;
}

static int32_t share_tensors(const dirac_net *net, dirac_node *node, const dirac__parameter_list *list)
{
    if (!same_parameters(list, net, node->owner))
        return dirac__fail(DIRAC_ERR_SHAPE, "layer \"%s\" cannot use the parameters of \"%s\": theirs have other shapes",
                           node->name, node->owner->name);
    node->n_tensors = node->owner->n_tensors;
    memcpy(node->tensors, node->owner->tensors, sizeof node->tensors);
    node->owner->shared = true;
    return DIRAC_OK;
}

static int32_t list_tensors(dirac_net *net)
{
    size_t capacity = 0;
    for (size_t i = 0; i < net->n_nodes; i++) {
        dirac_node *node = net->nodes[i];
        dirac__parameter_list list;
        int32_t status = list_parameters(node, &list);
        if (status == DIRAC_OK)
            status = apply_initializers(node, &list);
        if (status == DIRAC_OK && node->owner != NULL) {
            status = share_tensors(net, node, &list);
            list.count = 0;
        }
        for (int32_t j = 0; j < list.count && status == DIRAC_OK; j++)
            status = add_tensor(net, node, &list.items[j], &capacity);
        if (status != DIRAC_OK)
            return status;
    }
    return DIRAC_OK;
}

/* Lays tensors out in one array: trained ones first, so that gradients and momentum have the same offsets. */
static int32_t lay_out(dirac_net *net)
{
    size_t offset = 0, bytes;
    for (int32_t role = DIRAC_ROLE_TRAINED; role <= DIRAC_ROLE_STATE; role++) {
        for (size_t i = 0; i < net->n_tensors; i++) {
            if (net->tensors[i].is.role != role)
                continue;
            net->tensors[i].offset = offset;
            if (!dirac__add(offset, net->tensors[i].count, &offset))
                return dirac__fail(DIRAC_ERR_LIMIT, "tensor \"%s\" is too large", net->tensors[i].name);
        }
        if (role == DIRAC_ROLE_TRAINED)
            net->n_trained = offset;
    }
    net->n_values = offset;
    if (!dirac__multiply(offset, sizeof(float), &bytes))
        return dirac__fail(DIRAC_ERR_LIMIT, "the parameters do not fit into memory");
    if (net->values_limit > 0 && bytes > net->values_limit)
        return dirac__fail(DIRAC_ERR_LIMIT, "the parameters need %zu bytes, more than the load limit", bytes);
    net->values = dirac__alloc_zero(net->memory, offset + 1, sizeof(float));
    if (net->values == NULL)
        return dirac__fail_memory("the parameters");
    for (size_t i = 0; i < net->n_tensors; i++)
        net->tensors[i].data = net->values + net->tensors[i].offset;
    return DIRAC_OK;
}

/* ---- build ---- */

static int32_t check_graph(const dirac_net *net)
{
    bool input = false;
    for (size_t i = 0; i < net->n_nodes; i++)
        input = input || (net->nodes[i]->layer.kind->traits & DIRAC__IS_INPUT);
    if (!input)
        return dirac__fail(DIRAC_ERR_STATE, "the net has no input");
    if (net->n_outputs == 0)
        return dirac__fail(DIRAC_ERR_STATE, "the net has no output: call dirac_net_output()");
    if (net->n_scopes > 0)
        return dirac__fail(DIRAC_ERR_STATE, "scope \"%s\" was not left", net->scopes[net->n_scopes - 1]);
    return DIRAC_OK;
}

int32_t dirac__net_build_empty(dirac_net *net)
{
    int32_t status = dirac__net_stuck(net);
    if (status != DIRAC_OK)
        return status;
    if (net->built)
        return dirac__fail(DIRAC_ERR_STATE, "the net is built already");
    status = check_graph(net);
    if (status == DIRAC_OK)
        status = infer_all(net);
    if (status == DIRAC_OK)
        status = list_tensors(net);
    if (status == DIRAC_OK)
        status = lay_out(net);
    if (status == DIRAC_OK)
        net->built = true;
    return dirac__net_stick(net, status);
}

/* Who uses another's parameters has its attributes. Asked of the host's building only: a batch norm may be frozen alone
 * later, and such a net can be copied and saved. */
static int32_t check_sharing(const dirac_net *net)
{
    for (size_t i = 0; i < net->n_nodes; i++) {
        const dirac_node *node = net->nodes[i], *owner = node->owner;
        const dirac__kind *kind = node->layer.kind;
        for (int32_t j = 0; owner != NULL && j < kind->n_attributes; j++)
            /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c): unused bytes are zero */
            if (memcmp(&node->layer.values[j], &owner->layer.values[j], sizeof node->layer.values[j]) != 0)
                return dirac__fail(DIRAC_ERR_ARGUMENT,
                                   "layer \"%s\" cannot use the parameters of \"%s\": their attribute \"%s\" differs",
                                   node->name, owner->name, kind->attributes[j].name);
    }
    return DIRAC_OK;
}

int32_t dirac__net_build(dirac_net *net)
{
    if (net->status == DIRAC_OK && !net->built)
        dirac__net_stick(net, check_sharing(net));
    int32_t status = dirac__net_build_empty(net);
    if (status != DIRAC_OK)
        return status;
    for (size_t i = 0; i < net->n_tensors && status == DIRAC_OK; i++)
        status = dirac__tensor_initialize(net, &net->tensors[i], net->seed);
    if (status != DIRAC_OK)
        net->built = false;
    return dirac__net_stick(net, status);
}
