/* SPDX-License-Identifier: MIT */
/* Building nets. */
#include "api.h"

static void create(machine *m)
{
    api_net *net = api_pick_net(m);
    api_drop_net(net);
    fuzz_status(dirac_net_create(&net->net, api_pick_context(m)));
}

static void destroy(machine *m)
{
    api_drop_net(api_pick_net(m));
}

static dirac_node *keep(api_net *net, dirac_node *node)
{
    if (net->n_nodes < NODES)
        net->nodes[net->n_nodes++] = node;
    return node;
}

static void add_input(machine *m)
{
    api_net *net = api_pick_net(m);
    const uint8_t rank = api_byte(m) % 4;
    const int64_t c = api_size(m), d = rank > 0 ? api_size(m) : 1, h = rank > 1 ? api_size(m) : 1,
                  w = rank > 2 ? api_size(m) : 1;
    if (dirac_net_input_count(net->net) >= INPUTS)
        return;
    keep(net, rank == 0   ? dirac_net_input(net->net, c)
              : rank == 1 ? dirac_net_input1d(net->net, c, d)
              : rank == 2 ? dirac_net_input2d(net->net, c, d, h)
                          : dirac_net_input3d(net->net, c, d, h, w));
}

static void add_windowed(machine *m)
{
    typedef dirac_node *(*conv_fn)(dirac_net *, dirac_node *, int64_t, int64_t);
    typedef dirac_node *(*pool_fn)(dirac_net *, dirac_node *, int64_t);
    static const conv_fn convs[6] = {dirac_net_conv1d, dirac_net_conv2d, dirac_net_conv3d, dirac_net_dirac_conv1d,
                                     dirac_net_dirac_conv2d, dirac_net_dirac_conv3d};
    static const pool_fn pools[6] = {dirac_net_max_pool1d, dirac_net_max_pool2d, dirac_net_max_pool3d,
                                     dirac_net_average_pool1d, dirac_net_average_pool2d, dirac_net_average_pool3d};
    api_net *net = api_pick_net(m);
    dirac_node *x = api_pick_node(m, net);
    const uint8_t which = api_byte(m) % 16;
    const int64_t channels = api_size(m), kernel = api_size(m);
    keep(net, which < 10 ? convs[which < 6 ? which : 4](net->net, x, channels, kernel)
                         : pools[which - 10](net->net, x, kernel));
}

static void add_plain(machine *m)
{
    api_net *net = api_pick_net(m);
    dirac_net *n = net->net;
    dirac_node *x = api_pick_node(m, net), *y = NULL;
    switch (api_byte(m) % 16) {
    case 0: y = dirac_net_linear(n, x, api_size(m)); break;
    case 1: y = dirac_net_dirac_linear(n, x, api_size(m)); break;
    case 2:
    case 3: y = dirac_net_batch_norm(n, x); break;
    case 4:
    case 5: y = dirac_net_relu(n, x); break;
    case 6: y = dirac_net_ncrelu(n, x); break;
    case 7: y = dirac_net_elu(n, x); break;
    case 8: y = dirac_net_global_average_pool(n, x); break;
    case 9: y = dirac_net_dropout(n, x, (float)api_real(m)); break;
    case 10: y = dirac_net_local_response_norm(n, x, api_size(m)); break;
    case 11: y = dirac_net_flatten(n, x); break;
    case 12: y = dirac_net_softmax(n, x); break;
    default: y = dirac_net_add(n, x, api_pick_node(m, net)); break;
    }
    keep(net, y);
}

static void add_joined(machine *m)
{
    api_net *net = api_pick_net(m);
    dirac_node *inputs[3] = {api_pick_node(m, net), api_pick_node(m, net), api_pick_node(m, net)};
    const int32_t count = api_byte(m) % 4;
    if (api_byte(m) % 2)
        keep(net, dirac_net_concat(net->net, inputs, count));
    else
        keep(net, dirac_net_custom(net->net, m->kinds[api_byte(m) % 2], inputs, count));
}

/* A whole model in a few bytes. */
static void add_model(machine *m)
{
    api_net *net = api_pick_net(m);
    dirac_node *x = api_pick_node(m, net);
    const int32_t form = api_option(m);
    switch (api_byte(m) % 4) {
    case 0: keep(net, dirac_model_diracnet_cifar(net->net, x, 10, 0.125, api_size(m), form)); break;
    case 1: keep(net, dirac_model_resnet_cifar(net->net, x, 10, 0.125, api_size(m), api_option(m), form)); break;
    case 2: keep(net, dirac_model_diracnet_cifar(net->net, x, api_option(m), api_real(m), 2, form)); break;
    default: keep(net, dirac_model_diracnet_imagenet(net->net, x, 18, 0.02, api_size(m), form)); break;
    }
}

static void add_output(machine *m)
{
    api_net *net = api_pick_net(m);
    dirac_net_output(net->net, api_pick_node(m, net));
}

static void scope(machine *m)
{
    api_net *net = api_pick_net(m);
    fuzz_status(api_byte(m) % 2 ? dirac_net_push_scope(net->net, api_name(m)) : dirac_net_pop_scope(net->net));
}

static void build(machine *m)
{
    api_net *net = api_pick_net(m);
    fuzz_status(dirac_net_set_seed(net->net, api_seed(m)));
    fuzz_status(dirac_net_build(net->net));
}

/* Input, convolution, output, built: where most sequences get to quickly. */
static void shortcut(machine *m)
{
    api_net *net = api_pick_net(m);
    api_drop_net(net);
    fuzz_status(dirac_net_create(&net->net, m->contexts[0]));
    dirac_node *x = keep(net, dirac_net_input2d(net->net, api_size(m), api_size(m), api_size(m)));
    x = keep(net, dirac_net_dirac_conv2d(net->net, x, api_size(m), api_size(m)));
    x = keep(net, dirac_net_relu(net->net, keep(net, dirac_net_batch_norm(net->net, x))));
    if (api_byte(m) % 2)
        x = keep(net, dirac_net_linear(net->net, keep(net, dirac_net_flatten(net->net, x)), api_size(m)));
    dirac_net_output(net->net, x);
    fuzz_status(dirac_net_build(net->net));
}

static void copy(machine *m)
{
    api_net *from = api_pick_net(m), *to = api_pick_net(m);
    dirac_net *made = NULL;
    fuzz_status(api_byte(m) % 2 ? dirac_net_clone(&made, from->net) : dirac_net_fold(&made, from->net));
    api_drop_net(to);
    to->net = made;
    for (int64_t i = 0; i < dirac_net_node_count(made); i++)
        keep(to, dirac_net_node(made, i));
}

static void compare(machine *m)
{
    api_net *a = api_pick_net(m), *b = api_pick_net(m);
    int64_t dims[4], elements = 1;
    int32_t rank = 0;
    double difference;
    if (dirac_node_shape(dirac_net_input_node(a->net, 0), dims, &rank) == DIRAC_OK)
        for (int32_t i = 0; i < rank && elements < NUMBERS; i++)
            elements *= dims[i];
    if (elements <= NUMBERS / 2 && dirac_net_multiply_adds(a->net) < 1 << 20)
        fuzz_status(dirac_net_compare(a->net, b->net, m->numbers, api_option(m) % 3, NULL, NULL, &difference));
}

const operation api_net_operations[] = {create, destroy, add_input, add_windowed, add_windowed, add_plain, add_plain, add_plain,
                                        add_joined, add_model, add_output, scope, build, build, shortcut, shortcut, copy,
                                        compare, NULL};
