/* SPDX-License-Identifier: MIT */
/* The nets that the paper trains and compares with. */
#ifndef PAPER_NETS_H
#define PAPER_NETS_H

#include <stddef.h>
#include <stdint.h>

#include <dirac/dirac.h>

enum {
    MODEL_DIRACNET,
    MODEL_RESNET,
    MODEL_BOTTLENECK, /* ResNet of 1x1, 3x3, 1x1 blocks */
    MODEL_VGG16,
    MODEL_NIN,
    MODEL_ELU,
    MODEL_DIRACNET_IMAGENET,
    MODEL_RESNET_IMAGENET,
    MODEL_VGG16_IMAGENET,
    MODEL_VGG_CNN_S
};
enum { WEIGHTS_DEFAULT, WEIGHTS_BLOCKS, WEIGHTS_ALL }; /* which layers an initializer is for */

/* What is trained. Zeros mean what the library does by itself. */
typedef struct {
    int32_t model, depth, form;
    double width;
    int32_t initialized, init; /* WEIGHTS_*, DIRAC_INIT_* of the weights */
    double gain;
    double scale_decay; /* weight decay of alpha and beta */
} paper_net;

/* "dirac", "plain", "resnet", ...: the kind of net. */
const char *paper_net_kind(const paper_net *net);
/* "dirac 34-1, normal(0.01) in the blocks": everything that tells it from others, in at most `size` bytes. */
void paper_net_describe(const paper_net *net, char *text, size_t size);
/* Builds it for images of dims (channels, height, width). */
dirac_net *paper_net_build(const paper_net *net, dirac_context *context, const int64_t *dims, int64_t classes,
                           uint64_t seed);

#endif
