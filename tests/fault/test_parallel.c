/* SPDX-License-Identifier: MIT */
/*
 * Threads beyond the rules of tests/api/test_threads_api.c, meant for ThreadSanitizer and Valgrind: contexts that come
 * and go on several threads, many servers that move to each newly published net while it is trained, and a process that
 * forks while its other threads compute.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/nets.h"
#include "support/other_threads.h"
#include "support/sanitizers.h"

enum { WORKERS = 3, BATCH = 4, CLASSES = 5 };
static const int32_t labels[BATCH] = {1, 0, 4, 2};
static floats images; /* (BATCH, 3, 12, 12) */

static int make_images(void **state)
{
    (void)state;
    images = random_numbers(BATCH * 3 * 12 * 12, 1, -1, 1);
    return 0;
}

static int drop_images(void **state)
{
    (void)state;
    drop_floats(&images);
    return 0;
}

/* ---- without test macros: these run on any thread and in children ---- */

static int32_t make_net(dirac_net **out, dirac_context *context)
{
    const int32_t status = dirac_net_create(out, context);
    if (status != DIRAC_OK)
        return status;
    dirac_net_output(*out, dirac_model_diracnet_cifar(*out, dirac_net_input2d(*out, 3, 12, 12), 10, 0.5, CLASSES,
                                                      DIRAC_FORM_NORMALIZED_DELTA));
    return dirac_net_build(*out);
}

typedef struct trainee {
    dirac_context *context; /* of two threads */
    dirac_net *net;
    dirac_session *session;
    dirac_sgd *sgd;
} trainee;

static int32_t begin(trainee *t)
{
    *t = (trainee){.context = NULL};
    int32_t status = dirac_context_create(&t->context);
    if (status == DIRAC_OK)
        status = dirac_context_set_threads(t->context, 2);
    if (status == DIRAC_OK)
        status = make_net(&t->net, t->context);
    if (status == DIRAC_OK)
        status = dirac_session_create(&t->session, t->net, DIRAC_TRAIN);
    if (status == DIRAC_OK)
        status = dirac_session_set_batch(t->session, BATCH);
    if (status == DIRAC_OK)
        status = dirac_session_prepare(t->session);
    return status != DIRAC_OK ? status : dirac_sgd_create(&t->sgd, t->net);
}

static int32_t train_step(trainee *t, float *loss)
{
    int32_t status = dirac_session_forward(t->session, images.at, BATCH);
    if (status == DIRAC_OK)
        status = dirac_session_cross_entropy(t->session, labels, loss);
    if (status == DIRAC_OK)
        status = dirac_session_backward(t->session);
    return status != DIRAC_OK ? status : dirac_sgd_step(t->sgd, t->session);
}

static void end(trainee *t)
{
    dirac_sgd_destroy(t->sgd);
    dirac_session_destroy(t->session);
    dirac_net_destroy(t->net);
    dirac_context_destroy(t->context);
}

/* A life: everything made, two steps, everything destroyed. *loss is that of the second step. */
static int32_t live(float *loss)
{
    trainee t;
    int32_t status = begin(&t);
    for (int i = 0; i < 2 && status == DIRAC_OK; i++)
        status = train_step(&t, loss);
    end(&t);
    return status;
}

/* ---- contexts come and go ---- */

typedef struct worker {
    pthread_t thread;
    float want;
    int failures, lives;
    atomic_int *stop; /* NULL: `lives` times */
    pthread_barrier_t *begun; /* of one that trains on */
} worker;

static void *live_on(void *argument)
{
    worker *w = argument;
    for (int i = 0; w->stop != NULL ? !atomic_load(w->stop) : i < w->lives; i++) {
        float loss = -1;
        w->failures += live(&loss) != DIRAC_OK;
        w->failures += memcmp(&loss, &w->want, sizeof loss) != 0;
    }
    return NULL;
}

static void start(worker *workers, void *(*run)(void *), worker as)
{
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = as;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run, &workers[i]), 0);
    }
}

static void finish(worker *workers)
{
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(workers[i].failures, 0);
}

static void test_contexts_come_and_go(void **state)
{
    (void)state;
    float want;
    worker workers[WORKERS];
    ok(live(&want));
    start(workers, live_on, (worker){.want = want, .lives = 5});
    finish(workers);
}

/* ---- many servers ---- */

typedef struct shop {
    pthread_mutex_t mutex;
    dirac_net *net; /* the newest, held while it lies here */
    int version, done;
} shop;

typedef struct server {
    pthread_t thread;
    shop *shop;
    dirac_session *session;
    int failures, moves, answers;
} server;

