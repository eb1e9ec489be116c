/* SPDX-License-Identifier: MIT */
/* Nets and nodes: life, the sticky error of building, names, adding nodes. */
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

/* ---- names ---- */

static bool letters_are_legal(const char *name)
{
    if (name == NULL || name[0] == '\0' || name[0] == '.')
        return false;
    for (const char *c = name; *c != '\0'; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '_' ||
              *c == '-' || *c == '.'))
            return false;
    return name[strlen(name) - 1] != '.';
}

int32_t dirac__check_name(const char *name, const char *what)
{
    if (letters_are_legal(name) && strlen(name) <= 200)
        return DIRAC_OK;
    return dirac__fail(DIRAC_ERR_ARGUMENT, "the name of a %s must be 1 to 200 letters, digits, '_', '-' and inner '.', not \"%.40s\"",
                       what, name == NULL ? "(NULL)" : name);
}

/* "scope.scope.name" in new memory; number > 1 is appended. */
static char *full_name(const dirac_net *net, const char *name, size_t number)
{
    dirac__buffer text = {.memory = net->memory};
    for (size_t i = 0; i < net->n_scopes; i++) {
        dirac__buffer_text(&text, net->scopes[i]);
        dirac__buffer_text(&text, ".");
    }
    dirac__buffer_text(&text, name);
    if (number > 1)
        dirac__buffer_integer(&text, (int64_t)number);
    if (!text.failed && text.data != NULL) {
        char *copy = dirac__copy_string(net->memory, text.data);
        dirac__buffer_release(&text);
        return copy;
    }
    dirac__buffer_release(&text);
    return NULL;
}

dirac_node *dirac__net_find_node(const dirac_net *net, const char *name)
{
    for (size_t i = 0; i < net->n_nodes; i++)
        if (strcmp(net->nodes[i]->name, name) == 0)
            return net->nodes[i];
    return NULL;
}

dirac__tensor *dirac__net_find_tensor(const dirac_net *net, const char *name)
{
    for (size_t i = 0; i < net->n_tensors; i++)
        if (strcmp(net->tensors[i].name, name) == 0)
            return &net->tensors[i];
    return NULL;
}

/* Whether `name` is `stem` followed by digits alone. */
static bool is_numbered(const char *name, const char *stem, size_t length)
{
    if (strncmp(name, stem, length) != 0)
        return false;
    return strspn(name + length, "0123456789") == strlen(name + length);
}

/* The first free name of "stem", "stem2", "stem3", ... Starting from the number in use keeps this linear. */
static char *automatic_name(const dirac_net *net, const char *stem)
{
    char *name = full_name(net, stem, 1);
    if (name == NULL)
        return NULL;
    size_t number = 1, length = strlen(name);
    for (size_t i = 0; i < net->n_nodes; i++)
        number += is_numbered(net->nodes[i]->name, name, length);
    for (;; number++) {
        dirac__free(net->memory, name);
        name = full_name(net, stem, number);
        if (name == NULL || dirac__net_find_node(net, name) == NULL)
            return name;
    }
}

static int32_t put_name(dirac_node *node, const char *name)
{
    dirac_net *net = node->net;
    char *full = full_name(net, name, 1);
    if (full == NULL)
        return dirac__fail_memory("a name");
    const dirac_node *other = dirac__net_find_node(net, full);
    if (other != NULL && other != node) {
        int32_t status = dirac__fail(DIRAC_ERR_ARGUMENT, "the name \"%s\" is taken", full);
        dirac__free(net->memory, full);
        return status;
    }
    dirac__free(net->memory, node->name);
    node->name = full;
    return DIRAC_OK;
}

int32_t dirac__node_rename(dirac_node *node, const char *name)
{
    int32_t status = dirac__check_name(name, "node");
    return status == DIRAC_OK ? put_name(node, name) : status;
}

int32_t dirac__node_restore_name(dirac_node *node, const char *full)
{
    if (!letters_are_legal(full))
        return dirac__check_name(full, "node");
    return put_name(node, full);
}

int32_t dirac__fail_no_match(const dirac_net *net, const char *pattern)
{
    const char *example = net->n_tensors > 0 ? net->tensors[0].name : "conv.weight";
    return dirac__fail(DIRAC_ERR_NOT_FOUND,
                       "no parameter matches \"%s\"; whole names are compared, like \"%s\", and * stands for any text",
                       pattern, example);
}

bool dirac__matches(const char *pattern, const char *name)
{
    const char *star = NULL, *retry = NULL;
    while (*name != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            retry = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star != NULL) {
            pattern = star + 1;
            name = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

/* ---- notes ---- */

dirac__note *dirac__net_find_note(const dirac_net *net, const char *key)
{
    for (size_t i = 0; i < net->n_notes; i++)
        if (strcmp(net->notes[i].key, key) == 0)
            return &net->notes[i];
    return NULL;
}

int32_t dirac__net_put_note(dirac_net *net, const char *key, const char *value)
{
    dirac__note *note = dirac__net_find_note(net, key);
    char *copy = dirac__copy_string(net->memory, value);
    if (copy == NULL)
        return dirac__fail_memory("a note");
    if (note == NULL) {
        char *name = dirac__copy_string(net->memory, key);
        if (name == NULL ||
            !dirac__grow(net->memory, &net->notes, &net->notes_capacity, net->n_notes + 1, sizeof *net->notes)) {
            dirac__free(net->memory, name);
            dirac__free(net->memory, copy);
            return dirac__fail_memory("a note");
        }
        note = &net->notes[net->n_notes++];
        note->key = name;
    }
    dirac__free(net->memory, note->value);
    note->value = copy;
    return DIRAC_OK;
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
    node->name = automatic_name(net, kind->name);
    if (node->inputs == NULL || node->name == NULL) {
        node_free(node);
        return NULL;
    }
    for (int32_t i = 0; i < count; i++)
        node->inputs[i] = inputs[i];
    dirac__layer_defaults(&node->layer, kind, rank);
    node->layer.n_inputs = count;
    node->id = (int32_t)net->n_nodes;
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
