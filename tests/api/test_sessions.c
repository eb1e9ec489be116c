/* SPDX-License-Identifier: MIT */
/* Sessions: their life, the memory they ask for and when, batches smaller than the batch, other input sizes, kept
 * activations, several inputs and outputs. */
#include "support/counting_memory.h"
#include "support/nets.h"

static counting memory;
static dirac_context *context;

static int make_context(void **state)
{
    (void)state;
    memset(&memory, 0, sizeof memory);
    return dirac_context_create_with_allocator(&context, counting_allocate, counting_release, &memory);
}

static int drop_context(void **state)
{
    (void)state;
    dirac_context_destroy(context);
    return memory.alive != 0 || memory.bytes != 0 || memory.wrong != 0;
}

static dirac_net *built(dirac_net *net, dirac_node *output)
{
    dirac_net_output(net, output);
    ok(dirac_net_build(net));
    return net;
}

/* Convolutions, global pool, linear: fits any size from 4 x 4 on. */
static dirac_net *convolutional(int64_t height, int64_t width)
{
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_input2d(net, 3, height, width);
    x = dirac_net_relu(net, dirac_net_batch_norm(net, dirac_net_conv2d(net, x, 8, 3)));
    x = dirac_net_max_pool2d(net, dirac_net_dirac_conv2d(net, x, 8, 3), 2);
    return built(net, dirac_net_linear(net, dirac_net_global_average_pool(net, x), 5));
}

/* ---- life ---- */

static void test_before_prepare(void **state)
{
    (void)state;
    dirac_net *net = convolutional(8, 8);
    dirac_session *s, *other = open_session(net, DIRAC_TRAIN, 2);
    dirac_sgd *sgd;
    float image[192] = {0}, *all;
    const float *values;
    const int32_t labels[2] = {0, 1};
    int64_t number;
    size_t bytes;
    ok(dirac_session_create(&s, net, DIRAC_TRAIN));
    ok(dirac_sgd_create(&sgd, net));
    assert_int_equal(dirac_session_batch(s), 1);
    refused(dirac_session_forward(s, image, 1), DIRAC_ERR_STATE);
    message_has("prepare");
    refused(dirac_session_output(s, 0, &values, NULL), DIRAC_ERR_STATE);
    refused(dirac_session_activation(s, dirac_net_node(net, 1), &values, NULL), DIRAC_ERR_STATE);
    refused(dirac_session_cross_entropy(s, labels, image), DIRAC_ERR_STATE);
    refused(dirac_session_cross_entropy_soft(s, image, image), DIRAC_ERR_STATE);
    refused(dirac_session_count_correct(s, labels, &number), DIRAC_ERR_STATE);
    refused(dirac_session_set_output_gradient(s, 0, image, 5), DIRAC_ERR_STATE);
    refused(dirac_session_backward(s), DIRAC_ERR_STATE);
    refused(dirac_session_clear_gradients(s), DIRAC_ERR_STATE);
    refused(dirac_session_gradients(s, &all, NULL), DIRAC_ERR_STATE);
    refused(dirac_session_gradient_read(s, "linear.bias", image, 5), DIRAC_ERR_STATE);
    refused(dirac_session_add_gradients(s, other), DIRAC_ERR_STATE);
    refused(dirac_session_add_gradients(other, s), DIRAC_ERR_STATE);
    refused(dirac_session_input_gradient(s, 0, &values, NULL), DIRAC_ERR_STATE);
    refused(dirac_session_commit_statistics(s), DIRAC_ERR_STATE);
    refused(dirac_session_check_gradients(s, image, 1, 1, 0, NULL), DIRAC_ERR_STATE);
    refused(dirac_session_multiply_adds(s, &number), DIRAC_ERR_STATE);
    refused(dirac_sgd_step(sgd, s), DIRAC_ERR_STATE);
    ok(dirac_session_bytes(s, &bytes)); /* and still usable */
    ok(dirac_session_prepare(s));
    ok(dirac_session_forward(s, image, 1));
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(s);
    dirac_session_destroy(other);
    dirac_net_destroy(net);
}

