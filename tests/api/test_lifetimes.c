/* SPDX-License-Identifier: MIT */
/* Handles are destroyed in every order; what is left goes on working, and the allocator gets every byte back. */
#include <pthread.h>

#include "support/counting_memory.h"
#include "support/nets.h"

static counting memory;

static void check_all_returned(void)
{
    assert_int_equal(memory.alive, 0);
    assert_int_equal(memory.bytes, 0);
    assert_int_equal(memory.wrong, 0);
}

static dirac_context *new_context(void)
{
    dirac_context *context;
    ok(dirac_context_create_with_allocator(&context, counting_allocate, counting_release, &memory));
    return context;
}

static dirac_net *tiny_net(dirac_context *context)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_batch_norm(net, dirac_net_conv2d(net, dirac_net_input2d(net, 1, 4, 4), 2, 3));
    dirac_net_output(net, dirac_net_linear(net, dirac_net_global_average_pool(net, x), 3));
    ok(dirac_net_build(net));
    return net;
}

/* ---- a set of handles, each of which is used by some other ---- */

enum { CONTEXT, NET, SESSION, SGD, DATASET, BATCHES, CHECKPOINT, HANDLES };

typedef struct set {
    dirac_context *context;
    dirac_net *net;
    dirac_session *session;
    dirac_sgd *sgd;
    dirac_dataset *dataset;
    dirac_batches *batches;
    dirac_checkpoint *checkpoint;
} set;

static void make_set(set *s, int32_t prefetch)
{
    s->context = new_context();
    s->net = tiny_net(s->context);
    s->session = open_session(s->net, DIRAC_TRAIN, 4);
    ok(dirac_session_set_class_weights(s->session, (const float[3]){1, 2, 3}, 3));
    ok(dirac_sgd_create(&s->sgd, s->net));
    s->dataset = make_dataset(s->context, 6, 1, 4, 3);
    ok(dirac_batches_create(&s->batches, s->dataset));
    ok(dirac_batches_set_size(s->batches, 4));
    ok(dirac_batches_set_prefetch(s->batches, prefetch));
    ok(dirac_checkpoint_create(&s->checkpoint, s->context));
    ok(dirac_checkpoint_add_net(s->checkpoint, "net", s->net));
    ok(dirac_checkpoint_add_session(s->checkpoint, "session", s->session));
    ok(dirac_checkpoint_add_sgd(s->checkpoint, "sgd", s->sgd));
    ok(dirac_checkpoint_add_batches(s->checkpoint, "batches", s->batches));
    ok(dirac_checkpoint_set_blob(s->checkpoint, "blob", "text", 5));
}

static void train_once(set *s)
{
    const float *samples;
    const int32_t *labels;
    int64_t n;
    ok(dirac_batches_next(s->batches, &samples, &labels, &n));
    if (n == 0)
        return;
    ok(dirac_session_forward(s->session, samples, n));
    ok(dirac_session_cross_entropy(s->session, labels, NULL));
    ok(dirac_session_backward(s->session));
    ok(dirac_sgd_step(s->sgd, s->session));
}

static void drop(set *s, int which)
{
    switch (which) {
    case CONTEXT: dirac_context_destroy(s->context); s->context = NULL; break;
    case NET: dirac_net_destroy(s->net); s->net = NULL; break;
    case SESSION: dirac_session_destroy(s->session); s->session = NULL; break;
    case SGD: dirac_sgd_destroy(s->sgd); s->sgd = NULL; break;
    case DATASET: dirac_dataset_destroy(s->dataset); s->dataset = NULL; break;
    case BATCHES: dirac_batches_destroy(s->batches); s->batches = NULL; break;
    default: dirac_checkpoint_destroy(s->checkpoint); s->checkpoint = NULL; break;
    }
}

/* Whatever is still held works, though what it was made from has been given up. */
static void use_rest(set *s)
{
    float image[16] = {0.5f}, rate;
    const float *samples;
    const int32_t *labels;
    int64_t n;
    void *data;
    size_t size;
    dirac_net *made;
    if (s->context != NULL) {
        ok(dirac_net_create(&made, s->context));
        dirac_net_destroy(made);
    }
    if (s->net != NULL) {
        ok(dirac_net_clone(&made, s->net));
        dirac_net_destroy(made);
    }
    if (s->session != NULL) {
        ok(dirac_session_forward(s->session, image, 1));
        ok(dirac_session_commit_statistics(s->session));
    }
    if (s->sgd != NULL)
        ok(dirac_sgd_learning_rate(s->sgd, &rate));
    if (s->dataset != NULL)
        ok(dirac_dataset_read(s->dataset, 5, image, 16));
    if (s->batches != NULL)
        ok(dirac_batches_next(s->batches, &samples, &labels, &n));
    if (s->checkpoint != NULL) {
        ok(dirac_checkpoint_save_memory(s->checkpoint, &data, &size));
        ok(dirac_checkpoint_load_memory(s->checkpoint, data, size));
        dirac_buffer_free(s->context, data, size);
    }
}

/* ---- every order ---- */

