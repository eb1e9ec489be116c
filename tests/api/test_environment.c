/* SPDX-License-Identifier: MIT */
/* The host's floating-point mode and locale are the host's: a whole run leaves them as they were, works under them, and
 * under a locale with decimal commas reads and writes the same files. */
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "support/nets.h"

/* ---- a run that touches everything ---- */

typedef struct result {
    floats logits, net;
    void *file;
    size_t size;
    char message[256];
} result;

static dirac_net *make_net(dirac_context *context)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 3, 12, 12), 16, 3);
    ok(dirac_node_set_initializer(x, "weight", DIRAC_INIT_ORTHOGONAL, 1.25, 0));
    x = dirac_net_elu(net, dirac_net_batch_norm(net, x));
    ok(dirac_node_set_float(x, "alpha", 0.75));
    x = dirac_net_relu(net, dirac_net_dirac_conv2d(net, x, 16, 3));
    x = dirac_net_dropout(net, dirac_net_global_average_pool(net, x), 0.125f);
    dirac_net_output(net, dirac_net_linear(net, x, 4));
    ok(dirac_net_build(net));
    return net;
}

static void train_and_keep(dirac_context *context, dirac_net *net, dirac_batches *batches)
{
    dirac_sgd *sgd;
    dirac_checkpoint *checkpoint;
    const float *x;
    const int32_t *labels;
    void *data;
    size_t size;
    int64_t n;
    dirac_session *s = open_session(net, DIRAC_TRAIN, 8);
    ok(dirac_sgd_create(&sgd, net));
    ok(dirac_sgd_set_learning_rate(sgd, 0.05f));
    ok(dirac_sgd_schedule_cosine(sgd, 10, 0.001f));
    for (int i = 0; i < 3; i++) {
        ok(dirac_batches_next(batches, &x, &labels, &n));
        ok(dirac_session_forward(s, x, n));
        ok(dirac_session_cross_entropy(s, labels, NULL));
        ok(dirac_session_backward(s));
        ok(dirac_sgd_step(sgd, s));
    }
    ok(dirac_checkpoint_create(&checkpoint, context));
    ok(dirac_checkpoint_add_sgd(checkpoint, "sgd", sgd));
    ok(dirac_checkpoint_add_session(checkpoint, "session", s));
    ok(dirac_checkpoint_save_memory(checkpoint, &data, &size));
    ok(dirac_checkpoint_load_memory(checkpoint, data, size));
    dirac_buffer_free(context, data, size);
    dirac_checkpoint_destroy(checkpoint);
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(s);
}

static void run(result *r)
{
    dirac_context *context;
    dirac_net *net, *folded, *back;
    dirac_batches *batches;
    ok(dirac_context_create(&context));
    ok(dirac_context_set_threads(context, 2));
    dirac_dataset *set = make_dataset(context, 24, 3, 12, 4);
    ok(dirac_batches_create(&batches, set));
    ok(dirac_batches_set_size(batches, 8));
    ok(dirac_batches_set_shuffle(batches, 1));
    ok(dirac_batches_set_crop(batches, 2, DIRAC_PAD_REFLECT));
    ok(dirac_batches_set_prefetch(batches, 2));
    net = make_net(context);
    train_and_keep(context, net, batches);
    ok(dirac_net_fold(&folded, net));
    *r = (result){.size = 0};
    append_net(&r->net, net);
    void *data;
    ok(dirac_net_save_memory(folded, &data, &r->size));
    r->file = malloc(r->size);
    assert_non_null(r->file);
    memcpy(r->file, data, r->size);
    ok(dirac_net_load_memory(&back, context, data, r->size));
    append_logits(&r->logits, back, 5, 3);
    refused(dirac_net_build(back), DIRAC_ERR_STATE);
    dirac_net *open;
    ok(dirac_net_create(&open, context));
    dirac_node *norm = dirac_net_batch_norm(open, dirac_net_input(open, 1));
    refused(dirac_node_set_float(norm, "momentum", 1.5), DIRAC_ERR_ARGUMENT);
    snprintf(r->message, sizeof r->message, "%s", dirac_error_message());
    dirac_buffer_free(context, data, r->size);
    dirac_net_destroy(open), dirac_net_destroy(back), dirac_net_destroy(folded), dirac_net_destroy(net);
    dirac_batches_destroy(batches);
    dirac_dataset_destroy(set);
    dirac_context_destroy(context);
}

static void drop_result(result *r)
{
    drop_floats(&r->logits);
    drop_floats(&r->net);
    free(r->file);
}

static void same_results(const result *a, const result *b)
{
    same_bits("parameters", a->net, b->net);
    same_bits("logits", a->logits, b->logits);
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->file, b->file, a->size);
    assert_string_equal(a->message, b->message);
}

/* ---- the floating-point mode ---- */

/* What a host may set: rounding, and on x86 flush-to-zero, denormals-are-zero and the masks of traps (not the flags
 * that arithmetic leaves). */
static unsigned mode_word(void)
{
#if defined(__x86_64__)
    unsigned short x87;
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    return (_mm_getcsr() & ~0x3fu) | (unsigned)x87 << 16;
#else
    return (unsigned)fegetround();
#endif
}

