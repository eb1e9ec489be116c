/* SPDX-License-Identifier: MIT */
/*
 * With the host's allocator, nothing of the library reaches the C library's: every scenario runs with a watch on
 * malloc(), calloc(), realloc(), memalign(), aligned_alloc(), posix_memalign(), valloc() and free() of the whole process
 * (strdup() and the like call malloc() through the same door). Excepted by name: what the dynamic loader and the C
 * library take for the block of thread-local storage of a thread that pthread_create() makes, and OpenBLAS. With
 * OpenBLAS off it is not excepted either, and on one thread nothing is. Arguments: --quick leaves out what takes long,
 * but for OpenBLAS's products.
 */
#include "fault/libc_memory.h"
#include "fault/scenario_parts.h"
#include "fault/sgemm.h"

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

/* What may call the C library's allocator now, and how often each has since the program began. */
static int threads_allowed, openblas_allowed;
static size_t by_threads, by_openblas;
static int quick;

/* A thread's own storage is the C library's business, whoever starts the thread. */
static int is_thread(const char *caller)
{
    return strncmp(caller, "ld-linux", 8) == 0 || strstr(caller, "pthread_create") != NULL;
}

static void look(void)
{
    char caller[128];
    libc_memory_watch(0);
    for (size_t i = 0; i < libc_memory_calls(); i++) {
        libc_memory_caller(i, caller);
        const int thread = is_thread(caller), openblas = strncmp(caller, "libopenblas", 11) == 0;
        if (!(thread && threads_allowed) && !(openblas && openblas_allowed))
            fail_msg("the C library's allocator was called by %s", caller);
        by_threads += (size_t)thread;
        by_openblas += (size_t)openblas;
    }
}

static int never(int32_t status, const char *call)
{
    (void)status, (void)call;
    return 0;
}

static void set_up(void)
{
    faults_on = watch;
    faults_off = look;
    faults_retry = never;
    scenario_allocate = host_allocate;
    scenario_release = host_release;
    make_folder();
}

/* Every scenario, with as many threads as it says (0) or one; those that make batches ahead start one more. */
static void play_all(const char *name, int blas, int threads)
{
    size_t requests = 0;
    scenario_blas = blas;
    scenario_threads = threads;
    openblas_allowed = blas;
    by_threads = by_openblas = 0;
    sgemm_calls = 0;
    for (size_t i = 0; i < n_scenarios; i++) {
        floats all = {NULL, 0};
        if (quick && (scenarios[i].flags & COSTLY) != 0 && scenarios[i].act != train_large)
            continue;
        threads_allowed = (scenarios[i].flags & (threads == 1 ? AHEAD : THREADS)) != 0;
        ok(play(&scenarios[i], NULL, &all));
        requests += memory.requests;
        drop_floats(&all);
    }
    scenario_blas = 1;
    scenario_threads = 0;
    print_message("%s: %zu requests to the host's allocator; to the C library's: %zu for new threads, %zu by OpenBLAS, "
                  "which was asked for %d products\n",
                  name, requests, by_threads, by_openblas, sgemm_calls);
    assert_true(requests > 1000);
    assert_true(blas ? sgemm_calls > 0 : sgemm_calls == 0);
}

static void test_hooks(void **state)
{
    (void)state;
    set_up();
    if (have_openblas())
        play_all("with OpenBLAS", 1, 0);
    play_all("OpenBLAS off", 0, 0);
    play_all("OpenBLAS off, one thread", 0, 1);
    drop_folder();
}

/* ---- steps ---- */

