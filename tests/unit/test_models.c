/* SPDX-License-Identifier: MIT */
/*
 * The paper's networks: exact numbers of parameters and multiply-adds, names, sizes along the way, refused arguments,
 * and a model as a part of a larger net. Parameters are those the papers and the nets' usual definitions state;
 * multiply-adds come from the same nets written as PyTorch modules and counted there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirac/dirac.h>

#include "graph/net.h"

/* ---- helpers ---- */

typedef dirac_node *(*model_fn)(dirac_net *net, dirac_node *x, const double *arguments);

static dirac_node *diracnet_cifar(dirac_net *net, dirac_node *x, const double *a)
{
    return dirac_model_diracnet_cifar(net, x, (int32_t)a[0], a[1], (int64_t)a[2], (int32_t)a[3]);
}

static dirac_node *resnet_cifar(dirac_net *net, dirac_node *x, const double *a)
{
    return dirac_model_resnet_cifar(net, x, (int32_t)a[0], a[1], (int64_t)a[2], (int32_t)a[4],
                                    (int32_t)a[3]);
}

static dirac_node *diracnet_imagenet(dirac_net *net, dirac_node *x, const double *a)
{
    return dirac_model_diracnet_imagenet(net, x, (int32_t)a[0], a[1], (int64_t)a[2], (int32_t)a[3]);
}

static dirac_node *resnet_imagenet(dirac_net *net, dirac_node *x, const double *a)
{
    return dirac_model_resnet_imagenet(net, x, (int32_t)a[0], a[1], (int64_t)a[2], (int32_t)a[3]);
}

static dirac_node *vgg16_cifar(dirac_net *net, dirac_node *x, const double *a)
{
    return dirac_model_vgg16_cifar(net, x, (int64_t)a[2]);
}

static dirac_node *vgg16_imagenet(dirac_net *net, dirac_node *x, const double *a)
{
    return dirac_model_vgg16_imagenet(net, x, (int64_t)a[2]);
}

static dirac_node *vgg_cnn_s(dirac_net *net, dirac_node *x, const double *a)
{
    return dirac_model_vgg_cnn_s(net, x, (int64_t)a[2]);
}

static dirac_node *nin(dirac_net *net, dirac_node *x, const double *a)
{
    return dirac_model_nin(net, x, (int64_t)a[2]);
}

static dirac_node *elu(dirac_net *net, dirac_node *x, const double *a)
{
    return dirac_model_elu(net, x, (int64_t)a[2]);
}

static dirac_context *context;

static int make_context(void **state)
{
    (void)state;
    return dirac_context_create(&context);
}

static int drop_context(void **state)
{
    (void)state;
    dirac_context_destroy(context);
    return 0;
}

/* A net of the model on a square input, not built. */
static dirac_net *make(model_fn model, const double *arguments, int64_t size)
{
    dirac_net *net = NULL;
    assert_int_equal(dirac_net_create(&net, context), DIRAC_OK);
    dirac_net_output(net, model(net, dirac_net_input2d(net, 3, size, size), arguments));
    return net;
}

static dirac_net *make_built(model_fn model, const double *arguments, int64_t size)
{
    dirac_net *net = make(model, arguments, size);
    if (dirac_net_build(net) != DIRAC_OK)
        fail_msg("%s", dirac_error_message());
    return net;
}

