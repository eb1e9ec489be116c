/* SPDX-License-Identifier: MIT */
/* Every public function, called to do its work, in several floating-point environments: each leaves the environment and
 * the locale as they were, flags and masks of traps included, and none traps. symbols.sh checks that none is left out. */
#include <float.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/counting_memory.h"
#include "support/watched.h"

static counting memory;
static char folder[] = "watched-XXXXXX";
static char path[64];

static dirac_context *context;
static dirac_net *net, *folded;
static dirac_session *session, *inference;
static dirac_sgd *sgd;
static dirac_dataset *set;
static dirac_batches *batches;
static dirac_checkpoint *checkpoint;
static float image[2 * 3 * 8 * 8]; /* two images */

enum { CLASSES = 4 };

static const char *at(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* ---- context ---- */

static int32_t run_all(void *user, dirac_task_fn task, void *data, int32_t count)
{
    (void)user;
    for (int32_t i = 0; i < count; i++)
        task(data, i);
    return 0;
}

static void hear(void *user, int32_t level, const char *message)
{
    (void)user, (void)level, (void)message;
}

static int32_t go_on(void *user, int64_t done, int64_t total)
{
    (void)user, (void)done, (void)total;
    return 0;
}

static void watch_context(void)
{
    dirac_context *plain;
    WATCHED(dirac_context_create(&plain));
    WATCHED(dirac_context_set_runner(plain, run_all, NULL, 2));
    WATCHED(dirac_context_set_kernels(plain, "scalar"));
    WATCH((void)dirac_context_set_blas(plain, 1)); /* UNSUPPORTED where it is not built in */
    WATCHED(dirac_context_set_blas(plain, 0));
    WATCHED(dirac_context_set_load_limit(plain, 1 << 20));
    WATCHED(dirac_context_set_seed(plain, 3));
    WATCH(dirac_context_destroy(plain));
    WATCHED(dirac_context_create_with_allocator(&context, counting_allocate, counting_release, &memory));
    WATCHED(dirac_context_set_threads(context, 2));
    WATCHED(dirac_context_set_log(context, hear, NULL, DIRAC_LOG_DEBUG));
    WATCHED(dirac_context_set_progress(context, go_on, NULL));
    WATCH((void)dirac_context_threads(context));
    WATCH((void)dirac_context_kernels(context));
    WATCHED_AS(dirac_context_set_threads(context, 0), DIRAC_ERR_ARGUMENT);
    WATCH((void)dirac_error_message());
    WATCH((void)dirac_status_name(-3));
    WATCH((void)dirac_status_string(-3));
    WATCH((void)dirac_version_string());
    WATCH((void)dirac_version_number());
    WATCH((void)dirac_abi_version());
    WATCH((void)dirac_build_features());
}

/* ---- a layer of the host's: y = p x ---- */

static size_t layer_values(const dirac_layer *layer)
{
    int64_t dims[4];
    int32_t rank;
    size_t count;
    WATCH(count = (size_t)dirac_layer_batch(layer));
    WATCHED(dirac_layer_input_shape(layer, 0, dims, &rank));
    for (int32_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    return count;
}

static int32_t set_up(void *user, dirac_layer *layer)
{
    int64_t dims[4], one = 1;
    int32_t rank;
    (void)user;
    WATCH(assert_int_equal(dirac_layer_input_count(layer), 1));
    WATCHED(dirac_layer_input_shape(layer, 0, dims, &rank));
    WATCHED(dirac_layer_set_output_shape(layer, dims, rank));
    WATCHED(dirac_layer_add_parameter(layer, "p", &one, 1, 1, DIRAC_INIT_UNIFORM, 0.1, 1.1));
    WATCHED(dirac_layer_add_state(layer, "seen", &one, 1, 0.1));
    WATCHED(dirac_layer_keep(layer, 1, 1));
    return 0;
}

static int32_t forward(void *user, dirac_layer *layer)
{
    const float *x, *p;
    float *y, *seen, *kept;
    int64_t dims[DIRAC_MAX_RANK];
    int32_t training, rank;
    const size_t count = layer_values(layer);
    (void)user;
    WATCHED(dirac_layer_output_shape(layer, dims, &rank));
    WATCHED(dirac_layer_parameter_shape(layer, "p", dims, &rank));
    WATCH((void)dirac_layer_kept_count(layer));
    WATCH(x = dirac_layer_input(layer, 0));
    WATCH(p = dirac_layer_parameter(layer, "p"));
    WATCH(y = dirac_layer_output(layer));
    WATCH(seen = dirac_layer_new_state(layer, "seen"));
    WATCH(kept = dirac_layer_kept(layer));
    WATCH(training = dirac_layer_is_training(layer));
    WATCH((void)dirac_layer_get_float(layer, "slope"));
    WATCH((void)dirac_layer_get_int(layer, "times"));
    for (size_t i = 0; i < count; i++)
        y[i] = p[0] * x[i];
    if (training)
        seen[0] += kept[0] = 1;
    return 0;
}

static int32_t backward(void *user, dirac_layer *layer)
{
    const float *dy, *x = dirac_layer_input(layer, 0), *p = dirac_layer_parameter(layer, "p");
    float *dx, *dp;
    const size_t count = layer_values(layer);
    (void)user;
    WATCH(dy = dirac_layer_output_gradient(layer));
    WATCH(dx = dirac_layer_input_gradient(layer, 0));
    WATCH(dp = dirac_layer_parameter_gradient(layer, "p"));
    for (size_t i = 0; i < count; i++) {
        dp[0] += dy[i] * x[i];
        if (dx != NULL)
            dx[i] = dy[i] * p[0];
    }
    return 0;
}

static dirac_layer_kind *watch_kind(void)
{
    dirac_layer_kind *kind;
    WATCHED(dirac_layer_kind_create(&kind, context, "mine", 1));
    WATCHED(dirac_layer_kind_set_user(kind, NULL, NULL));
    WATCHED(dirac_layer_kind_add_float(kind, "slope", 0.1, 0.7, 0.3));
    WATCHED(dirac_layer_kind_add_int(kind, "times", -1, INT64_MAX, (INT64_C(1) << 53) + 1));
    WATCHED(dirac_layer_kind_set_setup(kind, set_up));
    WATCHED(dirac_layer_kind_set_forward(kind, forward));
    WATCHED(dirac_layer_kind_set_backward(kind, backward));
    WATCHED(dirac_layer_kind_register(kind));
    return kind;
}

/* ---- building ---- */

static void watch_nodes(dirac_node *conv, dirac_node *norm, dirac_node *elu)
{
    int64_t values[4];
    int32_t count;
    double real;
    WATCHED(dirac_node_set_name(conv, "conv"));
    WATCHED(dirac_node_set_int(conv, "bias", 1));
    WATCHED(dirac_node_set_ints(conv, "stride", (const int64_t[]){1, 1}, 2));
    WATCHED(dirac_node_set_float(elu, "alpha", 0.7));
    WATCHED(dirac_node_set_initializer(conv, "weight", DIRAC_INIT_ORTHOGONAL, 1.3, 0));
    WATCHED(dirac_node_set_frozen(norm, 0));
    WATCHED(dirac_node_get_int(conv, "channels", values));
    WATCHED(dirac_node_get_ints(conv, "kernel", values, &count));
    WATCHED(dirac_node_get_float(norm, "epsilon", &real));
    WATCH((void)dirac_node_name(conv));
    WATCH((void)dirac_node_kind(conv));
    WATCH((void)dirac_node_input_count(conv));
    WATCH((void)dirac_node_input(conv, 0));
}

static dirac_node *watch_two_dimensions(dirac_layer_kind *kind)
{
    dirac_node *x, *y, *conv, *norm, *elu;
    WATCH(x = dirac_net_input2d(net, 3, 8, 8));
    WATCHED(dirac_net_push_scope(net, "body"));
    WATCH(conv = dirac_net_conv2d(net, x, 16, 3));
    WATCH(norm = dirac_net_batch_norm(net, conv));
    WATCH(elu = dirac_net_elu(net, norm));
    watch_nodes(conv, norm, elu);
    WATCHED(dirac_net_pop_scope(net));
    WATCH(y = dirac_net_dirac_conv2d(net, elu, 16, 3));
    WATCH(y = dirac_net_relu(net, y));
    WATCH(y = dirac_net_add(net, y, elu));
    WATCH(y = dirac_net_ncrelu(net, y));
    WATCH(y = dirac_net_local_response_norm(net, y, 3));
    WATCH(y = dirac_net_max_pool2d(net, y, 2));
    WATCH(y = dirac_net_average_pool2d(net, y, 2));
    WATCH(y = dirac_net_custom(net, kind, &y, 1));
    WATCH(x = dirac_net_flatten(net, y));
    WATCH(y = dirac_net_global_average_pool(net, y));
    WATCH(y = dirac_net_concat(net, (dirac_node *[]){x, y}, 2));
    WATCH(y = dirac_net_dropout(net, y, 0.3f));
    WATCH(y = dirac_net_dirac_linear(net, y, 7));
    WATCH(y = dirac_net_linear(net, y, CLASSES));
    return y;
}

static void watch_other_dimensions(void)
{
    dirac_net *other;
    dirac_node *x, *y;
    WATCHED(dirac_net_create(&other, context));
    WATCHED(dirac_net_set_seed(other, 4));
    WATCH(x = dirac_net_input(other, 4));
    WATCH(dirac_net_output(other, dirac_net_softmax(other, x)));
    WATCH(x = dirac_net_input1d(other, 2, 6));
    WATCH(y = dirac_net_conv1d(other, x, 2, 3));
    WATCH(x = dirac_net_dirac_conv1d(other, y, 2, 3));
    WATCH(x = dirac_net_conv1d(other, x, 2, 3));
    WATCHED(dirac_node_share_parameters(x, y));
    WATCH(x = dirac_net_max_pool1d(other, x, 2));
    WATCH(dirac_net_output(other, dirac_net_average_pool1d(other, x, 3)));
    WATCH(x = dirac_net_input3d(other, 1, 4, 4, 4));
    WATCH(x = dirac_net_conv3d(other, x, 2, 3));
    WATCH(x = dirac_net_dirac_conv3d(other, x, 2, 3));
    WATCH(x = dirac_net_max_pool3d(other, x, 2));
    WATCH(dirac_net_output(other, dirac_net_average_pool3d(other, x, 2)));
    WATCHED(dirac_net_build(other));
    const float *const inputs[3] = {image, image, image};
    dirac_session *s = open_session(other, DIRAC_TRAIN, 1);
    WATCHED(dirac_session_forward_inputs(s, inputs, 3, 1));
    dirac_session_destroy(s);
    WATCH(dirac_net_destroy(other));
}

static void watch_models(void)
{
    dirac_net *models;
    dirac_node *x;
    ok(dirac_net_create(&models, context));
    WATCH(x = dirac_net_input2d(models, 3, 32, 32));
    WATCH((void)dirac_model_diracnet_cifar(models, x, 10, 0.3, 10, DIRAC_FORM_NORMALIZED_DELTA));
    ok(dirac_net_push_scope(models, "a"));
    WATCH((void)dirac_model_resnet_cifar(models, x, 10, 0.3, 10, 0, DIRAC_FORM_PLAIN));
    ok(dirac_net_pop_scope(models)), ok(dirac_net_push_scope(models, "b"));
    WATCH((void)dirac_model_diracnet_imagenet(models, x, 18, 0.1, 10, DIRAC_FORM_PLAIN));
    ok(dirac_net_pop_scope(models)), ok(dirac_net_push_scope(models, "c"));
    WATCH((void)dirac_model_resnet_imagenet(models, x, 18, 0.1, 10, DIRAC_FORM_PLAIN));
    ok(dirac_net_pop_scope(models)), ok(dirac_net_push_scope(models, "d"));
    WATCH((void)dirac_model_nin(models, x, 10));
    ok(dirac_net_pop_scope(models)), ok(dirac_net_push_scope(models, "e"));
    WATCH((void)dirac_model_elu(models, x, 10));
    ok(dirac_net_pop_scope(models)), ok(dirac_net_push_scope(models, "f"));
    WATCH((void)dirac_model_vgg16_cifar(models, x, 10));
    ok(dirac_net_pop_scope(models)), ok(dirac_net_push_scope(models, "g"));
    WATCH((void)dirac_model_vgg16_imagenet(models, x, 10));
    ok(dirac_net_pop_scope(models)), ok(dirac_net_push_scope(models, "h"));
    WATCH((void)dirac_model_vgg_cnn_s(models, x, 10));
    WATCH(x = dirac_model_resnet_cifar(models, x, 10, 0.3333, 10, 0, 77)); /* a refusal puts numbers in its message */
    assert_null(x);
    dirac_net_destroy(models);
}

static void watch_net(void)
{
    dirac_node *y;
    WATCHED(dirac_net_create(&net, context));
    dirac_layer_kind *kind = watch_kind();
    y = watch_two_dimensions(kind);
    WATCH(y = dirac_net_output(net, y));
    WATCHED(dirac_net_build(net));
    WATCH(dirac_layer_kind_destroy(kind));
    int64_t dims[DIRAC_MAX_RANK];
    int32_t rank, role;
    float values[16];
    WATCHED(dirac_node_shape(y, dims, &rank));
    WATCHED(dirac_node_filters(dirac_net_find(net, "body.conv"), DIRAC_FILTER_NORM, values, 16));
    WATCHED(dirac_node_filter_summary(y, DIRAC_FILTER_IDENTITY, NULL, NULL, NULL, dims));
    WATCH((void)dirac_node_trained_count(y));
    WATCH((void)dirac_node_multiply_adds(y));
    WATCH((void)dirac_net_node_count(net));
    WATCH((void)dirac_net_node(net, 1));
    WATCH((void)dirac_net_find(net, "body.conv"));
    WATCH((void)dirac_net_input_count(net));
    WATCH((void)dirac_net_input_node(net, 0));
    WATCH((void)dirac_net_output_count(net));
    WATCH((void)dirac_net_output_node(net, 0));
    WATCH((void)dirac_net_tensor_count(net));
    WATCH((void)dirac_net_tensor_name(net, 0));
    WATCHED(dirac_net_tensor_shape(net, "body.conv.weight", dims, &rank, &role));
    WATCHED(dirac_net_tensor_read(net, "body.conv.bias", values, 16));
    WATCHED(dirac_net_tensor_write(net, "body.conv.bias", values, 16));
    WATCHED(dirac_net_set_trainable(net, "body.conv.bias", 1));
    WATCHED(dirac_net_initialize(net, 5));
    WATCH((void)dirac_net_trained_count(net));
    WATCH((void)dirac_net_multiply_adds(net));
    WATCH((void)dirac_net_version(net));
    WATCHED(dirac_net_set_note(net, "classes", "a\nb"));
    WATCH((void)dirac_net_note(net, "classes"));
}

/* ---- data ---- */

static int32_t supply(void *user, int64_t index, float *values, int32_t *label)
{
    (void)user;
    for (int i = 0; i < 4; i++)
        values[i] = (float)index;
    *label = 1;
    return 0;
}

static void watch_sets(void)
{
    dirac_dataset *other;
    const int64_t dims[1] = {4};
    const unsigned char images[20] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4};
    const unsigned char labels[9] = {0, 0, 8, 1, 0, 0, 0, 1, 3};
    static const unsigned char record[3074] = {1, 2};
    WATCHED(dirac_dataset_create_callback(&other, context, dims, 1, 5, supply, NULL));
    WATCH(dirac_dataset_destroy(other));
    WATCHED(dirac_dataset_create_floats(&other, context, dims, 1));
    WATCHED(dirac_dataset_add_floats(other, image, (const int32_t[]){0, 1}, 2));
    dirac_dataset_destroy(other);
    WATCHED(dirac_dataset_load_idx_memory(&other, context, images, sizeof images, labels, sizeof labels));
    dirac_dataset_destroy(other);
    WATCHED(dirac_dataset_load_cifar_memory(&other, context, record, sizeof record, 100));
    dirac_dataset_destroy(other);
    WATCHED_AS(dirac_dataset_load_idx(&other, context, "nowhere", "nowhere"), DIRAC_ERR_IO);
    WATCHED_AS(dirac_dataset_load_cifar10(&other, context, "nowhere", DIRAC_SPLIT_TEST), DIRAC_ERR_IO);
    WATCHED_AS(dirac_dataset_load_cifar100(&other, context, "nowhere", DIRAC_SPLIT_TEST), DIRAC_ERR_IO);
}

static void watch_data(void)
{
    static uint8_t pixels[6 * 192];
    const int32_t labels[6] = {0, 1, 2, 3, 0, 1};
    const float mean[3] = {0.1f, 100.3f, 7}, deviation[3] = {3, 0.7f, 50};
    float values[192];
    int64_t dims[4], n, epoch, batch;
    int32_t rank;
    const float *samples;
    const int32_t *got;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 37);
    WATCHED(dirac_dataset_create_images(&set, context, 3, 8, 8));
    WATCHED(dirac_dataset_add_images(set, pixels, DIRAC_LAYOUT_INTERLEAVED, labels, 6));
    WATCHED(dirac_dataset_set_class_name(set, 0, "first"));
    WATCH((void)dirac_dataset_class_name(set, 0));
    WATCH((void)dirac_dataset_count(set));
    WATCH((void)dirac_dataset_classes(set));
    WATCH((void)dirac_dataset_label(set, 2));
    WATCHED(dirac_dataset_shape(set, dims, &rank));
    WATCHED(dirac_dataset_read(set, 1, values, 192));
    WATCHED(dirac_batches_create(&batches, set));
    WATCHED(dirac_batches_set_size(batches, 2));
    WATCHED(dirac_batches_set_seed(batches, 8));
    WATCHED(dirac_batches_set_shuffle(batches, 1));
    WATCHED(dirac_batches_set_drop_last(batches, 1));
    WATCHED(dirac_batches_set_crop(batches, 1, DIRAC_PAD_REFLECT));
    WATCHED(dirac_batches_set_flip(batches, 1));
    WATCHED(dirac_batches_set_normalization(batches, mean, deviation, 3));
    WATCHED_AS(dirac_batches_set_normalization(batches, mean, (const float[]){1, -0.1f, 1}, 3), DIRAC_ERR_ARGUMENT);
    WATCHED(dirac_batches_set_prefetch(batches, 1));
    WATCHED(dirac_batches_next(batches, &samples, &got, &n));
    WATCHED(dirac_batches_seek(batches, 0, 0));
    WATCHED(dirac_batches_position(batches, &epoch, &batch));
    WATCH((void)dirac_batches_per_epoch(batches));
    memcpy(image, samples, sizeof image);
}

