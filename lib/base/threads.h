/* SPDX-License-Identifier: MIT */
/* Worker threads: one caller at a time has the team; another finds it busy and works alone, with the same results. */
#ifndef BASE_THREADS_H
#define BASE_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "mem.h"

#define DIRAC__MAX_LANES 64

typedef struct dirac__team dirac__team;

/* Part `task` of a job. `lane` (0 to lanes - 1) is private to the running thread for the job: an index for scratch. */
typedef void (*dirac__task)(void *job, int64_t task, int32_t lane);

/* A team of `lanes` (1 to 64), or on the host's runner if that is not NULL. No thread is started yet. NULL: no memory. */
dirac__team *dirac__team_create(const dirac__memory *memory, int32_t lanes, dirac_runner_fn runner, void *user);
/* Stops the workers. In a forked child (where they do not exist) only frees. NULL is accepted. */
void dirac__team_destroy(dirac__team *team);
int32_t dirac__team_lanes(const dirac__team *team);

/* Runs task 0..tasks-1, each once, in any order; returns when all are done. Workers start at the first job that has more
 * than one task; if they cannot be started the caller does it all. Workers run with the caller's floating-point
 * environment. Must not be called from inside a task. `team` NULL: the caller alone. */
void dirac__team_run(dirac__team *team, int64_t tasks, dirac__task task, void *job);

/* Whether the lane that has `task` in its turn has task + 1 as well; where not, what that reads is another core's. */
bool dirac__team_goes_on(const dirac__team *team, int64_t tasks, int64_t task);

/* A background thread of the library's own (prefetch): signals blocked. Returns DIRAC_OK or DIRAC_ERR_THREAD (recorded). */
typedef struct dirac__thread dirac__thread;
int32_t dirac__thread_start(dirac__thread **out, const dirac__memory *memory, void (*run)(void *), void *argument);
void dirac__thread_join(dirac__thread *thread); /* joins and frees; only frees in a forked child */

#endif
