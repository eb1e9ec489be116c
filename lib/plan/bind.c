/* SPDX-License-Identifier: MIT */
/* From a plan to memory: one arena, and every pass pointed into it, so that the walks do no work but the layers'. */
#include <string.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "plan/session.h"

/* Pointers of one pass: x and dx of each input; parameter, gradient and pending array of each tensor (pending: two). */
static size_t pointers_of(const dirac_node *node)
{
    return 2 * (size_t)node->layer.n_inputs + 4 * (size_t)node->n_tensors;
}

static void bind_step(dirac_session *s, const dirac_node *node, int32_t copy, float **pointers)
{
    dirac__step *step = &s->plan.steps[node->id];
    dirac__pass *pass = dirac__pass_of(s, copy, node->id);
    const int32_t n_inputs = node->layer.n_inputs;
    float **x = pointers, **dx = x + n_inputs;
    for (int32_t i = 0; i < n_inputs; i++) {
        x[i] = dirac__copy_at(s, s->plan.steps[node->inputs[i]->id].value, copy);
        dx[i] = dirac__block_at(s, s->plan.edges[step->first_input + i].dx);
    }
    *pass = (dirac__pass){.kernels = s->context->kernels,
                          .team = s->plan.copies > 1 ? NULL : s->context->team,
                          .batch = s->batch,
                          .in = s->plan.shapes + step->first_input,
                          .out = step->out,
                          .training = s->mode == DIRAC_TRAIN,
                          .strict = s->strict,
                          .blas = s->context->blas,
                          .relu = step->relu,
                          .x = (const float *const *)x,
                          .y = dirac__copy_at(s, step->value, copy),
                          .dy = dirac__block_at(s, step->gradient),
                          .dx = dx,
                          .parameters = dx + n_inputs,
                          .gradients = dx + n_inputs + node->n_tensors,
                          .pending = dx + n_inputs + 2 * node->n_tensors,
                          .saved = dirac__copy_at(s, step->saved, copy),
                          .prepared = dirac__block_at(s, step->prepared)};
}

/* Points batch norms, and the convolutions that serve them, to what they share. */
static void bind_norms(dirac_session *s)
{
    for (size_t i = 0; i < s->net->n_nodes && s->mode == DIRAC_TRAIN; i++) {
        const dirac__step *step = &s->plan.steps[i];
        dirac__pass *pass = dirac__pass_of(s, 0, (int32_t)i);
        pass->before = step->norm_before == DIRAC__NONE ? NULL : &s->norms[step->norm_before];
        pass->behind = step->norm_behind == DIRAC__NONE ? NULL : &s->norms[step->norm_behind];
        if (!(s->net->nodes[i]->layer.kind->traits & DIRAC__IS_NORM) || step->saved == DIRAC__NONE)
            continue;
        pass->norm = &s->norms[i];
        *pass->norm = (dirac__norm){.gathered = step->gathered, .read = step->read, .corrected = step->corrected};
        dirac__batch_norm_cut(pass->norm, pass->saved, pass->in[0].c);
    }
}

static void bind_tensors(dirac_session *s, const dirac_node *node, const dirac__pass *pass)
{
    float **parameters = (float **)pass->parameters, **gradients = (float **)pass->gradients;
    float **pending = (float **)pass->pending;
    float *all_gradients = dirac__block_at(s, s->plan.gradients), *all_pending = dirac__block_at(s, s->plan.pending);
    for (int32_t i = 0; i < node->n_tensors; i++) {
        const int32_t index = node->tensors[i];
        const dirac__tensor *tensor = &s->net->tensors[index];
        parameters[i] = tensor->data;
        gradients[i] = s->computed[index] ? all_gradients + tensor->offset : NULL;
        pending[2 * i] = pending[2 * i + 1] = NULL;
        if (all_pending != NULL && tensor->is.role == DIRAC_ROLE_STATE) {
            pending[2 * i] = all_pending + 2 * (tensor->offset - s->net->n_trained);
            pending[2 * i + 1] = pending[2 * i] + tensor->count;
        }
    }
}

void dirac__session_bind_net(dirac_session *s)
{
    for (int32_t copy = 0; copy < s->plan.copies; copy++) {
        for (size_t i = 0; i < s->net->n_nodes; i++) {
            const dirac_node *node = s->net->nodes[i];
            dirac__pass *pass = dirac__pass_of(s, copy, node->id);
            pass->layer = &node->layer;
            pass->name = node->name;
            bind_tensors(s, node, pass);
        }
    }
    s->prepared_version = 0;
}

int32_t dirac__session_bind(dirac_session *s)
{
    size_t count = 1;
    for (size_t i = 0; i < s->net->n_nodes; i++)
        count += pointers_of(s->net->nodes[i]);
    s->arena = dirac__alloc(s->memory, s->plan.bytes);
    s->pointers = dirac__alloc_zero(s->memory, count * (size_t)s->plan.copies, sizeof *s->pointers);
    s->passes = dirac__alloc_zero(s->memory, s->net->n_nodes * (size_t)s->plan.copies, sizeof *s->passes);
    s->norms = dirac__alloc_zero(s->memory, s->net->n_nodes, sizeof *s->norms);
    if (s->arena == NULL || s->pointers == NULL || s->passes == NULL || s->norms == NULL) {
        dirac__free(s->memory, s->arena);
        dirac__free(s->memory, s->pointers);
        dirac__free(s->memory, s->passes);
        dirac__free(s->memory, s->norms);
        s->arena = NULL;
        s->pointers = NULL;
        s->passes = NULL;
        s->norms = NULL;
        return dirac__fail(DIRAC_ERR_MEMORY, "out of memory: a session of %llu bytes",
                           (unsigned long long)s->plan.bytes);
    }
    float **next = s->pointers;
    for (int32_t copy = 0; copy < s->plan.copies; copy++) {
        for (size_t i = 0; i < s->net->n_nodes; i++) {
            bind_step(s, s->net->nodes[i], copy, next);
            next += pointers_of(s->net->nodes[i]);
        }
    }
    bind_norms(s);
    dirac__session_bind_net(s);
    if (s->mode == DIRAC_TRAIN) {
        memset(dirac__block_at(s, s->plan.gradients), 0, s->net->n_trained * sizeof(float));
        dirac__pending_reset(s);
    }
    return DIRAC_OK;
}

/* ---- life ---- */

static void session_free(dirac_session *s)
{
    dirac_net *net = s->net;
    const dirac__memory *memory = s->memory;
    dirac__plan_release(s);
    dirac__free(memory, s->arena);
    dirac__free(memory, s->pointers);
    dirac__free(memory, s->passes);
    dirac__free(memory, s->norms);
    dirac__free(memory, s->inputs);
    dirac__free(memory, s->keep);
    dirac__free(memory, s->class_weights);
    dirac__free(memory, s->computed);
    dirac__free(memory, s->given);
    dirac__free(memory, s->tainted);
    dirac__free(memory, s);
    dirac__net_release(net); /* last: it may take the allocator along */
}

void dirac__session_hold(dirac_session *s)
{
    atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
}

void dirac__session_release(dirac_session *s)
{
    if (s != NULL && atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) == 1)
        session_free(s);
}