/* ---- training ---- */

static void watch_session(void)
{
    size_t bytes;
    int64_t dims[4], cost;
    int32_t rank;
    WATCHED(dirac_session_create(&session, net, DIRAC_TRAIN));
    WATCHED(dirac_session_set_batch(session, 2));
    WATCHED(dirac_session_set_input_size(session, 0, (const int64_t[]){8, 8}, 2));
    WATCHED(dirac_session_keep(session, dirac_net_find(net, "body.conv")));
    WATCHED(dirac_session_set_input_gradients(session, 1));
    WATCHED(dirac_session_set_seed(session, 6));
    WATCHED(dirac_session_set_strict(session, 0));
    WATCHED(dirac_session_set_lean(session, 0));
    WATCHED(dirac_session_bytes(session, &bytes));
    WATCHED(dirac_session_prepare(session));
    WATCH((void)dirac_session_batch(session));
    WATCH((void)dirac_session_kernels(session));
    WATCHED(dirac_session_multiply_adds(session, &cost));
    WATCHED(dirac_session_shape(session, dirac_net_output_node(net, 0), dims, &rank));
}

static void watch_losses(const float *x)
{
    const int32_t labels[2] = {1, 3};
    const float weights[CLASSES] = {0.1f, 1, 2, 0.3f}, targets[2 * CLASSES] = {0.1f, 0.2f, 0.3f, 0.4f, 1};
    float loss;
    int64_t correct;
    const float *values;
    size_t count;
    WATCHED(dirac_session_forward(session, x, 2));
    WATCHED(dirac_session_output(session, 0, &values, &count));
    WATCHED(dirac_session_activation(session, dirac_net_find(net, "body.conv"), &values, &count));
    WATCHED(dirac_session_set_label_smoothing(session, 0.1f));
    WATCHED_AS(dirac_session_set_label_smoothing(session, NAN), DIRAC_ERR_ARGUMENT);
    WATCHED(dirac_session_set_class_weights(session, weights, CLASSES));
    WATCHED(dirac_session_cross_entropy_soft(session, targets, &loss));
    WATCHED(dirac_session_cross_entropy(session, labels, &loss));
    WATCHED(dirac_session_count_correct(session, labels, &correct));
    WATCHED(dirac_session_backward(session));
    WATCHED(dirac_session_input_gradient(session, 0, &values, &count));
}

