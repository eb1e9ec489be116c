/* SPDX-License-Identifier: MIT */
/* Input: a value the host gives. Its shape lives in the node; the graph hands it in as in[0]. */
#include "layers/planning.h"

/* The value is written by whoever runs the net. */
static int32_t forward(const dirac__pass *pass)
{
    (void)pass;
    return DIRAC_OK;
}

const dirac__kind dirac__kind_input = {
    .name = "input",
    .inputs = 0,
    .traits = DIRAC__IS_INPUT,
    .plan = dirac__plan_same,
    .forward = forward,
};
