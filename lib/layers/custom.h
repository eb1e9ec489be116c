/* SPDX-License-Identifier: MIT */
/* Layers written by the host: the kind, and the view of a layer that its callbacks are handed. */
#ifndef LAYERS_CUSTOM_H
#define LAYERS_CUSTOM_H

#include <stdatomic.h>
#include <stdbool.h>

#include <dirac/layer.h>

#include "base/context.h"
#include "layers/layer.h"

struct dirac_layer_kind {
    dirac__kind kind; /* first: what the rest of the library sees; its strings are owned here */
    dirac__memory memory;
    dirac_context *context; /* held until registered; afterwards the context holds the kind */
    atomic_int references;
    bool registered;
    dirac__attribute attributes[DIRAC__MAX_ATTRIBUTES];
    dirac__whole whole[DIRAC__MAX_ATTRIBUTES];
    void *user;
    void (*destroy_user)(void *user);
    dirac_layer_fn setup, forward, backward;
    struct dirac_layer_kind *next; /* in the context's list */
};

enum { DIRAC__SETUP, DIRAC__FORWARD, DIRAC__BACKWARD };

struct dirac_layer {
    int32_t phase;
    const dirac__layer *layer;
    const dirac__shape *in;
    dirac__shape out;
    bool out_set;
    dirac__parameter_list *list; /* setup fills it; forward and backward look names up in it */
    int64_t kept_floats, kept_fixed;
    const dirac__pass *pass;
    float *x[DIRAC__MAX_INPUTS], *dx[DIRAC__MAX_INPUTS]; /* (n, C, spatial) copies */
    float *y, *dy;
};

/* The four functions of the vtable, the same for every host's kind. */
int32_t dirac__custom_plan(dirac__layer_plan *plan);
int32_t dirac__custom_parameters(const dirac__layer *layer, const dirac__shape *in, dirac__parameter_list *list);
int32_t dirac__custom_forward(const dirac__pass *pass);
int32_t dirac__custom_backward(const dirac__pass *pass);

/* A built-in kind, or one registered with the context, or NULL. */
const dirac__kind *dirac__kind_lookup(dirac_context *context, const char *name);
/* Adds a kind to its context; ARGUMENT if the name is taken. */
int32_t dirac__kind_register(struct dirac_layer_kind *kind);
void dirac__kind_release(struct dirac_layer_kind *kind);

#endif
