/* SPDX-License-Identifier: MIT */
/* Two nets for 32x32 that the paper's tables quote: network in network, and the 18-layer ELU net. */
#include "models/model.h"

#include <stddef.h>

dirac_node *dirac_model_nin(dirac_net *net, dirac_node *x, int64_t classes)
{
    DIRAC__HOLD_FLOATS();
    const struct {
        int64_t channels, kernel;
    } layers[9] = {{192, 5}, {160, 1}, {96, 1},  {192, 5},    {192, 1},
                   {192, 1}, {192, 3}, {192, 1}, {classes, 1}};
    for (int32_t i = 0; i < 9; i++) {
        x = dirac_net_relu(net,
                           dirac__model_conv_bias(net, x, layers[i].channels, layers[i].kernel, i));
        if (i != 2 && i != 5)
            continue;
        x = i == 2 ? dirac_net_max_pool2d(net, x, 3) : dirac_net_average_pool2d(net, x, 3);
        dirac__model_set(x, "stride", 2);
        if (x != NULL)
            dirac_node_set_int(x, "ceil", 1);
        x = dirac_net_dropout(net, x, 0.5f);
    }
    return dirac_net_global_average_pool(net, x);
}

/*
 * Every convolution keeps the size ("same" padding; an even kernel has one tap more before than after). The five pools
 * leave 1 x 1, and the paper does not say how its 2x2 kernels fit there: here they stay, seeing padding with three of
 * their four taps, so that the numbers of parameters are those the paper's notation gives.
 */
dirac_node *dirac_model_elu(dirac_net *net, dirac_node *x, int64_t classes)
{
    DIRAC__HOLD_FLOATS();
    enum { STACKS = 8, PARTS = 3 };
    const struct {
        int32_t layers;
        int64_t channels, kernel;
    } stacks[STACKS][PARTS] = {
        {{1, 384, 3}, {0, 0, 0}, {0, 0, 0}},    {{1, 384, 1}, {1, 384, 2}, {2, 640, 2}},
        {{1, 640, 1}, {3, 768, 2}, {0, 0, 0}},  {{1, 768, 1}, {2, 896, 2}, {0, 0, 0}},
        {{1, 896, 3}, {2, 1024, 2}, {0, 0, 0}}, {{1, 1024, 1}, {1, 1152, 2}, {0, 0, 0}},
        {{1, 1152, 1}, {0, 0, 0}, {0, 0, 0}},   {{1, classes, 1}, {0, 0, 0}, {0, 0, 0}},
    };
    static const float rates[STACKS] = {0.0f, 0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.0f, 0.0f};
    for (int32_t s = 0, i = 0; s < STACKS; s++) {
        for (int32_t p = 0; p < PARTS; p++)
            for (int32_t layer = 0; layer < stacks[s][p].layers; layer++, i++)
                x = dirac_net_elu(net, dirac__model_conv_bias(net, x, stacks[s][p].channels,
                                                              stacks[s][p].kernel, i));
        if (s < 5)
            x = dirac_net_max_pool2d(net, x, 2);
        if (rates[s] > 0.0f)
            x = dirac_net_dropout(net, x, rates[s]);
    }
    return dirac_net_global_average_pool(net, x);
}
