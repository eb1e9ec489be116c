/* SPDX-License-Identifier: MIT */
/* Builds what the notes of a reference file describe. */
#include "reference_nets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void must(const char *what, int32_t status)
{
    if (status != DIRAC_OK)
        fail_msg("%s: %s: %s", what, dirac_status_name(status), dirac_error_message());
}

void for_each_way(void (*test)(const reference_way *way))
{
    static const char *const kernels[] = {"scalar", "x86-64-v3", "x86-64-v4", "aarch64"};
    int tried = 0;
    for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++)
        for (int32_t strict = 0; strict < 2; strict++) {
            reference_way way = {NULL, strict};
            must("context", dirac_context_create(&way.context));
            int32_t status = dirac_context_set_kernels(way.context, kernels[k]);
            if (status == DIRAC_OK) {
                test(&way);
                tried++;
            } else {
                assert_int_equal(status, DIRAC_ERR_UNSUPPORTED);
            }
            dirac_context_destroy(way.context);
        }
    assert_true(tried >= 2);
}

/* ---- chains ---- */

typedef dirac_node *(*layer_with_size)(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel);
typedef dirac_node *(*layer_with_number)(dirac_net *net, dirac_node *x, int64_t number);
typedef dirac_node *(*layer)(dirac_net *net, dirac_node *x);

/* The builders by their names after "dirac_net_", by the numbers they take. */
static const struct {
    const char *name;
    layer_with_size make;
} layers_with_size[] = {
    {"conv1d", dirac_net_conv1d},
    {"conv2d", dirac_net_conv2d},
    {"conv3d", dirac_net_conv3d},
    {"dirac_conv1d", dirac_net_dirac_conv1d},
    {"dirac_conv2d", dirac_net_dirac_conv2d},
    {"dirac_conv3d", dirac_net_dirac_conv3d},
};
static const struct {
    const char *name;
    layer_with_number make;
} layers_with_number[] = {
    {"linear", dirac_net_linear},
    {"dirac_linear", dirac_net_dirac_linear},
    {"max_pool1d", dirac_net_max_pool1d},
    {"max_pool2d", dirac_net_max_pool2d},
    {"max_pool3d", dirac_net_max_pool3d},
    {"average_pool1d", dirac_net_average_pool1d},
    {"average_pool2d", dirac_net_average_pool2d},
    {"average_pool3d", dirac_net_average_pool3d},
    {"local_response_norm", dirac_net_local_response_norm},
};
static const struct {
    const char *name;
    layer make;
} layers[] = {
    {"batch_norm", dirac_net_batch_norm},
    {"relu", dirac_net_relu},
    {"ncrelu", dirac_net_ncrelu},
    {"elu", dirac_net_elu},
    {"global_average_pool", dirac_net_global_average_pool},
    {"flatten", dirac_net_flatten},
    {"softmax", dirac_net_softmax},
};

static dirac_node *make_layer(dirac_net *net, const char *kind, const int64_t *numbers, dirac_node *const *xs,
                              int32_t count)
{
    for (size_t i = 0; i < sizeof layers_with_size / sizeof *layers_with_size; i++)
        if (strcmp(kind, layers_with_size[i].name) == 0)
            return layers_with_size[i].make(net, xs[0], numbers[0], numbers[1]);
    for (size_t i = 0; i < sizeof layers_with_number / sizeof *layers_with_number; i++)
        if (strcmp(kind, layers_with_number[i].name) == 0)
            return layers_with_number[i].make(net, xs[0], numbers[0]);
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (strcmp(kind, layers[i].name) == 0)
            return layers[i].make(net, xs[0]);
    if (strcmp(kind, "add") == 0)
        return dirac_net_add(net, xs[0], xs[1]);
    if (strcmp(kind, "concat") == 0)
        return dirac_net_concat(net, xs, count);
    fail_msg("no builder for \"%s\"", kind);
    return NULL;
}

/* "key=[1,2]", "key=1" or "key=0.5". */
static void set_attribute(dirac_node *node, char *word)
{
    char *value = strchr(word, '=');
    *value++ = '\0';
    if (*value == '[') {
        int64_t values[3];
        int32_t count = 0;
        while (*value != ']' && count < 3)
            values[count++] = strtoll(value + 1, &value, 10);
        must(word, dirac_node_set_ints(node, word, values, count));
    } else if (strchr(value, '.') != NULL) {
        must(word, dirac_node_set_float(node, word, strtod(value, NULL)));
    } else {
        must(word, dirac_node_set_int(node, word, strtoll(value, NULL, 10)));
    }
}

