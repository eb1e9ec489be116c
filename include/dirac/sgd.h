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
 * convolution and linear layers; not alpha, beta, biases, batch norm). Every function gives DIRAC_ERR_ARGUMENT for a
 * NULL handle or a number out of range. Settings may be changed at any time between steps. Everything here: since 0.1.
 */
#ifndef DIRAC_SGD_H
#define DIRAC_SGD_H

#include "data.h"
#include "net.h"
#include "session.h"

DIRAC_BEGIN

/** An optimizer: momentum of every parameter, settings, schedule. */
typedef struct dirac_sgd dirac_sgd;

/* ---- life -------------------------------------------------------------------------------------------------------- */

/**
 * Makes an optimizer for a built net.
 * @param out receives it, NULL on failure; release it with dirac_sgd_destroy(). @param net kept alive by it.
 * Errors: ARGUMENT, STATE (not built), MEMORY. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_sgd_create(dirac_sgd **out, dirac_net *net);
/** Releases an optimizer. @param sgd NULL is accepted. Errors: none. Threads: one. Since 0.1. */
DIRAC_API void dirac_sgd_destroy(dirac_sgd *sgd);

/* ---- settings ---------------------------------------------------------------------------------------------------- */

/**
 * The learning rate, before the schedule.
 * @param rate finite, >= 0; default 0.1. Errors: ARGUMENT. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_sgd_set_learning_rate(dirac_sgd *sgd, float rate);
/** Momentum. @param momentum 0 (default) to below 1. Errors: ARGUMENT. Threads: one. Since 0.1. */
DIRAC_API int32_t dirac_sgd_set_momentum(dirac_sgd *sgd, float momentum);
/**
 * Nesterov's form of momentum. It needs momentum > 0 at the step.
 * @param nesterov 1, or 0 (default). Errors: ARGUMENT. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_sgd_set_nesterov(dirac_sgd *sgd, int32_t nesterov);
/**
 * Weight decay of the tensors that decay.
 * @param decay finite, >= 0; default 0. Errors: ARGUMENT. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_sgd_set_weight_decay(dirac_sgd *sgd, float decay);
/**
 * Weight decay of the parameters whose names match, in place of the rule that only tensors of more than one dimension
 * decay; later calls win. The weights of batch norms too are called "weight": "*.weight" makes them decay, which the rule
 * does not.
 * @param pattern a name, or a name with '*' for any text. @param decay finite, >= 0.
 * Errors: ARGUMENT, NOT_FOUND (nothing matches). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_sgd_set_parameter_decay(dirac_sgd *sgd, const char *pattern, float decay);
/**
 * Multiplies the learning rate of the parameters whose names match; later calls win.
 * @param pattern a name, or a name with '*' for any text. @param factor finite, >= 0; default 1.
 * Errors: ARGUMENT, NOT_FOUND (nothing matches). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_sgd_set_parameter_rate(dirac_sgd *sgd, const char *pattern, float factor);
/**
 * Scales all gradients by min(1, norm / |g|), |g| over all trained parameters.
 * @param norm finite, > 0; 0 (default): never. Errors: ARGUMENT. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_sgd_set_clip_norm(dirac_sgd *sgd, float norm);

/* ---- schedule ---------------------------------------------------------------------------------------------------- */

