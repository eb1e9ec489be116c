/* SPDX-License-Identifier: MIT */
/* Dropout, in training: in inference no pass of it runs, for it is the identity there (DIRAC__ALIAS). The mask is a function
 * of the pass's random stream: backward draws it again and nothing is kept. */
#include "layers/planning.h"

enum { RATE, COUNT };

static const dirac__attribute attributes[COUNT] = {
    [RATE] = {"rate", DIRAC__FLOAT, 0, 0.999999940395355225, 0}, /* the largest float below 1 */
};

static int32_t forward(const dirac__pass *pass)
{
    pass->kernels->dropout(pass->y, pass->x[0], (float)dirac__float(pass->layer, RATE),
                           &pass->random, dirac__count_out(pass), pass->team);
    return DIRAC_OK;
}

static int32_t backward(const dirac__pass *pass)
{
    if (pass->dx[0] != NULL)
        pass->kernels->dropout(pass->dx[0], pass->dy, (float)dirac__float(pass->layer, RATE),
                               &pass->random, dirac__count_out(pass), pass->team);
    return DIRAC_OK;
}

const dirac__kind dirac__kind_dropout = {
    .name = "dropout",
    .attributes = attributes,
    .n_attributes = COUNT,
    .inputs = 1,
    .traits = DIRAC__IN_PLACE | DIRAC__GRADIENT_IN_PLACE | DIRAC__ALIAS,
    .plan = dirac__plan_same,
    .forward = forward,
    .backward = backward,
};
