/* SPDX-License-Identifier: MIT */
/*
 * The team: a pool that one caller at a time owns.
 *
 * The layers of a net follow each other within microseconds, and a line of the cache takes a tenth of one from core to core.
 * So a job is handed over in one line for each lane, its slot: what to do, and in one atomic word
 * [number of the job | tasks left of this lane's run]. Taking a task is one exchange of that word, which also tells whose
 * task it is: whoever has one knows that the job's caller waits for it, so the rest of the slot stands still. A lane works
 * off its own run first, then the others'; lane 0 does the first tasks of every job, and what they read (a layer's weights)
 * stays in its core's cache from one call to the next.
 *
 * Nobody waits for a worker that has not woken up: its tasks are taken by the others. The caller leaves when the tasks done,
 * by its own count and those the workers publish, are all. Locks and conditions are for those who sleep.
 *
 * A forked child has no workers, and needs none: it does all tasks itself, and takes no lock that a worker may have held.
 */
#define _POSIX_C_SOURCE 200809L
#include "base/threads.h"

#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/floats.h"

/* How often a thread looks again before it sleeps: tens of microseconds, about what falling asleep and waking cost. The
 * layers of a net follow each other within that time. */
#define SPINS 2000

#define LINE 64 /* of the cache; what the allocator keeps */

struct slot {
    _Alignas(LINE) _Atomic uint64_t left; /* [job | tasks] */
    int64_t end;                         /* of the run */
    dirac__task task;
    void *job;
    uint32_t modes;                       /* the caller's floating-point modes, by number */
    _Alignas(LINE) _Atomic uint64_t done; /* [job | tasks], by the worker who has this lane */
};

struct worker {
    dirac__team *team;
    int32_t lane;
    pthread_t thread;
};

struct dirac__team {
    dirac__memory memory;
    dirac_runner_fn runner;
    void *user;
    int32_t lanes;
    pid_t pid; /* of the process that has the workers, once they are started */

    /* the owner's */
    _Alignas(LINE) atomic_bool owned;
    bool started;
    int32_t workers; /* how many could be started */
    uint32_t number; /* of the job */
    uint64_t modes;  /* as dirac__floats_modes() tells them */
    uint32_t modes_number; /* counts their changes */

    _Alignas(LINE) fenv_t environment; /* with the modes of that number; behind the slots */
    atomic_int asleep;   /* workers that want to be woken */
    atomic_bool waiting; /* the owner sleeps until all tasks are done */
    atomic_bool stop;
    pthread_mutex_t mutex;
    pthread_cond_t wake, done;
    struct worker worker[DIRAC__MAX_LANES - 1];
    struct slot slots[DIRAC__MAX_LANES];
};

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* ---- floating-point modes ---- */

/* Notes the caller's environment, if its modes are not those of the job before, or cannot be told. */
static void note_environment(dirac__team *team)
{
    uint64_t modes = 0;
    if (dirac__floats_modes(&modes) && team->modes_number != 0 && modes == team->modes)
        return;
    team->modes = modes;
    team->modes_number += team->modes_number == UINT32_MAX ? 2 : 1; /* 0 is no one's */
    fegetenv(&team->environment);
}

/* ---- tasks ---- */

