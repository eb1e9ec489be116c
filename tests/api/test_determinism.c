/* SPDX-License-Identifier: MIT */
/*
 * Same seed, same bits: for any number of threads, through a host's runner, for any way OpenBLAS computes, with batches
 * prepared ahead or not; and an image's logits do not depend on the images beside it.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "support/nets.h"

/* ---- a training run, and all that comes out of it ---- */

typedef struct setup {
    int32_t threads, prefetch;
    dirac_runner_fn runner;
    const char *kernels;
    int32_t model;
} setup;

/* Most kinds of layers on 3x12x12, with convolutions that have to go every way there is: 3x3, strided, grouped, 5x5,
 * 1x1. */
static dirac_node *mixed_net(dirac_net *net, dirac_node *x)
{
    x = dirac_net_relu(net, dirac_net_batch_norm(net, dirac_net_conv2d(net, x, 16, 3)));
    x = dirac_net_dropout(net, x, 0.2f);
    dirac_node *skip = x;
    x = dirac_net_relu(net, dirac_net_batch_norm(net, dirac_net_dirac_conv2d(net, x, 16, 3)));
    x = dirac_net_max_pool2d(net, dirac_net_add(net, x, skip), 2);
    x = dirac_net_batch_norm(net, dirac_net_dirac_conv2d(net, x, 36, 3));
    x = dirac_net_conv2d(net, dirac_net_relu(net, x), 36, 1);
    dirac_node_set_int(x, "groups", 4);
    dirac_node_set_int(x, "bias", 1);
    x = dirac_net_conv2d(net, dirac_net_elu(net, x), 20, 5);
    dirac_node_set_int(x, "form", DIRAC_FORM_DELTA);
    dirac_node *both[2] = {dirac_net_ncrelu(net, x), dirac_net_local_response_norm(net, x, 5)};
    x = dirac_net_conv2d(net, dirac_net_concat(net, both, 2), 24, 3);
    const int64_t two = 2;
    dirac_node_set_ints(x, "stride", &two, 1);
    x = dirac_net_dropout(net, dirac_net_average_pool2d(net, x, 2), 0.1f);
    x = dirac_net_relu(net, dirac_net_linear(net, dirac_net_flatten(net, x), 40));
    return dirac_net_linear(net, x, 10);
}

/* Large enough for OpenBLAS: 9 or more x 2048 x 1024 multiply-adds. */
static dirac_node *large_linear(dirac_net *net, dirac_node *x)
{
    x = dirac_net_linear(net, dirac_net_flatten(net, x), 2048);
    x = dirac_net_dirac_linear(net, dirac_net_relu(net, x), 1024);
    return dirac_net_linear(net, dirac_net_relu(net, x), 10);
}

enum { MIXED = 0, LARGE_LINEAR = 1, DIRACNET = 2 };

static dirac_net *make_net(dirac_context *context, int32_t model)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    ok(dirac_net_set_seed(net, 11));
    const int64_t size = model == DIRACNET ? 20 : 12;
    dirac_node *x = dirac_net_input2d(net, 3, size, size);
    x = model == MIXED          ? mixed_net(net, x)
        : model == LARGE_LINEAR ? large_linear(net, x)
                                : dirac_model_diracnet_cifar(net, dirac_net_dropout(net, x, 0.1f), 10, 1.0, 10,
                                                             DIRAC_FORM_NORMALIZED_DELTA);
    dirac_net_output(net, x);
    ok(dirac_net_build(net));
    return net;
}

static dirac_context *make_context(const setup *s)
{
    dirac_context *context;
    ok(dirac_context_create(&context));
    if (s->threads > 0)
        ok(dirac_context_set_threads(context, s->threads));
    if (s->runner != NULL)
        ok(dirac_context_set_runner(context, s->runner, NULL, 4));
    if (s->kernels != NULL)
        ok(dirac_context_set_kernels(context, s->kernels));
    return context;
}

/* 50 images in batches of 16, the last one of 2: shuffled, cropped, flipped, normalised. */
static dirac_batches *make_batches(dirac_context *context, int32_t model, int32_t prefetch)
{
    const float mean[3] = {125.3f, 123.0f, 113.9f}, deviation[3] = {63.0f, 62.1f, 66.7f};
    dirac_dataset *set = make_dataset(context, 50, 3, model == DIRACNET ? 20 : 12, 10);
    dirac_batches *batches;
    ok(dirac_batches_create(&batches, set));
    ok(dirac_batches_set_size(batches, 16));
    ok(dirac_batches_set_seed(batches, 5));
    ok(dirac_batches_set_shuffle(batches, 1));
    ok(dirac_batches_set_crop(batches, 3, DIRAC_PAD_REFLECT));
    ok(dirac_batches_set_flip(batches, 1));
    ok(dirac_batches_set_normalization(batches, mean, deviation, 3));
    ok(dirac_batches_set_prefetch(batches, prefetch));
    dirac_dataset_destroy(set);
    return batches;
}

