/* SPDX-License-Identifier: MIT */
/* The window of a pool: sizes and what is refused. */
#include "layers/window.h"

#include <inttypes.h>

#include "layers/planning.h"

/* Output size: floor((size + 2 padding - kernel) / stride) + 1; with `ceil` rounded up, but the last window must start
 * inside the image or its front padding. 0: the window does not fit. */
static int64_t output_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding, bool ceil)
{
    const int64_t room = size + 2 * padding - kernel;
    if (room < 0)
        return 0;
    int64_t out = (room + (ceil ? stride - 1 : 0)) / stride + 1;
    if (ceil && (out - 1) * stride >= size + padding)
        out--;
    return out;
}

dirac__pooling dirac__window(const dirac__layer *layer, const dirac__shape *in, int64_t n)
{
    dirac__pooling w = {.n = n, .c = in->c, .count_padding = 1};
    for (int i = 0; i < 3; i++) {
        const int64_t stride = layer->values[WINDOW_STRIDE].v[i];
        w.in[i] = in->size[i];
        w.kernel[i] = layer->values[WINDOW_KERNEL].v[i];
        w.stride[i] = stride > 0 ? stride : w.kernel[i];
        w.before[i] = layer->values[WINDOW_PADDING].v[i];
        w.out[i] = output_size(w.in[i], w.kernel[i], w.stride[i], w.before[i],
                               dirac__int(layer, WINDOW_CEIL) != 0);
    }
    return w;
}

int32_t dirac__window_plan(dirac__layer_plan *plan)
{
    const dirac__shape *in = &plan->in[0];
    char input[64], kernel[64], padding[64];
    int32_t status = dirac__check_rank(plan, "a pool");
    if (status != DIRAC_OK)
        return status;
    const dirac__pooling w = dirac__window(plan->layer, in, plan->batch);
    const int32_t rank = plan->layer->rank;
    for (int i = 0; i < 3; i++) {
        if (w.before[i] > w.kernel[i] / 2)
            return dirac__fail(DIRAC_ERR_SHAPE,
                               "layer \"%s\": its padding is %s, its kernel %s; padding must be at "
                               "most half the kernel",
                               plan->name, dirac__sizes_text(padding, w.before, rank),
                               dirac__sizes_text(kernel, w.kernel, rank));
        if (w.out[i] < 1)
            return dirac__fail(DIRAC_ERR_SHAPE,
                               "layer \"%s\": its window is %s, more than its input %s with "
                               "padding %s; each must fit",
                               plan->name, dirac__sizes_text(kernel, w.kernel, rank),
                               dirac__shape_text(input, in),
                               dirac__sizes_text(padding, w.before, rank));
    }
    plan->out =
        (dirac__shape){.c = in->c, .rank = in->rank, .size = {w.out[0], w.out[1], w.out[2]}};
    return dirac__check_output(plan);
}
