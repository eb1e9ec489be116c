/* SPDX-License-Identifier: MIT */
/* Public calls on sessions: life, options, forward, reading values. */
#include <string.h>

#include "api/check.h"
#include "api/session.h"

/* ---- life ---- */

static bool allocate_lists(dirac_session *s)
{
    const dirac_net *net = s->net;
    s->n_inputs = dirac_net_input_count(net);
    s->inputs = dirac__alloc_zero(s->memory, (size_t)s->n_inputs, sizeof *s->inputs);
    s->keep = dirac__alloc_zero(s->memory, net->n_nodes, sizeof *s->keep);
    s->computed = dirac__alloc_zero(s->memory, net->n_tensors + 1, sizeof *s->computed);
    s->given = dirac__alloc_zero(s->memory, net->n_outputs, sizeof *s->given);
    s->tainted = dirac__alloc_zero(s->memory, net->n_outputs, sizeof *s->tainted);
    return s->inputs != NULL && s->keep != NULL && s->computed != NULL && s->given != NULL && s->tainted != NULL;
}

int32_t dirac_session_create(dirac_session **out, dirac_net *net, int32_t mode)
{
    CHECK_HANDLE(out);
    *out = NULL;
    CHECK(dirac__check_built(net, __func__));
    if (mode != DIRAC_INFER && mode != DIRAC_TRAIN)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "dirac_session_create: mode %d is neither DIRAC_INFER nor DIRAC_TRAIN", mode);
    dirac_session *s = dirac__alloc_zero(net->memory, 1, sizeof *s);
    if (s == NULL)
        return dirac__fail_memory("a session");
    dirac__net_hold(net);
    atomic_init(&s->references, 1);
    s->context = net->context;
    s->memory = net->memory;
    s->net = net;
    atomic_init(&s->seen_net, net);
    s->mode = mode;
    atomic_init(&s->batch, 1);
    atomic_init(&s->prepared, false);
    s->seed = net->context->seed;
    atomic_flag_clear(&s->busy);
    if (!allocate_lists(s)) {
        dirac__session_release(s);
        return dirac__fail_memory("a session");
    }
    for (int32_t i = 0; i < s->n_inputs; i++)
        s->inputs[i] = dirac_net_input_node(net, i)->shape;
    *out = s;
    return DIRAC_OK;
}

void dirac_session_destroy(dirac_session *session)
{
    dirac__session_release(session);
}

/* ---- options ---- */

/* Options may be set: prepare was not called. A plan made by dirac_session_bytes() is void. */
static int32_t open_options(dirac_session *s, const char *function)
{
    if (s == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: the session is NULL", function);
    if (s->prepared)
        return dirac__fail(DIRAC_ERR_STATE, "%s: the session is prepared and its options are fixed", function);
    dirac__plan_release(s);
    return DIRAC_OK;
}

int32_t dirac_session_set_batch(dirac_session *session, int64_t n)
{
    CHECK(open_options(session, __func__));
    if (n < 1 || n > DIRAC__MAX_DIMENSION)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "a batch of %lld images, legal are 1 to 2^30", (long long)n);
    session->batch = n;
    return DIRAC_OK;
}

int32_t dirac_session_set_input_size(dirac_session *session, int32_t index, const int64_t *size, int32_t rank)
{
    CHECK(open_options(session, __func__));
    if (index < 0 || index >= session->n_inputs || size == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "no input %d, or the size is NULL", index);
    dirac__shape *shape = &session->inputs[index];
    if (rank != shape->rank)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "input %d has %d spatial dimensions, not %d", index, shape->rank, rank);
    for (int32_t i = 0; i < rank; i++)
        if (size[i] < 1 || size[i] > DIRAC__MAX_DIMENSION)
            return dirac__fail(DIRAC_ERR_ARGUMENT, "size %d of input %d is %lld, legal are 1 to 2^30", i, index,
                               (long long)size[i]);
    for (int32_t i = 0; i < rank; i++)
        shape->size[3 - rank + i] = size[i];
    return DIRAC_OK;
}

int32_t dirac_session_keep(dirac_session *session, const dirac_node *node)
{
    CHECK(open_options(session, __func__));
    if (node == NULL || node->net != session->net)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "the node to keep is NULL or of another net");
    session->keep[node->id] = true;
    return DIRAC_OK;
}

int32_t dirac_session_set_input_gradients(dirac_session *session, int32_t wanted)
{
    CHECK(open_options(session, __func__));
    CHECK_SWITCH(wanted);
    session->input_gradients = wanted == 1;
    return DIRAC_OK;
}

int32_t dirac_session_set_seed(dirac_session *session, uint64_t seed)
{
    CHECK(open_options(session, __func__));
    session->seed = seed;
    return DIRAC_OK;
}

