/* SPDX-License-Identifier: MIT */
/*
 * A host with uses of its own for OpenBLAS: while one thread of it multiplies, a session trains a layer so large that
 * the library multiplies by OpenBLAS too. Every product of both goes through sgemm.c, where the library waits until the
 * host is at a product too before it goes on into OpenBLAS. Both must get the bits they get alone, and OpenBLAS keep
 * the thread setting it has.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <time.h>

#include "fault/sgemm.h"
#include "support/nets.h"

/* Of the layer: 32 * 1024 * 768 multiply-adds, where the library asks OpenBLAS from 2^24 on; and the host's product. */
enum { BATCH = 32, IN = 1024, HIDDEN = 768, OUT = 5, STEPS = 3, ROUNDS = 2, SIDE = 384 };

static void (*set_threads)(int);
static int (*get_threads)(void);
static floats images, left, right;

/* ---- inside at once ---- */

enum { HOST, LIBRARY, PARTIES };
static _Thread_local int party = LIBRARY;

/* Who is at a product now; how many products began while the other was at one; whether to wait for the other. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int inside[PARTIES], products[PARTIES], together, meet;
    int settings_seen; /* other numbers of threads than `setting` */
    int setting;
} room = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* The library waits for the host, which never stops multiplying, at the door; for a minute at most. */
static void enter(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&room.mutex);
    room.products[party]++;
    room.inside[party]++;
    room.settings_seen += get_threads() != room.setting;
    pthread_cond_broadcast(&room.changed);
    int waited = 0;
    while (party == LIBRARY && room.meet && !room.inside[HOST] && waited == 0)
        waited = pthread_cond_timedwait(&room.changed, &room.mutex, &until);
    room.together += party == LIBRARY && room.inside[HOST] > 0;
    pthread_mutex_unlock(&room.mutex);
}

static void leave(void)
{
    pthread_mutex_lock(&room.mutex);
    room.inside[party]--;
    room.settings_seen += get_threads() != room.setting;
    pthread_mutex_unlock(&room.mutex);
}

/* ---- the two ---- */

static void multiply(float *product)
{
    cblas_sgemm(101, 111, 111, SIDE, SIDE, SIDE, 1, left.at, SIDE, right.at, SIDE, 0, product, SIDE);
}

typedef struct host {
    pthread_t thread;
    floats want;
    atomic_int stop;
    int wrong, products;
} host;

static void *multiply_on(void *argument)
{
    host *h = argument;
    float *product = malloc(h->want.count * sizeof *product);
    party = HOST;
    while (product != NULL && !atomic_load(&h->stop)) {
        multiply(product);
        h->wrong += memcmp(product, h->want.at, h->want.count * sizeof *product) != 0;
        h->products++;
    }
    free(product);
    return NULL;
}

/* Logits, losses, gradients and weights of some steps, from the beginning. */
static floats train(int32_t threads)
{
    int32_t labels[BATCH];
    floats all = {NULL, 0};
    dirac_context *context;
    dirac_net *net;
    dirac_sgd *sgd;
    for (int i = 0; i < BATCH; i++)
        labels[i] = i % OUT;
    ok(dirac_context_create(&context));
    ok(dirac_context_set_threads(context, threads));
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_dirac_linear(net, dirac_net_input(net, IN), HIDDEN);
    dirac_net_output(net, dirac_net_linear(net, dirac_net_relu(net, x), OUT));
    ok(dirac_net_build(net));
    dirac_session *session = open_session(net, DIRAC_TRAIN, BATCH);
    ok(dirac_sgd_create(&sgd, net));
    for (int i = 0; i < STEPS; i++) {
        ok(dirac_session_forward(session, images.at, BATCH));
        ok(dirac_session_cross_entropy(session, labels, append(&all, 1)));
        append_output(&all, session);
        ok(dirac_session_backward(session));
        append_gradients(&all, session);
        ok(dirac_sgd_step(sgd, session));
    }
    append_net(&all, net);
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    return all;
}

/* ---- the tests ---- */

static int setup(void **state)
{
    (void)state;
    *(void **)(void *)&set_threads = dlsym(RTLD_DEFAULT, "openblas_set_num_threads");
    *(void **)(void *)&get_threads = dlsym(RTLD_DEFAULT, "openblas_get_num_threads");
    images = random_numbers(BATCH * IN, 1, -1, 1);
    left = random_numbers(SIDE * SIDE, 2, -1, 1);
    right = random_numbers(SIDE * SIDE, 3, -1, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sgemm_enter = sgemm_leave = NULL;
    drop_floats(&images), drop_floats(&left), drop_floats(&right);
    return 0;
}

static void together(host *h, int32_t threads, floats want)
{
    assert_int_equal(pthread_create(&h->thread, NULL, multiply_on, h), 0);
    for (int i = 0; i < ROUNDS; i++) {
        floats got = train(threads);
        same_bits("training beside the host", want, got);
        drop_floats(&got);
    }
    atomic_store(&h->stop, 1);
    assert_int_equal(pthread_join(h->thread, NULL), 0);
}

/* With OpenBLAS set to `setting` threads, by the host. */
static void with_setting(int setting, int32_t threads)
{
    host h = {.wrong = 0};
    set_threads(setting);
    room.setting = setting;
    room.meet = room.together = room.products[HOST] = room.products[LIBRARY] = room.settings_seen = 0;
    sgemm_enter = enter;
    sgemm_leave = leave;
    multiply(append(&h.want, SIDE * SIDE));
    room.products[LIBRARY] = 0;
    floats want = train(threads);
    const int alone = room.products[LIBRARY];
    assert_int_equal(alone, 2 * STEPS); /* forward, and the gradient of W; that of the input is not asked for */
    room.meet = 1;
    together(&h, threads, want);
    print_message("OpenBLAS's threads %d, the context's %d: %d products of the library, %d with the host inside too; "
                  "%d of the host\n",
                  setting, threads, room.products[LIBRARY] - alone, room.together, h.products);
    assert_int_equal(room.products[LIBRARY], (1 + ROUNDS) * alone);
    assert_int_equal(room.together, ROUNDS * alone);
    assert_int_equal(h.wrong, 0);
    assert_int_equal(room.settings_seen, 0);
    assert_int_equal(get_threads(), setting);
    drop_floats(&want), drop_floats(&h.want);
}

static void test_both_inside(void **state)
{
    (void)state;
    if (!have_openblas() || set_threads == NULL || get_threads == NULL)
        skip();
    with_setting(1, 2);
    with_setting(2, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_both_inside)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
