/* SPDX-License-Identifier: MIT */
/* Public calls that put two computations side by side: a net and its fold, backward and differences. */
#include <math.h>
#include <string.h>

#include "api/check.h"
#include "api/session.h"
#include "base/random.h"

/* ---- a net and its fold ---- */

/* Keeps every value that both nets compute. */
static int32_t keep_pairs(const dirac_net *net, const dirac_net *folded, dirac_session *a, dirac_session *b)
{
    for (size_t i = 0; i < folded->n_nodes; i++) {
        const dirac_node *pair = dirac__fold_counterpart(net, folded->nodes[i]);
        if (pair == NULL || !dirac__shape_equal(&pair->shape, &folded->nodes[i]->shape))
            return dirac__fail(DIRAC_ERR_SHAPE, "the first net has nothing like node \"%s\" of the folded one",
                               folded->nodes[i]->name);
        CHECK(dirac_session_keep(a, pair));
        CHECK(dirac_session_keep(b, folded->nodes[i]));
    }
    for (size_t i = 0; i < folded->n_outputs; i++)
        if (!dirac__shape_equal(&net->outputs[i]->shape, &folded->outputs[i]->shape))
            return dirac__fail(DIRAC_ERR_SHAPE, "output %zu of the two nets differs in shape", i);
    return DIRAC_OK;
}

static double distance(const float *a, const float *b, size_t count, double *largest)
{
    double difference = 0;
    *largest = 0;
    for (size_t i = 0; i < count; i++) {
        const double d = fabs((double)a[i] - (double)b[i]), size = fabs((double)a[i]);
        difference = d > difference || isnan(d) ? d : difference;
        *largest = size > *largest ? size : *largest;
    }
    return difference;
}

static int32_t report_pairs(const dirac_net *net, const dirac_net *folded, const dirac_session *a,
                            const dirac_session *b, dirac_compare_fn each, void *user, double *difference)
{
    const float *x, *y;
    size_t count;
    double largest, worst = 0;
    for (size_t i = 0; i < folded->n_nodes && each != NULL; i++) {
        CHECK(dirac_session_activation(a, dirac__fold_counterpart(net, folded->nodes[i]), &x, &count));
        CHECK(dirac_session_activation(b, folded->nodes[i], &y, NULL));
        const double d = distance(x, y, count, &largest);
        each(user, folded->nodes[i]->name, d, largest);
    }
    for (int32_t i = 0; i < (int32_t)folded->n_outputs; i++) {
        CHECK(dirac_session_output(a, i, &x, &count));
        CHECK(dirac_session_output(b, i, &y, NULL));
        const double d = distance(x, y, count, &largest);
        worst = d > worst || isnan(d) ? d : worst;
    }
    if (difference != NULL)
        *difference = worst;
    return DIRAC_OK;
}

int32_t dirac_net_compare(dirac_net *net, dirac_net *folded, const float *input, int64_t n, dirac_compare_fn each,
                          void *user, double *difference)
{
    DIRAC__HOLD_FLOATS();
    dirac_session *a = NULL, *b = NULL;
    CHECK_HANDLE(net);
    CHECK_HANDLE(folded);
    CHECK_HANDLE(input);
    CHECK(dirac__check_built(net, __func__));
    CHECK(dirac__check_built(folded, __func__));
    if (net->n_outputs != folded->n_outputs)
        return dirac__fail(DIRAC_ERR_SHAPE, "the nets have %zu and %zu outputs", net->n_outputs, folded->n_outputs);
    int32_t status = dirac_session_create(&a, net, DIRAC_INFER);
    if (status == DIRAC_OK)
        status = dirac_session_create(&b, folded, DIRAC_INFER);
    if (status == DIRAC_OK)
        status = dirac_session_set_batch(a, n);
    if (status == DIRAC_OK)
        status = dirac_session_set_batch(b, n);
    if (status == DIRAC_OK)
        status = keep_pairs(net, folded, a, b);
    if (status == DIRAC_OK)
        status = dirac_session_prepare(a);
    if (status == DIRAC_OK)
        status = dirac_session_prepare(b);
    if (status == DIRAC_OK)
        status = dirac_session_forward(a, input, n);
    if (status == DIRAC_OK)
        status = dirac_session_forward(b, input, n);
    if (status == DIRAC_OK)
        status = report_pairs(net, folded, a, b, each, user, difference);
    dirac_session_destroy(a);
    dirac_session_destroy(b);
    return status;
}

