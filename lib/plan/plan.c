/* SPDX-License-Identifier: MIT */
/* The plan: which nodes are computed, which share memory, what lives when. See session.h for how time is counted. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "layers/planning.h"
#include "plan/session.h"

typedef struct planner {
    dirac_session *session;
    const dirac_net *net;
    dirac__plan *plan;
    bool training;
    int32_t n;          /* nodes */
    int32_t *readers;   /* live readers of each root value */
    int32_t *last;      /* the last of them */
    bool *input_kept;   /* by root: some reader needs it in backward */
    bool *pinned;       /* by root: an output or kept */
    bool *wants;        /* a gradient is wanted at or before this node */
    bool *reaches;      /* leads to an output */
    bool failed;        /* no memory for the list of blocks: checked once, at the end */
} planner;

static int32_t forward_time(int32_t id)
{
    return id;
}
static int32_t loss_time(const planner *p)
{
    return p->n;
}
static int32_t backward_time(const planner *p, int32_t id)
{
    return 2 * p->n - id;
}
static int32_t end_time(const planner *p)
{
    return 2 * p->n + 1;
}

/* A new block; DIRAC__NONE, and `failed`, when there is no memory. */
static int32_t add_block(planner *p, size_t bytes, int32_t first, int32_t last)
{
    dirac__plan *plan = p->plan;
    if (!dirac__grow(p->session->memory, &plan->blocks, &plan->blocks_capacity, plan->n_blocks + 1,
                     sizeof *plan->blocks)) {
        p->failed = true;
        return DIRAC__NONE;
    }
    plan->blocks[plan->n_blocks] = (dirac__block){.bytes = bytes, .first = first, .last = last};
    return (int32_t)plan->n_blocks++;
}

static void extend(planner *p, int32_t block, int32_t time)
{
    if (block != DIRAC__NONE && p->plan->blocks[block].last < time)
        p->plan->blocks[block].last = time;
}

/* ---- what every layer says ---- */

/* "(16, 3, 3, 3)" */
static char *dims_text(char out[128], const dirac__parameter *parameter)
{
    int used = snprintf(out, 128, "(");
    for (int32_t i = 0; i < parameter->rank; i++)
        used += snprintf(out + used, (size_t)(128 - used), "%s%" PRId64, i > 0 ? ", " : "", parameter->dims[i]);
    memcpy(out + used, ")", 2);
    return out;
}

/* Parameters were made for the net's own input sizes: at another size a layer behind a flatten would want others. */
static int32_t check_parameters(const dirac_node *node, const dirac__shape *in)
{
    dirac__parameter_list list;
    char is[128], wanted[128];
    if (node->n_tensors == 0)
        return DIRAC_OK;
    int32_t status = node->layer.kind->parameters(&node->layer, in, &list);
    for (int32_t i = 0; i < node->n_tensors && status == DIRAC_OK; i++) {
        const dirac__parameter *a = &node->net->tensors[node->tensors[i]].is, *b = &list.items[i];
        if (list.count == node->n_tensors && a->rank == b->rank &&
            memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0)
            continue;
        status = dirac__fail(DIRAC_ERR_SHAPE,
                             "layer \"%s\": its parameter \"%s.%s\" is %s, this input size would need %s", node->name,
                             node->name, a->name, dims_text(is, a), i < list.count ? dims_text(wanted, b) : "none");
    }
    return status;
}

