/* SPDX-License-Identifier: MIT */
/*
 * The team: a pool that one caller at a time owns.
 *
 * A job lives on its caller's stack. Workers join it while it is open, under the mutex, and all who joined, the caller
 * first of all, draw task numbers from one counter. The caller closes the job when the counter has run out, so it never
 * waits for a worker that has not woken up yet, only for those inside a task.
 */
#define _POSIX_C_SOURCE 200809L
#include "base/threads.h"

#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/fail.h"

/* How often a thread looks again before it sleeps: tens of microseconds, about what falling asleep and waking cost. The
 * layers of a net follow each other within that time. */
#define SPINS 500

struct work {
    dirac__task task;
    void *job;
    int64_t tasks;
    _Atomic int64_t next;
    fenv_t environment; /* of the caller */
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
    pid_t pid; /* of the process that has the workers */
    atomic_bool owned;

    /* the owner's */
    bool started;
    int32_t workers; /* how many could be started */

    /* changed under the mutex; atomic are those that spinning threads look at */
    pthread_mutex_t mutex;
    pthread_cond_t wake, done;
    atomic_uint posted; /* jobs so far */
    atomic_int inside;  /* workers in the job */
    int32_t open;       /* how many more may join */
    struct work *work;
    bool stop;
    struct worker worker[DIRAC__MAX_LANES - 1];
};

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void work_through(struct work *work, int32_t lane)
{
    for (;;) {
        int64_t task = atomic_fetch_add_explicit(&work->next, 1, memory_order_relaxed);
        if (task >= work->tasks)
            return;
        work->task(work->job, task, lane);
    }
}

/* On a thread that is not the caller's. */
static void work_as_caller(struct work *work, int32_t lane)
{
    fenv_t own;
    fegetenv(&own);
    fesetenv(&work->environment);
    work_through(work, lane);
    fesetenv(&own);
}

static void *worker_main(void *argument)
{
    struct worker *self = argument;
    dirac__team *team = self->team;
    unsigned seen = 0;

    for (;;) {
        for (int i = 0; i < SPINS && atomic_load(&team->posted) == seen; i++)
            pause_briefly();
        pthread_mutex_lock(&team->mutex);
        while (!team->stop && team->open == 0)
            pthread_cond_wait(&team->wake, &team->mutex);
        if (team->stop)
            break;
        struct work *work = team->work;
        seen = atomic_load(&team->posted);
        team->open--;
        atomic_fetch_add(&team->inside, 1);
        pthread_mutex_unlock(&team->mutex);

        work_as_caller(work, self->lane);

        pthread_mutex_lock(&team->mutex);
        if (atomic_fetch_sub(&team->inside, 1) == 1)
            pthread_cond_signal(&team->done);
        pthread_mutex_unlock(&team->mutex);
    }
    pthread_mutex_unlock(&team->mutex);
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
    team->pid = getpid();
    atomic_init(&team->owned, false);
    atomic_init(&team->posted, 0);
    atomic_init(&team->inside, 0);

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
    if (team->pid == getpid()) {
        pthread_mutex_lock(&team->mutex);
        team->stop = true;
        atomic_fetch_add(&team->posted, 1);
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

static void run_with_workers(dirac__team *team, struct work *work)
{
    int32_t wanted = team->workers;
    if (work->tasks - 1 < wanted)
        wanted = (int32_t)(work->tasks - 1);

    pthread_mutex_lock(&team->mutex);
    team->work = work;
    team->open = wanted;
    atomic_fetch_add(&team->posted, 1);
    if (wanted == team->workers)
        pthread_cond_broadcast(&team->wake);
    else
        for (int32_t i = 0; i < wanted; i++)
            pthread_cond_signal(&team->wake);
    pthread_mutex_unlock(&team->mutex);

    work_through(work, 0);

    pthread_mutex_lock(&team->mutex);
    team->open = 0;
    team->work = NULL;
    pthread_mutex_unlock(&team->mutex);
    for (int i = 0; i < SPINS && atomic_load(&team->inside) > 0; i++)
        pause_briefly();
    pthread_mutex_lock(&team->mutex);
    while (atomic_load(&team->inside) > 0)
        pthread_cond_wait(&team->done, &team->mutex);
    pthread_mutex_unlock(&team->mutex);
}

static void runner_lane(void *task_data, int32_t index)
{
    work_as_caller(task_data, index);
}

static void run_with_runner(dirac__team *team, struct work *work)
{
    int32_t lanes = work->tasks < team->lanes ? (int32_t)work->tasks : team->lanes;
    team->runner(team->user, runner_lane, work, lanes);
    work_through(work, 0); /* everything, if it refused: else nothing is left */
}

void dirac__team_run(dirac__team *team, int64_t tasks, dirac__task task, void *job)
{
    bool alone = team == NULL || tasks < 2 || team->lanes < 2 || team->pid != getpid() ||
                 atomic_exchange(&team->owned, true);
    if (alone) {
        for (int64_t i = 0; i < tasks; i++)
            task(job, i, 0);
        return;
    }

    struct work work = {.task = task, .job = job, .tasks = tasks};
    atomic_init(&work.next, 0);
    fegetenv(&work.environment);
    if (team->runner != NULL) {
        run_with_runner(team, &work);
    } else {
        if (!team->started)
            start_workers(team);
        run_with_workers(team, &work);
    }
    atomic_store(&team->owned, false);
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
