/* SPDX-License-Identifier: MIT */
/* The channels of several values of equal spatial size, one after the other. */
#include <inttypes.h>

#include "layers/planning.h"

static int32_t plan(dirac__layer_plan *plan)
{
    char first[64], other[64];
    plan->out = plan->in[0];
    for (int32_t i = 1; i < plan->layer->n_inputs; i++) {
        dirac__shape like = plan->in[i];
        like.c = plan->in[0].c;
        if (!dirac__shape_equal(&like, &plan->in[0]))
            return dirac__fail(DIRAC_ERR_SHAPE,
                               "layer \"%s\": it takes values of equal spatial size, its input 0 "
                               "is %s, input %d is %s",
                               plan->name, dirac__shape_text(first, &plan->in[0]), (int)i,
                               dirac__shape_text(other, &plan->in[i]));
        plan->out.c += plan->in[i].c;
    }
    return dirac__check_output(plan);
}

static int32_t forward(const dirac__pass *pass)
{
    float *y = pass->y;
    for (int32_t i = 0; i < pass->layer->n_inputs; i++) {
        const int64_t c = pass->in[i].c;
        pass->kernels->copy_channels(y, pass->out.c, pass->x[i], c, dirac__rows(pass), c,
                                     pass->team);
        y += c;
    }
    return DIRAC_OK;
}

static int32_t backward(const dirac__pass *pass)
{
    const float *dy = pass->dy;
    for (int32_t i = 0; i < pass->layer->n_inputs; i++) {
        const int64_t c = pass->in[i].c;
        if (pass->dx[i] != NULL)
            pass->kernels->copy_channels(pass->dx[i], c, dy, pass->out.c, dirac__rows(pass), c,
                                         pass->team);
        dy += c;
    }
    return DIRAC_OK;
}

const dirac__kind dirac__kind_concat = {
    .name = "concat",
    .inputs = 0,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
