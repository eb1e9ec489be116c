/* SPDX-License-Identifier: MIT */
/*
 * Every setting that is a number, against the range of its header: the ends are taken and read back, one step beyond is not,
 * nor NaN, infinities and the extremes of the type where they are outside. A refusal is DIRAC_ERR_ARGUMENT, says why, and
 * leaves what was there: all settings of optimizers and batches are looked at through a checkpoint, those of the others
 * through their getters.
 */
#include <float.h>

#include "support/nets.h"

enum { CLASSES = 3, IMAGE = 2 * 4 * 4, SAMPLES = 4 };

typedef struct world {
    dirac_context *context;
    dirac_context *young; /* nothing was made on it */
    dirac_net *net;
    dirac_session *open, *train; /* not prepared; prepared, in the checkpoint */
    dirac_sgd *sgd;
    dirac_dataset *dataset, *filling;
    dirac_batches *batches;
    dirac_checkpoint *checkpoint;
} world;

/* What a checkpoint says of its handles, as text. Free it. */
static char *settings_of(const world *w)
{
    void *data;
    size_t size;
    ok(dirac_checkpoint_save_memory(w->checkpoint, &data, &size));
    char *text = malloc(size + 1);
    assert_non_null(text);
    memcpy(text, data, size);
    text[size] = '\0';
    memmove(text, text + 8, size - 7); /* behind the header's length */
    dirac_buffer_free(w->context, data, size);
    return text;
}

/* The number behind `key` among the settings of the optimizer, the first of which is the number of steps. */
static double number_behind(const world *w, const char *key)
{
    char *text = settings_of(w);
    const char *settings = strstr(text, "{\\\"steps\\\"");
    const char *at = settings == NULL ? NULL : strstr(settings, key);
    assert_non_null(at);
    const double value = strtod(at + strlen(key), NULL);
    free(text);
    return value;
}

static double setting(const world *w, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\\\"%s\\\":", name);
    return number_behind(w, key);
}

/* ---- real numbers ---- */

typedef struct real {
    const char *name;
    int32_t (*set)(world *w, double value);
    double least, most;
    const char *kept;               /* its name in a checkpoint, or NULL */
    double (*get)(const world *w);  /* or NULL */
} real;

#define SETTER(name, call) \
    static int32_t name(world *w, double value) { return call; }

SETTER(learning_rate, dirac_sgd_set_learning_rate(w->sgd, (float)value))
SETTER(momentum, dirac_sgd_set_momentum(w->sgd, (float)value))
SETTER(weight_decay, dirac_sgd_set_weight_decay(w->sgd, (float)value))
SETTER(parameter_decay, dirac_sgd_set_parameter_decay(w->sgd, "norm.weight", (float)value))
SETTER(parameter_rate, dirac_sgd_set_parameter_rate(w->sgd, "fc.*", (float)value))
SETTER(clip_norm, dirac_sgd_set_clip_norm(w->sgd, (float)value))
SETTER(drops_factor, dirac_sgd_schedule_drops(w->sgd, (const int64_t[1]){7}, 1, (float)value, 0))
SETTER(cosine_last, dirac_sgd_schedule_cosine(w->sgd, 9, (float)value))
SETTER(warmup_first, dirac_sgd_schedule_warmup(w->sgd, 0, (float)value))
SETTER(label_smoothing, dirac_session_set_label_smoothing(w->train, (float)value))
SETTER(class_weight, dirac_session_set_class_weights(w->train, (const float[3]){1, (float)value, 1}, 3))
SETTER(mean, dirac_batches_set_normalization(w->batches, (const float[2]){0, (float)value}, (const float[2]){1, 1}, 2))
SETTER(deviation, dirac_batches_set_normalization(w->batches, (const float[2]){0, 0}, (const float[2]){1, (float)value}, 2))

static double rate_next(const world *w)
{
    float rate;
    ok(dirac_sgd_learning_rate(w->sgd, &rate));
    return (double)rate;
}

