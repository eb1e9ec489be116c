/* SPDX-License-Identifier: MIT */
/* Nets and nodes: life, the sticky error of building, notes, adding nodes. */
#include "graph/net.h"

#include <string.h>

#include <dirac/status.h>

#include "base/fail.h"

dirac_net *dirac__net_new(dirac_context *context)
{
    return dirac__net_new_in(context, &context->memory);
}

dirac_net *dirac__net_new_in(dirac_context *context, const dirac__memory *memory)
{
    if (dirac__context_use(context) != DIRAC_OK)
        return NULL;
    dirac_net *net = dirac__alloc_zero(memory, 1, sizeof *net);
    if (net == NULL) {
        dirac__fail_memory("a net");
        dirac__context_release(context);
        return NULL;
    }
    net->context = context;
    net->memory = memory;
    net->seed = context->seed;
    atomic_init(&net->references, 1);
    atomic_init(&net->users, 0);
    atomic_init(&net->version, 1);
    return net;
}

void dirac__net_hold(dirac_net *net)
{
    atomic_fetch_add_explicit(&net->references, 1, memory_order_relaxed);
}

static void node_free(dirac_node *node)
{
    const dirac__memory *memory = node->net->memory;
    for (int32_t i = 0; i < node->n_initializers; i++)
        dirac__free(memory, node->initializers[i].parameter);
    dirac__free(memory, node->inputs);
    dirac__free(memory, node->name);
    dirac__free(memory, node);
}

static void net_free(dirac_net *net)
{
    dirac_context *context = net->context;
    const dirac__memory *memory = net->memory;
    for (size_t i = 0; i < net->n_nodes; i++)
        node_free(net->nodes[i]);
    for (size_t i = 0; i < net->n_scopes; i++)
        dirac__free(memory, net->scopes[i]);
    for (size_t i = 0; i < net->n_tensors; i++)
        dirac__free(memory, net->tensors[i].name);
    dirac__names_release(net);
    for (size_t i = 0; i < net->n_notes; i++) {
        dirac__free(memory, net->notes[i].key);
        dirac__free(memory, net->notes[i].value);
    }
    dirac__free(memory, net->nodes);
    dirac__free(memory, net->outputs);
    dirac__free(memory, net->scopes);
    dirac__free(memory, net->tensors);
    dirac__free(memory, net->values);
    dirac__free(memory, net->notes);
    dirac__free(memory, net->message);
    dirac__free(memory, net->load_report);
    dirac__free(memory, net);
    dirac__context_release(context);
}

void dirac__net_release(dirac_net *net)
{
    if (net != NULL && atomic_fetch_sub_explicit(&net->references, 1, memory_order_acq_rel) == 1)
        net_free(net);
}

int32_t dirac__net_stick(dirac_net *net, int32_t status)
{
    if (net->status == DIRAC_OK && status != DIRAC_OK) {
        net->status = status;
        net->message = dirac__copy_string(net->memory, dirac_error_message());
    }
    return status;
}

int32_t dirac__net_stuck(const dirac_net *net)
{
    if (net->status == DIRAC_OK)
        return DIRAC_OK;
    return dirac__fail(net->status, "%s", net->message != NULL ? net->message : dirac_status_string(net->status));
}

/* ---- notes ---- */

dirac__note *dirac__net_find_note(const dirac_net *net, const char *key)
{
    const size_t *number = dirac__name_index_find(&net->note_keys, key, strlen(key));
    return number == NULL ? NULL : &net->notes[*number];
}

int32_t dirac__net_put_note(dirac_net *net, const char *key, const char *value)
{
    dirac__note *note = dirac__net_find_note(net, key);
    char *copy = dirac__copy_string(net->memory, value);
    if (copy == NULL)
        return dirac__fail_memory("a note");
    if (note == NULL) {
        char *name = dirac__copy_string(net->memory, key);
        if (name == NULL || !dirac__name_index_reserve(&net->note_keys, net->memory, 1) ||
            !dirac__grow(net->memory, &net->notes, &net->notes_capacity, net->n_notes + 1, sizeof *net->notes)) {
            dirac__name_index_trim(&net->note_keys, net->memory);
            dirac__free(net->memory, name);
            dirac__free(net->memory, copy);
            return dirac__fail_memory("a note");
        }
        note = &net->notes[net->n_notes];
        note->key = name;
        dirac__name_index_put(&net->note_keys, name, net->n_notes++);
    }
    dirac__free(net->memory, note->value);
    note->value = copy;
    return DIRAC_OK;
}

