/* SPDX-License-Identifier: MIT */
/* The team: every task once, lanes private, callers side by side, the host's runner, fork, refused threads. */
#define _GNU_SOURCE /* pthread_setattr_default_np: to have thread creation refused */
#include <dirent.h>
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <dirac/status.h>

#include "base/threads.h"
#include "support/other_threads.h"
#include "support/probe_memory.h"
#include "support/sanitizers.h"

#define MOST_TASKS 5000

struct counts {
    atomic_int done[MOST_TASKS];
    atomic_int in_lane[DIRAC__MAX_LANES];
    atomic_int wrong;
    int32_t lanes;
};

static void count_task(void *job, int64_t task, int32_t lane)
{
    struct counts *counts = job;
    if (lane < 0 || lane >= counts->lanes) {
        counts->wrong++;
        return;
    }
    if (atomic_fetch_add(&counts->in_lane[lane], 1) != 0)
        counts->wrong++; /* two threads on one lane */
    atomic_fetch_add(&counts->done[task], 1);
    atomic_fetch_sub(&counts->in_lane[lane], 1);
}

static void check_run(dirac__team *team, int64_t tasks)
{
    static struct counts counts;
    memset(&counts, 0, sizeof counts);
    counts.lanes = dirac__team_lanes(team);
    dirac__team_run(team, tasks, count_task, &counts);
    assert_int_equal(counts.wrong, 0);
    for (int64_t i = 0; i < MOST_TASKS; i++)
        assert_int_equal(counts.done[i], i < tasks ? 1 : 0);
}

static const int64_t task_counts[] = {0, 1, 2, 3, 7, 64, 65, 1000, MOST_TASKS};
#define TASK_COUNTS (sizeof task_counts / sizeof task_counts[0])

static void every_task_runs_once(void **state)
{
    static const int32_t lanes[] = {1, 2, 3, 8, 64};
    (void)state;
    for (size_t l = 0; l < sizeof lanes / sizeof lanes[0]; l++) {
        probe p;
        const dirac__memory memory = probe_memory(&p);
        dirac__team *team = dirac__team_create(&memory, lanes[l], NULL, NULL);
        assert_int_equal(dirac__team_lanes(team), lanes[l]);
        for (int repeat = 0; repeat < 5; repeat++)
            for (size_t i = 0; i < TASK_COUNTS; i++)
                check_run(team, task_counts[i]);
        dirac__team_destroy(team);
        assert_int_equal(p.alive, 0);
        assert_int_equal(p.wrong, 0);
    }
    assert_int_equal(dirac__team_lanes(NULL), 1);
    check_run(NULL, 100);
    dirac__team_destroy(NULL);
}

/* Takes a moment, now this long, now that, so that lanes meet in ever other ways. */
static void short_task(void *job, int64_t task, int32_t lane)
{
    for (volatile int i = 0; i < task * 7 % 40; i++)
        ;
    count_task(job, task, lane);
}

/* Jobs that follow each other so fast that workers come late to one and early to the next. */
static void many_small_jobs(void **state)
{
    static const int32_t lanes[] = {2, 3, 4};
    static struct counts counts;
    (void)state;
    for (int l = 0; l < 3; l++) {
        enum { JOBS = THREAD_SANITIZER ? 10000 : 100000 };
        int64_t want = 0, done = 0;
        dirac__team *team = dirac__team_create(&dirac__default_memory, lanes[l], NULL, NULL);
        memset(&counts, 0, sizeof counts);
        counts.lanes = lanes[l];
        for (int i = 0; i < JOBS; i++) {
            dirac__team_run(team, 2 + i % 6, short_task, &counts);
            want += 2 + i % 6;
        }
        dirac__team_destroy(team);
        assert_int_equal(counts.wrong, 0);
        for (int i = 0; i < 7; i++) {
            assert_true(i >= 2 || counts.done[i] == JOBS);
            done += counts.done[i];
        }
        assert_int_equal(done, want);
    }
}