/* Counts as dirac_net_build() would, without the memory for the parameters: VGG-16 alone would want half a gigabyte. */
static void count(const dirac_net *net, int64_t *trained, int64_t *multiply_adds)
{
    dirac__shape *shapes = calloc(net->n_nodes, sizeof *shapes);
    assert_non_null(shapes);
    if (net->status != DIRAC_OK)
        fail_msg("%s", net->message);
    if (dirac__net_infer(net, &net->nodes[0]->shape, shapes) != DIRAC_OK)
        fail_msg("%s", dirac_error_message());
    *trained = *multiply_adds = 0;
    for (size_t i = 0; i < net->n_nodes; i++) {
        const dirac_node *node = net->nodes[i];
        if (node->layer.n_inputs == 0)
            continue;
        dirac__shape in[DIRAC__MAX_INPUTS];
        for (int32_t j = 0; j < node->layer.n_inputs; j++)
            in[j] = shapes[node->inputs[j]->id];
        dirac__layer_plan plan = {.layer = &node->layer, .name = node->name, .in = in};
        assert_int_equal(node->layer.kind->plan(&plan), DIRAC_OK);
        *multiply_adds += plan.multiply_adds;
        dirac__parameter_list list = {0};
        if (node->layer.kind->parameters != NULL)
            assert_int_equal(node->layer.kind->parameters(&node->layer, in, &list), DIRAC_OK);
        for (int32_t p = 0; p < list.count; p++)
            if (list.items[p].role == DIRAC_ROLE_TRAINED)
                *trained += dirac__parameter_count(&list.items[p]);
    }
    free(shapes);
}

/* ---- the numbers ---- */

enum {
    P = DIRAC_FORM_PLAIN,
    D = DIRAC_FORM_DELTA,
    ND = DIRAC_FORM_NORMALIZED_DELTA,
    FD = DIRAC_FORM_FIXED_DELTA
};

static const struct {
    const char *name;
    model_fn model;
    double arguments[5]; /* depth, width, classes, form, bottleneck */
    int64_t size, trained, multiply_adds;
} nets[] = {
    {"DiracNet 10-1", diracnet_cifar, {10, 1, 10, ND}, 32, 75738, 12239488},
    {"DiracNet 16-1", diracnet_cifar, {16, 1, 10, ND}, 32, 173402, 26395264},
    {"DiracNet 28-1", diracnet_cifar, {28, 1, 10, ND}, 32, 368730, 54706816},
    {"DiracNet 34-1", diracnet_cifar, {34, 1, 10, ND}, 32, 466394, 68862592},
    {"DiracNet 52-1", diracnet_cifar, {52, 1, 10, ND}, 32, 759386, 111329920},
    {"DiracNet 100-1", diracnet_cifar, {100, 1, 10, ND}, 32, 1540698, 224576128},
    {"DiracNet 34-2", diracnet_cifar, {34, 2, 10, ND}, 32, 1854378, 274564352},
    {"DiracNet 28-5", diracnet_cifar, {28, 5, 10, ND}, 32, 9124250, 1358810240},
    {"DiracNet 28-10", diracnet_cifar, {28, 10, 10, ND}, 32, 36450090, 5430810880},
    {"DiracNet 28-5, 100 classes", diracnet_cifar, {28, 5, 100, ND}, 32, 9153140, 1358839040},
    {"DiracNet 28-10, 100 classes", diracnet_cifar, {28, 10, 100, ND}, 32, 36507780, 5430868480},
    {"plain 34-1", diracnet_cifar, {34, 1, 10, P}, 32, 464154, 68862592},
    {"eq. 4, 34-1", diracnet_cifar, {34, 1, 10, D}, 32, 465274, 68862592},
    {"eq. 8, 34-1", diracnet_cifar, {34, 1, 10, FD}, 32, 464154, 68862592},
    {"DiracNet 16-0.7: 11, 22, 44 channels",
     diracnet_cifar,
     {16, 0.7, 10, ND},
     32,
     82587,
     12571064},
    {"DiracNet-18", diracnet_imagenet, {18, 1, 1000, ND}, 224, 11523368, 1794805760},
    {"DiracNet-34", diracnet_imagenet, {34, 1, 1000, ND}, 224, 21638952, 3644493824},
    {"WRN-28-10", resnet_cifar, {28, 10, 10, P, 0}, 32, 36479194, 5243328768},
    {"ResNet-34-1 for CIFAR", resnet_cifar, {34, 1, 10, P, 0}, 32, 466714, 69124736},
    {"ResNet-28-10, eq. 8", resnet_cifar, {28, 10, 10, FD, 0}, 32, 36479194, 5243328768},
    {"ResNet-1001", resnet_cifar, {1001, 1, 10, P, 1}, 32, 10327706, 1487849984},
    {"ResNet-29, bottleneck", resnet_cifar, {29, 1, 10, P, 1}, 32, 312218, 43960832},
    {"ResNet-18", resnet_imagenet, {18, 1, 1000, P}, 224, 11689512, 1814073344},
    {"ResNet-34", resnet_imagenet, {34, 1, 1000, P}, 224, 21797672, 3663761408},
    {"VGG-16 for CIFAR", vgg16_cifar, {0, 0, 10}, 32, 14991946, 313463808},
    {"VGG-16", vgg16_imagenet, {0, 0, 1000}, 224, 138357544, 15470264320},
    {"VGG-CNN-S", vgg_cnn_s, {0, 0, 1000}, 224, 102908520, 2637708320},
    {"NIN", nin, {0, 0, 10}, 32, 966986, 222486528},
    {"ELU", elu, {0, 0, 10}, 32, 39226634, 1496804608},
};

