/* SPDX-License-Identifier: MIT */
/* The inside of nets and nodes. */
#ifndef GRAPH_NET_H
#define GRAPH_NET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <dirac/net.h>

#include "base/context.h"
#include "base/mem.h"
#include "base/name_index.h"
#include "layers/layer.h"

#define DIRAC__MAX_NODES 65536

/* How a parameter was told to start, before build. */
typedef struct dirac__initializer {
    char *parameter;
    int32_t init;
    double a, b;
} dirac__initializer;

/* A named tensor of a built net. */
typedef struct dirac__tensor {
    char *name;          /* "group0.block0.conv.weight" */
    dirac__parameter is; /* shape, role, initialiser */
    dirac_node *node;    /* its owner */
    float *data;         /* in net->values */
    size_t count;
    size_t offset;       /* floats from net->values; trained tensors come first, so it is the gradient's offset too */
    bool trainable;
} dirac__tensor;

struct dirac_node {
    dirac_net *net;
    int32_t id; /* index in net->nodes; inputs have smaller ids */
    char *name;
    dirac__layer layer;
    dirac_node **inputs;
    dirac_node *owner; /* whose parameters it uses; NULL: its own */
    bool shared; /* some other node uses its parameters */
    dirac__initializer initializers[DIRAC__MAX_PARAMETERS];
    int32_t n_initializers;
    /* after build */
    dirac__shape shape;
    int64_t multiply_adds;
    int32_t n_tensors; /* own or the owner's */
    int32_t tensors[DIRAC__MAX_PARAMETERS]; /* indices in net->tensors */
};

typedef struct dirac__note {
    char *key, *value;
} dirac__note;

struct dirac_net {
    dirac_context *context;
    const dirac__memory *memory; /* &context->memory, but for a net in the loading */
    atomic_int references;
    /* Readers and the writer: > 0 readers, -1 one writer, 0 free. */
    atomic_int users;
    atomic_uint_fast64_t version;
    uint64_t seed;

    dirac_node **nodes;
    size_t n_nodes, nodes_capacity;
    dirac_node **outputs;
    size_t n_outputs, outputs_capacity;
    char **scopes;
    size_t n_scopes, scopes_capacity;

    /* Places in nodes, tensors and notes. */
    dirac__name_index node_names, tensor_names, note_keys;
    /* What automatic names began with, and the least number that may be free. */
    dirac__name_index stems;
    char **stem_names;
    size_t n_stem_names, stem_names_capacity;

    int32_t status; /* sticky error of building */
    char *message;
    bool built;

    dirac__tensor *tensors;
    size_t n_tensors;
    float *values; /* all tensors: trained ones first, then state */
    size_t n_trained, n_values;

    dirac__note *notes;
    size_t n_notes, notes_capacity;
    char *load_report;
    uint64_t values_limit; /* bytes that building may ask for; 0: any number */
};

/* ---- net.c: life, sticky errors, notes, adding nodes ---- */

dirac_net *dirac__net_new(dirac_context *context);
/* With an allocator that stands before the context's, until net->memory is set to that. */
dirac_net *dirac__net_new_in(dirac_context *context, const dirac__memory *memory);
void dirac__net_hold(dirac_net *net);
void dirac__net_release(dirac_net *net);
/* Remembers the first failure (the recorded message) of building; returns `status`. */
int32_t dirac__net_stick(dirac_net *net, int32_t status);
/* The status of the first failure, whose message becomes the record again; DIRAC_OK if there was none. */
int32_t dirac__net_stuck(const dirac_net *net);
/* Adds a node of `kind` reading `inputs`; `base` starts its automatic name. NULL on a (sticky) failure. */
dirac_node *dirac__net_add(dirac_net *net, const dirac__kind *kind, int32_t rank, dirac_node *const *inputs,
                           int32_t count);
/* Sets a note (new or anew), finds one (NULL if there is none), takes one out if it is there. */
int32_t dirac__net_put_note(dirac_net *net, const char *key, const char *value);
dirac__note *dirac__net_find_note(const dirac_net *net, const char *key);
void dirac__net_drop_note(dirac_net *net, const char *key);

/* ---- naming.c ---- */

int32_t dirac__node_rename(dirac_node *node, const char *name);
/* Gives a node of a net without scopes the full name that another net's had, which scopes may have made long. */
int32_t dirac__node_restore_name(dirac_node *node, const char *full);
/* Whether a name is one to 200 letters, digits, _ - and inner dots; `what` is for the message. */
int32_t dirac__check_name(const char *name, const char *what);
dirac_node *dirac__net_find_node(const dirac_net *net, const char *name);
dirac__tensor *dirac__net_find_tensor(const dirac_net *net, const char *name);
/* The name of a new node of this kind in the scope: new memory; NULL: none is left. */
char *dirac__automatic_name(dirac_net *net, const char *kind);
void dirac__names_release(dirac_net *net);
/* "a*b" matches with '*' for any text. */
bool dirac__matches(const char *pattern, const char *name);
/* Fails with NOT_FOUND: no name of a parameter matched. */
int32_t dirac__fail_no_match(const dirac_net *net, const char *pattern);

/* ---- users.c: one writer or many readers, never waiting; DIRAC_ERR_BUSY ---- */

int32_t dirac__net_begin_read(const dirac_net *net);
void dirac__net_end_read(const dirac_net *net);
int32_t dirac__net_begin_write(dirac_net *net);
/* `changed`: the version moves on. */
void dirac__net_end_write(dirac_net *net, bool changed);

/* ---- build.c: shapes, tensors, initial values ---- */

int32_t dirac__net_build(dirac_net *net);
/* Allocates tensors and values without drawing initial values (for loading and copying). */
int32_t dirac__net_build_empty(dirac_net *net);
/* Shapes of all nodes for other input sizes; `inputs` in the order of the net's inputs, `shapes` has n_nodes entries. */
int32_t dirac__net_infer(const dirac_net *net, const dirac__shape *inputs, dirac__shape *shapes);

/* ---- initialize.c ---- */

/* Draws one tensor: depends on the seed, its name and shape alone. */
int32_t dirac__tensor_initialize(const dirac_net *net, dirac__tensor *tensor, uint64_t seed);

/* ---- rewrite.c: copies of the graph ---- */

int32_t dirac__net_clone(dirac_net **out, const dirac_net *net);
int32_t dirac__net_fold(dirac_net **out, const dirac_net *net);
/* The node of `net` whose value the folded net's node of name `name` computes; NULL if none. */
const dirac_node *dirac__fold_counterpart(const dirac_net *net, const dirac_node *folded);

#endif
