/* SPDX-License-Identifier: MIT */
/* The networks of the paper's tables 2 (CIFAR) and 3 (ImageNet), with their exact sizes and published errors. */
#ifndef PAPER_TABLES_H
#define PAPER_TABLES_H

#include "nets.h"

typedef struct {
    const char *name;
    int32_t table;
    int64_t classes;
    paper_net net;
    int64_t parameters; /* of the network's usual definition */
    double error, error5; /* published, percent: table 2 top-1; table 3 top-1 and top-5. 0: the paper gives none */
} paper_entry;

extern const paper_entry paper_entries[];
extern const int32_t paper_entry_count;

#endif
