/* SPDX-License-Identifier: MIT */
/*
 * A sweep: a list of named training runs, done one after the other, each with a log of its own. What is finished is
 * skipped and what was stopped is gone on with, so the same command starts a sweep and continues it.
 *
 * <out>/<name>.jsonl is the log of a run, one JSON object a line: "run" says what is trained and how, "epoch" what an epoch
 * came to, "end" that it is finished. <state>/<name>.checkpoint is there while it is not,
 * <state>/<name>.safetensors, the trained net, when it is.
 */
#ifndef PAPER_SWEEP_H
#define PAPER_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include <dirac/dirac.h>

#include "../common/json_line.h"
#include "../common/source.h"
#include "../common/training.h"

enum { MODEL_DIRACNET, MODEL_RESNET };
enum { WEIGHTS_DEFAULT, WEIGHTS_BLOCKS, WEIGHTS_ALL }; /* which convolutions an initializer is for */

/* What is trained. Zeros mean what the library does by itself. */
typedef struct {
    int32_t model, depth, form;
    double width;
    int32_t initialized, init; /* WEIGHTS_*, DIRAC_INIT_* of the weights */
    double gain;
    double scale_decay; /* weight decay of alpha and beta */
} paper_net;

typedef struct {
    char name[64]; /* of its files; letters, digits, '-', '.' */
    paper_net net;
    uint64_t seed;
} paper_run;

typedef struct {
    const char *data, *out, *state, *only;
    int64_t epochs;
    int32_t threads, size;
    bool list;
    recipe how;
    dirac_context *context;
    source images;
} sweep;

/* What a program adds to the runs of its sweep; NULL for what it does not want. Lines it writes go to the run's log. */
typedef struct {
    void *user;
    void (*begin)(void *user, dirac_net *net, json_log *log);
    void (*step)(void *user, int64_t batches, json_log *log);
    void (*epoch)(void *user, const epoch_result *result, json_log *log);
} sweep_watch;

/*
 * Reads the command line (the options of all programs of a sweep; `about` begins the help) and opens the images.
 * `quick` is how many epochs the quick budget has.
 */
void sweep_open(sweep *s, int argc, char **argv, const char *about, int64_t quick);
/* Does the runs that are wanted and not finished. Ends the program when it is asked to stop. */
void sweep_do(sweep *s, const paper_run *runs, int32_t count, const sweep_watch *watch);
void sweep_close(sweep *s);

/* The paper's schedule for a number of epochs: the rate falls after 3/10, 6/10 and 8/10 of them. */
void sweep_schedule(recipe *how, int64_t epochs);

#endif
