/* SPDX-License-Identifier: MIT */
/* New nets from old: the copy, and the fold, which is a copy that leaves batch norms out. */
#include <string.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "graph/net.h"

/* ---- which batch norms fold ---- */

static bool is_output(const dirac_net *net, const dirac_node *node)
{
    for (size_t i = 0; i < net->n_outputs; i++)
        if (net->outputs[i] == node)
            return true;
    return false;
}

/* For each node: how many read it. */
static int32_t *count_readers(const dirac_net *net)
{
    int32_t *list = dirac__alloc_zero(net->memory, net->n_nodes, sizeof *list);
    if (list == NULL)
        return NULL;
    for (size_t i = 0; i < net->n_nodes; i++)
        for (int32_t j = 0; j < net->nodes[i]->layer.n_inputs; j++)
            list[net->nodes[i]->inputs[j]->id]++;
    return list;
}

/* Whether `node`, read by `count` nodes of which `norm` is one, takes the batch norm `norm` into its weights. */
static bool absorbs(const dirac_net *net, const dirac_node *node, const dirac_node *norm, int32_t count)
{
    return (norm->layer.kind->traits & DIRAC__CHANNEL_AFFINE) && norm->inputs[0] == node &&
           (node->layer.kind->traits & DIRAC__ABSORBS_AFFINE) && count == 1 && !is_output(net, node) &&
           node->owner == NULL && !node->shared;
}

/* The node whose weights take in `node` (a batch norm), or NULL if it has to stay. */
static const dirac_node *absorber(const dirac_net *net, const dirac_node *node, const int32_t *list)
{
    const dirac_node *before = node->layer.n_inputs > 0 ? node->inputs[0] : NULL;
    return before != NULL && absorbs(net, before, node, list[before->id]) ? before : NULL;
}

const dirac_node *dirac__fold_counterpart(const dirac_net *net, const dirac_node *folded)
{
    const dirac_node *node = dirac__net_find_node(net, folded->name);
    const dirac_node *reader = NULL;
    int32_t count = 0;
    for (size_t i = 0; i < net->n_nodes && node != NULL; i++)
        for (int32_t j = 0; j < net->nodes[i]->layer.n_inputs; j++)
            if (net->nodes[i]->inputs[j] == node) {
                reader = net->nodes[i];
                count++;
            }
    return reader != NULL && absorbs(net, node, reader, count) ? reader : node;
}

/* ---- copying the graph ---- */

static int32_t copy_node(dirac_net *to, const dirac_node *node, dirac_node **map)
{
    dirac_node *inputs[DIRAC__MAX_INPUTS];
    for (int32_t i = 0; i < node->layer.n_inputs; i++)
        inputs[i] = map[node->inputs[i]->id];
    dirac_node *copy = dirac__net_add(to, node->layer.kind, node->layer.rank, inputs, node->layer.n_inputs);
    if (copy == NULL)
        return to->status;
    map[node->id] = copy;
    copy->layer = node->layer;
    copy->shape = node->shape;
    copy->owner = node->owner != NULL ? map[node->owner->id] : NULL;
    for (int32_t i = 0; i < node->n_initializers; i++) {
        copy->initializers[i] = node->initializers[i];
        copy->initializers[i].parameter = dirac__copy_string(to->memory, node->initializers[i].parameter);
        if (copy->initializers[i].parameter == NULL)
            return dirac__fail_memory("a copy of a net");
        copy->n_initializers++;
    }
    return dirac__node_restore_name(copy, node->name);
}

static int32_t copy_outputs_and_notes(dirac_net *to, const dirac_net *net, dirac_node **map)
{
    int32_t status = DIRAC_OK;
    to->seed = net->seed;
    if (!dirac__grow(to->memory, &to->outputs, &to->outputs_capacity, net->n_outputs, sizeof *to->outputs))
        return dirac__fail_memory("a copy of a net");
    for (size_t i = 0; i < net->n_outputs; i++)
        to->outputs[to->n_outputs++] = map[net->outputs[i]->id];
    for (size_t i = 0; i < net->n_notes && status == DIRAC_OK; i++)
        status = dirac__net_put_note(to, net->notes[i].key, net->notes[i].value);
    return status;
}

static void copy_values(dirac_net *to, const dirac_net *net)
{
    memcpy(to->values, net->values, net->n_values * sizeof(float));
    for (size_t i = 0; i < net->n_tensors; i++)
        to->tensors[i].trainable = net->tensors[i].trainable;
}

int32_t dirac__net_clone(dirac_net **out, const dirac_net *net)
{
    dirac_net *to = dirac__net_new(net->context);
    dirac_node **map = dirac__alloc_zero(net->memory, net->n_nodes, sizeof *map);
    int32_t status = to == NULL || map == NULL ? dirac__fail_memory("a copy of a net") : DIRAC_OK;
    for (size_t i = 0; i < net->n_nodes && status == DIRAC_OK; i++)
        status = copy_node(to, net->nodes[i], map);
    if (status == DIRAC_OK)
        status = copy_outputs_and_notes(to, net, map);
    if (status == DIRAC_OK)
        status = dirac__net_build_empty(to);
    dirac__free(net->memory, map);
    if (status != DIRAC_OK) {
        dirac__net_release(to);
        return status;
    }
    copy_values(to, net);
    *out = to;
    return DIRAC_OK;
}

/* ---- fold ---- */