/* Two epochs. Gathers the losses, each epoch's last gradient, parameters, statistics, momentum and logits. */
static floats train(const setup *s)
{
    floats all = {NULL, 0};
    dirac_context *context = make_context(s);
    dirac_net *net = make_net(context, s->model);
    dirac_batches *batches = make_batches(context, s->model, s->prefetch);
    dirac_session *session;
    dirac_sgd *sgd;
    ok(dirac_session_create(&session, net, DIRAC_TRAIN));
    ok(dirac_session_set_batch(session, 16));
    ok(dirac_session_set_seed(session, 77));
    ok(dirac_session_prepare(session));
    ok(dirac_sgd_create(&sgd, net));
    ok(dirac_sgd_set_learning_rate(sgd, 0.05f));
    ok(dirac_sgd_set_momentum(sgd, 0.9f));
    ok(dirac_sgd_set_nesterov(sgd, 1));
    ok(dirac_sgd_set_weight_decay(sgd, 5e-4f));
    ok(dirac_sgd_set_clip_norm(sgd, 5.0f));
    for (int epoch = 0; epoch < 2;) {
        const float *images;
        const int32_t *labels;
        int64_t n;
        ok(dirac_batches_next(batches, &images, &labels, &n));
        if (n == 0) {
            epoch++;
            continue;
        }
        ok(dirac_session_forward(session, images, n));
        ok(dirac_session_cross_entropy(session, labels, append(&all, 1)));
        assert_true(isfinite(all.at[all.count - 1]));
        ok(dirac_session_backward(session));
        if (n < 16)
            append_gradients(&all, session);
        ok(dirac_sgd_step(sgd, session));
    }
    append_net(&all, net);
    append_momentum(&all, sgd, net);
    append_logits(&all, net, 7, 3);
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(session);
    dirac_batches_destroy(batches);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    return all;
}

/* ---- runners of a host ---- */

static int32_t backwards_jobs;

static int32_t run_backwards(void *user, dirac_task_fn task, void *data, int32_t count)
{
    (void)user;
    backwards_jobs += count > 1;
    while (count-- > 0)
        task(data, count);
    return 0;
}

/* First the even tasks, then the odd ones. */
static int32_t run_interleaved(void *user, dirac_task_fn task, void *data, int32_t count)
{
    (void)user;
    for (int32_t first = 0; first < 2; first++)
        for (int32_t i = first; i < count; i += 2)
            task(data, i);
    return 0;
}

static int32_t run_nothing(void *user, dirac_task_fn task, void *data, int32_t count)
{
    (void)user;
    (void)task;
    (void)data;
    (void)count;
    return 1;
}

/* ---- tests ---- */

static const char *const kernel_names[] = {"scalar", "x86-64-v3", "x86-64-v4", "aarch64"};

static int runs_here(const char *kernels)
{
    dirac_context *context;
    ok(dirac_context_create(&context));
    const int32_t status = dirac_context_set_kernels(context, kernels);
    assert_true(status == DIRAC_OK || status == DIRAC_ERR_UNSUPPORTED);
    dirac_context_destroy(context);
    return status == DIRAC_OK;
}

/* Trains `count` times and compares all with the first. */
static void all_equal(const setup *setups, size_t count)
{
    floats first = train(&setups[0]);
    for (size_t i = 1; i < count; i++) {
        floats other = train(&setups[i]);
        same_bits("training", first, other);
        drop_floats(&other);
    }
    drop_floats(&first);
}

static void test_threads(void **state)
{
    (void)state;
    for (int32_t model = MIXED; model <= DIRACNET; model++) {
        const setup setups[] = {{.threads = 1, .prefetch = 3, .model = model},
                                {.threads = 1, .prefetch = 0, .model = model},
                                {.threads = 2, .prefetch = 3, .model = model},
                                {.threads = 3, .prefetch = 1, .model = model}};
        all_equal(setups, 4);
    }
}

static void test_threads_of_every_kernel(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kernel_names / sizeof *kernel_names; i++) {
        const setup setups[] = {{.threads = 1, .kernels = kernel_names[i]},
                                {.threads = 2, .prefetch = 2, .kernels = kernel_names[i]},
                                {.threads = 3, .kernels = kernel_names[i]}};
        if (runs_here(kernel_names[i]))
            all_equal(setups, 3);
    }
}

