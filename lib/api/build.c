/* SPDX-License-Identifier: MIT */
/* Public calls that add layers to a net. */
#include <string.h>

#include <dirac/net.h>

#include "api/check.h"

static bool is_sound(const dirac_net *net)
{
    if (net == NULL)
        dirac__fail(DIRAC_ERR_ARGUMENT, "the net is NULL");
    return net != NULL && dirac__net_stuck(net) == DIRAC_OK;
}

/* Adds a node and sticks a failing status; NULL when the net is not sound. */
static dirac_node *add(dirac_net *net, const dirac__kind *kind, int32_t rank, dirac_node *const *inputs, int32_t count)
{
    return is_sound(net) ? dirac__net_add(net, kind, rank, inputs, count) : NULL;
}

/* `node`, or NULL when an option could not be set (which sticks). */
static dirac_node *unless(dirac_node *node, int32_t status)
{
    if (node == NULL || status == DIRAC_OK)
        return node;
    dirac__net_stick(node->net, status);
    return NULL;
}

static dirac_node *with_int(dirac_node *node, const char *attribute, int64_t value)
{
    DIRAC__HOLD_FLOATS();
    if (node == NULL)
        return NULL;
    return unless(node, dirac__layer_set_int(&node->layer, node->name, attribute, value));
}

/* ---- inputs, outputs, scopes ---- */

static dirac_node *input(dirac_net *net, int64_t channels, int32_t rank, int64_t d, int64_t h, int64_t w)
{
    const int64_t sizes[4] = {channels, d, h, w};
    if (!is_sound(net))
        return NULL;
    for (int32_t i = 0; i < 4; i++)
        if (sizes[i] < 1 || sizes[i] > DIRAC__MAX_DIMENSION) {
            dirac__net_stick(net, dirac__fail(DIRAC_ERR_ARGUMENT, "an input of (%lld, %lld, %lld, %lld): sizes are 1 to 2^30",
                                              (long long)channels, (long long)d, (long long)h, (long long)w));
            return NULL;
        }
    dirac_node *node = add(net, &dirac__kind_input, rank, NULL, 0);
    if (node != NULL)
        node->shape = (dirac__shape){.c = channels, .rank = rank, .size = {d, h, w}};
    return node;
}

dirac_node *dirac_net_input(dirac_net *net, int64_t channels)
{
    return input(net, channels, 0, 1, 1, 1);
}

dirac_node *dirac_net_input1d(dirac_net *net, int64_t channels, int64_t length)
{
    return input(net, channels, 1, 1, 1, length);
}

dirac_node *dirac_net_input2d(dirac_net *net, int64_t channels, int64_t height, int64_t width)
{
    return input(net, channels, 2, 1, height, width);
}

dirac_node *dirac_net_input3d(dirac_net *net, int64_t channels, int64_t depth, int64_t height, int64_t width)
{
    return input(net, channels, 3, depth, height, width);
}

static int32_t add_output(dirac_net *net, dirac_node *x)
{
    if (x == NULL || x->net != net)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "an output must be a node of this net");
    if (net->built)
        return dirac__fail(DIRAC_ERR_STATE, "the net is built: no output can be added");
    for (size_t i = 0; i < net->n_outputs; i++)
        if (net->outputs[i] == x)
            return dirac__fail(DIRAC_ERR_ARGUMENT, "node \"%s\" is an output already", x->name);
    if (!dirac__grow(net->memory, &net->outputs, &net->outputs_capacity, net->n_outputs + 1, sizeof *net->outputs))
        return dirac__fail_memory("an output");
    net->outputs[net->n_outputs++] = x;
    return DIRAC_OK;
}

dirac_node *dirac_net_output(dirac_net *net, dirac_node *x)
{
    if (!is_sound(net))
        return NULL;
    return dirac__net_stick(net, add_output(net, x)) == DIRAC_OK ? x : NULL;
}

int32_t dirac_net_push_scope(dirac_net *net, const char *name)
{
    CHECK_HANDLE(net);
    CHECK(dirac__net_stuck(net));
    int32_t status = dirac__check_name(name, "scope");
    if (status == DIRAC_OK && net->built)
        status = dirac__fail(DIRAC_ERR_STATE, "the net is built: no scope can be entered");
    char *copy = status == DIRAC_OK ? dirac__copy_string(net->memory, name) : NULL;
    if (status == DIRAC_OK &&
        (copy == NULL ||
         !dirac__grow(net->memory, &net->scopes, &net->scopes_capacity, net->n_scopes + 1, sizeof *net->scopes))) {
        dirac__free(net->memory, copy);
        status = dirac__fail_memory("a scope");
    }
    if (status == DIRAC_OK)
        net->scopes[net->n_scopes++] = copy;
    return dirac__net_stick(net, status);
}

int32_t dirac_net_pop_scope(dirac_net *net)
{
    CHECK_HANDLE(net);
    CHECK(dirac__net_stuck(net));
    if (net->n_scopes == 0)
        return dirac__net_stick(net, dirac__fail(DIRAC_ERR_STATE, "dirac_net_pop_scope: no scope was entered"));
    dirac__free(net->memory, net->scopes[--net->n_scopes]);
    return DIRAC_OK;
}

/* ---- convolution and linear ---- */

static dirac_node *conv(dirac_net *net, dirac_node *x, int32_t rank, int64_t channels, int64_t kernel, int32_t form)
{
    dirac_node *node = add(net, &dirac__kind_conv, rank, &x, 1);
    node = with_int(node, "channels", channels);
    node = with_int(node, "kernel", kernel);
    return with_int(node, "form", form);
}