static uint32_t job_of(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static uint32_t tasks_of(uint64_t word)
{
    return (uint32_t)word;
}

static uint64_t word_of(uint32_t job, uint32_t tasks)
{
    return (uint64_t)job << 32 | tasks;
}

/* Numbers of jobs begin anew after 2^32 of them, without 0, which is no job's; what a worker published long ago is no longer
 * of the job that has its number then. */
static void next_number(dirac__team *team)
{
    if (++team->number != 0)
        return;
    team->number = 1;
    for (int32_t l = 0; l < team->lanes; l++)
        atomic_store(&team->slots[l].done, 0);
}

/* Where the run of lane l begins, of so many lanes. */
static int64_t run_begin(int64_t tasks, int32_t lanes, int32_t l)
{
    return tasks / lanes * l + (l < tasks % lanes ? l : tasks % lanes);
}

/* Hands the tasks out in runs to lanes 0 to lanes - 1. */
static void fill_slots(dirac__team *team, int32_t lanes, int64_t tasks, dirac__task task, void *job)
{
    next_number(team);
    for (int32_t l = lanes - 1; l >= 0; l--) { /* lane 0, the caller's, last */
        struct slot *slot = &team->slots[l];
        slot->end = run_begin(tasks, lanes, l + 1);
        slot->task = task;
        slot->job = job;
        slot->modes = team->modes_number;
        const uint32_t own = (uint32_t)(slot->end - run_begin(tasks, lanes, l));
        atomic_store_explicit(&slot->left, word_of(team->number, own), memory_order_release);
    }
}

/* Takes one of the slot's tasks: its job's number, 0 if none is left. */
static uint32_t take_task(struct slot *slot, int64_t *task)
{
    uint64_t left = atomic_load_explicit(&slot->left, memory_order_relaxed);
    while (tasks_of(left) > 0)
        if (atomic_compare_exchange_weak_explicit(&slot->left, &left, left - 1, memory_order_acquire,
                                                  memory_order_relaxed)) {
            *task = slot->end - tasks_of(left);
            return job_of(left);
        }
    return 0;
}

/* Does tasks until none is seen: [job | how many]. A job of which this lane has done a task that it has not published cannot
 * end, so all are of one job. On a thread that is not the caller's, under the caller's modes: *modes is the number of those it
 * has; NULL on the caller's. */
static uint64_t work_through(dirac__team *team, int32_t lane, uint32_t *modes)
{
    uint32_t job = 0, count = 0, number;
    int64_t task;
    for (int32_t i = 0; i < team->lanes; i++) {
        struct slot *slot = &team->slots[(lane + i) % team->lanes];
        while ((number = take_task(slot, &task)) != 0) {
            if (modes != NULL && *modes != slot->modes) {
                fesetenv(&team->environment);
                *modes = slot->modes;
            }
            job = number;
            count++;
            slot->task(slot->job, task, lane);
        }
    }
    return word_of(job, count);
}

/* ---- workers ---- */

/* Sleeps until the slot belongs to another job than `seen`, or the team ends. */
static void sleep_for_job(dirac__team *team, const struct slot *slot, uint32_t seen)
{
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(&team->asleep, 1);
    while (job_of(atomic_load(&slot->left)) == seen && !atomic_load(&team->stop))
        pthread_cond_wait(&team->wake, &team->mutex);
    atomic_fetch_sub(&team->asleep, 1);
    pthread_mutex_unlock(&team->mutex);
}

/* What one walk over the slots has done. A walk may meet the first tasks of a job that is just being handed out, and the next
 * walk more of it, so counts of the same job add up. */
static void publish_done(dirac__team *team, struct slot *slot, uint64_t done)
{
    const uint64_t before = atomic_load_explicit(&slot->done, memory_order_relaxed);
    atomic_store(&slot->done, job_of(before) == job_of(done) ? before + tasks_of(done) : done);
    if (atomic_load(&team->waiting)) {
        pthread_mutex_lock(&team->mutex);
        pthread_cond_signal(&team->done);
        pthread_mutex_unlock(&team->mutex);
    }
}

static void *worker_main(void *argument)
{
    struct worker *self = argument;
    dirac__team *team = self->team;
    struct slot *slot = &team->slots[self->lane];
    uint32_t seen = 0, modes = 0;

    while (!atomic_load(&team->stop)) {
        for (int i = 0; i < SPINS && job_of(atomic_load(&slot->left)) == seen && !atomic_load(&team->stop); i++)
            pause_briefly();
        if (job_of(atomic_load(&slot->left)) == seen)
            sleep_for_job(team, slot, seen);
        seen = job_of(atomic_load(&slot->left));
        const uint64_t done = work_through(team, self->lane, &modes);
        if (tasks_of(done) > 0)
            publish_done(team, slot, done);
    }
    return NULL;
}

/* A thread starts with its creator's mask: the host's signals are for the host's threads. */
static int create_quietly(pthread_t *thread, void *(*run)(void *), void *argument)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return error;
}

static void start_workers(dirac__team *team)
{
    team->started = true;
    team->pid = getpid();
    while (team->workers < team->lanes - 1) {
        struct worker *worker = &team->worker[team->workers];
        worker->team = team;
        worker->lane = team->workers + 1;
        if (create_quietly(&worker->thread, worker_main, worker) != 0)
            return; /* fewer hands, same result */
        team->workers++;
    }
}

dirac__team *dirac__team_create(const dirac__memory *memory, int32_t lanes, dirac_runner_fn runner,
                                void *user)
{
    dirac__team *team = dirac__alloc_zero(memory, 1, sizeof *team);
    if (team == NULL)
        return NULL;
    team->memory = *memory;
    team->runner = runner;
    team->user = user;
    team->lanes = lanes;
    atomic_init(&team->owned, false);
    atomic_init(&team->asleep, 0);
    atomic_init(&team->waiting, false);
    atomic_init(&team->stop, false);
    for (int32_t l = 0; l < DIRAC__MAX_LANES; l++) {
        atomic_init(&team->slots[l].left, 0);
        atomic_init(&team->slots[l].done, 0);
    }

    if (pthread_mutex_init(&team->mutex, NULL) != 0)
        goto no_mutex;
    if (pthread_cond_init(&team->wake, NULL) != 0)
        goto no_wake;
    if (pthread_cond_init(&team->done, NULL) != 0)
        goto no_done;
    return team;

no_done:
    pthread_cond_destroy(&team->wake);
no_wake:
    pthread_mutex_destroy(&team->mutex);
no_mutex:
    dirac__free(memory, team);
    return NULL;
}