/* The first rule of a checkpoint is the first trained tensor's: "norm.weight"'s are [decay, factor, started]. */
static double first_decay(const world *w)
{
    return number_behind(w, "\\\"rules\\\":[[");
}

static const real reals[] = {
    {"learning rate", learning_rate, 0, FLT_MAX, "learning_rate", rate_next},
    {"momentum", momentum, 0, 1 - 0x1p-24, "momentum", NULL},
    {"weight decay", weight_decay, 0, FLT_MAX, "weight_decay", NULL},
    {"decay of parameters", parameter_decay, 0, FLT_MAX, NULL, first_decay},
    {"rate of parameters", parameter_rate, 0, FLT_MAX, NULL, NULL},
    {"norm to clip at", clip_norm, 0, FLT_MAX, "clip_norm", NULL},
    {"factor of drops", drops_factor, 0, FLT_MAX, "factor", NULL},
    {"last rate of a cosine", cosine_last, 0, FLT_MAX, "last", NULL},
    {"first factor of a warm-up", warmup_first, 0, FLT_MAX, "first", NULL},
    {"label smoothing", label_smoothing, 0, 1, NULL, NULL},
    {"class weight", class_weight, 0, FLT_MAX, NULL, NULL},
    {"mean", mean, -(double)FLT_MAX, FLT_MAX, NULL, NULL},
    {"deviation", deviation, 0x1p-149, FLT_MAX, NULL, NULL},
};

/* The settings, and a getter's value, are as they were. */
static void refuse_real(world *w, const real *r, double value)
{
    char *before = settings_of(w);
    const double got = r->get == NULL ? 0 : r->get(w);
    if (r->set(w, value) != DIRAC_ERR_ARGUMENT)
        fail_msg("%s took %.9g", r->name, value);
    assert_true(dirac_error_message()[0] != '\0');
    char *after = settings_of(w);
    assert_string_equal(before, after);
    assert_true(r->get == NULL || r->get(w) == got);
    free(before), free(after);
}

static void take_real(world *w, const real *r, double value)
{
    if (r->set(w, value) != DIRAC_OK)
        fail_msg("%s refused %.9g: %s", r->name, value, dirac_error_message());
    if ((r->kept != NULL && (float)setting(w, r->kept) != (float)value) || /* nine digits: the same float */
        (r->get != NULL && (float)r->get(w) != (float)value))
        fail_msg("%s is not %.9g", r->name, value);
}

static void test_reals(void **state)
{
    world *w = *state;
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        const real *r = &reals[i];
        const float least = (float)r->least, most = (float)r->most;
        const double tries[] = {(double)least, (double)most, (double)nextafterf(least, -INFINITY),
                                (double)nextafterf(most, INFINITY), (double)nextafterf(least, INFINITY),
                                (double)nextafterf(most, -INFINITY), 0, -0.0, 0.5, 1, -1, 0x1p-149, -0x1p-149, FLT_MIN,
                                -FLT_MIN, FLT_MAX, -(double)FLT_MAX, (double)INFINITY, -(double)INFINITY, (double)NAN};
        for (size_t j = 0; j < sizeof tries / sizeof *tries; j++)
            if (isfinite(tries[j]) && tries[j] >= r->least && tries[j] <= r->most)
                take_real(w, r, tries[j]);
            else
                refuse_real(w, r, tries[j]);
    }
}

/* ---- whole numbers ---- */

typedef struct whole {
    const char *name;
    int32_t (*set)(world *w, int64_t value);
    int64_t least, most;
    int bits;                       /* of its type */
    const char *kept;               /* its name in a checkpoint, or NULL */
    int64_t (*get)(const world *w); /* or NULL */
} whole;

#define WHOLE(name, call) \
    static int32_t name(world *w, int64_t value) { return call; }