static int count_listed_threads(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/task");
    if (directory == NULL)
        return -1;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

/* A thread that was joined may be listed for a moment more: one that lives is in all of several readings. */
static int count_threads(void)
{
    const struct timespec moment = {0, 2000000};
    int least = count_listed_threads();
    for (int i = 0; i < 10; i++) {
        nanosleep(&moment, NULL);
        const int count = count_listed_threads();
        least = count < least ? count : least;
    }
    return least;
}

static void workers_start_with_the_first_job_of_several_tasks(void **state)
{
    int before = count_threads();
    (void)state;
    if (before < 0)
        skip();
    dirac__team *team = dirac__team_create(&dirac__default_memory, 4, NULL, NULL);
    assert_int_equal(count_threads(), before);
    check_run(team, 1);
    assert_int_equal(count_threads(), before);
    check_run(team, 2);
    assert_int_equal(count_threads(), before + 3);
    check_run(team, 100);
    assert_int_equal(count_threads(), before + 3);
    dirac__team_destroy(team);
    team = dirac__team_create(&dirac__default_memory, 1, NULL, NULL);
    before = count_threads();
    check_run(team, 100);
    assert_int_equal(count_threads(), before);
    dirac__team_destroy(team);
}

/* Exactly the tasks that begin another lane's run do not follow the one before. */
static void runs_end_where_lanes_change(void **state)
{
    (void)state;
    dirac__team *team = dirac__team_create(&dirac__default_memory, 3, NULL, NULL);
    const bool eight[8] = {true, true, false, true, true, false, true, false}; /* runs of 3, 3 and 2 */
    for (int64_t task = 0; task < 8; task++)
        assert_int_equal(dirac__team_goes_on(team, 8, task), eight[task]);
    assert_false(dirac__team_goes_on(team, 2, 0)); /* fewer tasks than lanes */
    assert_true(dirac__team_goes_on(NULL, 2, 0));
    assert_false(dirac__team_goes_on(NULL, 2, 1));
    dirac__team_destroy(team);
}

/* ---- what the workers inherit ---- */

struct meeting {
    atomic_int arrived;
    int32_t lanes;
    int mode[DIRAC__MAX_LANES]; /* by lane */
    int blocked[DIRAC__MAX_LANES];
};

/* Returns only when all lanes are inside a task: a team that did not work in parallel would hang here. */
static void meet(void *job, int64_t task, int32_t lane)
{
    struct meeting *meeting = job;
    sigset_t mask;
    (void)task;
    meeting->mode[lane] = fegetround();
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    meeting->blocked[lane] =
        sigismember(&mask, SIGINT) + sigismember(&mask, SIGUSR1) + sigismember(&mask, SIGCHLD);
    atomic_fetch_add(&meeting->arrived, 1);
    while (atomic_load(&meeting->arrived) < meeting->lanes)
        sched_yield();
}

static void check_meeting(dirac__team *team, int mode)
{
    struct meeting meeting = {.lanes = dirac__team_lanes(team)};
    dirac__team_run(team, meeting.lanes, meet, &meeting);
    for (int32_t i = 0; i < meeting.lanes; i++) {
        assert_int_equal(meeting.mode[i], mode);
        assert_int_equal(meeting.blocked[i], i == 0 ? 0 : 3);
    }
}

static void workers_have_the_callers_rounding_and_no_signals(void **state)
{
    (void)state;
    dirac__team *team = dirac__team_create(&dirac__default_memory, 4, NULL, NULL);
    check_meeting(team, FE_TONEAREST);
    assert_int_equal(fesetround(FE_UPWARD), 0);
    check_meeting(team, FE_UPWARD);
    assert_int_equal(fegetround(), FE_UPWARD);
    assert_int_equal(fesetround(FE_TONEAREST), 0);
    check_meeting(team, FE_TONEAREST);
    dirac__team_destroy(team);
}

/* ---- several callers ---- */

struct caller {
    dirac__team *team;
    struct counts counts;
};

static void *call_often(void *argument)
{
    struct caller *caller = argument;
    caller->counts.lanes = dirac__team_lanes(caller->team);
    for (int i = 0; i < 200; i++)
        dirac__team_run(caller->team, 50, count_task, &caller->counts);
    return NULL;
}

static void callers_share_a_team(void **state)
{
    static struct caller callers[4];
    pthread_t threads[4];
    (void)state;
    dirac__team *team = dirac__team_create(&dirac__default_memory, 3, NULL, NULL);
    for (int i = 0; i < 4; i++) {
        callers[i].team = team;
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &callers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    dirac__team_destroy(team);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(callers[i].counts.wrong, 0);
        for (int task = 0; task < 50; task++)
            assert_int_equal(callers[i].counts.done[task], 200);
    }
}

struct long_job {
    dirac__team *team;
    atomic_int arrived, over;
};

static void wait_for_the_end(void *job, int64_t task, int32_t lane)
{
    struct long_job *long_job = job;
    (void)task;
    (void)lane;
    atomic_fetch_add(&long_job->arrived, 1);
    while (!atomic_load(&long_job->over))
        sched_yield();
}

static void *call_long(void *argument)
{
    struct long_job *long_job = argument;
    dirac__team_run(long_job->team, 3, wait_for_the_end, long_job);
    return NULL;
}

static void record_lane(void *job, int64_t task, int32_t lane)
{
    int *lanes = job;
    lanes[task] = lane;
}

static void a_caller_who_finds_the_team_busy_works_alone(void **state)
{
    struct long_job long_job = {.team = NULL};
    pthread_t thread;
    int lanes[100];
    (void)state;
    memset(lanes, -1, sizeof lanes);
    long_job.team = dirac__team_create(&dirac__default_memory, 3, NULL, NULL);
    assert_int_equal(pthread_create(&thread, NULL, call_long, &long_job), 0);
    while (atomic_load(&long_job.arrived) < 3)
        sched_yield();
    dirac__team_run(long_job.team, 100, record_lane, lanes); /* the other job is not over */
    atomic_store(&long_job.over, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(lanes[i], 0);
    check_meeting(long_job.team, FE_TONEAREST); /* free again */
    dirac__team_destroy(long_job.team);
}

/* ---- the host's runner ---- */

struct host {
    int calls, lanes;
    int refuse;
    int32_t omit; /* tasks left out, against the rules */
};

static int32_t run_backwards(void *user, dirac_task_fn task, void *task_data, int32_t count)
{
    struct host *host = user;
    host->calls++;
    host->lanes = count;
    if (host->refuse)
        return 1;
    for (int32_t i = count - 1; i >= host->omit; i--)
        task(task_data, i);
    return 0;
}

static void the_hosts_runner_does_the_work(void **state)
{
    struct host host = {0};
    (void)state;
    int before = count_threads();
    dirac__team *team = dirac__team_create(&dirac__default_memory, 5, run_backwards, &host);
    for (size_t i = 0; i < TASK_COUNTS; i++)
        check_run(team, task_counts[i]);
    assert_int_equal(host.calls, 7); /* not for 0 and 1 tasks */
    assert_int_equal(host.lanes, 5);
    check_run(team, 3);
    assert_int_equal(host.lanes, 3);
    host.refuse = 1;
    check_run(team, 100);
    host.refuse = 0;
    host.omit = 5;
    check_run(team, 100);
    assert_int_equal(host.calls, 10);
    assert_int_equal(count_threads(), before);
    dirac__team_destroy(team);
}

struct host_call {
    dirac_task_fn task;
    void *data;
    int32_t index;
};

/* Ends with the rounding mode it had before the task. */
static void *host_thread(void *argument)
{
    struct host_call *call = argument;
    fesetround(FE_TOWARDZERO);
    call->task(call->data, call->index);
    return fegetround() == FE_TOWARDZERO ? NULL : argument;
}

static int32_t run_on_threads(void *user, dirac_task_fn task, void *task_data, int32_t count)
{
    pthread_t threads[DIRAC__MAX_LANES];
    struct host_call calls[DIRAC__MAX_LANES];
    for (int32_t i = 0; i < count; i++) {
        calls[i] = (struct host_call){task, task_data, i};
        if (pthread_create(&threads[i], NULL, host_thread, &calls[i]) != 0)
            abort();
    }
    for (int32_t i = 0; i < count; i++) {
        void *changed;
        pthread_join(threads[i], &changed);
        *(int *)user += changed != NULL;
    }
    return 0;
}

static void read_mode(void *job, int64_t task, int32_t lane)
{
    int *modes = job;
    (void)lane;
    modes[task] = fegetround();
}

static void the_hosts_threads_run_in_parallel(void **state)
{
    int modes[100], changed = 0;
    (void)state;
    dirac__team *team = dirac__team_create(&dirac__default_memory, 4, run_on_threads, &changed);
    for (size_t i = 0; i < TASK_COUNTS; i++)
        check_run(team, task_counts[i]);
    assert_int_equal(fesetround(FE_DOWNWARD), 0);
    dirac__team_run(team, 100, read_mode, modes);
    assert_int_equal(fesetround(FE_TONEAREST), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(modes[i], FE_DOWNWARD);
    assert_int_equal(changed, 0);
    dirac__team_destroy(team);
}

/* ---- fork ---- */

static void sum_task(void *job, int64_t task, int32_t lane)
{
    int64_t *sums = job;
    sums[lane] += task;
}

static int run_in_child(dirac__team *parents, bool started)
{
    int64_t sums[4] = {0};
    dirac__team_run(parents, 1000, sum_task, sums);
    if (sums[0] + sums[1] + sums[2] + sums[3] != 499500)
        return 1;
    if (started && sums[0] != 499500)
        return 3; /* the workers are not here: only the caller can have done it */
    dirac__team_destroy(parents);
    dirac__team *own = dirac__team_create(&dirac__default_memory, 4, NULL, NULL);
    memset(sums, 0, sizeof sums);
    dirac__team_run(own, 1000, sum_task, sums);
    dirac__team_destroy(own);
    return sums[0] + sums[1] + sums[2] + sums[3] == 499500 ? 0 : 2;
}

static void forked_children_can_destroy_and_start_anew(void **state)
{
    (void)state;
    if (THREAD_SANITIZER)
        skip(); /* it ends a child that starts threads when its parent had several */
    dirac__team *team = dirac__team_create(&dirac__default_memory, 4, NULL, NULL);
    for (int i = 0; i < 6; i++) {
        int status = -1;
        if (i > 0) /* the first child is older than the workers; the others' parents have sleeping and busy ones by turns */
            check_run(team, 100);
        if (i % 2 == 1) /* the first time they have just been started */
            wait_until_other_threads_sleep();
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(20);
            _exit(run_in_child(team, i > 0));
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    check_run(team, 100);
    dirac__team_destroy(team);
}

/* ---- refused threads and memory ---- */

/* Default stacks that no address space holds: pthread_create() then fails. False if that is not to be had here. */
static bool refuse_threads(pthread_attr_t *old)
{
    pthread_attr_t huge;
    if (pthread_getattr_default_np(old) != 0 || pthread_attr_init(&huge) != 0)
        return false;
    bool fine = pthread_attr_setstacksize(&huge, (SIZE_MAX >> 2) & ~(size_t)0xFFFF) == 0 &&
                pthread_setattr_default_np(&huge) == 0;
    pthread_attr_destroy(&huge);
    pthread_t thread;
    if (fine && pthread_create(&thread, NULL, host_thread, &(struct host_call){0}) == 0)
        abort();
    return fine;
}

static void mark_run(void *argument)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    *(int *)argument = 1 + sigismember(&mask, SIGINT);
}

static void refused_threads_cost_speed_alone(void **state)
{
    pthread_attr_t old;
    dirac__thread *thread = (dirac__thread *)(void *)&old;
    probe p;
    (void)state;
    const dirac__memory memory = probe_memory(&p);
    dirac__team *team = dirac__team_create(&memory, 4, NULL, NULL);
    if (!refuse_threads(&old)) {
        dirac__team_destroy(team);
        skip();
    }
    for (size_t i = 0; i < TASK_COUNTS; i++)
        check_run(team, task_counts[i]);
    int32_t status = dirac__thread_start(&thread, &memory, mark_run, NULL);
    assert_int_equal(pthread_setattr_default_np(&old), 0);
    pthread_attr_destroy(&old);
    assert_int_equal(status, DIRAC_ERR_THREAD);
    assert_null(thread);
    dirac__team_destroy(team);
    assert_int_equal(p.alive, 0);
}

static void background_threads_run_and_join(void **state)
{
    dirac__thread *thread;
    int ran = 0;
    probe p;
    (void)state;
    const dirac__memory memory = probe_memory(&p);
    assert_int_equal(dirac__thread_start(&thread, &memory, mark_run, &ran), DIRAC_OK);
    dirac__thread_join(thread);
    assert_int_equal(ran, 2);
    assert_int_equal(p.alive, 0);
    dirac__thread_join(NULL);

    p.refuse_at = p.requests + 1;
    assert_int_equal(dirac__thread_start(&thread, &memory, mark_run, &ran), DIRAC_ERR_MEMORY);
    assert_null(thread);
    p.refuse_at = p.requests + 1;
    assert_null(dirac__team_create(&memory, 2, NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once),
        cmocka_unit_test(many_small_jobs),
        cmocka_unit_test(workers_start_with_the_first_job_of_several_tasks),
        cmocka_unit_test(runs_end_where_lanes_change),
        cmocka_unit_test(workers_have_the_callers_rounding_and_no_signals),
        cmocka_unit_test(callers_share_a_team),
        cmocka_unit_test(a_caller_who_finds_the_team_busy_works_alone),
        cmocka_unit_test(the_hosts_runner_does_the_work),
        cmocka_unit_test(the_hosts_threads_run_in_parallel),
        cmocka_unit_test(forked_children_can_destroy_and_start_anew),
        cmocka_unit_test(refused_threads_cost_speed_alone),
        cmocka_unit_test(background_threads_run_and_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