static int32_t ask_layer(planner *p, int32_t id, size_t *next_edge)
{
    const dirac_session *s = p->session;
    const dirac_node *node = p->net->nodes[id];
    dirac__step *step = &p->plan->steps[id];
    dirac__shape *in = p->plan->shapes + *next_edge;
    step->first_input = (int32_t)*next_edge;
    for (int32_t i = 0; i < node->layer.n_inputs; i++)
        in[i] = p->plan->steps[node->inputs[i]->id].out;
    *next_edge += (size_t)node->layer.n_inputs;
    dirac__layer_plan ask = {.layer = &node->layer, .name = node->name, .in = in, .batch = s->batch,
                             .images = p->plan->slice, .training = p->training, .strict = s->strict,
                             .lean = s->lean,
                             .blas = s->context->blas,
                             .lanes = p->plan->copies > 1 ? 1 : dirac__team_lanes(s->context->team),
                             .kernels = s->context->kernels};
    if (node->layer.kind->traits & DIRAC__IS_INPUT)
        ask.in = &step->out;
    int32_t status = node->layer.kind->plan(&ask);
    if (status == DIRAC_OK)
        status = check_parameters(node, in);
    if (status != DIRAC_OK)
        return status;
    const bool is_input = node->layer.kind->traits & DIRAC__IS_INPUT;
    if (p->training && !is_input && node->layer.kind->backward == NULL)
        return dirac__fail(DIRAC_ERR_UNSUPPORTED, "layer \"%s\" of kind \"%s\" has no backward and cannot be trained",
                           node->name, node->layer.kind->name);
    step->out = ask.out;
    step->keeps_input = ask.keeps_input;
    step->keeps_output = ask.keeps_output;
    step->joins_norms = ask.joins_norms;
    step->saved_bytes = ask.saved;
    step->scratch_bytes = ask.scratch;
    step->prepared_bytes = ask.prepared;
    if (ask.multiply_adds > INT64_MAX - p->plan->multiply_adds)
        return dirac__fail_multiply_adds(node->name);
    p->plan->multiply_adds += ask.multiply_adds;
    return DIRAC_OK;
}

static int32_t ask_layers(planner *p, int64_t slice)
{
    size_t next_edge = 0;
    int32_t next_input = 0;
    p->plan->slice = slice;
    p->plan->copies = slice < p->session->batch ? dirac__team_lanes(p->session->context->team) : 1;
    p->plan->multiply_adds = 0;
    for (int32_t id = 0; id < p->n; id++) {
        if (p->net->nodes[id]->layer.kind->traits & DIRAC__IS_INPUT)
            p->plan->steps[id].out = p->session->inputs[next_input++];
        int32_t status = ask_layer(p, id, &next_edge);
        if (status != DIRAC_OK)
            return status;
    }
    return DIRAC_OK;
}

/* Every layer speaks for the whole batch first; where the net is to walk in slices, once more for one of them. */
static int32_t ask_for_slices(planner *p)
{
    int32_t status = ask_layers(p, p->session->batch);
    if (status != DIRAC_OK)
        return status;
    const int64_t slice = dirac__choose_slice(p->session);
    return slice < p->session->batch ? ask_layers(p, slice) : DIRAC_OK;
}

/* ---- who needs whom ---- */

static bool has_trained(const planner *p, const dirac_node *node)
{
    for (int32_t i = 0; i < node->n_tensors; i++)
        if (p->session->computed[node->tensors[i]])
            return true;
    return false;
}

static void mark(planner *p)
{
    dirac__step *steps = p->plan->steps;
    for (size_t i = 0; i < p->net->n_outputs; i++) {
        steps[p->net->outputs[i]->id].output = true;
        p->reaches[p->net->outputs[i]->id] = true;
    }
    for (int32_t id = p->n - 1; id >= 0; id--) {
        const dirac_node *node = p->net->nodes[id];
        steps[id].kept = p->session->keep[id];
        steps[id].live = steps[id].live || steps[id].output || steps[id].kept;
        for (int32_t i = 0; i < node->layer.n_inputs; i++) {
            steps[node->inputs[i]->id].live |= steps[id].live;
            p->reaches[node->inputs[i]->id] |= p->reaches[id];
        }
    }
    for (int32_t id = 0; id < p->n && p->training; id++) {
        const dirac_node *node = p->net->nodes[id];
        const bool input = node->layer.kind->traits & DIRAC__IS_INPUT;
        p->wants[id] = (input && p->session->input_gradients) || has_trained(p, node);
        for (int32_t i = 0; i < node->layer.n_inputs; i++)
            p->wants[id] |= p->wants[node->inputs[i]->id];
        steps[id].backward = p->wants[id] && p->reaches[id] && !input;
    }
}

