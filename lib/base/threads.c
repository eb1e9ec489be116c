/* SPDX-License-Identifier: MIT */
/*
 * The team: a pool that one caller at a time owns.
 *
 * A job lives on its caller's stack. Workers join it while its gate is open. The caller closes the gate when no task is
 * left, so it never waits for a worker that has not woken up yet, only for those inside a task. The gate is one atomic word,
 * [number of the job | how many may still join | how many are inside]: between the layers of a net, which follow each other
 * within microseconds, nobody takes a lock or calls the system. The mutex and the conditions are for those who sleep.
 *
 * Tasks are shared out in as many runs as there are lanes; a lane draws from its own run first, then from the others'. So
 * lane 0 does the first tasks of every job, and what they read (a layer's weights) stays in its core's cache from one
 * call to the next.
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
#define SPINS 2000

/* One lane's run of tasks, alone in its lines of the cache. */
struct run {
    _Alignas(128) _Atomic int64_t next;
    int64_t end;
};

struct work {
    dirac__task task;
    void *job;
    int32_t lanes;       /* runs */
    fenv_t environment; /* of the caller */
    struct run runs[DIRAC__MAX_LANES];
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

    _Atomic uint64_t gate;
    struct work *work;      /* behind the gate */
    atomic_int asleep;      /* workers that want to be woken */
    atomic_bool waiting;    /* the owner sleeps until nobody is inside */
    atomic_bool stop;
    pthread_mutex_t mutex;
    pthread_cond_t wake, done;
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

/* ---- the gate ---- */

#define GATE_OPEN UINT64_C(0x10000) /* one more may join */
#define GATE_OPEN_MASK UINT64_C(0xffff0000)

static uint32_t gate_job(uint64_t gate)
{
    return (uint32_t)(gate >> 32);
}

static bool gate_is_open(uint64_t gate)
{
    return (gate & GATE_OPEN_MASK) != 0;
}

static uint32_t gate_inside(uint64_t gate)
{
    return (uint32_t)(gate & 0xffff);
}

/* Whether the caller of this function is inside job `number` now. */
static bool join_job(dirac__team *team, uint32_t number)
{
    uint64_t gate = atomic_load(&team->gate);
    while (gate_job(gate) == number && gate_is_open(gate))
        if (atomic_compare_exchange_weak(&team->gate, &gate, gate - GATE_OPEN + 1))
            return true;
    return false;
}

static void leave_job(dirac__team *team)
{
    const uint64_t before = atomic_fetch_sub(&team->gate, 1);
    if (gate_inside(before) == 1 && atomic_load(&team->waiting)) {
        pthread_mutex_lock(&team->mutex);
        pthread_cond_signal(&team->done);
        pthread_mutex_unlock(&team->mutex);
    }
}

/* A new job, which `places` workers may join. */
static void open_gate(dirac__team *team, int32_t places)
{
    const uint64_t number = gate_job(atomic_load(&team->gate)) + UINT64_C(1);
    atomic_store(&team->gate, (number << 32) + (uint64_t)places * GATE_OPEN);
}

/* ---- tasks ---- */

static void cut_runs(struct work *work, int64_t tasks)
{
    for (int32_t l = 0; l < work->lanes; l++) {
        const int64_t whole = tasks / work->lanes, rest = tasks % work->lanes;
        atomic_init(&work->runs[l].next, whole * l + (l < rest ? l : rest));
        work->runs[l].end = whole * (l + 1) + (l + 1 < rest ? l + 1 : rest);
    }
}

static void work_through(struct work *work, int32_t lane)
{
    for (int32_t i = 0; i < work->lanes; i++) {
        struct run *run = &work->runs[(lane + i) % work->lanes];
        for (;;) {
            const int64_t task = atomic_fetch_add_explicit(&run->next, 1, memory_order_relaxed);
            if (task >= run->end)
                break;
            work->task(work->job, task, lane);
        }
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

/* ---- workers ---- */

/* Sleeps until the gate belongs to another job than `seen`, or the team ends. */
static void sleep_for_job(dirac__team *team, uint32_t seen)
{
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(&team->asleep, 1);
    while (gate_job(atomic_load(&team->gate)) == seen && !atomic_load(&team->stop))
        pthread_cond_wait(&team->wake, &team->mutex);
    atomic_fetch_sub(&team->asleep, 1);
    pthread_mutex_unlock(&team->mutex);
}

static void *worker_main(void *argument)
{
    struct worker *self = argument;
    dirac__team *team = self->team;
    uint32_t seen = 0;

    while (!atomic_load(&team->stop)) {
        for (int i = 0; i < SPINS && gate_job(atomic_load(&team->gate)) == seen; i++)
            pause_briefly();
        if (gate_job(atomic_load(&team->gate)) == seen)
            sleep_for_job(team, seen);
        seen = gate_job(atomic_load(&team->gate));
        if (join_job(team, seen)) {
            work_as_caller(team->work, self->lane);
            leave_job(team);
        }
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
    atomic_init(&team->gate, 0);
    atomic_init(&team->asleep, 0);
    atomic_init(&team->waiting, false);
    atomic_init(&team->stop, false);

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
        atomic_store(&team->stop, true);
        open_gate(team, 0); /* ends the looking of those who do not sleep */
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

static void wake_sleepers(dirac__team *team)
{
    if (atomic_load(&team->asleep) == 0)
        return;
    pthread_mutex_lock(&team->mutex);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
}

/* Until nobody is inside. */
static void wait_for_workers(dirac__team *team)
{
    for (int i = 0; i < SPINS && gate_inside(atomic_load(&team->gate)) > 0; i++)
        pause_briefly();
    if (gate_inside(atomic_load(&team->gate)) == 0)
        return;
    pthread_mutex_lock(&team->mutex);
    atomic_store(&team->waiting, true);
    while (gate_inside(atomic_load(&team->gate)) > 0)
        pthread_cond_wait(&team->done, &team->mutex);
    atomic_store(&team->waiting, false);
    pthread_mutex_unlock(&team->mutex);
}

static void run_with_workers(dirac__team *team, struct work *work, int64_t tasks)
{
    const int32_t workers = tasks - 1 < team->workers ? (int32_t)(tasks - 1) : team->workers;
    work->lanes = workers + 1;
    cut_runs(work, tasks);
    team->work = work;
    open_gate(team, workers);
    wake_sleepers(team);
    work_through(work, 0);
    atomic_fetch_and(&team->gate, ~GATE_OPEN_MASK);
    wait_for_workers(team);
}

static void runner_lane(void *task_data, int32_t index)
{
    work_as_caller(task_data, index);
}

static void run_with_runner(dirac__team *team, struct work *work, int64_t tasks)
{
    work->lanes = tasks < team->lanes ? (int32_t)tasks : team->lanes;
    cut_runs(work, tasks);
    team->runner(team->user, runner_lane, work, work->lanes);
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

    struct work work; /* runs that no lane has are never looked at */
    work.task = task;
    work.job = job;
    fegetenv(&work.environment);
    if (team->runner != NULL) {
        run_with_runner(team, &work, tasks);
    } else {
        if (!team->started)
            start_workers(team);
        run_with_workers(team, &work, tasks);
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