typedef struct fold {
    const dirac_net *from;
    dirac_net *to;
    int32_t *list; /* how many read each node */
    dirac_node **map;          /* from node id to the folded node */
    const dirac_node **taken;  /* from the id of a convolution to the batch norm it takes in, or NULL */
    dirac_node **heir;         /* from the id of a batch norm that is taken in to the first that shared its parameters and stays */
} fold;

/* Parameters whose owner is taken in become those of the first sharer that stays. */
static void inherit(fold *f, const dirac_node *node)
{
    if (node->owner == NULL || absorber(f->from, node->owner, f->list) == NULL)
        return;
    dirac_node **heir = &f->heir[node->owner->id], *copy = f->map[node->id];
    copy->owner = *heir;
    if (*heir == NULL)
        *heir = copy;
}

static int32_t fold_graph(fold *f)
{
    const dirac_net *from = f->from;
    for (size_t i = 0; i < from->n_nodes; i++) {
        const dirac_node *into = absorber(from, from->nodes[i], f->list);
        if (into != NULL)
            f->taken[into->id] = from->nodes[i];
    }
    for (size_t i = 0; i < from->n_nodes; i++) {
        const dirac_node *node = from->nodes[i];
        const dirac_node *into = absorber(from, node, f->list);
        if (into != NULL) {
            f->map[node->id] = f->map[into->id];
            continue;
        }
        int32_t status = copy_node(f->to, node, f->map);
        if (status != DIRAC_OK)
            return status;
        inherit(f, node);
        if (node->layer.kind->fold_attributes != NULL)
            node->layer.kind->fold_attributes(&node->layer, f->taken[node->id] != NULL, &f->map[node->id]->layer);
    }
    return copy_outputs_and_notes(f->to, from, f->map);
}

static void tensor_pointers(const dirac_net *net, const dirac_node *node, float **pointers)
{
    for (int32_t i = 0; i < node->n_tensors; i++)
        pointers[i] = net->tensors[node->tensors[i]].data;
}

/* The parameters of one node that has weights, with the batch norm it takes in. */
static int32_t fold_weights(const fold *f, const dirac_node *node)
{
    const dirac_node *norm = f->taken[node->id], *folded = f->map[node->id];
    float *from[DIRAC__MAX_PARAMETERS], *to[DIRAC__MAX_PARAMETERS], *of_norm[DIRAC__MAX_PARAMETERS];
    const int64_t c = node->shape.c;
    double *s = NULL, *t = NULL;
    if (norm != NULL) {
        s = dirac__alloc_zero(f->from->memory, 2 * (size_t)c, sizeof *s);
        if (s == NULL)
            return dirac__fail_memory("folding");
        t = s + c;
        tensor_pointers(f->from, norm, of_norm);
        norm->layer.kind->affine(&norm->layer, of_norm, c, s, t);
    }
    tensor_pointers(f->from, node, from);
    tensor_pointers(f->to, folded, to);
    int32_t status =
        node->layer.kind->fold_parameters(f->from->memory, &node->layer, &node->inputs[0]->shape, from, &folded->layer,
                                          to, s, t);
    dirac__free(f->from->memory, s);
    return status;
}

static int32_t fold_values(const fold *f)
{
    for (size_t i = 0; i < f->from->n_nodes; i++) {
        const dirac_node *node = f->from->nodes[i];
        const bool taken_in = absorber(f->from, node, f->list) != NULL;
        const dirac_node *folded = taken_in ? f->heir[node->id] : f->map[node->id];
        if (node->owner != NULL || node->n_tensors == 0 || folded == NULL)
            continue;
        if (node->layer.kind->fold_parameters != NULL) {
            int32_t status = fold_weights(f, node);
            if (status != DIRAC_OK)
                return status;
            continue;
        }
        for (int32_t j = 0; j < node->n_tensors; j++) {
            const dirac__tensor *tensor = &f->from->tensors[node->tensors[j]];
            memcpy(f->to->tensors[folded->tensors[j]].data, tensor->data, tensor->count * sizeof(float));
        }
    }
    return DIRAC_OK;
}

/* Initialisers of parameters that folding removes would make building fail. */
static void drop_initializers(dirac_net *net)
{
    for (size_t i = 0; i < net->n_nodes; i++) {
        dirac_node *node = net->nodes[i];
        for (int32_t j = 0; j < node->n_initializers; j++)
            dirac__free(net->memory, node->initializers[j].parameter);
        node->n_initializers = 0;
    }
}

int32_t dirac__net_fold(dirac_net **out, const dirac_net *net)
{
    fold f = {.from = net, .to = dirac__net_new(net->context), .list = count_readers(net)};
    f.map = dirac__alloc_zero(net->memory, net->n_nodes, sizeof *f.map);
    f.taken = dirac__alloc_zero(net->memory, net->n_nodes, sizeof *f.taken);
    f.heir = dirac__alloc_zero(net->memory, net->n_nodes, sizeof *f.heir);
    int32_t status = DIRAC_OK;
    if (f.to == NULL || f.list == NULL || f.map == NULL || f.taken == NULL || f.heir == NULL)
        status = dirac__fail_memory("folding");
    if (status == DIRAC_OK)
        status = fold_graph(&f);
    if (status == DIRAC_OK) {
        drop_initializers(f.to);
        status = dirac__net_build_empty(f.to);
    }
    if (status == DIRAC_OK)
        status = fold_values(&f);
    dirac__free(net->memory, f.list);
    dirac__free(net->memory, f.map);
    dirac__free(net->memory, (void *)f.taken);
    dirac__free(net->memory, f.heir);
    if (status == DIRAC_OK)
        *out = f.to;
    else
        dirac__net_release(f.to);
    return status;
}