WHOLE(threads, dirac_context_set_threads(w->young, (int32_t)value))
WHOLE(input_gradients, dirac_session_set_input_gradients(w->open, (int32_t)value))
WHOLE(strict, dirac_session_set_strict(w->open, (int32_t)value))
WHOLE(lean, dirac_session_set_lean(w->open, (int32_t)value))
WHOLE(batch, dirac_session_set_batch(w->open, value))
WHOLE(height, dirac_session_set_input_size(w->open, 0, (const int64_t[2]){value, 4}, 2))
WHOLE(nesterov, dirac_sgd_set_nesterov(w->sgd, (int32_t)value))
WHOLE(drop, dirac_sgd_schedule_drops(w->sgd, (const int64_t[1]){value}, 1, 0.5f, 0))
WHOLE(restart, dirac_sgd_schedule_drops(w->sgd, (const int64_t[1]){5}, 1, 0.5f, (int32_t)value))
WHOLE(cosine_steps, dirac_sgd_schedule_cosine(w->sgd, value, 0.1f))
WHOLE(warmup_steps, dirac_sgd_schedule_warmup(w->sgd, value, 0.1f))
WHOLE(size, dirac_batches_set_size(w->batches, value))
WHOLE(shuffle, dirac_batches_set_shuffle(w->batches, (int32_t)value))
WHOLE(drop_last, dirac_batches_set_drop_last(w->batches, (int32_t)value))
WHOLE(crop, dirac_batches_set_crop(w->batches, value, DIRAC_PAD_ZERO))
WHOLE(reflected_crop, dirac_batches_set_crop(w->batches, value, DIRAC_PAD_REFLECT))
WHOLE(crop_mode, dirac_batches_set_crop(w->batches, 1, (int32_t)value))
WHOLE(flip, dirac_batches_set_flip(w->batches, (int32_t)value))
WHOLE(prefetch, dirac_batches_set_prefetch(w->batches, (int32_t)value))
WHOLE(epoch, dirac_batches_seek(w->batches, value, 0))
WHOLE(place, dirac_batches_seek(w->batches, 0, value))
WHOLE(trainable, dirac_net_set_trainable(w->net, "fc.*", (int32_t)value))
WHOLE(frozen, dirac_node_set_frozen(dirac_net_find(w->net, "norm"), (int32_t)value))
WHOLE(class_named, dirac_dataset_set_class_name(w->filling, (int32_t)value, "name"))
WHOLE(loading, dirac_net_load_weights_memory(w->net, "", 0, (int32_t)value) == DIRAC_ERR_FORMAT ? DIRAC_OK : DIRAC_ERR_ARGUMENT)

static int32_t run(void *user, dirac_task_fn task, void *task_data, int32_t count)
{
    (void)user, (void)task, (void)task_data, (void)count;
    return 1;
}

static void hear(void *user, int32_t level, const char *message)
{
    (void)user, (void)level, (void)message;
}

WHOLE(width, dirac_context_set_runner(w->young, run, NULL, (int32_t)value))
WHOLE(level, dirac_context_set_log(w->young, hear, NULL, (int32_t)value))

/* A build without BLAS has nothing to allow. */
static int32_t blas(world *w, int64_t value)
{
    const int32_t status = dirac_context_set_blas(w->young, (int32_t)value);
    return status == DIRAC_ERR_UNSUPPORTED && value == 1 ? DIRAC_OK : status;
}

static int32_t drops(world *w, int64_t value)
{
    int64_t at[65];
    for (int i = 0; i < 65; i++)
        at[i] = 3 * i;
    return dirac_sgd_schedule_drops(w->sgd, at, (int32_t)value, 0.5f, 0);
}

static int64_t get_threads(const world *w)
{
    return dirac_context_threads(w->young);
}

static int64_t get_batch(const world *w)
{
    return dirac_session_batch(w->open);
}

static int64_t get_frozen(const world *w)
{
    int64_t value;
    ok(dirac_node_get_int(dirac_net_find(w->net, "norm"), "frozen", &value));
    return value;
}

static int64_t get_epoch(const world *w)
{
    int64_t epochs, batches;
    ok(dirac_batches_position(w->batches, &epochs, &batches));
    return epochs;
}

