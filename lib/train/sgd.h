/* SPDX-License-Identifier: MIT */
/* The inside of the optimizer. */
#ifndef TRAIN_SGD_H
#define TRAIN_SGD_H

#include <stdbool.h>

#include <dirac/sgd.h>

#include "plan/session.h"

#define DIRAC__MAX_DROPS 64

enum { DIRAC__SCHEDULE_NONE = 0, DIRAC__SCHEDULE_DROPS = 1, DIRAC__SCHEDULE_COSINE = 2 };

/* Plain numbers: a checkpoint saves it field by field. */
typedef struct dirac__schedule {
    int32_t kind;
    int64_t at[DIRAC__MAX_DROPS];
    int32_t n_drops;
    float factor;
    bool restart_momentum;
    int64_t cosine_steps;
    float last;
    int64_t warmup_steps;
    float first;
} dirac__schedule;

/* Rules of one trained tensor. */
typedef struct dirac__rule {
    float decay;    /* negative: the general rule */
    float factor;   /* of the learning rate */
    bool started;   /* has momentum */
} dirac__rule;

struct dirac_sgd {
    atomic_int references;
    dirac_net *net;
    const dirac__memory *memory;
    float rate, momentum, decay, clip_norm;
    bool nesterov;
    int64_t steps;
    dirac__schedule schedule;
    dirac__rule *rules;   /* by tensor */
    float *velocity;      /* v, laid out as the net's trained values */
    double *scratch;      /* for norms */
};

/* The scheduled rate of step number `step`. */
double dirac__scheduled_rate(const dirac_sgd *sgd, int64_t step);
int32_t dirac__sgd_create(dirac_sgd **out, dirac_net *net);
void dirac__sgd_hold(dirac_sgd *sgd);
void dirac__sgd_release(dirac_sgd *sgd);
/* The caller has the session, not yet the net. */
int32_t dirac__sgd_step(dirac_sgd *sgd, dirac_session *session);
/* What no step with this session would be taken for, whatever its gradients. Errors: ARGUMENT, STATE. */
int32_t dirac__sgd_check(const dirac_sgd *sgd, const dirac_session *session);
void dirac__sgd_restart(dirac_sgd *sgd);

#endif
