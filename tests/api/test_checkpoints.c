/* SPDX-License-Identifier: MIT */
/*
 * Training that was interrupted anywhere, saved, torn down, rebuilt with other seeds, settings and threads, loaded and
 * continued is bit for bit training that never stopped; a file that is damaged or of other handles is refused and
 * changes nothing.
 */
#include <unistd.h>

#include "support/nets.h"

static char path[] = "/tmp/dirac-checkpoint-XXXXXX";

static int make_path(void **state)
{
    (void)state;
    const int file = mkstemp(path);
    return file < 0 ? -1 : close(file);
}

static int drop_path(void **state)
{
    (void)state;
    return unlink(path);
}

/* ---- a training with all that a checkpoint holds ---- */

/* Each step takes the gradients of two micro-batches of session `a` and one of session `b`. */
enum { IMAGES = 29, BATCH = 4, CLASSES = 5, MICRO = 3 };

typedef struct world {
    dirac_context *context;
    dirac_net *net;
    dirac_dataset *set;
    dirac_batches *batches;
    dirac_session *a, *b;
    dirac_sgd *sgd;
    dirac_checkpoint *checkpoint;
    floats trace; /* losses, and a number of each batch */
} world;

typedef struct making {
    int32_t threads, prefetch;
    uint64_t seed;   /* of everything */
    int64_t channels;
    int bare;        /* the optimizer keeps its defaults: loading has to bring the settings */
} making;

static dirac_net *make_net(dirac_context *context, uint64_t seed, int64_t channels)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    ok(dirac_net_set_seed(net, seed));
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 3, 8, 8), channels, 3);
    x = dirac_net_dropout(net, dirac_net_relu(net, dirac_net_batch_norm(net, x)), 0.25f);
    x = dirac_net_batch_norm(net, dirac_net_dirac_conv2d(net, x, channels, 3));
    x = dirac_net_max_pool2d(net, dirac_net_relu(net, x), 2);
    x = dirac_net_dropout(net, dirac_net_linear(net, dirac_net_flatten(net, x), 12), 0.5f);
    dirac_net_output(net, dirac_net_linear(net, x, CLASSES));
    ok(dirac_net_build(net));
    ok(dirac_net_set_trainable(net, "linear*.bias", 0));
    return net;
}

static dirac_session *make_session(dirac_net *net, uint64_t seed)
{
    dirac_session *session;
    ok(dirac_session_create(&session, net, DIRAC_TRAIN));
    ok(dirac_session_set_batch(session, BATCH));
    ok(dirac_session_set_seed(session, seed));
    ok(dirac_session_prepare(session));
    return session;
}

static void set_sgd(dirac_sgd *sgd)
{
    const int64_t drops[2] = {3, 6};
    ok(dirac_sgd_set_learning_rate(sgd, 0.0312347f));
    ok(dirac_sgd_set_momentum(sgd, 0.87654321f));
    ok(dirac_sgd_set_nesterov(sgd, 1));
    ok(dirac_sgd_set_weight_decay(sgd, 1.2345e-3f));
    ok(dirac_sgd_set_clip_norm(sgd, 2.7182818f));
    ok(dirac_sgd_set_parameter_decay(sgd, "*.alpha", 0.0123f));
    ok(dirac_sgd_set_parameter_rate(sgd, "conv*.weight", 1.7f));
    ok(dirac_sgd_schedule_drops(sgd, drops, 2, 0.3f, 1));
    ok(dirac_sgd_schedule_warmup(sgd, 5, 0.2f));
}

