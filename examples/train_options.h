/* SPDX-License-Identifier: MIT */
/* What the command line of the program `train` can say. */
#ifndef TRAIN_OPTIONS_H
#define TRAIN_OPTIONS_H

#include <stdint.h>

enum { MOST_DROPS = 64 };

typedef struct {
    const char *data, *kind, *save, *resume, *log, *checkpoint;
    int32_t form, resnet, depth, threads, size, n_drops, restart_momentum;
    int64_t epochs, batch, drops[MOST_DROPS];
    uint64_t seed;
    double width, rate, factor, momentum, decay;
} settings;

/* Reads the command line; ends the program with a message when it is wrong, or after --help. */
settings settings_parse(int argc, char **argv);

#endif
