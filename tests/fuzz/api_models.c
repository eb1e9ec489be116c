/* SPDX-License-Identifier: MIT */
/* The models, one operation each: those whose width can be small are nets to work with, the others run out of memory at
 * build. */
#include "api.h"

enum { MODELS = 9 };

static dirac_node *add_model(machine *m, dirac_net *net, dirac_node *x, uint8_t which)
{
    static const double small[4] = {0.0625, 0.125, 0.25, 0.3};
    const uint8_t odd = api_byte(m); /* an illegal argument now and then */
    const int64_t classes = api_size(m);
    const int32_t form = odd < 232 ? odd % 4 : api_option(m), n = odd % 3;
    const double width = odd < 240 ? small[odd / 4 % 4] : api_real(m);
    switch (which) {
    case 0: return dirac_model_diracnet_cifar(net, x, odd < 248 ? 6 * n + 4 : odd, width, classes, form);
    case 1: return dirac_model_resnet_cifar(net, x, odd < 248 ? 6 * n + 4 : odd, width, classes, 0, form);
    case 2: return dirac_model_resnet_cifar(net, x, odd < 248 ? 9 * n + 2 : odd, width, classes, 1, form);
    case 3: return dirac_model_diracnet_imagenet(net, x, odd < 248 ? 18 : 34, width / 4, classes, form);
    case 4: return dirac_model_resnet_imagenet(net, x, odd < 248 ? 18 : 34, width / 4, classes, form);
    case 5: return dirac_model_vgg16_cifar(net, x, classes);
    case 6: return odd % 2 ? dirac_model_vgg16_imagenet(net, x, classes) : dirac_model_vgg_cnn_s(net, x, classes);
    case 7: return dirac_model_nin(net, x, classes);
    default: return dirac_model_elu(net, x, classes);
    }
}

/* Nodes are reached from the last one backwards; those in the middle are known by the slot as well. */
static void keep_all(api_net *net)
{
    const int64_t nodes = dirac_net_node_count(net->net);
    net->n_nodes = 0;
    for (int64_t i = nodes > NODES ? nodes - NODES : 0; i < nodes; i++)
        net->nodes[net->n_nodes++] = dirac_net_node(net->net, i);
}

static void whole(machine *m)
{
    static const int64_t sizes[4] = {4, 8, 16, 32};
    api_net *net = api_pick_net(m);
    const uint8_t which = api_byte(m);
    api_drop_net(net);
    fuzz_status(dirac_net_create(&net->net, m->contexts[0]));
    const int64_t channels = api_size(m), h = sizes[which / 16 % 4], w = sizes[which / 64];
    dirac_node *x = add_model(m, net->net, dirac_net_input2d(net->net, channels, h, w), which % 16 % MODELS);
    dirac_net_output(net->net, x);
    fuzz_status(dirac_net_build(net->net));
    keep_all(net);
}

/* Behind whatever the net has. */
static void part(machine *m)
{
    api_net *net = api_pick_net(m);
    dirac_node *x = api_pick_node(m, net);
    x = add_model(m, net->net, x, api_byte(m) % MODELS);
    if (net->n_nodes < NODES)
        net->nodes[net->n_nodes++] = x;
}

const operation api_model_operations[] = {whole, whole, part, NULL};
