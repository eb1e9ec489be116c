/* SPDX-License-Identifier: MIT */
/* A layer of the host's that stops inside its forward while the gate is shut: holds a session and its net busy for as
 * long as a test wants. y = x. */
#ifndef SUPPORT_GATE_H
#define SUPPORT_GATE_H

#include <pthread.h>

#include "support/nets.h"

typedef struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t change;
    int shut, inside; /* inside: how many wait at it */
} gate;

static inline int32_t gate_setup(void *user, dirac_layer *layer)
{
    int64_t dims[4];
    int32_t rank;
    (void)user;
    return dirac_layer_input_shape(layer, 0, dims, &rank) || dirac_layer_set_output_shape(layer, dims, rank);
}

static inline size_t gate_count(const dirac_layer *layer)
{
    int64_t dims[4] = {0};
    int32_t rank = 0;
    size_t count = (size_t)dirac_layer_batch(layer);
    dirac_layer_input_shape(layer, 0, dims, &rank);
    for (int32_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    return count;
}

static inline int32_t gate_forward(void *user, dirac_layer *layer)
{
    gate *g = user;
    pthread_mutex_lock(&g->mutex);
    if (g->shut) {
        g->inside++;
        pthread_cond_broadcast(&g->change);
        while (g->shut)
            pthread_cond_wait(&g->change, &g->mutex);
        g->inside--;
    }
    pthread_mutex_unlock(&g->mutex);
    memcpy(dirac_layer_output(layer), dirac_layer_input(layer, 0), gate_count(layer) * sizeof(float));
    return 0;
}

static inline int32_t gate_backward(void *user, dirac_layer *layer)
{
    (void)user;
    if (dirac_layer_input_gradient(layer, 0) != NULL)
        memcpy(dirac_layer_input_gradient(layer, 0), dirac_layer_output_gradient(layer),
               gate_count(layer) * sizeof(float));
    return 0;
}

/* The kind "gate" of that context; destroy it when its nets are made. */
static inline dirac_layer_kind *gate_kind(gate *g, dirac_context *context)
{
    dirac_layer_kind *kind;
    pthread_mutex_init(&g->mutex, NULL);
    pthread_cond_init(&g->change, NULL);
    g->shut = g->inside = 0;
    ok(dirac_layer_kind_create(&kind, context, "gate", 1));
    ok(dirac_layer_kind_set_user(kind, g, NULL));
    ok(dirac_layer_kind_set_setup(kind, gate_setup));
    ok(dirac_layer_kind_set_forward(kind, gate_forward));
    ok(dirac_layer_kind_set_backward(kind, gate_backward));
    ok(dirac_layer_kind_register(kind));
    return kind;
}

static inline void gate_set(gate *g, int shut)
{
    pthread_mutex_lock(&g->mutex);
    g->shut = shut;
    pthread_cond_broadcast(&g->change);
    pthread_mutex_unlock(&g->mutex);
}

/* Returns when another thread stands inside. */
static inline void gate_wait(gate *g)
{
    pthread_mutex_lock(&g->mutex);
    while (g->inside == 0)
        pthread_cond_wait(&g->change, &g->mutex);
    pthread_mutex_unlock(&g->mutex);
}

#endif