static int64_t get_place(const world *w)
{
    int64_t epochs, batches;
    ok(dirac_batches_position(w->batches, &epochs, &batches));
    return batches;
}

static int64_t get_classes(const world *w)
{
    return dirac_dataset_classes(w->filling) - 1;
}

#define LARGEST ((int64_t)1 << 30)

static const whole wholes[] = {
    {"threads", threads, 1, 64, 32, NULL, get_threads},
    {"width of a runner", width, 1, 64, 32, NULL, get_threads},
    {"level of the log", level, 1, 3, 32, NULL, NULL},
    {"blas", blas, 0, 1, 32, NULL, NULL},
    {"input gradients", input_gradients, 0, 1, 32, NULL, NULL},
    {"strict", strict, 0, 1, 32, NULL, NULL},
    {"lean", lean, 0, 1, 32, NULL, NULL},
    {"batch", batch, 1, LARGEST, 64, NULL, get_batch},
    {"height", height, 1, LARGEST, 64, NULL, NULL},
    {"nesterov", nesterov, 0, 1, 32, "nesterov", NULL},
    {"step of a drop", drop, 0, INT64_MAX, 64, NULL, NULL},
    {"number of drops", drops, 0, 64, 32, NULL, NULL},
    {"restart", restart, 0, 1, 32, "restart_momentum", NULL},
    {"steps of a cosine", cosine_steps, 1, INT64_MAX, 64, "cosine_steps", NULL},
    {"steps of a warm-up", warmup_steps, 0, INT64_MAX, 64, "warmup_steps", NULL},
    {"size of a batch", size, 1, INT64_MAX, 64, NULL, NULL},
    {"shuffle", shuffle, 0, 1, 32, NULL, NULL},
    {"drop last", drop_last, 0, 1, 32, NULL, NULL},
    {"crop", crop, 0, LARGEST, 64, NULL, NULL},
    {"reflected crop", reflected_crop, 0, 3, 64, NULL, NULL},
    {"crop's mode", crop_mode, 0, 1, 32, NULL, NULL},
    {"flip", flip, 0, 1, 32, NULL, NULL},
    {"prefetch", prefetch, 0, 16, 32, NULL, NULL},
    {"batch of an epoch", place, 0, SAMPLES, 64, NULL, get_place},
    {"epoch", epoch, 0, INT64_MAX / 2, 64, NULL, get_epoch},
    {"trainable", trainable, 0, 1, 32, NULL, NULL},
    {"frozen", frozen, 0, 1, 32, NULL, get_frozen},
    {"class with a name", class_named, 0, INT32_MAX - 1, 32, NULL, NULL},
    {"mode of a load", loading, 0, 1, 32, NULL, NULL},
};

static void refuse_whole(world *w, const whole *n, int64_t value)
{
    char *before = settings_of(w);
    const int64_t got = n->get == NULL ? 0 : n->get(w), classes = get_classes(w);
    if (n->set(w, value) != DIRAC_ERR_ARGUMENT)
        fail_msg("%s took %lld", n->name, (long long)value);
    assert_true(dirac_error_message()[0] != '\0');
    char *after = settings_of(w);
    assert_string_equal(before, after);
    assert_true(n->get == NULL || n->get(w) == got);
    assert_true(get_classes(w) == classes);
    free(before), free(after);
}

static void take_whole(world *w, const whole *n, int64_t value)
{
    if (n->set(w, value) != DIRAC_OK)
        fail_msg("%s refused %lld: %s", n->name, (long long)value, dirac_error_message());
    if ((n->kept != NULL && setting(w, n->kept) != (double)value) || (n->get != NULL && n->get(w) != value))
        fail_msg("%s is not %lld", n->name, (long long)value);
}

