/* SPDX-License-Identifier: MIT */
/* What the plan functions of the layer kinds share: checks of sizes, counting bytes, and their twin at run time, which
 * cuts the memory that was asked for into the same parts. */
#ifndef LAYERS_PLANNING_H
#define LAYERS_PLANNING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "layers/layer.h"

/* The most numbers of one array. Far below SIZE_MAX, so that a kernel may round up to whole vectors and multiply by
 * sizeof(double) without a check of its own. */
#define DIRAC__MAX_COUNT (SIZE_MAX >> (sizeof(size_t) > 4 ? 16 : 8))

/* Adds room for count elements of `size` bytes, rounded up to the alignment; false when it cannot be addressed. */
bool dirac__room(size_t *bytes, size_t count, size_t size);

/* Cuts the part off that dirac__room() counted with the same numbers. */
static inline void *dirac__take(unsigned char **at, size_t count, size_t size)
{
    void *part = *at;
    *at += (count * size + DIRAC__ALIGNMENT - 1) / DIRAC__ALIGNMENT * DIRAC__ALIGNMENT;
    return part;
}

/* "(C, height, width)": what an input of that many spatial dimensions is called in a message. */
const char *dirac__rank_text(int32_t rank);
/* "5 x 5" from the last `rank` of size[] into out[64]; returns out. */
char *dirac__sizes_text(char out[64], const int64_t size[3], int32_t rank);

/* Refuses an input that does not have the layer's spatial dimensions; `what` is "a convolution" or the like. */
int32_t dirac__check_rank(const dirac__layer_plan *plan, const char *what);
/* Refuses an output that is empty, or too large to be addressed for the batch. */
int32_t dirac__check_output(const dirac__layer_plan *plan);
/* "layer ...: <what> needs more memory than this machine can address" */
int32_t dirac__fail_room(const dirac__layer_plan *plan, const char *what);

/* A net whose multiply-adds, added up as far as `layer`, are too many for the int64_t that tells them. */
int32_t dirac__fail_multiply_adds(const char *layer);

/* The plan of a layer whose output looks like its input. */
int32_t dirac__plan_same(dirac__layer_plan *plan);

/* n rows of a channels-last activation: images times positions. */
static inline int64_t dirac__rows(const dirac__pass *pass)
{
    return pass->n * dirac__shape_positions(&pass->in[0]);
}

/* The numbers of the first input, and of the output. */
static inline size_t dirac__count_in(const dirac__pass *pass)
{
    return (size_t)(pass->n * dirac__shape_count(&pass->in[0]));
}
static inline size_t dirac__count_out(const dirac__pass *pass)
{
    return (size_t)(pass->n * dirac__shape_count(&pass->out));
}

#endif
