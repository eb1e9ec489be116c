/* SPDX-License-Identifier: MIT */
/* Names of nodes, tensors and notes: what is legal, what is taken, what is given, what a pattern matches. */
#include <string.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "graph/net.h"

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
    const size_t *id = dirac__name_index_find(&net->node_names, name, strlen(name));
    return id == NULL ? NULL : net->nodes[*id];
}

dirac__tensor *dirac__net_find_tensor(const dirac_net *net, const char *name)
{
    const size_t *number = dirac__name_index_find(&net->tensor_names, name, strlen(name));
    return number == NULL ? NULL : &net->tensors[*number];
}

void dirac__names_release(dirac_net *net)
{
    dirac__name_index_release(&net->node_names, net->memory);
    dirac__name_index_release(&net->tensor_names, net->memory);
    dirac__name_index_release(&net->note_keys, net->memory);
    dirac__name_index_release(&net->stems, net->memory);
    for (size_t i = 0; i < net->n_stem_names; i++)
        dirac__free(net->memory, net->stem_names[i]);
    dirac__free(net->memory, net->stem_names);
}

/* ---- automatic names: the first free one of "stem", "stem2", "stem3", ... ---- */

/* Where to look for a free number of the stem, which becomes the net's: no smaller one is free. NULL: no memory. */
static size_t *stem_start(dirac_net *net, char *stem)
{
    size_t *start = dirac__name_index_find(&net->stems, stem, strlen(stem));
    if (start != NULL) {
        dirac__free(net->memory, stem);
        return start;
    }
    if (!dirac__name_index_reserve(&net->stems, net->memory, 1) ||
        !dirac__grow(net->memory, &net->stem_names, &net->stem_names_capacity, net->n_stem_names + 1,
                     sizeof *net->stem_names)) {
        dirac__free(net->memory, stem);
        return NULL;
    }
    net->stem_names[net->n_stem_names++] = stem;
    dirac__name_index_put(&net->stems, stem, 1);
    return dirac__name_index_find(&net->stems, stem, strlen(stem));
}

char *dirac__automatic_name(dirac_net *net, const char *kind)
{
    char *stem = full_name(net, kind, 1);
    size_t *start = stem == NULL ? NULL : stem_start(net, stem);
    if (start == NULL)
        return NULL;
    for (;; ++*start) {
        char *name = full_name(net, kind, *start);
        if (name == NULL || dirac__net_find_node(net, name) == NULL)
            return name;
        dirac__free(net->memory, name);
    }
}

/* A name is free again: whatever it is the stem of, or a stem and its number, may start there. */
static void give_back(dirac_net *net, const char *name)
{
    size_t length = strlen(name), number = 0, unit = 1;
    size_t *start = dirac__name_index_find(&net->stems, name, length);
    if (start != NULL)
        *start = 1;
    while (length > 0 && name[length - 1] >= '0' && name[length - 1] <= '9' && unit <= DIRAC__MAX_NODES) {
        const size_t digit = (size_t)(name[--length] - '0');
        number += unit * digit;
        unit *= 10;
        start = digit == 0 ? NULL : dirac__name_index_find(&net->stems, name, length);
        if (start != NULL && number < *start)
            *start = number;
    }
}

static int32_t put_name(dirac_node *node, const char *name)
{
    dirac_net *net = node->net;
    char *full = full_name(net, name, 1);
    if (full == NULL)
        return dirac__fail_memory("a name");
    const dirac_node *other = dirac__net_find_node(net, full);
    if (other != NULL) {
        const int32_t status = other == node ? DIRAC_OK : dirac__fail(DIRAC_ERR_ARGUMENT, "the name \"%s\" is taken", full);
        dirac__free(net->memory, full);
        return status;
    }
    dirac__name_index_remove(&net->node_names, node->name);
    give_back(net, node->name);
    dirac__name_index_put(&net->node_names, full, (size_t)node->id); /* there is room: one has gone */
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
