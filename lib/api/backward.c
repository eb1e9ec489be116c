/* SPDX-License-Identifier: MIT */
/* Public calls on sessions: loss, backward, gradients, statistics. */
#include <math.h>
#include <string.h>

#include "api/check.h"
#include "api/session.h"
#include "base/number.h"
#include "train/loss.h"

static int32_t leave(dirac_session *session, int32_t status)
{
    dirac__session_leave(session);
    return status;
}

/* ---- loss ---- */

static int32_t fail_number(const char *what, double value, const char *rule)
{
    char text[DIRAC__NUMBER_CAPACITY];
    return dirac__fail(DIRAC_ERR_ARGUMENT, "%s is %s, %s", what, dirac__format_number(text, value, 9), rule);
}

int32_t dirac_session_set_label_smoothing(dirac_session *session, float epsilon)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(session);
    if (!(epsilon >= 0 && epsilon <= 1))
        return fail_number("the label smoothing", (double)epsilon, "must lie between 0 and 1");
    session->smoothing = epsilon;
    return DIRAC_OK;
}

/* Another size of the inputs may give output 0 other channels than the net's. */
static int64_t classes_of(const dirac_session *s)
{
    const dirac_node *output = s->net->outputs[0];
    return s->prepared ? s->plan.steps[output->id].out.c : output->shape.c;
}

static int32_t check_class_weights(const dirac_session *s, const float *weights, int64_t classes)
{
    const int64_t expected = classes_of(s);
    if (classes != expected)
        return dirac__fail(DIRAC_ERR_SHAPE, "%lld class weights for %lld classes", (long long)classes,
                           (long long)expected);
    for (int64_t c = 0; c < classes; c++)
        if (!(isfinite(weights[c]) && weights[c] >= 0))
            return dirac__fail(DIRAC_ERR_ARGUMENT, "the weight of class %lld is negative or not finite", (long long)c);
    return DIRAC_OK;
}

/* Of a session that the caller has. `weights` NULL: none. */
static int32_t set_class_weights(dirac_session *s, const float *weights, int64_t classes)
{
    float *copy = NULL;
    if (weights != NULL) {
        CHECK(check_class_weights(s, weights, classes));
        copy = dirac__alloc(s->memory, (size_t)classes * sizeof *copy);
        if (copy == NULL)
            return dirac__fail_memory("class weights");
        memcpy(copy, weights, (size_t)classes * sizeof *copy);
    }
    dirac__free(s->memory, s->class_weights);
    s->class_weights = copy;
    s->n_class_weights = copy == NULL ? 0 : classes;
    return DIRAC_OK;
}

int32_t dirac_session_set_class_weights(dirac_session *session, const float *weights, int64_t classes)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(session);
    CHECK(dirac__session_enter(session));
    return leave(session, set_class_weights(session, weights, classes));
}

int32_t dirac__session_check_logits(const dirac_session *s, const char *function)
{
    const dirac__step *step = &s->plan.steps[s->net->outputs[0]->id];
    char shape[64];
    if (dirac__shape_positions(&step->out) != 1)
        return dirac__fail(DIRAC_ERR_SHAPE, "%s: output 0 must be a vector of logits, its shape is %s", function,
                           dirac__shape_text(shape, &step->out));
    if (s->class_weights != NULL && s->n_class_weights != step->out.c)
        return dirac__fail(DIRAC_ERR_SHAPE, "%s: there are %lld class weights for %lld classes", function,
                           (long long)s->n_class_weights, (long long)step->out.c);
    return DIRAC_OK;
}

/* The logits of output 0 as a loss to be computed. */
static int32_t open_loss(const dirac_session *s, const char *function, dirac__loss *loss)
{
    CHECK(dirac__check_forwarded(s, function));
    CHECK(dirac__session_check_logits(s, function));
    const dirac__step *step = &s->plan.steps[s->net->outputs[0]->id];
    *loss = (dirac__loss){.logits = dirac__public_value(s, step), .n = s->n, .classes = step->out.c,
                          .smoothing = s->smoothing, .weights = s->class_weights};
    return DIRAC_OK;
}

static int32_t compute_loss(dirac_session *s, const dirac__loss *loss, float *value)
{
    const dirac__step *step = &s->plan.steps[s->net->outputs[0]->id];
    const bool wanted = s->mode == DIRAC_TRAIN && s->forward_done;
    double sum;
    CHECK(dirac__cross_entropy(loss, wanted ? dirac__block_at(s, step->gradient) : NULL, &sum));
    s->given[0] = wanted;
    s->tainted[0] = !isfinite((float)sum);
    if (value != NULL)
        *value = (float)sum;
    return DIRAC_OK;
}

