/* SPDX-License-Identifier: MIT */
/* Average-pool: y = mean of the window, over its padding too or not. */
#include "layers/window.h"

enum { COUNT_PADDING = WINDOW_COUNT, COUNT };

static const dirac__attribute attributes[COUNT] = {
    DIRAC__WINDOW_ATTRIBUTES,
    [COUNT_PADDING] = {"count_padding", DIRAC__INT, 0, 1, 1},
};

static dirac__pooling describe(const dirac__pass *pass)
{
    dirac__pooling window = dirac__window(pass->layer, &pass->in[0], pass->n);
    window.count_padding = dirac__int(pass->layer, COUNT_PADDING) != 0;
    return window;
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

const dirac__kind dirac__kind_average_pool = {
    .name = "average_pool",
    .attributes = attributes,
    .n_attributes = COUNT,
    .inputs = 1,
    .plan = dirac__window_plan,
    .forward = forward,
    .backward = backward,
};