/* Moves to what lies in the shop, whenever that is new, and answers between. */
static void *serve(void *argument)
{
    server *v = argument;
    const float *y;
    for (int version = 0, done = 0; !done;) {
        pthread_mutex_lock(&v->shop->mutex);
        if (v->shop->version != version) {
            version = v->shop->version;
            v->failures += dirac_session_set_net(v->session, v->shop->net) != DIRAC_OK;
            v->moves++;
        }
        done = v->shop->done;
        pthread_mutex_unlock(&v->shop->mutex);
        v->failures += dirac_session_forward(v->session, images.at, BATCH) != DIRAC_OK;
        v->failures += dirac_session_output(v->session, 0, &y, NULL) != DIRAC_OK || !isfinite(y[0]);
        v->answers++;
    }
    return NULL;
}

static void publish(shop *s, dirac_net *net)
{
    dirac_net *folded;
    ok(dirac_net_fold(&folded, net));
    pthread_mutex_lock(&s->mutex);
    dirac_net_destroy(s->net); /* servers that use it hold it themselves */
    s->net = folded;
    s->version++;
    pthread_mutex_unlock(&s->mutex);
}

static void test_servers(void **state)
{
    (void)state;
    shop s = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    server servers[WORKERS];
    dirac_net *folded;
    trainee t;
    float loss;
    ok(begin(&t));
    ok(dirac_net_fold(&folded, t.net));
    for (int i = 0; i < WORKERS; i++) {
        servers[i] = (server){.shop = &s, .session = open_session(folded, DIRAC_INFER, BATCH)};
        assert_int_equal(pthread_create(&servers[i].thread, NULL, serve, &servers[i]), 0);
    }
    dirac_net_destroy(folded);
    for (int i = 0; i < 10; i++) {
        ok(train_step(&t, &loss));
        publish(&s, t.net);
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
    pthread_mutex_lock(&s.mutex);
    s.done = 1;
    pthread_mutex_unlock(&s.mutex);
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(servers[i].thread, NULL);
        assert_int_equal(servers[i].failures, 0);
        assert_true(servers[i].moves > 0 && servers[i].answers > 1);
        dirac_session_destroy(servers[i].session);
    }
    dirac_net_destroy(s.net);
    end(&t);
}

/* ---- fork ---- */

/* The child lives a life of its own, whatever the parent's threads were doing. Returns how it ended: 0, well. */
static int fork_once(float want)
{
    int status = -1;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        float loss = -1;
        alarm(120); /* a child that hangs is a failure, not a wait */
        const int32_t lived = live(&loss);
        _exit(lived != DIRAC_OK ? 1 : memcmp(&loss, &want, sizeof loss) != 0 ? 2 : 0);
    }
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

/* Five children, one after the other, beside the workers. Returns how the first that failed ended, or 0. */
static int fork_beside(worker *workers, float want, atomic_int *stop)
{
    int ended = 0;
    for (int i = 0; i < 5 && ended == 0; i++)
        ended = fork_once(want);
    atomic_store(stop, 1);
    finish(workers);
    return ended;
}

/* One life, of steps that go on until the stop. Waits for the others after the first, which starts the context's thread. */
static void *train_on(void *argument)
{
    worker *w = argument;
    trainee t;
    float loss;
    int32_t status = begin(&t);
    if (status == DIRAC_OK)
        status = train_step(&t, &loss);
    pthread_barrier_wait(w->begun);
    while (status == DIRAC_OK && !atomic_load(w->stop))
        status = train_step(&t, &loss);
    w->failures = status != DIRAC_OK;
    end(&t);
    return NULL;
}

/* Nothing of the library is alive; then sessions train on three threads, each with one of its context. */
static void test_fork(void **state)
{
    (void)state;
    if (THREAD_SANITIZER)
        skip(); /* it allows no threads after a fork */
    float want;
    worker workers[WORKERS];
    pthread_barrier_t begun;
    atomic_int stop = 0;
    ok(live(&want));
    assert_int_equal(fork_once(want), 0);
    pthread_barrier_init(&begun, NULL, WORKERS + 1);
    start(workers, train_on, (worker){.stop = &stop, .begun = &begun});
    wait_until_other_threads_sleep(); /* all threads have started; from here on they allocate nothing */
    pthread_barrier_wait(&begun);
    assert_int_equal(fork_beside(workers, want, &stop), 0);
    pthread_barrier_destroy(&begun);
}

/* In the middle of everything: threads that make, train and destroy. */
static void test_fork_beside_lives(void **state)
{
    (void)state;
    if (THREAD_SANITIZER)
        skip();
    if (ADDRESS_SANITIZER)
        skip(); /* its allocator's own locks stay locked in a child whose parent was just allocating on another thread */
    float want;
    worker workers[WORKERS];
    atomic_int stop = 0;
    ok(live(&want));
    start(workers, live_on, (worker){.want = want, .stop = &stop});
    assert_int_equal(fork_beside(workers, want, &stop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_contexts_come_and_go), cmocka_unit_test(test_servers),
                                       cmocka_unit_test(test_fork), cmocka_unit_test(test_fork_beside_lives)};
    return cmocka_run_group_tests(tests, make_images, drop_images);
}
