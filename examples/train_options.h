/* SPDX-License-Identifier: MIT */
/* What the command line of the program `train` can say. */
#ifndef TRAIN_OPTIONS_H
#define TRAIN_OPTIONS_H

#include <stdint.h>

#include "common/training.h"

typedef struct {
    const char *data, *kind, *save, *resume, *log, *checkpoint;
    int32_t form, resnet, depth, threads, size;
    double width;
    recipe how;
} settings;

/* Reads the command line; ends the program with a message when it is wrong, or after --help. */
settings settings_parse(int argc, char **argv);

#endif