/* Readers are counted at roots: a node whose forward is the identity in this session has its input's root. */
static void count_readers(planner *p)
{
    dirac__step *steps = p->plan->steps;
    for (int32_t id = 0; id < p->n; id++) {
        const dirac_node *node = p->net->nodes[id];
        const bool identity = !p->training && (node->layer.kind->traits & DIRAC__ALIAS);
        steps[id].root = identity ? steps[node->inputs[0]->id].root : id;
        steps[id].skipped = identity;
        p->pinned[steps[id].root] |= steps[id].output || steps[id].kept;
        if (identity || !steps[id].live)
            continue;
        for (int32_t i = 0; i < node->layer.n_inputs; i++) {
            const int32_t root = steps[node->inputs[i]->id].root;
            p->readers[root]++;
            p->last[root] = id;
            p->input_kept[root] |= steps[id].keeps_input && steps[id].backward;
        }
    }
}

/* ---- values ---- */

/* The bytes of a node's value for so many images; beyond any memory when they overflow, refused when blocks are placed. */
static size_t images_bytes(const dirac__step *step, int64_t images)
{
    size_t bytes = (size_t)dirac__shape_count(&step->out);
    if (!dirac__multiply(bytes, (size_t)images, &bytes) || !dirac__multiply(bytes, sizeof(float), &bytes))
        return SIZE_MAX;
    return bytes;
}

static size_t value_bytes(const planner *p, const dirac__step *step)
{
    return images_bytes(step, p->plan->slice);
}

/* Whether node `id` may write its value over that of `before`: nobody will look at it again. */
static bool may_overwrite(const planner *p, int32_t id, int32_t before)
{
    const dirac__step *step = &p->plan->steps[before];
    const int32_t root = step->root;
    return !p->pinned[root] && p->last[root] == id && !p->input_kept[root] &&
           !(p->plan->steps[root].keeps_output && p->plan->steps[root].backward) &&
           dirac__shape_equal(&step->out, &p->plan->steps[id].out);
}

static bool fuses_relu(const planner *p, const dirac_node *node)
{
    const dirac_node *before = node->inputs[0];
    return (node->layer.kind->traits & DIRAC__IS_RELU) && (before->layer.kind->traits & DIRAC__FUSES_RELU) &&
           p->readers[before->id] == 1 && may_overwrite(p, node->id, before->id);
}

static void place_value(planner *p, const dirac_node *node)
{
    dirac__step *steps = p->plan->steps, *step = &steps[node->id];
    const uint32_t traits = node->layer.kind->traits;
    if (step->read || step->passed) { /* never written: who reads it reads the batch norm's input */
        step->skipped = step->passed;
        step->value = steps[node->inputs[0]->id].value;
    } else if (step->skipped) {
        step->value = steps[node->inputs[0]->id].value;
    } else if (node->layer.n_inputs > 0 && fuses_relu(p, node)) {
        step->skipped = true;
        steps[node->inputs[0]->id].relu = true;
        step->value = steps[node->inputs[0]->id].value;
    } else if ((traits & DIRAC__IN_PLACE) && may_overwrite(p, node->id, node->inputs[0]->id)) {
        step->value = steps[node->inputs[0]->id].value;
    } else {
        step->value = add_block(p, value_bytes(p, step), forward_time(node->id), forward_time(node->id));
    }
}

static void place_values(planner *p)
{
    for (int32_t id = 0; id < p->n; id++) {
        const dirac_node *node = p->net->nodes[id];
        dirac__step *step = &p->plan->steps[id];
        if (!step->live)
            continue;
        place_value(p, node);
        extend(p, step->value, forward_time(id));
        if (step->output || step->kept)
            extend(p, step->value, end_time(p));
        if (step->backward && step->keeps_output)
            extend(p, step->value, backward_time(p, id));
        for (int32_t i = 0; i < node->layer.n_inputs; i++) {
            const int32_t block = p->plan->steps[node->inputs[i]->id].value;
            extend(p, block, forward_time(id));
            if (step->backward && step->keeps_input)
                extend(p, block, backward_time(p, id));
        }
        if (step->norm_behind != DIRAC__NONE && p->plan->steps[step->norm_behind].corrected)
            extend(p, step->value, backward_time(p, id)); /* the correction reads it */
    }
}

