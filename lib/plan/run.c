/* SPDX-License-Identifier: MIT */
/* The walks over a bound plan, and the pending statistics that a training walk leaves. */
#include <math.h>
#include <string.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "plan/session.h"

int32_t dirac__session_enter(dirac_session *s)
{
    if (atomic_flag_test_and_set_explicit(&s->busy, memory_order_acquire))
        return dirac__fail(DIRAC_ERR_BUSY, "the session is in use by another thread");
    return DIRAC_OK;
}

void dirac__session_leave(dirac_session *s)
{
    atomic_flag_clear_explicit(&s->busy, memory_order_release);
}

static size_t value_count(const dirac_session *s, const dirac__step *step)
{
    return (size_t)dirac__shape_count(&step->out) * (size_t)s->n;
}

/* ---- forward ---- */

/* Layers change pending statistics as they go; a forward that fails puts back what was there. */
static void copy_pending(dirac_session *s, bool back)
{
    if (s->plan.pending == DIRAC__NONE)
        return;
    const size_t count = 2 * (s->net->n_values - s->net->n_trained);
    float *pending = dirac__block_at(s, s->plan.pending), *copy = pending + count;
    memcpy(back ? pending : copy, back ? copy : pending, count * sizeof(float));
}

/* The images that one walk of forward takes. */
typedef struct walk {
    int64_t first, n;
    int32_t copy;
    dirac__team *team;
} walk;

static void take_input(const dirac_session *s, const dirac__step *step, const float *input, const walk *w)
{
    s->context->kernels->to_channels_last(dirac__copy_at(s, step->value, w->copy),
                                          input + w->first * dirac__shape_count(&step->out), w->n, step->out.c,
                                          dirac__shape_positions(&step->out), w->team);
}

/* All lanes pack, also where a walk is one lane's. */
static void prepare_layer(const dirac_session *s, const dirac__kind *kind, const dirac__pass *pass, void *prepared)
{
    dirac__pass together = *pass;
    together.team = s->context->team;
    kind->prepare(&together, prepared);
}

/* Weights in the layout of the kernels, once for each version of the net. */
static void prepare_layers(dirac_session *s)
{
    const uint64_t version = atomic_load_explicit(&s->net->version, memory_order_relaxed);
    if (s->mode == DIRAC_TRAIN || s->prepared_version == version)
        return;
    for (size_t i = 0; i < s->net->n_nodes; i++) {
        const dirac__step *step = &s->plan.steps[i];
        const dirac__kind *kind = s->net->nodes[i]->layer.kind;
        if (step->live && kind->prepare != NULL && step->prepared != DIRAC__NONE)
            prepare_layer(s, kind, dirac__pass_of(s, 0, (int32_t)i), dirac__block_at(s, step->prepared));
    }
    s->prepared_version = version;
}

static int32_t forward_step(const dirac_session *s, const dirac_node *node, const walk *w)
{
    const dirac__step *step = &s->plan.steps[node->id];
    dirac__pass *pass = dirac__pass_of(s, w->copy, node->id);
    pass->n = w->n;
    pass->scratch = dirac__copy_at(s, step->forward_scratch, w->copy);
    pass->random = dirac__random_stream(s->seed, node->name, s->draws);
    if (step->skipped)
        return DIRAC_OK; /* backward still wants n and random */
    return node->layer.kind->forward(pass);
}

static void publish_values(const dirac_session *s, const walk *w)
{
    for (int32_t i = 0; i < s->plan.n_steps; i++) {
        const dirac__step *step = &s->plan.steps[i];
        if (step->public_value != DIRAC__NONE)
            s->context->kernels->to_channels_first(
                (float *)dirac__block_at(s, step->public_value) + w->first * dirac__shape_count(&step->out),
                dirac__copy_at(s, step->value, w->copy), w->n, step->out.c, dirac__shape_positions(&step->out), w->team);
    }
}

static int32_t walk_forward(const dirac_session *s, const float *const *inputs, const walk *w)
{
    int32_t next_input = 0, status = DIRAC_OK;
    for (size_t i = 0; i < s->net->n_nodes && status == DIRAC_OK; i++) {
        const dirac_node *node = s->net->nodes[i];
        const dirac__step *step = &s->plan.steps[i];
        if (node->layer.kind->traits & DIRAC__IS_INPUT) {
            if (step->live)
                take_input(s, step, inputs[next_input], w);
            next_input++;
        } else if (step->live) {
            status = forward_step(s, node, w);
        }
    }
    if (status == DIRAC_OK)
        publish_values(s, w);
    return status;
}

typedef struct slices {
    const dirac_session *session;
    const float *const *inputs;
} slices;

/* Only a host's layer can fail, and a net with one is not cut into slices. */
static void walk_slice(void *argument, int64_t slice, int32_t lane)
{
    const slices *job = argument;
    const int64_t most = job->session->plan.slice, rest = job->session->n - slice * most;
    const walk w = {.first = slice * most, .n = rest < most ? rest : most, .copy = lane};
    walk_forward(job->session, job->inputs, &w);
}

static int32_t walk_all(dirac_session *s, const float *const *inputs)
{
    const int64_t slice = s->plan.slice;
    if (s->plan.copies == 1) {
        int32_t status = DIRAC_OK;
        for (int64_t first = 0; first < s->n && status == DIRAC_OK; first += slice) {
            const walk w = {first, s->n - first < slice ? s->n - first : slice, 0, s->context->team};
            status = walk_forward(s, inputs, &w);
        }
        return status;
    }
    slices job = {s, inputs};
    dirac__team_run(s->context->team, (s->n + slice - 1) / slice, walk_slice, &job);
    return DIRAC_OK;
}