static void test_wholes(void **state)
{
    world *w = *state;
    ok(dirac_batches_set_size(w->batches, 1)); /* SAMPLES batches an epoch */
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++) {
        const whole *n = &wholes[i];
        const int64_t low = n->bits == 32 ? INT32_MIN : INT64_MIN, high = n->bits == 32 ? INT32_MAX : INT64_MAX;
        const int64_t tries[] = {n->least, n->most, n->least > low ? n->least - 1 : low, n->most < high ? n->most + 1 : high,
                                 low, high, 0, 1, -1, 2};
        for (size_t j = 0; j < sizeof tries / sizeof *tries; j++)
            if (tries[j] >= n->least && tries[j] <= n->most)
                take_whole(w, n, tries[j]);
            else
                refuse_whole(w, n, tries[j]);
        if (n->set == size)
            ok(dirac_batches_set_size(w->batches, 1));
        if (n->set == crop || n->set == crop_mode)
            ok(dirac_batches_set_crop(w->batches, 0, DIRAC_PAD_ZERO));
    }
}

/* Any number will do. */
static void test_seeds_and_limits(void **state)
{
    world *w = *state;
    static const uint64_t seeds[] = {0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        dirac_net *net;
        ok(dirac_context_set_seed(w->young, seeds[i]));
        ok(dirac_session_set_seed(w->open, seeds[i]));
        ok(dirac_batches_set_seed(w->batches, seeds[i]));
        ok(dirac_net_initialize(w->net, seeds[i]));
        ok(dirac_net_create(&net, w->context));
        ok(dirac_net_set_seed(net, seeds[i]));
        dirac_net_destroy(net);
    }
    ok(dirac_context_set_load_limit(w->young, 4096));
    ok(dirac_context_set_load_limit(w->young, UINT64_MAX));
    refused(dirac_context_set_load_limit(w->young, 4095), DIRAC_ERR_ARGUMENT);
    refused(dirac_context_set_load_limit(w->young, 0), DIRAC_ERR_ARGUMENT);
}

/* ---- attributes of layers ---- */

typedef struct attribute {
    const char *kind, *name;
    double least, most;
    int is_real;
} attribute;

static const attribute attributes[] = {
    {"conv", "kernel", 1, 1024, 0},          {"conv", "stride", 1, 1024, 0},
    {"conv", "dilation", 1, 1024, 0},        {"conv", "padding", -1, 1024, 0},
    {"conv", "channels", 1, 1 << 30, 0},     {"conv", "groups", 1, 1 << 30, 0},
    {"conv", "bias", 0, 1, 0},               {"conv", "form", 0, 3, 0},
    {"linear", "channels", 1, 1 << 30, 0},   {"linear", "bias", 0, 1, 0},
    {"linear", "form", 0, 3, 0},             {"batch_norm", "frozen", 0, 1, 0},
    {"max_pool", "kernel", 1, 1024, 0},      {"max_pool", "ceil", 0, 1, 0},
    {"average_pool", "kernel", 1, 1024, 0},  {"average_pool", "count_padding", 0, 1, 0},
    {"response_norm", "size", 1, 4096, 0},   {"max_pool", "stride", 0, 1024, 0},
    {"batch_norm", "epsilon", 1.17549435e-38, 3.40282347e+38, 1},
    {"batch_norm", "momentum", 0, 1, 1},     {"elu", "alpha", 0, 3.40282347e+38, 1},
    {"response_norm", "alpha", 0, 3.40282347e+38, 1},
    {"response_norm", "beta", 0, 3.40282347e+38, 1},
    {"response_norm", "k", 0, 3.40282347e+38, 1},
    {"dropout", "rate", 0, 1 - 0x1p-24, 1},  {"ranged", "real", -DBL_MAX, DBL_MAX, 1},
};

static int32_t same_shape(void *user, dirac_layer *layer)
{
    int64_t dims[4];
    int32_t rank;
    (void)user;
    return dirac_layer_input_shape(layer, 0, dims, &rank) || dirac_layer_set_output_shape(layer, dims, rank);
}

