/* SPDX-License-Identifier: MIT */
/*
 * With the host's allocator, nothing of the library reaches the C library's: every scenario runs with a watch on
 * malloc(), calloc(), realloc(), memalign(), aligned_alloc(), posix_memalign(), valloc() and free() of the whole process
 * (strdup() and the like call malloc() through the same door). Excepted by name: what the dynamic loader and the C
 * library take for the block of thread-local storage of a thread that pthread_create() makes, and OpenBLAS.
 */
#include "fault/libc_memory.h"
#include "fault/scenario_parts.h"

static void *host_allocate(void *user, size_t size, size_t alignment)
{
    libc_memory_pause();
    void *pointer = counting_allocate(user, size, alignment);
    libc_memory_resume();
    return pointer;
}

static void host_release(void *user, void *pointer, size_t size)
{
    libc_memory_pause();
    counting_release(user, pointer, size);
    libc_memory_resume();
}

static void watch(void)
{
    libc_memory_watch(1);
}

static size_t excepted;

/* A thread's own storage is the C library's business, whoever starts the thread. */
static int is_excepted(const char *caller, int threads)
{
    return (threads && (strncmp(caller, "ld-linux", 8) == 0 || strstr(caller, "pthread_create") != NULL)) ||
           strncmp(caller, "libopenblas", 11) == 0;
}

static int threads_allowed;

static void look(void)
{
    char caller[128];
    libc_memory_watch(0);
    for (size_t i = 0; i < libc_memory_calls(); i++) {
        libc_memory_caller(i, caller);
        if (!is_excepted(caller, threads_allowed))
            fail_msg("the C library's allocator was called by %s", caller);
        excepted++;
        print_message("excepted: %s\n", caller);
    }
}

static int never(int32_t status, const char *call)
{
    (void)status, (void)call;
    return 0;
}

static void test_hooks(void **state)
{
    (void)state;
    size_t requests = 0;
    faults_on = watch;
    faults_off = look;
    faults_retry = never;
    scenario_allocate = host_allocate;
    scenario_release = host_release;
    make_folder();
    for (size_t i = 0; i < n_scenarios; i++) {
        floats all = {NULL, 0};
        threads_allowed = (scenarios[i].flags & THREADS) != 0;
        ok(play(&scenarios[i], NULL, &all));
        requests += memory.requests;
        drop_floats(&all);
    }
    drop_folder();
    print_message("%zu requests went to the host's allocator, %zu calls to the C library's, all excepted\n", requests,
                  excepted);
    assert_true(requests > 1000);
}

/* After prepare, computing allocates nothing, through the hooks or beside them: all kinds of layers, inference and
 * training, one thread and two. The first pass may start threads and wake OpenBLAS, the rest may not even do that. */
static void steps_without_memory(int threads, int hooked)
{
    const int32_t labels[3] = {5, 0, 2};
    const float *const inputs[2] = {noise, noise + 3 * 4 * 14 * 13};
    handles h = {.threads = threads};
    scenario_allocate = hooked ? host_allocate : NULL;
    ok(with_mixed_net(&h));
    h.session = open_session(h.net, DIRAC_TRAIN, 3);
    dirac_session *infer = open_session(h.net, DIRAC_INFER, 3);
    ok(dirac_sgd_create(&h.sgd, h.net));
    const size_t requests = memory.requests;
    for (int i = 0; i < 4; i++) {
        float loss;
        int64_t correct;
        threads_allowed = i == 0;
        watch();
        ok(dirac_session_forward_inputs(h.session, inputs, 2, 3));
        ok(dirac_session_cross_entropy(h.session, labels, &loss));
        ok(dirac_session_backward(h.session));
        ok(dirac_sgd_step(h.sgd, h.session));
        ok(dirac_session_forward_inputs(infer, inputs, 2, 3));
        ok(dirac_session_count_correct(infer, labels, &correct));
        look();
        assert_true(isfinite(loss));
    }
    assert_int_equal(memory.requests, requests);
    watch(); /* what the hooks gave goes back through them */
    dirac_session_destroy(infer);
    dirac_session_destroy(h.session), h.session = NULL;
    dirac_sgd_destroy(h.sgd), h.sgd = NULL;
    if (hooked)
        look();
    libc_memory_watch(0);
    close_handles(&h, h.context);
}

static void test_steps(void **state)
{
    (void)state;
    make_folder();
    for (int threads = 1; threads <= 2; threads++)
        for (int hooked = 0; hooked < 2; hooked++)
            steps_without_memory(threads, hooked);
    drop_folder();
}

/* The watch sees what it should: the library's own default allocator, by name. */
static void test_watch_works(void **state)
{
    (void)state;
    dirac_context *context;
    char caller[128];
    watch();
    const int32_t status = dirac_context_create(&context);
    libc_memory_watch(0);
    ok(status);
    assert_int_equal(libc_memory_calls(), 1);
    libc_memory_caller(0, caller);
    print_message("a context of the default allocator: called by %s\n", caller);
    dirac_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_watch_works), cmocka_unit_test(test_hooks),
                                       cmocka_unit_test(test_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
