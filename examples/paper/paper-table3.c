/* SPDX-License-Identifier: MIT */
/*
 * Table 3: trains its networks on ImageNet, or on any tree of images (DIR/train/CLASS/..., DIR/val/CLASS/...), by the
 * paper's recipe: batches of 256, weight decay 1e-4, the rate from 0.1 times 0.1 after 30, 60 and 90 of 100 epochs.
 */
#include <stdio.h>

#include "../common/program.h"
#include "sweep.h"
#include "tables.h"

enum { MOST_RUNS = 32 };

int main(int argc, char **argv)
{
    sweep s;
    paper_run runs[MOST_RUNS] = {0};
    int32_t count = 0;
    sweep_kind kind = {.about = "Table 3: trains its networks on ImageNet or any tree of images.\n"
                                "SOURCE is the folder that holds train/CLASS and val/CLASS.\n",
                       .quick = 5,
                       .full = 100,
                       .tenths = {3, 6, 9},
                       .how = recipe_cifar(),
                       .tree = true};
    kind.how.batch = 256;
    kind.how.decay = 1e-4;
    kind.how.factor = 0.1;
    kind.how.restart_momentum = 1;
    program_name = "paper-table3";
    sweep_open(&s, argc, argv, kind);
    for (int32_t i = 0; i < paper_entry_count; i++) {
        if (paper_entries[i].table != 3)
            continue;
        snprintf(runs[count].name, sizeof runs[count].name, "table3-%s-seed1", paper_entries[i].name);
        runs[count].net = paper_entries[i].net;
        runs[count++].seed = 1;
    }
    sweep_do(&s, runs, count, NULL);
    sweep_close(&s);
    return 0;
}