static void test_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        dirac_net *net = make(nets[i].model, nets[i].arguments, nets[i].size);
        int64_t trained, multiply_adds;
        count(net, &trained, &multiply_adds);
        if (trained != nets[i].trained || multiply_adds != nets[i].multiply_adds)
            fail_msg("%s: %lld parameters, %lld multiply-adds", nets[i].name, (long long)trained,
                     (long long)multiply_adds);
        dirac_net_destroy(net);
    }
}

/* What a user asks of a built net gives the same numbers. */
static void test_counts_of_built_nets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        if (nets[i].trained > 2000000)
            continue;
        dirac_net *net = make_built(nets[i].model, nets[i].arguments, nets[i].size);
        assert_int_equal(dirac_net_trained_count(net), nets[i].trained);
        assert_int_equal(dirac_net_multiply_adds(net), nets[i].multiply_adds);
        int64_t dims[4];
        int32_t rank;
        assert_int_equal(dirac_node_shape(dirac_net_output_node(net, 0), dims, &rank), DIRAC_OK);
        assert_int_equal(rank, 1);
        assert_int_equal(dims[0], nets[i].arguments[2]);
        dirac_net_destroy(net);
    }
}

static void test_folded_counts(void **state)
{
    (void)state;
    static const struct {
        double arguments[5];
        int64_t trained;
    } cases[] = {{{18, 1, 1000, ND}, 11511784}, {{34, 1, 1000, ND}, 21616232}};
    for (size_t i = 0; i < 2; i++) {
        dirac_net *net = make_built(diracnet_imagenet, cases[i].arguments, 224), *folded = NULL;
        assert_int_equal(dirac_net_fold(&folded, net), DIRAC_OK);
        assert_int_equal(dirac_net_trained_count(folded), cases[i].trained);
        dirac_net_destroy(folded);
        dirac_net_destroy(net);
    }
}

/* ---- names ---- */

static void assert_tensor(const dirac_net *net, const char *name)
{
    if (dirac_net_tensor_shape(net, name, (int64_t[DIRAC_MAX_RANK]){0}, NULL, NULL) != DIRAC_OK)
        fail_msg("no tensor \"%s\"", name);
}

/* The names of `prefix`.weight, .bias and the running statistics; returns how many. */
static int assert_batch_norm(const dirac_net *net, const char *prefix)
{
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    for (int i = 0; i < 4; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s.%s", prefix, parts[i]);
        assert_tensor(net, name);
    }
    return 4;
}

