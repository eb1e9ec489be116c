/* SPDX-License-Identifier: MIT */
/* Every exported function with every pointer NULL in turn: refused with a message, answered as the header says, and
 * never a crash or a word on the standard output. symbols.sh checks that no function is left out. */
#include "support/nets.h"
#include "support/quiet.h"

static dirac_context *context;
static dirac_net *net; /* built: x (3, 4, 4) -> batch norm -> pool -> linear 3 */
static dirac_node *node;
static dirac_session *s; /* training, prepared, after a forward and a backward */
static dirac_sgd *sgd;
static dirac_dataset *set, *filled;
static dirac_batches *batches;
static dirac_checkpoint *checkpoint;
static dirac_layer_kind *kind;
static quiet watch;

static dirac_net *open_net(void)
{
    dirac_net *made;
    ok(dirac_net_create(&made, context));
    return made;
}

static int start(void **state)
{
    (void)state;
    const float image[48] = {1, 2, 3};
    const int32_t label = 1;
    if (quiet_begin(&watch) != 0)
        return -1;
    ok(dirac_context_create(&context));
    net = open_net();
    node = dirac_net_batch_norm(net, dirac_net_input2d(net, 3, 4, 4));
    dirac_net_output(net, dirac_net_linear(net, dirac_net_global_average_pool(net, node), 3));
    ok(dirac_net_build(net));
    s = open_session(net, DIRAC_TRAIN, 1);
    ok(dirac_session_forward(s, image, 1));
    ok(dirac_session_cross_entropy(s, &label, NULL));
    ok(dirac_session_backward(s));
    ok(dirac_session_forward(s, image, 1));
    ok(dirac_sgd_create(&sgd, net));
    set = make_dataset(context, 2, 3, 4, 2);
    filled = make_dataset(context, 2, 3, 4, 2);
    ok(dirac_batches_create(&batches, filled));
    ok(dirac_checkpoint_create(&checkpoint, context));
    ok(dirac_layer_kind_create(&kind, context, "mine", 1));
    return 0;
}

static int finish(void **state)
{
    (void)state;
    dirac_layer_kind_destroy(kind);
    dirac_checkpoint_destroy(checkpoint);
    dirac_batches_destroy(batches);
    dirac_dataset_destroy(set);
    dirac_dataset_destroy(filled);
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    return quiet_end(&watch) == 0 ? 0 : -1;
}

/* Leaves a message that no other call leaves. */
static void forget_message(void)
{
    refused(dirac_context_set_threads(NULL, 977), DIRAC_ERR_ARGUMENT);
}

static int has_message(void)
{
    return dirac_error_message()[0] != '\0' && strstr(dirac_error_message(), "977") == NULL;
}

