/* SPDX-License-Identifier: MIT */
/* ELU: y = x for x > 0, alpha (exp(x) - 1) otherwise. The slope there is y + alpha, so backward needs the output alone. */
#include "layers/planning.h"

enum { ALPHA, COUNT };

static const dirac__attribute attributes[COUNT] = {
    [ALPHA] = {"alpha", DIRAC__FLOAT, 0, 3.40282347e+38, 1},
};

static int32_t plan(dirac__layer_plan *plan)
{
    plan->keeps_output = plan->training;
    return dirac__plan_same(plan);
}

static int32_t forward(const dirac__pass *pass)
{
    pass->kernels->elu(pass->y, pass->x[0], (float)dirac__float(pass->layer, ALPHA),
                       dirac__count_out(pass), pass->team);
    return DIRAC_OK;
}

static int32_t backward(const dirac__pass *pass)
{
    if (pass->dx[0] != NULL)
        pass->kernels->elu_backward(pass->dx[0], pass->y, pass->dy,
                                    (float)dirac__float(pass->layer, ALPHA), dirac__count_out(pass),
                                    pass->team);
    return DIRAC_OK;
}

const dirac__kind dirac__kind_elu = {
    .name = "elu",
    .attributes = attributes,
    .n_attributes = COUNT,
    .inputs = 1,
    .traits = DIRAC__IN_PLACE | DIRAC__GRADIENT_IN_PLACE,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
