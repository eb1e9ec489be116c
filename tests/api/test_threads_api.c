/* SPDX-License-Identifier: MIT */
/* The thread rules: who gets DIRAC_ERR_BUSY when, equal bits from parallel sessions, publishing a folded copy while
 * another thread serves, a host's runner, contexts side by side, and what a forked child may do. */
#define _GNU_SOURCE /* gettid */
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/counting_memory.h"
#include "support/gate.h"
#include "support/nets.h"
#include "support/other_threads.h"
#include "support/sanitizers.h"

static dirac_context *new_context(int32_t threads)
{
    dirac_context *context;
    ok(dirac_context_create(&context));
    ok(dirac_context_set_threads(context, threads));
    return context;
}

/* Large enough that a layer is more than one task. */
static dirac_net *small_diracnet(dirac_context *context)
{
    dirac_net *net = new_net(context);
    dirac_net_output(net, dirac_model_diracnet_cifar(net, dirac_net_input2d(net, 3, 16, 16), 10, 1, 10,
                                                     DIRAC_FORM_NORMALIZED_DELTA));
    ok(dirac_net_build(net));
    return net;
}

/* ---- busy ---- */

/* A net with a gate, and every handle that may want it while a session of another thread stands in the gate. */
typedef struct office {
    gate gate;
    dirac_context *context;
    dirac_net *net;
    dirac_session *held, *train, *infer;
    dirac_sgd *sgd;
    dirac_checkpoint *checkpoint;
    dirac_batches *batches;
    void *file, *saved;
    size_t file_size, saved_size;
    int check; /* the holder checks gradients (a writer) instead of going forward (a reader) */
    int32_t status;
} office;

static const float images[6] = {1, 2, 3, 4, 5, 6};
static const int32_t labels[2] = {0, 1};

static void open_office(office *o)
{
    memset(o, 0, sizeof *o);
    o->context = new_context(1);
    o->net = new_net(o->context);
    dirac_layer_kind *kind = gate_kind(&o->gate, o->context);
    dirac_node *x = dirac_net_input(o->net, 3);
    x = dirac_net_custom(o->net, kind, &x, 1);
    dirac_net_output(o->net, dirac_net_linear(o->net, dirac_net_batch_norm(o->net, x), 2));
    ok(dirac_net_build(o->net));
    dirac_layer_kind_destroy(kind);
    o->held = open_session(o->net, DIRAC_TRAIN, 2);
    o->train = open_session(o->net, DIRAC_TRAIN, 2);
    o->infer = open_session(o->net, DIRAC_INFER, 2);
    ok(dirac_sgd_create(&o->sgd, o->net));
    ok(dirac_checkpoint_create(&o->checkpoint, o->context));
    ok(dirac_checkpoint_add_net(o->checkpoint, "net", o->net));
    ok(dirac_checkpoint_save_memory(o->checkpoint, &o->saved, &o->saved_size));
    ok(dirac_net_save_memory(o->net, &o->file, &o->file_size));
    dirac_dataset *set;
    ok(dirac_dataset_create_floats(&set, o->context, (const int64_t[1]){3}, 1));
    ok(dirac_dataset_add_floats(set, images, labels, 2));
    ok(dirac_batches_create(&o->batches, set));
    ok(dirac_batches_set_size(o->batches, 2));
    dirac_dataset_destroy(set);
    dirac_session *const both[2] = {o->held, o->train};
    for (int i = 0; i < 2; i++) {
        ok(dirac_session_forward(both[i], images, 2));
        ok(dirac_session_cross_entropy(both[i], labels, NULL));
        ok(dirac_session_backward(both[i]));
        ok(dirac_session_forward(both[i], images, 2));
        ok(dirac_session_cross_entropy(both[i], labels, NULL));
    }
}

static void close_office(office *o)
{
    dirac_buffer_free(o->context, o->file, o->file_size);
    dirac_buffer_free(o->context, o->saved, o->saved_size);
    dirac_checkpoint_destroy(o->checkpoint);
    dirac_batches_destroy(o->batches);
    dirac_sgd_destroy(o->sgd);
    dirac_session_destroy(o->held);
    dirac_session_destroy(o->train);
    dirac_session_destroy(o->infer);
    dirac_net_destroy(o->net);
    dirac_context_destroy(o->context);
}

static void *hold(void *argument)
{
    office *o = argument;
    o->status = o->check ? dirac_session_check_gradients(o->held, images, 2, 1, 0, NULL)
                         : dirac_session_forward(o->held, images, 2);
    return NULL;
}

#define busy(call) refused(call, DIRAC_ERR_BUSY)

