/* SPDX-License-Identifier: MIT */
/* The optimizer's step: look at every gradient first, then change everything, so that a refused step changes nothing. */
#include "train/sgd.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include <dirac/status.h>

#include "base/fail.h"

static size_t largest_tensor(const dirac_net *net)
{
    size_t largest = 1;
    for (size_t i = 0; i < net->n_tensors; i++)
        if (net->tensors[i].count > largest)
            largest = net->tensors[i].count;
    return largest;
}

int32_t dirac__sgd_create(dirac_sgd **out, dirac_net *net)
{
    const dirac__memory *memory = net->memory;
    dirac_sgd *sgd = dirac__alloc_zero(memory, 1, sizeof *sgd);
    if (sgd == NULL)
        return dirac__fail_memory("an optimizer");
    sgd->memory = memory;
    atomic_init(&sgd->references, 1);
    sgd->rate = 0.1f;
    sgd->rules = dirac__alloc_zero(memory, net->n_tensors + 1, sizeof *sgd->rules);
    sgd->velocity = dirac__alloc_zero(memory, net->n_trained + 1, sizeof *sgd->velocity);
    sgd->scratch = dirac__alloc_zero(memory, net->context->kernels->squares_scratch(largest_tensor(net)) + 1,
                                     sizeof *sgd->scratch);
    if (sgd->rules == NULL || sgd->velocity == NULL || sgd->scratch == NULL) {
        dirac__sgd_release(sgd);
        return dirac__fail_memory("an optimizer");
    }
    for (size_t i = 0; i < net->n_tensors; i++)
        sgd->rules[i] = (dirac__rule){.decay = -1, .factor = 1};
    dirac__net_hold(net);
    sgd->net = net;
    *out = sgd;
    return DIRAC_OK;
}

void dirac__sgd_hold(dirac_sgd *sgd)
{
    atomic_fetch_add_explicit(&sgd->references, 1, memory_order_relaxed);
}

void dirac__sgd_release(dirac_sgd *sgd)
{
    if (sgd == NULL || atomic_fetch_sub_explicit(&sgd->references, 1, memory_order_acq_rel) != 1)
        return;
    dirac_net *net = sgd->net;
    const dirac__memory *memory = sgd->memory;
    dirac__free(memory, sgd->rules);
    dirac__free(memory, sgd->velocity);
    dirac__free(memory, sgd->scratch);
    dirac__free(memory, sgd);
    dirac__net_release(net); /* last: it may take the allocator along */
}

void dirac__sgd_restart(dirac_sgd *sgd)
{
    for (size_t i = 0; i < sgd->net->n_tensors; i++)
        sgd->rules[i].started = false;
    memset(sgd->velocity, 0, sgd->net->n_trained * sizeof *sgd->velocity);
}

static bool takes_part(const dirac__tensor *tensor)
{
    return tensor->is.role == DIRAC_ROLE_TRAINED && tensor->trainable;
}

/* The sum of the squared gradients of tensor `i`, 0 if it takes no part; not finite if one of them is not. An error if they
 * were not computed, or if the tensor's rate is beyond float. */
static int32_t inspect_gradient(const dirac_sgd *sgd, const dirac_session *session, size_t i, double *squares)
{
    const dirac_net *net = sgd->net;
    const dirac__tensor *tensor = &net->tensors[i];
    const float *gradients = dirac__block_at(session, session->plan.gradients);
    if (!takes_part(tensor))
        return DIRAC_OK;
    if (!session->computed[i])
        return dirac__fail(DIRAC_ERR_STATE,
                           "parameter \"%s\" was not trainable when the session was prepared: it has no gradient",
                           tensor->name);
    const double sum = net->context->kernels->squares(gradients + tensor->offset, sgd->scratch, tensor->count,
                                                      net->context->team);
    if (!(dirac__scheduled_rate(sgd, sgd->steps) * (double)sgd->rules[i].factor <= (double)FLT_MAX))
        return dirac__fail(DIRAC_ERR_NOT_FINITE, "the learning rate of \"%s\" is not finite", tensor->name);
    *squares = sum;
    return DIRAC_OK;
}

