/* SPDX-License-Identifier: MIT */
/* The command line of a sweep. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/program.h"
#include "sweep.h"

static const char help[] =
    "  --data SOURCE    as for `train`: cifar10:DIR, cifar100:DIR, idx:DIR or images:DIR\n"
    "  --out DIR        where the logs of runs go, one file a run (docs/paper/runs)\n"
    "  --state DIR      where checkpoints of unfinished runs go (paper-state)\n"
    "  --budget NAME    quick (default), or full: the paper's 200 epochs\n"
    "  --epochs E       another number of epochs; the rate falls after 3/10, 6/10 and 8/10\n"
    "  --only LIST      only the runs whose names are in the list; '*' stands for any text\n"
    "  --list           only print the names of the runs, and whether they are finished\n"
    "  --size N         images: bring them to N x N (default: the size of the first one)\n"
    "  --threads T      (all processors)\n"
    "\n"
    "The same command again goes on where it was stopped. Finished runs are skipped.\n";

static const struct option options[] = {
    {"data", required_argument, NULL, 'd'},  {"out", required_argument, NULL, 'o'},
    {"state", required_argument, NULL, 's'}, {"budget", required_argument, NULL, 'b'},
    {"epochs", required_argument, NULL, 'e'}, {"only", required_argument, NULL, 'n'},
    {"list", no_argument, NULL, 'l'},        {"size", required_argument, NULL, 'z'},
    {"threads", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'},
    {0},
};

void sweep_schedule(recipe *how, int64_t epochs)
{
    how->epochs = epochs;
    how->n_drops = 0;
    for (int64_t tenths = 3; tenths <= 8; tenths += tenths == 3 ? 3 : 2) {
        int64_t drop = (tenths * epochs + 9) / 10;
        if (drop < epochs && (how->n_drops == 0 || drop > how->drops[how->n_drops - 1]))
            how->drops[how->n_drops++] = drop;
    }
}

static int64_t budget_epochs(const char *name, int64_t quick)
{
    if (strcmp(name, "quick") == 0)
        return quick;
    if (strcmp(name, "full") != 0)
        fail_usage("--budget: \"%s\" is not quick or full", name);
    return recipe_cifar().epochs;
}

static void parse(sweep *s, int option, const char *about, int64_t quick)
{
    switch (option) {
    case 'd': s->data = optarg; break;
    case 'o': s->out = optarg; break;
    case 's': s->state = optarg; break;
    case 'b': s->epochs = budget_epochs(optarg, quick); break;
    case 'e': s->epochs = argument_integer("--epochs", optarg, 1, 1000000); break;
    case 'n': s->only = optarg; break;
    case 'l': s->list = true; break;
    case 'z': s->size = (int32_t)argument_integer("--size", optarg, 4, 4096); break;
    case 't': s->threads = (int32_t)argument_integer("--threads", optarg, 1, 64); break;
    case 'h':
        printf("Usage: %s --data SOURCE [OPTION]...\n\n%s\n%s", program_name, about, help);
        exit(0);
    default: fail_usage("unknown option");
    }
}

void sweep_open(sweep *s, int argc, char **argv, const char *about, int64_t quick)
{
    *s = (sweep){.out = "docs/paper/runs", .state = "paper-state", .epochs = quick, .threads = processors()};
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;)
        parse(s, option, about, quick);
    if (optind < argc)
        fail_usage("\"%s\" belongs to no option", argv[optind]);
    if (s->data == NULL && !s->list)
        fail_usage("--data is needed");
    s->how = recipe_cifar();
    s->how.restart_momentum = 1; /* the published program makes a new optimizer at each drop */
    sweep_schedule(&s->how, s->epochs);
    if (s->list)
        return;
    mkdir(s->out, 0777); /* what is wrong with them, the first file will tell */
    mkdir(s->state, 0777);
    check(dirac_context_create(&s->context), "context");
    check(dirac_context_set_threads(s->context, s->threads), "--threads");
    source_open(&s->images, s->context, s->data, s->size);
    training_listen();
}

void sweep_close(sweep *s)
{
    if (!s->list)
        source_close(&s->images);
    dirac_context_destroy(s->context);
}