/* A second caller of the session that the other thread is in. */
static void session_is_busy(office *o)
{
    const float *const inputs[1] = {images};
    const float gradient[4] = {1, 1, 1, 1};
    float value;
    int64_t correct;
    size_t bytes;
    busy(dirac_session_forward(o->held, images, 2));
    busy(dirac_session_forward_inputs(o->held, inputs, 1, 2));
    busy(dirac_session_backward(o->held));
    busy(dirac_session_cross_entropy(o->held, labels, &value));
    busy(dirac_session_cross_entropy_soft(o->held, gradient, &value));
    busy(dirac_session_count_correct(o->held, labels, &correct));
    busy(dirac_session_set_output_gradient(o->held, 0, gradient, 4));
    busy(dirac_session_set_class_weights(o->held, gradient, 2));
    busy(dirac_session_clear_gradients(o->held));
    busy(dirac_session_add_gradients(o->held, o->train));
    busy(dirac_session_add_gradients(o->train, o->held));
    busy(dirac_session_commit_statistics(o->held));
    busy(dirac_session_check_gradients(o->held, images, 2, 1, 0, NULL));
    busy(dirac_session_set_net(o->held, o->net));
    busy(dirac_session_prepare(o->held));
    busy(dirac_session_bytes(o->held, &bytes));
    busy(dirac_session_evaluate(o->held, o->batches, NULL, NULL, NULL, NULL));
    busy(dirac_sgd_epoch(o->sgd, o->held, o->batches, NULL, NULL, NULL, NULL));
    busy(dirac_sgd_step(o->sgd, o->held));
}

/* Whoever wants to change the net while somebody reads or changes it. */
static void net_is_busy_for_writers(office *o)
{
    const float bias[2] = {1, 2};
    int64_t steps;
    const uint64_t version = dirac_net_version(o->net);
    floats before = {NULL, 0}, after = {NULL, 0};
    append_gradients(&before, o->train);
    busy(dirac_sgd_step(o->sgd, o->train));
    message_has("net");
    busy(dirac_session_commit_statistics(o->train));
    busy(dirac_session_check_gradients(o->train, images, 2, 1, 0, NULL));
    busy(dirac_net_tensor_write(o->net, "linear.bias", bias, 2));
    busy(dirac_net_initialize(o->net, 1));
    busy(dirac_net_set_trainable(o->net, "*", 0));
    busy(dirac_net_set_note(o->net, "a", "b"));
    busy(dirac_net_load_weights_memory(o->net, o->file, o->file_size, DIRAC_LOAD_STRICT));
    busy(dirac_node_set_frozen(dirac_net_find(o->net, "batch_norm"), 1));
    busy(dirac_checkpoint_load_memory(o->checkpoint, o->saved, o->saved_size));
    append_gradients(&after, o->train);
    same_bits("a refused step leaves the gradients", before, after);
    assert_true(dirac_net_version(o->net) == version);
    ok(dirac_sgd_steps(o->sgd, &steps));
    assert_int_equal(steps, 0);
    assert_null(dirac_net_note(o->net, "a"));
    drop_floats(&before), drop_floats(&after);
}

/* Readers: `status` is what each must get. */
static void read_net(office *o, int32_t status)
{
    float bias[2];
    dirac_net *made = NULL;
    dirac_session *fresh;
    void *data = NULL;
    size_t size;
    refused(dirac_net_tensor_read(o->net, "linear.bias", bias, 2), status);
    refused(dirac_net_clone(&made, o->net), status);
    dirac_net_destroy(made);
    refused(dirac_net_fold(&made, o->net), status);
    dirac_net_destroy(made);
    refused(dirac_net_save_memory(o->net, &data, &size), status);
    dirac_buffer_free(o->context, status == DIRAC_OK ? data : NULL, 0);
    refused(dirac_checkpoint_save_memory(o->checkpoint, &data, &size), status);
    dirac_buffer_free(o->context, status == DIRAC_OK ? data : NULL, 0);
    ok(dirac_session_create(&fresh, o->net, DIRAC_TRAIN));
    refused(dirac_session_bytes(fresh, &size), status);
    refused(dirac_session_prepare(fresh), status);
    refused(dirac_session_set_net(fresh, o->net), status);
    dirac_session_destroy(fresh);
    assert_int_equal(dirac_net_tensor_count(o->net), 6);
    assert_string_equal(dirac_net_tensor_name(o->net, 0), "batch_norm.weight");
}

