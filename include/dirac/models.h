/* SPDX-License-Identifier: MIT */
/**
 * @file models.h  The paper's networks and those it compares with, written with the calls of net.h alone.
 *
 * Each adds its layers after `x` and returns its logits (N, classes) without declaring an output, so that a model may be
 * a part of a larger net; use dirac_net_push_scope() to prefix its names. Mistakes are sticky, as in net.h.
 * Exact parameter counts of the usual sizes stand with each. Everything here: since 0.1.
 */
#ifndef DIRAC_MODELS_H
#define DIRAC_MODELS_H

#include "net.h"

DIRAC_BEGIN

/**
 * The CIFAR DiracNet (section 3, version 2): with N = (depth - 4) / 6 and k = width: conv 3x3 to 16k, batch norm, ReLU;
 * 2N blocks at 16k, max-pool 2; 2N at 32k, max-pool 2; 2N at 64k; ReLU; global average pool; linear.
 * Block: ReLU, 3x3 convolution of the given form without bias, batch norm.
 * @param x (N, C, H, W), any C; H and W at least 4 (32 in the paper).
 * @param depth 6N + 4, N >= 1. @param width > 0, may be fractional (channels are cut to integers).
 * @param form DIRAC_FORM_NORMALIZED_DELTA for a DiracNet, DIRAC_FORM_PLAIN for its plain twin, or another.
 * Names: conv, bn, group{g}.block{b}.conv, group{g}.block{b}.bn, fc.
 * 10 classes: 34-1 466,394; 28-10 36,450,090; plain 34-1 464,154.
 */
DIRAC_API dirac_node *dirac_model_diracnet_cifar(dirac_net *net, dirac_node *x, int32_t depth, double width,
                                                 int64_t classes, int32_t form);
/**
 * ResNet and wide ResNet with identity mappings for CIFAR (He et al. 2016, Zagoruyko & Komodakis 2016): conv 3x3 to 16;
 * three groups at 16k, 32k, 64k of pre-activation blocks, the first of groups 1 and 2 with stride 2; batch norm, ReLU,
 * global average pool, linear. A block that changes the channels takes its 1x1 projection from its first BN and ReLU.
 * @param bottleneck 0: two 3x3 a block, depth 6N + 4; 1: 1x1, 3x3, 1x1 with four times the channels, depth 9N + 2.
 * @param form DIRAC_FORM_PLAIN, or DIRAC_FORM_FIXED_DELTA for section 3.4, for the blocks' 3x3 and 1x1 (not
 * projections). WRN-28-10 36,479,194; ResNet-1001 10,327,706.
 */
DIRAC_API dirac_node *dirac_model_resnet_cifar(dirac_net *net, dirac_node *x, int32_t depth, double width,
                                               int64_t classes, int32_t bottleneck, int32_t form);
/**
 * The ImageNet DiracNet (section 3): conv 7x7 stride 2, batch norm, max-pool 3 stride 2 padding 1; groups of blocks at
 * 64k, 128k, 256k, 512k with max-pool 2 between; ReLU, global average pool, linear.
 * @param depth 18 (blocks 4 4 4 4) or 34 (6 8 12 6). 1000 classes, width 1: 11,523,368 and 21,638,952.
 */
DIRAC_API dirac_node *dirac_model_diracnet_imagenet(dirac_net *net, dirac_node *x, int32_t depth, double width,
                                                    int64_t classes, int32_t form);
/**
 * ResNet-18 and -34 for ImageNet (He et al. 2015, as in torchvision): basic blocks, projections by 1x1 stride 2 and
 * batch norm. 1000 classes: 11,689,512 and 21,797,672. @param form of the 3x3 convolutions.
 */
DIRAC_API dirac_node *dirac_model_resnet_imagenet(dirac_net *net, dirac_node *x, int32_t depth, double width,
                                                  int64_t classes, int32_t form);
/**
 * VGG-16's thirteen convolutions (with bias) and batch norms, one linear layer of 512 with batch norm, for 32x32
 * images. 10 classes: 14,991,946. (The paper's 20 M is not that of this usual network.)
 */
DIRAC_API dirac_node *dirac_model_vgg16_cifar(dirac_net *net, dirac_node *x, int64_t classes);
/** VGG-16 for 224x224 (Simonyan & Zisserman 2014): biases, dropout 0.5. 1000 classes: 138,357,544. */
DIRAC_API dirac_node *dirac_model_vgg16_imagenet(dirac_net *net, dirac_node *x, int64_t classes);
/** VGG-CNN-S (Chatfield et al. 2014) for 224x224: local response norm, ceil-mode pooling. 1000 classes: 102,908,520. */
DIRAC_API dirac_node *dirac_model_vgg_cnn_s(dirac_net *net, dirac_node *x, int64_t classes);
/** Network in network (Lin et al. 2013) for 32x32. */
DIRAC_API dirac_node *dirac_model_nin(dirac_net *net, dirac_node *x, int64_t classes);
/** The 18-layer ELU net (Clevert et al. 2015) for 32x32. */
DIRAC_API dirac_node *dirac_model_elu(dirac_net *net, dirac_node *x, int64_t classes);

DIRAC_END

#endif