static void test_diracnet_names(void **state)
{
    (void)state;
    const double arguments[] = {16, 0.5, 10, ND, 0};
    dirac_net *net = make_built(diracnet_cifar, arguments, 32);
    int tensors = 3 + assert_batch_norm(net, "bn");
    assert_tensor(net, "conv.weight");
    assert_tensor(net, "fc.weight");
    assert_tensor(net, "fc.bias");
    for (int g = 0; g < 3; g++)
        for (int b = 0; b < 4; b++) {
            static const char *const parts[] = {"weight", "alpha", "beta"};
            char name[64];
            for (int i = 0; i < 3; i++, tensors++) {
                snprintf(name, sizeof name, "group%d.block%d.conv.%s", g, b, parts[i]);
                assert_tensor(net, name);
            }
            snprintf(name, sizeof name, "group%d.block%d.bn", g, b);
            tensors += assert_batch_norm(net, name);
        }
    assert_int_equal(dirac_net_tensor_count(net), tensors); /* and no others */
    dirac_net_destroy(net);
}

static void test_resnet_names(void **state)
{
    (void)state;
    static const char *const cifar[] = {"conv",
                                        "group0.block0.conv0",
                                        "group0.block1.conv1",
                                        "group1.block0.projection",
                                        "group2.block0.projection",
                                        "group2.block1.conv0",
                                        "fc"};
    dirac_net *net = make_built(resnet_cifar, (const double[]){16, 1, 10, P, 0}, 32);
    for (size_t i = 0; i < sizeof cifar / sizeof cifar[0]; i++)
        assert_non_null(dirac_net_find(net, cifar[i]));
    assert_batch_norm(net, "group1.block1.bn0");
    assert_batch_norm(net, "group1.block1.bn1");
    assert_batch_norm(net, "bn");
    assert_null(dirac_net_find(net, "group0.block0.projection")); /* 16 to 16 channels */
    assert_null(dirac_net_find(net, "group1.block1.projection"));
    assert_null(dirac_net_find(net, "group0.block2.conv0"));
    dirac_net_destroy(net);

    net = make_built(resnet_cifar, (const double[]){11, 1, 10, P, 1}, 32);
    assert_non_null(dirac_net_find(net, "group2.block0.conv2"));
    assert_non_null(dirac_net_find(net, "group0.block0.projection")); /* 16 to 64 */
    assert_batch_norm(net, "group0.block0.bn2");
    dirac_net_destroy(net);

    net = make_built(resnet_imagenet, (const double[]){18, 0.125, 10, P, 0}, 64);
    assert_batch_norm(net, "bn");
    assert_batch_norm(net, "group1.block0.projection_bn");
    assert_batch_norm(net, "group3.block1.bn1");
    assert_tensor(net, "group1.block0.projection.weight");
    assert_tensor(net, "group3.block1.conv1.weight");
    assert_null(dirac_net_find(net, "group0.block0.projection"));
    dirac_net_destroy(net);
}

/* ---- structure ---- */

static void assert_size(const dirac_net *net, const char *name, int64_t channels, int64_t size)
{
    const dirac_node *node = dirac_net_find(net, name);
    int64_t dims[4];
    int32_t rank;
    assert_non_null(node);
    assert_int_equal(dirac_node_shape(node, dims, &rank), DIRAC_OK);
    assert_int_equal(rank, 3);
    if (dims[0] != channels || dims[1] != size || dims[2] != size)
        fail_msg("%s: (%lld, %lld, %lld)", name, (long long)dims[0], (long long)dims[1],
                 (long long)dims[2]);
}

/* The only reader of a node. */
static const dirac_node *reader(const dirac_net *net, const char *name)
{
    const dirac_node *node = dirac_net_find(net, name), *found = NULL;
    for (int64_t i = 0; i < dirac_net_node_count(net); i++) {
        const dirac_node *other = dirac_net_node(net, i);
        for (int32_t j = 0; j < dirac_node_input_count(other); j++)
            if (dirac_node_input(other, j) == node) {
                assert_null(found);
                found = other;
            }
    }
    assert_non_null(found);
    return found;
}