static void test_busy_while_another_reads(void **state)
{
    (void)state;
    office o;
    pthread_t thread;
    open_office(&o);
    gate_set(&o.gate, 1);
    assert_int_equal(pthread_create(&thread, NULL, hold, &o), 0);
    gate_wait(&o.gate);
    session_is_busy(&o);
    net_is_busy_for_writers(&o);
    read_net(&o, DIRAC_OK);
    ok(dirac_session_backward(o.train)); /* another session goes on */
    gate_set(&o.gate, 0);
    pthread_join(thread, NULL);
    assert_int_equal(o.status, DIRAC_OK);
    ok(dirac_sgd_step(o.sgd, o.train)); /* all is free again */
    ok(dirac_net_set_note(o.net, "a", "b"));
    ok(dirac_session_forward(o.held, images, 2));
    close_office(&o);
}

static void test_busy_while_another_writes(void **state)
{
    (void)state;
    office o;
    pthread_t thread;
    open_office(&o);
    o.check = 1;
    gate_set(&o.gate, 1);
    assert_int_equal(pthread_create(&thread, NULL, hold, &o), 0);
    gate_wait(&o.gate);
    session_is_busy(&o);
    net_is_busy_for_writers(&o);
    read_net(&o, DIRAC_ERR_BUSY);
    busy(dirac_session_forward(o.infer, images, 2));
    busy(dirac_session_backward(o.train));
    busy(dirac_net_compare(o.net, o.net, images, 2, NULL, NULL, NULL));
    gate_set(&o.gate, 0);
    pthread_join(thread, NULL);
    assert_int_equal(o.status, DIRAC_OK);
    ok(dirac_session_forward(o.infer, images, 2));
    ok(dirac_session_backward(o.train)); /* its loss was kept through the refusals */
    read_net(&o, DIRAC_OK);
    close_office(&o);
}

/* ---- parallel sessions ---- */

#define SESSIONS 4

typedef struct stream {
    dirac_net *net;
    floats images, want;
    int32_t mode;
    int failures;
} stream;

/* Goes forward again and again, with one image and with three, and compares bits. No test macro runs outside the main
 * thread. */
static void *run_stream(void *argument)
{
    stream *t = argument;
    dirac_session *s;
    const float *y;
    size_t count;
    if (dirac_session_create(&s, t->net, t->mode) || dirac_session_set_batch(s, 3) || dirac_session_prepare(s)) {
        t->failures = 1000;
        return NULL;
    }
    for (int i = 0; i < 12; i++) {
        const int64_t n = t->mode == DIRAC_TRAIN || i % 2 ? 3 : 1;
        t->failures += dirac_session_forward(s, t->images.at, n) != DIRAC_OK;
        t->failures += dirac_session_output(s, 0, &y, &count) != DIRAC_OK;
        t->failures += memcmp(y, t->want.at, count * sizeof *y) != 0;
    }
    dirac_session_destroy(s);
    return NULL;
}

static void run_parallel(stream *streams, int count)
{
    pthread_t threads[SESSIONS];
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_stream, &streams[i]), 0);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < count; i++)
        assert_int_equal(streams[i].failures, 0);
}

static void forward_alone(dirac_net *net, int32_t mode, floats x, floats *want)
{
    dirac_session *s = open_session(net, mode, 3);
    ok(dirac_session_forward(s, x.at, 3));
    append_output(want, s);
    dirac_session_destroy(s);
}

static void test_parallel_sessions(void **state)
{
    (void)state;
    for (int32_t mode = DIRAC_INFER; mode <= DIRAC_TRAIN; mode++) {
        dirac_context *context = new_context(2);
        dirac_net *net = small_diracnet(context);
        stream streams[SESSIONS];
        for (int i = 0; i < SESSIONS; i++) {
            streams[i] = (stream){.net = net, .images = random_numbers(3 * 768, (uint64_t)i, -1, 1), .mode = mode};
            forward_alone(net, mode, streams[i].images, &streams[i].want);
        }
        run_parallel(streams, SESSIONS);
        for (int i = 0; i < SESSIONS; i++)
            drop_floats(&streams[i].images), drop_floats(&streams[i].want);
        dirac_net_destroy(net);
        dirac_context_destroy(context);
    }
}

/* Two contexts share nothing: unlike kernels and threads, at the same time, each with the bits it has alone. */
static void test_two_contexts(void **state)
{
    (void)state;
    dirac_context *contexts[2] = {new_context(1), new_context(2)};
    stream streams[2];
    ok(dirac_context_set_kernels(contexts[0], "scalar"));
    for (int i = 0; i < 2; i++) {
        streams[i] = (stream){.net = small_diracnet(contexts[i]), .images = random_numbers(3 * 768, 5, -1, 1)};
        forward_alone(streams[i].net, DIRAC_INFER, streams[i].images, &streams[i].want);
    }
    run_parallel(streams, 2);
    for (int i = 0; i < 2; i++) {
        drop_floats(&streams[i].images), drop_floats(&streams[i].want);
        dirac_net_destroy(streams[i].net);
        dirac_context_destroy(contexts[i]);
    }
}

