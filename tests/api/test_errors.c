/* SPDX-License-Identifier: MIT */
/* What goes wrong is reported by the documented status and a sentence that names the place; handles stay usable, and
 * nothing is ever printed. NULL arguments are test_nulls.c's. */
#include <pthread.h>
#include <unistd.h>

#include "support/counting_memory.h"
#include "support/nets.h"
#include "support/quiet.h"

static dirac_context *context;
static quiet watch;

static int start(void **state)
{
    (void)state;
    if (quiet_begin(&watch) != 0)
        return -1;
    return dirac_context_create(&context);
}

static int finish(void **state)
{
    (void)state;
    dirac_context_destroy(context);
    return quiet_end(&watch) == 0 ? 0 : -1;
}

static dirac_net *linear_net(int64_t inputs, int64_t outputs)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_net_output(net, dirac_net_linear(net, dirac_net_input(net, inputs), outputs));
    ok(dirac_net_build(net));
    return net;
}

/* ---- contexts ---- */

static int32_t serial(void *user, dirac_task_fn task, void *data, int32_t count)
{
    ++*(int *)user;
    for (int32_t i = count; i-- > 0;)
        task(data, i);
    return 0;
}

static void ignore(void *user, int32_t level, const char *message)
{
    (void)user, (void)level, (void)message;
}

