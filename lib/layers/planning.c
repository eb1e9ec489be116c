/* SPDX-License-Identifier: MIT */
/* Checks of sizes that the plan functions of the layer kinds share. */
#include "layers/planning.h"

#include <inttypes.h>
#include <stdio.h>

bool dirac__room(size_t *bytes, size_t count, size_t size)
{
    size_t part;
    return dirac__multiply(count, size, &part) && dirac__align(part, &part) &&
           dirac__add(*bytes, part, bytes);
}

const char *dirac__rank_text(int32_t rank)
{
    static const char *const texts[4] = {"vectors (C)", "(C, length)", "(C, height, width)",
                                         "(C, depth, height, width)"};
    return rank >= 0 && rank <= 3 ? texts[rank] : "any shape";
}

char *dirac__sizes_text(char out[64], const int64_t size[3], int32_t rank)
{
    int used = 0;
    out[0] = '\0';
    for (int32_t i = 3 - rank; i < 3 && used >= 0 && used < 64; i++)
        used += snprintf(out + used, (size_t)(64 - used), "%s%" PRId64, i > 3 - rank ? " x " : "",
                         size[i]);
    return out;
}

int32_t dirac__check_rank(const dirac__layer_plan *plan, const char *what)
{
    char text[64];
    if (plan->in[0].rank == plan->layer->rank)
        return DIRAC_OK;
    return dirac__fail(DIRAC_ERR_SHAPE,
                       "layer \"%s\": %s of %d dimension%s takes %s, its input is %s", plan->name,
                       what, (int)plan->layer->rank, plan->layer->rank == 1 ? "" : "s",
                       dirac__rank_text(plan->layer->rank), dirac__shape_text(text, &plan->in[0]));
}

int32_t dirac__check_output(const dirac__layer_plan *plan)
{
    const dirac__shape *out = &plan->out;
    size_t count = 1;
    char text[64];
    bool legal = out->c >= 1 && out->c <= DIRAC__MAX_DIMENSION;
    for (int i = 0; i < 3; i++)
        legal = legal && out->size[i] >= 1 && out->size[i] <= DIRAC__MAX_DIMENSION;
    if (!legal)
        return dirac__fail(DIRAC_ERR_LIMIT,
                           "layer \"%s\": its output would be %s; each size must be 1 to %" PRId64,
                           plan->name, dirac__shape_text(text, out), DIRAC__MAX_DIMENSION);
    bool fits = dirac__multiply((size_t)out->c, (size_t)out->size[0], &count) &&
                dirac__multiply(count, (size_t)out->size[1], &count) &&
                dirac__multiply(count, (size_t)out->size[2], &count) &&
                dirac__multiply(count, plan->batch > 0 ? (size_t)plan->batch : 1, &count);
    if (fits && count <= DIRAC__MAX_COUNT)
        return DIRAC_OK;
    return dirac__fail(DIRAC_ERR_LIMIT,
                       "layer \"%s\": its output of %" PRId64
                       " times %s is more than this machine can address",
                       plan->name, plan->batch > 0 ? plan->batch : 1, dirac__shape_text(text, out));
}

int32_t dirac__fail_room(const dirac__layer_plan *plan, const char *what)
{
    return dirac__fail(DIRAC_ERR_LIMIT,
                       "layer \"%s\": %s needs more memory than this machine can address",
                       plan->name, what);
}

int32_t dirac__fail_multiply_adds(const char *layer)
{
    return dirac__fail(DIRAC_ERR_LIMIT, "with layer \"%s\", one image takes more than %" PRId64 " multiply-adds", layer,
                       INT64_MAX);
}

int32_t dirac__plan_same(dirac__layer_plan *plan)
{
    plan->out = plan->in[0];
    return dirac__check_output(plan);
}
