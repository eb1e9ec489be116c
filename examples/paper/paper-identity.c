/* SPDX-License-Identifier: MIT */
/*
 * Section 3.4: ResNet-28 whose convolutions are I + W (eq. 8) reaches the same accuracy for W of any small size, where
 * the usual parameterization needs the right one. W is normal with a standard deviation from 1e-8 to 10, zero,
 * orthogonal, or Kaiming's; in the blocks, and (the paper does not say) in stem, projections and classifier too.
 */
#include <stdio.h>

#include "../common/program.h"
#include "sweep.h"

static const char about[] = "Section 3.4: trains ResNet-28 with I + W (eq. 8) from W of many sizes.\n";

enum { QUICK_EPOCHS = 5, MOST_RUNS = 96 };

static paper_run runs[MOST_RUNS];
static int32_t count;

static void add(int32_t form, int32_t where, int32_t init, const char *init_name, double gain, uint64_t seed)
{
    paper_run *run = &runs[count++];
    snprintf(run->name, sizeof run->name, "identity-%s-%s%s-%g-seed%d",
             form == DIRAC_FORM_FIXED_DELTA ? "eq8" : "plain", init_name, where == WEIGHTS_ALL ? "-all" : "", gain,
             (int)seed);
    run->net = (paper_net){.model = MODEL_RESNET,
                           .form = form,
                           .depth = 28,
                           .width = 1,
                           .initialized = where,
                           .init = init,
                           .gain = gain};
    run->seed = seed;
}

static void add_all(int32_t form, int32_t where, int32_t init, const char *name, const double *gains, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add(form, where, init, name, gains[i], 1);
}

#define GAINS(...) (const double[]){__VA_ARGS__}, sizeof((const double[]){__VA_ARGS__}) / sizeof(double)

/* In the order of what the paper says most clearly: flat over many decades, worse around 1, zeros. */
static void list_runs(void)
{
    const int32_t eq8 = DIRAC_FORM_FIXED_DELTA, plain = DIRAC_FORM_PLAIN;
    add_all(eq8, WEIGHTS_BLOCKS, DIRAC_INIT_NORMAL, "normal",
            GAINS(1e-8, 1e-5, 1e-2, 1, 0.1, 10, 1e-6, 1e-3, 1e-7, 1e-4));
    add(eq8, WEIGHTS_BLOCKS, DIRAC_INIT_ZEROS, "zeros", 0, 1);
    add(eq8, WEIGHTS_ALL, DIRAC_INIT_ZEROS, "zeros", 0, 1);
    add(plain, WEIGHTS_BLOCKS, DIRAC_INIT_KAIMING_NORMAL, "kaiming", 1.4142135623730951, 1);
    add_all(plain, WEIGHTS_BLOCKS, DIRAC_INIT_NORMAL, "normal", GAINS(1e-8, 1e-5, 1e-2, 1));
    add_all(eq8, WEIGHTS_ALL, DIRAC_INIT_NORMAL, "normal", GAINS(1e-8, 1e-5, 1e-2, 1));
    add_all(eq8, WEIGHTS_BLOCKS, DIRAC_INIT_ORTHOGONAL, "orthogonal", GAINS(1e-8, 1e-5, 1e-2, 0.1, 1, 10));
    add_all(eq8, WEIGHTS_BLOCKS, DIRAC_INIT_KAIMING_NORMAL, "kaiming", GAINS(1e-8, 1e-5, 1e-2, 0.1, 1, 10));
    for (uint64_t seed = 2; seed <= 3; seed++)
        for (int i = 0; i < 3; i++)
            add(eq8, WEIGHTS_BLOCKS, DIRAC_INIT_NORMAL, "normal", (const double[]){1e-8, 1e-5, 1e-2}[i], seed);
}

int main(int argc, char **argv)
{
    sweep s;
    program_name = "paper-identity";
    sweep_open(&s, argc, argv, sweep_cifar(about, QUICK_EPOCHS));
    list_runs();
    sweep_do(&s, runs, count, NULL);
    sweep_close(&s);
    return 0;
}