static void test_context_options(void **state)
{
    (void)state;
    int calls = 0;
    refused(dirac_context_set_threads(context, 0), DIRAC_ERR_ARGUMENT);
    message_has("threads is 0, it must be 1 to 64");
    refused(dirac_context_set_threads(context, 65), DIRAC_ERR_ARGUMENT);
    refused(dirac_context_set_runner(context, serial, &calls, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_context_set_runner(context, serial, &calls, 65), DIRAC_ERR_ARGUMENT);
    refused(dirac_context_set_log(context, ignore, NULL, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_context_set_log(context, ignore, NULL, 4), DIRAC_ERR_ARGUMENT);
    refused(dirac_context_set_kernels(context, "fast"), DIRAC_ERR_ARGUMENT);
    message_has("\"fast\"");
    message_has("x86-64-v3");
    refused(dirac_context_set_kernels(context, ""), DIRAC_ERR_ARGUMENT);
#if defined(__x86_64__)
    refused(dirac_context_set_kernels(context, "aarch64"), DIRAC_ERR_UNSUPPORTED);
#else
    refused(dirac_context_set_kernels(context, "x86-64-v3"), DIRAC_ERR_UNSUPPORTED);
#endif
    refused(dirac_context_set_blas(context, 2), DIRAC_ERR_ARGUMENT);
    if (strstr(dirac_build_features(), "blas") == NULL)
        refused(dirac_context_set_blas(context, 1), DIRAC_ERR_UNSUPPORTED);
    refused(dirac_context_set_load_limit(context, 4095), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_context_threads(context), 1);
    ok(dirac_context_set_threads(context, 3));
    assert_int_equal(dirac_context_threads(context), 3);
    ok(dirac_context_set_runner(context, serial, &calls, 5));
    assert_int_equal(dirac_context_threads(context), 5);
    ok(dirac_context_set_runner(context, NULL, NULL, 0)); /* back to its own threads */
    assert_int_equal(dirac_context_threads(context), 3);
    ok(dirac_context_set_kernels(context, "scalar"));
    assert_string_equal(dirac_context_kernels(context), "scalar");
    ok(dirac_context_set_kernels(context, NULL));
}

static void check_options_fixed(dirac_context *c)
{
    int calls = 0;
    refused(dirac_context_set_threads(c, 1), DIRAC_ERR_STATE);
    message_has("fixed");
    refused(dirac_context_set_runner(c, serial, &calls, 2), DIRAC_ERR_STATE);
    refused(dirac_context_set_runner(c, NULL, NULL, 0), DIRAC_ERR_STATE);
    refused(dirac_context_set_seed(c, 1), DIRAC_ERR_STATE);
    refused(dirac_context_set_kernels(c, "scalar"), DIRAC_ERR_STATE);
    refused(dirac_context_set_blas(c, 0), DIRAC_ERR_STATE);
    refused(dirac_context_set_load_limit(c, 4096), DIRAC_ERR_STATE);
    ok(dirac_context_set_log(c, ignore, NULL, DIRAC_LOG_DEBUG));
    dirac_context_destroy(c);
}

/* The first handle of any sort fixes the options, for good. */
static void test_options_are_fixed_by_handles(void **state)
{
    (void)state;
    const int64_t dims[1] = {2};
    for (int i = 0; i < 4; i++) {
        dirac_context *c;
        dirac_net *net = NULL;
        dirac_dataset *set = NULL;
        dirac_checkpoint *checkpoint = NULL;
        dirac_layer_kind *kind = NULL;
        ok(dirac_context_create(&c));
        ok(dirac_context_set_seed(c, 1));
        ok(i == 0   ? dirac_net_create(&net, c)
           : i == 1 ? dirac_dataset_create_floats(&set, c, dims, 1)
           : i == 2 ? dirac_checkpoint_create(&checkpoint, c)
                    : dirac_layer_kind_create(&kind, c, "mine", 1));
        dirac_net_destroy(net);
        dirac_dataset_destroy(set);
        dirac_checkpoint_destroy(checkpoint);
        dirac_layer_kind_destroy(kind);
        check_options_fixed(c);
    }
}

/* ---- no memory ---- */

static void *never(void *user, size_t size, size_t alignment)
{
    (void)user, (void)size, (void)alignment;
    return NULL;
}

static int closed; /* the tap of the allocator below */

static void *sometimes(void *user, size_t size, size_t alignment)
{
    return closed ? NULL : counting_allocate(user, size, alignment);
}

static void test_no_memory(void **state)
{
    (void)state;
    static counting memory;
    const int64_t dims[1] = {2};
    dirac_context *c = (dirac_context *)(void *)&memory;
    refused(dirac_context_create_with_allocator(&c, never, counting_release, &memory), DIRAC_ERR_MEMORY);
    assert_null(c);
    message_has("memory");
    ok(dirac_context_create_with_allocator(&c, sometimes, counting_release, &memory));
    dirac_context *kept = context;
    context = c;
    dirac_net *net = linear_net(3, 2), *made = net;
    context = kept;
    dirac_session *s, *open;
    dirac_sgd *sgd;
    dirac_dataset *set;
    dirac_checkpoint *checkpoint;
    dirac_layer_kind *kind;
    const float weights[2] = {1, 1};
    size_t bytes;
    ok(dirac_session_create(&open, net, DIRAC_TRAIN));
    const size_t alive = memory.alive;
    closed = 1;
    refused(dirac_net_create(&made, c), DIRAC_ERR_MEMORY);
    assert_null(made);
    refused(dirac_net_clone(&made, net), DIRAC_ERR_MEMORY);
    refused(dirac_net_fold(&made, net), DIRAC_ERR_MEMORY);
    refused(dirac_net_initialize(net, 4), DIRAC_ERR_MEMORY);
    refused(dirac_net_set_note(net, "a", "b"), DIRAC_ERR_MEMORY);
    refused(dirac_session_create(&s, net, DIRAC_INFER), DIRAC_ERR_MEMORY);
    assert_null(s);
    refused(dirac_session_bytes(open, &bytes), DIRAC_ERR_MEMORY);
    refused(dirac_session_prepare(open), DIRAC_ERR_MEMORY);
    refused(dirac_session_set_class_weights(open, weights, 2), DIRAC_ERR_MEMORY);
    refused(dirac_sgd_create(&sgd, net), DIRAC_ERR_MEMORY);
    assert_null(sgd);
    refused(dirac_dataset_create_floats(&set, c, dims, 1), DIRAC_ERR_MEMORY);
    assert_null(set);
    refused(dirac_checkpoint_create(&checkpoint, c), DIRAC_ERR_MEMORY);
    assert_null(checkpoint);
    refused(dirac_layer_kind_create(&kind, c, "mine", 1), DIRAC_ERR_MEMORY);
    assert_null(kind);
    refused(dirac_net_save_memory(net, (void **)&made, &bytes), DIRAC_ERR_MEMORY);
    closed = 0;
    assert_int_equal(memory.alive, alive); /* nothing leaked on the way */
    ok(dirac_session_prepare(open));
    dirac_session_destroy(open);
    dirac_net_destroy(net);
    dirac_context_destroy(c);
    assert_int_equal(memory.alive, 0);
    assert_int_equal(memory.wrong, 0);
}

/* ---- the record ---- */

static void *other_thread(void *argument)
{
    const char *text = dirac_error_message();
    if (text == NULL || text[0] != '\0')
        return argument;
    return dirac_context_set_threads(NULL, 555) == DIRAC_ERR_ARGUMENT && strstr(dirac_error_message(),
            "555") ? NULL : argument;
}

static void test_messages_belong_to_threads(void **state)
{
    (void)state;
    pthread_t thread;
    void *failed = NULL;
    refused(dirac_context_set_threads(context, 777), DIRAC_ERR_ARGUMENT);
    ok(dirac_context_set_threads(context, 2)); /* success does not clear it */
    message_has("777");
    assert_int_equal(pthread_create(&thread, NULL, other_thread, context), 0);
    pthread_join(thread, &failed);
    assert_null(failed);
    message_has("777");
}

/* ---- callbacks ---- */

typedef struct answers {
    int32_t setup, forward, backward, sample;
    int wrong; /* calls inside a callback that did not do as they should */
} answers;

static int32_t setup(void *user, dirac_layer *layer)
{
    int64_t dims[4] = {0, 0, 0, 0}, none[1] = {0}, huge[1] = {((int64_t)1 << 30) + 1};
    int32_t rank = 0;
    answers *a = user;
    a->wrong += dirac_layer_input_shape(layer, 1, dims, &rank) != DIRAC_ERR_ARGUMENT;
    a->wrong += dirac_layer_input_shape(layer, 0, NULL, &rank) != DIRAC_ERR_ARGUMENT;
    a->wrong += dirac_layer_input_shape(layer, 0, dims, NULL) != DIRAC_ERR_ARGUMENT;
    a->wrong += dirac_layer_input_shape(layer, 0, dims, &rank) != DIRAC_OK || rank != 1 || dims[0] != 3;
    a->wrong += dirac_layer_set_output_shape(layer, NULL, 1) != DIRAC_ERR_ARGUMENT;
    a->wrong += dirac_layer_set_output_shape(layer, dims, 0) != DIRAC_ERR_ARGUMENT;
    a->wrong += dirac_layer_set_output_shape(layer, dims, 5) != DIRAC_ERR_ARGUMENT;
    a->wrong += dirac_layer_set_output_shape(layer, none, 1) != DIRAC_ERR_ARGUMENT;
    a->wrong += dirac_layer_set_output_shape(layer, huge, 1) != DIRAC_ERR_ARGUMENT;
    a->wrong += dirac_layer_add_parameter(layer, NULL, dims, 1, 0, DIRAC_INIT_ZEROS, 0, 0) != DIRAC_ERR_ARGUMENT;
    a->wrong += dirac_layer_add_parameter(layer, "p", dims, 1, 0, 9, 0, 0) != DIRAC_ERR_ARGUMENT;
    a->wrong += dirac_layer_add_state(layer, "", dims, 1, 0) != DIRAC_ERR_ARGUMENT;
    a->wrong += dirac_layer_keep(layer, -1, 0) != DIRAC_ERR_ARGUMENT;
    a->wrong += dirac_layer_keep(layer, 0, -1) != DIRAC_ERR_ARGUMENT;
    a->wrong += dirac_layer_add_parameter(layer, "p", dims, 1, 1, DIRAC_INIT_CONSTANT, 2, 0) != DIRAC_OK;
    a->wrong += dirac_layer_add_state(layer, "count", (const int64_t[1]){1}, 1, 0) != DIRAC_OK;
    a->wrong += dirac_layer_parameter(layer, "p") != NULL; /* nothing to read yet */
    a->wrong += dirac_layer_set_output_shape(layer, dims, 1) != DIRAC_OK;
    return a->setup;
}

static int32_t forward(void *user, dirac_layer *layer)
{
    answers *a = user;
    const int64_t dims[1] = {3};
    const float *p = dirac_layer_parameter(layer, "p"), *x = dirac_layer_input(layer, 0);
    float *y = dirac_layer_output(layer), *count = dirac_layer_new_state(layer, "count");
    a->wrong += dirac_layer_set_output_shape(layer, dims, 1) != DIRAC_ERR_STATE;
    a->wrong += dirac_layer_add_parameter(layer, "q", dims, 1, 0, DIRAC_INIT_ZEROS, 0, 0) != DIRAC_ERR_STATE;
    a->wrong += dirac_layer_add_state(layer, "q", dims, 1, 0) != DIRAC_ERR_STATE;
    a->wrong += dirac_layer_keep(layer, 1, 1) != DIRAC_ERR_STATE;
    a->wrong += dirac_layer_parameter(layer, "q") != NULL || dirac_layer_parameter(layer, NULL) != NULL;
    a->wrong += dirac_layer_input(layer, 1) != NULL || dirac_layer_input(layer, -1) != NULL;
    a->wrong += dirac_layer_output_gradient(layer) != NULL || dirac_layer_input_gradient(layer, 0) != NULL;
    a->wrong += dirac_layer_parameter_gradient(layer, "p") != NULL || dirac_layer_kept(layer) != NULL;
    a->wrong += dirac_layer_new_state(layer, "p") != NULL || dirac_layer_get_float(layer, "none") != 0;
    a->wrong += (count != NULL) != (dirac_layer_is_training(layer) == 1);
    for (int64_t i = 0; i < 3 * dirac_layer_batch(layer); i++)
        y[i] = p[i % 3] * x[i];
    if (count != NULL)
        count[0] += 1;
    return a->forward;
}

static int32_t backward(void *user, dirac_layer *layer)
{
    answers *a = user;
    const float *dy = dirac_layer_output_gradient(layer), *x = dirac_layer_input(layer, 0);
    float *dp = dirac_layer_parameter_gradient(layer, "p");
    for (int64_t i = 0; i < 3 * dirac_layer_batch(layer); i++)
        dp[i % 3] += dy[i] * x[i];
    return a->backward;
}

static dirac_layer_kind *make_kind(answers *a, int with_backward)
{
    dirac_layer_kind *kind;
    ok(dirac_layer_kind_create(&kind, context, "scale", 1));
    ok(dirac_layer_kind_set_user(kind, a, NULL));
    refused(dirac_layer_kind_register(kind), DIRAC_ERR_STATE); /* setup and forward are required */
    ok(dirac_layer_kind_set_setup(kind, setup));
    refused(dirac_layer_kind_register(kind), DIRAC_ERR_STATE);
    ok(dirac_layer_kind_set_forward(kind, forward));
    if (with_backward)
        ok(dirac_layer_kind_set_backward(kind, backward));
    ok(dirac_layer_kind_register(kind));
    return kind;
}

static dirac_net *custom_net(dirac_layer_kind *kind)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_input(net, 3);
    x = dirac_net_custom(net, kind, &x, 1);
    ok(dirac_node_set_name(x, "mine"));
    dirac_net_output(net, x);
    return net;
}

static void test_failing_layers(void **state)
{
    (void)state;
    answers a = {0};
    const float x[6] = {1, 2, 3, 4, 5, 6}, dy[6] = {1, 1, 1, 1, 1, 1}, *y;
    float count, dp[3];
    dirac_layer_kind *kind = make_kind(&a, 1);
    dirac_net *net = custom_net(kind);
    a.setup = 7;
    refused(dirac_net_build(net), DIRAC_ERR_CALLBACK);
    message_has("mine");
    message_has("setup");
    message_has("7");
    dirac_net_destroy(net);
    a.setup = 0;
    net = custom_net(kind);
    ok(dirac_net_build(net));
    dirac_session *s = open_session(net, DIRAC_TRAIN, 2);
    ok(dirac_session_forward(s, x, 2));
    a.forward = -3;
    refused(dirac_session_forward(s, x, 2), DIRAC_ERR_CALLBACK);
    message_has("mine");
    message_has("-3");
    refused(dirac_session_output(s, 0, &y, NULL), DIRAC_ERR_STATE);
    a.forward = 0;
    ok(dirac_session_forward(s, x, 2)); /* usable again */
    ok(dirac_session_output(s, 0, &y, NULL));
    for (int i = 0; i < 6; i++)
        assert_true(y[i] == 2 * x[i]);
    ok(dirac_session_set_output_gradient(s, 0, dy, 6));
    a.backward = 9;
    refused(dirac_session_backward(s), DIRAC_ERR_CALLBACK);
    message_has("backward");
    a.backward = 0;
    ok(dirac_session_clear_gradients(s));
    ok(dirac_session_forward(s, x, 2));
    ok(dirac_session_set_output_gradient(s, 0, dy, 6));
    ok(dirac_session_backward(s));
    ok(dirac_session_gradient_read(s, "mine.p", dp, 3));
    assert_true(dp[0] == 5 && dp[1] == 7 && dp[2] == 9);
    ok(dirac_session_commit_statistics(s));
    ok(dirac_net_tensor_read(net, "mine.count", &count, 1));
    assert_true(count == 3); /* the forward that failed left nothing pending */
    assert_int_equal(a.wrong, 0);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
    dirac_layer_kind_destroy(kind);
}

static int32_t huge_setup(void *user, dirac_layer *layer)
{
    const int64_t *dims = user;
    return dirac_layer_set_output_shape(layer, dims, 3) != DIRAC_OK;
}

/* Legal sizes, but more elements than can be counted; at first sight 0. */
static void test_huge_layer(void **state)
{
    (void)state;
    int64_t dims[3] = {(int64_t)1 << 30, (int64_t)1 << 30, 16};
    dirac_layer_kind *kind;
    ok(dirac_layer_kind_create(&kind, context, "huge", 1));
    ok(dirac_layer_kind_set_user(kind, dims, NULL));
    ok(dirac_layer_kind_set_setup(kind, huge_setup));
    ok(dirac_layer_kind_set_forward(kind, forward));
    ok(dirac_layer_kind_register(kind));
    dirac_net *net = custom_net(kind);
    refused(dirac_net_build(net), DIRAC_ERR_LIMIT);
    message_has("mine");
    dirac_net_destroy(net);
    dirac_layer_kind_destroy(kind);
}

static int32_t huge_parameter(void *user, dirac_layer *layer)
{
    const int64_t one = 1;
    return dirac_layer_set_output_shape(layer, &one, 1) != DIRAC_OK ||
           dirac_layer_add_parameter(layer, "w", user, 3, 0, DIRAC_INIT_ZEROS, 0, 0) != DIRAC_OK;
}

/* 2^90 elements: too many to count, and no lack of memory. */
static void test_huge_parameter(void **state)
{
    (void)state;
    int64_t dims[3] = {(int64_t)1 << 30, (int64_t)1 << 30, (int64_t)1 << 30};
    dirac_layer_kind *kind;
    ok(dirac_layer_kind_create(&kind, context, "heavy", 1));
    ok(dirac_layer_kind_set_user(kind, dims, NULL));
    ok(dirac_layer_kind_set_setup(kind, huge_parameter));
    ok(dirac_layer_kind_set_forward(kind, forward));
    ok(dirac_layer_kind_register(kind));
    dirac_net *net = custom_net(kind);
    refused(dirac_net_build(net), DIRAC_ERR_LIMIT);
    message_has("mine.w");
    dirac_net_destroy(net);
    dirac_layer_kind_destroy(kind);
}

static void test_kinds(void **state)
{
    (void)state;
    answers a = {0};
    dirac_layer_kind *kind = make_kind(&a, 0), *other = NULL;
    char longest[65];
    memset(longest, 'Z', sizeof longest);
    longest[64] = '\0';
    const char *const illegal[] = {"", "9a", "_a", "{", "a b", "a.b", "conv", "\xc3\xa9", longest};
    for (size_t i = 0; i < sizeof illegal / sizeof illegal[0]; i++)
        refused(dirac_layer_kind_create(&other, context, illegal[i], 1), DIRAC_ERR_ARGUMENT);
    refused(dirac_layer_kind_create(&other, context, "a", -1), DIRAC_ERR_ARGUMENT);
    refused(dirac_layer_kind_create(&other, context, "a", 65), DIRAC_ERR_ARGUMENT);
    assert_null(other);
    ok(dirac_layer_kind_create(&other, context, longest + 1, 1)); /* 63 letters, and capital ones */
    dirac_layer_kind_destroy(other);
    refused(dirac_layer_kind_set_user(kind, NULL, NULL), DIRAC_ERR_STATE);
    refused(dirac_layer_kind_add_float(kind, "a", 0, 1, 0), DIRAC_ERR_STATE);
    refused(dirac_layer_kind_add_int(kind, "a", 0, 1, 0), DIRAC_ERR_STATE);
    refused(dirac_layer_kind_set_forward(kind, forward), DIRAC_ERR_STATE);
    refused(dirac_layer_kind_register(kind), DIRAC_ERR_STATE);
    message_has("scale");
    ok(dirac_layer_kind_create(&other, context, "scale", 1));
    refused(dirac_layer_kind_add_float(other, "a", 0, 1, 2), DIRAC_ERR_ARGUMENT);
    refused(dirac_layer_kind_add_int(other, "a", 2, 1, 2), DIRAC_ERR_ARGUMENT);
    for (char name[2] = "a"; name[0] < 'i'; name[0]++)
        ok(dirac_layer_kind_add_int(other, name, 0, 1, 0));
    refused(dirac_layer_kind_add_int(other, "i", 0, 1, 0), DIRAC_ERR_ARGUMENT); /* at most 8 */
    refused(dirac_layer_kind_add_float(other, "a", 0, 1, 0), DIRAC_ERR_ARGUMENT);
    ok(dirac_layer_kind_set_setup(other, setup));
    ok(dirac_layer_kind_set_forward(other, forward));
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_input(net, 3);
    assert_null(dirac_net_custom(net, other, &x, 1));
    refused(dirac_net_build(net), DIRAC_ERR_ARGUMENT);
    message_has("not registered");
    dirac_net_destroy(net);
    refused(dirac_layer_kind_register(other), DIRAC_ERR_ARGUMENT);
    message_has("scale");
    net = custom_net(kind);
    ok(dirac_net_build(net));
    dirac_session *s;
    ok(dirac_session_create(&s, net, DIRAC_TRAIN));
    refused(dirac_session_prepare(s), DIRAC_ERR_UNSUPPORTED); /* no backward */
    message_has("mine");
    dirac_session_destroy(s);
    s = open_session(net, DIRAC_INFER, 1);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
    dirac_layer_kind_destroy(kind);
    dirac_layer_kind_destroy(other);
}

static int32_t sample(void *user, int64_t index, float *values, int32_t *label)
{
    const answers *a = user;
    values[0] = (float)index;
    *label = (int32_t)index;
    return index == a->sample ? 5 : 0;
}

static void test_failing_samples(void **state)
{
    (void)state;
    answers a = {.sample = 3};
    const int64_t dims[1] = {1};
    const float *values;
    const int32_t *labels;
    float value;
    int64_t n, epoch, batch;
    for (int32_t ahead = 0; ahead <= 2; ahead += 2) {
        dirac_dataset *set;
        dirac_batches *batches;
        a.sample = 3;
        ok(dirac_dataset_create_callback(&set, context, dims, 1, 6, sample, &a));
        refused(dirac_dataset_read(set, 3, &value, 1), DIRAC_ERR_CALLBACK);
        message_has("3");
        ok(dirac_batches_create(&batches, set));
        ok(dirac_batches_set_size(batches, 2));
        ok(dirac_batches_set_prefetch(batches, ahead));
        ok(dirac_batches_next(batches, &values, &labels, &n));
        refused(dirac_batches_next(batches, &values, &labels, &n), DIRAC_ERR_CALLBACK);
        refused(dirac_batches_next(batches, &values, &labels, &n), DIRAC_ERR_CALLBACK);
        message_has("3");
        ok(dirac_batches_position(batches, &epoch, &batch));
        assert_true(epoch == 0 && batch == 1); /* the stream stays before that batch */
        a.sample = -1;
        do
            (void)0; /* a prefetched failure may be reported once more, then the batch is made anew */
        while (dirac_batches_next(batches, &values, &labels, &n) == DIRAC_ERR_CALLBACK);
        assert_int_equal(n, 2);
        assert_true(values[0] == 2 && labels[1] == 3);
        dirac_batches_destroy(batches);
        dirac_dataset_destroy(set);
    }
}

/* ---- training ---- */

static void test_optimizer_errors(void **state)
{
    (void)state;
    float value[6];
    dirac_net *net = linear_net(3, 2);
    dirac_session *s = open_session(net, DIRAC_TRAIN, 2);
    dirac_sgd *sgd;
    const int64_t falling[2] = {5, 5}, negative[1] = {-1};
    ok(dirac_sgd_create(&sgd, net));
    const float bad[] = {-1, NAN, INFINITY};
    for (int i = 0; i < 3; i++) {
        refused(dirac_sgd_set_learning_rate(sgd, bad[i]), DIRAC_ERR_ARGUMENT);
        refused(dirac_sgd_set_momentum(sgd, bad[i]), DIRAC_ERR_ARGUMENT);
        refused(dirac_sgd_set_weight_decay(sgd, bad[i]), DIRAC_ERR_ARGUMENT);
        refused(dirac_sgd_set_clip_norm(sgd, bad[i]), DIRAC_ERR_ARGUMENT);
        refused(dirac_sgd_set_parameter_decay(sgd, "*", bad[i]), DIRAC_ERR_ARGUMENT);
        refused(dirac_sgd_set_parameter_rate(sgd, "*", bad[i]), DIRAC_ERR_ARGUMENT);
        refused(dirac_sgd_schedule_drops(sgd, NULL, 0, bad[i], 0), DIRAC_ERR_ARGUMENT);
        refused(dirac_sgd_schedule_cosine(sgd, 10, bad[i]), DIRAC_ERR_ARGUMENT);
        refused(dirac_sgd_schedule_warmup(sgd, 10, bad[i]), DIRAC_ERR_ARGUMENT);
    }
    message_has("is inf, must be finite");
    refused(dirac_sgd_set_momentum(sgd, 1), DIRAC_ERR_ARGUMENT);
    message_has("momentum is 1, must be finite, at least 0 and below 1");
    refused(dirac_session_set_label_smoothing(s, 1.5f), DIRAC_ERR_ARGUMENT);
    message_has("is 1.5, must lie between 0 and 1");
    refused(dirac_sgd_schedule_drops(sgd, falling, 2, 0.1f, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_sgd_schedule_drops(sgd, negative, 1, 0.1f, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_sgd_schedule_drops(sgd, falling, 65, 0.1f, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_sgd_schedule_drops(sgd, falling, -1, 0.1f, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_sgd_schedule_cosine(sgd, 0, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_sgd_schedule_warmup(sgd, -1, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_sgd_set_parameter_decay(sgd, "conv.*", 0), DIRAC_ERR_NOT_FOUND);
    message_has("\"conv.*\"; whole names are compared, like \"linear.weight\", and *");
    refused(dirac_sgd_set_parameter_rate(sgd, "linear", 1), DIRAC_ERR_NOT_FOUND);
    refused(dirac_sgd_momentum_read(sgd, "linear", value, 6), DIRAC_ERR_NOT_FOUND);
    refused(dirac_sgd_momentum_read(sgd, "linear.weight", value, 5), DIRAC_ERR_SHAPE);
    refused(dirac_sgd_momentum_write(sgd, "linear.weight", value, 7), DIRAC_ERR_SHAPE);
    ok(dirac_sgd_momentum_read(sgd, "linear.weight", value, 6));
    for (int i = 0; i < 6; i++)
        assert_true(value[i] == 0);
    dirac_session_destroy(s);
    dirac_sgd_destroy(sgd);
    dirac_net_destroy(net);
}

/* Calls out of order, and handles of other nets. */
static void test_training_errors(void **state)
{
    (void)state;
    const float x[6] = {1, 2, 3, 4, 5, 6}, dy[4] = {1, 1, 1, 1};
    dirac_net *net = linear_net(3, 2), *other = linear_net(3, 2);
    dirac_session *s = open_session(net, DIRAC_TRAIN, 2), *infer = open_session(net, DIRAC_INFER, 2);
    dirac_session *foreign = open_session(other, DIRAC_TRAIN, 2);
    dirac_sgd *sgd;
    ok(dirac_sgd_create(&sgd, net));
    refused(dirac_sgd_step(sgd, infer), DIRAC_ERR_STATE);
    refused(dirac_sgd_step(sgd, foreign), DIRAC_ERR_ARGUMENT);
    refused(dirac_sgd_step(sgd, s), DIRAC_ERR_STATE);
    refused(dirac_session_cross_entropy(s, (const int32_t[]){0, 1}, NULL), DIRAC_ERR_STATE);
    message_has("call dirac_session_forward() first");
    refused(dirac_session_backward(s), DIRAC_ERR_STATE);
    message_has("call dirac_session_forward() first");
    refused(dirac_session_forward(s, NULL, 2), DIRAC_ERR_ARGUMENT);
    message_has("dirac_session_forward: input is NULL");
    ok(dirac_session_forward(infer, x, 2));
    refused(dirac_session_backward(infer), DIRAC_ERR_STATE);
    refused(dirac_session_set_output_gradient(infer, 0, dy, 4), DIRAC_ERR_STATE);
    refused(dirac_session_commit_statistics(infer), DIRAC_ERR_STATE);
    ok(dirac_session_forward(s, x, 2));
    ok(dirac_session_set_output_gradient(s, 0, dy, 4));
    ok(dirac_session_backward(s));
    ok(dirac_sgd_set_nesterov(sgd, 1));
    refused(dirac_sgd_step(sgd, s), DIRAC_ERR_STATE); /* Nesterov's form needs momentum */
    ok(dirac_sgd_set_momentum(sgd, 0.5f));
    ok(dirac_sgd_step(sgd, s));
    refused(dirac_net_set_trainable(net, "*.alpha", 0), DIRAC_ERR_NOT_FOUND);
    message_has("*.alpha");
    refused(dirac_node_set_frozen(dirac_net_find(net, "linear"), 1), DIRAC_ERR_ARGUMENT);
    message_has("linear");
    dirac_session_destroy(s), dirac_session_destroy(infer), dirac_session_destroy(foreign);
    dirac_sgd_destroy(sgd);
    dirac_net_destroy(net), dirac_net_destroy(other);
}

static void test_comparison_errors(void **state)
{
    (void)state;
    const float x[6] = {1, 2, 3, 4, 5, 6};
    dirac_net *net = linear_net(3, 2);
    refused(dirac_net_compare(net, NULL, x, 2, NULL, NULL, NULL), DIRAC_ERR_ARGUMENT);
    message_has("folded is NULL");
    dirac_net *identity; /* all of its nodes are the other's, its output is not */
    ok(dirac_net_create(&identity, context));
    dirac_net_output(identity, dirac_net_input(identity, 3));
    ok(dirac_net_build(identity));
    refused(dirac_net_compare(net, identity, x, 2, NULL, NULL, NULL), DIRAC_ERR_SHAPE);
    message_has("output 0");
    dirac_net_destroy(identity);
    dirac_net_destroy(net);
}

static void test_one_value_a_channel(void **state)
{
    (void)state;
    const float x[6] = {1, 2, 3, 4, 5, 6};
    dirac_net *norm;
    ok(dirac_net_create(&norm, context)); /* one value a channel has no deviation */
    dirac_net_output(norm, dirac_net_batch_norm(norm, dirac_net_input(norm, 3)));
    ok(dirac_net_build(norm));
    dirac_session *t = open_session(norm, DIRAC_TRAIN, 2);
    refused(dirac_session_forward(t, x, 1), DIRAC_ERR_SHAPE);
    message_has("batch_norm");
    ok(dirac_session_forward(t, x, 2));
    dirac_session_destroy(t);
    dirac_net_destroy(norm);
}

#define quiet_test(name) cmocka_unit_test_setup_teardown(name, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        quiet_test(test_context_options),
        quiet_test(test_options_are_fixed_by_handles),
        quiet_test(test_no_memory),
        quiet_test(test_messages_belong_to_threads),
        quiet_test(test_failing_layers),
        quiet_test(test_huge_layer),
        quiet_test(test_huge_parameter),
        quiet_test(test_kinds),
        quiet_test(test_failing_samples),
        quiet_test(test_optimizer_errors),
        quiet_test(test_training_errors),
        quiet_test(test_comparison_errors),
        quiet_test(test_one_value_a_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