/* With the widest ranges that there are. */
static dirac_layer_kind *ranged_kind(dirac_context *context)
{
    const int64_t limit = (int64_t)1 << 53; /* beyond it, double has not every number */
    dirac_layer_kind *kind;
    ok(dirac_layer_kind_create(&kind, context, "ranged", 1));
    ok(dirac_layer_kind_add_int(kind, "whole", -limit - 1, limit, limit));
    ok(dirac_layer_kind_add_int(kind, "any", INT64_MIN, INT64_MAX, INT64_MAX));
    ok(dirac_layer_kind_add_int(kind, "odd", INT64_MIN, INT64_MAX, limit + 1));
    ok(dirac_layer_kind_add_float(kind, "real", -DBL_MAX, DBL_MAX, DBL_MAX));
    refused(dirac_layer_kind_add_int(kind, "more", 0, limit, limit + 1), DIRAC_ERR_ARGUMENT);
    refused(dirac_layer_kind_add_int(kind, "more", limit + 1, INT64_MAX, limit), DIRAC_ERR_ARGUMENT);
    refused(dirac_layer_kind_add_int(kind, "more", 3, 5, 6), DIRAC_ERR_ARGUMENT);
    refused(dirac_layer_kind_add_float(kind, "more", 0, 1, (double)NAN), DIRAC_ERR_ARGUMENT);
    refused(dirac_layer_kind_add_float(kind, "more", (double)NAN, 1, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_layer_kind_add_float(kind, "more", 0, (double)NAN, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_layer_kind_add_float(kind, "more", 0, (double)INFINITY, (double)INFINITY), DIRAC_ERR_ARGUMENT);
    ok(dirac_layer_kind_set_setup(kind, same_shape));
    ok(dirac_layer_kind_set_forward(kind, same_shape));
    ok(dirac_layer_kind_register(kind));
    return kind;
}

/* A refusal sticks to the net, so that each has one of its own. */
static dirac_node *node_of(dirac_net *net, const char *kind, dirac_layer_kind *ranged)
{
    dirac_node *x = dirac_net_input2d(net, 2, 4, 4);
    return strcmp(kind, "conv") == 0            ? dirac_net_conv2d(net, x, 2, 3)
           : strcmp(kind, "linear") == 0        ? dirac_net_linear(net, x, 2)
           : strcmp(kind, "batch_norm") == 0    ? dirac_net_batch_norm(net, x)
           : strcmp(kind, "max_pool") == 0      ? dirac_net_max_pool2d(net, x, 2)
           : strcmp(kind, "average_pool") == 0  ? dirac_net_average_pool2d(net, x, 2)
           : strcmp(kind, "response_norm") == 0 ? dirac_net_local_response_norm(net, x, 5)
           : strcmp(kind, "elu") == 0           ? dirac_net_elu(net, x)
           : strcmp(kind, "dropout") == 0       ? dirac_net_dropout(net, x, 0.5f)
                                                : dirac_net_custom(net, ranged, &x, 1);
}

static void try_real(dirac_node *node, const attribute *a, double value)
{
    double before, after;
    const int legal = isfinite(value) && value >= a->least && value <= a->most;
    ok(dirac_node_get_float(node, a->name, &before));
    if (dirac_node_set_float(node, a->name, value) != (legal ? DIRAC_OK : DIRAC_ERR_ARGUMENT))
        fail_msg("%s.%s and %.17g: %s", a->kind, a->name, value, dirac_error_message());
    ok(dirac_node_get_float(node, a->name, &after));
    assert_true(after == (legal ? value : before));
}

static void try_whole(dirac_node *node, const attribute *a, int64_t value)
{
    int64_t before, after;
    const int legal = value >= (int64_t)a->least && value <= (int64_t)a->most;
    ok(dirac_node_get_int(node, a->name, &before));
    if (dirac_node_set_int(node, a->name, value) != (legal ? DIRAC_OK : DIRAC_ERR_ARGUMENT))
        fail_msg("%s.%s and %lld: %s", a->kind, a->name, (long long)value, dirac_error_message());
    ok(dirac_node_get_int(node, a->name, &after));
    assert_true(after == (legal ? value : before));
}

static void try_attribute(world *w, const attribute *a, dirac_layer_kind *ranged, int number)
{
    const double real_tries[] = {a->least, a->most, nextafter(a->least, -INFINITY), nextafter(a->most, INFINITY), 0, -0.0, 1,
                                 DBL_MAX, -DBL_MAX, 0x1p-1074, (double)INFINITY, -(double)INFINITY, (double)NAN};
    const int64_t least = a->is_real ? 0 : (int64_t)a->least, most = a->is_real ? 0 : (int64_t)a->most;
    const int64_t below = least > INT64_MIN ? least - 1 : least, above = most < INT64_MAX ? most + 1 : most;
    const int64_t tries[] = {least, most, below, above, INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX, 0, -1, 1,
                             (int64_t)1 << 32, ((int64_t)1 << 53) + 1};
    dirac_net *net;
    ok(dirac_net_create(&net, w->context));
    dirac_node *node = node_of(net, a->kind, ranged);
    assert_non_null(node);
    if (a->is_real)
        try_real(node, a, real_tries[number]);
    else
        try_whole(node, a, tries[number]);
    dirac_net_destroy(net);
}

static void test_attributes(void **state)
{
    world *w = *state;
    dirac_layer_kind *ranged = ranged_kind(w->context);
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        for (int number = 0; number < 13; number++)
            try_attribute(w, &attributes[i], ranged, number);
    dirac_layer_kind_destroy(ranged);
}

/* Ranges and defaults that double would round. */
static void test_wide_integers(void **state)
{
    world *w = *state;
    const int64_t limit = (int64_t)1 << 53;
    const struct {
        const char *name;
        int64_t value;
        int legal;
    } tries[] = {{"whole", limit, 1}, {"whole", limit + 1, 0}, {"whole", -limit - 1, 1}, {"whole", -limit - 2, 0},
                 {"any", INT64_MIN, 1}, {"any", limit + 1, 1}};
    dirac_layer_kind *ranged = ranged_kind(w->context);
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        dirac_net *net;
        int64_t value;
        ok(dirac_net_create(&net, w->context));
        dirac_node *node = node_of(net, "ranged", ranged);
        ok(dirac_node_get_int(node, "any", &value));
        assert_true(value == INT64_MAX);
        ok(dirac_node_get_int(node, "odd", &value));
        assert_true(value == limit + 1);
        refused(dirac_node_set_int(node, tries[i].name, tries[i].value), tries[i].legal ? DIRAC_OK : DIRAC_ERR_ARGUMENT);
        ok(dirac_node_get_int(node, tries[i].name, &value));
        assert_true(value == (tries[i].legal ? tries[i].value : limit));
        dirac_net_destroy(net);
    }
    dirac_layer_kind_destroy(ranged);
}

/* Sizes of inputs, the rate of a dropout as an argument, the numbers of an initialiser. */
static dirac_node *sized(dirac_net *net, int64_t size, int which)
{
    return which == 0   ? dirac_net_input(net, size)
           : which == 1 ? dirac_net_input1d(net, size, 1)
           : which == 2 ? dirac_net_input2d(net, 1, size, 1)
                        : dirac_net_input3d(net, 1, 1, 1, size);
}

static void test_arguments_of_layers(void **state)
{
    world *w = *state;
    static const int64_t sizes[] = {1, LARGEST, 0, LARGEST + 1, -1, INT64_MIN, INT64_MAX};
    const float rates[] = {0, -0.0f, 1 - 0x1p-24f, 1, -0x1p-149f, FLT_MAX, INFINITY, -INFINITY, NAN};
    const double numbers[] = {0, -0.0, DBL_MAX, -DBL_MAX, 0x1p-1074, (double)INFINITY, -(double)INFINITY, (double)NAN};
    for (size_t i = 0; i < 7 * 4 + 9 + 2 * 8; i++) {
        dirac_net *net;
        ok(dirac_net_create(&net, w->context));
        if (i < 7 * 4) {
            assert_int_equal(sized(net, sizes[i / 4], i % 4) != NULL, i / 4 < 2);
        } else if (i < 7 * 4 + 9) {
            assert_int_equal(dirac_net_dropout(net, dirac_net_input(net, 3), rates[i - 28]) != NULL, i - 28 < 3);
        } else {
            const double number = numbers[(i - 37) / 2], a = i % 2 ? number : 0, b = i % 2 ? 0 : number;
            dirac_node *node = dirac_net_linear(net, dirac_net_input(net, 3), 2);
            refused(dirac_node_set_initializer(node, "weight", DIRAC_INIT_UNIFORM, a, b),
                    isfinite(number) ? DIRAC_OK : DIRAC_ERR_ARGUMENT);
        }
        dirac_net_destroy(net);
    }
}

/* A batch far larger than the set is the set. */
static void test_largest_batch(void **state)
{
    world *w = *state;
    dirac_batches *batches;
    const float *samples;
    const int32_t *labels;
    int64_t n;
    ok(dirac_batches_create(&batches, w->dataset));
    ok(dirac_batches_set_size(batches, INT64_MAX));
    assert_int_equal(dirac_batches_per_epoch(batches), 1);
    ok(dirac_batches_next(batches, &samples, &labels, &n));
    assert_int_equal(n, SAMPLES);
    dirac_batches_destroy(batches);
}

/* ---- the world ---- */

static dirac_net *make_net(dirac_context *context)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_batch_norm(net, dirac_net_input2d(net, 2, 4, 4));
    ok(dirac_node_set_name(x, "norm"));
    x = dirac_net_linear(net, dirac_net_global_average_pool(net, x), CLASSES);
    ok(dirac_node_set_name(x, "fc"));
    dirac_net_output(net, x);
    ok(dirac_net_build(net));
    return net;
}

