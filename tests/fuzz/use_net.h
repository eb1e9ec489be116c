/* SPDX-License-Identifier: MIT */
/* What is done with a net that came out of a hostile file: it must be as good as any other. */
#ifndef FUZZ_USE_NET_H
#define FUZZ_USE_NET_H

#include "fuzz.h"

/* Runs it where that is cheap. */
static inline void fuzz_run(dirac_net *net, int32_t mode)
{
    dirac_session *session = NULL;
    int64_t cost = 0, dims[4];
    int32_t rank;
    size_t bytes = 0, elements = 1;
    fuzz_status(dirac_session_create(&session, net, mode));
    if (session == NULL)
        return;
    const int32_t told = dirac_session_bytes(session, &bytes);
    const int32_t prepared = told == DIRAC_OK && bytes < (size_t)1 << 22 ? dirac_session_prepare(session) : -1;
    if (prepared == DIRAC_OK && dirac_net_input_count(net) == 1 &&
        dirac_session_multiply_adds(session, &cost) == DIRAC_OK && cost < 1 << 20) {
        FUZZ_CHECK(dirac_node_shape(dirac_net_input_node(net, 0), dims, &rank) == DIRAC_OK);
        for (int32_t i = 0; i < rank; i++)
            elements *= (size_t)dims[i];
        float *x = calloc(elements, sizeof *x);
        FUZZ_CHECK(x != NULL);
        fuzz_status(dirac_session_forward(session, x, 1));
        free(x);
    }
    dirac_session_destroy(session);
}

/* What is saved can be loaded, and is saved the same again. */
static inline void fuzz_save_again(dirac_net *net, dirac_context *context)
{
    void *first = NULL, *second = NULL;
    size_t first_size = 0, second_size = 0;
    dirac_net *back = NULL;
    const int32_t saved = dirac_net_save_memory(net, &first, &first_size);
    fuzz_status(saved);
    if (saved == DIRAC_OK) {
        const int32_t loaded = dirac_net_load_memory(&back, context, first, first_size);
        FUZZ_CHECK(loaded == DIRAC_OK || loaded == DIRAC_ERR_MEMORY || loaded == DIRAC_ERR_LIMIT);
        if (loaded == DIRAC_OK && dirac_net_save_memory(back, &second, &second_size) == DIRAC_OK) {
            FUZZ_CHECK(first_size == second_size && memcmp(first, second, first_size) == 0);
            dirac_buffer_free(context, second, second_size);
        }
        dirac_buffer_free(context, first, first_size);
    }
    dirac_net_destroy(back);
}

/* Runs a net, folds it, runs that, and saves both. */
static inline void fuzz_use(dirac_net *net, dirac_context *context)
{
    dirac_net *folded = NULL;
    fuzz_run(net, DIRAC_INFER);
    fuzz_run(net, DIRAC_TRAIN);
    fuzz_save_again(net, context);
    fuzz_status(dirac_net_fold(&folded, net));
    if (folded != NULL) {
        fuzz_run(folded, DIRAC_INFER);
        fuzz_save_again(folded, context);
    }
    dirac_net_destroy(folded);
}

#endif
