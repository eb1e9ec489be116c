/* SPDX-License-Identifier: MIT */
/* Cutting a kernel's work into tasks. The cut depends on the shape alone, never on the number of lanes. */
#ifndef KERNELS_PARALLEL_H
#define KERNELS_PARALLEL_H

#include <stdint.h>

#include "base/threads.h"

/* Floats that one task should touch: 64 KiB, a few microseconds of work. Smaller jobs are one task. */
enum { DIRAC__TASK_FLOATS = 16384 };

/* Before a loop whose steps are independent even where an output is one of the inputs: compilers would otherwise
 * fall back to scalar code for such calls. */
#if defined(__clang__)
#define DIRAC__INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define DIRAC__INDEPENDENT _Pragma("GCC ivdep")
#endif

/* Works on items first to last - 1 of a job. */
typedef void (*range_fn)(const void *job, int64_t first, int64_t last);

typedef struct range_job {
    range_fn fn;
    const void *job;
    int64_t count, block;
} range_job;

static inline int64_t blocks_of(int64_t count, int64_t block)
{
    return count / block + (count % block != 0);
}

/* How many items of `floats` floats each make up a task. */
static inline int64_t items_per_task(int64_t floats)
{
    return floats < DIRAC__TASK_FLOATS ? DIRAC__TASK_FLOATS / (floats > 0 ? floats : 1) : 1;
}

static inline void range_task(void *argument, int64_t task, int32_t lane)
{
    const range_job *ranges = argument;
    int64_t first = task * ranges->block;
    int64_t rest = ranges->count - first;

    (void)lane;
    ranges->fn(ranges->job, first, first + (rest < ranges->block ? rest : ranges->block));
}

/* Calls fn for 0..count-1 in ranges of `block` items, in parallel. */
static inline void for_ranges(dirac__team *team, int64_t count, int64_t block, range_fn fn,
                              const void *job)
{
    range_job ranges = {fn, job, count, block};

    if (count > 0)
        dirac__team_run(team, blocks_of(count, block), range_task, &ranges);
}

#endif