/* The last one takes its place. */
void dirac__net_drop_note(dirac_net *net, const char *key)
{
    dirac__note *note = dirac__net_find_note(net, key);
    if (note == NULL)
        return;
    dirac__note *last = &net->notes[net->n_notes - 1];
    dirac__name_index_remove(&net->note_keys, key);
    if (note != last)
        *dirac__name_index_find(&net->note_keys, last->key, strlen(last->key)) = (size_t)(note - net->notes);
    dirac__free(net->memory, note->key);
    dirac__free(net->memory, note->value);
    *note = *last;
    *last = (dirac__note){0};
    net->n_notes--;
}

/* ---- adding nodes ---- */

static int32_t check_inputs(const dirac_net *net, const dirac__kind *kind, dirac_node *const *inputs, int32_t count)
{
    const bool is_input = (kind->traits & DIRAC__IS_INPUT) != 0;
    if (count < 0 || count > DIRAC__MAX_INPUTS || (kind->inputs > 0 && count != kind->inputs) ||
        (kind->inputs == 0 && (count == 0) != is_input))
        return dirac__fail(DIRAC_ERR_ARGUMENT, "a layer of kind \"%s\" reads %d values, not %d", kind->name,
                           kind->inputs > 0 ? kind->inputs : !is_input, count);
    for (int32_t i = 0; i < count; i++) {
        if (inputs[i] == NULL)
            return dirac__fail(DIRAC_ERR_ARGUMENT, "input %d of a layer of kind \"%s\" is NULL", i, kind->name);
        if (inputs[i]->net != net)
            return dirac__fail(DIRAC_ERR_ARGUMENT, "input %d of a layer of kind \"%s\", node \"%s\", belongs to another net",
                               i, kind->name, inputs[i]->name);
    }
    return DIRAC_OK;
}

/* Makes the node and puts it into the net, or leaves the net as it was. */
static dirac_node *append_node(dirac_net *net, const dirac__kind *kind, int32_t rank, dirac_node *const *inputs,
                               int32_t count)
{
    if (!dirac__grow(net->memory, &net->nodes, &net->nodes_capacity, net->n_nodes + 1, sizeof *net->nodes))
        return NULL;
    dirac_node *node = dirac__alloc_zero(net->memory, 1, sizeof *node);
    if (node == NULL)
        return NULL;
    node->net = net;
    node->inputs = dirac__alloc_zero(net->memory, (size_t)count + 1, sizeof *node->inputs);
    node->name = dirac__automatic_name(net, kind->name);
    if (node->inputs == NULL || node->name == NULL || !dirac__name_index_reserve(&net->node_names, net->memory, 1)) {
        node_free(node);
        return NULL;
    }
    for (int32_t i = 0; i < count; i++)
        node->inputs[i] = inputs[i];
    dirac__layer_defaults(&node->layer, kind, rank);
    node->layer.n_inputs = count;
    node->id = (int32_t)net->n_nodes;
    dirac__name_index_put(&net->node_names, node->name, net->n_nodes);
    net->nodes[net->n_nodes++] = node;
    return node;
}

dirac_node *dirac__net_add(dirac_net *net, const dirac__kind *kind, int32_t rank, dirac_node *const *inputs,
                           int32_t count)
{
    if (dirac__net_stuck(net) != DIRAC_OK)
        return NULL;
    if (net->built) {
        dirac__net_stick(net, dirac__fail(DIRAC_ERR_STATE, "the net is built: no layer can be added"));
        return NULL;
    }
    int32_t status = check_inputs(net, kind, inputs, count);
    dirac_node *node = NULL;
    if (status == DIRAC_OK && net->n_nodes >= DIRAC__MAX_NODES)
        status = dirac__fail(DIRAC_ERR_LIMIT, "a net has at most %d nodes", DIRAC__MAX_NODES);
    if (status == DIRAC_OK) {
        node = append_node(net, kind, rank, inputs, count);
        if (node == NULL)
            status = dirac__fail_memory("a node");
    }
    dirac__net_stick(net, status);
    return node;
}
