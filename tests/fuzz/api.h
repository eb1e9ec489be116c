/* SPDX-License-Identifier: MIT */
/*
 * A machine that reads bytes as calls of the public interface: which call, on which handles, with which arguments. Handles
 * stand in a few slots, empty ones (NULL) too. Arguments come from small tables in which legal values are frequent and
 * all kinds of illegal ones are there. Only what the library cannot check is kept right: arrays are as long as they must be.
 */
#ifndef FUZZ_API_H
#define FUZZ_API_H

#include <math.h>
#include <stdbool.h>

#include "fuzz.h"

enum { SLOTS = 4, NODES = 32, INPUTS = 4, NUMBERS = 1 << 16 };

typedef struct api_net {
    dirac_net *net;
    dirac_node *nodes[NODES]; /* NULL where a call failed */
    int32_t n_nodes;
} api_net;

typedef struct api_session {
    dirac_session *session;
    size_t elements[INPUTS]; /* of one image of each input */
    int64_t channels[INPUTS];
    int32_t n_inputs;
} api_session;

typedef struct api_source {
    size_t elements; /* of a sample */
    int32_t fails;   /* every how many samples; 0: never */
} api_source;

typedef struct api_buffer {
    dirac_context *context; /* whose it is; held by a net of its own */
    dirac_net *holder;
    void *data;
    size_t size;
} api_buffer;

typedef struct machine {
    const uint8_t *at;
    size_t left;
    fuzz_memory memory;
    dirac_context *contexts[2];
    dirac_layer_kind *kinds[2];
    api_net nets[SLOTS];
    api_session sessions[SLOTS];
    dirac_sgd *sgds[2];
    dirac_dataset *datasets[2];
    api_source sources[64];
    size_t n_sources;
    dirac_batches *batches[2];
    dirac_checkpoint *checkpoints[2];
    api_buffer buffers[2];
    float numbers[NUMBERS];
    int32_t labels[NUMBERS];
} machine;

typedef void (*operation)(machine *m);

/* The operations of each family, ended by NULL. */
extern const operation api_context_operations[], api_net_operations[], api_node_operations[], api_session_operations[],
    api_sgd_operations[], api_data_operations[], api_file_operations[], api_model_operations[], api_disk_operations[];

/* ---- arguments (api_values.c) ---- */

uint8_t api_byte(machine *m);
/* A dimension: mostly 1 to 8, now and then 0, negative or huge. */
int64_t api_size(machine *m);
/* A small option: mostly 0 or 1. */
int32_t api_option(machine *m);
/* A real: legal ones, zeros, subnormal, huge, NaN, infinite. */
double api_real(machine *m);
uint64_t api_seed(machine *m);
/* A name: of attributes, parameters, nodes, patterns, or none. */
const char *api_name(machine *m);
/* Up to 4 sizes. */
int32_t api_sizes(machine *m, int64_t dims[8]);

dirac_context *api_pick_context(machine *m);
api_net *api_pick_net(machine *m);
dirac_node *api_pick_node(machine *m, api_net *net);
api_session *api_pick_session(machine *m);

/* Lets go of what a slot holds. */
void api_drop_net(api_net *net);
void api_drop_session(api_session *session);
void api_drop_buffer(api_buffer *buffer);

/* Removes the files of api_disk.c, which must be all that is in their folder. */
void api_clear_disk(void);

/* The callbacks of a custom kind (api_kind.c). */
void api_fill_kind(machine *m, dirac_layer_kind *kind);

#endif