static world open_world(making m)
{
    world w = {0};
    ok(dirac_context_create(&w.context));
    ok(dirac_context_set_threads(w.context, m.threads));
    w.net = make_net(w.context, m.seed, m.channels == 0 ? 8 : m.channels);
    w.set = make_dataset(w.context, IMAGES, 3, 8, CLASSES);
    ok(dirac_batches_create(&w.batches, w.set));
    ok(dirac_batches_set_size(w.batches, BATCH)); /* 8 an epoch, the last of 1 */
    ok(dirac_batches_set_seed(w.batches, m.seed + 1));
    ok(dirac_batches_set_shuffle(w.batches, 1));
    ok(dirac_batches_set_crop(w.batches, 2, DIRAC_PAD_ZERO));
    ok(dirac_batches_set_flip(w.batches, 1));
    ok(dirac_batches_set_prefetch(w.batches, m.prefetch));
    w.a = make_session(w.net, m.seed + 2);
    w.b = make_session(w.net, m.seed + 3);
    ok(dirac_sgd_create(&w.sgd, w.net));
    if (!m.bare)
        set_sgd(w.sgd);
    ok(dirac_checkpoint_create(&w.checkpoint, w.context));
    ok(dirac_checkpoint_add_sgd(w.checkpoint, "main", w.sgd));
    ok(dirac_checkpoint_add_net(w.checkpoint, "main", w.net));
    ok(dirac_checkpoint_add_session(w.checkpoint, "a", w.a));
    ok(dirac_checkpoint_add_session(w.checkpoint, "b", w.b));
    ok(dirac_checkpoint_add_batches(w.checkpoint, "train", w.batches));
    return w;
}

static void close_world(world *w)
{
    drop_floats(&w->trace);
    dirac_context_destroy(w->context);
    dirac_net_destroy(w->net);
    dirac_dataset_destroy(w->set);
    dirac_batches_destroy(w->batches);
    dirac_session_destroy(w->a);
    dirac_session_destroy(w->b);
    dirac_sgd_destroy(w->sgd);
    dirac_checkpoint_destroy(w->checkpoint);
}

/* One micro-batch: call number `count` of the whole run; the ends of epochs count too. */
static void take_batch(world *w, int count)
{
    const float *images;
    const int32_t *labels;
    int64_t n;
    dirac_session *session = count % MICRO == 1 ? w->b : w->a;
    ok(dirac_batches_next(w->batches, &images, &labels, &n));
    for (int64_t i = 0; i < n * 192; i += 17)
        append_copy(&w->trace, images + i, 1);
    if (n > 0) {
        ok(dirac_session_forward(session, images, n));
        ok(dirac_session_cross_entropy(session, labels, append(&w->trace, 1)));
        ok(dirac_session_backward(session));
    }
    if (count % MICRO == MICRO - 1) {
        ok(dirac_session_commit_statistics(w->b));
        ok(dirac_session_add_gradients(w->a, w->b));
        ok(dirac_session_clear_gradients(w->b));
        ok(dirac_sgd_step(w->sgd, w->a));
    }
}

/* Everything there is: values, momentum, gradients added up, position, rate. */
static floats everything(const world *w)
{
    floats all = {NULL, 0};
    int64_t epoch, batch, steps;
    append_net(&all, w->net);
    append_momentum(&all, w->sgd, w->net);
    append_gradients(&all, w->a);
    append_gradients(&all, w->b);
    ok(dirac_batches_position(w->batches, &epoch, &batch));
    ok(dirac_sgd_steps(w->sgd, &steps));
    float *numbers = append(&all, 4);
    ok(dirac_sgd_learning_rate(w->sgd, &numbers[0]));
    numbers[1] = (float)epoch;
    numbers[2] = (float)batch;
    numbers[3] = (float)steps;
    return all;
}

/* ---- stopped and resumed ---- */

enum { CALLS = 33 };

/* Runs calls `first` to `last` - 1 of a run. */
static void run(world *w, int first, int last)
{
    for (int i = first; i < last; i++)
        take_batch(w, i);
}