static void test_diracnet_structure(void **state)
{
    (void)state;
    dirac_net *net = make_built(diracnet_cifar, (const double[]){10, 1, 10, ND}, 32);
    assert_size(net, "conv", 16, 32);
    assert_size(net, "group0.block1.conv", 16, 32);
    assert_size(net, "group1.block0.conv", 32, 16);
    assert_size(net, "group2.block1.bn", 64, 8);
    assert_string_equal(dirac_node_kind(reader(net, "bn")), "relu");
    assert_string_equal(dirac_node_kind(reader(net, "group0.block0.bn")), "relu");
    assert_string_equal(dirac_node_kind(reader(net, "group0.block1.bn")), "max_pool");
    assert_string_equal(dirac_node_kind(reader(net, "group2.block1.bn")),
                        "relu"); /* the last ReLU is there */
    int64_t form = -1;
    assert_int_equal(dirac_node_get_int(dirac_net_find(net, "conv"), "form", &form), DIRAC_OK);
    assert_int_equal(form, P); /* the stem is plain */
    assert_int_equal(dirac_node_get_int(dirac_net_find(net, "group2.block0.conv"), "form", &form),
                     DIRAC_OK);
    assert_int_equal(form, ND);
    dirac_net_destroy(net);

    net = make_built(diracnet_imagenet, (const double[]){18, 0.125, 10, ND}, 224);
    assert_size(net, "conv", 8, 112);
    assert_string_equal(dirac_node_kind(reader(net, "bn")), "max_pool"); /* no ReLU in the stem */
    assert_size(net, "group0.block0.conv", 8, 56);
    assert_size(net, "group1.block0.conv", 16, 28);
    assert_size(net, "group2.block3.conv", 32, 14);
    assert_size(net, "group3.block3.conv", 64, 7);
    assert_null(dirac_net_find(net, "group3.block4.conv"));
    dirac_net_destroy(net);
}

/* The first group of the least width has one channel. */
static void test_least_widths(void **state)
{
    (void)state;
    dirac_net *net = make_built(diracnet_cifar, (const double[]){10, 1.0 / 16, 10, ND}, 32);
    assert_size(net, "group0.block0.conv", 1, 32);
    assert_size(net, "group2.block1.conv", 4, 8);
    dirac_net_destroy(net);
    net = make_built(diracnet_imagenet, (const double[]){18, 1.0 / 64, 10, ND}, 64);
    assert_size(net, "group0.block0.conv", 1, 16);
    assert_size(net, "group3.block3.conv", 8, 2);
    dirac_net_destroy(net);
}

static void test_resnet_structure(void **state)
{
    (void)state;
    dirac_net *net = make_built(resnet_cifar, (const double[]){10, 1, 10, FD, 0}, 32);
    assert_size(net, "group0.block0.conv1", 16, 32);
    assert_size(net, "group1.block0.conv0", 32, 16);
    assert_size(net, "group2.block0.projection", 64, 8);
    int64_t form = -1;
    dirac_node_get_int(dirac_net_find(net, "group1.block0.conv0"), "form", &form);
    assert_int_equal(form, FD);
    dirac_node_get_int(dirac_net_find(net, "group1.block0.projection"), "form", &form);
    assert_int_equal(form, P);
    /* The projection reads the block's first ReLU, as conv0 does. */
    assert_ptr_equal(dirac_node_input(dirac_net_find(net, "group1.block0.projection"), 0),
                     dirac_node_input(dirac_net_find(net, "group1.block0.conv0"), 0));
    dirac_net_destroy(net);

    net = make_built(resnet_imagenet, (const double[]){18, 0.125, 10, P}, 224);
    assert_size(net, "conv", 8, 112);
    assert_string_equal(dirac_node_kind(reader(net, "bn")), "relu");
    assert_size(net, "group0.block1.conv1", 8, 56);
    assert_size(net, "group3.block0.projection", 64, 7);
    dirac_net_destroy(net);
}