static void test_floating_point_mode(void **state)
{
    (void)state;
    fenv_t kept;
    const int roundings[] = {FE_TONEAREST, FE_UPWARD, FE_TOWARDZERO};
    fegetenv(&kept);
    for (int i = 0; i < 6; i++) {
        result r;
        fesetround(roundings[i % 3]);
#if defined(__x86_64__)
        if (i >= 3)
            _mm_setcsr(_mm_getcsr() | 0x8040); /* flush to zero, denormals are zero */
#endif
        const unsigned before = mode_word();
        run(&r);
        assert_true(mode_word() == before);
        assert_int_equal(fegetround(), roundings[i % 3]);
        drop_result(&r);
        fesetenv(&kept);
    }
}

#if defined(__x86_64__)
/* A host's thread that was there, in the default mode, before the caller changed its own; it does every task. */
typedef struct servant {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t change;
    dirac_task_fn task; /* NULL: nothing to do */
    void *data;
    int32_t count;
    int done;
} servant;

static void *serve(void *argument)
{
    servant *v = argument;
    pthread_mutex_lock(&v->mutex);
    while (!v->done) {
        for (int32_t i = 0; v->task != NULL && i < v->count; i++)
            v->task(v->data, i);
        v->task = NULL;
        pthread_cond_broadcast(&v->change);
        pthread_cond_wait(&v->change, &v->mutex);
    }
    pthread_mutex_unlock(&v->mutex);
    return NULL;
}

static int32_t hand_over(void *user, dirac_task_fn task, void *data, int32_t count)
{
    servant *v = user;
    pthread_mutex_lock(&v->mutex);
    v->task = task;
    v->data = data;
    v->count = count;
    pthread_cond_broadcast(&v->change);
    while (v->task != NULL)
        pthread_cond_wait(&v->change, &v->mutex);
    pthread_mutex_unlock(&v->mutex);
    return 0;
}

/* x + max(x, 0) of subnormal numbers: zero where they are flushed. */
static void check_flushing(dirac_context *context, floats x, int flush)
{
    dirac_net *net;
    const float *y;
    size_t count, zeros = 0;
    fenv_t kept;
    ok(dirac_net_create(&net, context));
    dirac_node *in = dirac_net_input2d(net, 64, 64, 64);
    dirac_net_output(net, dirac_net_add(net, in, dirac_net_relu(net, in)));
    ok(dirac_net_build(net));
    dirac_session *s = open_session(net, DIRAC_INFER, 1);
    ok(dirac_session_forward(s, x.at, 1)); /* workers start in the default mode */
    fegetenv(&kept);
    if (flush)
        _mm_setcsr(_mm_getcsr() | 0x8040);
    ok(dirac_session_forward(s, x.at, 1));
    fesetenv(&kept);
    ok(dirac_session_output(s, 0, &y, &count));
    for (size_t i = 0; i < count; i++)
        zeros += y[i] == 0;
    assert_int_equal(zeros, flush ? count : 0);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

/* The mode is the caller's on every thread: flushed to zero or not, whoever does the work. */
static void test_mode_reaches_the_workers(void **state)
{
    (void)state;
    floats x = random_numbers(64 * 64 * 64, 1, 1e-39, 9e-39); /* all subnormal */
    servant v = {.mutex = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};
    assert_int_equal(pthread_create(&v.thread, NULL, serve, &v), 0);
    for (int32_t threads = 0; threads <= 3; threads++) /* 0: the host's */
        for (int flush = 0; flush < 2; flush++) {
            dirac_context *context;
            ok(dirac_context_create(&context));
            ok(threads > 0 ? dirac_context_set_threads(context, threads)
                           : dirac_context_set_runner(context, hand_over, &v, 2));
            check_flushing(context, x, flush);
            dirac_context_destroy(context);
        }
    pthread_mutex_lock(&v.mutex);
    v.done = 1;
    pthread_cond_broadcast(&v.change);
    pthread_mutex_unlock(&v.mutex);
    pthread_join(v.thread, NULL);
    drop_floats(&x);
}
#endif

/* ---- the locale ---- */

static const char *set_comma_locale(void)
{
    const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8", "de_DE", "ru_RU.UTF-8"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *set = setlocale(LC_ALL, names[i]);
        if (set != NULL && strcmp(localeconv()->decimal_point, ",") == 0)
            return names[i];
    }
    setlocale(LC_ALL, "C");
    return NULL;
}

static void test_locale(void **state)
{
    (void)state;
    result plain, comma;
    char before[256], text[16];
    assert_string_equal(setlocale(LC_ALL, NULL), "C");
    run(&plain);
    assert_string_equal(setlocale(LC_ALL, NULL), "C"); /* the library takes none from the environment */
    assert_non_null(strstr(plain.message, "1.5"));
    if (set_comma_locale() == NULL) {
        drop_result(&plain);
        skip();
    }
    snprintf(before, sizeof before, "%s", setlocale(LC_ALL, NULL));
    snprintf(text, sizeof text, "%.1f", 0.5);
    assert_string_equal(text, "0,5"); /* the locale is at work */
    run(&comma);
    assert_string_equal(setlocale(LC_ALL, NULL), before);
    snprintf(text, sizeof text, "%.1f", 0.5);
    assert_string_equal(text, "0,5");
    setlocale(LC_ALL, "C");
    same_results(&plain, &comma);
    drop_result(&plain);
    drop_result(&comma);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floating_point_mode),
#if defined(__x86_64__)
        cmocka_unit_test(test_mode_reaches_the_workers),
#endif
        cmocka_unit_test(test_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