int32_t dirac_session_set_strict(dirac_session *session, int32_t strict)
{
    CHECK(open_options(session, __func__));
    CHECK_SWITCH(strict);
    session->strict = strict == 1;
    return DIRAC_OK;
}

int32_t dirac_session_set_lean(dirac_session *session, int32_t lean)
{
    CHECK(open_options(session, __func__));
    CHECK_SWITCH(lean);
    session->lean = lean == 1;
    return DIRAC_OK;
}

/* Plans, and binds if wanted. A plan depends on what a writer may change: which parameters train. */
static int32_t make_plan(dirac_session *s, bool bind)
{
    CHECK(dirac__net_begin_read(s->net));
    int32_t status = dirac__plan_make(s);
    if (status == DIRAC_OK && bind)
        status = dirac__session_bind(s);
    dirac__net_end_read(s->net);
    return status;
}

int32_t dirac_session_bytes(dirac_session *session, size_t *bytes)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(session);
    CHECK_HANDLE(bytes);
    CHECK(dirac__session_enter(session));
    const int32_t status = session->planned ? DIRAC_OK : make_plan(session, false);
    if (status == DIRAC_OK)
        *bytes = session->plan.bytes;
    dirac__session_leave(session);
    return status;
}

int32_t dirac_session_prepare(dirac_session *session)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(session);
    CHECK(dirac__session_enter(session));
    int32_t status = open_options(session, __func__);
    if (status == DIRAC_OK)
        status = make_plan(session, true);
    if (status == DIRAC_OK)
        session->prepared = true; /* last: from here others look at the plan */
    if (!session->prepared)
        dirac__plan_release(session); /* memory is short as it is */
    dirac__session_leave(session);
    if (status == DIRAC_OK)
        dirac__log(session->context, DIRAC_LOG_INFO, "session prepared: batch %lld, %zu bytes, kernels %s, %d threads",
                   (long long)session->batch, session->plan.bytes, session->context->kernels->name,
                   session->context->threads);
    return status;
}

/* ---- forward ---- */

static int32_t check_forward(const dirac_session *s, const float *const *inputs, int32_t count, int64_t n)
{
    if (!s->prepared)
        return dirac__fail(DIRAC_ERR_STATE, "the session is not prepared; call dirac_session_prepare() first");
    if (count != s->n_inputs)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "the net has %d inputs, %d were given", s->n_inputs, count);
    if (n < 1 || n > s->batch)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%lld images, legal are 1 to the session's batch, %lld", (long long)n,
                           (long long)s->batch);
    for (int32_t i = 0; i < count; i++)
        if (inputs == NULL || inputs[i] == NULL)
            return dirac__fail(DIRAC_ERR_ARGUMENT, "input %d is NULL", i);
    return DIRAC_OK;
}

int32_t dirac__session_forward(dirac_session *session, const float *const *inputs, int32_t count, int64_t n)
{
    CHECK(check_forward(session, inputs, count, n));
    CHECK(dirac__net_begin_read(session->net));
    const int32_t status = dirac__run_forward(session, inputs, n);
    dirac__net_end_read(session->net);
    return status;
}

int32_t dirac_session_forward_inputs(dirac_session *session, const float *const *inputs, int32_t count, int64_t n)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(session);
    CHECK(dirac__session_enter(session));
    const int32_t status = dirac__session_forward(session, inputs, count, n);
    dirac__session_leave(session);
    return status;
}

int32_t dirac_session_forward(dirac_session *session, const float *input, int64_t n)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(session);
    CHECK_HANDLE(input);
    return dirac_session_forward_inputs(session, &input, 1, n);
}

int32_t dirac__check_forwarded(const dirac_session *s, const char *function)
{
    if (s == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: the session is NULL", function);
    if (s->n == 0)
        return dirac__fail(DIRAC_ERR_STATE, "%s: there was no forward; call dirac_session_forward() first",
                           function);
    return DIRAC_OK;
}

static void give_value(const dirac_session *s, const dirac__step *step, const float **values, size_t *count)
{
    *values = dirac__public_value(s, step);
    if (count != NULL)
        *count = (size_t)(s->n * dirac__shape_count(&step->out));
}

int32_t dirac_session_output(const dirac_session *session, int32_t index, const float **values, size_t *count)
{
    CHECK(dirac__check_forwarded(session, __func__));
    CHECK_HANDLE(values);
    if (index < 0 || (size_t)index >= session->net->n_outputs)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "the net has no output %d", index);
    give_value(session, &session->plan.steps[session->net->outputs[index]->id], values, count);
    return DIRAC_OK;
}

