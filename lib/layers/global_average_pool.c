/* SPDX-License-Identifier: MIT */
/* The mean over all positions, whatever their number: an average-pool whose window is the image. */
#include "layers/planning.h"

static int32_t plan(dirac__layer_plan *plan)
{
    plan->out = (dirac__shape){.c = plan->in[0].c, .rank = 0, .size = {1, 1, 1}};
    return dirac__check_output(plan);
}

static dirac__pooling describe(const dirac__pass *pass)
{
    const dirac__shape *in = &pass->in[0];
    return (dirac__pooling){
        .n = pass->n,
        .c = in->c,
        .in = {in->size[0], in->size[1], in->size[2]},
        .out = {1, 1, 1},
        .kernel = {in->size[0], in->size[1], in->size[2]},
        .stride = {1, 1, 1},
        .count_padding = 1,
    };
}

static int32_t forward(const dirac__pass *pass)
{
    const dirac__pooling window = describe(pass);
    pass->kernels->average_pool(pass->y, pass->x[0], &window, pass->team);
    return DIRAC_OK;
}

static int32_t backward(const dirac__pass *pass)
{
    const dirac__pooling window = describe(pass);
    if (pass->dx[0] != NULL)
        pass->kernels->average_pool_backward(pass->dx[0], pass->dy, &window, pass->team);
    return DIRAC_OK;
}

const dirac__kind dirac__kind_global_average_pool = {
    .name = "global_average_pool",
    .inputs = 1,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