/* The loss of labels, or of targets if those are NULL. */
static int32_t cross_entropy(dirac_session *session, const int32_t *labels, const float *targets, float *loss,
                             const char *function)
{
    dirac__loss ask;
    CHECK(open_loss(session, function, &ask));
    ask.labels = labels;
    ask.targets = targets;
    return compute_loss(session, &ask, loss);
}

int32_t dirac__session_cross_entropy(dirac_session *session, const int32_t *labels, float *loss)
{
    return cross_entropy(session, labels, NULL, loss, "dirac_session_cross_entropy");
}

int32_t dirac_session_cross_entropy(dirac_session *session, const int32_t *labels, float *loss)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(session);
    CHECK_HANDLE(labels);
    CHECK(dirac__session_enter(session));
    return leave(session, dirac__session_cross_entropy(session, labels, loss));
}

int32_t dirac_session_cross_entropy_soft(dirac_session *session, const float *targets, float *loss)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(session);
    CHECK_HANDLE(targets);
    CHECK(dirac__session_enter(session));
    return leave(session, cross_entropy(session, NULL, targets, loss, __func__));
}

int32_t dirac__session_count_correct(const dirac_session *session, const int32_t *labels, int64_t *correct)
{
    dirac__loss ask;
    CHECK(open_loss(session, "dirac_session_count_correct", &ask));
    ask.labels = labels;
    return dirac__count_correct(&ask, correct);
}

int32_t dirac_session_count_correct(const dirac_session *session, const int32_t *labels, int64_t *correct)
{
    DIRAC__HOLD_FLOATS();
    dirac_session *held = (dirac_session *)session; /* holding it changes nothing that a reader can see */
    CHECK_HANDLE(session);
    CHECK_HANDLE(labels);
    CHECK_HANDLE(correct);
    CHECK(dirac__session_enter(held));
    return leave(held, dirac__session_count_correct(session, labels, correct));
}

int32_t dirac__session_give_gradient(dirac_session *session, int32_t index, const float *values, size_t count)
{
    CHECK(dirac__check_forwarded(session, "dirac_session_set_output_gradient"));
    if (index < 0 || (size_t)index >= session->net->n_outputs)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "the net has no output %d", index);
    if (session->mode != DIRAC_TRAIN || !session->forward_done)
        return dirac__fail(DIRAC_ERR_STATE, "gradients are for training sessions, after a forward and before its backward");
    const dirac__step *step = &session->plan.steps[session->net->outputs[index]->id];
    const size_t expected = (size_t)(session->n * dirac__shape_count(&step->out));
    if (count != expected)
        return dirac__fail(DIRAC_ERR_SHAPE, "output %d has %zu values, not %zu", index, expected, count);
    if (step->gradient != DIRAC__NONE)
        session->context->kernels->to_channels_last(dirac__block_at(session, step->gradient), values, session->n,
                                                    step->out.c, dirac__shape_positions(&step->out),
                                                    session->context->team);
    session->given[index] = true;
    session->tainted[index] = false;
    for (size_t i = 0; i < count && !session->tainted[index]; i++)
        session->tainted[index] = !isfinite(values[i]);
    return DIRAC_OK;
}

int32_t dirac_session_set_output_gradient(dirac_session *session, int32_t index, const float *values, size_t count)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(session);
    CHECK_HANDLE(values);
    CHECK(dirac__session_enter(session));
    return leave(session, dirac__session_give_gradient(session, index, values, count));
}

/* ---- backward ---- */

static int32_t check_backward(const dirac_session *s)
{
    bool given = false;
    if (s->mode != DIRAC_TRAIN)
        return dirac__fail(DIRAC_ERR_STATE, "backward needs a training session");
    if (!s->forward_done)
        return dirac__fail(DIRAC_ERR_STATE, "there was no forward since the last backward; call dirac_session_forward() first");
    for (size_t i = 0; i < s->net->n_outputs; i++)
        given = given || s->given[i];
    if (!given)
        return dirac__fail(DIRAC_ERR_STATE, "there was no loss: call dirac_session_cross_entropy() or set an output's gradient");
    if (s->forward_version != dirac_net_version(s->net))
        return dirac__fail(DIRAC_ERR_STATE, "the net was changed since the forward");
    return DIRAC_OK;
}

int32_t dirac__session_backward(dirac_session *session)
{
    CHECK(dirac__net_begin_read(session->net));
    int32_t status = check_backward(session);
    if (status == DIRAC_OK && dirac__loss_spoiled(session) && session->spoiled.what == DIRAC__FINITE)
        session->spoiled = dirac__find_origin(session);
    if (status == DIRAC_OK)
        status = dirac__run_backward(session);
    dirac__net_end_read(session->net);
    return status;
}

int32_t dirac_session_backward(dirac_session *session)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(session);
    CHECK(dirac__session_enter(session));
    return leave(session, dirac__session_backward(session));
}