static void check_resumed(const floats *trace, const floats *end, int stop, int in_memory)
{
    const char before[] = "before";
    world w = open_world((making){.threads = 1 + stop % 3, .prefetch = stop % 4, .seed = 40});
    void *data = NULL;
    const void *blob;
    size_t size = 0, blob_size;
    run(&w, 0, stop);
    const size_t traced = w.trace.count;
    ok(dirac_checkpoint_set_blob(w.checkpoint, "stop", &stop, sizeof stop));
    if (in_memory)
        ok(dirac_checkpoint_save_memory(w.checkpoint, &data, &size));
    else
        ok(dirac_checkpoint_save(w.checkpoint, path));
    void *copy = malloc(size + 1);
    assert_non_null(copy);
    if (in_memory)
        memcpy(copy, data, size);
    dirac_buffer_free(w.context, data, size);
    floats saved = everything(&w);
    close_world(&w);

    world v = open_world((making){.threads = 3 - stop % 3, .prefetch = (stop + 2) % 4, .seed = 90, .bare = 1});
    run(&v, 1, stop % 5); /* it has a past of its own, to be forgotten */
    drop_floats(&v.trace);
    ok(dirac_checkpoint_set_blob(v.checkpoint, "stop", before, sizeof before));
    if (in_memory)
        ok(dirac_checkpoint_load_memory(v.checkpoint, copy, size));
    else
        ok(dirac_checkpoint_load(v.checkpoint, path));
    floats loaded = everything(&v);
    same_bits("what was loaded", saved, loaded);
    ok(dirac_checkpoint_blob(v.checkpoint, "stop", &blob, &blob_size));
    assert_int_equal(blob_size, sizeof stop);
    assert_memory_equal(blob, &stop, sizeof stop);
    run(&v, stop, CALLS);
    assert_int_equal(v.trace.count, trace->count - traced);
    assert_memory_equal(v.trace.at, trace->at + traced, v.trace.count * sizeof *v.trace.at);
    floats now = everything(&v);
    same_bits("resumed training", *end, now);
    free(copy);
    drop_floats(&saved);
    drop_floats(&loaded);
    drop_floats(&now);
    close_world(&v);
}

/* At every place of the run: in mid-epoch, at an epoch's end, with gradients added up but no step taken. */
static void test_resume(void **state)
{
    (void)state;
    world w = open_world((making){.threads = 1, .seed = 40});
    run(&w, 0, CALLS);
    floats end = everything(&w);
    for (size_t i = 0; i < end.count; i++)
        assert_true(isfinite(end.at[i]));
    for (int stop = 0; stop < CALLS; stop++)
        check_resumed(&w.trace, &end, stop, stop % 2);
    drop_floats(&end);
    close_world(&w);
}

/* Dropout's draws and the statistics that wait are part of it: without the sessions the run goes another way. */
static void test_sessions_matter(void **state)
{
    (void)state;
    world w = open_world((making){.threads = 1, .seed = 40}), v = open_world((making){.threads = 1, .seed = 40});
    dirac_checkpoint *poor[2];
    world *const worlds[2] = {&w, &v};
    void *data;
    size_t size;
    for (int i = 0; i < 2; i++) {
        ok(dirac_checkpoint_create(&poor[i], worlds[i]->context));
        ok(dirac_checkpoint_add_sgd(poor[i], "main", worlds[i]->sgd));
        ok(dirac_checkpoint_add_net(poor[i], "main", worlds[i]->net));
        ok(dirac_checkpoint_add_batches(poor[i], "train", worlds[i]->batches));
    }
    run(&w, 0, 7);
    ok(dirac_checkpoint_save_memory(poor[0], &data, &size));
    ok(dirac_checkpoint_load_memory(poor[1], data, size));
    run(&w, 7, 12);
    run(&v, 7, 12);
    floats x = everything(&w), y = everything(&v);
    assert_int_equal(x.count, y.count);
    assert_memory_not_equal(x.at, y.at, x.count * sizeof *x.at);
    drop_floats(&x);
    drop_floats(&y);
    dirac_buffer_free(w.context, data, size);
    dirac_checkpoint_destroy(poor[0]);
    dirac_checkpoint_destroy(poor[1]);
    close_world(&w);
    close_world(&v);
}

static void test_cosine_settings(void **state)
{
    (void)state;
    world w = open_world((making){.threads = 1, .seed = 1}), v = open_world((making){.threads = 1, .seed = 2});
    void *data;
    size_t size;
    float rate, want;
    ok(dirac_sgd_schedule_cosine(w.sgd, 1000003, 1.2345678e-5f));
    run(&w, 0, 9);
    ok(dirac_checkpoint_save_memory(w.checkpoint, &data, &size));
    ok(dirac_checkpoint_load_memory(v.checkpoint, data, size));
    for (int i = 0; i < 4; i++) {
        ok(dirac_sgd_learning_rate(w.sgd, &want));
        ok(dirac_sgd_learning_rate(v.sgd, &rate));
        assert_memory_equal(&rate, &want, sizeof rate);
        run(&w, 9 + 3 * i, 12 + 3 * i);
        run(&v, 9 + 3 * i, 12 + 3 * i);
    }
    dirac_buffer_free(w.context, data, size);
    close_world(&w);
    close_world(&v);
}