/* One layer of a chain: "conv2d 6 3 stride=[2,1]". */
static dirac_node *add_layer(dirac_net *net, char *text, int index, dirac_node *const *xs, int32_t count)
{
    char *words[16], *rest = NULL, name[16];
    int n_words = 0, n_numbers = 0;
    int64_t numbers[2] = {0, 0};
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        assert_true(n_words < 16);
        words[n_words++] = word;
    }
    assert_true(n_words > 0);
    while (1 + n_numbers < n_words && strchr(words[1 + n_numbers], '=') == NULL) {
        assert_true(n_numbers < 2);
        numbers[n_numbers] = strtoll(words[1 + n_numbers], NULL, 10);
        n_numbers++;
    }
    dirac_node *node = make_layer(net, words[0], numbers, xs, count);
    if (node == NULL)
        must(words[0], dirac_net_build(net));
    for (int i = 1 + n_numbers; i < n_words; i++)
        set_attribute(node, words[i]);
    snprintf(name, sizeof name, "l%d", index);
    must(name, dirac_node_set_name(node, name));
    return node;
}

/* dims: C, then the spatial sizes. */
static dirac_node *add_input(dirac_net *net, const int64_t *dims, int32_t rank)
{
    switch (rank) {
    case 1:
        return dirac_net_input(net, dims[0]);
    case 2:
        return dirac_net_input1d(net, dims[0], dims[1]);
    case 3:
        return dirac_net_input2d(net, dims[0], dims[1], dims[2]);
    default:
        return dirac_net_input3d(net, dims[0], dims[1], dims[2], dims[3]);
    }
}

/* Inputs like the case's x0, x1, ..., or one like its "input", whose first dimension is batches if it has labels. */
static int32_t add_inputs(dirac_net *net, const reference_file *file, const char *a_case, dirac_node **xs, int64_t *n)
{
    int32_t count = 0;
    char name[16];
    for (;; count++) {
        snprintf(name, sizeof name, "x%d", (int)count);
        const reference_tensor *x = reference_find(file, a_case, name);
        if (x == NULL)
            break;
        xs[count] = add_input(net, x->dims + 1, x->rank - 1);
        *n = x->dims[0];
    }
    if (count == 0) {
        const reference_tensor *x = reference_get(file, a_case, "input");
        int32_t skip = reference_find(file, a_case, "labels") != NULL;
        xs[count++] = add_input(net, x->dims + 1 + skip, x->rank - 1 - skip);
        *n = x->dims[skip];
    }
    return count;
}

static dirac_net *empty_net(const reference_way *way)
{
    dirac_net *net = NULL;
    must("net", dirac_net_create(&net, way->context));
    return net;
}

/* Builds, and writes every tensor of the net; the case must have just those. */
static dirac_net *build_with(dirac_net *net, const reference_file *file, const char *a_case)
{
    char name[256];
    size_t given = 0, prefix = strlen(a_case);
    must(a_case, dirac_net_build(net));
    for (int64_t i = 0; i < dirac_net_tensor_count(net); i++) {
        const char *own = dirac_net_tensor_name(net, i);
        snprintf(name, sizeof name, "init/%s", own);
        const reference_tensor *tensor = reference_get(file, a_case, name);
        int64_t dims[DIRAC_MAX_RANK];
        int32_t rank = 0;
        must(own, dirac_net_tensor_shape(net, own, dims, &rank, NULL));
        assert_int_equal(rank, tensor->rank);
        assert_memory_equal(dims, tensor->dims, (size_t)rank * sizeof *dims);
        float *values = reference_floats(tensor, 0, tensor->count);
        must(own, dirac_net_tensor_write(net, own, values, tensor->count));
        free(values);
    }
    for (size_t i = 0; i < file->n_tensors; i++)
        given += strncmp(file->tensors[i].name, a_case, prefix) == 0 &&
                 strncmp(file->tensors[i].name + prefix, "/init/", 6) == 0;
    assert_int_equal(given, dirac_net_tensor_count(net));
    return net;
}