static void watch_gradients(void)
{
    float *gradients, bias[16];
    const float zeros[2 * CLASSES] = {0.1f};
    size_t count;
    double worst;
    WATCHED(dirac_session_gradients(session, &gradients, &count));
    WATCHED(dirac_session_gradient_read(session, "body.conv.bias", bias, 16));
    dirac_session *other = open_session(net, DIRAC_TRAIN, 2);
    WATCHED(dirac_session_forward(other, image, 2));
    WATCHED(dirac_session_set_output_gradient(other, 0, zeros, 2 * CLASSES));
    WATCHED(dirac_session_backward(other));
    WATCHED(dirac_session_add_gradients(session, other));
    WATCHED(dirac_session_clear_gradients(other));
    WATCHED(dirac_session_commit_statistics(other));
    WATCHED(dirac_session_check_gradients(other, image, 2, 1, 0, &worst));
    WATCH(dirac_session_destroy(other));
}

static void watch_sgd(void)
{
    float rate, bias[16];
    int64_t steps;
    double loss, accuracy;
    WATCHED(dirac_sgd_set_learning_rate(sgd, 0.03f));
    WATCHED_AS(dirac_sgd_set_learning_rate(sgd, NAN), DIRAC_ERR_ARGUMENT);
    WATCHED(dirac_sgd_set_momentum(sgd, 0.9f));
    WATCHED(dirac_sgd_set_nesterov(sgd, 1));
    WATCHED(dirac_sgd_set_weight_decay(sgd, 1e-4f));
    WATCHED(dirac_sgd_set_parameter_decay(sgd, "*.alpha", 0.1f));
    WATCHED(dirac_sgd_set_parameter_rate(sgd, "*.beta", 0.3f));
    WATCHED(dirac_sgd_set_clip_norm(sgd, 0.7f));
    WATCHED(dirac_sgd_schedule_drops(sgd, (const int64_t[]){1, 5}, 2, 0.3f, 1));
    WATCHED(dirac_sgd_schedule_cosine(sgd, 9, 0.001f));
    WATCHED(dirac_sgd_schedule_warmup(sgd, 7, 0.1f));
    WATCHED(dirac_sgd_learning_rate(sgd, &rate));
    WATCHED(dirac_sgd_step(sgd, session));
    WATCHED(dirac_sgd_steps(sgd, &steps));
    WATCHED(dirac_sgd_restart_momentum(sgd));
    WATCHED(dirac_sgd_momentum_read(sgd, "body.conv.bias", bias, 16));
    WATCHED(dirac_sgd_momentum_write(sgd, "body.conv.bias", bias, 16));
    WATCHED(dirac_sgd_epoch(sgd, session, batches, go_on, NULL, &loss, &accuracy));
    WATCHED(dirac_batches_seek(batches, 0, 0));
    WATCHED(dirac_session_evaluate(inference, batches, go_on, NULL, &loss, &accuracy));
}

