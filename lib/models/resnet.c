/* SPDX-License-Identifier: MIT */
/*
 * The residual nets that DiracNets are compared with: pre-activation and wide ones for CIFAR (He et al. 2016,
 * "Identity Mappings in Deep Residual Networks"; Zagoruyko & Komodakis 2016), and the first ones for ImageNet
 * (He et al. 2015, in the form that torchvision has made the usual one).
 */
#include "models/model.h"

#include "base/fail.h"

/* What the blocks of a CIFAR net share. */
typedef struct {
    int32_t bottleneck, form;
} block_kind;

/* Batch norm "bn{i}", ReLU. */
static dirac_node *activate(dirac_net *net, dirac_node *x, int32_t i)
{
    return dirac_net_relu(net, dirac__model_numbered(dirac_net_batch_norm(net, x), "bn", i));
}

/*
 * One pre-activation block. Where the channels change, both ways start from the first batch norm and ReLU; elsewhere the
 * skip is the block's input itself. The stride is the first convolution's, as in He's published program.
 */
static dirac_node *add_cifar_block(dirac_net *net, dirac_node *x, int64_t in, int64_t channels,
                                   int64_t stride, block_kind kind)
{
    int64_t out = kind.bottleneck ? 4 * channels : channels;
    dirac_node *first = activate(net, x, 0), *skip = x, *y = first;
    if (kind.bottleneck) {
        y = dirac__model_named(dirac__model_conv(net, y, channels, 1, stride, kind.form), "conv0");
        y = dirac__model_conv(net, activate(net, y, 1), channels, 3, 1, kind.form);
        y = activate(net, dirac__model_named(y, "conv1"), 2);
        y = dirac__model_named(dirac__model_conv(net, y, out, 1, 1, kind.form), "conv2");
    } else {
        y = dirac__model_named(dirac__model_conv(net, y, channels, 3, stride, kind.form), "conv0");
        y = dirac__model_conv(net, activate(net, y, 1), channels, 3, 1, kind.form);
        dirac__model_named(y, "conv1");
    }
    if (in != out) {
        skip = dirac__model_conv(net, first, out, 1, stride, DIRAC_FORM_PLAIN);
        dirac__model_named(skip, "projection");
    }
    return dirac_net_add(net, y, skip);
}

dirac_node *dirac_model_resnet_cifar(dirac_net *net, dirac_node *x, int32_t depth, double width,
                                     int64_t classes, int32_t bottleneck, int32_t form)
{
    DIRAC__HOLD_FLOATS();
    static const char model[] = "dirac_model_resnet_cifar";
    int32_t n = 0, status = 0;
    if (bottleneck != 0 && bottleneck != 1) {
        status = dirac__fail(DIRAC_ERR_ARGUMENT, "%s: bottleneck is %d, must be 0 or 1", model,
                             (int)bottleneck);
        return dirac__model_refuse(net, status);
    }
    if (!dirac__model_depth(model, depth, bottleneck ? 9 : 6, bottleneck ? 2 : 4, &n, &status) ||
        !dirac__model_width(model, width, 16, bottleneck ? 256 : 64, &status) ||
        !dirac__model_form(model, form, &status))
        return dirac__model_refuse(net, status);

    block_kind kind = {bottleneck, form};
    int64_t in = 16;
    x = dirac__model_named(dirac__model_conv(net, x, in, 3, 1, DIRAC_FORM_PLAIN), "conv");
    for (int32_t g = 0; g < 3; g++) {
        int64_t channels = dirac__model_channels(width, INT64_C(16) << g);
        for (int32_t b = 0; b < n && x != NULL; b++) {
            dirac__model_push_block(net, g, b);
            x = add_cifar_block(net, x, in, channels, g > 0 && b == 0 ? 2 : 1, kind);
            dirac_net_pop_scope(net);
            in = bottleneck ? 4 * channels : channels;
        }
    }
    x = dirac__model_named(dirac_net_batch_norm(net, x), "bn");
    return dirac__model_head(net, x, classes);
}

/* conv, batch norm, ReLU, conv, batch norm, plus the skip; the ReLU after the sum is the caller's. */
static dirac_node *add_imagenet_block(dirac_net *net, dirac_node *x, int64_t in, int64_t channels,
                                      int64_t stride, int32_t form)
{
    dirac_node *skip = x, *y = dirac__model_conv(net, x, channels, 3, stride, form);
    y = activate(net, dirac__model_named(y, "conv0"), 0);
    y = dirac__model_named(dirac__model_conv(net, y, channels, 3, 1, form), "conv1");
    y = dirac__model_named(dirac_net_batch_norm(net, y), "bn1");
    if (stride != 1 || in != channels) {
        skip = dirac__model_conv(net, x, channels, 1, stride, DIRAC_FORM_PLAIN);
        skip = dirac_net_batch_norm(net, dirac__model_named(skip, "projection"));
        dirac__model_named(skip, "projection_bn");
    }
    return dirac_net_add(net, y, skip);
}

dirac_node *dirac_model_resnet_imagenet(dirac_net *net, dirac_node *x, int32_t depth, double width,
                                        int64_t classes, int32_t form)
{
    DIRAC__HOLD_FLOATS();
    static const char model[] = "dirac_model_resnet_imagenet";
    static const int32_t blocks[2][4] = {{2, 2, 2, 2}, {3, 4, 6, 3}};
    int32_t status = 0;
    if (!dirac__model_18_or_34(model, depth, &status) ||
        !dirac__model_width(model, width, 64, 512, &status) ||
        !dirac__model_form(model, form, &status))
        return dirac__model_refuse(net, status);

    int64_t in = dirac__model_channels(width, 64);
    x = dirac__model_imagenet_stem(net, x, in, true);
    for (int32_t g = 0; g < 4; g++) {
        int64_t channels = dirac__model_channels(width, INT64_C(64) << g);
        for (int32_t b = 0; b < blocks[depth == 34][g] && x != NULL; b++) {
            bool last = g == 3 && b == blocks[depth == 34][g] - 1;
            dirac__model_push_block(net, g, b);
            x = add_imagenet_block(net, x, in, channels, g > 0 && b == 0 ? 2 : 1, form);
            if (!last) /* the last one's ReLU is the head's */
                x = dirac_net_relu(net, x);
            dirac_net_pop_scope(net);
            in = channels;
        }
    }
    return dirac__model_head(net, x, classes);
}
