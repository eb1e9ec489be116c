/* SPDX-License-Identifier: MIT */
/**
 * @file sgd.h  Stochastic gradient descent with momentum, weight decay, clipping and a learning-rate schedule.
 *
 * For each trained parameter p with gradient g, as in PyTorch:
 *
 *     d = g + decay p          v = d at the first step, then momentum v + d          p = p - rate v
 *                                                                        Nesterov:   p = p - rate (d + momentum v)
 *
 * Weight decay follows the rule of the paper's code: only tensors of more than one dimension decay (weights of
 * convolution and linear layers; not alpha, beta, biases, batch norm). One caller at a time. Every function gives
 * DIRAC_ERR_ARGUMENT for a NULL handle or a number out of range. Everything here: since 0.1.
 */
#ifndef DIRAC_SGD_H
#define DIRAC_SGD_H

#include "data.h"
#include "net.h"
#include "session.h"

DIRAC_BEGIN

typedef struct dirac_sgd dirac_sgd;

/** Makes an optimizer for a built net, which it keeps alive. Errors: ARGUMENT, STATE (not built), MEMORY. */
DIRAC_API int32_t dirac_sgd_create(dirac_sgd **out, dirac_net *net);
/** Releases it. NULL is accepted. */
DIRAC_API void dirac_sgd_destroy(dirac_sgd *sgd);

/** The learning rate, before the schedule; default 0.1. Finite, >= 0. Any time. */
DIRAC_API int32_t dirac_sgd_set_learning_rate(dirac_sgd *sgd, float rate);
/** 0 (default) to below 1. Any time. */
DIRAC_API int32_t dirac_sgd_set_momentum(dirac_sgd *sgd, float momentum);
/** 1: Nesterov's form. Needs momentum > 0 at the step. Default 0. */
DIRAC_API int32_t dirac_sgd_set_nesterov(dirac_sgd *sgd, int32_t nesterov);
/** Weight decay of the tensors that decay; default 0. Finite, >= 0. */
DIRAC_API int32_t dirac_sgd_set_weight_decay(dirac_sgd *sgd, float decay);
/**
 * Weight decay of the parameters whose names match, in place of the rule above; later calls win.
 * @param pattern a name, or a name with '*' for any text. Errors: ARGUMENT, NOT_FOUND (nothing matches).
 */
DIRAC_API int32_t dirac_sgd_set_parameter_decay(dirac_sgd *sgd, const char *pattern, float decay);
/** Multiplies the learning rate of the parameters whose names match; default 1. Errors: ARGUMENT, NOT_FOUND. */
DIRAC_API int32_t dirac_sgd_set_parameter_rate(dirac_sgd *sgd, const char *pattern, float factor);
/** Scales all gradients by min(1, norm / |g|), |g| over all trained parameters; 0 (default): never. */
DIRAC_API int32_t dirac_sgd_set_clip_norm(dirac_sgd *sgd, float norm);

/**
 * Schedule: from step number at[i] on (0 = the first step), the rate is multiplied by `factor` once more.
 * @param at increasing; copied; count 0 to 64. @param restart_momentum 1: momentum starts anew at each drop, as the
 * paper's program did. Replaces an earlier drop or cosine schedule. Errors: ARGUMENT, MEMORY.
 */
DIRAC_API int32_t dirac_sgd_schedule_drops(dirac_sgd *sgd, const int64_t *at, int32_t count, float factor,
                                           int32_t restart_momentum);
/**
 * Schedule: rate(t) = last + (rate - last) (1 + cos(pi t / steps)) / 2 for t < steps, then `last`.
 * Replaces an earlier drop or cosine schedule.
 */
DIRAC_API int32_t dirac_sgd_schedule_cosine(dirac_sgd *sgd, int64_t steps, float last);
/** Warm-up: during the first `steps` steps the scheduled rate is multiplied by a factor rising from `first` to 1 linearly. */
DIRAC_API int32_t dirac_sgd_schedule_warmup(dirac_sgd *sgd, int64_t steps, float first);
/** The rate the next step will use. */
DIRAC_API int32_t dirac_sgd_learning_rate(const dirac_sgd *sgd, float *rate);
/** The number of steps taken. */
DIRAC_API int32_t dirac_sgd_steps(const dirac_sgd *sgd, int64_t *steps);

/**
 * One step: from the session's gradients updates parameters and momentum, commits the pending running statistics, and
 * clears the gradients. All or nothing: if a gradient or statistic is NaN or infinite nothing is changed.
 * @param session a training session on the same net.
 * Errors: ARGUMENT, STATE (no backward since the last step or clear), NOT_FINITE (a gradient, a statistic or the rate of a
 * parameter; names the first in the order of the layers), BUSY. Writer.
 */
DIRAC_API int32_t dirac_sgd_step(dirac_sgd *sgd, dirac_session *session);

/**
 * Trains on the rest of the stream's epoch, batch by batch: forward, cross-entropy, backward, step.
 * @param batches its samples fit the net's one input, its batches the session's batch.
 * @param progress told after each batch (`done` of `total` batches of the epoch), may be NULL; when it stops, the batch at
 * hand is complete, the stream stays behind it, and a later call goes on there.
 * @param loss, @param accuracy receive the mean loss and the share of right answers (0 to 1) over the images of this
 * call, as they were before each step; may be NULL. Both are written on CANCELLED too.
 * Errors: as the calls it makes; SHAPE (samples and input differ), CANCELLED. Writer.
 */
DIRAC_API int32_t dirac_sgd_epoch(dirac_sgd *sgd, dirac_session *session, dirac_batches *batches,
                                  dirac_progress_fn progress, void *user, double *loss, double *accuracy);

/** Forgets the momentum: the next step starts with v = d. */
DIRAC_API int32_t dirac_sgd_restart_momentum(dirac_sgd *sgd);
/** Copies the momentum v of a parameter out; zeros before the first step. Errors: ARGUMENT, NOT_FOUND, SHAPE (count). */
DIRAC_API int32_t dirac_sgd_momentum_read(const dirac_sgd *sgd, const char *name, float *values, size_t count);
/** Copies a momentum in, as if steps had been taken. Errors: as dirac_sgd_momentum_read(). */
DIRAC_API int32_t dirac_sgd_momentum_write(dirac_sgd *sgd, const char *name, const float *values, size_t count);

DIRAC_END

#endif