/* The sum of all squared gradients that take part. What is named is where it began: forward goes before backward, so a
 * loss and then pending statistics go before gradients; and backward walks from the last layer to the first, so of the
 * gradients that are not finite the last one was the first. */
static int32_t inspect(const dirac_sgd *sgd, const dirac_session *session, double *squares)
{
    *squares = 0;
    if (session->spoiled.what != DIRAC__FINITE)
        return dirac__fail_origin(session, &session->spoiled);
    int32_t status = dirac__pending_check(session);
    const dirac__tensor *bad = NULL;
    for (size_t i = 0; i < sgd->net->n_tensors && status == DIRAC_OK; i++) {
        double sum = 0;
        status = inspect_gradient(sgd, session, i, &sum);
        *squares += sum;
        if (!isfinite(sum))
            bad = &sgd->net->tensors[i];
    }
    if (status == DIRAC_OK && bad != NULL)
        status = dirac__fail_gradient(session, bad);
    return status;
}

static bool at_restart(const dirac_sgd *sgd)
{
    const dirac__schedule *schedule = &sgd->schedule;
    if (schedule->kind != DIRAC__SCHEDULE_DROPS || !schedule->restart_momentum)
        return false;
    for (int32_t i = 0; i < schedule->n_drops; i++)
        if (schedule->at[i] == sgd->steps)
            return true;
    return false;
}

static void update(dirac_sgd *sgd, const dirac_session *session, float scale)
{
    const dirac_net *net = sgd->net;
    const float *gradients = dirac__block_at(session, session->plan.gradients);
    const double rate = dirac__scheduled_rate(sgd, sgd->steps);
    for (size_t i = 0; i < net->n_tensors; i++) {
        const dirac__tensor *tensor = &net->tensors[i];
        dirac__rule *rule = &sgd->rules[i];
        if (!takes_part(tensor))
            continue;
        const float decay = rule->decay >= 0 ? rule->decay : tensor->is.decay ? sgd->decay : 0;
        net->context->kernels->sgd_update(tensor->data, sgd->velocity + tensor->offset, gradients + tensor->offset,
                                          tensor->count, (float)(rate * (double)rule->factor), sgd->momentum, decay,
                                          scale, sgd->nesterov, !rule->started, net->context->team);
        rule->started = true;
    }
}

static int32_t step_alone(dirac_sgd *sgd, dirac_session *session)
{
    double squares;
    int32_t status = inspect(sgd, session, &squares);
    if (status != DIRAC_OK)
        return status;
    const double norm = sqrt(squares);
    const bool clipped = sgd->clip_norm > 0 && norm > (double)sgd->clip_norm;
    if (at_restart(sgd))
        dirac__sgd_restart(sgd);
    update(sgd, session, clipped ? (float)((double)sgd->clip_norm / norm) : 1.0f);
    dirac__pending_apply(session);
    memset(dirac__block_at(session, session->plan.gradients), 0, sgd->net->n_trained * sizeof(float));
    session->backward_done = false; /* and no loss was spoiled, or there had been no step */
    sgd->steps++;
    return DIRAC_OK;
}

int32_t dirac__sgd_check(const dirac_sgd *sgd, const dirac_session *session)
{
    if (session->net != sgd->net)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "the session works on another net than the optimizer");
    if (session->mode != DIRAC_TRAIN)
        return dirac__fail(DIRAC_ERR_STATE, "an optimizer needs a training session");
    if (sgd->nesterov && !(sgd->momentum > 0))
        return dirac__fail(DIRAC_ERR_STATE, "Nesterov's form needs a momentum above 0");
    return DIRAC_OK;
}

int32_t dirac__sgd_step(dirac_sgd *sgd, dirac_session *session)
{
    int32_t status = dirac__sgd_check(sgd, session);
    if (status == DIRAC_OK && !session->backward_done)
        status = dirac__fail(DIRAC_ERR_STATE, "there are no gradients: call dirac_session_backward() first");
    if (status == DIRAC_OK)
        status = dirac__net_begin_write(sgd->net);
    if (status != DIRAC_OK)
        return status;
    status = step_alone(sgd, session);
    dirac__net_end_write(sgd->net, status == DIRAC_OK);
    return status;
}