/* Spatial sizes inside nets too large to build here; `sizes` in the order of their convolutions. */
static void assert_conv_sizes(model_fn model, int64_t input, const int64_t *sizes, size_t expected)
{
    dirac_net *net = make(model, (const double[]){0, 0, 10, 0, 0}, input);
    dirac__shape *shapes = calloc(net->n_nodes, sizeof *shapes);
    size_t found = 0;
    assert_non_null(shapes);
    assert_int_equal(dirac__net_infer(net, &net->nodes[0]->shape, shapes), DIRAC_OK);
    for (size_t i = 0; i < net->n_nodes; i++)
        if (strcmp(net->nodes[i]->layer.kind->name, "conv") == 0) {
            assert_true(found < expected);
            assert_int_equal(shapes[i].size[1], sizes[found]);
            assert_int_equal(shapes[i].size[2], sizes[found++]);
        }
    assert_int_equal(found, expected);
    free(shapes);
    dirac_net_destroy(net);
}

static void test_other_structures(void **state)
{
    (void)state;
    static const int64_t cnn_s[] = {109, 33, 17, 17,
                                    17}; /* then 6 x 6 into fc6: its parameters tell */
    static const int64_t of_nin[] = {32, 32, 32, 16, 16, 16, 8, 8, 8};
    static const int64_t of_elu[] = {32, 16, 16, 16, 16, 8, 8, 8, 8, 4, 4, 4, 2, 2, 2, 1, 1, 1, 1};
    assert_conv_sizes(vgg_cnn_s, 224, cnn_s, 5);
    assert_conv_sizes(nin, 32, of_nin, 9);
    assert_conv_sizes(elu, 32, of_elu, 19);
}

/* Any channels, and sizes from 4 up. */
static void test_other_inputs(void **state)
{
    (void)state;
    static const int64_t inputs[][3] = {{1, 28, 28}, {7, 4, 4}, {3, 5, 9}};
    for (size_t i = 0; i < 3; i++) {
        dirac_net *net = NULL;
        assert_int_equal(dirac_net_create(&net, context), DIRAC_OK);
        dirac_node *x = dirac_net_input2d(net, inputs[i][0], inputs[i][1], inputs[i][2]);
        dirac_net_output(net, dirac_model_diracnet_cifar(net, x, 10, 1, 10, ND));
        assert_int_equal(dirac_net_build(net), DIRAC_OK);
        /* Only the stem's weight depends on the input. */
        assert_int_equal(dirac_net_trained_count(net), 75738 + (inputs[i][0] - 3) * 16 * 9);
        dirac_net_destroy(net);
    }
}

/* ---- mistakes ---- */

