/* SPDX-License-Identifier: MIT */
/* Public calls on whole nets: life, build, copies, looking, notes. */
#include <string.h>

#include <dirac/net.h>

#include "api/check.h"
#include "base/utf8.h"

int32_t dirac__check_built(const dirac_net *net, const char *function)
{
    if (net == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: the net is NULL", function);
    if (!net->built)
        return dirac__fail(DIRAC_ERR_STATE, "%s: the net is not built; call dirac_net_build() first", function);
    return DIRAC_OK;
}

/* ---- life ---- */

int32_t dirac_net_create(dirac_net **out, dirac_context *context)
{
    CHECK_HANDLE(out);
    *out = NULL;
    CHECK_HANDLE(context);
    *out = dirac__net_new(context);
    return *out == NULL ? DIRAC_ERR_MEMORY : DIRAC_OK;
}

void dirac_net_destroy(dirac_net *net)
{
    dirac__net_release(net);
}

int32_t dirac_net_set_seed(dirac_net *net, uint64_t seed)
{
    CHECK_HANDLE(net);
    if (net->built)
        return dirac__fail(DIRAC_ERR_STATE, "dirac_net_set_seed: the net is built; see dirac_net_initialize()");
    net->seed = seed;
    return DIRAC_OK;
}

int32_t dirac_net_build(dirac_net *net)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(net);
    return dirac__net_build(net);
}

static int32_t rewrite(int32_t (*how)(dirac_net **, const dirac_net *), dirac_net **out, const dirac_net *net,
                       const char *function)
{
    if (out != NULL)
        *out = NULL;
    if (out == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: out is NULL", function);
    CHECK(dirac__check_built(net, function));
    CHECK(dirac__net_begin_read(net));
    int32_t status = how(out, net);
    dirac__net_end_read(net);
    return status;
}

int32_t dirac_net_clone(dirac_net **out, const dirac_net *net)
{
    DIRAC__HOLD_FLOATS();
    return rewrite(dirac__net_clone, out, net, __func__);
}

int32_t dirac_net_fold(dirac_net **out, const dirac_net *net)
{
    DIRAC__HOLD_FLOATS();
    return rewrite(dirac__net_fold, out, net, __func__);
}

/* ---- looking ---- */

int64_t dirac_net_node_count(const dirac_net *net)
{
    return net == NULL ? 0 : (int64_t)net->n_nodes;
}

dirac_node *dirac_net_node(const dirac_net *net, int64_t index)
{
    return net == NULL || index < 0 || index >= (int64_t)net->n_nodes ? NULL : net->nodes[index];
}

dirac_node *dirac_net_find(const dirac_net *net, const char *name)
{
    return net == NULL || name == NULL ? NULL : dirac__net_find_node(net, name);
}

/* Input `index`, or NULL; counts them into *count if that is not NULL. */
static dirac_node *input_node(const dirac_net *net, int32_t index, int32_t *count)
{
    int32_t seen = 0;
    dirac_node *found = NULL;
    for (size_t i = 0; net != NULL && i < net->n_nodes; i++)
        if ((net->nodes[i]->layer.kind->traits & DIRAC__IS_INPUT) && seen++ == index)
            found = net->nodes[i];
    if (count != NULL)
        *count = seen;
    return found;
}

int32_t dirac_net_input_count(const dirac_net *net)
{
    int32_t count;
    input_node(net, -1, &count);
    return count;
}

dirac_node *dirac_net_input_node(const dirac_net *net, int32_t index)
{
    return input_node(net, index, NULL);
}

int32_t dirac_net_output_count(const dirac_net *net)
{
    return net == NULL ? 0 : (int32_t)net->n_outputs;
}

dirac_node *dirac_net_output_node(const dirac_net *net, int32_t index)
{
    return net == NULL || index < 0 || (size_t)index >= net->n_outputs ? NULL : net->outputs[index];
}

int64_t dirac_net_trained_count(const dirac_net *net)
{
    return net == NULL || !net->built ? 0 : (int64_t)net->n_trained;
}

int64_t dirac_net_multiply_adds(const dirac_net *net)
{
    int64_t sum = 0;
    for (size_t i = 0; net != NULL && net->built && i < net->n_nodes; i++)
        sum += net->nodes[i]->multiply_adds;
    return sum;
}

uint64_t dirac_net_version(const dirac_net *net)
{
    return net == NULL ? 0 : atomic_load_explicit(&((dirac_net *)net)->version, memory_order_relaxed);
}

/* ---- notes ---- */

int32_t dirac_net_set_note(dirac_net *net, const char *key, const char *value)
{
    CHECK_HANDLE(net);
    if (key == NULL || !dirac__utf8_valid(key, strlen(key)) ||
        (value != NULL && !dirac__utf8_valid(value, strlen(value))))
        return dirac__fail(DIRAC_ERR_ARGUMENT, "a note's key or text is not UTF-8");
    if (key[0] == '\0' || strncmp(key, "dirac.", 6) == 0 || strcmp(key, "format") == 0)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "a note's key is not empty, not \"format\" and does not begin with \"dirac.\"");
    CHECK(dirac__net_begin_write(net));
    int32_t status = DIRAC_OK;
    if (value == NULL)
        dirac__net_drop_note(net, key);
    else
        status = dirac__net_put_note(net, key, value);
    dirac__net_end_write(net, false);
    return status;
}

const char *dirac_net_note(const dirac_net *net, const char *key)
{
    const dirac__note *note = net == NULL || key == NULL ? NULL : dirac__net_find_note(net, key);
    return note == NULL ? NULL : note->value;
}
