/* SPDX-License-Identifier: MIT */
/* Table 2: trains its networks on CIFAR-10 or CIFAR-100, whichever --data is; most of them want days on a CPU. */
#include <stdio.h>

#include "../common/program.h"
#include "sweep.h"
#include "tables.h"

static const char about[] = "Table 2: trains its networks on CIFAR-10 or CIFAR-100 (or any images of 32x32).\n";

enum { QUICK_EPOCHS = 8, MOST_RUNS = 32 };

int main(int argc, char **argv)
{
    sweep s;
    paper_run runs[MOST_RUNS] = {0};
    int32_t count = 0;
    program_name = "paper-table2";
    sweep_open(&s, argc, argv, sweep_cifar(about, QUICK_EPOCHS));
    for (int32_t i = 0; i < paper_entry_count; i++) {
        const paper_entry *e = &paper_entries[i];
        if (e->table != 2 || (!s.list && e->classes != s.classes))
            continue;
        snprintf(runs[count].name, sizeof runs[count].name, "table2-%s-seed1", e->name);
        runs[count].net = e->net;
        runs[count++].seed = 1;
    }
    if (count == 0)
        fail("table 2 has networks for 10 and for 100 classes, not for %d", (int)s.classes);
    sweep_do(&s, runs, count, NULL);
    sweep_close(&s);
    return 0;
}