void dirac__team_destroy(dirac__team *team)
{
    if (team == NULL)
        return;
    const dirac__memory memory = team->memory;
    if (!team->started || team->pid == getpid()) {
        pthread_mutex_lock(&team->mutex);
        atomic_store(&team->stop, true);
        pthread_cond_broadcast(&team->wake);
        pthread_mutex_unlock(&team->mutex);
        for (int32_t i = 0; i < team->workers; i++)
            pthread_join(team->worker[i].thread, NULL);
        pthread_cond_destroy(&team->done);
        pthread_cond_destroy(&team->wake);
        pthread_mutex_destroy(&team->mutex);
    }
    dirac__free(&memory, team);
}

int32_t dirac__team_lanes(const dirac__team *team)
{
    return team == NULL ? 1 : team->lanes;
}

/* One who is just falling asleep may be missed; the job is done without it. */
static void wake_sleepers(dirac__team *team)
{
    if (atomic_load(&team->asleep) == 0 || team->pid != getpid())
        return;
    pthread_mutex_lock(&team->mutex);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
}

/* Tasks of this job that the workers have done. */
static int64_t done_by_workers(dirac__team *team)
{
    int64_t sum = 0;
    for (int32_t w = 1; w <= team->workers; w++) {
        const uint64_t done = atomic_load(&team->slots[w].done);
        if (job_of(done) == team->number)
            sum += tasks_of(done);
    }
    return sum;
}

static void wait_for_workers(dirac__team *team, int64_t tasks)
{
    for (int i = 0; i < SPINS; i++) {
        if (done_by_workers(team) == tasks)
            return;
        pause_briefly();
    }
    pthread_mutex_lock(&team->mutex);
    atomic_store(&team->waiting, true);
    while (done_by_workers(team) < tasks)
        pthread_cond_wait(&team->done, &team->mutex);
    atomic_store(&team->waiting, false);
    pthread_mutex_unlock(&team->mutex);
}

static void run_with_workers(dirac__team *team, int64_t tasks, dirac__task task, void *job)
{
    if (!team->started)
        start_workers(team);
    const int32_t lanes = tasks <= team->workers ? (int32_t)tasks : team->workers + 1;
    fill_slots(team, lanes, tasks, task, job);
    wake_sleepers(team);
    const int64_t own = tasks_of(work_through(team, 0, NULL));
    wait_for_workers(team, tasks - own);
}

static void runner_lane(void *task_data, int32_t index)
{
    fenv_t own;
    uint32_t modes = 0;
    fegetenv(&own);
    work_through(task_data, index, &modes);
    fesetenv(&own);
}

static void run_with_runner(dirac__team *team, int64_t tasks, dirac__task task, void *job)
{
    const int32_t lanes = tasks < team->lanes ? (int32_t)tasks : team->lanes;
    fill_slots(team, lanes, tasks, task, job);
    team->runner(team->user, runner_lane, team, lanes);
    work_through(team, 0, NULL); /* everything, if it refused: else nothing is left */
}

void dirac__team_run(dirac__team *team, int64_t tasks, dirac__task task, void *job)
{
    bool alone = team == NULL || tasks < 2 || tasks > UINT32_MAX || team->lanes < 2 ||
                 atomic_exchange(&team->owned, true);
    if (alone) {
        for (int64_t i = 0; i < tasks; i++)
            task(job, i, 0);
        return;
    }
    note_environment(team);
    if (team->runner != NULL)
        run_with_runner(team, tasks, task, job);
    else
        run_with_workers(team, tasks, task, job);
    atomic_store_explicit(&team->owned, false, memory_order_release);
}

bool dirac__team_goes_on(const dirac__team *team, int64_t tasks, int64_t task)
{
    const int32_t all = dirac__team_lanes(team), lanes = tasks < all ? (int32_t)tasks : all;
    for (int32_t l = 1; l < lanes; l++)
        if (run_begin(tasks, lanes, l) == task + 1)
            return false;
    return task + 1 < tasks;
}

struct dirac__thread {
    dirac__memory memory;
    void (*run)(void *);
    void *argument;
    pthread_t thread;
    pid_t pid;
};

static void *thread_main(void *argument)
{
    dirac__thread *thread = argument;
    thread->run(thread->argument);
    return NULL;
}

int32_t dirac__thread_start(dirac__thread **out, const dirac__memory *memory, void (*run)(void *),
                            void *argument)
{
    *out = NULL;
    dirac__thread *thread = dirac__alloc_zero(memory, 1, sizeof *thread);
    if (thread == NULL)
        return dirac__fail_memory("background thread");
    thread->memory = *memory;
    thread->run = run;
    thread->argument = argument;
    thread->pid = getpid();
    int error = create_quietly(&thread->thread, thread_main, thread);
    if (error != 0) {
        dirac__free(memory, thread);
        return dirac__fail(DIRAC_ERR_THREAD,
                           "background thread: it could not be started (error %d of the system)",
                           error);
    }
    *out = thread;
    return DIRAC_OK;
}

void dirac__thread_join(dirac__thread *thread)
{
    if (thread == NULL)
        return;
    const dirac__memory memory = thread->memory;
    if (thread->pid == getpid())
        pthread_join(thread->thread, NULL);
    dirac__free(&memory, thread);
}