static int next_permutation(int *order, int count)
{
    int i = count - 2, j = count - 1;
    while (i >= 0 && order[i] > order[i + 1])
        i--;
    if (i < 0)
        return 0;
    while (order[j] < order[i])
        j--;
    int swap = order[i];
    order[i] = order[j];
    order[j] = swap;
    for (int a = i + 1, b = count - 1; a < b; a++, b--) {
        swap = order[a];
        order[a] = order[b];
        order[b] = swap;
    }
    return 1;
}

static void test_every_order(void **state)
{
    (void)state;
    int order[HANDLES] = {0, 1, 2, 3, 4, 5, 6}, count = 0;
    do {
        set s;
        make_set(&s, 0);
        train_once(&s);
        for (int i = 0; i < HANDLES; i++) {
            drop(&s, order[i]);
            if (count % 16 == 0 && s.context != NULL)
                use_rest(&s);
        }
        check_all_returned();
        count++;
    } while (next_permutation(order, HANDLES));
    assert_int_equal(count, 5040);
}

/* What is left is used after every single destroy, with batches made in the background too. */
static void test_the_rest_goes_on(void **state)
{
    (void)state;
    int order[HANDLES] = {0, 1, 2, 3, 4, 5, 6};
    for (int rotation = 0; rotation < HANDLES; rotation++)
        for (int reversed = 0; reversed < 2; reversed++) {
            set s;
            make_set(&s, 2);
            train_once(&s);
            for (int i = 0; i < HANDLES; i++) {
                const int which = order[(reversed ? HANDLES - 1 - i + rotation : i + rotation) % HANDLES];
                dirac_checkpoint *const kept = s.checkpoint;
                drop(&s, which);
                s.checkpoint = s.context == NULL ? NULL : s.checkpoint; /* its buffers need the context */
                use_rest(&s);
                s.checkpoint = which == CHECKPOINT ? NULL : kept;
            }
            check_all_returned();
        }
}

static void *drop_all(void *argument)
{
    for (int i = 0; i < HANDLES; i++)
        drop(argument, i);
    return NULL;
}

static void test_destroy_from_another_thread(void **state)
{
    (void)state;
    for (int32_t prefetch = 0; prefetch <= 2; prefetch += 2) {
        set s;
        pthread_t thread;
        make_set(&s, prefetch);
        train_once(&s);
        assert_int_equal(pthread_create(&thread, NULL, drop_all, &s), 0);
        pthread_join(thread, NULL);
        check_all_returned();
    }
}

/* ---- single promises ---- */

static void test_null_is_accepted(void **state)
{
    (void)state;
    dirac_context *context = new_context();
    dirac_context_destroy(NULL);
    dirac_net_destroy(NULL);
    dirac_session_destroy(NULL);
    dirac_sgd_destroy(NULL);
    dirac_dataset_destroy(NULL);
    dirac_batches_destroy(NULL);
    dirac_checkpoint_destroy(NULL);
    dirac_layer_kind_destroy(NULL);
    dirac_buffer_free(context, NULL, 0);
    dirac_buffer_free(context, NULL, 5);
    dirac_buffer_free(NULL, NULL, 0);
    dirac_context_destroy(context);
    check_all_returned();
}

/* A checkpoint alone carries a whole run. */
static void test_checkpoint_keeps_all(void **state)
{
    (void)state;
    set s;
    void *data;
    size_t size, again;
    make_set(&s, 0);
    train_once(&s);
    dirac_context *context = s.context;
    for (int i = NET; i < CHECKPOINT; i++)
        drop(&s, i);
    ok(dirac_checkpoint_save_memory(s.checkpoint, &data, &size));
    ok(dirac_checkpoint_load_memory(s.checkpoint, data, size));
    dirac_buffer_free(context, data, size);
    ok(dirac_checkpoint_save_memory(s.checkpoint, &data, &again));
    assert_int_equal(size, again);
    dirac_buffer_free(context, data, again);
    drop(&s, CHECKPOINT);
    drop(&s, CONTEXT);
    check_all_returned();
}

/* A buffer is the host's: it outlives the net it was saved from. */
static void test_buffers(void **state)
{
    (void)state;
    dirac_context *context = new_context();
    dirac_net *net = tiny_net(context), *back;
    void *data;
    size_t size;
    ok(dirac_net_save_memory(net, &data, &size));
    dirac_net_destroy(net);
    ok(dirac_net_load_memory(&back, context, data, size));
    dirac_buffer_free(context, data, size);
    floats logits = {NULL, 0};
    append_logits(&logits, back, 1, 1);
    assert_int_equal(logits.count, 3);
    drop_floats(&logits);
    dirac_net_destroy(back);
    dirac_context_destroy(context);
    check_all_returned();
}

