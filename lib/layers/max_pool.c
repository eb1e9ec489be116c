/* SPDX-License-Identifier: MIT */
/* Max-pool: y = max of the window. Training keeps where each maximum was, so neither x nor y is needed by backward. */
#include "layers/planning.h"
#include "layers/window.h"

static const dirac__attribute attributes[WINDOW_COUNT] = {DIRAC__WINDOW_ATTRIBUTES};

static int32_t plan(dirac__layer_plan *plan)
{
    int32_t status = dirac__window_plan(plan);
    if (status != DIRAC_OK || !plan->training || plan->batch == 0)
        return status;
    const size_t count = (size_t)(plan->batch * dirac__shape_count(&plan->out));
    return dirac__room(&plan->saved, count, sizeof(uint32_t))
               ? DIRAC_OK
               : dirac__fail_room(plan, "training it");
}

static int32_t forward(const dirac__pass *pass)
{
    const dirac__pooling window = dirac__window(pass->layer, &pass->in[0], pass->n);
    pass->kernels->max_pool(pass->y, pass->training ? pass->saved : NULL, pass->x[0], &window,
                            pass->team);
    return DIRAC_OK;
}

static int32_t backward(const dirac__pass *pass)
{
    const dirac__pooling window = dirac__window(pass->layer, &pass->in[0], pass->n);
    if (pass->dx[0] != NULL)
        pass->kernels->max_pool_backward(pass->dx[0], pass->saved, pass->dy, &window, pass->team);
    return DIRAC_OK;
}

const dirac__kind dirac__kind_max_pool = {
    .name = "max_pool",
    .attributes = attributes,
    .n_attributes = WINDOW_COUNT,
    .inputs = 1,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