static int make_world(void **state)
{
    static world w;
    const int32_t labels[SAMPLES] = {0, 1, 2, 0};
    floats images = random_numbers(SAMPLES * IMAGE, 1, -1, 1);
    ok(dirac_context_create(&w.context));
    ok(dirac_context_create(&w.young));
    w.net = make_net(w.context);
    ok(dirac_session_create(&w.open, w.net, DIRAC_TRAIN));
    w.train = open_session(w.net, DIRAC_TRAIN, 2);
    ok(dirac_sgd_create(&w.sgd, w.net));
    ok(dirac_dataset_create_floats(&w.dataset, w.context, (const int64_t[3]){2, 4, 4}, 3));
    ok(dirac_dataset_add_floats(w.dataset, images.at, labels, SAMPLES));
    ok(dirac_dataset_create_floats(&w.filling, w.context, (const int64_t[3]){2, 4, 4}, 3));
    ok(dirac_batches_create(&w.batches, w.dataset));
    ok(dirac_checkpoint_create(&w.checkpoint, w.context));
    ok(dirac_checkpoint_add_net(w.checkpoint, "net", w.net));
    ok(dirac_checkpoint_add_sgd(w.checkpoint, "sgd", w.sgd));
    ok(dirac_checkpoint_add_session(w.checkpoint, "session", w.train));
    ok(dirac_checkpoint_add_batches(w.checkpoint, "batches", w.batches));
    drop_floats(&images);
    *state = &w;
    return 0;
}

static int drop_world(void **state)
{
    world *w = *state;
    dirac_checkpoint_destroy(w->checkpoint);
    dirac_batches_destroy(w->batches);
    dirac_dataset_destroy(w->dataset), dirac_dataset_destroy(w->filling);
    dirac_sgd_destroy(w->sgd);
    dirac_session_destroy(w->open), dirac_session_destroy(w->train);
    dirac_net_destroy(w->net);
    dirac_context_destroy(w->young), dirac_context_destroy(w->context);
    return 0;
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_world, drop_world)

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_reals),      test(test_wholes),
                                       test(test_seeds_and_limits), test(test_attributes), test(test_wide_integers),
                                       test(test_arguments_of_layers), test(test_largest_batch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
