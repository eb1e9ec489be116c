/* SPDX-License-Identifier: MIT */
/**
 * @file models.h  The paper's networks and those it compares with, written with the calls of net.h alone.
 *
 * Each adds its layers after `x` and returns its logits (N, classes) without declaring an output, so that a model may
 * be a part of a larger net; use dirac_net_push_scope() to prefix its names. Mistakes are sticky, as in net.h: besides
 * the common ones ARGUMENT (depth, width, form or another option out of range) and, at build, SHAPE (x too small).
 * Exact parameter counts of the usual sizes stand with each. Everything here: since 0.1.
 */
#ifndef DIRAC_MODELS_H
#define DIRAC_MODELS_H

#include "net.h"

DIRAC_BEGIN

/**
 * The CIFAR DiracNet of version 2: with N = (depth - 4) / 6 and k = width: conv 3x3 to 16k, batch norm; 2N blocks at
 * 16k, max-pool 2; 2N at 32k, max-pool 2; 2N at 64k; ReLU; global average pool; linear.
 * Block: ReLU, 3x3 convolution of the given form without bias, batch norm.
 * Names: conv, bn, group{g}.block{b}.conv, group{g}.block{b}.bn, fc.
 * Parameters, 10 classes: 34-1 466,394; 28-10 36,450,090; plain 34-1 464,154.
 * @param x (N, C, H, W), any C; H and W at least 4 (32 in the paper).
 * @param depth 6N + 4, N >= 1. @param width at least 1/16, may be fractional (channels are cut to integers).
 * @param classes 1 to 2^30.
 * @param form DIRAC_FORM_NORMALIZED_DELTA for a DiracNet, DIRAC_FORM_PLAIN for its plain twin, or another.
 * @return (N, classes), or NULL.
 * Paper: section 3. Errors (sticky): ARGUMENT, LIMIT (depth above 100000), SHAPE. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_model_diracnet_cifar(dirac_net *net, dirac_node *x, int32_t depth, double width,
                                                 int64_t classes, int32_t form);
/**
 * ResNet and wide ResNet with identity mappings for CIFAR (He et al. 2016, Zagoruyko & Komodakis 2016): conv 3x3 to 16;
 * three groups at 16k, 32k, 64k of pre-activation blocks, the first of groups 1 and 2 with stride 2; batch norm, ReLU,
 * global average pool, linear. A block that changes the channels takes its 1x1 projection from its first BN and ReLU.
 * Parameters, 10 classes: WRN-28-10 36,479,194; ResNet-1001 10,327,706.
 * @param x (N, C, H, W); 32x32 in the paper. @param depth 6N + 4, with bottleneck 9N + 2, N >= 1.
 * @param width at least 1/16, may be fractional. @param classes 1 to 2^30.
 * @param bottleneck 0: two 3x3 a block; 1: 1x1, 3x3, 1x1 with four times the channels.
 * @param form DIRAC_FORM_PLAIN, or another for the blocks' 3x3 and 1x1 (not projections).
 * @return (N, classes), or NULL.
 * Paper: section 3.4 (DIRAC_FORM_FIXED_DELTA). Errors (sticky): ARGUMENT, LIMIT (depth above 100000), SHAPE. Threads:
 * one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_model_resnet_cifar(dirac_net *net, dirac_node *x, int32_t depth, double width,
                                               int64_t classes, int32_t bottleneck, int32_t form);
/**
 * The ImageNet DiracNet: conv 7x7 stride 2, batch norm, max-pool 3 stride 2 padding 1; groups of blocks at 64k, 128k,
 * 256k, 512k with max-pool 2 between; ReLU, global average pool, linear.
 * Parameters, 1000 classes, width 1: 11,523,368 (18) and 21,638,952 (34).
 * @param x (N, C, H, W); 224x224 in the paper. @param depth 18 (blocks 4 4 4 4) or 34 (6 8 12 6).
 * @param width at least 1/64, may be fractional. @param classes 1 to 2^30. @param form of the blocks, DIRAC_FORM_*.
 * @return (N, classes), or NULL.
 * Paper: section 3. Errors (sticky): ARGUMENT, SHAPE. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_model_diracnet_imagenet(dirac_net *net, dirac_node *x, int32_t depth, double width,
                                                    int64_t classes, int32_t form);
/**
 * ResNet-18 and -34 for ImageNet (He et al. 2015, as in torchvision): basic blocks, projections by 1x1 stride 2 and
 * batch norm. Parameters, 1000 classes: 11,689,512 and 21,797,672.
 * @param x (N, C, H, W); usually 224x224. @param depth 18 or 34. @param width at least 1/64, may be fractional.
 * @param classes 1 to 2^30. @param form of the 3x3 convolutions, DIRAC_FORM_*.
 * @return (N, classes), or NULL.
 * Errors (sticky): ARGUMENT, SHAPE. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_model_resnet_imagenet(dirac_net *net, dirac_node *x, int32_t depth, double width,
                                                  int64_t classes, int32_t form);
/**
 * VGG-16's thirteen convolutions (with bias) and batch norms, one linear layer of 512 with batch norm.
 * Parameters, 10 classes: 14,991,946. (The paper's 20 M is not that of this usual network.)
 * @param x (N, C, 32, 32). @param classes 1 to 2^30. @return (N, classes), or NULL.
 * Errors (sticky): SHAPE. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_model_vgg16_cifar(dirac_net *net, dirac_node *x, int64_t classes);
/**
 * VGG-16 (Simonyan & Zisserman 2014): biases, dropout 0.5. Parameters, 1000 classes: 138,357,544.
 * @param x (N, C, 224, 224). @param classes 1 to 2^30. @return (N, classes), or NULL.
 * Errors (sticky): SHAPE. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_model_vgg16_imagenet(dirac_net *net, dirac_node *x, int64_t classes);
/**
 * VGG-CNN-S (Chatfield et al. 2014): local response norm, ceil-mode pooling. Parameters, 1000 classes: 102,908,520.
 * @param x (N, C, 224, 224). @param classes 1 to 2^30. @return (N, classes), or NULL.
 * Errors (sticky): SHAPE. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_model_vgg_cnn_s(dirac_net *net, dirac_node *x, int64_t classes);
/**
 * Network in network (Lin et al. 2013).
 * @param x (N, C, 32, 32). @param classes 1 to 2^30. @return (N, classes), or NULL.
 * Errors (sticky): SHAPE. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_model_nin(dirac_net *net, dirac_node *x, int64_t classes);
/**
 * The 18-layer ELU net (Clevert et al. 2015).
 * @param x (N, C, 32, 32). @param classes 1 to 2^30. @return (N, classes), or NULL.
 * Errors (sticky): SHAPE. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_model_elu(dirac_net *net, dirac_node *x, int64_t classes);

DIRAC_END

#endif
