/* SPDX-License-Identifier: MIT */
/* Sessions: options, forward, loss, backward, gradients. */
#include "api.h"

static void learn_inputs(api_session *s, const dirac_net *net)
{
    s->n_inputs = dirac_net_input_count(net) < INPUTS ? dirac_net_input_count(net) : INPUTS;
    for (int32_t i = 0; i < s->n_inputs; i++) {
        int64_t dims[4];
        int32_t rank = 0;
        if (dirac_node_shape(dirac_net_input_node(net, i), dims, &rank) != DIRAC_OK)
            rank = 0;
        s->channels[i] = rank > 0 ? dims[0] : 1;
        s->elements[i] = 1;
        for (int32_t j = 0; j < rank; j++)
            s->elements[i] *= (size_t)dims[j];
    }
}

static void create(machine *m)
{
    api_session *s = api_pick_session(m);
    api_net *net = api_pick_net(m);
    api_drop_session(s);
    const uint8_t mode = api_byte(m);
    fuzz_status(dirac_session_create(&s->session, net->net, mode > 250 ? 7 : mode % 4 != 0));
    learn_inputs(s, net->net);
}

static void destroy(machine *m)
{
    api_drop_session(api_pick_session(m));
}

static void set_input_size(machine *m, api_session *s)
{
    int64_t size[8];
    const int32_t index = api_byte(m) % 8 == 7 ? -1 : api_byte(m) % INPUTS, rank = api_sizes(m, size) % 8;
    const int32_t status = dirac_session_set_input_size(s->session, index, size, rank);
    fuzz_status(status);
    if (status != DIRAC_OK)
        return;
    s->elements[index] = (size_t)s->channels[index];
    for (int32_t i = 0; i < rank; i++)
        if (__builtin_mul_overflow(s->elements[index], (size_t)size[i], &s->elements[index]))
            s->elements[index] = SIZE_MAX / 2;
}

static void set_option(machine *m)
{
    api_session *s = api_pick_session(m);
    switch (api_byte(m) % 8) {
    case 0: set_input_size(m, s); break;
    case 1: fuzz_status(dirac_session_keep(s->session, api_pick_node(m, api_pick_net(m)))); break;
    case 2: fuzz_status(dirac_session_set_input_gradients(s->session, api_option(m))); break;
    case 3: fuzz_status(dirac_session_set_seed(s->session, api_seed(m))); break;
    case 4: fuzz_status(dirac_session_set_strict(s->session, api_option(m))); break;
    case 5: fuzz_status(dirac_session_set_label_smoothing(s->session, (float)api_real(m))); break;
    case 6: fuzz_status(dirac_session_set_lean(s->session, api_option(m))); break;
    default: fuzz_status(dirac_session_set_batch(s->session, api_size(m))); break;
    }
}

static void prepare(machine *m)
{
    api_session *s = api_pick_session(m);
    size_t bytes = 0;
    int64_t cost;
    const int32_t told = dirac_session_bytes(s->session, &bytes);
    fuzz_status(told);
    const int32_t status = dirac_session_prepare(s->session);
    fuzz_status(status);
    FUZZ_CHECK(told == DIRAC_OK || status != DIRAC_OK || m->memory.fail_at != 0);
    fuzz_status(dirac_session_multiply_adds(s->session, &cost));
    FUZZ_CHECK(dirac_session_batch(s->session) >= (s->session != NULL));
    (void)dirac_session_kernels(s->session);
}

/* Whether a forward is cheap and the inputs long enough. */
static bool may_run(const api_session *s, int64_t n)
{
    int64_t cost = 0;
    if (s->session != NULL && n <= dirac_session_batch(s->session))
        for (int32_t i = 0; i < s->n_inputs; i++)
            if (n > 0 && s->elements[i] > NUMBERS / 2 / (size_t)n)
                return false;
    return dirac_session_multiply_adds(s->session, &cost) != DIRAC_OK || cost * (n < 64 ? n : 64) < 1 << 20;
}

static void forward(machine *m)
{
    api_session *s = api_pick_session(m);
    const float *inputs[INPUTS];
    const int64_t n = api_size(m);
    if (!may_run(s, n))
        return;
    for (int32_t i = 0; i < INPUTS; i++)
        inputs[i] = m->numbers + api_byte(m);
    if (s->n_inputs > 1 || api_byte(m) > 240)
        fuzz_status(dirac_session_forward_inputs(s->session, inputs, s->n_inputs, n));
    else
        fuzz_status(dirac_session_forward(s->session, inputs[0], n));
}

