/* SPDX-License-Identifier: MIT */
/* (N, C, spatial...) to vectors in C order. Activations are channels-last inside, so this is a change of layout. */
#include "layers/planning.h"

static int32_t plan(dirac__layer_plan *plan)
{
    plan->out = (dirac__shape){.c = dirac__shape_count(&plan->in[0]), .rank = 0, .size = {1, 1, 1}};
    return dirac__check_output(plan);
}

static int32_t forward(const dirac__pass *pass)
{
    const int64_t positions = dirac__shape_positions(&pass->in[0]);
    if (positions == 1)
        pass->kernels->copy(pass->y, pass->x[0], dirac__count_out(pass), pass->team);
    else
        pass->kernels->to_channels_first(pass->y, pass->x[0], pass->n, pass->in[0].c, positions,
                                         pass->team);
    return DIRAC_OK;
}

static int32_t backward(const dirac__pass *pass)
{
    const int64_t positions = dirac__shape_positions(&pass->in[0]);
    if (pass->dx[0] == NULL)
        return DIRAC_OK;
    if (positions == 1)
        pass->kernels->copy(pass->dx[0], pass->dy, dirac__count_out(pass), pass->team);
    else
        pass->kernels->to_channels_last(pass->dx[0], pass->dy, pass->n, pass->in[0].c, positions,
                                        pass->team);
    return DIRAC_OK;
}

const dirac__kind dirac__kind_flatten = {
    .name = "flatten",
    .inputs = 1,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