static void test_runners(void **state)
{
    (void)state;
    for (int32_t model = MIXED; model <= DIRACNET; model++) {
        const setup setups[] = {{.threads = 1, .model = model},
                                {.runner = run_backwards, .prefetch = 2, .model = model},
                                {.runner = run_interleaved, .model = model},
                                {.runner = run_nothing, .model = model}};
        all_equal(setups, 4);
    }
    assert_true(backwards_jobs > 100); /* it did get work that could be done in another order */
}

/* Another seed must give other numbers, or all of the above says nothing. */
static void test_seeds_matter(void **state)
{
    (void)state;
    dirac_context *context = make_context(&(setup){.threads = 1});
    dirac_net *a = make_net(context, MIXED), *b;
    floats x = {NULL, 0}, y = {NULL, 0}, z = {NULL, 0};
    append_net(&x, a);
    ok(dirac_net_clone(&b, a));
    ok(dirac_net_initialize(b, 12));
    append_net(&y, b);
    assert_int_equal(x.count, y.count);
    assert_memory_not_equal(x.at, y.at, x.count * sizeof *x.at);
    ok(dirac_net_initialize(b, 11));
    append_net(&z, b);
    same_bits("drawn anew from the first seed", x, z);
    drop_floats(&x);
    drop_floats(&y);
    drop_floats(&z);
    dirac_net_destroy(b);
    dirac_net_destroy(a);
    dirac_context_destroy(context);
}

/* ---- OpenBLAS computes in other ways on other processors: it must not show ---- */

static uint64_t hash(uint64_t bits, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) /* FNV-1a */
        bits = (bits ^ bytes[i]) * 0x100000001B3u;
    return bits;
}

/* What a child prints: a hash of the results without large linear layers. */
static int print_hash(void)
{
    uint64_t bits = 0xCBF29CE484222325u;
    for (int32_t model = MIXED; model <= DIRACNET; model += 2) {
        floats all = train(&(setup){.threads = 2, .prefetch = 1, .model = model});
        bits = hash(bits, all.at, all.count * sizeof *all.at);
        drop_floats(&all);
    }
    printf("%016llx\n", (unsigned long long)bits);
    return 0;
}

/* Runs this program anew with OPENBLAS_CORETYPE set, and reads the hash. */
static void hash_of_child(const char *core, char text[17])
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("OPENBLAS_CORETYPE", core, 1);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "test_determinism", "--hash", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got = 1; got > 0 && length < 16; length += (size_t)got)
        got = read(ends[0], text + length, 16 - length);
    close(ends[0]);
    text[length < 16 ? length : 16] = '\0';
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(strlen(text), 16);
}

static void test_blas_core_types(void **state)
{
    (void)state;
    char first[17], other[17];
    if (access("/proc/self/exe", X_OK) != 0)
        skip();
    hash_of_child("Haswell", first);
    hash_of_child("Sandybridge", other);
    assert_string_equal(first, other);
    hash_of_child("Nehalem", other);
    assert_string_equal(first, other);
}

/* ---- an image alone and in company ---- */

enum { COMPANY = 9 };

typedef dirac_node *(*model_fn)(dirac_net *net, dirac_node *x);

static dirac_node *small_diracnet(dirac_net *net, dirac_node *x)
{
    return dirac_model_diracnet_cifar(net, x, 16, 1.0, 10, DIRAC_FORM_NORMALIZED_DELTA);
}

static dirac_node *odd_diracnet(dirac_net *net, dirac_node *x)
{
    return dirac_model_diracnet_cifar(net, x, 10, 0.7, 7, DIRAC_FORM_NORMALIZED_DELTA);
}

static dirac_node *small_resnet(dirac_net *net, dirac_node *x)
{
    return dirac_model_resnet_cifar(net, x, 11, 0.5, 10, 1, DIRAC_FORM_FIXED_DELTA);
}

static dirac_node *imagenet_form(dirac_net *net, dirac_node *x)
{
    return dirac_model_diracnet_imagenet(net, x, 18, 0.25, 100, DIRAC_FORM_NORMALIZED_DELTA);
}

static dirac_node *vgg(dirac_net *net, dirac_node *x)
{
    return dirac_model_vgg16_cifar(net, x, 10);
}

static dirac_node *network_in_network(dirac_net *net, dirac_node *x)
{
    return dirac_model_nin(net, x, 10);
}

static dirac_node *large_probabilities(dirac_net *net, dirac_node *x)
{
    return dirac_net_softmax(net, large_linear(net, x));
}

