/* SPDX-License-Identifier: MIT */
/*
 * Threads beyond the rules of tests/api/test_threads_api.c, meant for ThreadSanitizer and Valgrind: contexts that come
 * and go on several threads, many servers that move to each newly published net while it is trained, a process that forks
 * while its other threads compute, and a host with uses of its own for OpenBLAS.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/nets.h"

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

static int32_t train_step(dirac_session *s, dirac_sgd *sgd, float *loss)
{
    int32_t status = dirac_session_forward(s, images.at, BATCH);
    if (status == DIRAC_OK)
        status = dirac_session_cross_entropy(s, labels, loss);
    if (status == DIRAC_OK)
        status = dirac_session_backward(s);
    return status != DIRAC_OK ? status : dirac_sgd_step(sgd, s);
}

/* A life: context of two threads, net, two steps, everything destroyed. *loss is that of the second step. */
static int32_t live(float *loss)
{
    dirac_context *context = NULL;
    dirac_net *net = NULL;
    dirac_session *s = NULL;
    dirac_sgd *sgd = NULL;
    int32_t status = dirac_context_create(&context);
    if (status == DIRAC_OK)
        status = dirac_context_set_threads(context, 2);
    if (status == DIRAC_OK)
        status = make_net(&net, context);
    if (status == DIRAC_OK)
        status = dirac_session_create(&s, net, DIRAC_TRAIN);
    if (status == DIRAC_OK)
        status = dirac_session_set_batch(s, BATCH);
    if (status == DIRAC_OK)
        status = dirac_session_prepare(s);
    if (status == DIRAC_OK)
        status = dirac_sgd_create(&sgd, net);
    for (int i = 0; i < 2 && status == DIRAC_OK; i++)
        status = train_step(s, sgd, loss);
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    return status;
}

/* ---- contexts come and go ---- */

typedef struct worker {
    pthread_t thread;
    float want;
    int failures, lives;
    atomic_int *stop; /* NULL: `lives` times */
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

static void start(worker *workers, float want, int lives, atomic_int *stop)
{
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (worker){.want = want, .lives = lives, .stop = stop};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, live_on, &workers[i]), 0);
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
    start(workers, want, 5, NULL);
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
    dirac_context *context;
    dirac_net *net, *folded;
    dirac_sgd *sgd;
    float loss;
    ok(dirac_context_create(&context));
    ok(dirac_context_set_threads(context, 2));
    ok(make_net(&net, context));
    ok(dirac_sgd_create(&sgd, net));
    ok(dirac_net_fold(&folded, net));
    dirac_session *train = open_session(net, DIRAC_TRAIN, BATCH);
    for (int i = 0; i < WORKERS; i++) {
        servers[i] = (server){.shop = &s, .session = open_session(folded, DIRAC_INFER, BATCH)};
        assert_int_equal(pthread_create(&servers[i].thread, NULL, serve, &servers[i]), 0);
    }
    dirac_net_destroy(folded);
    for (int i = 0; i < 10; i++) {
        ok(train_step(train, sgd, &loss));
        publish(&s, net);
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
    dirac_session_destroy(train);
    dirac_sgd_destroy(sgd);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}

/* ---- fork ---- */

/* The child lives a life of its own, whatever the parent's threads were doing. */
static void fork_once(float want)
{
    int status = -1;
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        float loss = -1;
        alarm(120); /* a child that hangs is a failure, not a wait */
        const int32_t lived = live(&loss);
        _exit(lived != DIRAC_OK ? 1 : memcmp(&loss, &want, sizeof loss) != 0 ? 2 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_fork(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* ThreadSanitizer allows no threads after a fork */
#endif
    float want;
    worker workers[WORKERS];
    atomic_int stop = 0;
    ok(live(&want));
    fork_once(want); /* nothing of the library is alive */
    start(workers, want, 0, &stop);
    for (int i = 0; i < 5; i++)
        fork_once(want); /* in the middle of everything */
    atomic_store(&stop, 1);
    finish(workers);
}

/* ---- a host that uses OpenBLAS itself ---- */

typedef void (*sgemm_fn)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *,
                         int);

typedef struct host {
    sgemm_fn sgemm;
    atomic_int stop;
} host;

static void *multiply_on(void *argument)
{
    host *h = argument;
    static float a[64 * 64], b[64 * 64], c[64 * 64];
    while (!atomic_load(&h->stop))
        h->sgemm(101, 111, 111, 64, 64, 64, 1, a, 64, b, 64, 0, c, 64);
    return NULL;
}

static void test_openblas_of_the_host(void **state)
{
    (void)state;
    void (*set_threads)(int);
    int (*get_threads)(void);
    *(void **)(void *)&set_threads = dlsym(RTLD_DEFAULT, "openblas_set_num_threads");
    *(void **)(void *)&get_threads = dlsym(RTLD_DEFAULT, "openblas_get_num_threads");
    host h = {.stop = 0};
    *(void **)(void *)&h.sgemm = dlsym(RTLD_DEFAULT, "cblas_sgemm");
    pthread_t thread;
    float want, loss;
    if (set_threads == NULL || get_threads == NULL || h.sgemm == NULL)
        skip(); /* a build without OpenBLAS */
    set_threads(2);
    ok(live(&want));
    assert_int_equal(get_threads(), 2);
    assert_int_equal(pthread_create(&thread, NULL, multiply_on, &h), 0);
    for (int i = 0; i < 3; i++) {
        ok(live(&loss));
        assert_memory_equal(&loss, &want, sizeof loss);
    }
    atomic_store(&h.stop, 1);
    pthread_join(thread, NULL);
    assert_int_equal(get_threads(), 2);
    set_threads(1);
    ok(live(&loss));
    assert_memory_equal(&loss, &want, sizeof loss); /* no large linear layer in it: the same bits */
    assert_int_equal(get_threads(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_contexts_come_and_go), cmocka_unit_test(test_servers),
                                       cmocka_unit_test(test_fork), cmocka_unit_test(test_openblas_of_the_host)};
    return cmocka_run_group_tests(tests, make_images, drop_images);
}