/* ---- publishing ---- */

#define PUBLISHED 8

typedef struct server {
    dirac_session *session;
    const float *image;
    dirac_net *nets[PUBLISHED];  /* written, like what each answers, before its number is published */
    float logits[PUBLISHED][10];
    atomic_int next; /* the number of a net, put there by the trainer, taken by the server; 0: none */
    atomic_int done;
    int failures;
    atomic_int served[PUBLISHED];
} server;

/* Takes the newest net between two images; every answer must be exactly that of the net it was taken from. */
static void *serve(void *argument)
{
    server *v = argument;
    const float *y;
    int at = 0;
    while (!v->done) {
        const int next = atomic_exchange(&v->next, 0);
        if (next != 0) {
            at = next;
            v->failures += dirac_session_set_net(v->session, v->nets[at]) != DIRAC_OK;
            dirac_net_destroy(v->nets[at]);
        }
        v->failures += dirac_session_forward(v->session, v->image, 1) != DIRAC_OK;
        v->failures += dirac_session_output(v->session, 0, &y, NULL) != DIRAC_OK;
        v->failures += memcmp(y, v->logits[at], sizeof v->logits[at]) != 0;
        v->served[at]++;
    }
    return NULL;
}

static void train_step(dirac_session *s, dirac_sgd *sgd, const float *x, const int32_t *y)
{
    ok(dirac_session_forward(s, x, 4));
    ok(dirac_session_cross_entropy(s, y, NULL));
    ok(dirac_session_backward(s));
    ok(dirac_sgd_step(sgd, s));
}

static dirac_net *fold_and_ask(dirac_net *net, const float *image, float logits[10])
{
    dirac_net *folded;
    ok(dirac_net_fold(&folded, net));
    dirac_session *s = open_session(folded, DIRAC_INFER, 1);
    const float *y;
    ok(dirac_session_forward(s, image, 1));
    ok(dirac_session_output(s, 0, &y, NULL));
    memcpy(logits, y, 10 * sizeof *logits);
    dirac_session_destroy(s);
    return folded;
}

static void test_publishing(void **state)
{
    (void)state;
    static server v;
    const int32_t y[4] = {1, 5, 3, 7};
    dirac_context *context = new_context(2);
    dirac_net *net = small_diracnet(context);
    dirac_session *s = open_session(net, DIRAC_TRAIN, 4);
    dirac_sgd *sgd;
    pthread_t thread;
    floats x = random_numbers(4 * 768, 1, -1, 1);
    ok(dirac_sgd_create(&sgd, net));
    dirac_net *folded = fold_and_ask(net, x.at, v.logits[0]);
    v.session = open_session(folded, DIRAC_INFER, 1);
    v.image = x.at;
    dirac_net_destroy(folded);
    assert_int_equal(pthread_create(&thread, NULL, serve, &v), 0);
    for (int i = 1; i < PUBLISHED; i++) {
        train_step(s, sgd, x.at, y);
        v.nets[i] = fold_and_ask(net, x.at, v.logits[i]);
        assert_true(memcmp(v.logits[i], v.logits[i - 1], sizeof v.logits[i]) != 0);
        atomic_store(&v.next, i);
        while (v.next != 0) /* until it is taken */
            nanosleep(&(struct timespec){0, 100000}, NULL);
    }
    while (v.served[PUBLISHED - 1] == 0)
        nanosleep(&(struct timespec){0, 100000}, NULL);
    v.done = 1;
    pthread_join(thread, NULL);
    assert_int_equal(v.failures, 0);
    drop_floats(&x);
    dirac_session_destroy(v.session);
    dirac_session_destroy(s);
    dirac_sgd_destroy(sgd);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}

/* ---- the host's runner ---- */

typedef struct host {
    atomic_int calls, tasks;
    int refuse;
    pthread_t caller;
    int foreign; /* calls from another thread than the one that called the library */
} host;

typedef struct job {
    dirac_task_fn task;
    void *data;
    int32_t index;
    host *host;
} job;

static void *run_job(void *argument)
{
    job *j = argument;
    j->task(j->data, j->index);
    j->host->tasks++;
    return NULL;
}

