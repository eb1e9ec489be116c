/* SPDX-License-Identifier: MIT */
/* What the files of the scenarios share among themselves. */
#ifndef FAULT_SCENARIO_PARTS_H
#define FAULT_SCENARIO_PARTS_H

#include "fault/scenarios.h"
#include "support/watched.h"

/* One call of the library with faults; a failed one ends the act, unless the test wants it repeated. It is made in an
 * unusual floating-point environment, which it must leave, like the locale, as it was, however it ends. */
#define TRY(call)                                                      \
    do {                                                               \
        int32_t got;                                                   \
        watched_environment = &environments[scenario_environment];     \
        WATCH((faults_on(), got = (call), faults_off()));              \
        if (got != DIRAC_OK && faults_retry(got, #call))               \
            WATCH(got = (call));                                       \
        if (got != DIRAC_OK)                                           \
            return got;                                                \
    } while (0)

/* 32 * 1024 * 768 multiply-adds are more than the 2^24 from which on the library asks OpenBLAS, in training. */
enum { LARGE_BATCH = 32, LARGE_IN = 1024, LARGE_OUT = 768 };

int32_t make_model(dirac_net **out, dirac_context *context, int which);
int32_t make_kind(dirac_layer_kind **out, dirac_context *context);
/* Builds; a net that failed is destroyed. */
int32_t finish_net(dirac_net **net);
void see_bytes(const void *data, size_t size, floats *all);

/* ---- by file ---- */

int32_t with_context(handles *base);
int32_t with_nothing(handles *base);

int32_t with_mixed_net(handles *base);
int32_t with_training_net(handles *base);
int32_t with_model(handles *base); /* whose tensors have published names */
int32_t create_context(handles *base, handles *made);
int32_t build_mixed(handles *base, handles *made);
int32_t build_custom(handles *base, handles *made);
int32_t build_model(handles *base, handles *made);
int32_t change_net(handles *base, handles *made);
int32_t copy_net(handles *base, handles *made);
int32_t with_deep_net(handles *base);
int32_t open_deep(handles *base, handles *made);
int32_t open_sessions(handles *base, handles *made);
int32_t compute_mixed(handles *base, handles *made);
int32_t compare_nets(handles *base, handles *made);

int32_t with_built_model(handles *base);  /* that of handles.which, as small as it can be */
int32_t with_large_layer(handles *base);  /* a linear layer that OpenBLAS multiplies in training, for LARGE_BATCH */
int32_t train_large(handles *base, handles *made);
int32_t train_model(handles *base, handles *made);
int32_t compute_lean(handles *base, handles *made);

int32_t with_training(handles *base);      /* net, session, sgd, set, batches, checkpoint */
int32_t with_prefetch(handles *base);      /* the same, with batches made ahead */
int32_t with_saved_training(handles *base); /* the same, saved at `saved_path` and in `data`, and then gone on */
int32_t open_sgd(handles *base, handles *made);
int32_t train_steps(handles *base, handles *made);
int32_t train_epoch(handles *base, handles *made);
int32_t evaluate(handles *base, handles *made);
int32_t save_checkpoint(handles *base, handles *made);
int32_t load_checkpoint(handles *base, handles *made);
int32_t save_checkpoint_memory(handles *base, handles *made);
int32_t load_checkpoint_memory(handles *base, handles *made);
int32_t open_checkpoint(handles *base, handles *made);

int32_t with_saved_net(handles *base);     /* at `saved_path` and in `data` */
int32_t with_saved_custom(handles *base);
int32_t with_published(handles *base);     /* saved under published names */
int32_t save_net(handles *base, handles *made);
int32_t save_published(handles *base, handles *made);
int32_t save_net_memory(handles *base, handles *made);
int32_t load_net(handles *base, handles *made);
int32_t load_net_memory(handles *base, handles *made);
int32_t load_published(handles *base, handles *made);
int32_t load_partly(handles *base, handles *made);

int32_t with_set(handles *base);
int32_t with_callback_set(handles *base);
int32_t fill_sets(handles *base, handles *made);
int32_t load_cifar10(handles *base, handles *made);
int32_t load_cifar100(handles *base, handles *made);
int32_t load_idx(handles *base, handles *made);
int32_t load_sets_memory(handles *base, handles *made);
int32_t take_batches(handles *base, handles *made);
int32_t take_prefetched(handles *base, handles *made);

#endif
