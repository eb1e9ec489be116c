/* SPDX-License-Identifier: MIT */
/*
 * The graph of a net as JSON text, for model files:
 *
 *     {"nodes": [{"kind": "conv", "name": "conv", "inputs": [0], "rank": 2, "attributes": {"channels": 16, "kernel": [3, 3], ...}},
 *                ...], "outputs": [7]}
 *
 * Inputs and outputs are node numbers; an input node has "shape" (C, spatial...), a node that uses another's parameters
 * "parameters_of", one with untrainable parameters "untrainable" (their names). Attributes
 * that are absent have their defaults; unknown ones are an error.
 */
#ifndef GRAPH_DESCRIBE_H
#define GRAPH_DESCRIBE_H

#include "base/mem.h"
#include "graph/net.h"

/* Appends the description of a built net; check buffer->failed. */
void dirac__graph_write(const dirac_net *net, dirac__buffer *buffer);
/* Rebuilds a net from a description; its values are zeros. *out is NULL on failure.
 * Errors: FORMAT (what and which node), NOT_FOUND (an unknown kind, named), MEMORY, LIMIT, and what building gives.
 * `limit` bounds the bytes of the parameters. `memory` stands before the context's (or is it) and stays net->memory. */
int32_t dirac__graph_read(dirac_net **out, dirac_context *context, const dirac__memory *memory, const char *text,
                          size_t size, uint64_t limit);

#endif