/* ---- bytes of the host ---- */

static void test_blobs(void **state)
{
    (void)state;
    dirac_context *context;
    dirac_checkpoint *from, *to;
    unsigned char bytes[1000];
    void *data;
    const void *blob;
    size_t size, length;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7);
    ok(dirac_context_create(&context));
    ok(dirac_checkpoint_create(&from, context));
    ok(dirac_checkpoint_create(&to, context));
    ok(dirac_checkpoint_set_blob(from, "bytes", "first", 5));
    ok(dirac_checkpoint_set_blob(from, "bytes", bytes, sizeof bytes)); /* set anew */
    ok(dirac_checkpoint_set_blob(from, "empty", NULL, 0));
    ok(dirac_checkpoint_set_blob(from, "a-b_C9", "text", 5));
    refused(dirac_checkpoint_set_blob(from, "not a word", "x", 1), DIRAC_ERR_ARGUMENT);
    refused(dirac_checkpoint_set_blob(from, "", "x", 1), DIRAC_ERR_ARGUMENT);
    refused(dirac_checkpoint_set_blob(from, "null", NULL, 1), DIRAC_ERR_ARGUMENT);
    refused(dirac_checkpoint_blob(to, "bytes", &blob, &length), DIRAC_ERR_NOT_FOUND);
    message_has("bytes");
    ok(dirac_checkpoint_save_memory(from, &data, &size));
    ok(dirac_checkpoint_set_blob(to, "own", "stays", 6));
    ok(dirac_checkpoint_load_memory(to, data, size));
    ok(dirac_checkpoint_blob(to, "bytes", &blob, &length));
    assert_int_equal(length, sizeof bytes);
    assert_memory_equal(blob, bytes, sizeof bytes);
    ok(dirac_checkpoint_blob(to, "empty", &blob, &length));
    assert_int_equal(length, 0);
    ok(dirac_checkpoint_blob(to, "a-b_C9", &blob, NULL));
    assert_string_equal(blob, "text");
    ok(dirac_checkpoint_blob(to, "own", &blob, NULL));
    assert_string_equal(blob, "stays");
    dirac_buffer_free(context, data, size);
    dirac_checkpoint_destroy(from);
    dirac_checkpoint_destroy(to);
    dirac_context_destroy(context);
}

/* ---- refused, and nothing changed ---- */

/* Expects that loading `size` bytes at `data` into `w` fails with `status` (0: any) and changes nothing. */
static void expect_refused(world *w, const floats *before, const void *data, size_t size, int32_t status,
                           const char *what)
{
    const int32_t got = dirac_checkpoint_load_memory(w->checkpoint, data, size);
    if (got == DIRAC_OK || (status != 0 && got != status))
        fail_msg("%s: %s: %s", what, dirac_status_name(got), dirac_error_message());
    floats after = everything(w);
    same_bits(what, *before, after);
    drop_floats(&after);
    const void *blob;
    ok(dirac_checkpoint_blob(w->checkpoint, "blob", &blob, NULL));
    assert_string_equal(blob, "mine");
}

static void *saved_run(size_t *size, making m)
{
    world w = open_world(m);
    void *data;
    run(&w, 0, 7);
    ok(dirac_checkpoint_set_blob(w.checkpoint, "blob", "theirs", 7));
    ok(dirac_checkpoint_save_memory(w.checkpoint, &data, size));
    void *copy = malloc(*size);
    assert_non_null(copy);
    memcpy(copy, data, *size);
    dirac_buffer_free(w.context, data, *size);
    close_world(&w);
    return copy;
}

