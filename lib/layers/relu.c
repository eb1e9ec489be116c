/* SPDX-License-Identifier: MIT */
/* ReLU: y = max(x, 0). Its output is enough for backward: dx = dy where y > 0. */
#include "layers/planning.h"

static int32_t plan(dirac__layer_plan *plan)
{
    plan->keeps_output = plan->training;
    return dirac__plan_same(plan);
}

static int32_t forward(const dirac__pass *pass)
{
    pass->kernels->relu(pass->y, pass->x[0], dirac__count_out(pass), pass->team);
    return DIRAC_OK;
}

static int32_t backward(const dirac__pass *pass)
{
    if (pass->dx[0] != NULL)
        pass->kernels->relu_backward(pass->dx[0], pass->y, pass->dy, dirac__count_out(pass),
                                     pass->team);
    return DIRAC_OK;
}

const dirac__kind dirac__kind_relu = {
    .name = "relu",
    .inputs = 1,
    .traits = DIRAC__IN_PLACE | DIRAC__GRADIENT_IN_PLACE | DIRAC__IS_RELU,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