dirac_node *dirac_net_conv1d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel)
{
    return conv(net, x, 1, channels, kernel, DIRAC_FORM_PLAIN);
}

dirac_node *dirac_net_conv2d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel)
{
    return conv(net, x, 2, channels, kernel, DIRAC_FORM_PLAIN);
}

dirac_node *dirac_net_conv3d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel)
{
    return conv(net, x, 3, channels, kernel, DIRAC_FORM_PLAIN);
}

dirac_node *dirac_net_dirac_conv1d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel)
{
    return conv(net, x, 1, channels, kernel, DIRAC_FORM_NORMALIZED_DELTA);
}

dirac_node *dirac_net_dirac_conv2d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel)
{
    return conv(net, x, 2, channels, kernel, DIRAC_FORM_NORMALIZED_DELTA);
}

dirac_node *dirac_net_dirac_conv3d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel)
{
    return conv(net, x, 3, channels, kernel, DIRAC_FORM_NORMALIZED_DELTA);
}

dirac_node *dirac_net_linear(dirac_net *net, dirac_node *x, int64_t channels)
{
    return with_int(add(net, &dirac__kind_linear, 0, &x, 1), "channels", channels);
}

dirac_node *dirac_net_dirac_linear(dirac_net *net, dirac_node *x, int64_t channels)
{
    dirac_node *node = with_int(dirac_net_linear(net, x, channels), "form", DIRAC_FORM_NORMALIZED_DELTA);
    return with_int(node, "bias", 0);
}

/* ---- the rest ---- */

dirac_node *dirac_net_batch_norm(dirac_net *net, dirac_node *x)
{
    return add(net, &dirac__kind_batch_norm, -1, &x, 1);
}

dirac_node *dirac_net_relu(dirac_net *net, dirac_node *x)
{
    return add(net, &dirac__kind_relu, -1, &x, 1);
}

dirac_node *dirac_net_ncrelu(dirac_net *net, dirac_node *x)
{
    return add(net, &dirac__kind_ncrelu, -1, &x, 1);
}

dirac_node *dirac_net_elu(dirac_net *net, dirac_node *x)
{
    return add(net, &dirac__kind_elu, -1, &x, 1);
}

static dirac_node *pool(dirac_net *net, dirac_node *x, const dirac__kind *kind, int32_t rank, int64_t kernel)
{
    return with_int(add(net, kind, rank, &x, 1), "kernel", kernel);
}

dirac_node *dirac_net_max_pool1d(dirac_net *net, dirac_node *x, int64_t kernel)
{
    return pool(net, x, &dirac__kind_max_pool, 1, kernel);
}

dirac_node *dirac_net_max_pool2d(dirac_net *net, dirac_node *x, int64_t kernel)
{
    return pool(net, x, &dirac__kind_max_pool, 2, kernel);
}

dirac_node *dirac_net_max_pool3d(dirac_net *net, dirac_node *x, int64_t kernel)
{
    return pool(net, x, &dirac__kind_max_pool, 3, kernel);
}

dirac_node *dirac_net_average_pool1d(dirac_net *net, dirac_node *x, int64_t kernel)
{
    return pool(net, x, &dirac__kind_average_pool, 1, kernel);
}

dirac_node *dirac_net_average_pool2d(dirac_net *net, dirac_node *x, int64_t kernel)
{
    return pool(net, x, &dirac__kind_average_pool, 2, kernel);
}

dirac_node *dirac_net_average_pool3d(dirac_net *net, dirac_node *x, int64_t kernel)
{
    return pool(net, x, &dirac__kind_average_pool, 3, kernel);
}

dirac_node *dirac_net_global_average_pool(dirac_net *net, dirac_node *x)
{
    return add(net, &dirac__kind_global_average_pool, -1, &x, 1);
}

dirac_node *dirac_net_dropout(dirac_net *net, dirac_node *x, float rate)
{
    DIRAC__HOLD_FLOATS();
    dirac_node *node = add(net, &dirac__kind_dropout, -1, &x, 1);
    if (node == NULL)
        return NULL;
    return unless(node, dirac__layer_set_float(&node->layer, node->name, "rate", (double)rate));
}

dirac_node *dirac_net_local_response_norm(dirac_net *net, dirac_node *x, int64_t size)
{
    return with_int(add(net, &dirac__kind_response_norm, -1, &x, 1), "size", size);
}

dirac_node *dirac_net_add(dirac_net *net, dirac_node *a, dirac_node *b)
{
    dirac_node *const inputs[2] = {a, b};
    return add(net, &dirac__kind_add, -1, inputs, 2);
}

dirac_node *dirac_net_concat(dirac_net *net, dirac_node *const *inputs, int32_t count)
{
    if (is_sound(net) && inputs == NULL) {
        dirac__net_stick(net, dirac__fail(DIRAC_ERR_ARGUMENT, "dirac_net_concat: the inputs are NULL"));
        return NULL;
    }
    return add(net, &dirac__kind_concat, -1, inputs, count);
}

dirac_node *dirac_net_flatten(dirac_net *net, dirac_node *x)
{
    return add(net, &dirac__kind_flatten, -1, &x, 1);
}

dirac_node *dirac_net_softmax(dirac_net *net, dirac_node *x)
{
    return add(net, &dirac__kind_softmax, -1, &x, 1);
}