static void test_after_prepare(void **state)
{
    (void)state;
    const int64_t size[2] = {9, 9};
    dirac_net *net = convolutional(8, 8);
    dirac_session *s = open_session(net, DIRAC_TRAIN, 2);
    const dirac_node *node = dirac_net_node(net, 2);
    floats image = random_numbers(2 * 192, 1, -1, 1);
    const float *values;
    int64_t cost;
    refused(dirac_session_set_batch(s, 3), DIRAC_ERR_STATE);
    refused(dirac_session_set_input_size(s, 0, size, 2), DIRAC_ERR_STATE);
    refused(dirac_session_keep(s, node), DIRAC_ERR_STATE);
    refused(dirac_session_set_input_gradients(s, 1), DIRAC_ERR_STATE);
    refused(dirac_session_set_seed(s, 1), DIRAC_ERR_STATE);
    refused(dirac_session_set_strict(s, 1), DIRAC_ERR_STATE);
    refused(dirac_session_set_lean(s, 1), DIRAC_ERR_STATE);
    refused(dirac_session_prepare(s), DIRAC_ERR_STATE);
    message_has("fixed");
    refused(dirac_session_output(s, 0, &values, NULL), DIRAC_ERR_STATE); /* no forward yet */
    ok(dirac_session_forward(s, image.at, 2));
    refused(dirac_session_forward(s, image.at, 3), DIRAC_ERR_ARGUMENT);
    message_has("legal are 1 to the session's batch, 2");
    refused(dirac_session_forward(s, image.at, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_forward(s, image.at, -1), DIRAC_ERR_ARGUMENT);
    ok(dirac_session_output(s, 0, &values, NULL)); /* refused calls left the last forward alone */
    refused(dirac_session_output(s, 1, &values, NULL), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_output(s, -1, &values, NULL), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_activation(s, node, &values, NULL), DIRAC_ERR_ARGUMENT);
    message_has(dirac_node_name(node));
    ok(dirac_session_multiply_adds(s, &cost));
    assert_int_equal(cost, dirac_net_multiply_adds(net));
    assert_int_equal(dirac_session_batch(s), 2);
    assert_string_equal(dirac_session_kernels(s), dirac_context_kernels(context));
    drop_floats(&image);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

static void test_illegal_options(void **state)
{
    (void)state;
    const int64_t zero[2] = {8, 0}, legal[2] = {8, 8};
    dirac_net *net = convolutional(8, 8), *other = convolutional(8, 8), *open = new_net(context);
    dirac_session *s = NULL;
    refused(dirac_session_create(&s, net, 2), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_create(&s, net, -1), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_create(&s, open, DIRAC_INFER), DIRAC_ERR_STATE);
    assert_null(s);
    ok(dirac_session_create(&s, net, DIRAC_INFER));
    refused(dirac_session_set_batch(s, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_set_batch(s, -5), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_set_batch(s, INT64_MAX), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_set_input_size(s, 1, legal, 2), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_set_input_size(s, -1, legal, 2), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_set_input_size(s, 0, legal, 1), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_set_input_size(s, 0, legal, 3), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_set_input_size(s, 0, zero, 2), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_keep(s, dirac_net_node(other, 1)), DIRAC_ERR_ARGUMENT);
    ok(dirac_session_prepare(s)); /* none of it did harm */
    dirac_session_destroy(s);
    dirac_net_destroy(net);
    dirac_net_destroy(other);
    dirac_net_destroy(open);
}

/* ---- memory ---- */

static void test_bytes_are_what_prepare_asks_for(void **state)
{
    (void)state;
    for (int32_t mode = DIRAC_INFER; mode <= DIRAC_TRAIN; mode++) {
        dirac_net *net = convolutional(16, 16);
        dirac_session *s;
        size_t one, seven, after;
        ok(dirac_session_create(&s, net, mode));
        ok(dirac_session_bytes(s, &one));
        ok(dirac_session_set_batch(s, 7));
        ok(dirac_session_bytes(s, &seven));
        assert_true(seven > one && one > 0);
        const size_t requests = memory.requests, asked = memory.asked;
        memory.largest = 0;
        ok(dirac_session_prepare(s));
        /* One large request; the library puts up to one cache line before a block. The rest is lists of a few words for
         * each of the 9 nodes: far less than 64 KiB. */
        assert_true(memory.largest >= seven && memory.largest <= seven + 64);
        assert_true(memory.asked - asked < seven + 65536 && memory.requests > requests);
        ok(dirac_session_bytes(s, &after));
        assert_int_equal(after, seven);
        dirac_session_destroy(s);
        dirac_net_destroy(net);
    }
}

static void test_sizes_beyond_the_machine(void **state)
{
    (void)state;
    const int64_t huge[2] = {INT64_C(1) << 30, INT64_C(1) << 30};
    dirac_net *net = convolutional(8, 8);
    dirac_session *s;
    size_t bytes;
    ok(dirac_session_create(&s, net, DIRAC_TRAIN));
    ok(dirac_session_set_batch(s, INT64_C(1) << 30));
    ok(dirac_session_set_input_size(s, 0, huge, 2));
    refused(dirac_session_bytes(s, &bytes), DIRAC_ERR_LIMIT);
    refused(dirac_session_prepare(s), DIRAC_ERR_LIMIT);
    ok(dirac_session_set_batch(s, 1));
    ok(dirac_session_set_input_size(s, 0, (const int64_t[2]){8, 8}, 2));
    ok(dirac_session_prepare(s)); /* a refused prepare may be mended */
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

/* The shapes of a session's values, which another input size changes. */
static void test_shapes(void **state)
{
    (void)state;
    dirac_net *net = new_net(context), *other = convolutional(8, 8);
    dirac_node *input = dirac_net_input2d(net, 3, 8, 6);
    dirac_node *x = dirac_net_output(net, dirac_net_max_pool2d(net, dirac_net_conv2d(net, input, 5, 3), 2));
    dirac_session *s;
    int64_t dims[4];
    int32_t rank;
    ok(dirac_net_build(net));
    ok(dirac_session_create(&s, net, DIRAC_INFER));
    ok(dirac_session_set_input_size(s, 0, (const int64_t[2]){12, 10}, 2));
    refused(dirac_session_shape(s, x, dims, &rank), DIRAC_ERR_STATE);
    message_has("not prepared");
    ok(dirac_session_prepare(s));
    ok(dirac_session_shape(s, x, dims, &rank));
    assert_int_equal(rank, 3);
    assert_memory_equal(dims, ((const int64_t[3]){5, 6, 5}), 3 * sizeof *dims);
    ok(dirac_session_shape(s, input, dims, &rank));
    assert_memory_equal(dims, ((const int64_t[3]){3, 12, 10}), 3 * sizeof *dims);
    ok(dirac_node_shape(x, dims, &rank));
    assert_memory_equal(dims, ((const int64_t[3]){5, 4, 3}), 3 * sizeof *dims);
    refused(dirac_session_shape(s, dirac_net_node(other, 0), dims, &rank), DIRAC_ERR_ARGUMENT);
    message_has("another net");
    dirac_session_destroy(s);
    dirac_net_destroy(net);
    dirac_net_destroy(other);
}

/* A net with every kind of layer, two threads' worth of work included. */
static dirac_net *everything(void)
{
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 3, 16, 16), 8, 3);
    ok(dirac_node_set_int(x, "bias", 1));
    x = dirac_net_relu(net, dirac_net_batch_norm(net, x));
    dirac_node *y = dirac_net_ncrelu(net, dirac_net_dirac_conv2d(net, x, 4, 3));
    dirac_node *z = dirac_net_elu(net, dirac_net_conv2d(net, x, 8, 5));
    x = dirac_net_add(net, y, z);
    dirac_node *both[2] = {dirac_net_max_pool2d(net, x, 2), dirac_net_average_pool2d(net, x, 2)};
    x = dirac_net_local_response_norm(net, dirac_net_concat(net, both, 2), 5);
    x = dirac_net_dropout(net, dirac_net_flatten(net, x), 0.25f);
    x = dirac_net_relu(net, dirac_net_dirac_linear(net, x, 12));
    dirac_node *logits = dirac_net_linear(net, x, 4);
    dirac_net_output(net, logits);
    dirac_net_output(net, dirac_net_softmax(net, logits));
    ok(dirac_net_build(net));
    return net;
}

static void test_computing_allocates_nothing(void **state)
{
    (void)state;
    dirac_net *net = everything();
    dirac_session *train = open_session(net, DIRAC_TRAIN, 6), *infer = open_session(net, DIRAC_INFER, 6);
    dirac_sgd *sgd;
    ok(dirac_sgd_create(&sgd, net));
    ok(dirac_sgd_set_momentum(sgd, 0.9f));
    ok(dirac_sgd_set_clip_norm(sgd, 1));
    floats images = random_numbers(6 * 3 * 256, 1, -1, 1), targets = random_numbers(24, 2, 0, 1);
    const int32_t labels[6] = {0, 1, 2, 3, 0, 1};
    float loss, weight[36 * 4];
    int64_t correct;
    const float *values;
    const size_t requests = memory.requests, alive = memory.alive;
    for (int64_t n = 6; n >= 2; n -= 4) {
        ok(dirac_session_forward(infer, images.at, n));
        ok(dirac_session_cross_entropy(infer, labels, &loss));
        ok(dirac_session_count_correct(infer, labels, &correct));
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            ok(dirac_session_forward(train, images.at, n));
            ok(accumulate ? dirac_session_cross_entropy_soft(train, targets.at, &loss)
                          : dirac_session_cross_entropy(train, labels, &loss));
            ok(dirac_session_set_output_gradient(train, 1, targets.at, (size_t)n * 4));
            ok(dirac_session_backward(train));
        }
        ok(dirac_session_output(train, 0, &values, NULL));
        ok(dirac_session_gradient_read(train, "conv.bias", weight, 8));
        ok(dirac_sgd_step(sgd, train));
        ok(dirac_session_forward(train, images.at, n));
        ok(dirac_session_commit_statistics(train));
        ok(dirac_session_clear_gradients(train));
    }
    assert_int_equal(memory.requests, requests);
    assert_int_equal(memory.alive, alive);
    drop_floats(&images);
    drop_floats(&targets);
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(train);
    dirac_session_destroy(infer);
    dirac_net_destroy(net);
}

/* ---- n, and other sizes ---- */

static void test_fewer_images_than_the_batch(void **state)
{
    (void)state;
    dirac_net *net = everything();
    floats images = random_numbers(7 * 3 * 256, 1, -1, 1);
    dirac_session *seven = open_session(net, DIRAC_INFER, 7);
    ok(dirac_session_forward(seven, images.at, 7)); /* leaves values behind the first images */
    for (int64_t n = 1; n <= 7; n += 2) {
        dirac_session *exact = open_session(net, DIRAC_INFER, n);
        floats a = {NULL, 0}, b = {NULL, 0};
        ok(dirac_session_forward(exact, images.at, n));
        ok(dirac_session_forward(seven, images.at, n));
        append_output(&a, exact);
        append_output(&b, seven);
        assert_int_equal(b.count, n * 4);
        same_bits("n of a larger batch", a, b);
        drop_floats(&a);
        drop_floats(&b);
        dirac_session_destroy(exact);
    }
    drop_floats(&images);
    dirac_session_destroy(seven);
    dirac_net_destroy(net);
}

static void test_another_size(void **state)
{
    (void)state;
    const int64_t size[2] = {11, 18}, small[2] = {1, 1};
    dirac_net *net = convolutional(8, 8), *same = convolutional(11, 18); /* the same seed and names: the same values */
    dirac_session *s, *native = open_session(same, DIRAC_INFER, 2);
    floats images = random_numbers(2 * 3 * 11 * 18, 1, -1, 1), a = {NULL, 0}, b = {NULL, 0};
    int64_t cost;
    ok(dirac_session_create(&s, net, DIRAC_INFER));
    ok(dirac_session_set_batch(s, 2));
    ok(dirac_session_set_input_size(s, 0, small, 2));
    refused(dirac_session_prepare(s), DIRAC_ERR_SHAPE); /* nothing is left to pool */
    message_has("max_pool");
    ok(dirac_session_set_input_size(s, 0, size, 2));
    ok(dirac_session_keep(s, dirac_net_find(net, "batch_norm")));
    ok(dirac_session_prepare(s));
    ok(dirac_session_forward(s, images.at, 2));
    ok(dirac_session_forward(native, images.at, 2));
    append_output(&a, s);
    append_output(&b, native);
    same_bits("another size", a, b);
    const float *values;
    size_t count;
    ok(dirac_session_activation(s, dirac_net_find(net, "batch_norm"), &values, &count));
    assert_int_equal(count, 2 * 8 * 11 * 18);
    ok(dirac_session_multiply_adds(s, &cost));
    assert_int_equal(cost, dirac_net_multiply_adds(same));
    assert_int_not_equal(cost, dirac_net_multiply_adds(net));
    drop_floats(&images), drop_floats(&a), drop_floats(&b);
    dirac_session_destroy(s);
    dirac_session_destroy(native);
    dirac_net_destroy(net);
    dirac_net_destroy(same);
}

/* The parameters of a linear layer behind flatten belong to one size: another is refused, not read past their end. */
static void test_flatten_has_one_size(void **state)
{
    (void)state;
    const int64_t sizes[2][2] = {{16, 16}, {4, 4}};
    for (int32_t mode = DIRAC_INFER; mode <= DIRAC_TRAIN; mode++)
        for (int i = 0; i < 2; i++) {
            dirac_net *net = new_net(context);
            dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 3, 8, 8), 4, 3);
            built(net, dirac_net_linear(net, dirac_net_flatten(net, x), 5));
            dirac_session *s;
            size_t bytes;
            ok(dirac_session_create(&s, net, mode));
            ok(dirac_session_set_input_size(s, 0, sizes[i], 2));
            refused(dirac_session_bytes(s, &bytes), DIRAC_ERR_SHAPE);
            refused(dirac_session_prepare(s), DIRAC_ERR_SHAPE);
            message_has("linear.weight");
            message_has("(5, 256)");
            message_has(i == 0 ? "(5, 1024)" : "(5, 64)");
            dirac_session_destroy(s);
            dirac_net_destroy(net);
        }
}