/**
 * Schedule: from step number at[i] on (0 = the first step), the rate is multiplied by `factor` once more. Replaces an
 * earlier drop or cosine schedule.
 * @param at increasing, not negative; copied. @param count 0 to 64; 0 for no schedule. @param factor finite, >= 0.
 * @param restart_momentum 1: momentum starts anew at each drop, as the paper's program did; 0: it goes on.
 * Errors: ARGUMENT. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_sgd_schedule_drops(dirac_sgd *sgd, const int64_t *at, int32_t count, float factor,
                                           int32_t restart_momentum);
/**
 * Schedule: rate(t) = last + (rate - last) (1 + cos(pi t / steps)) / 2 for t < steps, then `last`. Replaces an earlier
 * drop or cosine schedule.
 * @param steps at least 1. @param last finite, >= 0. Errors: ARGUMENT. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_sgd_schedule_cosine(dirac_sgd *sgd, int64_t steps, float last);
/**
 * Warm-up: during the first steps the scheduled rate is multiplied by a factor rising from `first` to 1 linearly.
 * @param steps 0 (default: none) or more. @param first finite, >= 0. Errors: ARGUMENT. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_sgd_schedule_warmup(dirac_sgd *sgd, int64_t steps, float first);
/** The rate the next step will use. @param rate receives it. Errors: ARGUMENT. Threads: one. Since 0.1. */
DIRAC_API int32_t dirac_sgd_learning_rate(const dirac_sgd *sgd, float *rate);
/** The number of steps taken. @param steps receives it. Errors: ARGUMENT. Threads: one. Since 0.1. */
DIRAC_API int32_t dirac_sgd_steps(const dirac_sgd *sgd, int64_t *steps);

/* ---- steps ------------------------------------------------------------------------------------------------------- */

/**
 * One step: from the session's gradients updates parameters and momentum, commits the pending running statistics, and
 * clears the gradients. All or nothing: if a loss that backward took in, a gradient or a statistic is NaN or infinite
 * nothing is changed, and the gradients stay until dirac_session_clear_gradients() forgets them.
 * @param session a training session on the same net.
 * Errors: ARGUMENT (another net), STATE (no backward since the last step or clear; Nesterov without momentum; a
 * parameter that was not trainable when the session was prepared), NOT_FINITE (a loss, a statistic, a gradient or the
 * rate of a parameter; names the first layer of forward whose parameter or output is not finite, else the first that
 * backward met), BUSY.
 * Threads: one, and caller of the session, writer of the net. Since 0.1.
 */
DIRAC_API int32_t dirac_sgd_step(dirac_sgd *sgd, dirac_session *session);

/**
 * Trains on the rest of the stream's epoch, batch by batch: forward, cross-entropy, backward, step.
 * @param session a training session on the same net.
 * @param batches its samples fit the net's one input, its batches the session's batch.
 * @param progress told after each batch (`done` of `total` batches of the epoch), may be NULL; when it stops, the
 * batch at hand is complete, the stream stays behind it, and a later call goes on there. @param user passed to it.
 * @param loss, accuracy receive the mean loss and the share of right answers (0 to 1) over the images of this call, as
 * they were before each step; may be NULL. Both are written on failure too.
 * Errors: those of the calls it makes; SHAPE (samples and input differ, output 0 is no vector), ARGUMENT (batches larger
 * than the session's), CANCELLED.
 * Threads: one (of the stream too), and caller of the session from the first batch to the last, reader and writer of the
 * net for each batch. Since 0.1.
 */
DIRAC_API int32_t dirac_sgd_epoch(dirac_sgd *sgd, dirac_session *session, dirac_batches *batches,
                                  dirac_progress_fn progress, void *user, double *loss, double *accuracy);

/** Forgets the momentum: the next step starts with v = d. Errors: ARGUMENT. Threads: one. Since 0.1. */
DIRAC_API int32_t dirac_sgd_restart_momentum(dirac_sgd *sgd);
/**
 * Copies the momentum v of a parameter out; zeros before the first step.
 * @param name of the parameter. @param values room for it, C order. @param count must be its number of elements.
 * Errors: ARGUMENT, NOT_FOUND, SHAPE (count). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_sgd_momentum_read(const dirac_sgd *sgd, const char *name, float *values, size_t count);
/**
 * Copies a momentum in, as if steps had been taken.
 * @param name of the parameter. @param values all of it, C order; not kept. @param count must be its number of
 * elements.
 * Errors: ARGUMENT, NOT_FOUND, SHAPE (count). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_sgd_momentum_write(dirac_sgd *sgd, const char *name, const float *values, size_t count);

DIRAC_END

#endif
