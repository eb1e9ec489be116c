/* SPDX-License-Identifier: MIT */
/* The command line of a sweep. */
#include <fnmatch.h>
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
    "  --state DIR      where checkpoints of unfinished runs and trained models go (paper-state)\n"
    "  --budget NAME    quick (default), or full: the paper's epochs\n"
    "  --epochs E       another number of epochs, with the rate's drops at the paper's parts of them\n"
    "  --batch N        images a step (the paper's)\n"
    "  --only LIST      only the runs whose names are in the list; '*' stands for any text\n"
    "  --list           only print the names of the runs, and whether they are finished\n"
    "  --stop-after N   stop after N batches, as Ctrl-C does\n"
    "  --size N         images: bring them to N x N (default: the size of the first one; large images: 224)\n"
    "  --threads T      (all processors)\n"
    "\n"
    "The same command again goes on where it was stopped. Finished runs are skipped, and so are those that another program\n"
    "is at in one of the two folders.\n";

static const struct option options[] = {
    {"data", required_argument, NULL, 'd'},  {"out", required_argument, NULL, 'o'},
    {"state", required_argument, NULL, 's'}, {"budget", required_argument, NULL, 'b'},
    {"epochs", required_argument, NULL, 'e'}, {"batch", required_argument, NULL, 'B'},
    {"only", required_argument, NULL, 'n'},   {"stop-after", required_argument, NULL, 'S'},
    {"list", no_argument, NULL, 'l'},        {"size", required_argument, NULL, 'z'},
    {"threads", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'},
    {0},
};

bool name_wanted(const char *list, const char *name)
{
    bool found = false;
    if (list == NULL)
        return true;
    char *copy = strcpy(allocate(strlen(list) + 1, 1), list);
    for (char *rest = copy, *pattern; !found && (pattern = strtok_r(rest, ",", &rest)) != NULL;)
        found = fnmatch(pattern, name, 0) == 0;
    free(copy);
    return found;
}

sweep_kind sweep_cifar(const char *about, int64_t quick)
{
    sweep_kind kind = {.about = about, .quick = quick, .full = 200, .tenths = {3, 6, 8}, .how = recipe_cifar()};
    kind.how.restart_momentum = 1; /* the published program makes a new optimizer at each drop */
    return kind;
}

/* Drops after so many tenths of the epochs, rounded up; none at the end. */
static void set_schedule(recipe *how, int64_t epochs, const int32_t tenths[3])
{
    how->epochs = epochs;
    how->n_drops = 0;
    for (int i = 0; i < 3; i++) {
        int64_t drop = (tenths[i] * epochs + 9) / 10;
        if (drop < epochs && (how->n_drops == 0 || drop > how->drops[how->n_drops - 1]))
            how->drops[how->n_drops++] = drop;
    }
}

static int64_t budget_epochs(const char *name, const sweep_kind *kind)
{
    if (strcmp(name, "quick") == 0)
        return kind->quick;
    if (strcmp(name, "full") != 0)
        fail_usage("--budget: \"%s\" is not quick or full", name);
    return kind->full;
}

static void parse(sweep *s, int option)
{
    switch (option) {
    case 'd': s->data = optarg; break;
    case 'o': s->out = optarg; break;
    case 's': s->state = optarg; break;
    case 'b': s->epochs = budget_epochs(optarg, &s->kind); break;
    case 'e': s->epochs = argument_integer("--epochs", optarg, 1, 1000000); break;
    case 'B': s->batch = argument_integer("--batch", optarg, 1, 1000000); break;
    case 'n': s->only = optarg; break;
    case 'S': s->stop_after = argument_integer("--stop-after", optarg, 1, INT64_MAX); break;
    case 'l': s->list = true; break;
    case 'z': s->size = (int32_t)argument_integer("--size", optarg, 4, 4096); break;
    case 't': s->threads = (int32_t)argument_integer("--threads", optarg, 1, 64); break;
    case 'h':
        printf("Usage: %s --data SOURCE [OPTION]...\n\n%s\n%s", program_name, s->kind.about, help);
        exit(0);
    default: fail_usage("unknown option");
    }
}

static void open_images(sweep *s)
{
    mkdir(s->out, 0777); /* what is wrong with them, the first file will tell */
    mkdir(s->state, 0777);
    check(dirac_context_create(&s->context), "context");
    check(dirac_context_set_threads(s->context, s->threads), "--threads");
    if (s->kind.tree) {
        const char *folder = strncmp(s->data, "images:", 7) == 0 ? s->data + 7 : s->data;
        s->tree = image_tree_open(s->context, folder, s->size > 0 ? s->size : 224, s->threads);
        feed look = image_tree_feed(s->tree, 1, 0);
        s->classes = look.classes;
        feed_close(&look);
    } else {
        source_open(&s->images, s->context, s->data, s->size);
        s->classes = s->images.classes;
    }
}

void sweep_open(sweep *s, int argc, char **argv, sweep_kind kind)
{
    *s = (sweep){.kind = kind,
                 .out = "docs/paper/runs",
                 .state = "paper-state",
                 .epochs = kind.quick,
                 .batch = kind.how.batch,
                 .stop_after = -1,
                 .threads = processors()};
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;)
        parse(s, option);
    if (optind < argc)
        fail_usage("\"%s\" belongs to no option", argv[optind]);
    if (s->data == NULL && !s->list)
        fail_usage("--data is needed");
    s->how = kind.how;
    s->how.batch = s->batch;
    set_schedule(&s->how, s->epochs, kind.tenths);
    if (s->list)
        return;
    open_images(s);
    training_listen();
}

void sweep_close(sweep *s)
{
    if (s->tree != NULL)
        image_tree_close(s->tree);
    else if (!s->list)
        source_close(&s->images);
    dirac_context_destroy(s->context);
}
