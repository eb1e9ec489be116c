/* SPDX-License-Identifier: MIT */
/* Writing and reading the graph of a net as JSON; see describe.h for the form. */
#include "graph/describe.h"

#include <string.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "base/json.h"
#include "layers/custom.h"

/* ---- writing ---- */

static void write_ints(dirac__buffer *b, const int64_t *values, int32_t count)
{
    dirac__json_open(b, '[');
    for (int32_t i = 0; i < count; i++)
        dirac__json_put_integer(b, values[i]);
    dirac__json_close(b, ']');
}

static void write_attributes(const dirac__layer *layer, dirac__buffer *b)
{
    dirac__json_open(b, '{');
    for (int32_t i = 0; i < layer->kind->n_attributes; i++) {
        const dirac__attribute *attribute = &layer->kind->attributes[i];
        dirac__json_put_name(b, attribute->name);
        if (attribute->type == DIRAC__INT)
            dirac__json_put_integer(b, layer->values[i].i);
        else if (attribute->type == DIRAC__FLOAT)
            dirac__json_put_number(b, layer->values[i].f, 17);
        else
            write_ints(b, layer->values[i].v + 3 - layer->rank, layer->rank);
    }
    dirac__json_close(b, '}');
}

static void write_untrainable(const dirac_net *net, const dirac_node *node, dirac__buffer *b)
{
    bool open = false;
    for (int32_t i = 0; i < node->n_tensors && node->owner == NULL; i++) {
        const dirac__tensor *tensor = &net->tensors[node->tensors[i]];
        if (tensor->is.role != DIRAC_ROLE_TRAINED || tensor->trainable)
            continue;
        if (!open) {
            dirac__json_put_name(b, "untrainable");
            dirac__json_open(b, '[');
        }
        open = true;
        dirac__json_put_string(b, tensor->is.name);
    }
    if (open)
        dirac__json_close(b, ']');
}

static void write_node(const dirac_net *net, const dirac_node *node, dirac__buffer *b)
{
    dirac__json_open(b, '{');
    dirac__json_put_name(b, "kind");
    dirac__json_put_string(b, node->layer.kind->name);
    dirac__json_put_name(b, "name");
    dirac__json_put_string(b, node->name);
    dirac__json_put_name(b, "inputs");
    dirac__json_open(b, '[');
    for (int32_t i = 0; i < node->layer.n_inputs; i++)
        dirac__json_put_integer(b, node->inputs[i]->id);
    dirac__json_close(b, ']');
    if (node->layer.kind->traits & DIRAC__IS_INPUT) {
        int64_t dims[4] = {node->shape.c};
        memcpy(dims + 1, node->shape.size + 3 - node->shape.rank, (size_t)node->shape.rank * sizeof *dims);
        dirac__json_put_name(b, "shape");
        write_ints(b, dims, 1 + node->shape.rank);
    }
    dirac__json_put_name(b, "rank");
    dirac__json_put_integer(b, node->layer.rank);
    if (node->layer.kind->n_attributes > 0) {
        dirac__json_put_name(b, "attributes");
        write_attributes(&node->layer, b);
    }
    if (node->owner != NULL) {
        dirac__json_put_name(b, "parameters_of");
        dirac__json_put_integer(b, node->owner->id);
    }
    write_untrainable(net, node, b);
    dirac__json_close(b, '}');
}

void dirac__graph_write(const dirac_net *net, dirac__buffer *b)
{
    dirac__json_open(b, '{');
    dirac__json_put_name(b, "nodes");
    dirac__json_open(b, '[');
    for (size_t i = 0; i < net->n_nodes; i++)
        write_node(net, net->nodes[i], b);
    dirac__json_close(b, ']');
    dirac__json_put_name(b, "outputs");
    dirac__json_open(b, '[');
    for (size_t i = 0; i < net->n_outputs; i++)
        dirac__json_put_integer(b, net->outputs[i]->id);
    dirac__json_close(b, ']');
    dirac__json_close(b, '}');
}

/* ---- reading ---- */

static int32_t malformed(size_t node, const char *what)
{
    return dirac__fail(DIRAC_ERR_FORMAT, "the graph description is malformed at node %zu: %s", node, what);
}

/* A node number below `below`. */
static bool read_id(const dirac__json *value, size_t below, size_t *id)
{
    int64_t number;
    if (!dirac__json_integer(value, &number) || number < 0 || (uint64_t)number >= below)
        return false;
    *id = (size_t)number;
    return true;
}

