/* SPDX-License-Identifier: MIT */
/* The nets that the paper trains and compares with. */
#include "nets.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../common/program.h"

const char *paper_net_kind(const paper_net *net)
{
    static const char *const chains[] = {"plain", "delta", "dirac", "fixed-delta"};
    static const char *const resnets[] = {"resnet", "resnet-delta", "resnet-dirac", "resnet-fixed-delta"};
    switch (net->model) {
    case MODEL_DIRACNET:
    case MODEL_DIRACNET_IMAGENET: return chains[net->form];
    case MODEL_VGG16:
    case MODEL_VGG16_IMAGENET: return "vgg16";
    case MODEL_NIN: return "nin";
    case MODEL_ELU: return "elu";
    case MODEL_VGG_CNN_S: return "vgg-cnn-s";
    default: return resnets[net->form];
    }
}

void paper_net_describe(const paper_net *net, char *text, size_t size)
{
    static const char *const inits[] = {"zeros",   "constant",   "normal", "kaiming",
                                        "uniform", "orthogonal", "delta"};
    int used = snprintf(text, size, "%s", paper_net_kind(net));
    if (net->depth > 0)
        used += snprintf(text + used, size - (size_t)used, " %d-%g", (int)net->depth, net->width);
    if (net->initialized != WEIGHTS_DEFAULT)
        used += snprintf(text + used, size - (size_t)used, ", %s(%g) in %s", inits[net->init], net->gain,
                         net->initialized == WEIGHTS_ALL ? "all weights" : "the blocks");
    if (net->scale_decay > 0)
        snprintf(text + used, size - (size_t)used, ", alpha and beta decay by %g", net->scale_decay);
}

static dirac_node *add_model(dirac_net *to, dirac_node *x, const paper_net *net, int64_t classes)
{
    const int32_t depth = net->depth, form = net->form;
    switch (net->model) {
    case MODEL_DIRACNET: return dirac_model_diracnet_cifar(to, x, depth, net->width, classes, form);
    case MODEL_RESNET: return dirac_model_resnet_cifar(to, x, depth, net->width, classes, 0, form);
    case MODEL_BOTTLENECK: return dirac_model_resnet_cifar(to, x, depth, net->width, classes, 1, form);
    case MODEL_VGG16: return dirac_model_vgg16_cifar(to, x, classes);
    case MODEL_NIN: return dirac_model_nin(to, x, classes);
    case MODEL_ELU: return dirac_model_elu(to, x, classes);
    case MODEL_DIRACNET_IMAGENET: return dirac_model_diracnet_imagenet(to, x, depth, net->width, classes, form);
    case MODEL_RESNET_IMAGENET: return dirac_model_resnet_imagenet(to, x, depth, net->width, classes, form);
    case MODEL_VGG16_IMAGENET: return dirac_model_vgg16_imagenet(to, x, classes);
    default: return dirac_model_vgg_cnn_s(to, x, classes);
    }
}

/* The convolutions of blocks and, if all are asked for, stem, projections and classifier. */
static bool chosen(const dirac_node *node, int32_t which)
{
    const char *name = dirac_node_name(node), *kind = dirac_node_kind(node);
    if (strcmp(kind, "conv") != 0 && strcmp(kind, "linear") != 0)
        return false;
    return which == WEIGHTS_ALL ||
           (strncmp(name, "group", 5) == 0 && strstr(name, "projection") == NULL);
}

static void initialize(dirac_net *to, const paper_net *net)
{
    for (int64_t i = 0; i < dirac_net_node_count(to); i++)
        if (chosen(dirac_net_node(to, i), net->initialized))
            check(dirac_node_set_initializer(dirac_net_node(to, i), "weight", net->init, net->gain, 0),
                  "initializer");
}

dirac_net *paper_net_build(const paper_net *net, dirac_context *context, const int64_t *dims, int64_t classes,
                           uint64_t seed)
{
    dirac_net *built;
    check(dirac_net_create(&built, context), "net");
    check(dirac_net_set_seed(built, seed), "seed");
    dirac_node *x = dirac_net_input2d(built, dims[0], dims[1], dims[2]);
    dirac_net_output(built, add_model(built, x, net, classes));
    if (net->initialized != WEIGHTS_DEFAULT)
        initialize(built, net);
    check(dirac_net_build(built), "building the net");
    return built;
}