/* ---- values inside ---- */

static floats kept(const dirac_session *s, const dirac_node *node)
{
    floats list = {NULL, 0};
    const float *values;
    size_t count;
    ok(dirac_session_activation(s, node, &values, &count));
    append_copy(&list, values, count);
    return list;
}

/* Keeping a value changes no other; a convolution that is kept is seen before the ReLU that would fuse into it. */
static void test_kept_activations(void **state)
{
    (void)state;
    for (int32_t mode = DIRAC_INFER; mode <= DIRAC_TRAIN; mode++) {
        dirac_net *net = new_net(context);
        dirac_node *in = dirac_net_input2d(net, 2, 5, 7), *conv = dirac_net_conv2d(net, in, 6, 3);
        dirac_node *relu = dirac_net_relu(net, conv), *end = dirac_net_linear(net,
                dirac_net_global_average_pool(net, relu), 3);
        built(net, end);
        dirac_session *plain = open_session(net, mode, 2), *s;
        ok(dirac_session_create(&s, net, mode));
        ok(dirac_session_set_batch(s, 2));
        ok(dirac_session_keep(s, in));
        ok(dirac_session_keep(s, conv));
        ok(dirac_session_keep(s, relu));
        ok(dirac_session_keep(s, end));
        ok(dirac_session_prepare(s));
        floats x = random_numbers(2 * 2 * 35, 1, -1, 1), a = {NULL, 0}, b = {NULL, 0};
        ok(dirac_session_forward(plain, x.at, 2));
        ok(dirac_session_forward(s, x.at, 2));
        append_output(&a, plain);
        append_output(&b, s);
        same_bits("output", a, b);
        floats i = kept(s, in), c = kept(s, conv), r = kept(s, relu), e = kept(s, end);
        same_bits("input", i, x);
        same_bits("output kept", e, b);
        int negative = 0;
        assert_int_equal(r.count, 2 * 6 * 35);
        for (size_t j = 0; j < r.count; j++) {
            negative += c.at[j] < 0;
            assert_true(r.at[j] == (c.at[j] > 0 ? c.at[j] : 0));
        }
        assert_true(negative > 0);
        drop_floats(&x), drop_floats(&a), drop_floats(&b), drop_floats(&i), drop_floats(&c), drop_floats(&r),
                drop_floats(&e);
        dirac_session_destroy(plain);
        dirac_session_destroy(s);
        dirac_net_destroy(net);
    }
}

