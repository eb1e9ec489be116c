/* SPDX-License-Identifier: MIT */
/*
 * Which batch norms share their passes with the convolutions beside them (layers/norm.h). Only in training, and only where
 * nobody else looks at the values that then do not exist:
 *
 *     gathered   the batch norm's input is the value of a convolution that can
 *     read       its value is read by one ReLU alone, and that by one convolution alone that can; neither is kept or an output
 *     corrected  gathered, and it is the only reader of the convolution's value, which is no output
 */
#include "plan/session.h"

static bool private_value(const dirac__step *step, int32_t readers)
{
    return readers == 1 && !step->output && !step->kept;
}

static bool is_norm(const dirac_node *node)
{
    return (node->layer.kind->traits & DIRAC__IS_NORM) != 0;
}

/* The batch norm that convolution `node` can read through, or NULL. */
static const dirac_node *find_before(const dirac_session *s, const dirac_node *node, const int32_t *readers)
{
    const dirac_node *relu = node->inputs[0];
    if (!(relu->layer.kind->traits & DIRAC__IS_RELU) || !private_value(&s->plan.steps[relu->id], readers[relu->id]))
        return NULL;
    const dirac_node *norm = relu->inputs[0];
    return is_norm(norm) && private_value(&s->plan.steps[norm->id], readers[norm->id]) ? norm : NULL;
}

static void join_before(dirac_session *s, const dirac_node *node, const int32_t *readers)
{
    dirac__step *steps = s->plan.steps;
    const dirac_node *norm = find_before(s, node, readers);
    if (norm == NULL)
        return;
    steps[node->id].norm_before = norm->id;
    steps[norm->id].read = true;
    steps[node->inputs[0]->id].passed = true;
}

static void join_behind(dirac_session *s, const dirac_node *norm, const int32_t *readers)
{
    dirac__step *steps = s->plan.steps;
    const dirac_node *before = norm->inputs[0];
    if (!steps[before->id].joins_norms || steps[before->id].norm_behind != DIRAC__NONE)
        return;
    steps[before->id].norm_behind = norm->id;
    steps[norm->id].gathered = true;
    steps[norm->id].corrected =
        readers[before->id] == 1 && !steps[before->id].output && steps[before->id].backward && steps[norm->id].backward;
}

void dirac__plan_norms(dirac_session *s, const int32_t *readers)
{
    for (size_t i = 0; i < s->net->n_nodes && s->mode == DIRAC_TRAIN; i++) {
        const dirac_node *node = s->net->nodes[i];
        if (!s->plan.steps[i].live)
            continue;
        if (s->plan.steps[i].joins_norms)
            join_before(s, node, readers);
        if (is_norm(node))
            join_behind(s, node, readers);
    }
}
