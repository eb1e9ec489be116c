/* SPDX-License-Identifier: MIT */
/*
 * What the parts of eq. 5 are worth: DiracNet-34 and -52 without weight normalisation (eq. 4), with alpha and beta
 * decayed like weights, and with W from N(0, 1), as the paper writes, instead of Kaiming's, as its program does. What
 * they are held against, DiracNet and plain net, are runs of paper-depth.
 */
#include "../common/program.h"
#include "sweep.h"

static const char about[] = "Ablations: DiracNet-34 and -52 with one thing changed.\n";

enum { QUICK_EPOCHS = 8 };

#define DIRACNET(layers, weights) .model = MODEL_DIRACNET, .depth = layers, .width = 1, .form = weights
#define NORMAL(deviation) .initialized = WEIGHTS_BLOCKS, .init = DIRAC_INIT_NORMAL, .gain = deviation

static const paper_run runs[] = {
    {"ablation-eq4-34-seed1", {DIRACNET(34, DIRAC_FORM_DELTA)}, 1},
    {"ablation-decayed-34-seed1", {DIRACNET(34, DIRAC_FORM_NORMALIZED_DELTA), .scale_decay = 5e-4}, 1},
    {"ablation-normal-34-seed1", {DIRACNET(34, DIRAC_FORM_NORMALIZED_DELTA), NORMAL(1)}, 1},
    {"ablation-eq4-52-seed1", {DIRACNET(52, DIRAC_FORM_DELTA)}, 1},
    {"ablation-decayed-52-seed1", {DIRACNET(52, DIRAC_FORM_NORMALIZED_DELTA), .scale_decay = 5e-4}, 1},
    {"ablation-normal-52-seed1", {DIRACNET(52, DIRAC_FORM_NORMALIZED_DELTA), NORMAL(1)}, 1},
    {"ablation-eq8-34-seed1", {DIRACNET(34, DIRAC_FORM_FIXED_DELTA)}, 1},
};

int main(int argc, char **argv)
{
    sweep s;
    program_name = "paper-ablations";
    sweep_open(&s, argc, argv, sweep_cifar(about, QUICK_EPOCHS));
    sweep_do(&s, runs, sizeof runs / sizeof runs[0], NULL);
    sweep_close(&s);
    return 0;
}