static void test_damage(void **state)
{
    (void)state;
    size_t size;
    unsigned char *bytes = saved_run(&size, (making){.threads = 1, .seed = 40});
    world w = open_world((making){.threads = 1, .seed = 41});
    run(&w, 0, 5);
    ok(dirac_checkpoint_set_blob(w.checkpoint, "blob", "mine", 5));
    floats before = everything(&w);
    for (size_t i = 0; i < 300; i++) {
        const size_t length = i < 32 ? i : i < 64 ? size - (i - 31) : size * (i - 64) / 236;
        unsigned char *cut = malloc(length + 1);
        assert_non_null(cut);
        memcpy(cut, bytes, length);
        expect_refused(&w, &before, cut, length, DIRAC_ERR_FORMAT, "a cut");
        free(cut);
    }
    size_t header = 0;
    for (int i = 7; i >= 0; i--)
        header = header << 8 | bytes[i];
    for (size_t i = 0; i < 600; i++) { /* the header every few bytes, then the data */
        const size_t at = i < 400 ? (header + 8) * i / 400 : header + 8 + (size - header - 8) * (i - 400) / 200;
        bytes[at] ^= (unsigned char)(1u << (i % 8));
        expect_refused(&w, &before, bytes, size, 0, "a flipped bit");
        bytes[at] ^= (unsigned char)(1u << (i % 8));
    }
    ok(dirac_checkpoint_load_memory(w.checkpoint, bytes, size)); /* the whole one is fine */
    drop_floats(&before);
    free(bytes);
    close_world(&w);
}

static void test_other_handles(void **state)
{
    (void)state;
    size_t size, other_size;
    void *bytes = saved_run(&size, (making){.threads = 1, .seed = 40}), *model;
    void *wider = saved_run(&other_size, (making){.threads = 1, .seed = 40, .channels = 9});
    world w = open_world((making){.threads = 1, .seed = 41});
    run(&w, 0, 4);
    ok(dirac_checkpoint_set_blob(w.checkpoint, "blob", "mine", 5));
    floats before = everything(&w);
    expect_refused(&w, &before, wider, other_size, DIRAC_ERR_MISMATCH, "another width");
    message_has("main");
    free(wider);

    ok(dirac_net_save_memory(w.net, &model, &other_size)); /* a net's file is no checkpoint */
    expect_refused(&w, &before, model, other_size, DIRAC_ERR_MISMATCH, "a model file");
    message_has("dirac_net_load()");
    dirac_buffer_free(w.context, model, other_size);

    dirac_net *loaded, *second = make_net(w.context, 1, 8); /* and a checkpoint no net's file */
    refused(dirac_net_load_memory(&loaded, w.context, bytes, size), DIRAC_ERR_FORMAT);
    message_has("dirac_checkpoint_load()");
    refused(dirac_net_load_weights_memory(second, bytes, size, DIRAC_LOAD_STRICT), DIRAC_ERR_MISMATCH);

    ok(dirac_checkpoint_add_net(w.checkpoint, "second", second)); /* one that was not saved */
    expect_refused(&w, &before, bytes, size, DIRAC_ERR_MISMATCH, "a net too many");
    message_has("second");
    refused(dirac_checkpoint_add_net(w.checkpoint, "second", w.net), DIRAC_ERR_ARGUMENT);
    refused(dirac_checkpoint_add_net(w.checkpoint, "no dots.", second), DIRAC_ERR_ARGUMENT);
    dirac_net *third = make_net(w.context, 1, 8);
    char name[66];
    memset(name, 'n', sizeof name);
    name[65] = '\0';
    refused(dirac_checkpoint_add_net(w.checkpoint, "second", third), DIRAC_ERR_ARGUMENT); /* taken */
    message_has("\"second\" was added already");
    refused(dirac_checkpoint_add_net(w.checkpoint, name, third), DIRAC_ERR_ARGUMENT);
    message_has("1 to 64 letters");
    ok(dirac_checkpoint_add_net(w.checkpoint, name + 1, third));
    dirac_net_destroy(third);
    dirac_net_destroy(second);
    drop_floats(&before);
    close_world(&w);

    w = open_world((making){.threads = 1, .seed = 41}); /* batches of other options */
    ok(dirac_batches_set_flip(w.batches, 0));
    ok(dirac_checkpoint_set_blob(w.checkpoint, "blob", "mine", 5));
    before = everything(&w);
    expect_refused(&w, &before, bytes, size, DIRAC_ERR_MISMATCH, "other batches");
    drop_floats(&before);
    close_world(&w);
    free(bytes);
}