/* ---- backward and central differences ---- */

typedef struct checker {
    dirac_session *session;
    float *input;    /* a copy that may be changed */
    int64_t n;
    float *weights;  /* r of the projection, for all outputs one after the other */
    uint64_t draws;  /* dropout's position: the same draw for every forward */
    float *pending, *saved_pending; /* statistics are put back after every forward */
} checker;

static size_t output_count(const dirac_session *s, size_t index, int64_t n)
{
    return (size_t)(n * dirac__shape_count(&s->plan.steps[s->net->outputs[index]->id].out));
}

static size_t all_outputs(const dirac_session *s, int64_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < s->net->n_outputs; i++)
        count += output_count(s, i, n);
    return count;
}

static size_t pending_floats(const dirac_session *s)
{
    return s->plan.pending == DIRAC__NONE ? 0 : 2 * (s->net->n_values - s->net->n_trained);
}

static int32_t forward(checker *c)
{
    const float *inputs[1] = {c->input};
    dirac_session *s = c->session;
    s->draws = c->draws;
    int32_t status = dirac__run_forward(s, inputs, c->n);
    if (c->pending != NULL)
        memcpy(c->pending, c->saved_pending, pending_floats(s) * sizeof(float));
    return status;
}

/* L = sum r y, in double. */
static int32_t project(checker *c, double *value)
{
    const dirac_session *s = c->session;
    const float *r = c->weights;
    CHECK(forward(c));
    *value = 0;
    for (size_t i = 0; i < s->net->n_outputs; i++) {
        const float *y = dirac__public_value(s, &s->plan.steps[s->net->outputs[i]->id]);
        const size_t count = output_count(s, i, c->n);
        for (size_t j = 0; j < count; j++)
            *value += (double)*r++ * (double)y[j];
    }
    return DIRAC_OK;
}

/* Compares `samples` entries of one array with differences; `gradient` is what backward gave. */
static int32_t check_array(checker *c, const char *name, float *values, const float *gradient, size_t count,
                           int32_t samples, double step, double *worst)
{
    const dirac__random random = dirac__random_stream(1, name, 0);
    double scale = 0;
    for (size_t i = 0; i < count; i++)
        scale = fabs((double)gradient[i]) > scale ? fabs((double)gradient[i]) : scale;
    for (int32_t i = 0; i < samples && (size_t)i < count; i++) {
        const size_t at = count <= (size_t)samples ? (size_t)i : (size_t)dirac__random_below(&random, (uint64_t)i, count);
        const float value = values[at];
        double above = 0, below = 0;
        values[at] = (float)((double)value + step);
        const float up = values[at];
        int32_t status = project(c, &above);
        values[at] = (float)((double)value - step);
        const double width = (double)up - (double)values[at];
        if (status == DIRAC_OK)
            status = project(c, &below);
        values[at] = value;
        CHECK(status);
        const double numeric = (above - below) / width, analytic = gradient[at];
        const double size = fmax(fmax(fabs(numeric), fabs(analytic)), scale);
        const double apart = fabs(numeric - analytic), error = apart == 0 ? 0 : apart / size; /* NaN stays */
        *worst = error > *worst || isnan(error) ? error : *worst;
    }
    return DIRAC_OK;
}

static int32_t check_all(checker *c, const float *gradients, const float *input_gradient, int32_t samples, double step,
                         double *worst)
{
    dirac_net *net = c->session->net;
    for (size_t i = 0; i < net->n_tensors; i++) {
        const dirac__tensor *tensor = &net->tensors[i];
        if (c->session->computed[i])
            CHECK(check_array(c, tensor->name, tensor->data, gradients + tensor->offset, tensor->count, samples, step,
                              worst));
    }
    if (input_gradient != NULL)
        CHECK(check_array(c, "input", c->input, input_gradient,
                          (size_t)(c->n * dirac__shape_count(&c->session->inputs[0])), samples, step, worst));
    return DIRAC_OK;
}