/* The shapes of the newest node of each net: of one net at most can they be asked. */
static void look_at_shapes(const machine *m, const dirac_session *session)
{
    for (int32_t i = 0; i < SLOTS; i++) {
        const api_net *net = &m->nets[i];
        const dirac_node *node = net->n_nodes > 0 ? net->nodes[net->n_nodes - 1] : NULL;
        int64_t dims[4] = {0};
        int32_t rank = 0;
        const int32_t status = dirac_session_shape(session, node, dims, &rank);
        fuzz_status(status);
        FUZZ_CHECK(status != DIRAC_OK || (rank >= 1 && rank <= 4 && dims[0] >= 1 && dims[rank - 1] >= 1));
    }
}

static void look(machine *m)
{
    api_session *s = api_pick_session(m);
    look_at_shapes(m, s->session);
    const float *values = NULL;
    size_t count = 0;
    volatile float sum = 0;
    int32_t status;
    switch (api_byte(m) % 3) {
    case 0: status = dirac_session_output(s->session, api_option(m), &values, &count); break;
    case 1: status = dirac_session_activation(s->session, api_pick_node(m, api_pick_net(m)), &values, &count); break;
    default: status = dirac_session_input_gradient(s->session, api_option(m), &values, &count); break;
    }
    fuzz_status(status);
    for (size_t i = 0; status == DIRAC_OK && i < count; i++)
        sum += values[i];
    (void)sum;
}

static void loss(machine *m)
{
    api_session *s = api_pick_session(m);
    const float *values;
    size_t count = 0;
    float result;
    int64_t correct;
    const int32_t shift = api_byte(m) > 200 ? 5 : 0;
    if (dirac_session_output(s->session, 0, &values, &count) != DIRAC_OK || count > NUMBERS / 2)
        return;
    switch (api_byte(m) % 4) {
    case 0: fuzz_status(dirac_session_cross_entropy_soft(s->session, m->numbers, &result)); break;
    case 1: fuzz_status(dirac_session_count_correct(s->session, m->labels + shift, &correct)); break;
    case 2: fuzz_status(dirac_session_set_class_weights(s->session, api_option(m) ? m->numbers : NULL, api_size(m) & 15)); break;
    default: fuzz_status(dirac_session_cross_entropy(s->session, m->labels + shift, &result)); break;
    }
}

static void backward(machine *m)
{
    api_session *s = api_pick_session(m);
    const int32_t index = api_option(m);
    const float *values;
    size_t count = 0;
    int64_t cost = 0;
    if (dirac_session_multiply_adds(s->session, &cost) == DIRAC_OK && cost > 1 << 18)
        return;
    if (api_byte(m) % 2 && dirac_session_output(s->session, index, &values, &count) == DIRAC_OK && count < NUMBERS)
        fuzz_status(dirac_session_set_output_gradient(s->session, index, m->numbers, count - (api_byte(m) > 250)));
    fuzz_status(dirac_session_backward(s->session));
}

static void gradients(machine *m)
{
    api_session *s = api_pick_session(m);
    float *values;
    size_t count;
    switch (api_byte(m) % 5) {
    case 0: fuzz_status(dirac_session_clear_gradients(s->session)); break;
    case 1: fuzz_status(dirac_session_add_gradients(s->session, api_pick_session(m)->session)); break;
    case 2: fuzz_status(dirac_session_gradient_read(s->session, api_name(m), m->numbers + NUMBERS / 2, api_byte(m))); break;
    case 3: fuzz_status(dirac_session_commit_statistics(s->session)); break;
    default:
        if (dirac_session_gradients(s->session, &values, &count) == DIRAC_OK && count > 0)
            values[api_byte(m) % count] = (float)api_real(m);
        break;
    }
}

static void check_gradients(machine *m)
{
    api_session *s = api_pick_session(m);
    double worst;
    int64_t cost = 0;
    const int64_t n = api_size(m);
    if (dirac_session_multiply_adds(s->session, &cost) == DIRAC_OK && cost > 1 << 12)
        return;
    if (s->n_inputs <= 1 && may_run(s, n))
        fuzz_status(dirac_session_check_gradients(s->session, m->numbers, n, api_option(m) % 4, api_real(m), &worst));
}

static void swap(machine *m)
{
    api_session *s = api_pick_session(m);
    fuzz_status(dirac_session_set_net(s->session, api_pick_net(m)->net));
}

/* A session on a net of the shortcut, ready. */
static void shortcut(machine *m)
{
    api_session *s = api_pick_session(m);
    api_net *net = api_pick_net(m);
    api_drop_session(s);
    fuzz_status(dirac_session_create(&s->session, net->net, api_byte(m) % 4 != 0));
    learn_inputs(s, net->net);
    fuzz_status(dirac_session_set_batch(s->session, 3));
    fuzz_status(dirac_session_prepare(s->session));
}

const operation api_session_operations[] = {create, destroy, set_option, set_option, prepare, forward, forward, forward, look,
                                            loss, loss, backward, backward, gradients, check_gradients, swap, shortcut,
                                            shortcut, NULL};