static void test_refusals(void **state)
{
    (void)state;
    static const double nan = 0.0 / 0.0, infinity = 1.0 / 0.0;
    const struct {
        model_fn model;
        double arguments[5];
        int32_t status;
        const char *says[2]; /* the value, and what is legal */
    } cases[] = {
        {diracnet_cifar, {4, 1, 10, ND}, DIRAC_ERR_ARGUMENT, {"depth is 4", "6 N + 4"}},
        {diracnet_cifar, {33, 1, 10, ND}, DIRAC_ERR_ARGUMENT, {"depth is 33", "6 N + 4"}},
        {diracnet_cifar, {-2, 1, 10, ND}, DIRAC_ERR_ARGUMENT, {"depth is -2", "6 N + 4"}},
        {diracnet_cifar,
         {INT32_MIN, 1, 10, ND},
         DIRAC_ERR_ARGUMENT,
         {"depth is -2147483648", "6 N + 4"}},
        {diracnet_cifar, {2147483644, 1, 10, ND}, DIRAC_ERR_LIMIT, {"2147483644", "at most"}},
        {diracnet_cifar, {34, 0, 10, ND}, DIRAC_ERR_ARGUMENT, {"width is 0", "0.0625"}},
        {diracnet_cifar, {34, -1, 10, ND}, DIRAC_ERR_ARGUMENT, {"width is -1", "0.0625"}},
        {diracnet_cifar, {34, 0.06, 10, ND}, DIRAC_ERR_ARGUMENT, {"width is 0.06", "0.0625"}},
        {diracnet_cifar, {34, 1e9, 10, ND}, DIRAC_ERR_ARGUMENT, {"width is 1e+09", "16777216"}},
        {diracnet_cifar, {34, nan, 10, ND}, DIRAC_ERR_ARGUMENT, {"width is nan", "0.0625"}},
        {diracnet_cifar, {34, infinity, 10, ND}, DIRAC_ERR_ARGUMENT, {"width is inf", "0.0625"}},
        {diracnet_cifar, {34, 1, 10, 4}, DIRAC_ERR_ARGUMENT, {"form is 4", "0 to 3"}},
        {diracnet_cifar, {34, 1, 10, -1}, DIRAC_ERR_ARGUMENT, {"form is -1", "0 to 3"}},
        {diracnet_imagenet, {50, 1, 10, ND}, DIRAC_ERR_ARGUMENT, {"depth is 50", "18 or 34"}},
        {diracnet_imagenet, {18, 0.01, 10, ND}, DIRAC_ERR_ARGUMENT, {"width is 0.01", "0.015625"}},
        {diracnet_imagenet, {18, 1, 10, 9}, DIRAC_ERR_ARGUMENT, {"form is 9", "0 to 3"}},
        {resnet_cifar, {27, 1, 10, P, 0}, DIRAC_ERR_ARGUMENT, {"depth is 27", "6 N + 4"}},
        {resnet_cifar, {28, 1, 10, P, 1}, DIRAC_ERR_ARGUMENT, {"depth is 28", "9 N + 2"}},
        {resnet_cifar, {28, 1, 10, P, 2}, DIRAC_ERR_ARGUMENT, {"bottleneck is 2", "0 or 1"}},
        {resnet_cifar, {28, 0, 10, P, 0}, DIRAC_ERR_ARGUMENT, {"width is 0", "0.0625"}},
        {resnet_cifar, {28, 1, 10, 7, 0}, DIRAC_ERR_ARGUMENT, {"form is 7", "0 to 3"}},
        {resnet_imagenet, {50, 1, 10, P}, DIRAC_ERR_ARGUMENT, {"depth is 50", "18 or 34"}},
        {resnet_imagenet, {18, 0, 10, P}, DIRAC_ERR_ARGUMENT, {"width is 0", "0.015625"}},
        {resnet_imagenet, {18, 1, 10, -3}, DIRAC_ERR_ARGUMENT, {"form is -3", "0 to 3"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dirac_net *net = NULL;
        assert_int_equal(dirac_net_create(&net, context), DIRAC_OK);
        dirac_node *x = dirac_net_input2d(net, 3, 32, 32);
        assert_null(cases[i].model(net, x, cases[i].arguments));
        assert_null(dirac_net_relu(net, x)); /* sticky */
        assert_int_equal(dirac_net_build(net), cases[i].status);
        for (int s = 0; s < 2; s++)
            if (strstr(dirac_error_message(), cases[i].says[s]) == NULL)
                fail_msg("\"%s\" does not say \"%s\"", dirac_error_message(), cases[i].says[s]);
        dirac_net_destroy(net);
    }
}

/* What the layers refuse, the model reports too: no classes, and an image that a pool has made too small. */
static void test_refusals_by_layers(void **state)
{
    (void)state;
    static const model_fn models[] = {diracnet_cifar,  resnet_cifar, diracnet_imagenet,
                                      resnet_imagenet, vgg16_cifar,  vgg16_imagenet,
                                      vgg_cnn_s,       nin,          elu};
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        bool imagenet = models[i] == diracnet_imagenet || models[i] == resnet_imagenet;
        dirac_net *net = make(models[i], (const double[]){imagenet ? 18 : 10, 1, 0, P, 0}, 224);
        assert_int_equal(dirac_net_build(net), DIRAC_ERR_ARGUMENT);
        dirac_net_destroy(net);
    }
    dirac_net *net = make(diracnet_cifar, (const double[]){10, 1, 10, ND}, 3);
    assert_int_equal(dirac_net_build(net), DIRAC_ERR_SHAPE);
    dirac_net_destroy(net);
}

/* The first mistake of the chain is the one reported; a NULL node passes through. */
static void test_first_mistake(void **state)
{
    (void)state;
    dirac_net *net = NULL;
    assert_int_equal(dirac_net_create(&net, context), DIRAC_OK);
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 3, 32, 32), 0, 3);
    assert_null(x);
    assert_null(dirac_model_diracnet_cifar(net, x, 33, 1, 10, ND));
    assert_null(dirac_model_vgg16_imagenet(net, x, 10));
    assert_int_equal(dirac_net_build(net), DIRAC_ERR_ARGUMENT);
    assert_null(strstr(dirac_error_message(), "depth"));
    dirac_net_destroy(net);

    assert_null(dirac_model_diracnet_cifar(NULL, NULL, 34, 1, 10, ND));
    assert_null(dirac_model_diracnet_cifar(NULL, NULL, 33, 1, 10, ND));
    assert_null(dirac_model_elu(NULL, NULL, 10));
}

