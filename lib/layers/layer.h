/* SPDX-License-Identifier: MIT */
/*
 * What a layer kind is: one static table of attributes, traits and four functions. The graph, the plan, the optimizer,
 * files and the gradient check know layers through this table alone.
 */
#ifndef LAYERS_LAYER_H
#define LAYERS_LAYER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dirac/net.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/threads.h"
#include "kernels/kernels.h"
#include "layers/norm.h"

#define DIRAC__MAX_INPUTS 64
#define DIRAC__MAX_ATTRIBUTES 8
#define DIRAC__MAX_PARAMETERS 8
#define DIRAC__MAX_DIMENSION INT64_C(1073741824) /* 2^30: the most of any single size */

/* The shape of one image's value: c channels and `rank` (0 to 3) spatial sizes, right-aligned in size[] with leading 1s:
 * an image of h x w has size {1, h, w}. */
typedef struct dirac__shape {
    int64_t c;
    int32_t rank;
    int64_t size[3];
} dirac__shape;

int64_t dirac__shape_positions(const dirac__shape *shape); /* size[0] size[1] size[2] */
int64_t dirac__shape_count(const dirac__shape *shape);     /* c times that */
bool dirac__shape_equal(const dirac__shape *a, const dirac__shape *b);
/* As the public calls give it: dims[0] = c, then the spatial sizes; *rank is 1 to 4. */
void dirac__shape_dims(const dirac__shape *shape, int64_t *dims, int32_t *rank);
/* "(16, 32, 32)" into out[64]; returns out. */
char *dirac__shape_text(char out[64], const dirac__shape *shape);

/* ---- attributes ---- */

enum { DIRAC__INT = 0, DIRAC__FLOAT = 1, DIRAC__INTS = 2 /* one a spatial dimension, right-aligned in v[] */ };

typedef struct dirac__attribute {
    const char *name;
    int32_t type;
    double least, most;
    double value; /* default; for INTS of every dimension */
} dirac__attribute;

typedef union dirac__value {
    int64_t i;
    _Atomic int64_t shared; /* `i` where a reader may meet a writer: an attribute that changes after build */
    double f;
    int64_t v[3];
} dirac__value;

/* ---- parameters ---- */

typedef struct dirac__parameter {
    const char *name; /* "weight" */
    int32_t rank;
    int64_t dims[DIRAC_MAX_RANK];
    int32_t role; /* DIRAC_ROLE_* */
    bool decay;   /* weight-decayed by default */
    int32_t init; /* DIRAC_INIT_* */
    double a, b;
    int64_t groups; /* for DIRAC_INIT_DELTA */
} dirac__parameter;

int64_t dirac__parameter_count(const dirac__parameter *parameter);

/* ---- kinds ---- */

enum {
    DIRAC__CHANNEL_AFFINE = 1 << 0, /* at inference it is y = s[c] x + t[c]; has `affine` */
    DIRAC__ABSORBS_AFFINE = 1 << 1, /* can take s, t into its parameters; has `absorb` */
    DIRAC__IN_PLACE = 1 << 2,       /* forward may write y over x[0] */
    DIRAC__GRADIENT_IN_PLACE = 1 << 3, /* backward may write dx[0] over dy */
    DIRAC__FUSES_RELU = 1 << 4,     /* forward honours pass->relu: y = max(y, 0) at no cost */
    DIRAC__IS_RELU = 1 << 5,
    DIRAC__IS_INPUT = 1 << 6,
    DIRAC__IS_NORM = 1 << 9, /* batch norm: has pass->norm in training */
    DIRAC__CUSTOM = 1 << 8, /* a host's: its table is the first member of a dirac_layer_kind */
    DIRAC__ALIAS = 1 << 7 /* inference only: y is x itself, forward does nothing then (dropout) */
};

struct dirac__kind;
struct dirac__weights;

/* A layer: a kind with its attributes set. Shared by the graph (which owns it) and every plan. */
typedef struct dirac__layer {
    const struct dirac__kind *kind;
    dirac__value values[DIRAC__MAX_ATTRIBUTES];
    int32_t rank;       /* spatial dimensions of its kernel or window; -1: any */
    int32_t n_inputs;
} dirac__layer;

/* Plan: from attributes and input shapes to the output's shape and the costs. The only place that may refuse. */
typedef struct dirac__layer_plan {
    /* given */
    const dirac__layer *layer;
    const char *name; /* of the node, for messages */
    const dirac__shape *in;
    int64_t batch; /* of the session: what algorithms are chosen for; 0 when only shapes are wanted */
    int64_t images; /* of one pass, at most: what memory is for; the batch or fewer */
    bool training;
    bool strict;
    bool lean; /* inference: keep nothing prepared */
    bool blas;
    int32_t lanes;
    const dirac__kernels *kernels; /* NULL when only shapes are wanted */
    /* asked */
    dirac__shape out;
    int64_t multiply_adds;  /* of one image */
    bool keeps_input;       /* backward reads x (bit for all inputs) */
    bool keeps_output;      /* backward reads y */
    bool joins_norms;       /* training: can share passes with a batch norm on either side (norm.h) */
    size_t saved;           /* bytes from forward to backward (training) */
    size_t scratch;         /* bytes during forward or backward alone */
    size_t prepared;        /* bytes kept for one version of the parameters (inference), filled by `prepare` */
} dirac__layer_plan;