/* Numbers that are not finite, and that leave float's range. */
static void watch_bad_numbers(void)
{
    const float bad[4] = {NAN, INFINITY, FLT_MAX, 1e-41f};
    float images[2 * 192];
    for (int i = 0; i < 4; i++) {
        memcpy(images, image, sizeof images);
        for (size_t j = 0; j < 2 * 192; j += 3)
            images[j] = bad[i];
        watch_losses(images);
        WATCH((void)dirac_sgd_step(sgd, session)); /* refused, or not: 1e-41 is a number */
        WATCHED(dirac_session_clear_gradients(session));
        WATCHED(dirac_session_forward(inference, images, 2));
    }
}

/* ---- copies and files ---- */

static void watch_files(void)
{
    dirac_net *back, *published;
    void *data;
    size_t size;
    WATCHED(dirac_net_save(net, at("net")));
    WATCHED(dirac_net_load(&back, context, at("net")));
    WATCHED(dirac_net_load_weights(back, at("net"), DIRAC_LOAD_STRICT));
    WATCHED(dirac_net_save_memory(net, &data, &size));
    WATCHED(dirac_net_load_weights_memory(back, data, size, DIRAC_LOAD_PARTIAL));
    WATCH((void)dirac_net_load_report(back));
    WATCH(dirac_net_destroy(back));
    WATCHED(dirac_net_load_memory(&back, context, data, size));
    WATCH(dirac_buffer_free(context, data, size));
    dirac_net_destroy(back);
    ok(dirac_net_create(&published, context));
    dirac_net_output(published, dirac_model_diracnet_cifar(published, dirac_net_input2d(published, 1, 4, 4), 10, 0.125, 2,
                                                           DIRAC_FORM_NORMALIZED_DELTA));
    ok(dirac_net_build(published));
    WATCHED(dirac_net_save_as(published, at("published"), DIRAC_NAMES_PUBLISHED));
    dirac_net_destroy(published);
}

