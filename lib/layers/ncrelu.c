/* SPDX-License-Identifier: MIT */
/* NCReLU: the channels max(x, 0), then the channels min(x, 0). */
#include "layers/planning.h"

static int32_t plan(dirac__layer_plan *plan)
{
    plan->keeps_input = plan->training;
    plan->out = plan->in[0];
    plan->out.c *= 2;
    return dirac__check_output(plan);
}

static int32_t forward(const dirac__pass *pass)
{
    pass->kernels->ncrelu(pass->y, pass->x[0], dirac__rows(pass), pass->in[0].c, pass->team);
    return DIRAC_OK;
}

static int32_t backward(const dirac__pass *pass)
{
    if (pass->dx[0] != NULL)
        pass->kernels->ncrelu_backward(pass->dx[0], pass->x[0], pass->dy, dirac__rows(pass),
                                       pass->in[0].c, pass->team);
    return DIRAC_OK;
}

const dirac__kind dirac__kind_ncrelu = {
    .name = "ncrelu",
    .inputs = 1,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
