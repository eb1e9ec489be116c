/* SPDX-License-Identifier: MIT */
/* Public calls on optimizers. */
#include <math.h>
#include <string.h>

#include "api/check.h"
#include "base/number.h"
#include "train/sgd.h"

int32_t dirac_sgd_create(dirac_sgd **out, dirac_net *net)
{
    CHECK_HANDLE(out);
    *out = NULL;
    CHECK(dirac__check_built(net, __func__));
    return dirac__sgd_create(out, net);
}

void dirac_sgd_destroy(dirac_sgd *sgd)
{
    dirac__sgd_release(sgd);
}

/* ---- settings ---- */

static int32_t check_range(float value, double least, double below, const char *what)
{
    if (isfinite(value) && (double)value >= least && (double)value < below)
        return DIRAC_OK;
    char text[DIRAC__NUMBER_CAPACITY];
    return dirac__fail(DIRAC_ERR_ARGUMENT, "the %s is %s, must be finite, at least 0%s", what,
                       dirac__format_number(text, (double)value, 9), below <= 1 ? " and below 1" : "");
}

int32_t dirac_sgd_set_learning_rate(dirac_sgd *sgd, float rate)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(sgd);
    CHECK(check_range(rate, 0, INFINITY, "learning rate"));
    sgd->rate = rate;
    return DIRAC_OK;
}

int32_t dirac_sgd_set_momentum(dirac_sgd *sgd, float momentum)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(sgd);
    CHECK(check_range(momentum, 0, 1, "momentum"));
    sgd->momentum = momentum;
    return DIRAC_OK;
}

int32_t dirac_sgd_set_nesterov(dirac_sgd *sgd, int32_t nesterov)
{
    CHECK_HANDLE(sgd);
    CHECK_SWITCH(nesterov);
    sgd->nesterov = nesterov == 1;
    return DIRAC_OK;
}

int32_t dirac_sgd_set_weight_decay(dirac_sgd *sgd, float decay)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(sgd);
    CHECK(check_range(decay, 0, INFINITY, "weight decay"));
    sgd->decay = decay;
    return DIRAC_OK;
}

int32_t dirac_sgd_set_clip_norm(dirac_sgd *sgd, float norm)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(sgd);
    CHECK(check_range(norm, 0, INFINITY, "norm to clip at"));
    sgd->clip_norm = norm;
    return DIRAC_OK;
}

/* Sets one number of the rules of all matching parameters. */
static int32_t set_rule(dirac_sgd *sgd, const char *pattern, float value, bool is_decay)
{
    CHECK_HANDLE(pattern);
    CHECK(check_range(value, 0, INFINITY, is_decay ? "weight decay" : "factor of the learning rate"));
    bool found = false;
    for (size_t i = 0; i < sgd->net->n_tensors; i++) {
        const dirac__tensor *tensor = &sgd->net->tensors[i];
        if (tensor->is.role != DIRAC_ROLE_TRAINED || !dirac__matches(pattern, tensor->name))
            continue;
        found = true;
        if (is_decay)
            sgd->rules[i].decay = value;
        else
            sgd->rules[i].factor = value;
    }
    return found ? DIRAC_OK : dirac__fail_no_match(sgd->net, pattern);
}

int32_t dirac_sgd_set_parameter_decay(dirac_sgd *sgd, const char *pattern, float decay)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(sgd);
    return set_rule(sgd, pattern, decay, true);
}

int32_t dirac_sgd_set_parameter_rate(dirac_sgd *sgd, const char *pattern, float factor)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(sgd);
    return set_rule(sgd, pattern, factor, false);
}

/* ---- schedule ---- */

