/* SPDX-License-Identifier: MIT */
/*
 * Where a loss that is not finite comes from: the first layer, in the order of forward, of which a parameter or the output
 * is NaN or infinite. Asked between a forward and its backward, and only when something is wrong. Outputs that backward
 * does not need are gone by then; what began in one of them is found in the next that is still there.
 */
#include <math.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "plan/session.h"

bool dirac__loss_spoiled(const dirac_session *s)
{
    for (size_t i = 0; i < s->net->n_outputs; i++)
        if (s->given[i] && s->tainted[i])
            return true;
    return false;
}

void dirac__losses_forget(dirac_session *s)
{
    for (size_t i = 0; i < s->net->n_outputs; i++)
        s->given[i] = false;
}

static size_t first_not_finite(const float *values, size_t count)
{
    size_t i = 0;
    while (i < count && isfinite(values[i]))
        i++;
    return i;
}

/* The first trained parameter of a node that is not finite, as an index of net->tensors; -1 if there is none. */
static int32_t bad_parameter(const dirac_net *net, const dirac_node *node)
{
    for (int32_t i = 0; i < node->n_tensors; i++) {
        const dirac__tensor *tensor = &net->tensors[node->tensors[i]];
        if (tensor->is.role == DIRAC_ROLE_TRAINED && first_not_finite(tensor->data, tensor->count) < tensor->count)
            return (int32_t)node->tensors[i];
    }
    return -1;
}

static bool writes(const dirac__step *step)
{
    return step->live && !step->skipped && !step->read && !step->passed;
}

/* The image in which a node's output is not finite; -1 if there is none, or if another value stands there by now. */
static int64_t bad_image(const dirac_session *s, int32_t id)
{
    const dirac__plan *plan = &s->plan;
    const dirac__step *step = &plan->steps[id];
    if (!writes(step) || (!plan->blocks[step->value].lasting && plan->blocks[step->value].last < plan->n_steps))
        return -1;
    const size_t each = (size_t)dirac__shape_count(&step->out), count = each * (size_t)s->n;
    const size_t at = first_not_finite(dirac__block_at(s, step->value), count);
    if (at == count)
        return -1;
    for (int32_t later = id + 1; later < plan->n_steps; later++)
        if (writes(&plan->steps[later]) && plan->steps[later].value == step->value)
            return -1; /* in place: it is that one's output */
    return (int64_t)(at / each);
}

dirac__origin dirac__find_origin(const dirac_session *s)
{
    for (int32_t id = 0; id < s->plan.n_steps; id++) {
        const dirac_node *node = s->net->nodes[id];
        if (!s->plan.steps[id].live)
            continue;
        const int32_t tensor = bad_parameter(s->net, node);
        if (tensor >= 0)
            return (dirac__origin){.what = DIRAC__FROM_PARAMETER, .index = tensor};
        const int64_t image = bad_image(s, id);
        if (image >= 0)
            return (dirac__origin){.what = DIRAC__FROM_OUTPUT, .index = id, .image = image};
    }
    return (dirac__origin){.what = DIRAC__FROM_LOSS};
}

static const char what_to_do[] =
    "parameters and momentum are as before; before going on, call dirac_session_clear_gradients()";

int32_t dirac__fail_origin(const dirac_session *s, const dirac__origin *origin)
{
    const int32_t status = DIRAC_ERR_NOT_FINITE;
    const dirac_node *node;
    switch (origin->what) {
    case DIRAC__FROM_PARAMETER:
        return dirac__fail(status, "the loss is not finite, because parameter \"%s\" is not; %s",
                           s->net->tensors[origin->index].name, what_to_do);
    case DIRAC__FROM_OUTPUT:
        node = s->net->nodes[origin->index];
        return dirac__fail(status, "the loss is not finite, because %s \"%s\" is not, in image %lld of the batch; %s",
                           node->layer.kind->traits & DIRAC__IS_INPUT ? "input" : "the output of", node->name,
                           (long long)origin->image, what_to_do);
    case DIRAC__FROM_CHECKPOINT:
        return dirac__fail(status, "a loss before the checkpoint was not finite; %s", what_to_do);
    default:
        return dirac__fail(status,
                           "the loss or its gradient at the outputs is not finite, though all layers' outputs are; %s",
                           what_to_do);
    }
}

int32_t dirac__fail_gradient(const dirac_session *s, const dirac__tensor *tensor)
{
    for (size_t i = 0; i < s->net->n_nodes; i++) {
        const int32_t bad = s->plan.steps[i].live ? bad_parameter(s->net, s->net->nodes[i]) : -1;
        if (bad >= 0)
            return dirac__fail(DIRAC_ERR_NOT_FINITE,
                               "the gradient of \"%s\" is not finite, because parameter \"%s\" is not; %s", tensor->name,
                               s->net->tensors[bad].name, what_to_do);
    }
    return dirac__fail(DIRAC_ERR_NOT_FINITE, "the gradient of \"%s\" is the first of backward that is not finite; %s",
                       tensor->name, what_to_do);
}
