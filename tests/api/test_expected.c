/* SPDX-License-Identifier: MIT */
/* What users of such a library expect: clones, trainable flags and frozen batch norm, a new head on an old body, saving
 * to memory, logits that do not depend on the batch, NaN that is not swallowed, costs as a query. Soft labels,
 * smoothing and class weights are in test_losses.c, other input sizes in test_sessions.c. */
#include "support/test_context.h"
#include "support/variants.h"

static dirac_net *body_and_head(dirac_context *owner, const char *head, int64_t classes)
{
    dirac_net *net = new_net(owner);
    dirac_node *x = dirac_net_dirac_conv2d(net, dirac_net_input2d(net, 3, 8, 8), 6, 3);
    ok(dirac_node_set_name(x, "body"));
    x = dirac_net_relu(net, dirac_net_batch_norm(net, x));
    x = dirac_net_linear(net, dirac_net_global_average_pool(net, x), classes);
    ok(dirac_node_set_name(x, head));
    dirac_net_output(net, x);
    ok(dirac_net_build(net));
    return net;
}

/* Some steps with everything that may change something: momentum, decay, statistics. */
static void train(dirac_net *net, dirac_session *s, int steps)
{
    const int32_t labels[4] = {0, 1, 2, 1};
    floats x = random_numbers(4 * 192, 3, -1, 1);
    dirac_sgd *sgd;
    ok(dirac_sgd_create(&sgd, net));
    ok(dirac_sgd_set_momentum(sgd, 0.9f));
    ok(dirac_sgd_set_parameter_decay(sgd, "*", 0.01f)); /* alpha and beta too */
    for (int i = 0; i < steps; i++) {
        ok(dirac_session_forward(s, x.at, 4));
        ok(dirac_session_cross_entropy(s, labels, NULL));
        ok(dirac_session_backward(s));
        ok(dirac_sgd_step(sgd, s));
    }
    dirac_sgd_destroy(sgd);
    drop_floats(&x);
}

static int same_tensor(const dirac_net *a, const dirac_net *b, const char *name)
{
    floats x = {NULL, 0}, y = {NULL, 0};
    append_tensor(&x, a, name);
    append_tensor(&y, b, name);
    const int same = x.count == y.count && memcmp(x.at, y.at, x.count * sizeof *x.at) == 0;
    drop_floats(&x), drop_floats(&y);
    return same;
}

static void same_nets(const dirac_net *a, const dirac_net *b)
{
    floats x = {NULL, 0}, y = {NULL, 0};
    append_net(&x, a);
    append_net(&y, b);
    same_bits("nets", x, y);
    assert_int_equal(dirac_net_node_count(a), dirac_net_node_count(b));
    for (int64_t i = 0; i < dirac_net_node_count(a); i++) {
        assert_string_equal(dirac_node_name(dirac_net_node(a, i)), dirac_node_name(dirac_net_node(b, i)));
        assert_string_equal(dirac_node_kind(dirac_net_node(a, i)), dirac_node_kind(dirac_net_node(b, i)));
    }
    drop_floats(&x), drop_floats(&y);
}

static void same_logits(dirac_net *a, dirac_net *b)
{
    floats x = {NULL, 0}, y = {NULL, 0};
    append_logits(&x, a, 3, 1);
    append_logits(&y, b, 3, 1);
    same_bits("logits", x, y);
    drop_floats(&x), drop_floats(&y);
}

/* ---- clones, memory ---- */