static void watch_checkpoint(void)
{
    void *data;
    const void *blob;
    size_t size;
    WATCHED(dirac_checkpoint_create(&checkpoint, context));
    WATCHED(dirac_checkpoint_add_net(checkpoint, "net", net));
    WATCHED(dirac_checkpoint_add_sgd(checkpoint, "sgd", sgd));
    WATCHED(dirac_checkpoint_add_session(checkpoint, "session", session));
    WATCHED(dirac_checkpoint_add_batches(checkpoint, "batches", batches));
    WATCHED(dirac_checkpoint_set_blob(checkpoint, "blob", "bytes", 5));
    WATCHED(dirac_checkpoint_blob(checkpoint, "blob", &blob, &size));
    WATCHED(dirac_checkpoint_save(checkpoint, at("checkpoint")));
    WATCHED(dirac_checkpoint_load(checkpoint, at("checkpoint")));
    WATCHED(dirac_checkpoint_save_memory(checkpoint, &data, &size));
    WATCHED(dirac_checkpoint_load_memory(checkpoint, data, size));
    dirac_buffer_free(context, data, size);
    WATCH(dirac_checkpoint_destroy(checkpoint));
}

static void watch_copies(void)
{
    dirac_net *copy;
    double difference;
    WATCHED(dirac_net_clone(&copy, net));
    WATCHED(dirac_net_fold(&folded, net));
    WATCHED(dirac_net_compare(net, folded, image, 2, NULL, NULL, &difference));
    WATCHED(dirac_session_set_net(inference, copy));
    WATCHED(dirac_session_forward(inference, image, 2));
    dirac_net_destroy(copy);
}