static int32_t read_attribute(dirac_node *node, const dirac__json *value)
{
    const char *name = dirac__json_name(value);
    int64_t integers[3];
    double number;
    if (dirac__json_type(value) == DIRAC__JSON_ARRAY) {
        const size_t count = dirac__json_count(value);
        for (size_t i = 0; i < count; i++)
            if (count > 3 || !dirac__json_integer(dirac__json_item(value, i), &integers[i]))
                return malformed((size_t)node->id, "an attribute is no list of up to three integers");
        return dirac__layer_set_ints(&node->layer, node->name, name, integers, (int32_t)count);
    }
    const int32_t index = dirac__attribute_find(node->layer.kind, name);
    if (index >= 0 && node->layer.kind->attributes[index].type == DIRAC__FLOAT && dirac__json_number(value, &number))
        return dirac__layer_set_float(&node->layer, node->name, name, number);
    if (!dirac__json_integer(value, &integers[0]))
        return malformed((size_t)node->id, "an attribute is neither a number nor a list");
    return dirac__layer_set_int(&node->layer, node->name, name, integers[0]);
}

static int32_t read_attributes(dirac_node *node, const dirac__json *attributes)
{
    for (size_t i = 0; i < dirac__json_count(attributes); i++) {
        int32_t status = read_attribute(node, dirac__json_item(attributes, i));
        if (status != DIRAC_OK)
            return status == DIRAC_ERR_MEMORY ? status : DIRAC_ERR_FORMAT;
    }
    return DIRAC_OK;
}

static int32_t read_shape(dirac_node *node, const dirac__json *dims)
{
    const size_t rank = dirac__json_count(dims);
    int64_t values[4] = {0};
    for (size_t i = 0; i < rank; i++)
        if (rank > 4 || !dirac__json_integer(dirac__json_item(dims, i), &values[i]) || values[i] < 1 ||
            values[i] > DIRAC__MAX_DIMENSION)
            return malformed((size_t)node->id, "its shape is not one to four sizes of 1 to 2^30");
    if (rank == 0)
        return malformed((size_t)node->id, "an input has no shape");
    node->shape = (dirac__shape){.c = values[0], .rank = (int32_t)rank - 1, .size = {1, 1, 1}};
    memcpy(node->shape.size + (4 - rank), values + 1, (rank - 1) * sizeof *values);
    return DIRAC_OK;
}

/* What a node has besides kind, name and inputs. */
static int32_t read_details(dirac_node *node, const dirac__json *item)
{
    dirac_net *net = node->net;
    const dirac__json *owner = dirac__json_member(item, "parameters_of");
    size_t id;
    int32_t status = read_attributes(node, dirac__json_member(item, "attributes"));
    if (status == DIRAC_OK && (node->layer.kind->traits & DIRAC__IS_INPUT))
        status = read_shape(node, dirac__json_member(item, "shape"));
    if (status == DIRAC_OK && owner != NULL) {
        if (!read_id(owner, (size_t)node->id, &id) || net->nodes[id]->layer.kind != node->layer.kind)
            return malformed((size_t)node->id, "\"parameters_of\" is no earlier node of its kind");
        node->owner = net->nodes[id]->owner != NULL ? net->nodes[id]->owner : net->nodes[id];
    }
    return status;
}

/* Whether a kind has a kernel or window: an attribute with a value a dimension. */
static bool has_window(const dirac__kind *kind)
{
    for (int32_t i = 0; i < kind->n_attributes; i++)
        if (kind->attributes[i].type == DIRAC__INTS)
            return true;
    return false;
}

static int32_t read_node(dirac_net *net, const dirac__json *item, size_t number)
{
    const char *kind_name = dirac__json_string(dirac__json_member(item, "kind"));
    const char *name = dirac__json_string(dirac__json_member(item, "name"));
    const dirac__json *list = dirac__json_member(item, "inputs");
    const size_t count = dirac__json_count(list);
    dirac_node *inputs[DIRAC__MAX_INPUTS];
    int64_t rank;
    if (kind_name == NULL || name == NULL || count > DIRAC__MAX_INPUTS ||
        !dirac__json_integer(dirac__json_member(item, "rank"), &rank) || rank < -1 || rank > 3)
        return malformed(number, "kind, name, inputs or rank is missing or not legal");
    const dirac__kind *kind = dirac__kind_lookup(net->context, kind_name);
    if (kind == NULL)
        return dirac__fail(DIRAC_ERR_NOT_FOUND,
                           "layer \"%.200s\" is of kind \"%.64s\", which is neither built in nor registered", name,
                           kind_name);
    for (size_t i = 0; i < count; i++) {
        size_t id;
        if (!read_id(dirac__json_item(list, i), number, &id))
            return malformed(number, "an input is no earlier node");
        inputs[i] = net->nodes[id];
    }
    if (has_window(kind) && rank < 1)
        return malformed(number, "its kind needs a rank of 1 to 3");
    dirac_node *node = dirac__net_add(net, kind, (int32_t)rank, inputs, (int32_t)count);
    if (node == NULL)
        return net->status == DIRAC_ERR_MEMORY ? net->status : DIRAC_ERR_FORMAT;
    int32_t status = dirac__node_restore_name(node, name);
    if (status != DIRAC_OK)
        return status == DIRAC_ERR_MEMORY ? status : DIRAC_ERR_FORMAT;
    return read_details(node, item);
}

