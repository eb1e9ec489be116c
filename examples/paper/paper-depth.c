/* SPDX-License-Identifier: MIT */
/*
 * Figure 1: accuracy against depth and width. DiracNet, its plain twin and ResNet at 10 to 100 layers; widths 2 and 4
 * at 10 layers, where a run of width 4 takes little more than an hour. Where the paper claims most, that Dirac trains where
 * plain does not, three seeds; and at 10 layers, where plain is ahead.
 */
#include <stdio.h>

#include "../common/program.h"
#include "sweep.h"

static const char about[] = "Figure 1: trains DiracNets, plain nets and ResNets of several depths and widths.\n";

enum { QUICK_EPOCHS = 8, MOST_RUNS = 64 };

static const struct {
    const char *name;
    int32_t model, form;
} kinds[] = {
    {"dirac", MODEL_DIRACNET, DIRAC_FORM_NORMALIZED_DELTA},
    {"plain", MODEL_DIRACNET, DIRAC_FORM_PLAIN},
    {"resnet", MODEL_RESNET, DIRAC_FORM_PLAIN},
};

static paper_run runs[MOST_RUNS];
static int32_t count;

static void add(int kind, int32_t depth, double width, uint64_t seed)
{
    paper_run *run = &runs[count++];
    snprintf(run->name, sizeof run->name, "depth-%s-%d-%g-seed%d", kinds[kind].name, (int)depth, width, (int)seed);
    run->net = (paper_net){.model = kinds[kind].model, .form = kinds[kind].form, .depth = depth, .width = width};
    run->seed = seed;
}

/* In the order of what the paper says most clearly. */
static void list_runs(void)
{
    static const int32_t claimed[] = {34, 100, 52}, others[] = {16, 28, 10, 22}, again[] = {34, 100, 52, 10};
    for (size_t i = 0; i < 3; i++)
        for (int kind = 0; kind < 2; kind++)
            add(kind, claimed[i], 1, 1);
    for (size_t i = 0; i < 4; i++)
        for (int kind = 0; kind < 3; kind++)
            add(kind, others[i], 1, 1);
    for (size_t i = 0; i < 3; i++)
        add(2, claimed[i], 1, 1);
    for (int width = 2; width <= 4; width += 2)
        for (int kind = 0; kind < 3; kind += 2)
            add(kind, 10, width, 1);
    for (uint64_t seed = 2; seed <= 3; seed++)
        for (size_t i = 0; i < 4; i++)
            for (int kind = 0; kind < 2; kind++)
                add(kind, again[i], 1, seed);
}

int main(int argc, char **argv)
{
    sweep s;
    program_name = "paper-depth";
    sweep_open(&s, argc, argv, sweep_cifar(about, QUICK_EPOCHS));
    list_runs();
    sweep_do(&s, runs, count, NULL);
    sweep_close(&s);
    return 0;
}
