/* SPDX-License-Identifier: MIT */
/* The nets that the paper's programs train. */
#ifndef PAPER_NETS_H
#define PAPER_NETS_H

#include "sweep.h"

/* "dirac", "plain", "resnet", ...: the kind of net. */
const char *paper_net_kind(const paper_net *net);
/* Builds it for the images of a source. */
dirac_net *paper_net_build(const paper_net *net, dirac_context *context, const source *images, uint64_t seed);
/* "dirac 34-1, normal(0.01) in the blocks": everything that tells it from others; at most `size` bytes. */
void paper_net_describe(const paper_net *net, char *text, size_t size);

#endif