/* The call gives ARGUMENT and says something of its own. */
#define null(call)                                                                                 \
    do {                                                                                           \
        forget_message();                                                                          \
        refused(call, DIRAC_ERR_ARGUMENT);                                                         \
        if (!has_message())                                                                        \
            fail_msg("%s left no message", #call);                                                 \
    } while (0)

/* The same for calls that have an out parameter: it becomes NULL. */
#define null_out(type, call)                                                                       \
    do {                                                                                           \
        type *out = (type *)(void *)&context;                                                      \
        null(call);                                                                                \
        assert_null(out);                                                                          \
    } while (0)

/* A builder without a net, and with a NULL value on a net of its own, which then cannot be built. */
#define builder(call_without_net, call)                                                            \
    do {                                                                                           \
        forget_message();                                                                          \
        assert_null(call_without_net);                                                             \
        assert_true(has_message());                                                                \
        dirac_net *open = open_net();                                                              \
        forget_message();                                                                          \
        assert_null(call);                                                                         \
        assert_true(has_message());                                                                \
        refused(dirac_net_build(open), DIRAC_ERR_ARGUMENT);                                        \
        dirac_net_destroy(open);                                                                   \
    } while (0)

/* ---- context.h, status.h, version.h ---- */

static void *some_allocate(void *user, size_t size, size_t alignment)
{
    (void)user, (void)size, (void)alignment;
    return NULL;
}

static void some_release(void *user, void *pointer, size_t size)
{
    (void)user, (void)pointer, (void)size;
}

static void test_context(void **state)
{
    (void)state;
    null(dirac_context_create(NULL));
    null(dirac_context_create_with_allocator(NULL, some_allocate, some_release, NULL));
    null_out(dirac_context, dirac_context_create_with_allocator(&out, NULL, some_release, NULL));
    null_out(dirac_context, dirac_context_create_with_allocator(&out, some_allocate, NULL, NULL));
    dirac_context_destroy(NULL);
    null(dirac_context_set_threads(NULL, 1));
    null(dirac_context_set_runner(NULL, NULL, NULL, 1));
    null(dirac_context_set_log(NULL, NULL, NULL, DIRAC_LOG_INFO));
    ok(dirac_context_set_log(context, NULL, NULL, DIRAC_LOG_INFO));
    null(dirac_context_set_progress(NULL, NULL, NULL));
    ok(dirac_context_set_progress(context, NULL, NULL));
    null(dirac_context_set_seed(NULL, 1));
    null(dirac_context_set_kernels(NULL, "scalar"));
    null(dirac_context_set_kernels(NULL, NULL));
    null(dirac_context_set_blas(NULL, 0));
    null(dirac_context_set_load_limit(NULL, 4096));
    assert_int_equal(dirac_context_threads(NULL), 0);
    assert_string_equal(dirac_context_kernels(NULL), "");
    dirac_buffer_free(NULL, NULL, 0);
    dirac_buffer_free(context, NULL, 0);
    assert_string_equal(dirac_status_name(77), "DIRAC_ERR_UNKNOWN");
    assert_string_equal(dirac_status_name(DIRAC_ERR_SHAPE), "DIRAC_ERR_SHAPE");
    assert_non_null(dirac_status_string(77));
    assert_string_equal(dirac_status_string(DIRAC_OK), "success");
    assert_non_null(dirac_error_message());
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", DIRAC_VERSION_MAJOR, DIRAC_VERSION_MINOR, DIRAC_VERSION_PATCH);
    assert_string_equal(dirac_version_string(), version);
    assert_int_equal(dirac_version_number(),
                     DIRAC_VERSION_MAJOR * 1000000 + DIRAC_VERSION_MINOR * 1000 + DIRAC_VERSION_PATCH);
    assert_int_equal(dirac_abi_version(), DIRAC_ABI_VERSION);
    assert_non_null(strstr(dirac_build_features(), "kernels:scalar"));
}

/* ---- net.h ---- */

static void test_builders(void **state)
{
    (void)state;
    builder(dirac_net_input(NULL, 3), dirac_net_relu(open, dirac_net_input(NULL, 3)));
    builder(dirac_net_input1d(NULL, 3, 4), dirac_net_relu(open, dirac_net_input1d(NULL, 3, 4)));
    builder(dirac_net_input2d(NULL, 3, 4, 4), dirac_net_relu(open, dirac_net_input2d(NULL, 3, 4, 4)));
    builder(dirac_net_input3d(NULL, 3, 4, 4, 4), dirac_net_relu(open, dirac_net_input3d(NULL, 3, 4, 4, 4)));
    builder(dirac_net_output(NULL, node), dirac_net_output(open, NULL));
    builder(dirac_net_conv1d(NULL, node, 3, 3), dirac_net_conv1d(open, NULL, 3, 3));
    builder(dirac_net_conv2d(NULL, node, 3, 3), dirac_net_conv2d(open, NULL, 3, 3));
    builder(dirac_net_conv3d(NULL, node, 3, 3), dirac_net_conv3d(open, NULL, 3, 3));
    builder(dirac_net_dirac_conv1d(NULL, node, 3, 3), dirac_net_dirac_conv1d(open, NULL, 3, 3));
    builder(dirac_net_dirac_conv2d(NULL, node, 3, 3), dirac_net_dirac_conv2d(open, NULL, 3, 3));
    builder(dirac_net_dirac_conv3d(NULL, node, 3, 3), dirac_net_dirac_conv3d(open, NULL, 3, 3));
    builder(dirac_net_linear(NULL, node, 3), dirac_net_linear(open, NULL, 3));
    builder(dirac_net_dirac_linear(NULL, node, 3), dirac_net_dirac_linear(open, NULL, 3));
    builder(dirac_net_batch_norm(NULL, node), dirac_net_batch_norm(open, NULL));
    builder(dirac_net_relu(NULL, node), dirac_net_relu(open, NULL));
    builder(dirac_net_ncrelu(NULL, node), dirac_net_ncrelu(open, NULL));
    builder(dirac_net_elu(NULL, node), dirac_net_elu(open, NULL));
    builder(dirac_net_max_pool1d(NULL, node, 2), dirac_net_max_pool1d(open, NULL, 2));
    builder(dirac_net_max_pool2d(NULL, node, 2), dirac_net_max_pool2d(open, NULL, 2));
    builder(dirac_net_max_pool3d(NULL, node, 2), dirac_net_max_pool3d(open, NULL, 2));
    builder(dirac_net_average_pool1d(NULL, node, 2), dirac_net_average_pool1d(open, NULL, 2));
    builder(dirac_net_average_pool2d(NULL, node, 2), dirac_net_average_pool2d(open, NULL, 2));
    builder(dirac_net_average_pool3d(NULL, node, 2), dirac_net_average_pool3d(open, NULL, 2));
    builder(dirac_net_global_average_pool(NULL, node), dirac_net_global_average_pool(open, NULL));
    builder(dirac_net_dropout(NULL, node, 0.5f), dirac_net_dropout(open, NULL, 0.5f));
    builder(dirac_net_local_response_norm(NULL, node, 5), dirac_net_local_response_norm(open, NULL, 5));
    builder(dirac_net_add(NULL, node, node), dirac_net_add(open, dirac_net_input(open, 3), NULL));
    builder(dirac_net_add(NULL, node, node), dirac_net_add(open, NULL, dirac_net_input(open, 3)));
    builder(dirac_net_concat(NULL, &node, 1), dirac_net_concat(open, NULL, 1));
    builder(dirac_net_concat(NULL, NULL, 1), dirac_net_concat(open, &(dirac_node *){NULL}, 1));
    builder(dirac_net_flatten(NULL, node), dirac_net_flatten(open, NULL));
    builder(dirac_net_softmax(NULL, node), dirac_net_softmax(open, NULL));
    builder(dirac_net_custom(NULL, kind, &node, 1), dirac_net_custom(open, NULL, &node, 1));
    builder(dirac_net_custom(NULL, NULL, NULL, 0), dirac_net_custom(open, kind, NULL, 1));
}

static void test_models(void **state)
{
    (void)state;
    builder(dirac_model_diracnet_cifar(NULL, node, 10, 1, 10, 2), dirac_model_diracnet_cifar(open, NULL, 10, 1, 10, 2));
    builder(dirac_model_resnet_cifar(NULL, node, 10, 1, 10, 0, 0), dirac_model_resnet_cifar(open, NULL, 10, 1, 10,
            0, 0));
    builder(dirac_model_diracnet_imagenet(NULL, node, 18, 1, 10, 2), dirac_model_diracnet_imagenet(open, NULL, 18,
            1, 10, 2));
    builder(dirac_model_resnet_imagenet(NULL, node, 18, 1, 10, 0), dirac_model_resnet_imagenet(open, NULL, 18, 1,
            10, 0));
    builder(dirac_model_vgg16_cifar(NULL, node, 10), dirac_model_vgg16_cifar(open, NULL, 10));
    builder(dirac_model_vgg16_imagenet(NULL, node, 10), dirac_model_vgg16_imagenet(open, NULL, 10));
    builder(dirac_model_vgg_cnn_s(NULL, node, 10), dirac_model_vgg_cnn_s(open, NULL, 10));
    builder(dirac_model_nin(NULL, node, 10), dirac_model_nin(open, NULL, 10));
    builder(dirac_model_elu(NULL, node, 10), dirac_model_elu(open, NULL, 10));
}

/* A setter of an open node that is given a NULL: refused, and it sticks. */
#define node_setter(call)                                                                          \
    do {                                                                                           \
        dirac_net *open = open_net();                                                              \
        dirac_node *x = dirac_net_conv2d(open, dirac_net_input2d(open, 3, 4, 4), 3, 3);            \
        dirac_net_output(open, x);                                                                 \
        null(call);                                                                                \
        refused(dirac_net_build(open), DIRAC_ERR_ARGUMENT);                                        \
        dirac_net_destroy(open);                                                                   \
    } while (0)

static void test_nodes(void **state)
{
    (void)state;
    const int64_t two[2] = {1, 1};
    int64_t ints[4];
    int32_t count;
    double real;
    float single;
    null(dirac_node_set_name(NULL, "x"));
    node_setter(dirac_node_set_name(x, NULL));
    null(dirac_node_set_int(NULL, "stride", 1));
    node_setter(dirac_node_set_int(x, NULL, 1));
    null(dirac_node_set_ints(NULL, "stride", two, 2));
    node_setter(dirac_node_set_ints(x, NULL, two, 2));
    node_setter(dirac_node_set_ints(x, "stride", NULL, 2));
    null(dirac_node_set_float(NULL, "epsilon", 1));
    node_setter(dirac_node_set_float(x, NULL, 1));
    null(dirac_node_set_initializer(NULL, "weight", DIRAC_INIT_ZEROS, 0, 0));
    node_setter(dirac_node_set_initializer(x, NULL, DIRAC_INIT_ZEROS, 0, 0));
    null(dirac_node_share_parameters(NULL, node));
    node_setter(dirac_node_share_parameters(x, NULL));
    null(dirac_node_set_frozen(NULL, 1));
    assert_string_equal(dirac_node_name(NULL), "");
    assert_string_equal(dirac_node_kind(NULL), "");
    assert_int_equal(dirac_node_input_count(NULL), 0);
    assert_null(dirac_node_input(NULL, 0));
    null(dirac_node_shape(NULL, ints, &count));
    null(dirac_node_shape(node, NULL, &count));
    null(dirac_node_shape(node, ints, NULL));
    null(dirac_node_get_int(NULL, "frozen", ints));
    null(dirac_node_get_int(node, NULL, ints));
    null(dirac_node_get_int(node, "frozen", NULL));
    null(dirac_node_get_ints(NULL, "frozen", ints, &count));
    null(dirac_node_get_ints(node, NULL, ints, &count));
    null(dirac_node_get_ints(node, "frozen", NULL, &count));
    null(dirac_node_get_ints(node, "frozen", ints, NULL));
    null(dirac_node_get_float(NULL, "epsilon", &real));
    null(dirac_node_get_float(node, NULL, &real));
    null(dirac_node_get_float(node, "epsilon", NULL));
    null(dirac_node_filters(NULL, DIRAC_FILTER_NORM, &single, 3));
    null(dirac_node_filters(dirac_net_find(net, "linear"), DIRAC_FILTER_NORM, NULL, 3));
    null(dirac_node_filter_summary(NULL, DIRAC_FILTER_NORM, &real, &real, &real, ints));
    ok(dirac_node_filter_summary(dirac_net_find(net, "linear"), DIRAC_FILTER_NORM, NULL, NULL, NULL, NULL));
    assert_int_equal(dirac_node_trained_count(NULL), 0);
    assert_int_equal(dirac_node_multiply_adds(NULL), 0);
}

static void test_nets(void **state)
{
    (void)state;
    float values[3];
    int64_t dims[DIRAC_MAX_RANK];
    null(dirac_net_create(NULL, context));
    null_out(dirac_net, dirac_net_create(&out, NULL));
    dirac_net_destroy(NULL);
    null(dirac_net_set_seed(NULL, 1));
    null(dirac_net_build(NULL));
    null(dirac_net_clone(NULL, net));
    null_out(dirac_net, dirac_net_clone(&out, NULL));
    null(dirac_net_fold(NULL, net));
    null_out(dirac_net, dirac_net_fold(&out, NULL));
    null(dirac_net_compare(NULL, net, values, 1, NULL, NULL, NULL));
    null(dirac_net_compare(net, NULL, values, 1, NULL, NULL, NULL));
    null(dirac_net_compare(net, net, NULL, 1, NULL, NULL, NULL));
    null(dirac_net_push_scope(NULL, "a"));
    node_setter(dirac_net_push_scope(x == NULL ? NULL : open, NULL));
    null(dirac_net_pop_scope(NULL));
    assert_int_equal(dirac_net_node_count(NULL), 0);
    assert_null(dirac_net_node(NULL, 0));
    assert_null(dirac_net_find(NULL, "linear"));
    assert_null(dirac_net_find(net, NULL));
    assert_int_equal(dirac_net_input_count(NULL), 0);
    assert_null(dirac_net_input_node(NULL, 0));
    assert_int_equal(dirac_net_output_count(NULL), 0);
    assert_null(dirac_net_output_node(NULL, 0));
    assert_int_equal(dirac_net_tensor_count(NULL), 0);
    assert_null(dirac_net_tensor_name(NULL, 0));
    null(dirac_net_tensor_shape(NULL, "linear.bias", dims, NULL, NULL));
    null(dirac_net_tensor_shape(net, NULL, dims, NULL, NULL));
    null(dirac_net_tensor_shape(net, "linear.bias", NULL, NULL, NULL));
    null(dirac_net_tensor_read(NULL, "linear.bias", values, 3));
    null(dirac_net_tensor_read(net, NULL, values, 3));
    null(dirac_net_tensor_read(net, "linear.bias", NULL, 3));
    null(dirac_net_tensor_write(NULL, "linear.bias", values, 3));
    null(dirac_net_tensor_write(net, NULL, values, 3));
    null(dirac_net_tensor_write(net, "linear.bias", NULL, 3));
    null(dirac_net_initialize(NULL, 1));
    null(dirac_net_set_trainable(NULL, "*", 0));
    null(dirac_net_set_trainable(net, NULL, 0));
    assert_int_equal(dirac_net_trained_count(NULL), 0);
    assert_int_equal(dirac_net_multiply_adds(NULL), 0);
    assert_true(dirac_net_version(NULL) == 0);
    null(dirac_net_set_note(NULL, "key", "value"));
    null(dirac_net_set_note(net, NULL, "value"));
    assert_null(dirac_net_note(NULL, "key"));
    assert_null(dirac_net_note(net, NULL));
}

/* ---- session.h, sgd.h ---- */

static void test_sessions(void **state)
{
    (void)state;
    dirac_session *open;
    const float *values;
    float numbers[48], *all;
    const int32_t label = 0;
    const int64_t size[2] = {4, 4};
    int64_t count, dims[4];
    int32_t rank;
    size_t bytes;
    ok(dirac_session_create(&open, net, DIRAC_TRAIN));
    null(dirac_session_create(NULL, net, DIRAC_TRAIN));
    null_out(dirac_session, dirac_session_create(&out, NULL, DIRAC_TRAIN));
    dirac_session_destroy(NULL);
    null(dirac_session_set_batch(NULL, 1));
    null(dirac_session_set_input_size(NULL, 0, size, 2));
    null(dirac_session_set_input_size(open, 0, NULL, 2));
    null(dirac_session_keep(NULL, node));
    null(dirac_session_keep(open, NULL));
    null(dirac_session_set_input_gradients(NULL, 1));
    null(dirac_session_set_seed(NULL, 1));
    null(dirac_session_set_strict(NULL, 1));
    null(dirac_session_set_lean(NULL, 1));
    null(dirac_session_bytes(NULL, &bytes));
    null(dirac_session_bytes(open, NULL));
    null(dirac_session_prepare(NULL));
    null(dirac_session_forward(NULL, numbers, 1));
    null(dirac_session_forward(s, NULL, 1));
    null(dirac_session_forward_inputs(NULL, &values, 1, 1));
    null(dirac_session_forward_inputs(s, NULL, 1, 1));
    null(dirac_session_forward_inputs(s, &(const float *){NULL}, 1, 1));
    null(dirac_session_output(NULL, 0, &values, NULL));
    null(dirac_session_output(s, 0, NULL, &bytes));
    null(dirac_session_activation(NULL, node, &values, NULL));
    null(dirac_session_activation(s, NULL, &values, NULL));
    null(dirac_session_activation(s, node, NULL, NULL));
    null(dirac_session_set_label_smoothing(NULL, 0));
    null(dirac_session_set_class_weights(NULL, numbers, 3));
    ok(dirac_session_set_class_weights(s, NULL, 0));
    null(dirac_session_cross_entropy(NULL, &label, numbers));
    null(dirac_session_cross_entropy(s, NULL, numbers));
    null(dirac_session_cross_entropy_soft(NULL, numbers, numbers));
    null(dirac_session_cross_entropy_soft(s, NULL, numbers));
    null(dirac_session_count_correct(NULL, &label, &count));
    null(dirac_session_count_correct(s, NULL, &count));
    null(dirac_session_count_correct(s, &label, NULL));
    null(dirac_session_evaluate(NULL, batches, NULL, NULL, NULL, NULL));
    null(dirac_session_evaluate(s, NULL, NULL, NULL, NULL, NULL));
    null(dirac_session_set_output_gradient(NULL, 0, numbers, 3));
    null(dirac_session_set_output_gradient(s, 0, NULL, 3));
    null(dirac_session_backward(NULL));
    null(dirac_session_clear_gradients(NULL));
    null(dirac_session_gradients(NULL, &all, NULL));
    null(dirac_session_gradients(s, NULL, NULL));
    null(dirac_session_gradient_read(NULL, "linear.bias", numbers, 3));
    null(dirac_session_gradient_read(s, NULL, numbers, 3));
    null(dirac_session_gradient_read(s, "linear.bias", NULL, 3));
    null(dirac_session_add_gradients(NULL, s));
    null(dirac_session_add_gradients(s, NULL));
    null(dirac_session_input_gradient(NULL, 0, &values, NULL));
    null(dirac_session_input_gradient(s, 0, NULL, NULL));
    null(dirac_session_commit_statistics(NULL));
    null(dirac_session_check_gradients(NULL, numbers, 1, 1, 0, NULL));
    null(dirac_session_check_gradients(s, NULL, 1, 1, 0, NULL));
    null(dirac_session_set_net(NULL, net));
    null(dirac_session_set_net(s, NULL));
    null(dirac_session_shape(NULL, node, dims, &rank));
    null(dirac_session_shape(s, NULL, dims, &rank));
    null(dirac_session_shape(s, node, NULL, &rank));
    null(dirac_session_shape(s, node, dims, NULL));
    assert_int_equal(dirac_session_batch(NULL), 0);
    null(dirac_session_multiply_adds(NULL, &count));
    null(dirac_session_multiply_adds(s, NULL));
    assert_string_equal(dirac_session_kernels(NULL), "");
    dirac_session_destroy(open);
}

static void test_sgd(void **state)
{
    (void)state;
    float values[3];
    int64_t steps;
    const int64_t at = 3;
    null(dirac_sgd_create(NULL, net));
    null_out(dirac_sgd, dirac_sgd_create(&out, NULL));
    dirac_sgd_destroy(NULL);
    null(dirac_sgd_set_learning_rate(NULL, 0.1f));
    null(dirac_sgd_set_momentum(NULL, 0.1f));
    null(dirac_sgd_set_nesterov(NULL, 1));
    null(dirac_sgd_set_weight_decay(NULL, 0.1f));
    null(dirac_sgd_set_parameter_decay(NULL, "*", 0.1f));
    null(dirac_sgd_set_parameter_decay(sgd, NULL, 0.1f));
    null(dirac_sgd_set_parameter_rate(NULL, "*", 0.1f));
    null(dirac_sgd_set_parameter_rate(sgd, NULL, 0.1f));
    null(dirac_sgd_set_clip_norm(NULL, 1));
    null(dirac_sgd_schedule_drops(NULL, &at, 1, 0.1f, 0));
    null(dirac_sgd_schedule_drops(sgd, NULL, 1, 0.1f, 0));
    null(dirac_sgd_schedule_cosine(NULL, 10, 0));
    null(dirac_sgd_schedule_warmup(NULL, 10, 0));
    null(dirac_sgd_learning_rate(NULL, values));
    null(dirac_sgd_learning_rate(sgd, NULL));
    null(dirac_sgd_steps(NULL, &steps));
    null(dirac_sgd_steps(sgd, NULL));
    null(dirac_sgd_step(NULL, s));
    null(dirac_sgd_step(sgd, NULL));
    null(dirac_sgd_epoch(NULL, s, batches, NULL, NULL, NULL, NULL));
    null(dirac_sgd_epoch(sgd, NULL, batches, NULL, NULL, NULL, NULL));
    null(dirac_sgd_epoch(sgd, s, NULL, NULL, NULL, NULL, NULL));
    null(dirac_sgd_restart_momentum(NULL));
    null(dirac_sgd_momentum_read(NULL, "linear.bias", values, 3));
    null(dirac_sgd_momentum_read(sgd, NULL, values, 3));
    null(dirac_sgd_momentum_read(sgd, "linear.bias", NULL, 3));
    null(dirac_sgd_momentum_write(NULL, "linear.bias", values, 3));
    null(dirac_sgd_momentum_write(sgd, NULL, values, 3));
    null(dirac_sgd_momentum_write(sgd, "linear.bias", NULL, 3));
}

/* ---- data.h ---- */

static int32_t some_sample(void *user, int64_t index, float *values, int32_t *label)
{
    (void)user, (void)index, (void)values, (void)label;
    return 1;
}

static void test_data(void **state)
{
    (void)state;
    const int64_t dims[1] = {3};
    const uint8_t pixels[48] = {0};
    const int32_t label = 0;
    float values[48] = {1, 1, 1};
    const float *samples;
    const int32_t *labels;
    int64_t room[4], n;
    int32_t rank;
    null(dirac_dataset_create_images(NULL, context, 3, 4, 4));
    null_out(dirac_dataset, dirac_dataset_create_images(&out, NULL, 3, 4, 4));
    null(dirac_dataset_create_floats(NULL, context, dims, 1));
    null_out(dirac_dataset, dirac_dataset_create_floats(&out, NULL, dims, 1));
    null_out(dirac_dataset, dirac_dataset_create_floats(&out, context, NULL, 1));
    null(dirac_dataset_create_callback(NULL, context, dims, 1, 3, some_sample, NULL));
    null_out(dirac_dataset, dirac_dataset_create_callback(&out, NULL, dims, 1, 3, some_sample, NULL));
    null_out(dirac_dataset, dirac_dataset_create_callback(&out, context, NULL, 1, 3, some_sample, NULL));
    null_out(dirac_dataset, dirac_dataset_create_callback(&out, context, dims, 1, 3, NULL, NULL));
    dirac_dataset_destroy(NULL);
    null(dirac_dataset_add_images(NULL, pixels, 0, &label, 1));
    null(dirac_dataset_add_images(set, NULL, 0, &label, 1));
    null(dirac_dataset_add_images(set, pixels, 0, NULL, 1));
    null(dirac_dataset_add_floats(NULL, values, &label, 1));
    null(dirac_dataset_add_floats(set, NULL, &label, 1));
    null(dirac_dataset_add_floats(set, values, NULL, 1));
    null(dirac_dataset_set_class_name(NULL, 0, "cat"));
    null(dirac_dataset_set_class_name(set, 0, NULL));
    null(dirac_dataset_load_cifar10(NULL, context, ".", 0));
    null_out(dirac_dataset, dirac_dataset_load_cifar10(&out, NULL, ".", 0));
    null_out(dirac_dataset, dirac_dataset_load_cifar10(&out, context, NULL, 0));
    null(dirac_dataset_load_cifar100(NULL, context, ".", 0));
    null_out(dirac_dataset, dirac_dataset_load_cifar100(&out, NULL, ".", 0));
    null_out(dirac_dataset, dirac_dataset_load_cifar100(&out, context, NULL, 0));
    null(dirac_dataset_load_idx(NULL, context, "a", "b"));
    null_out(dirac_dataset, dirac_dataset_load_idx(&out, NULL, "a", "b"));
    null_out(dirac_dataset, dirac_dataset_load_idx(&out, context, NULL, "b"));
    null_out(dirac_dataset, dirac_dataset_load_idx(&out, context, "a", NULL));
    null(dirac_dataset_load_idx_memory(NULL, context, pixels, 48, pixels, 48));
    null_out(dirac_dataset, dirac_dataset_load_idx_memory(&out, NULL, pixels, 48, pixels, 48));
    null_out(dirac_dataset, dirac_dataset_load_idx_memory(&out, context, NULL, 48, pixels, 48));
    null_out(dirac_dataset, dirac_dataset_load_idx_memory(&out, context, pixels, 48, NULL, 48));
    null(dirac_dataset_load_cifar_memory(NULL, context, pixels, 48, 10));
    null_out(dirac_dataset, dirac_dataset_load_cifar_memory(&out, NULL, pixels, 48, 10));
    null_out(dirac_dataset, dirac_dataset_load_cifar_memory(&out, context, NULL, 48, 10));
    assert_int_equal(dirac_dataset_count(NULL), 0);
    assert_int_equal(dirac_dataset_count(set), 2);
    assert_int_equal(dirac_dataset_classes(NULL), 0);
    assert_null(dirac_dataset_class_name(NULL, 0));
    assert_int_equal(dirac_dataset_label(NULL, 0), -1);
    null(dirac_dataset_shape(NULL, room, &rank));
    null(dirac_dataset_shape(set, NULL, &rank));
    null(dirac_dataset_shape(set, room, NULL));
    null(dirac_dataset_read(NULL, 0, values, 48));
    null(dirac_dataset_read(set, 0, NULL, 48));
    null(dirac_batches_create(NULL, filled));
    null_out(dirac_batches, dirac_batches_create(&out, NULL));
    dirac_batches_destroy(NULL);
    null(dirac_batches_set_size(NULL, 1));
    null(dirac_batches_set_seed(NULL, 1));
    null(dirac_batches_set_shuffle(NULL, 1));
    null(dirac_batches_set_drop_last(NULL, 1));
    null(dirac_batches_set_crop(NULL, 1, 0));
    null(dirac_batches_set_flip(NULL, 1));
    null(dirac_batches_set_normalization(NULL, values, values, 3));
    null(dirac_batches_set_normalization(batches, NULL, values, 3));
    null(dirac_batches_set_normalization(batches, values, NULL, 3));
    null(dirac_batches_set_prefetch(NULL, 1));
    null(dirac_batches_next(NULL, &samples, &labels, &n));
    null(dirac_batches_next(batches, NULL, &labels, &n));
    null(dirac_batches_next(batches, &samples, NULL, &n));
    null(dirac_batches_next(batches, &samples, &labels, NULL));
    null(dirac_batches_seek(NULL, 0, 0));
    null(dirac_batches_position(NULL, &n, &n));
    null(dirac_batches_position(batches, NULL, &n));
    null(dirac_batches_position(batches, &n, NULL));
    assert_int_equal(dirac_batches_per_epoch(NULL), 0);
}

/* ---- file.h ---- */

static void test_files(void **state)
{
    (void)state;
    void *data;
    const void *bytes;
    size_t size;
    const char *const path = "/nonexistent/model.safetensors";
    null(dirac_net_save(NULL, path));
    null(dirac_net_save(net, NULL));
    null(dirac_net_save_as(NULL, path, DIRAC_NAMES_OWN));
    null(dirac_net_save_as(net, NULL, DIRAC_NAMES_OWN));
    null(dirac_net_save_memory(NULL, &data, &size));
    null(dirac_net_save_memory(net, NULL, &size));
    null(dirac_net_save_memory(net, &data, NULL));
    null(dirac_net_load(NULL, context, path));
    null_out(dirac_net, dirac_net_load(&out, NULL, path));
    null_out(dirac_net, dirac_net_load(&out, context, NULL));
    null(dirac_net_load_memory(NULL, context, path, 8));
    null_out(dirac_net, dirac_net_load_memory(&out, NULL, path, 8));
    null_out(dirac_net, dirac_net_load_memory(&out, context, NULL, 8));
    null(dirac_net_load_weights(NULL, path, DIRAC_LOAD_STRICT));
    null(dirac_net_load_weights(net, NULL, DIRAC_LOAD_STRICT));
    null(dirac_net_load_weights_memory(NULL, path, 8, DIRAC_LOAD_STRICT));
    null(dirac_net_load_weights_memory(net, NULL, 8, DIRAC_LOAD_STRICT));
    assert_string_equal(dirac_net_load_report(NULL), "");
    assert_string_equal(dirac_net_load_report(net), "");
    null(dirac_checkpoint_create(NULL, context));
    null_out(dirac_checkpoint, dirac_checkpoint_create(&out, NULL));
    dirac_checkpoint_destroy(NULL);
    null(dirac_checkpoint_add_net(NULL, "a", net));
    null(dirac_checkpoint_add_net(checkpoint, NULL, net));
    null(dirac_checkpoint_add_net(checkpoint, "a", NULL));
    null(dirac_checkpoint_add_sgd(NULL, "a", sgd));
    null(dirac_checkpoint_add_sgd(checkpoint, NULL, sgd));
    null(dirac_checkpoint_add_sgd(checkpoint, "a", NULL));
    null(dirac_checkpoint_add_session(NULL, "a", s));
    null(dirac_checkpoint_add_session(checkpoint, NULL, s));
    null(dirac_checkpoint_add_session(checkpoint, "a", NULL));
    null(dirac_checkpoint_add_batches(NULL, "a", batches));
    null(dirac_checkpoint_add_batches(checkpoint, NULL, batches));
    null(dirac_checkpoint_add_batches(checkpoint, "a", NULL));
    null(dirac_checkpoint_set_blob(NULL, "a", "b", 1));
    null(dirac_checkpoint_set_blob(checkpoint, NULL, "b", 1));
    null(dirac_checkpoint_set_blob(checkpoint, "a", NULL, 1));
    null(dirac_checkpoint_blob(NULL, "a", &bytes, &size));
    null(dirac_checkpoint_blob(checkpoint, NULL, &bytes, &size));
    null(dirac_checkpoint_blob(checkpoint, "a", NULL, &size));
    null(dirac_checkpoint_save(NULL, path));
    null(dirac_checkpoint_save(checkpoint, NULL));
    null(dirac_checkpoint_load(NULL, path));
    null(dirac_checkpoint_load(checkpoint, NULL));
    null(dirac_checkpoint_save_memory(NULL, &data, &size));
    null(dirac_checkpoint_save_memory(checkpoint, NULL, &size));
    null(dirac_checkpoint_save_memory(checkpoint, &data, NULL));
    null(dirac_checkpoint_load_memory(NULL, path, 8));
    null(dirac_checkpoint_load_memory(checkpoint, NULL, 8));
}

/* ---- layer.h ---- */

static int32_t some_layer(void *user, dirac_layer *layer)
{
    (void)user, (void)layer;
    return 1;
}

static void test_layers(void **state)
{
    (void)state;
    int64_t dims[4] = {1, 1, 1, 1};
    int32_t rank;
    null(dirac_layer_kind_create(NULL, context, "a", 1));
    null_out(dirac_layer_kind, dirac_layer_kind_create(&out, NULL, "a", 1));
    null_out(dirac_layer_kind, dirac_layer_kind_create(&out, context, NULL, 1));
    dirac_layer_kind_destroy(NULL);
    null(dirac_layer_kind_set_user(NULL, NULL, NULL));
    ok(dirac_layer_kind_set_user(kind, NULL, NULL));
    null(dirac_layer_kind_add_float(NULL, "a", 0, 1, 0));
    null(dirac_layer_kind_add_float(kind, NULL, 0, 1, 0));
    null(dirac_layer_kind_add_int(NULL, "a", 0, 1, 0));
    null(dirac_layer_kind_add_int(kind, NULL, 0, 1, 0));
    null(dirac_layer_kind_set_setup(NULL, some_layer));
    null(dirac_layer_kind_set_setup(kind, NULL));
    null(dirac_layer_kind_set_forward(NULL, some_layer));
    null(dirac_layer_kind_set_forward(kind, NULL));
    null(dirac_layer_kind_set_backward(NULL, some_layer));
    null(dirac_layer_kind_set_backward(kind, NULL));
    null(dirac_layer_kind_register(NULL));
    assert_int_equal(dirac_layer_input_count(NULL), 0);
    null(dirac_layer_input_shape(NULL, 0, dims, &rank));
    assert_true(dirac_layer_get_float(NULL, "a") == 0);
    assert_int_equal(dirac_layer_get_int(NULL, "a"), 0);
    null(dirac_layer_set_output_shape(NULL, dims, 1));
    null(dirac_layer_add_parameter(NULL, "a", dims, 1, 0, DIRAC_INIT_ZEROS, 0, 0));
    null(dirac_layer_add_state(NULL, "a", dims, 1, 0));
    null(dirac_layer_keep(NULL, 1, 1));
    assert_int_equal(dirac_layer_batch(NULL), 0);
    assert_int_equal(dirac_layer_is_training(NULL), 0);
    assert_null(dirac_layer_input(NULL, 0));
    assert_null(dirac_layer_output(NULL));
    assert_null(dirac_layer_output_gradient(NULL));
    assert_null(dirac_layer_input_gradient(NULL, 0));
    assert_null(dirac_layer_parameter(NULL, "a"));
    assert_null(dirac_layer_parameter_gradient(NULL, "a"));
    assert_null(dirac_layer_new_state(NULL, "a"));
    assert_null(dirac_layer_kept(NULL));
    assert_int_equal(dirac_layer_kept_count(NULL), 0);
    null(dirac_layer_output_shape(NULL, dims, &rank));
    null(dirac_layer_parameter_shape(NULL, "a", dims, &rank));
}

#define quiet_test(name) cmocka_unit_test_setup_teardown(name, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        quiet_test(test_context), quiet_test(test_builders), quiet_test(test_models), quiet_test(test_nodes),
        quiet_test(test_nets), quiet_test(test_sessions), quiet_test(test_sgd), quiet_test(test_data),
        quiet_test(test_files), quiet_test(test_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
