/* SPDX-License-Identifier: MIT */
/*
 * A training run: epochs over a source's images by a recipe, each followed by a test; can be stopped at any batch and
 * gone on with from a checkpoint, with the same bits.
 */
#ifndef COMMON_TRAINING_H
#define COMMON_TRAINING_H

#include <stdint.h>

#include <dirac/dirac.h>

#include "feed.h"
#include "progress.h"

enum { MOST_DROPS = 64 };

typedef struct {
    int64_t epochs, batch, drops[MOST_DROPS]; /* drops: epochs after which the rate falls */
    int32_t n_drops, restart_momentum, strict;
    uint64_t seed;
    double rate, factor, momentum, decay;
} recipe;

/* The paper's for CIFAR: 200 epochs, drops after 60, 120 and 160, seed 1. */
recipe recipe_cifar(void);

/*
 * What an epoch came to. Accuracies in percent; loss and training accuracy are those of the batches as they were
 * trained on. `train_seconds` is the part of `seconds` before the test.
 */
typedef struct {
    int64_t epoch; /* from 1 */
    double rate, loss, train_accuracy, test_accuracy, seconds, train_seconds;
} epoch_result;

/* What the owner of a run is told; NULL for what it does not want. `step`: that `batches` of the run are trained on. */
typedef struct {
    void *user;
    void (*epoch)(void *user, const epoch_result *result);
    void (*step)(void *user, int64_t batches);
    void (*saving)(void *user, dirac_checkpoint *checkpoint); /* the place to add blobs of its own */
    void (*resumed)(void *user, const dirac_checkpoint *checkpoint);
} training_watch;

/* What has happened so far in the epoch at hand; saved with a checkpoint, so that its line comes out whole. */
typedef struct {
    int64_t epoch, seen, correct;
    double loss, seconds; /* the sum over images, and the time of earlier parts of the epoch */
} tally;

typedef struct {
    recipe how;
    feed data;
    dirac_context *context;
    dirac_net *net;
    dirac_session *session, *tester;
    dirac_sgd *sgd;
    dirac_checkpoint *checkpoint;
    char *signature; /* the settings that a checkpoint's run and the one going on with it must share */
    training_watch watch;
    tally so_far;
    double begun; /* when this part of the epoch began */
    double saved; /* when a checkpoint was last written */
    progress bar;
} training;

enum { TRAINING_DONE, TRAINING_STOPPED, TRAINING_DIVERGED };

/*
 * Makes what training `net` needs: sessions and optimizer. `what` describes the net, as options do. Context, net and
 * data stay the caller's and must outlive it. Then: training_resume(), if a checkpoint is to be gone on with;
 * training_run(); training_close().
 */
void training_open(training *t, dirac_context *context, dirac_net *net, const feed *data,
                   const recipe *how, const char *what, training_watch watch);
void training_resume(training *t, const char *path);
/*
 * Trains to the last epoch. `path`, unless NULL, gets a checkpoint after every epoch and every few minutes.
 * Returns TRAINING_STOPPED after Ctrl-C (then training_save() makes it possible to go on), and TRAINING_DIVERGED when a
 * step was refused because a number was not finite (dirac_error_message() names it).
 */
int training_run(training *t, const char *path);
void training_save(training *t, const char *path);
void training_close(training *t);

/* Lets the first Ctrl-C (or SIGTERM) ask running trainings to stop; a second one ends the program in the usual way. */
void training_listen(void);
/* The same from inside the program. */
void training_ask_to_stop(void);

#endif
