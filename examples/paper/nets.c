/* SPDX-License-Identifier: MIT */
/* The nets that the paper's programs train. */
#include "nets.h"

#include <stdio.h>
#include <string.h>

#include "../common/program.h"

const char *paper_net_kind(const paper_net *net)
{
    static const char *const chains[] = {"plain", "delta", "dirac", "fixed-delta"};
    static const char *const resnets[] = {"resnet", "resnet-delta", "resnet-dirac", "resnet-fixed-delta"};
    return (net->model == MODEL_RESNET ? resnets : chains)[net->form];
}

void paper_net_describe(const paper_net *net, char *text, size_t size)
{
    static const char *const inits[] = {"zeros",   "constant",   "normal", "kaiming",
                                        "uniform", "orthogonal", "delta"};
    int used = snprintf(text, size, "%s %d-%g", paper_net_kind(net), (int)net->depth, net->width);
    if (net->initialized != WEIGHTS_DEFAULT)
        used += snprintf(text + used, size - (size_t)used, ", %s(%g) in %s", inits[net->init], net->gain,
                         net->initialized == WEIGHTS_ALL ? "all weights" : "the blocks");
    if (net->scale_decay > 0)
        snprintf(text + used, size - (size_t)used, ", alpha and beta decay by %g", net->scale_decay);
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

dirac_net *paper_net_build(const paper_net *net, dirac_context *context, const source *images, uint64_t seed)
{
    dirac_net *built;
    check(dirac_net_create(&built, context), "net");
    check(dirac_net_set_seed(built, seed), "seed");
    dirac_node *x = dirac_net_input2d(built, images->dims[0], images->dims[1], images->dims[2]);
    if (net->model == MODEL_RESNET)
        x = dirac_model_resnet_cifar(built, x, net->depth, net->width, images->classes, 0, net->form);
    else
        x = dirac_model_diracnet_cifar(built, x, net->depth, net->width, images->classes, net->form);
    dirac_net_output(built, x);
    for (int64_t i = 0; net->initialized != WEIGHTS_DEFAULT && i < dirac_net_node_count(built); i++) {
        dirac_node *node = dirac_net_node(built, i);
        if (chosen(node, net->initialized))
            check(dirac_node_set_initializer(node, "weight", net->init, net->gain, 0), "initializer");
    }
    check(dirac_net_build(built), "building the net");
    return built;
}