int32_t dirac_session_activation(const dirac_session *session, const dirac_node *node, const float **values,
                                 size_t *count)
{
    CHECK(dirac__check_forwarded(session, __func__));
    CHECK_HANDLE(values);
    if (node != NULL && node->net != session->net)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "dirac_session_activation: node \"%s\" is of another net", node->name);
    if (node == NULL || !session->keep[node->id])
        return dirac__fail(DIRAC_ERR_ARGUMENT, "node \"%s\" was not kept: call dirac_session_keep() before prepare",
                           dirac_node_name(node));
    give_value(session, &session->plan.steps[node->id], values, count);
    return DIRAC_OK;
}

/* ---- serving and looking ---- */

static bool same_layer(const dirac_node *a, const dirac_node *b)
{
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c): unused bytes are zero */
    const bool same_options = memcmp(a->layer.values, b->layer.values, sizeof a->layer.values) == 0;
    if (a->layer.kind != b->layer.kind || a->layer.rank != b->layer.rank || a->layer.n_inputs != b->layer.n_inputs ||
        !same_options || strcmp(a->name, b->name) != 0 ||
        !dirac__shape_equal(&a->shape, &b->shape) || a->n_tensors != b->n_tensors ||
        memcmp(a->tensors, b->tensors, (size_t)a->n_tensors * sizeof *a->tensors) != 0)
        return false;
    for (int32_t i = 0; i < a->layer.n_inputs; i++)
        if (a->inputs[i]->id != b->inputs[i]->id)
            return false;
    return true;
}

/* Whether a plan of one net serves the other. */
static int32_t check_same_graph(const dirac_net *a, const dirac_net *b)
{
    bool same = a->context == b->context && a->n_nodes == b->n_nodes && a->n_outputs == b->n_outputs &&
                a->n_values == b->n_values && a->n_trained == b->n_trained;
    for (size_t i = 0; same && i < a->n_outputs; i++)
        same = a->outputs[i]->id == b->outputs[i]->id;
    for (size_t i = 0; same && i < a->n_nodes; i++)
        if (!same_layer(a->nodes[i], b->nodes[i]))
            return dirac__fail(DIRAC_ERR_SHAPE, "the graphs differ at node \"%s\"", b->nodes[i]->name);
    return same ? DIRAC_OK : dirac__fail(DIRAC_ERR_SHAPE, "the graphs or the contexts of the two nets differ");
}

/* The same of nets that writers may want: whether a batch norm is frozen can change. */
static int32_t compare_graphs(const dirac_net *a, const dirac_net *b)
{
    CHECK(dirac__net_begin_read(a));
    int32_t status = dirac__net_begin_read(b);
    if (status == DIRAC_OK) {
        status = check_same_graph(a, b);
        dirac__net_end_read(b);
    }
    dirac__net_end_read(a);
    return status;
}

int32_t dirac_session_set_net(dirac_session *session, dirac_net *net)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(session);
    CHECK(dirac__check_built(net, __func__));
    CHECK(dirac__session_enter(session));
    dirac_net *old = session->net;
    int32_t status = compare_graphs(old, net);
    if (status == DIRAC_OK) {
        dirac__net_hold(net);
        session->net = net;
        session->seen_net = net;
        session->n = 0;
        session->forward_done = false;
        if (session->prepared)
            dirac__session_bind_net(session);
    }
    dirac__session_leave(session);
    if (status == DIRAC_OK)
        dirac__net_release(old);
    return status;
}

int32_t dirac_session_shape(const dirac_session *session, const dirac_node *node, int64_t *dims, int32_t *rank)
{
    CHECK_HANDLE(session);
    CHECK_HANDLE(node);
    CHECK_HANDLE(dims);
    CHECK_HANDLE(rank);
    if (!session->prepared)
        return dirac__fail(DIRAC_ERR_STATE, "dirac_session_shape: the session is not prepared");
    if (node->net != session->seen_net)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "dirac_session_shape: node \"%s\" is of another net", node->name);
    dirac__shape_dims(&session->plan.steps[node->id].out, dims, rank);
    return DIRAC_OK;
}

int64_t dirac_session_batch(const dirac_session *session)
{
    return session == NULL ? 0 : session->batch;
}

int32_t dirac_session_multiply_adds(const dirac_session *session, int64_t *multiply_adds)
{
    CHECK_HANDLE(session);
    CHECK_HANDLE(multiply_adds);
    if (!session->prepared)
        return dirac__fail(DIRAC_ERR_STATE, "dirac_session_multiply_adds: the session is not prepared");
    *multiply_adds = session->plan.multiply_adds;
    return DIRAC_OK;
}

const char *dirac_session_kernels(const dirac_session *session)
{
    return session == NULL ? "" : session->context->kernels->name;
}
