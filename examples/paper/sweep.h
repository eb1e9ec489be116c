/* SPDX-License-Identifier: MIT */
/*
 * A sweep: a list of named training runs, done one after the other, each with a log of its own. What is finished is
 * skipped and what was stopped is gone on with, so the same command starts a sweep and continues it.
 *
 * <out>/<name>.jsonl is the log of a run, one JSON object a line: "run" says what is trained and how, "epoch" what an
 * epoch came to, "end" that it is finished. <state>/<name>.checkpoint is there while it is not,
 * <state>/<name>.safetensors, the trained net, when it is.
 *
 * A checkpoint holds the log of its batch, and is written when that log is on the disk. Whoever goes on from it first writes
 * the log it holds: lines of later batches, and torn ones, are dropped, and come again whole. So a kill, a power cut or a
 * full disk at any moment costs what was trained since the last checkpoint (an epoch, or five minutes), and no line twice.
 *
 * <out>/<name>.jsonl.lock and <state>/<name>.checkpoint.lock are there while a program is at the run. Others that share one of
 * the folders say so, leave the run to it and take the next one; if it is stopped, the same command goes on there later.
 */
#ifndef PAPER_SWEEP_H
#define PAPER_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include <dirac/dirac.h>

#include "../common/image_tree.h"
#include "../common/json_line.h"
#include "../common/training.h"
#include "nets.h"

typedef struct {
    char name[64]; /* of its files; letters, digits, '-', '.' */
    paper_net net;
    uint64_t seed;
} paper_run;

/* What programs differ in. */
typedef struct {
    const char *about;   /* the first lines of the help */
    int64_t quick, full; /* epochs of the two budgets */
    int32_t tenths[3];   /* of the epochs, after which the rate falls */
    recipe how;          /* but for epochs and drops */
    bool tree;           /* large images, by the ImageNet recipe */
} sweep_kind;

/* CIFAR's: 200 epochs, the rate falls after 3, 6 and 8 tenths. `quick` is the quick budget. */
sweep_kind sweep_cifar(const char *about, int64_t quick);

typedef struct {
    sweep_kind kind;
    const char *data, *out, *state, *only;
    int64_t epochs, batch, stop_after; /* batches left to do, -1: no limit */
    int32_t threads, size;
    bool list;
    recipe how;
    int32_t classes;
    dirac_context *context;
    source images;    /* of one of the two */
    image_tree *tree;
} sweep;

/*
 * What a program adds to the runs of its sweep; NULL for what it does not want. Lines it writes go to the run's log.
 * `begin` comes first, before a run and again before each of its further parts (resumed); a run has `per_epoch` batches
 * an epoch, and `step` is called when `batches` of the whole run have been trained on.
 */
typedef struct {
    void *user;
    void (*begin)(void *user, const dirac_net *net, int64_t per_epoch, bool resumed, json_log *log);
    void (*step)(void *user, int64_t batches, json_log *log);
    void (*end)(void *user, json_log *log);
} sweep_watch;

/* Reads the command line and opens the images. */
void sweep_open(sweep *s, int argc, char **argv, sweep_kind kind);
/* Does the runs that are wanted and not finished. Ends the program when it is asked to stop. */
void sweep_do(sweep *s, const paper_run *runs, int32_t count, const sweep_watch *watch);
void sweep_close(sweep *s);

/* Whether a name is in a list like "a,b*,c" (NULL: every name is); '*' stands for any text. */
bool name_wanted(const char *list, const char *name);

#endif