static int32_t read_outputs(dirac_net *net, const dirac__json *list)
{
    const size_t count = dirac__json_count(list);
    if (!dirac__grow(net->memory, &net->outputs, &net->outputs_capacity, count + 1, sizeof *net->outputs))
        return dirac__fail_memory("outputs");
    for (size_t i = 0; i < count; i++) {
        size_t id;
        if (!read_id(dirac__json_item(list, i), net->n_nodes, &id))
            return dirac__fail(DIRAC_ERR_FORMAT, "the graph description is malformed: output %zu is no node", i);
        for (size_t j = 0; j < i; j++)
            if (net->outputs[j] == net->nodes[id])
                return dirac__fail(DIRAC_ERR_FORMAT, "the graph description is malformed: node %zu is an output twice", id);
        net->outputs[net->n_outputs++] = net->nodes[id];
    }
    return DIRAC_OK;
}

static int32_t read_untrainable(dirac_net *net, const dirac__json *nodes)
{
    for (size_t i = 0; i < dirac__json_count(nodes); i++) {
        const dirac__json *list = dirac__json_member(dirac__json_item(nodes, i), "untrainable");
        const dirac_node *node = net->nodes[i];
        for (size_t j = 0; j < dirac__json_count(list); j++) {
            const char *name = dirac__json_string(dirac__json_item(list, j));
            bool found = false;
            for (int32_t k = 0; name != NULL && k < node->n_tensors; k++)
                if (strcmp(net->tensors[node->tensors[k]].is.name, name) == 0) {
                    net->tensors[node->tensors[k]].trainable = false;
                    found = true;
                }
            if (!found)
                return malformed(i, "\"untrainable\" names no parameter of it");
        }
    }
    return DIRAC_OK;
}

/* What a host would be told of its building is wrong with the file here. */
static int32_t build(dirac_net *net)
{
    const int32_t status = dirac__net_build_empty(net);
    const bool malformed_graph = status == DIRAC_ERR_ARGUMENT || status == DIRAC_ERR_STATE || status == DIRAC_ERR_SHAPE;
    return malformed_graph ? dirac__fail_in(DIRAC_ERR_FORMAT, "the graph description") : status;
}

static int32_t read_graph(dirac_net *net, const dirac__json *root)
{
    const dirac__json *nodes = dirac__json_member(root, "nodes");
    int32_t status = DIRAC_OK;
    for (size_t i = 0; i < dirac__json_count(nodes) && status == DIRAC_OK; i++)
        status = read_node(net, dirac__json_item(nodes, i), i);
    if (status == DIRAC_OK)
        status = read_outputs(net, dirac__json_member(root, "outputs"));
    if (status == DIRAC_OK)
        status = build(net);
    if (status == DIRAC_OK)
        status = read_untrainable(net, nodes);
    return status;
}

int32_t dirac__graph_read(dirac_net **out, dirac_context *context, const dirac__memory *memory, const char *text,
                          size_t size, uint64_t limit)
{
    dirac__json *root = NULL;
    *out = NULL;
    int32_t status = dirac__json_parse(memory, text, size, &root);
    if (status != DIRAC_OK)
        return dirac__fail_in(status, "the graph description");
    dirac_net *net = dirac__net_new_in(context, memory);
    status = net == NULL ? DIRAC_ERR_MEMORY : DIRAC_OK;
    if (status == DIRAC_OK) {
        net->values_limit = limit;
        status = read_graph(net, root);
    }
    dirac__json_free(memory, root);
    if (status != DIRAC_OK)
        dirac__net_release(net);
    else
        *out = net;
    return status;
}
