/* SPDX-License-Identifier: MIT */
/* y = a + b, equal shapes. Both gradients are dy. */
#include "layers/planning.h"

static int32_t plan(dirac__layer_plan *plan)
{
    char a[64], b[64];
    if (!dirac__shape_equal(&plan->in[0], &plan->in[1]))
        return dirac__fail(DIRAC_ERR_SHAPE,
                           "layer \"%s\": it adds values of equal shapes, its inputs are %s and %s",
                           plan->name, dirac__shape_text(a, &plan->in[0]),
                           dirac__shape_text(b, &plan->in[1]));
    return dirac__plan_same(plan);
}

static int32_t forward(const dirac__pass *pass)
{
    pass->kernels->add(pass->y, pass->x[0], pass->x[1], dirac__count_out(pass), pass->team);
    return DIRAC_OK;
}

/* dx[0] may be dy itself. */
static int32_t backward(const dirac__pass *pass)
{
    for (int i = 0; i < 2; i++)
        if (pass->dx[i] != NULL && pass->dx[i] != pass->dy)
            pass->kernels->copy(pass->dx[i], pass->dy, dirac__count_out(pass), pass->team);
    return DIRAC_OK;
}

const dirac__kind dirac__kind_add = {
    .name = "add",
    .inputs = 2,
    .traits = DIRAC__IN_PLACE | DIRAC__GRADIENT_IN_PLACE,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