/* Nets are many handles' ground: clones, folds and sessions that moved. */
static void test_nets_and_sessions(void **state)
{
    (void)state;
    int order[5] = {0, 1, 2, 3, 4};
    do {
        dirac_context *context = new_context();
        dirac_net *net = tiny_net(context), *copy, *folded;
        ok(dirac_net_clone(&copy, net));
        ok(dirac_net_fold(&folded, net));
        dirac_session *s = open_session(net, DIRAC_INFER, 1);
        ok(dirac_session_set_net(s, copy));
        for (int i = 0; i < 5; i++)
            switch (order[i]) {
            case 0: dirac_context_destroy(context); break;
            case 1: dirac_net_destroy(net); break;
            case 2: dirac_net_destroy(copy); break;
            case 3: dirac_net_destroy(folded); break;
            default: dirac_session_destroy(s); break;
            }
        check_all_returned();
    } while (next_permutation(order, 5));
}

static void test_nets_at_every_stage(void **state)
{
    (void)state;
    dirac_context *context = new_context();
    dirac_net *net, *copy = NULL;
    dirac_session *s;
    ok(dirac_net_create(&net, context)); /* empty */
    dirac_net_destroy(net);
    ok(dirac_net_create(&net, context)); /* half built, inside a scope */
    ok(dirac_net_push_scope(net, "scope"));
    ok(dirac_node_set_initializer(dirac_net_linear(net, dirac_net_input(net, 3), 2), "weight", DIRAC_INIT_ZEROS, 0, 0));
    ok(dirac_net_set_note(net, "note", "text"));
    dirac_net_destroy(net);
    ok(dirac_net_create(&net, context)); /* failed */
    assert_null(dirac_net_input(net, -1));
    refused(dirac_net_build(net), DIRAC_ERR_ARGUMENT);
    refused(dirac_net_clone(&copy, net), DIRAC_ERR_STATE);
    dirac_net_destroy(net);
    net = tiny_net(context); /* with a session never prepared */
    ok(dirac_session_create(&s, net, DIRAC_TRAIN));
    ok(dirac_session_bytes(s, &(size_t){0}));
    dirac_net_destroy(net);
    dirac_session_destroy(s);
    dirac_context_destroy(context);
    check_all_returned();
}

/* ---- layer kinds ---- */

static int32_t setup(void *user, dirac_layer *layer)
{
    int64_t dims[4];
    int32_t rank;
    (void)user;
    dirac_layer_input_shape(layer, 0, dims, &rank);
    return dirac_layer_set_output_shape(layer, dims, rank);
}

static int32_t forward(void *user, dirac_layer *layer)
{
    (void)user;
    memcpy(dirac_layer_output(layer), dirac_layer_input(layer, 0), 3 * sizeof(float));
    return 0;
}

static void count_destroy(void *user)
{
    ++*(int *)user;
}

static void test_layer_kinds(void **state)
{
    (void)state;
    int order[4] = {0, 1, 2, 3}, destroyed = 0;
    do {
        dirac_context *context = new_context();
        dirac_layer_kind *kind;
        dirac_net *net;
        const float image[3] = {1, 2, 3}, *values;
        destroyed = 0;
        ok(dirac_layer_kind_create(&kind, context, "mine", 1));
        ok(dirac_layer_kind_set_user(kind, &destroyed, count_destroy));
        ok(dirac_layer_kind_add_float(kind, "slope", 0, 1, 0.5));
        ok(dirac_layer_kind_set_setup(kind, setup));
        ok(dirac_layer_kind_set_forward(kind, forward));
        ok(dirac_layer_kind_register(kind));
        ok(dirac_net_create(&net, context));
        dirac_node *x = dirac_net_input(net, 3);
        dirac_net_output(net, dirac_net_custom(net, kind, &x, 1));
        ok(dirac_net_build(net));
        dirac_session *s = open_session(net, DIRAC_INFER, 1);
        int session = 1;
        for (int i = 0; i < 4; i++) {
            assert_int_equal(destroyed, 0);
            switch (order[i]) {
            case 0: dirac_context_destroy(context); break;
            case 1: dirac_layer_kind_destroy(kind); break;
            case 2: dirac_net_destroy(net); break;
            default: dirac_session_destroy(s); session = 0; break;
            }
            if (session) {
                ok(dirac_session_forward(s, image, 1));
                ok(dirac_session_output(s, 0, &values, NULL));
                assert_memory_equal(values, image, sizeof image);
            }
        }
        assert_int_equal(destroyed, 1);
        check_all_returned();
    } while (next_permutation(order, 4));

    dirac_context *context = new_context(); /* never registered */
    dirac_layer_kind *kind;
    ok(dirac_layer_kind_create(&kind, context, "mine", 1));
    ok(dirac_layer_kind_set_user(kind, &destroyed, count_destroy));
    dirac_context_destroy(context);
    dirac_layer_kind_destroy(kind);
    assert_int_equal(destroyed, 2);
    check_all_returned();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_order),
        cmocka_unit_test(test_the_rest_goes_on),
        cmocka_unit_test(test_destroy_from_another_thread),
        cmocka_unit_test(test_null_is_accepted),
        cmocka_unit_test(test_checkpoint_keeps_all),
        cmocka_unit_test(test_buffers),
        cmocka_unit_test(test_nets_and_sessions),
        cmocka_unit_test(test_nets_at_every_stage),
        cmocka_unit_test(test_layer_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