/* A value that a convolution reads through a batch norm is needed as long as that one's input would be. */
static void keep_norm_inputs(planner *p)
{
    const dirac__step *steps = p->plan->steps;
    for (int32_t id = 0; id < p->n; id++)
        if (steps[id].read)
            p->input_kept[steps[p->net->nodes[id]->inputs[0]->id].root] = true;
}

/* ---- gradients ---- */

/* The gradient of input `i` of `node`. The first reader that backward meets writes it, later ones add to it. */
static void place_edge(planner *p, const dirac_node *node, int32_t i)
{
    const dirac_node *before = node->inputs[i];
    dirac__step *steps = p->plan->steps, *source = &steps[before->id];
    dirac__edge *edge = &p->plan->edges[steps[node->id].first_input + i];
    const int32_t now = backward_time(p, node->id);
    if (!p->wants[before->id])
        return;
    if (source->gradient != DIRAC__NONE) {
        edge->accumulate = true;
        edge->dx = add_block(p, value_bytes(p, source), now, now);
        return;
    }
    if (i == 0 && (node->layer.kind->traits & DIRAC__GRADIENT_IN_PLACE))
        source->gradient = steps[node->id].gradient;
    else
        source->gradient = add_block(p, value_bytes(p, source), now, now);
    edge->dx = source->gradient;
    const bool input = before->layer.kind->traits & DIRAC__IS_INPUT;
    extend(p, source->gradient, input ? end_time(p) : backward_time(p, before->id));
}

static void place_gradients(planner *p)
{
    dirac__step *steps = p->plan->steps;
    for (int32_t id = p->n - 1; id >= 0; id--) {
        const dirac_node *node = p->net->nodes[id];
        dirac__step *step = &steps[id];
        if (step->output && p->wants[id]) {
            const bool input = node->layer.kind->traits & DIRAC__IS_INPUT;
            step->gradient = add_block(p, value_bytes(p, step), loss_time(p),
                                       input ? end_time(p) : backward_time(p, id));
        }
    }
    for (int32_t id = p->n - 1; id >= 0; id--)
        if (steps[id].backward)
            for (int32_t i = 0; i < p->net->nodes[id]->layer.n_inputs; i++)
                place_edge(p, p->net->nodes[id], i);
}

/* ---- what layers keep, workspace, and arrays that live as long as the session ---- */

static bool order_differs(const dirac__shape *shape)
{
    return shape->c > 1 && dirac__shape_positions(shape) > 1;
}

static int32_t add_lasting(planner *p, size_t bytes)
{
    const int32_t block = bytes == 0 ? DIRAC__NONE : add_block(p, bytes, 0, end_time(p));
    if (block != DIRAC__NONE)
        p->plan->blocks[block].lasting = true;
    return block;
}

static void place_rest(planner *p)
{
    for (int32_t id = 0; id < p->n; id++) {
        dirac__step *step = &p->plan->steps[id];
        const bool input = p->net->nodes[id]->layer.kind->traits & DIRAC__IS_INPUT;
        if (!step->live)
            continue;
        const int32_t now = forward_time(id), later = backward_time(p, id);
        if (step->saved_bytes > 0)
            step->saved = add_block(p, step->saved_bytes, step->gathered ? 0 : now,
                                    step->read || step->corrected ? end_time(p) : step->backward ? later : now);
        if (step->scratch_bytes > 0 && !step->skipped)
            step->forward_scratch = add_block(p, step->scratch_bytes, now, now);
        if (step->scratch_bytes > 0 && step->backward)
            step->backward_scratch = add_block(p, step->scratch_bytes, later, later);
        if (!p->training)
            step->prepared = add_lasting(p, step->prepared_bytes);
        if ((step->output || step->kept) && (order_differs(&step->out) || p->plan->slice < p->session->batch))
            step->public_value = add_lasting(p, images_bytes(step, p->session->batch));
        if (input && step->gradient != DIRAC__NONE && order_differs(&step->out))
            step->public_gradient = add_lasting(p, value_bytes(p, step));
    }
    if (p->training) {
        const size_t n_state = p->net->n_values - p->net->n_trained;
        p->plan->gradients = add_lasting(p, (p->net->n_trained + 1) * sizeof(float));
        p->plan->pending = add_lasting(p, 4 * n_state * sizeof(float)); /* and its copy, for a forward that fails */
    }
}