/* The images from number `shift` on, n of them, in one forward: each has the logits it had alone. */
static void company(dirac_session *session, const floats *images, const floats *alone, int64_t n, int64_t shift)
{
    const size_t size = images->count / COMPANY, classes = alone->count / COMPANY;
    floats batch = {NULL, 0};
    const float *logits;
    for (int64_t i = 0; i < n; i++)
        append_copy(&batch, images->at + (size_t)((i + shift) % COMPANY) * size, size);
    ok(dirac_session_forward(session, batch.at, n));
    ok(dirac_session_output(session, 0, &logits, NULL));
    for (int64_t i = 0; i < n; i++)
        if (memcmp(logits + (size_t)i * classes, alone->at + (size_t)((i + shift) % COMPANY) * classes,
                   classes * sizeof *logits) != 0)
            fail_msg("image %d at place %d of %d has other logits than alone", (int)((i + shift) % COMPANY), (int)i,
                     (int)n);
    drop_floats(&batch);
}

static dirac_session *serve(dirac_net *net, int64_t batch, int32_t strict, int32_t lean)
{
    dirac_session *session;
    ok(dirac_session_create(&session, net, DIRAC_INFER));
    ok(dirac_session_set_batch(session, batch));
    ok(dirac_session_set_strict(session, strict));
    ok(dirac_session_set_lean(session, lean));
    ok(dirac_session_prepare(session));
    return session;
}

static floats one_by_one(dirac_session *session, const floats *images)
{
    floats alone = {NULL, 0};
    for (size_t i = 0; i < COMPANY; i++) {
        ok(dirac_session_forward(session, images->at + i * (images->count / COMPANY), 1));
        append_output(&alone, session);
    }
    return alone;
}

static void check_company(model_fn model, int64_t size, int32_t threads, int32_t strict)
{
    dirac_context *context = make_context(&(setup){.threads = threads});
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_net_output(net, model(net, dirac_net_input2d(net, 3, size, size)));
    ok(dirac_net_build(net));
    stir_batch_norms(net, 4, 5);
    floats images = random_numbers((size_t)(COMPANY * 3 * size * size), 8, -2, 2);
    dirac_session *session = serve(net, COMPANY, strict, 0), *single = serve(net, 1, strict, 0);
    dirac_session *lean = serve(net, COMPANY, strict, 1);
    floats alone = one_by_one(session, &images), other = one_by_one(single, &images);
    for (int64_t n = 1; n <= COMPANY; n++)
        company(session, &images, &alone, n, 2 * n);
    for (int64_t shift = 1; shift < COMPANY; shift += 3)
        company(session, &images, &alone, COMPANY, shift);
    company(lean, &images, &alone, COMPANY, 1);
    company(lean, &images, &alone, 3, 2);
    if (strict) /* otherwise the algorithm, and with it the rounding, may depend on the batch a session is made for */
        same_bits("a session for one image", alone, other);
    drop_floats(&alone);
    drop_floats(&other);
    drop_floats(&images);
    dirac_session_destroy(session);
    dirac_session_destroy(single);
    dirac_session_destroy(lean);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}

/* A lean session needs no memory for weights but what the largest layer's take for a moment: here those with so few pixels that
 * the sums are direct, as large as they are in the net. The others' are never there as a whole. */
static void test_lean_bytes(void **state)
{
    (void)state;
    dirac_context *context = make_context(&(setup){.threads = 1});
    dirac_net *net;
    size_t bytes, lean_bytes;
    ok(dirac_net_create(&net, context));
    dirac_net_output(net, dirac_model_vgg16_cifar(net, dirac_net_input2d(net, 3, 32, 32), 10));
    ok(dirac_net_build(net));
    dirac_session *session = serve(net, 1, 0, 0), *lean = serve(net, 1, 0, 1);
    ok(dirac_session_bytes(session, &bytes));
    ok(dirac_session_bytes(lean, &lean_bytes));
    const size_t largest = sizeof(float) * 9 * 512 * 512, values = (size_t)1 << 20;
    assert_true(lean_bytes < largest + values);
    assert_true(lean_bytes < bytes / 3);
    dirac_session_destroy(session);
    dirac_session_destroy(lean);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}

static void test_company(void **state)
{
    (void)state;
    static const struct {
        model_fn model;
        int64_t size;
    } models[] = {{small_diracnet, 32}, {odd_diracnet, 19},       {small_resnet, 24}, {imagenet_form, 64},
                  {vgg, 32},            {network_in_network, 21}, {large_probabilities, 12}};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        check_company(models[i].model, models[i].size, 1 + (int32_t)i % 2, 0);
        check_company(models[i].model, models[i].size, 2 - (int32_t)i % 2, 1);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_threads_of_every_kernel),
        cmocka_unit_test(test_runners),
        cmocka_unit_test(test_seeds_matter),
        cmocka_unit_test(test_blas_core_types),
        cmocka_unit_test(test_lean_bytes), cmocka_unit_test(test_company),
    };
    if (argc > 1 && strcmp(argv[1], "--hash") == 0)
        return print_hash();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