/* ---- gradients ---- */

static int32_t check_training(const dirac_session *s, const char *function)
{
    if (s == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: the session is NULL", function);
    if (s->mode != DIRAC_TRAIN || !s->prepared)
        return dirac__fail(DIRAC_ERR_STATE, "%s: a prepared training session is needed", function);
    return DIRAC_OK;
}

int32_t dirac_session_clear_gradients(dirac_session *session)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(session);
    CHECK(dirac__session_enter(session));
    const int32_t status = check_training(session, __func__);
    if (status != DIRAC_OK)
        return leave(session, status);
    memset(dirac__block_at(session, session->plan.gradients), 0, session->net->n_trained * sizeof(float));
    dirac__pending_drop_spoiled(session); /* so that training goes on after a batch that a step refused */
    session->backward_done = false;
    session->spoiled = (dirac__origin){.what = DIRAC__FINITE};
    return leave(session, DIRAC_OK);
}

int32_t dirac_session_gradients(dirac_session *session, float **values, size_t *count)
{
    CHECK(check_training(session, __func__));
    CHECK_HANDLE(values);
    *values = dirac__block_at(session, session->plan.gradients);
    if (count != NULL)
        *count = session->net->n_trained;
    return DIRAC_OK;
}

int32_t dirac_session_gradient_read(const dirac_session *session, const char *name, float *values, size_t count)
{
    CHECK(check_training(session, __func__));
    CHECK_HANDLE(name);
    CHECK_HANDLE(values);
    const dirac__tensor *tensor = dirac__net_find_tensor(session->net, name);
    if (tensor == NULL || tensor->is.role != DIRAC_ROLE_TRAINED)
        return dirac__fail(DIRAC_ERR_NOT_FOUND, "no parameter is called \"%s\"", name);
    if (count != tensor->count)
        return dirac__fail(DIRAC_ERR_SHAPE, "parameter \"%s\" has %zu elements, not %zu", name, tensor->count, count);
    const float *all = dirac__block_at(session, session->plan.gradients);
    memcpy(values, all + tensor->offset, count * sizeof *values);
    return DIRAC_OK;
}

/* Of two sessions that the caller has. */
static int32_t add_gradients(dirac_session *s, const dirac_session *other)
{
    if (s->net != other->net)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "gradients are added from another session on the same net");
    float *sum = dirac__block_at(s, s->plan.gradients);
    s->context->kernels->add(sum, sum, dirac__block_at(other, other->plan.gradients), s->net->n_trained, s->context->team);
    s->backward_done = s->backward_done || other->backward_done;
    if (s->spoiled.what == DIRAC__FINITE)
        s->spoiled = other->spoiled;
    return DIRAC_OK;
}

int32_t dirac_session_add_gradients(dirac_session *session, const dirac_session *other)
{
    DIRAC__HOLD_FLOATS();
    CHECK(check_training(session, __func__));
    CHECK(check_training(other, __func__));
    if (session == other)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "gradients are added from another session on the same net");
    dirac_session *held = (dirac_session *)other;
    CHECK(dirac__session_enter(session));
    int32_t status = dirac__session_enter(held);
    if (status == DIRAC_OK) {
        status = add_gradients(session, other);
        dirac__session_leave(held);
    }
    return leave(session, status);
}

int32_t dirac_session_input_gradient(const dirac_session *session, int32_t index, const float **values, size_t *count)
{
    CHECK(check_training(session, __func__));
    CHECK_HANDLE(values);
    const dirac_node *node = dirac_net_input_node(session->net, index);
    if (node == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "the net has no input %d", index);
    const dirac__step *step = &session->plan.steps[node->id];
    if (session->n == 0 || !session->differentiated || step->gradient == DIRAC__NONE)
        return dirac__fail(DIRAC_ERR_STATE,
                           "input %d has no gradient: ask for it before prepare, and call dirac_session_backward() after "
                           "each forward", index);
    *values = dirac__public_gradient(session, step);
    if (count != NULL)
        *count = (size_t)(session->n * dirac__shape_count(&step->out));
    return DIRAC_OK;
}

int32_t dirac_session_commit_statistics(dirac_session *session)
{
    DIRAC__HOLD_FLOATS();
    CHECK(check_training(session, __func__));
    CHECK(dirac__session_enter(session));
    int32_t status = dirac__net_begin_write(session->net);
    if (status == DIRAC_OK) {
        const bool pending = session->statistics;
        status = dirac__pending_check(session);
        if (status == DIRAC_OK)
            dirac__pending_apply(session);
        dirac__net_end_write(session->net, pending && status == DIRAC_OK);
    }
    dirac__session_leave(session);
    return status;
}
