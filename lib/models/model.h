/* SPDX-License-Identifier: MIT */
/*
 * What the paper's networks share: refusing an argument, a width's channels, and the two or three calls that most of
 * their layers are made of.
 */
#ifndef MODELS_MODEL_H
#define MODELS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include <dirac/models.h>
#include <dirac/net.h>

#include "base/floats.h"

/* The deepest net a model builds: far beyond any use, and small enough that a slip cannot fill the memory with nodes. */
#define DIRAC__MODEL_MAX_DEPTH 100000

/* Makes the failure just recorded by dirac__fail() the net's sticky one. Returns NULL, for the model to return. */
dirac_node *dirac__model_refuse(dirac_net *net, int32_t status);

/* False, with the sentence recorded, unless depth = step N + offset with N >= 1; *n receives N. */
bool dirac__model_depth(const char *model, int32_t depth, int32_t step, int32_t offset, int32_t *n,
                        int32_t *status);

/* False, with the sentence recorded, unless `width` gives at least one channel of `base` and not too many of `most`. */
bool dirac__model_width(const char *model, double width, int64_t base, int64_t most,
                        int32_t *status);

/* base times width, cut to an integer. */
int64_t dirac__model_channels(double width, int64_t base);

/* False, with the sentence recorded, unless it is one of DIRAC_FORM_*. */
bool dirac__model_form(const char *model, int32_t form, int32_t *status);

/* False, with the sentence recorded, unless depth is 18 or 34. */
bool dirac__model_18_or_34(const char *model, int32_t depth, int32_t *status);

/* Names a node, if there is one. Returns it. */
dirac_node *dirac__model_named(dirac_node *x, const char *name);

/* The same for names with a number: "conv" and 3 give "conv3". */
dirac_node *dirac__model_numbered(dirac_node *x, const char *name, int32_t number);

/* Enters "group{group}.block{block}". */
void dirac__model_push_block(dirac_net *net, int32_t group, int32_t block);

/* Sets an attribute that has one value a spatial dimension to the same value in all, and returns the node. */
dirac_node *dirac__model_set(dirac_node *x, const char *attribute, int64_t value);

/* A convolution with "same" padding and without bias. */
dirac_node *dirac__model_conv(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel,
                              int64_t stride, int32_t form);

/* The same with bias and stride 1, named "conv{number}". */
dirac_node *dirac__model_conv_bias(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel,
                                   int32_t number);

/* Max-pool of kernel and stride, with "ceil" as said. */
dirac_node *dirac__model_max_pool(dirac_net *net, dirac_node *x, int64_t kernel, int64_t stride,
                                  int32_t ceil);

/* The ImageNet nets' beginning: "conv" 7x7 stride 2, "bn", ReLU if wanted, max-pool 3 stride 2 padding 1. */
dirac_node *dirac__model_imagenet_stem(dirac_net *net, dirac_node *x, int64_t channels, bool relu);

/* ReLU, global average pool, linear "fc": how most of these nets end. */
dirac_node *dirac__model_head(dirac_net *net, dirac_node *x, int64_t classes);

#endif