/* A copy by `how` holds all that the net has, flags and notes included, and shares nothing. */
static void check_copy(dirac_net *(*how)(dirac_net *net))
{
    dirac_net *net = body_and_head(context, "head", 3);
    dirac_session *s = open_session(net, DIRAC_TRAIN, 4);
    train(net, s, 2);
    dirac_session_destroy(s);
    ok(dirac_net_set_trainable(net, "body.alpha", 0));
    ok(dirac_node_set_frozen(dirac_net_find(net, "batch_norm"), 1));
    ok(dirac_net_set_note(net, "classes", "cat\ndog"));
    dirac_net *copy = how(net), *second = how(net);
    assert_string_equal(dirac_net_note(copy, "classes"), "cat\ndog");
    same_nets(net, copy);
    same_logits(net, copy);
    s = open_session(copy, DIRAC_TRAIN, 4);
    train(copy, s, 2);
    dirac_session_destroy(s);
    same_nets(net, second); /* training the copy changed it alone... */
    assert_true(same_tensor(net, copy, "body.alpha"));      /* ...but what cannot be trained... */
    assert_true(same_tensor(net, copy, "batch_norm.running_mean")); /* ...or is frozen */
    assert_false(same_tensor(net, copy, "body.weight"));
    assert_false(same_tensor(net, copy, "batch_norm.weight"));
    ok(dirac_net_set_note(copy, "classes", NULL));
    assert_string_equal(dirac_net_note(net, "classes"), "cat\ndog");
    s = open_session(net, DIRAC_TRAIN, 4);
    train(net, s, 2);
    dirac_session_destroy(s);
    same_nets(net, copy); /* and the original goes the same way when it is trained the same */
    dirac_net_destroy(net);
    same_logits(copy, copy);
    dirac_net_destroy(copy), dirac_net_destroy(second);
}

static dirac_net *by_clone(dirac_net *net)
{
    dirac_net *copy;
    ok(dirac_net_clone(&copy, net));
    return copy;
}

static dirac_net *by_memory(dirac_net *net)
{
    dirac_net *copy;
    void *data;
    size_t size;
    ok(dirac_net_save_memory(net, &data, &size));
    ok(dirac_net_load_memory(&copy, context, data, size));
    memset(data, 0, size); /* not kept */
    dirac_buffer_free(context, data, size);
    return copy;
}

static void test_clone(void **state)
{
    (void)state;
    check_copy(by_clone);
}

static void test_save_to_memory(void **state)
{
    (void)state;
    check_copy(by_memory);
}

/* ---- what is trained ---- */

static void test_trainable_flags(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) { /* before and after the session's prepare */
        dirac_net *net = body_and_head(context, "head", 3), *before;
        dirac_session *s = late ? open_session(net, DIRAC_TRAIN, 4) : NULL;
        ok(dirac_net_clone(&before, net));
        ok(dirac_net_set_trainable(net, "*.alpha", 0));
        ok(dirac_net_set_trainable(net, "head.weight", 0));
        ok(dirac_net_set_trainable(net, "b*y.be*", 0));
        if (!late)
            s = open_session(net, DIRAC_TRAIN, 4);
        train(net, s, 3);
        for (int64_t i = 0; i < dirac_net_tensor_count(net); i++) {
            const char *name = dirac_net_tensor_name(net, i);
            const int fixed = strcmp(name, "body.alpha") == 0 || strcmp(name, "body.beta") == 0 ||
                              strcmp(name, "head.weight") == 0;
            assert_int_equal(same_tensor(net, before, name), fixed);
        }
        dirac_session_destroy(s);
        ok(dirac_net_set_trainable(net, "*", 1));
        s = open_session(net, DIRAC_TRAIN, 4);
        train(net, s, 1);
        assert_false(same_tensor(net, before, "head.weight"));
        dirac_session_destroy(s);
        dirac_net_destroy(net), dirac_net_destroy(before);
    }
}

/* What cannot be trained has no gradient, and what is behind it alone is not worked out; the rest is as ever. */
static void test_gradients_of_the_rest(void **state)
{
    (void)state;
    const int32_t labels[4] = {0, 1, 2, 1};
    floats x = random_numbers(4 * 192, 3, -1, 1);
    float all[2][18], none[6];
    dirac_net *net = body_and_head(context, "head", 3);
    for (int i = 0; i < 2; i++) {
        dirac_session *s = open_session(net, DIRAC_TRAIN, 4);
        ok(dirac_session_forward(s, x.at, 4));
        ok(dirac_session_cross_entropy(s, labels, NULL));
        ok(dirac_session_backward(s));
        ok(dirac_session_gradient_read(s, "head.weight", all[i], 18));
        ok(dirac_session_gradient_read(s, "body.beta", none, 6));
        for (int c = 0; c < 6; c++)
            assert_true((none[c] == 0) == (i == 1));
        dirac_session_destroy(s);
        ok(dirac_net_set_trainable(net, "body.*", 0));
        ok(dirac_net_set_trainable(net, "batch_norm.*", 0));
    }
    assert_memory_equal(all[0], all[1], sizeof all[0]);
    drop_floats(&x);
    dirac_net_destroy(net);
}