/* ---- all of it, in each environment ---- */

static void watch_all(void)
{
    watch_context();
    watch_net();
    watch_other_dimensions();
    watch_models();
    watch_sets();
    watch_data();
    watch_session();
    inference = open_session(net, DIRAC_INFER, 2);
    WATCHED(dirac_sgd_create(&sgd, net));
    watch_losses(image);
    watch_gradients();
    watch_sgd();
    watch_bad_numbers();
    watch_files();
    watch_checkpoint();
    watch_copies();
    WATCH(dirac_batches_destroy(batches));
    WATCH(dirac_dataset_destroy(set));
    WATCH(dirac_sgd_destroy(sgd));
    WATCH(dirac_session_destroy(session));
    WATCH(dirac_session_destroy(inference));
    WATCH(dirac_net_destroy(folded));
    WATCH(dirac_net_destroy(net));
    WATCH(dirac_context_destroy(context));
    assert_int_equal(memory.bytes, 0);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static void test_every_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof environments / sizeof environments[0]; i++) {
        watched_environment = &environments[i];
        watch_all();
    }
}

static int remove_files(void **state)
{
    (void)state;
    unlink(at("net")), unlink(at("published")), unlink(at("checkpoint"));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_call)};
    return cmocka_run_group_tests(tests, make_folder, remove_files);
}