static void test_inputs_and_outputs(void **state)
{
    (void)state;
    dirac_net *net = new_net(context);
    dirac_node *a = dirac_net_input2d(net, 2, 3, 3), *b = dirac_net_input2d(net, 2, 3, 3), *v = dirac_net_input(net, 4);
    dirac_node *pair[2] = {b, a};
    dirac_net_output(net, dirac_net_concat(net, pair, 2));
    dirac_net_output(net, v);
    dirac_net_output(net, dirac_net_add(net, a, b));
    ok(dirac_net_build(net));
    dirac_session *s = open_session(net, DIRAC_INFER, 3);
    floats x = random_numbers(54, 1, -1, 1), y = random_numbers(54, 2, -1, 1), z = random_numbers(12, 3, -1, 1);
    const float *inputs[3] = {x.at, y.at, z.at}, *missing[3] = {x.at, NULL, z.at}, *values;
    size_t count;
    refused(dirac_session_forward(s, x.at, 2), DIRAC_ERR_ARGUMENT);
    message_has("3 inputs");
    refused(dirac_session_forward_inputs(s, inputs, 2, 2), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_forward_inputs(s, missing, 3, 2), DIRAC_ERR_ARGUMENT);
    message_has("input 1");
    ok(dirac_session_forward_inputs(s, inputs, 3, 2));
    memset(x.at, 0xff, sizeof(float)); /* no pointer is kept, and x.at[0] was copied */
    x.at[0] = uniform(1, 0, -1, 1);
    ok(dirac_session_output(s, 0, &values, &count));
    assert_int_equal(count, 2 * 4 * 9);
    for (size_t i = 0; i < count; i++)
        assert_true(values[i] == (i % 36 < 18 ? y.at : x.at)[i / 36 * 18 + i % 18]);
    ok(dirac_session_output(s, 1, &values, &count));
    assert_int_equal(count, 8);
    assert_memory_equal(values, z.at, 8 * sizeof(float));
    ok(dirac_session_output(s, 2, &values, &count));
    assert_int_equal(count, 36);
    for (size_t i = 0; i < count; i++)
        assert_true(values[i] == x.at[i] + y.at[i]);
    drop_floats(&x), drop_floats(&y), drop_floats(&z);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

/* ---- moving to another net ---- */

static void test_set_net(void **state)
{
    (void)state;
    dirac_net *net = convolutional(8, 8), *copy, *other = everything(), *open = new_net(context);
    dirac_session *s = open_session(net, DIRAC_INFER, 2);
    floats images = random_numbers(2 * 192, 1, -1, 1), a = {NULL, 0}, b = {NULL, 0}, c = {NULL, 0};
    const float *values;
    ok(dirac_net_clone(&copy, net));
    ok(dirac_net_initialize(copy, 12));
    append_logits(&b, copy, 2, 1);
    ok(dirac_session_forward(s, images.at, 2));
    append_output(&a, s);
    refused(dirac_session_set_net(s, other), DIRAC_ERR_SHAPE);
    refused(dirac_session_set_net(s, open), DIRAC_ERR_STATE);
    ok(dirac_session_set_net(s, copy));
    dirac_net_destroy(copy); /* the session keeps it */
    refused(dirac_session_output(s, 0, &values, NULL), DIRAC_ERR_STATE);
    ok(dirac_session_forward(s, images.at, 2));
    append_output(&c, s);
    same_bits("the other net", b, c);
    assert_true(memcmp(a.at, c.at, a.count * sizeof *a.at) != 0);
    drop_floats(&images), drop_floats(&a), drop_floats(&b), drop_floats(&c);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
    dirac_net_destroy(other);
    dirac_net_destroy(open);
}

static void remember(void *user, int32_t level, const char *message)
{
    assert_int_equal(level, DIRAC_LOG_INFO);
    strncpy(user, message, 199);
}

/* The log is told what was prepared, if it wants that much. */
static void test_log(void **state)
{
    char said[200] = "", expected[64];
    size_t bytes;
    (void)state;
    for (int32_t level = DIRAC_LOG_WARNING; level <= DIRAC_LOG_INFO; level++) {
        dirac_session *s = NULL;
        dirac_net *net = convolutional(8, 8);
        assert_int_equal(dirac_context_set_log(context, remember, said, level), DIRAC_OK);
        assert_int_equal(dirac_session_create(&s, net, DIRAC_INFER), DIRAC_OK);
        assert_int_equal(dirac_session_bytes(s, &bytes), DIRAC_OK);
        assert_int_equal(dirac_session_prepare(s), DIRAC_OK);
        snprintf(expected, sizeof expected, "%zu bytes", bytes);
        assert_int_equal(strstr(said, expected) != NULL, level == DIRAC_LOG_INFO);
        dirac_session_destroy(s);
        dirac_net_destroy(net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_log, make_context, drop_context),
        cmocka_unit_test_setup_teardown(test_before_prepare, make_context, drop_context),
        cmocka_unit_test_setup_teardown(test_after_prepare, make_context, drop_context),
        cmocka_unit_test_setup_teardown(test_illegal_options, make_context, drop_context),
        cmocka_unit_test_setup_teardown(test_bytes_are_what_prepare_asks_for, make_context, drop_context),
        cmocka_unit_test_setup_teardown(test_sizes_beyond_the_machine, make_context, drop_context),
        cmocka_unit_test_setup_teardown(test_shapes, make_context, drop_context),
        cmocka_unit_test_setup_teardown(test_computing_allocates_nothing, make_context, drop_context),
        cmocka_unit_test_setup_teardown(test_fewer_images_than_the_batch, make_context, drop_context),
        cmocka_unit_test_setup_teardown(test_another_size, make_context, drop_context),
        cmocka_unit_test_setup_teardown(test_flatten_has_one_size, make_context, drop_context),
        cmocka_unit_test_setup_teardown(test_kept_activations, make_context, drop_context),
        cmocka_unit_test_setup_teardown(test_inputs_and_outputs, make_context, drop_context),
        cmocka_unit_test_setup_teardown(test_set_net, make_context, drop_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