static void test_frozen_batch_norm(void **state)
{
    (void)state;
    dirac_net *net = new_net(context), *before;
    dirac_node *norm = dirac_net_batch_norm(net, dirac_net_input(net, 192));
    dirac_net_output(net, dirac_net_linear(net, norm, 3));
    ok(dirac_net_build(net));
    stir_batch_norms(net, 1, 5);
    dirac_session *s;
    ok(dirac_session_create(&s, net, DIRAC_TRAIN));
    ok(dirac_session_set_batch(s, 4));
    ok(dirac_session_keep(s, norm));
    ok(dirac_session_prepare(s));
    train(net, s, 2); /* not frozen yet: the statistics move */
    ok(dirac_net_clone(&before, net));
    ok(dirac_node_set_frozen(norm, 1));
    floats x = random_numbers(192, 4, -1, 1), mean = {NULL, 0}, var = {NULL, 0}, gamma = {NULL, 0}, beta = {NULL, 0};
    append_tensor(&mean, net, "batch_norm.running_mean");
    append_tensor(&var, net, "batch_norm.running_var");
    append_tensor(&gamma, net, "batch_norm.weight");
    append_tensor(&beta, net, "batch_norm.bias");
    ok(dirac_session_forward(s, x.at, 1)); /* a single image will do, now */
    const float *y;
    ok(dirac_session_activation(s, norm, &y, NULL));
    for (int i = 0; i < 192; i++) {
        const double scale = (double)gamma.at[i] / sqrt((double)var.at[i] + 1e-5);
        const double want = scale * ((double)x.at[i] - (double)mean.at[i]) + (double)beta.at[i];
        /* s x + t with s and t rounded once: three roundings of numbers no larger than the sum of sizes. */
        const double size = fabs(scale * (double)x.at[i]) + fabs(scale * (double)mean.at[i]) + fabs((double)beta.at[i]);
        assert_true(fabs((double)y[i] - want) <= 4 * 0x1p-24 * size);
    }
    train(net, s, 2);
    assert_true(same_tensor(net, before, "batch_norm.running_mean"));
    assert_true(same_tensor(net, before, "batch_norm.running_var"));
    assert_false(same_tensor(net, before, "batch_norm.weight")); /* these still train */
    assert_false(same_tensor(net, before, "batch_norm.bias"));
    ok(dirac_node_set_frozen(norm, 0));
    train(net, s, 1);
    assert_false(same_tensor(net, before, "batch_norm.running_mean"));
    drop_floats(&x), drop_floats(&mean), drop_floats(&var), drop_floats(&gamma), drop_floats(&beta);
    dirac_session_destroy(s);
    dirac_net_destroy(net), dirac_net_destroy(before);
}

/* ---- a new head on an old body ---- */

static void test_partial_load(void **state)
{
    (void)state;
    dirac_net *old = body_and_head(context, "head", 3), *other = body_and_head(context, "new_head", 5);
    dirac_net *wide = body_and_head(context, "head", 5), *before;
    void *data;
    size_t size;
    ok(dirac_net_initialize(old, 77));
    ok(dirac_net_save_memory(old, &data, &size));
    ok(dirac_net_clone(&before, other));
    refused(dirac_net_load_weights_memory(other, data, size, DIRAC_LOAD_STRICT), DIRAC_ERR_MISMATCH);
    message_has("head.weight");
    same_nets(other, before);
    refused(dirac_net_load_weights_memory(other, data, size, 2), DIRAC_ERR_ARGUMENT);
    ok(dirac_net_load_weights_memory(other, data, size, DIRAC_LOAD_PARTIAL));
    const char *report = dirac_net_load_report(other);
    assert_non_null(strstr(report, "missing: new_head.weight\n"));
    assert_non_null(strstr(report, "missing: new_head.bias\n"));
    assert_non_null(strstr(report, "unused: head.weight\n"));
    assert_non_null(strstr(report, "unused: head.bias\n"));
    assert_null(strstr(report, "body"));
    assert_true(same_tensor(other, old, "body.weight"));
    assert_true(same_tensor(other, before, "new_head.weight"));
    ok(dirac_net_load_weights_memory(wide, data, size, DIRAC_LOAD_PARTIAL)); /* the same name, another shape */
    report = dirac_net_load_report(wide);
    assert_non_null(strstr(report, "wrong shape: head.weight is (5, 6), in the file (3, 6)\n"));
    assert_true(same_tensor(wide, old, "body.alpha"));
    ok(dirac_net_load_weights_memory(before, data, size, DIRAC_LOAD_PARTIAL));
    ok(dirac_net_load_weights_memory(old, data, size, DIRAC_LOAD_STRICT));
    assert_string_equal(dirac_net_load_report(old), "");
    dirac_buffer_free(context, data, size);
    dirac_net_destroy(old), dirac_net_destroy(other), dirac_net_destroy(wide), dirac_net_destroy(before);
}