/* One forward or backward. Activations are channels-last; see kernels.h. */
typedef struct dirac__pass {
    const dirac__layer *layer;
    const char *name;
    const dirac__kernels *kernels;
    dirac__team *team;
    int64_t n;
    int64_t batch; /* of the session: n at most */
    const dirac__shape *in;
    dirac__shape out;
    bool training;
    bool strict, blas;
    bool relu;   /* forward: also y = max(y, 0) (only kinds with FUSES_RELU) */
    const float *const *x;
    float *y;
    float *dy; /* kinds with GRADIENT_IN_PLACE or joins_norms may write it */
    float *const *dx;       /* NULL entries: not wanted; otherwise to be overwritten */
    float *const *parameters; /* in the order of `parameters`, state included */
    float *const *gradients;  /* backward: to add into; NULL entries: state, or not trained */
    float *const *pending;    /* training forward: for each state tensor 2 arrays of its size, decay then addend: the
                               * commit does state = decay state + addend. NULL entries: parameters. */
    void *saved, *scratch;
    const void *prepared; /* NULL: nothing was asked for */
    dirac__norm *norm;         /* training: a batch norm's own */
    const dirac__norm *before; /* joins_norms: the batch norm, with its ReLU, that x is read through; or NULL */
    const dirac__norm *behind; /* joins_norms: the batch norm that reads y, if it is to be served; or NULL */
    dirac__random random; /* of this node and this training forward */
} dirac__pass;

typedef struct dirac__parameter_list {
    int32_t count;
    dirac__parameter items[DIRAC__MAX_PARAMETERS];
    char names[DIRAC__MAX_PARAMETERS][64]; /* room for names that are no static text (a host's layers) */
} dirac__parameter_list;

/* The range and the default of an integer attribute. */
typedef struct dirac__whole {
    int64_t least, most, value;
} dirac__whole;

typedef struct dirac__kind {
    const char *name; /* also its tag in model files */
    const dirac__attribute *attributes;
    const dirac__whole *whole; /* (optional) by attribute, for integers that double would round; NULL: see attributes */
    int32_t n_attributes;
    int32_t inputs; /* 0: any number from 1 */
    uint32_t traits;
    int32_t (*plan)(dirac__layer_plan *plan);
    /* (optional) NULL: no parameters. Reads attributes and in[], fills the list. */
    int32_t (*parameters)(const dirac__layer *layer, const dirac__shape *in, dirac__parameter_list *list);
    /* (optional) inference: fills `prepared` from the parameters; runs once a version. */
    void (*prepare)(const dirac__pass *pass, void *prepared);
    int32_t (*forward)(const dirac__pass *pass);
    /* (optional) NULL: no gradient passes (input). */
    int32_t (*backward)(const dirac__pass *pass);
    /* (optional, CHANNEL_AFFINE) s[c], t[c] in double from the parameters. */
    void (*affine)(const dirac__layer *layer, float *const *parameters, int64_t c, double *s, double *t);
    /* (optional, kinds with weights) form, shapes and places of parameters (weights.h) for n images. */
    void (*describe)(struct dirac__weights *w, const dirac__layer *layer, const dirac__shape *in, int64_t n);
    /* (optional, kinds with weights) the folded layer: attributes (plain form, bias 1 if s is not NULL) into `folded`... */
    void (*fold_attributes)(const dirac__layer *layer, bool absorb, dirac__layer *folded);
    /* ...and its parameters, in double: W' = s[c] What[c], bias' = s bias + t. `to` in the order of the folded kind's
     * list. s and t are NULL when nothing is absorbed. `memory` is for one filter in double. */
    int32_t (*fold_parameters)(const dirac__memory *memory, const dirac__layer *layer, const dirac__shape *in,
                               float *const *from, const dirac__layer *folded, float *const *to, const double *s,
                               const double *t);
} dirac__kind;

/* Attribute access by table index (the enum beside each kind's table). */
static inline int64_t dirac__int(const dirac__layer *layer, int32_t index)
{
    return layer->values[index].i;
}
static inline double dirac__float(const dirac__layer *layer, int32_t index)
{
    return layer->values[index].f;
}

/* The table index of an attribute, or -1. */
int32_t dirac__attribute_find(const dirac__kind *kind, const char *name);
/* Sets every attribute to its default. */
void dirac__layer_defaults(dirac__layer *layer, const dirac__kind *kind, int32_t rank);
/* Checked setters: wrong type, range and count are errors that name node, attribute and what is legal. */
int32_t dirac__layer_set_int(dirac__layer *layer, const char *node, const char *attribute, int64_t value);
int32_t dirac__layer_set_ints(dirac__layer *layer, const char *node, const char *attribute, const int64_t *values,
                              int32_t count);
int32_t dirac__layer_set_float(dirac__layer *layer, const char *node, const char *attribute, double value);

/* ---- the registry (registry.c) ---- */

extern const dirac__kind *const dirac__kinds[]; /* NULL-terminated */
const dirac__kind *dirac__kind_find(const char *name);

extern const dirac__kind dirac__kind_input, dirac__kind_conv, dirac__kind_linear, dirac__kind_batch_norm,
    dirac__kind_relu, dirac__kind_ncrelu, dirac__kind_elu, dirac__kind_max_pool, dirac__kind_average_pool,
    dirac__kind_global_average_pool, dirac__kind_dropout, dirac__kind_response_norm, dirac__kind_add,
    dirac__kind_concat, dirac__kind_flatten, dirac__kind_softmax;

#endif