/* What was saved beyond the handles that load is passed over; blobs all come. */
static void test_net_alone(void **state)
{
    (void)state;
    world w = open_world((making){.threads = 1, .seed = 40});
    dirac_net *net = make_net(w.context, 7, 8);
    dirac_checkpoint *alone;
    floats saved = {NULL, 0}, loaded = {NULL, 0};
    const void *blob;
    run(&w, 0, 4);
    ok(dirac_checkpoint_set_blob(w.checkpoint, "blob", "mine", 5));
    ok(dirac_checkpoint_save(w.checkpoint, path));
    ok(dirac_checkpoint_create(&alone, w.context));
    ok(dirac_checkpoint_add_net(alone, "main", net));
    ok(dirac_checkpoint_load(alone, path));
    append_net(&saved, w.net);
    append_net(&loaded, net);
    same_bits("the net", saved, loaded);
    ok(dirac_checkpoint_blob(alone, "blob", &blob, NULL));
    assert_string_equal(blob, "mine");
    drop_floats(&saved);
    drop_floats(&loaded);
    dirac_checkpoint_destroy(alone);
    dirac_net_destroy(net);
    close_world(&w);
}

/* A net without running statistics: its session has none that wait. */
static void test_without_state(void **state)
{
    (void)state;
    dirac_context *own;
    dirac_net *net;
    dirac_checkpoint *checkpoint;
    floats saved = {NULL, 0}, loaded = {NULL, 0};
    const float x[3] = {1, -2, 3};
    const int32_t label = 1;
    void *bytes;
    size_t size;
    ok(dirac_context_create(&own));
    ok(dirac_net_create(&net, own));
    dirac_net_output(net, dirac_net_linear(net, dirac_net_input(net, 3), 2));
    ok(dirac_net_build(net));
    dirac_session *session = open_session(net, DIRAC_TRAIN, 1);
    ok(dirac_session_forward(session, x, 1));
    ok(dirac_session_cross_entropy(session, &label, NULL));
    ok(dirac_session_backward(session));
    append_gradients(&saved, session);
    ok(dirac_checkpoint_create(&checkpoint, own));
    ok(dirac_checkpoint_add_session(checkpoint, "main", session));
    ok(dirac_checkpoint_save_memory(checkpoint, &bytes, &size));
    ok(dirac_session_clear_gradients(session));
    ok(dirac_checkpoint_load_memory(checkpoint, bytes, size));
    append_gradients(&loaded, session);
    same_bits("gradients", saved, loaded);
    drop_floats(&saved), drop_floats(&loaded);
    dirac_buffer_free(own, bytes, size);
    dirac_checkpoint_destroy(checkpoint);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
    dirac_context_destroy(own);
}

static void test_not_ready(void **state)
{
    (void)state;
    world w = open_world((making){.threads = 1, .seed = 41}), v = open_world((making){.threads = 1, .seed = 41});
    dirac_session *session;
    ok(dirac_session_create(&session, w.net, DIRAC_TRAIN));
    refused(dirac_checkpoint_add_session(w.checkpoint, "c", session), DIRAC_ERR_STATE);
    dirac_session_destroy(session);
    session = open_session(w.net, DIRAC_INFER, 1);
    refused(dirac_checkpoint_add_session(w.checkpoint, "c", session), DIRAC_ERR_STATE);
    dirac_session_destroy(session);
    refused(dirac_checkpoint_add_sgd(w.checkpoint, "other", v.sgd), DIRAC_ERR_ARGUMENT); /* of another context */
    refused(dirac_checkpoint_load(w.checkpoint, "/nowhere/checkpoint"), DIRAC_ERR_IO);
    message_has("/nowhere/checkpoint");
    refused(dirac_checkpoint_save(w.checkpoint, "/nowhere/checkpoint"), DIRAC_ERR_IO);
    close_world(&w);
    close_world(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume),        cmocka_unit_test(test_sessions_matter),
        cmocka_unit_test(test_cosine_settings), cmocka_unit_test(test_blobs),
        cmocka_unit_test(test_damage),        cmocka_unit_test(test_other_handles),
        cmocka_unit_test(test_net_alone),     cmocka_unit_test(test_without_state),
        cmocka_unit_test(test_not_ready),
    };
    return cmocka_run_group_tests(tests, make_path, drop_path);
}