/* ---- promises about values, for all kernels ---- */

static dirac_net *mixed_net(dirac_context *owner)
{
    dirac_net *net = new_net(owner);
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 3, 12, 12), 9, 3);
    x = dirac_net_relu(net, dirac_net_batch_norm(net, x));
    x = dirac_net_dirac_conv2d(net, x, 17, 3);
    x = dirac_net_max_pool2d(net, dirac_net_elu(net, x), 2);
    x = dirac_net_local_response_norm(net, dirac_net_conv2d(net, x, 8, 5), 5);
    x = dirac_net_relu(net, dirac_net_linear(net, dirac_net_flatten(net, x), 33));
    dirac_net_output(net, dirac_net_softmax(net, dirac_net_dirac_linear(net, x, 10)));
    ok(dirac_net_build(net));
    return net;
}

/* An image alone, at every place of every batch, among images that are NaN: the same bits. */
static void test_logits_do_not_depend_on_the_batch(void **state)
{
    (void)state;
    enum { IMAGE = 3 * 12 * 12, BATCH = 9 };
    int variants = 0;
    for (size_t k = 0; k < KERNEL_NAMES; k++) {
        dirac_context *owner = kernels_context(kernel_names[k]);
        if (owner == NULL)
            continue;
        variants++;
        dirac_net *net = mixed_net(owner);
        dirac_session *s = open_session(net, DIRAC_INFER, BATCH);
        floats image = random_numbers(IMAGE, 1, -1, 1), batch = random_numbers(BATCH * IMAGE, 2, -1, 1),
                alone = {NULL, 0};
        ok(dirac_session_forward(s, image.at, 1));
        append_output(&alone, s);
        for (size_t i = 0; i < alone.count; i++)
            assert_true(isfinite(alone.at[i]));
        for (int64_t n = 1; n <= BATCH; n++)
            for (int64_t at = 0; at < n; at += n > 4 ? 3 : 1) {
                for (int64_t i = 0; i < BATCH * IMAGE; i++)
                    batch.at[i] = i / IMAGE % 2 ? NAN : uniform(2, (uint64_t)i, -1, 1);
                memcpy(batch.at + at * IMAGE, image.at, IMAGE * sizeof(float));
                const float *y;
                ok(dirac_session_forward(s, batch.at, n));
                ok(dirac_session_output(s, 0, &y, NULL));
                assert_memory_equal(y + at * 10, alone.at, 10 * sizeof(float));
            }
        drop_floats(&image), drop_floats(&batch), drop_floats(&alone);
        dirac_session_destroy(s);
        dirac_net_destroy(net);
        dirac_context_destroy(owner);
    }
    assert_true(variants >= 1);
}

/* Whether y is NaN exactly where a window over x (c, size) of that kernel, stride 1 and padding holds one; elsewhere
 * the largest, never the padding. Kernel 1 with `relu`: max(x, 0). */
static void check_nan(const float *x, const float *y, int64_t c, int64_t size, int64_t kernel, int64_t padding,
        int relu)
{
    const int64_t out = size + 2 * padding - kernel + 1;
    for (int64_t i = 0; i < c * out; i++) {
        float want = -INFINITY;
        for (int64_t t = 0; t < kernel; t++) {
            const int64_t p = i % out - padding + t;
            const float v = p < 0 || p >= size ? -INFINITY : x[i / out * size + p];
            want = isnan(v) || v > want ? v : want;
            if (isnan(v))
                break;
        }
        want = relu && want < 0 ? 0 : want;
        assert_true(isnan(want) ? isnan(y[i]) : y[i] == want);
    }
}