dirac_net *reference_chain(const reference_way *way, const reference_file *file, const char *a_case, int64_t *n)
{
    dirac_net *net = empty_net(way);
    dirac_node *xs[8];
    int32_t count = add_inputs(net, file, a_case, xs, n);
    char *text = strdup(reference_text(file, a_case, "chain")), *rest = NULL;
    assert_non_null(text);
    int index = 0;
    for (char *part = strtok_r(text, ";", &rest); part != NULL; part = strtok_r(NULL, ";", &rest)) {
        xs[0] = add_layer(net, part, index++, xs, count);
        count = 1;
    }
    free(text);
    dirac_net_output(net, xs[0]);
    return build_with(net, file, a_case);
}

dirac_net *reference_model(const reference_way *way, const reference_file *file, const char *a_case, int64_t *n)
{
    dirac_net *net = empty_net(way);
    dirac_node *x = NULL;
    add_inputs(net, file, a_case, &x, n);
    const char *text = reference_text(file, a_case, "net");
    char model[32];
    reference_word(text, "model", model, sizeof model);
    int32_t depth = (int32_t)reference_number(text, "depth", 0), form = (int32_t)reference_number(text, "form", 0);
    int32_t bottleneck = (int32_t)reference_number(text, "bottleneck", 0);
    int64_t classes = (int64_t)reference_number(text, "classes", 0);
    double width = reference_number(text, "width", 0);
    if (strcmp(model, "diracnet_cifar") == 0)
        x = dirac_model_diracnet_cifar(net, x, depth, width, classes, form);
    else if (strcmp(model, "resnet_cifar") == 0)
        x = dirac_model_resnet_cifar(net, x, depth, width, classes, bottleneck, form);
    else if (strcmp(model, "diracnet_imagenet") == 0)
        x = dirac_model_diracnet_imagenet(net, x, depth, width, classes, form);
    else if (strcmp(model, "resnet_imagenet") == 0)
        x = dirac_model_resnet_imagenet(net, x, depth, width, classes, form);
    else
        fail_msg("no model \"%s\"", model);
    dirac_net_output(net, x);
    return build_with(net, file, a_case);
}

dirac_session *reference_session(const reference_way *way, dirac_net *net, int32_t mode, int64_t n, int32_t keep)
{
    dirac_session *session = NULL;
    must("session", dirac_session_create(&session, net, mode));
    must("batch", dirac_session_set_batch(session, n));
    must("strict", dirac_session_set_strict(session, way->strict));
    if (mode == DIRAC_TRAIN)
        must("input gradients", dirac_session_set_input_gradients(session, 1));
    for (int64_t i = 0; keep && i < dirac_net_node_count(net); i++)
        must("keep", dirac_session_keep(session, dirac_net_node(net, i)));
    must("prepare", dirac_session_prepare(session));
    return session;
}

/* ---- optimizers ---- */

static void set_schedule(dirac_sgd *sgd, const char *text)
{
    char drops[64], *at = drops;
    int64_t steps[8];
    int32_t count = 0;
    reference_word(text, "drops", drops, sizeof drops);
    while (*at != '\0' && count < 8) {
        steps[count++] = strtoll(at, &at, 10);
        at += *at == ',';
    }
    if (count > 0)
        must("drops", dirac_sgd_schedule_drops(sgd, steps, count, (float)reference_number(text, "factor", 0),
                                               (int32_t)reference_number(text, "restart", 0)));
    int64_t cosine = (int64_t)reference_number(text, "cosine", 0);
    int64_t warmup = (int64_t)reference_number(text, "warmup", 0);
    if (cosine > 0)
        must("cosine", dirac_sgd_schedule_cosine(sgd, cosine, (float)reference_number(text, "last", 0)));
    if (warmup > 0)
        must("warm-up", dirac_sgd_schedule_warmup(sgd, warmup, (float)reference_number(text, "first", 0)));
}

dirac_sgd *reference_sgd(dirac_net *net, const char *text)
{
    dirac_sgd *sgd = NULL;
    must("sgd", dirac_sgd_create(&sgd, net));
    must("rate", dirac_sgd_set_learning_rate(sgd, (float)reference_number(text, "rate", 0)));
    must("momentum", dirac_sgd_set_momentum(sgd, (float)reference_number(text, "momentum", 0)));
    must("decay", dirac_sgd_set_weight_decay(sgd, (float)reference_number(text, "decay", 0)));
    must("nesterov", dirac_sgd_set_nesterov(sgd, (int32_t)reference_number(text, "nesterov", 0)));
    must("clip", dirac_sgd_set_clip_norm(sgd, (float)reference_number(text, "clip", 0)));
    set_schedule(sgd, text);
    return sgd;
}
