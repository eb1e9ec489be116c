/* SPDX-License-Identifier: MIT */
/*
 * DiracNets, version 2 of the paper's section 3: groups of ReLU -> 3x3 convolution of a weight form -> batch norm, with
 * max-pool 2 between the groups. Their plain twins are the same nets with another form.
 */
#include "models/model.h"

/* `blocks` blocks of group `group`. */
static dirac_node *add_group(dirac_net *net, dirac_node *x, int32_t group, int32_t blocks,
                             int64_t channels, int32_t form)
{
    for (int32_t b = 0; b < blocks && x != NULL; b++) {
        dirac__model_push_block(net, group, b);
        x = dirac_net_relu(net, x);
        x = dirac__model_named(dirac__model_conv(net, x, channels, 3, 1, form), "conv");
        x = dirac__model_named(dirac_net_batch_norm(net, x), "bn");
        dirac_net_pop_scope(net);
    }
    return x;
}

dirac_node *dirac_model_diracnet_cifar(dirac_net *net, dirac_node *x, int32_t depth, double width,
                                       int64_t classes, int32_t form)
{
    DIRAC__HOLD_FLOATS();
    static const char model[] = "dirac_model_diracnet_cifar";
    int32_t n = 0, status = 0;
    if (!dirac__model_depth(model, depth, 6, 4, &n, &status) ||
        !dirac__model_width(model, width, 16, 64, &status) ||
        !dirac__model_form(model, form, &status))
        return dirac__model_refuse(net, status);

    /* The stem's ReLU is the one that the first block begins with. */
    x = dirac__model_conv(net, x, dirac__model_channels(width, 16), 3, 1, DIRAC_FORM_PLAIN);
    x = dirac_net_batch_norm(net, dirac__model_named(x, "conv"));
    dirac__model_named(x, "bn");
    for (int32_t g = 0; g < 3; g++) {
        if (g > 0)
            x = dirac_net_max_pool2d(net, x, 2);
        x = add_group(net, x, g, 2 * n, dirac__model_channels(width, INT64_C(16) << g), form);
    }
    return dirac__model_head(net, x, classes);
}

dirac_node *dirac_model_diracnet_imagenet(dirac_net *net, dirac_node *x, int32_t depth,
                                          double width, int64_t classes, int32_t form)
{
    DIRAC__HOLD_FLOATS();
    static const char model[] = "dirac_model_diracnet_imagenet";
    static const int32_t blocks[2][4] = {{4, 4, 4, 4}, {6, 8, 12, 6}};
    int32_t status = 0;
    if (!dirac__model_18_or_34(model, depth, &status) ||
        !dirac__model_width(model, width, 64, 512, &status) ||
        !dirac__model_form(model, form, &status))
        return dirac__model_refuse(net, status);

    x = dirac__model_imagenet_stem(net, x, dirac__model_channels(width, 64), false);
    for (int32_t g = 0; g < 4; g++) {
        if (g > 0)
            x = dirac_net_max_pool2d(net, x, 2);
        x = add_group(net, x, g, blocks[depth == 34][g],
                      dirac__model_channels(width, INT64_C(64) << g), form);
    }
    return dirac__model_head(net, x, classes);
}
