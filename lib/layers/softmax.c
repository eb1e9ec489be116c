/* SPDX-License-Identifier: MIT */
/* Softmax over the channels of each position. Backward: dx = y (dy - <y, dy>). */
#include "layers/planning.h"

static int32_t plan(dirac__layer_plan *plan)
{
    plan->keeps_output = plan->training;
    return dirac__plan_same(plan);
}

static int32_t forward(const dirac__pass *pass)
{
    pass->kernels->softmax(pass->y, pass->x[0], dirac__rows(pass), pass->in[0].c, pass->team);
    return DIRAC_OK;
}

static int32_t backward(const dirac__pass *pass)
{
    if (pass->dx[0] != NULL)
        pass->kernels->softmax_backward(pass->dx[0], pass->y, pass->dy, dirac__rows(pass),
                                        pass->in[0].c, pass->team);
    return DIRAC_OK;
}

const dirac__kind dirac__kind_softmax = {
    .name = "softmax",
    .inputs = 1,
    .traits = DIRAC__IN_PLACE,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
