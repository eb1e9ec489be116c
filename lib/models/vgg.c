/* SPDX-License-Identifier: MIT */
/* The VGG nets: VGG-16 in its CIFAR and ImageNet forms, and VGG-CNN-S. */
#include "models/model.h"

/* VGG-16's thirteen convolutions, a max-pool after each of its five stages; `normed`: with batch norm before ReLU. */
static dirac_node *add_vgg16_features(dirac_net *net, dirac_node *x, bool normed)
{
    static const struct {
        int32_t layers;
        int64_t channels;
    } stages[5] = {{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}};
    int32_t i = 0;
    for (int32_t s = 0; s < 5; s++) {
        for (int32_t layer = 0; layer < stages[s].layers; layer++, i++) {
            x = dirac__model_conv_bias(net, x, stages[s].channels, 3, i);
            if (normed)
                x = dirac__model_numbered(dirac_net_batch_norm(net, x), "bn", i);
            x = dirac_net_relu(net, x);
        }
        x = dirac_net_max_pool2d(net, x, 2);
    }
    return x;
}

/* Linear 4096, ReLU, dropout 0.5; named `name`. */
static dirac_node *add_hidden(dirac_net *net, dirac_node *x, const char *name)
{
    x = dirac__model_named(dirac_net_linear(net, x, 4096), name);
    return dirac_net_dropout(net, dirac_net_relu(net, x), 0.5f);
}

dirac_node *dirac_model_vgg16_cifar(dirac_net *net, dirac_node *x, int64_t classes)
{
    DIRAC__HOLD_FLOATS();
    /* The usual network keeps the convolutions' biases although batch norm undoes them: 4,224 of its 14,991,946. */
    x = dirac_net_flatten(net, add_vgg16_features(net, x, true));
    x = dirac__model_named(dirac_net_linear(net, x, 512), "fc0");
    x = dirac__model_named(dirac_net_batch_norm(net, x), "bn13");
    return dirac__model_named(dirac_net_linear(net, dirac_net_relu(net, x), classes), "fc");
}

dirac_node *dirac_model_vgg16_imagenet(dirac_net *net, dirac_node *x, int64_t classes)
{
    DIRAC__HOLD_FLOATS();
    x = dirac_net_flatten(net, add_vgg16_features(net, x, false));
    x = add_hidden(net, add_hidden(net, x, "fc0"), "fc1");
    return dirac__model_named(dirac_net_linear(net, x, classes), "fc");
}

dirac_node *dirac_model_vgg_cnn_s(dirac_net *net, dirac_node *x, int64_t classes)
{
    DIRAC__HOLD_FLOATS();
    /* As the authors' published description of the trained net has it: neither of the first two convolutions pads, and
     * pooling rounds up, so that 224 x 224 reaches fc6 as 6 x 6. Names are theirs. */
    x = dirac__model_conv_bias(net, x, 96, 7, 1);
    dirac__model_set(dirac__model_set(x, "stride", 2), "padding", 0);
    x = dirac__model_named(dirac_net_local_response_norm(net, dirac_net_relu(net, x), 5), "norm1");
    if (x != NULL) {
        dirac_node_set_float(x, "alpha", 5e-4);
        dirac_node_set_float(x, "beta", 0.75);
        dirac_node_set_float(x, "k", 2.0);
    }
    x = dirac__model_max_pool(net, x, 3, 3, 1);
    x = dirac__model_set(dirac__model_conv_bias(net, x, 256, 5, 2), "padding", 0);
    x = dirac__model_max_pool(net, dirac_net_relu(net, x), 2, 2, 1);
    for (int32_t i = 3; i <= 5; i++)
        x = dirac_net_relu(net, dirac__model_conv_bias(net, x, 512, 3, i));
    x = dirac_net_flatten(net, dirac__model_max_pool(net, x, 3, 3, 1));
    x = add_hidden(net, add_hidden(net, x, "fc6"), "fc7");
    return dirac__model_named(dirac_net_linear(net, x, classes), "fc8");
}