static void nan_through(dirac_context *owner, int64_t c, int64_t size, int64_t kernel, int64_t padding)
{
    for (int32_t mode = DIRAC_INFER; mode <= DIRAC_TRAIN; mode++) {
        dirac_net *net = new_net(owner);
        dirac_node *x = dirac_net_input1d(net, c, size), *pool = dirac_net_max_pool1d(net, x, kernel);
        ok(dirac_node_set_int(pool, "stride", 1));
        ok(dirac_node_set_int(pool, "padding", padding));
        dirac_node *conv = dirac_net_conv1d(net, x, c, 1);
        ok(dirac_node_set_initializer(conv, "weight", DIRAC_INIT_CONSTANT, 1, 0));
        ok(dirac_node_set_int(conv, "groups", c)); /* the identity: only its own channel's NaN comes through */
        dirac_net_output(net, dirac_net_relu(net, x));
        dirac_net_output(net, pool);
        dirac_net_output(net, dirac_net_relu(net, conv)); /* where ReLU may be fused */
        ok(dirac_net_build(net));
        dirac_session *s = open_session(net, mode, 1);
        floats values = random_numbers((size_t)(c * size), 5, -2, -1);
        for (int64_t at = 0; at <= c * size; at += 1 + c * size / 50) {
            const float *y;
            values.at[at % (c * size)] = NAN;
            values.at[(at + 2) % (c * size)] = 0.5f;
            ok(dirac_session_forward(s, values.at, 1));
            ok(dirac_session_output(s, 0, &y, NULL));
            check_nan(values.at, y, c, size, 1, 0, 1);
            ok(dirac_session_output(s, 1, &y, NULL));
            check_nan(values.at, y, c, size, kernel, padding, 0);
            ok(dirac_session_output(s, 2, &y, NULL));
            check_nan(values.at, y, c, size, 1, 0, 1);
            values.at[at % (c * size)] = -1;
            values.at[(at + 2) % (c * size)] = -1;
        }
        drop_floats(&values);
        dirac_session_destroy(s);
        dirac_net_destroy(net);
    }
}

static void test_nan_passes(void **state)
{
    (void)state;
    const int64_t channels[] = {1, 3, 7, 17, 32};
    for (size_t k = 0; k < KERNEL_NAMES; k++) {
        dirac_context *owner = kernels_context(kernel_names[k]);
        for (size_t i = 0; owner != NULL && i < sizeof channels / sizeof channels[0]; i++) {
            nan_through(owner, channels[i], 9, 3, 1);
            nan_through(owner, channels[i], 5, 2, 0);
        }
        dirac_context_destroy(owner);
    }
}

/* ---- queries ---- */

static void test_queries(void **state)
{
    (void)state;
    for (size_t k = 0; k < KERNEL_NAMES; k++) {
        dirac_context *owner = kernels_context(kernel_names[k]);
        if (owner == NULL)
            continue;
        dirac_net *net = body_and_head(owner, "head", 3);
        dirac_session *s = open_session(net, DIRAC_INFER, 2);
        size_t bytes = 0;
        int64_t cost = 0;
        ok(dirac_session_bytes(s, &bytes));
        ok(dirac_session_multiply_adds(s, &cost));
        assert_true(bytes >= (2 * 192 + 2 * 3) * sizeof(float)); /* at the least its ends */
        assert_int_equal(cost, 3 * 9 * 6 * 64 + 6 * 3);
        assert_string_equal(dirac_session_kernels(s), kernel_names[k]);
        assert_string_equal(dirac_context_kernels(owner), kernel_names[k]);
        assert_non_null(strstr(dirac_build_features(), kernel_names[k]));
        assert_int_equal(dirac_net_trained_count(net), 3 * 9 * 6 + 6 + 6 + 12 + 21);
        dirac_session_destroy(s);
        dirac_net_destroy(net);
        dirac_context_destroy(owner);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clone),
        cmocka_unit_test(test_save_to_memory),
        cmocka_unit_test(test_trainable_flags),
        cmocka_unit_test(test_gradients_of_the_rest),
        cmocka_unit_test(test_frozen_batch_norm),
        cmocka_unit_test(test_partial_load),
        cmocka_unit_test(test_logits_do_not_depend_on_the_batch),
        cmocka_unit_test(test_nan_passes),
        cmocka_unit_test(test_queries),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