int32_t dirac__run_forward(dirac_session *s, const float *const *inputs, int64_t n)
{
    s->n = n;
    s->forward_done = s->differentiated = false;
    s->forward_version = atomic_load_explicit(&s->net->version, memory_order_relaxed);
    dirac__losses_forget(s);
    copy_pending(s, false);
    prepare_layers(s);
    const int32_t status = walk_all(s, inputs);
    if (status != DIRAC_OK) {
        copy_pending(s, true);
        s->n = 0;
        return status;
    }
    if (s->mode == DIRAC_TRAIN) {
        s->draws++;
        s->statistics = s->plan.pending != DIRAC__NONE;
    }
    s->forward_done = true;
    return DIRAC_OK;
}

const float *dirac__public_value(const dirac_session *s, const dirac__step *step)
{
    return dirac__block_at(s, step->public_value != DIRAC__NONE ? step->public_value : step->value);
}

/* ---- backward ---- */

static int32_t backward_step(dirac_session *s, const dirac_node *node)
{
    const dirac__step *step = &s->plan.steps[node->id];
    dirac__pass *pass = dirac__pass_of(s, 0, node->id);
    pass->scratch = dirac__block_at(s, step->backward_scratch);
    int32_t status = node->layer.kind->backward(pass);
    for (int32_t i = 0; i < node->layer.n_inputs && status == DIRAC_OK; i++) {
        const dirac__edge *edge = &s->plan.edges[step->first_input + i];
        const dirac__step *source = &s->plan.steps[node->inputs[i]->id];
        float *sum = dirac__block_at(s, source->gradient);
        if (edge->accumulate)
            s->context->kernels->add(sum, sum, dirac__block_at(s, edge->dx), value_count(s, source), s->context->team);
    }
    return status;
}

int32_t dirac__run_backward(dirac_session *s)
{
    int32_t status = DIRAC_OK;
    for (size_t i = 0; i < s->net->n_outputs; i++) {
        const dirac__step *step = &s->plan.steps[s->net->outputs[i]->id];
        if (!s->given[i] && step->gradient != DIRAC__NONE)
            memset(dirac__block_at(s, step->gradient), 0, value_count(s, step) * sizeof(float));
    }
    s->forward_done = false;
    for (size_t i = s->net->n_nodes; i-- > 0 && status == DIRAC_OK;)
        if (s->plan.steps[i].backward && !s->plan.steps[i].passed)
            status = backward_step(s, s->net->nodes[i]);
    for (int32_t i = 0; i < s->plan.n_steps && status == DIRAC_OK; i++) {
        const dirac__step *step = &s->plan.steps[i];
        if (step->public_gradient != DIRAC__NONE)
            s->context->kernels->to_channels_first(dirac__block_at(s, step->public_gradient),
                                                   dirac__block_at(s, step->gradient), s->n, step->out.c,
                                                   dirac__shape_positions(&step->out), s->context->team);
    }
    if (status == DIRAC_OK)
        s->backward_done = s->differentiated = true;
    return status;
}

const float *dirac__public_gradient(const dirac_session *s, const dirac__step *step)
{
    return dirac__block_at(s, step->public_gradient != DIRAC__NONE ? step->public_gradient : step->gradient);
}

/* ---- pending statistics: state <- decay state + addend ---- */

static float *pending_of(const dirac_session *s, const dirac__tensor *tensor)
{
    float *all = dirac__block_at(s, s->plan.pending);
    return all + 2 * (tensor->offset - s->net->n_trained);
}

static bool has_pending(const dirac_session *s, const dirac__tensor *tensor)
{
    return s->plan.pending != DIRAC__NONE && tensor->is.role == DIRAC_ROLE_STATE;
}

void dirac__pending_reset(dirac_session *s)
{
    for (size_t i = 0; i < s->net->n_tensors; i++) {
        const dirac__tensor *tensor = &s->net->tensors[i];
        if (!has_pending(s, tensor))
            continue;
        float *decay = pending_of(s, tensor), *addend = decay + tensor->count;
        for (size_t j = 0; j < tensor->count; j++) {
            decay[j] = 1;
            addend[j] = 0;
        }
    }
    s->statistics = false;
}

static bool is_spoiled(const dirac_session *s, const dirac__tensor *tensor)
{
    if (!s->statistics || !has_pending(s, tensor))
        return false;
    const float *values = pending_of(s, tensor);
    for (size_t j = 0; j < 2 * tensor->count; j++)
        if (!isfinite(values[j]))
            return true;
    return false;
}

int32_t dirac__pending_check(const dirac_session *s)
{
    for (size_t i = 0; i < s->net->n_tensors; i++)
        if (is_spoiled(s, &s->net->tensors[i]))
            return dirac__fail(DIRAC_ERR_NOT_FINITE, "the statistics for \"%s\" are not finite", s->net->tensors[i].name);
    return DIRAC_OK;
}

void dirac__pending_drop_spoiled(dirac_session *s)
{
    bool spoiled = dirac__loss_spoiled(s) || s->spoiled.what != DIRAC__FINITE;
    for (size_t i = 0; i < s->net->n_tensors && !spoiled; i++)
        spoiled = is_spoiled(s, &s->net->tensors[i]);
    if (spoiled)
        dirac__pending_reset(s);
}

void dirac__pending_apply(dirac_session *s)
{
    for (size_t i = 0; i < s->net->n_tensors && s->statistics; i++) {
        const dirac__tensor *tensor = &s->net->tensors[i];
        if (!has_pending(s, tensor))
            continue;
        const float *decay = pending_of(s, tensor), *addend = decay + tensor->count;
        for (size_t j = 0; j < tensor->count; j++)
            tensor->data[j] = decay[j] * tensor->data[j] + addend[j];
    }
    dirac__pending_reset(s);
}
