/* SPDX-License-Identifier: MIT */
/* Public calls on the filters of a layer. */
#include <dirac/net.h>

#include "api/check.h"
#include "layers/filters.h"

/* The node has filters; describes them, and finds its parameters. */
static int32_t look_up(const dirac_node *node, int32_t quantity, const char *function, dirac__weights *w,
                       float **parameters)
{
    if (node == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: the node is NULL", function);
    CHECK(dirac__check_built(node->net, function));
    if (node->layer.kind->describe == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: layer \"%s\" is of kind \"%s\", which has no filters", function,
                           node->name, node->layer.kind->name);
    if (quantity < DIRAC_FILTER_ALPHA || quantity > DIRAC_FILTER_IDENTITY)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: quantity %d, legal are %d to %d", function, quantity,
                           DIRAC_FILTER_ALPHA, DIRAC_FILTER_IDENTITY);
    node->layer.kind->describe(w, &node->layer, &node->inputs[0]->shape, 1);
    for (int32_t i = 0; i < node->n_tensors; i++)
        parameters[i] = node->net->tensors[node->tensors[i]].data;
    return DIRAC_OK;
}

int32_t dirac_node_filters(const dirac_node *node, int32_t quantity, float *values, size_t count)
{
    DIRAC__HOLD_FLOATS();
    dirac__weights w;
    float *parameters[DIRAC__MAX_PARAMETERS];
    CHECK(look_up(node, quantity, __func__, &w, parameters));
    CHECK_HANDLE(values);
    const size_t filters = (size_t)(w.shape.groups * w.shape.co);
    if (count != filters)
        return dirac__fail(DIRAC_ERR_SHAPE, "%s: layer \"%s\" has %zu filters, not %zu", __func__, node->name, filters,
                           count);
    CHECK(dirac__net_begin_read(node->net));
    dirac__filters_read(values, quantity, &w, parameters);
    dirac__net_end_read(node->net);
    return DIRAC_OK;
}

int32_t dirac_node_filter_summary(const dirac_node *node, int32_t quantity, double *mean, double *least,
                                  double *largest, int64_t *filters)
{
    DIRAC__HOLD_FLOATS();
    dirac__weights w;
    float *parameters[DIRAC__MAX_PARAMETERS];
    CHECK(look_up(node, quantity, __func__, &w, parameters));
    CHECK(dirac__net_begin_read(node->net));
    const dirac__filter_summary s = dirac__filters_summarize(quantity, &w, parameters);
    dirac__net_end_read(node->net);
    if (mean != NULL)
        *mean = s.mean;
    if (least != NULL)
        *least = s.least;
    if (largest != NULL)
        *largest = s.largest;
    if (filters != NULL)
        *filters = s.filters;
    return DIRAC_OK;
}
