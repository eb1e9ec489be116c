/* SPDX-License-Identifier: MIT */
/* Arguments and handles from bytes. */
#include "api.h"

uint8_t api_byte(machine *m)
{
    if (m->left == 0)
        return 0;
    m->left--;
    return *m->at++;
}

int64_t api_size(machine *m)
{
    static const int64_t odd[8] = {0, -1, 9, 16, 17, 33, 1 << 24, INT64_MAX};
    const uint8_t byte = api_byte(m);
    return byte >= 248 ? odd[byte - 248] : byte % 8 + 1;
}

int32_t api_option(machine *m)
{
    static const int32_t odd[6] = {2, 3, 5, -1, 64, INT32_MAX};
    const uint8_t byte = api_byte(m);
    return byte >= 250 ? odd[byte - 250] : byte % 4 == 3 ? 2 : byte % 2;
}

double api_real(machine *m)
{
    static const double table[16] = {0, 0.5, 1, 0.1, 0.9, 2, 1e-5, 0.01, 100, -1, -0.0, 1e-41, 1e30, 1e300, NAN, INFINITY};
    return table[api_byte(m) % 16];
}

uint64_t api_seed(machine *m)
{
    return api_byte(m) * UINT64_C(0x0101010101010101);
}

const char *api_name(machine *m)
{
    static const char *const table[32] = {
        "kernel", "stride", "dilation", "padding", "channels", "groups", "bias", "form", "epsilon", "momentum", "frozen",
        "alpha", "beta", "ceil", "count_padding", "rate", "size", "k", "weight", "*", "*.weight", "conv.weight",
        "conv.alpha", "batch_norm.running_mean", "linear.bias", "a", "a.b", "mode", "slope", "", "no name!", NULL};
    return table[api_byte(m) % 32];
}

int32_t api_sizes(machine *m, int64_t dims[8])
{
    static const int32_t odd[4] = {0, -1, 5, INT32_MAX};
    const uint8_t byte = api_byte(m);
    for (int32_t i = 0; i < 4; i++)
        dims[i] = i < byte % 4 + 1 ? api_size(m) : 1;
    for (int32_t i = 4; i < 8; i++)
        dims[i] = 1;
    return byte >= 252 ? odd[byte - 252] : byte % 4 + 1;
}

dirac_context *api_pick_context(machine *m)
{
    return m->contexts[api_byte(m) % 8 == 7];
}

api_net *api_pick_net(machine *m)
{
    return &m->nets[api_byte(m) % SLOTS];
}

/* One of the last four mostly, so that chains come about. */
dirac_node *api_pick_node(machine *m, api_net *net)
{
    const uint8_t byte = api_byte(m);
    const int32_t back = byte < 192 ? byte % 2 : byte % NODES;
    return back < net->n_nodes ? net->nodes[net->n_nodes - 1 - back] : NULL;
}

api_session *api_pick_session(machine *m)
{
    return &m->sessions[api_byte(m) % SLOTS];
}

void api_drop_net(api_net *net)
{
    dirac_net_destroy(net->net);
    *net = (api_net){0};
}

void api_drop_session(api_session *session)
{
    dirac_session_destroy(session->session);
    *session = (api_session){0};
}

void api_drop_buffer(api_buffer *buffer)
{
    dirac_buffer_free(buffer->context, buffer->data, buffer->size);
    dirac_net_destroy(buffer->holder);
    *buffer = (api_buffer){0};
}
