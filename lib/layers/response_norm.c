/* SPDX-License-Identifier: MIT */
/* Local response norm across channels: y[c] = x[c] s[c]^-beta, s[c] = k + alpha/size sum of x^2 around c. Training keeps s. */
#include "layers/planning.h"

enum { SIZE, ALPHA, BETA, K, COUNT };

static const dirac__attribute attributes[COUNT] = {
    [SIZE] = {"size", DIRAC__INT, 1, 4096, 5},
    [ALPHA] = {"alpha", DIRAC__FLOAT, 0, 3.40282347e+38, 1e-4},
    [BETA] = {"beta", DIRAC__FLOAT, 0, 3.40282347e+38, 0.75},
    [K] = {"k", DIRAC__FLOAT, 0, 3.40282347e+38, 1},
};

static int32_t plan(dirac__layer_plan *plan)
{
    int32_t status = dirac__plan_same(plan);
    if (status != DIRAC_OK || !plan->training || plan->batch == 0)
        return status;
    plan->keeps_input = true;
    plan->keeps_output = true;
    const size_t count = (size_t)(plan->batch * dirac__shape_count(&plan->out));
    return dirac__room(&plan->saved, count, sizeof(float)) ? DIRAC_OK
                                                           : dirac__fail_room(plan, "training it");
}

static int32_t forward(const dirac__pass *pass)
{
    const dirac__layer *layer = pass->layer;
    pass->kernels->response_norm(
        pass->y, pass->training ? pass->saved : NULL, pass->x[0], dirac__rows(pass), pass->in[0].c,
        dirac__int(layer, SIZE), (float)dirac__float(layer, ALPHA),
        (float)dirac__float(layer, BETA), (float)dirac__float(layer, K), pass->team);
    return DIRAC_OK;
}

static int32_t backward(const dirac__pass *pass)
{
    const dirac__layer *layer = pass->layer;
    if (pass->dx[0] != NULL)
        pass->kernels->response_norm_backward(
            pass->dx[0], pass->x[0], pass->y, pass->saved, pass->dy, dirac__rows(pass),
            pass->in[0].c, dirac__int(layer, SIZE), (float)dirac__float(layer, ALPHA),
            (float)dirac__float(layer, BETA), pass->team);
    return DIRAC_OK;
}

const dirac__kind dirac__kind_response_norm = {
    .name = "response_norm",
    .attributes = attributes,
    .n_attributes = COUNT,
    .inputs = 1,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