/* ---- all of it ---- */

static int32_t allocate_plan(dirac_session *s)
{
    dirac__plan *plan = &s->plan;
    const size_t n = s->net->n_nodes;
    for (size_t i = 0; i < n; i++)
        plan->n_edges += (size_t)s->net->nodes[i]->layer.n_inputs;
    plan->n_steps = (int32_t)n;
    plan->steps = dirac__alloc_zero(s->memory, n, sizeof *plan->steps);
    plan->edges = dirac__alloc_zero(s->memory, plan->n_edges, sizeof *plan->edges);
    plan->shapes = dirac__alloc_zero(s->memory, plan->n_edges, sizeof *plan->shapes);
    if (plan->steps == NULL || plan->edges == NULL || plan->shapes == NULL)
        return dirac__fail_memory("the plan of a session");
    for (size_t i = 0; i < n; i++) {
        dirac__step *step = &plan->steps[i];
        step->value = step->gradient = step->saved = step->forward_scratch = step->backward_scratch = DIRAC__NONE;
        step->prepared = step->public_value = step->public_gradient = step->norm_before = step->norm_behind = DIRAC__NONE;
    }
    for (size_t i = 0; i < plan->n_edges; i++)
        plan->edges[i].dx = DIRAC__NONE;
    plan->gradients = plan->pending = DIRAC__NONE;
    return DIRAC_OK;
}

/* Every array of the planner in one allocation. */
static void *allocate_marks(planner *p)
{
    const size_t n = (size_t)p->n;
    int32_t *marks = dirac__alloc_zero(p->session->memory, n, 2 * sizeof(int32_t) + 4 * sizeof(bool));
    if (marks == NULL)
        return NULL;
    p->readers = marks;
    p->last = marks + n;
    p->input_kept = (bool *)(marks + 2 * n);
    p->pinned = p->input_kept + n;
    p->wants = p->pinned + n;
    p->reaches = p->wants + n;
    return marks;
}

int32_t dirac__plan_make(dirac_session *s)
{
    planner p = {.session = s, .net = s->net, .plan = &s->plan, .training = s->mode == DIRAC_TRAIN,
                 .n = (int32_t)s->net->n_nodes};
    for (size_t i = 0; i < s->net->n_tensors; i++)
        s->computed[i] = p.training && s->net->tensors[i].trainable && s->net->tensors[i].is.role == DIRAC_ROLE_TRAINED;
    void *marks = allocate_marks(&p);
    int32_t status = marks == NULL ? dirac__fail_memory("the plan of a session") : allocate_plan(s);
    if (status == DIRAC_OK)
        status = ask_for_slices(&p);
    if (status == DIRAC_OK) {
        mark(&p);
        count_readers(&p);
        dirac__plan_norms(s, p.readers);
        keep_norm_inputs(&p);
        place_values(&p);
        place_gradients(&p);
        place_rest(&p);
        status = p.failed ? dirac__fail_memory("the plan of a session") : DIRAC_OK;
    }
    if (status == DIRAC_OK)
        status = dirac__blocks_place(s->memory, s->plan.blocks, s->plan.n_blocks, s->plan.copies, &s->plan.copy_bytes,
                                     &s->plan.bytes);
    dirac__free(s->memory, marks);
    if (status != DIRAC_OK)
        dirac__plan_release(s);
    else
        s->planned = true;
    return status;
}

void dirac__plan_release(dirac_session *s)
{
    dirac__free(s->memory, s->plan.steps);
    dirac__free(s->memory, s->plan.edges);
    dirac__free(s->memory, s->plan.shapes);
    dirac__free(s->memory, s->plan.blocks);
    memset(&s->plan, 0, sizeof s->plan);
    s->planned = false;
}