int32_t dirac_sgd_schedule_drops(dirac_sgd *sgd, const int64_t *at, int32_t count, float factor,
                                 int32_t restart_momentum)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(sgd);
    if (count < 0 || count > DIRAC__MAX_DROPS || (at == NULL && count > 0))
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%d drops, legal are 0 to %d", count, DIRAC__MAX_DROPS);
    CHECK(check_range(factor, 0, INFINITY, "factor of a drop"));
    CHECK_SWITCH(restart_momentum);
    for (int32_t i = 0; i < count; i++)
        if (at[i] < 0 || (i > 0 && at[i] <= at[i - 1]))
            return dirac__fail(DIRAC_ERR_ARGUMENT, "drop %d is at step %lld: drops must not be negative and must increase",
                               i, (long long)at[i]);
    dirac__schedule *schedule = &sgd->schedule;
    schedule->kind = count > 0 ? DIRAC__SCHEDULE_DROPS : DIRAC__SCHEDULE_NONE;
    schedule->n_drops = count;
    if (count > 0)
        memcpy(schedule->at, at, (size_t)count * sizeof *at);
    schedule->factor = factor;
    schedule->restart_momentum = restart_momentum == 1;
    return DIRAC_OK;
}

int32_t dirac_sgd_schedule_cosine(dirac_sgd *sgd, int64_t steps, float last)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(sgd);
    CHECK(check_range(last, 0, INFINITY, "last learning rate"));
    if (steps < 1)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "a cosine over %lld steps: at least 1 is needed", (long long)steps);
    sgd->schedule.kind = DIRAC__SCHEDULE_COSINE;
    sgd->schedule.cosine_steps = steps;
    sgd->schedule.last = last;
    return DIRAC_OK;
}

int32_t dirac_sgd_schedule_warmup(dirac_sgd *sgd, int64_t steps, float first)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(sgd);
    CHECK(check_range(first, 0, INFINITY, "first factor of the warm-up"));
    if (steps < 0)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "a warm-up over %lld steps", (long long)steps);
    sgd->schedule.warmup_steps = steps;
    sgd->schedule.first = first;
    return DIRAC_OK;
}

int32_t dirac_sgd_learning_rate(const dirac_sgd *sgd, float *rate)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(sgd);
    CHECK_HANDLE(rate);
    *rate = (float)dirac__scheduled_rate(sgd, sgd->steps);
    return DIRAC_OK;
}

int32_t dirac_sgd_steps(const dirac_sgd *sgd, int64_t *steps)
{
    CHECK_HANDLE(sgd);
    CHECK_HANDLE(steps);
    *steps = sgd->steps;
    return DIRAC_OK;
}

/* ---- steps and momentum ---- */

int32_t dirac_sgd_step(dirac_sgd *sgd, dirac_session *session)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(sgd);
    CHECK_HANDLE(session);
    CHECK(dirac__session_enter(session));
    int32_t status = dirac__sgd_step(sgd, session);
    dirac__session_leave(session);
    return status;
}

int32_t dirac_sgd_restart_momentum(dirac_sgd *sgd)
{
    CHECK_HANDLE(sgd);
    dirac__sgd_restart(sgd);
    return DIRAC_OK;
}

static int32_t find_velocity(const dirac_sgd *sgd, const char *name, const float *values, size_t count,
                             const dirac__tensor **tensor)
{
    if (name == NULL || values == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "the name or the values are NULL");
    *tensor = dirac__net_find_tensor(sgd->net, name);
    if (*tensor == NULL || (*tensor)->is.role != DIRAC_ROLE_TRAINED)
        return dirac__fail(DIRAC_ERR_NOT_FOUND, "no parameter is called \"%s\"", name);
    if (count != (*tensor)->count)
        return dirac__fail(DIRAC_ERR_SHAPE, "parameter \"%s\" has %zu elements, not %zu", name, (*tensor)->count, count);
    return DIRAC_OK;
}

int32_t dirac_sgd_momentum_read(const dirac_sgd *sgd, const char *name, float *values, size_t count)
{
    const dirac__tensor *tensor = NULL;
    CHECK_HANDLE(sgd);
    CHECK(find_velocity(sgd, name, values, count, &tensor));
    memcpy(values, sgd->velocity + tensor->offset, count * sizeof *values);
    return DIRAC_OK;
}

int32_t dirac_sgd_momentum_write(dirac_sgd *sgd, const char *name, const float *values, size_t count)
{
    const dirac__tensor *tensor = NULL;
    CHECK_HANDLE(sgd);
    CHECK(find_velocity(sgd, name, values, count, &tensor));
    memcpy(sgd->velocity + tensor->offset, values, count * sizeof *values);
    sgd->rules[tensor - sgd->net->tensors].started = true;
    return DIRAC_OK;
}