static int32_t host_runner(void *user, dirac_task_fn task, void *data, int32_t count)
{
    host *h = user;
    pthread_t threads[64];
    job jobs[64];
    h->calls++;
    h->foreign += !pthread_equal(h->caller, pthread_self());
    if (h->refuse || count > 64)
        return 1;
    for (int32_t i = 0; i < count; i++) {
        jobs[i] = (job){task, data, i, h};
        if (pthread_create(&threads[i], NULL, run_job, &jobs[i]) != 0)
            abort(); /* cannot be told from inside; nothing here can go on */
    }
    for (int32_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

static void test_runner(void **state)
{
    (void)state;
    floats x = random_numbers(3 * 768, 1, -1, 1), want = {NULL, 0};
    for (int way = 0; way < 3; way++) {
        host h = {.refuse = way == 2, .caller = pthread_self()};
        dirac_context *context = new_context(1);
        if (way > 0)
            ok(dirac_context_set_runner(context, host_runner, &h, 3));
        dirac_net *net = small_diracnet(context);
        floats got = {NULL, 0};
        forward_alone(net, DIRAC_INFER, x, way == 0 ? &want : &got);
        if (way > 0) {
            same_bits("the host's threads", want, got);
            assert_true(h.calls > 0 && h.foreign == 0);
            assert_true((h.tasks > 0) == (way == 1));
        }
        drop_floats(&got);
        dirac_net_destroy(net);
        dirac_context_destroy(context);
    }
    drop_floats(&x), drop_floats(&want);
}

/* ---- fork ---- */

/* In the child: gives up the parent's handles, then works with a context of its own. Returns 0 if all went well. */
static int in_child(dirac_context *context, dirac_net *net, dirac_session *s, dirac_batches *batches, counting *memory,
                    floats x, floats want)
{
    const float *y;
    size_t count;
    dirac_batches_destroy(batches);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    if (memory->alive != 0 || memory->wrong != 0)
        return 1;
    if (dirac_context_create(&context) || dirac_context_set_threads(context, 2) || dirac_net_create(&net, context))
        return 2;
    dirac_net_output(net, dirac_model_diracnet_cifar(net, dirac_net_input2d(net, 3, 16, 16), 10, 1, 10,
                                                     DIRAC_FORM_NORMALIZED_DELTA));
    if (dirac_net_build(net) || dirac_session_create(&s, net, DIRAC_INFER) || dirac_session_set_batch(s, 3) ||
        dirac_session_prepare(s) || dirac_session_forward(s, x.at, 3) || dirac_session_output(s, 0, &y, &count))
        return 3;
    if (count != want.count || memcmp(y, want.at, count * sizeof *y) != 0)
        return 4;
    dirac_session_destroy(s);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    return 0;
}

static void test_fork(void **state)
{
    (void)state;
    if (THREAD_SANITIZER)
        skip(); /* it allows no threads after a fork */
    static counting memory;
    dirac_context *context;
    ok(dirac_context_create_with_allocator(&context, counting_allocate, counting_release, &memory));
    ok(dirac_context_set_threads(context, 3));
    dirac_net *net = small_diracnet(context);
    dirac_dataset *set = make_dataset(context, 8, 3, 16, 4);
    dirac_batches *batches;
    floats x = random_numbers(3 * 768, 1, -1, 1), want = {NULL, 0}, again = {NULL, 0};
    const float *samples;
    const int32_t *y;
    int64_t n;
    int status = -1;
    dirac_session *s = open_session(net, DIRAC_INFER, 3);
    ok(dirac_session_forward(s, x.at, 3)); /* the workers exist now */
    append_output(&want, s);
    ok(dirac_batches_create(&batches, set));
    dirac_dataset_destroy(set);
    ok(dirac_batches_set_size(batches, 4));
    ok(dirac_batches_set_prefetch(batches, 2));
    ok(dirac_batches_next(batches, &samples, &y, &n)); /* and the thread that makes batches */
    wait_until_other_threads_sleep();
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(60); /* a child that hangs is a failure, not a wait */
        _exit(in_child(context, net, s, batches, &memory, x, want));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    ok(dirac_session_forward(s, x.at, 3)); /* the parent goes on */
    append_output(&again, s);
    same_bits("the parent", want, again);
    ok(dirac_batches_next(batches, &samples, &y, &n));
    drop_floats(&x), drop_floats(&want), drop_floats(&again);
    dirac_batches_destroy(batches);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    assert_int_equal(memory.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_busy_while_another_reads),
        cmocka_unit_test(test_busy_while_another_writes),
        cmocka_unit_test(test_parallel_sessions),
        cmocka_unit_test(test_two_contexts),
        cmocka_unit_test(test_publishing),
        cmocka_unit_test(test_runner),
        cmocka_unit_test(test_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