/* One forward and backward of L, leaving gradients in the session. */
static int32_t analytic_gradients(checker *c)
{
    dirac_session *s = c->session;
    const float *r = c->weights;
    CHECK(forward(c));
    for (size_t i = 0; i < s->net->n_outputs; i++) {
        const size_t count = output_count(s, i, c->n);
        CHECK(dirac__session_give_gradient(s, (int32_t)i, r, count));
        r += count;
    }
    return dirac__run_backward(s);
}

static int32_t run_check(checker *c, float *gradients, float *copy, float *input_copy, int32_t samples, double step,
                         double *worst)
{
    dirac_session *s = c->session;
    const size_t n_trained = s->net->n_trained;
    memcpy(copy + n_trained, gradients, n_trained * sizeof *gradients); /* what was there before */
    memset(gradients, 0, n_trained * sizeof *gradients);
    int32_t status = analytic_gradients(c);
    memcpy(copy, gradients, n_trained * sizeof *gradients);
    if (status == DIRAC_OK && input_copy != NULL)
        memcpy(input_copy, dirac__public_gradient(s, &s->plan.steps[dirac_net_input_node(s->net, 0)->id]),
               (size_t)(c->n * dirac__shape_count(&s->inputs[0])) * sizeof(float));
    *worst = 0;
    if (status == DIRAC_OK)
        status = check_all(c, copy, input_copy, samples, step, worst);
    memcpy(gradients, copy + n_trained, n_trained * sizeof *gradients);
    return status;
}

/* For a caller that has the session; `memory` has room for all copies. */
static int32_t check_with(dirac_session *s, const float *input, int64_t n, int32_t samples, double step, float *memory,
                          double *worst)
{
    const size_t n_input = (size_t)(n * dirac__shape_count(&s->inputs[0])), n_output = all_outputs(s, n);
    checker c = {.session = s, .input = memory, .n = n, .weights = memory + 2 * n_input, .draws = s->draws};
    float *copy = c.weights + n_output;
    if (pending_floats(s) > 0) {
        c.pending = dirac__block_at(s, s->plan.pending);
        c.saved_pending = copy + 2 * s->net->n_trained;
        memcpy(c.saved_pending, c.pending, pending_floats(s) * sizeof(float));
    }
    memcpy(c.input, input, n_input * sizeof *input);
    const dirac__random random = dirac__random_stream(s->seed, "check", 0);
    dirac__random_normal(&random, 0, c.weights, n_output, 1.0);
    const bool statistics = s->statistics, backward_done = s->backward_done;
    CHECK(dirac__net_begin_write(s->net));
    const int32_t status = run_check(&c, dirac__block_at(s, s->plan.gradients), copy,
                                     s->input_gradients ? memory + n_input : NULL, samples, step > 0 ? step : 1e-2,
                                     worst);
    s->draws = c.draws;
    s->statistics = statistics;
    s->backward_done = backward_done;
    s->forward_done = false;
    s->n = 0;
    dirac__net_end_write(s->net, false);
    return status;
}

static int32_t check_session(dirac_session *s, const float *input, int64_t n, int32_t samples, double step,
                             double *worst)
{
    if (s->mode != DIRAC_TRAIN || !s->prepared)
        return dirac__fail(DIRAC_ERR_STATE, "checking gradients needs a prepared training session");
    if (n < 1 || n > s->batch || s->n_inputs != 1 || samples < 1 || !(step >= 0) || !isfinite(step))
        return dirac__fail(DIRAC_ERR_ARGUMENT, "checking gradients needs 1 to %lld images of one input, samples, and a step",
                           (long long)s->batch);
    const size_t n_input = (size_t)(n * dirac__shape_count(&s->inputs[0]));
    const size_t total = 2 * n_input + all_outputs(s, n) + 2 * s->net->n_trained + pending_floats(s);
    float *memory = dirac__alloc_zero(s->memory, total + 1, sizeof *memory);
    if (memory == NULL)
        return dirac__fail_memory("checking gradients");
    const int32_t status = check_with(s, input, n, samples, step, memory, worst);
    dirac__free(s->memory, memory);
    return status;
}

int32_t dirac_session_check_gradients(dirac_session *session, const float *input, int64_t n, int32_t samples,
                                      double step, double *worst)
{
    double found = 0;
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(session);
    CHECK_HANDLE(input);
    CHECK(dirac__session_enter(session));
    const int32_t status = check_session(session, input, n, samples, step, &found);
    dirac__session_leave(session);
    if (worst != NULL)
        *worst = found;
    return status;
}