/* ---- a part of something larger ---- */

static void test_inside_a_larger_net(void **state)
{
    (void)state;
    dirac_net *net = NULL;
    assert_int_equal(dirac_net_create(&net, context), DIRAC_OK);
    dirac_node *x = dirac_net_input2d(net, 3, 32, 32);
    x = dirac_net_conv2d(net, x, 5, 1);
    dirac_node_set_name(x, "front");
    dirac_net_push_scope(net, "left");
    dirac_node *left = dirac_model_diracnet_cifar(net, x, 10, 1, 20, ND);
    dirac_net_pop_scope(net);
    dirac_net_push_scope(net, "right");
    dirac_node *right = dirac_model_resnet_cifar(net, x, 10, 1, 20, 0, P);
    dirac_net_pop_scope(net);
    x = dirac_net_linear(net, dirac_net_relu(net, dirac_net_add(net, left, right)), 3);
    dirac_node_set_name(x, "head");
    dirac_net_output(net, x);
    if (dirac_net_build(net) != DIRAC_OK)
        fail_msg("%s", dirac_error_message());

    assert_tensor(net, "left.group2.block1.conv.alpha");
    assert_tensor(net, "left.fc.bias");
    assert_tensor(net, "right.group2.block0.projection.weight");
    assert_tensor(net, "head.weight");                /* the scopes were left as they were found */
    assert_int_equal(dirac_net_output_count(net), 1); /* a model declares none */
    /* Two channels more into both stems, ten classes more in both heads, and the two layers around. */
    int64_t around = 3 * 5 + 20 * 3 + 3, more = 2 * 16 * 9 + 10 * 65;
    assert_int_equal(dirac_net_trained_count(net), 75738 + 77850 + 2 * more + around);
    dirac_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_counts_of_built_nets),
        cmocka_unit_test(test_folded_counts),
        cmocka_unit_test(test_diracnet_names),
        cmocka_unit_test(test_resnet_names),
        cmocka_unit_test(test_diracnet_structure),
        cmocka_unit_test(test_least_widths),
        cmocka_unit_test(test_resnet_structure),
        cmocka_unit_test(test_other_structures),
        cmocka_unit_test(test_other_inputs),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_refusals_by_layers),
        cmocka_unit_test(test_first_mistake),
        cmocka_unit_test(test_inside_a_larger_net),
    };
    return cmocka_run_group_tests_name("models", tests, make_context, drop_context);
}