/* Nets, and the batch they are run with. */
static const struct subject {
    const char *name;
    int32_t (*prepare)(handles *base);
    int32_t batch;
    int which;
    int large, costly; /* OpenBLAS multiplies in its steps; left out of the short form */
} subjects[] = {
    {"mixed", with_mixed_net, 3, 0, 0, 0},
    {"custom layer, dropout, batch norm", with_training_net, 3, 0, 0, 0},
    {"deep ResNet", with_deep_net, 3, 0, 0, 0},
    {"large layer", with_large_layer, LARGE_BATCH, 0, 1, 0},
    {"DiracNet", with_built_model, 2, 0, 0, 1},
    {"bottleneck ResNet", with_built_model, 2, 2, 0, 1},
    {"ImageNet DiracNet", with_built_model, 2, 3, 0, 1},
    {"ImageNet ResNet", with_built_model, 2, 4, 0, 1},
    {"NIN", with_built_model, 2, 5, 0, 1},
    {"ELU net", with_built_model, 2, 6, 0, 1},
};

static dirac_session *open_lean(dirac_net *net, int32_t batch)
{
    dirac_session *session;
    ok(dirac_session_create(&session, net, DIRAC_INFER));
    ok(dirac_session_set_batch(session, batch));
    ok(dirac_session_set_lean(session, 1));
    ok(dirac_session_prepare(session));
    return session;
}

/* Nothing asks for memory between the watch and the look but what is allowed. */
static void step_watched(const handles *h, dirac_session *const infer[2], int32_t batch)
{
    const float *const inputs[2] = {noise, noise + batch * 4 * 14 * 13};
    const int32_t count = dirac_net_input_count(h->net);
    int32_t labels[LARGE_BATCH];
    int64_t correct;
    float loss;
    for (int i = 0; i < LARGE_BATCH; i++)
        labels[i] = i * 3 % 5;
    watch();
    ok(dirac_session_forward_inputs(h->session, inputs, count, batch));
    ok(dirac_session_cross_entropy(h->session, labels, &loss));
    ok(dirac_session_backward(h->session));
    ok(dirac_sgd_step(h->sgd, h->session));
    for (int lean = 0; lean < 2; lean++) {
        ok(dirac_session_forward_inputs(infer[lean], inputs, count, batch));
        ok(dirac_session_count_correct(infer[lean], labels, &correct));
    }
    look();
    assert_true(isfinite(loss));
}

/* After prepare, computing allocates nothing, through the hooks or beside them. On more threads than one the first pass
 * may start them; OpenBLAS, where it multiplies, may ask for memory of its own. */
static void steps_without_memory(const struct subject *s, int threads, int hooked, int blas)
{
    handles h = {.threads = threads, .which = s->which};
    scenario_allocate = hooked ? host_allocate : NULL;
    scenario_blas = blas;
    openblas_allowed = blas && s->large;
    ok(s->prepare(&h));
    h.session = open_session(h.net, DIRAC_TRAIN, s->batch);
    dirac_session *infer[2] = {open_session(h.net, DIRAC_INFER, s->batch), open_lean(h.net, s->batch)};
    ok(dirac_sgd_create(&h.sgd, h.net));
    ok(dirac_sgd_set_learning_rate(h.sgd, 1e-4f)); /* few images and no warmup: larger ones diverge */
    const size_t requests = memory.requests;
    sgemm_calls = 0;
    for (int i = 0; i < 3; i++) {
        threads_allowed = i == 0 && threads > 1;
        step_watched(&h, infer, s->batch);
    }
    assert_int_equal(memory.requests, requests);
    assert_int_equal(sgemm_calls > 0, blas && s->large);
    watch(); /* what the hooks gave goes back through them */
    dirac_session_destroy(infer[0]);
    dirac_session_destroy(infer[1]);
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
    set_up();
    const int most = have_openblas();
    by_threads = by_openblas = 0;
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        for (int threads = 1; threads <= 2; threads++)
            for (int hooked = 0; hooked < 2; hooked++)
                for (int blas = 0; blas <= most && !(quick && subjects[i].costly); blas++)
                    steps_without_memory(&subjects[i], threads, hooked, blas);
    print_message("steps: %zu calls for new threads, %zu by OpenBLAS\n", by_threads, by_openblas);
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

int main(int argc, char **argv)
{
    quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_watch_works), cmocka_unit_test(test_hooks),
                                       cmocka_unit_test(test_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
