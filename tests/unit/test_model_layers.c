/* SPDX-License-Identifier: MIT */
/*
 * What the numbers of parameters of the models do not tell: which layers without parameters they have, in which order
 * and with which options. Each list is that of the net's published definition: the .prototxt files of VGG-16, VGG-CNN-S
 * and NIN, section 4.2 of the ELU paper, torchvision's ResNets, He's identity mappings, section 3 of the DiracNets
 * paper.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirac/dirac.h>

#include "graph/net.h"

enum { MOST = 4096 };

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

static dirac_net *begin(int64_t size, dirac_node **x)
{
    dirac_net *net = NULL;
    assert_int_equal(dirac_net_create(&net, context), DIRAC_OK);
    *x = dirac_net_input2d(net, 3, size, size);
    return net;
}

/* The layers as a text, a letter each: C conv, N batch norm, r ReLU, e ELU, L linear, M max-pool, A average-pool,
 * G global average pool, D dropout, R response norm, F flatten, + sum. */
static const char *letters(const dirac_net *net, char *text)
{
    static const char *const kinds[] = {"conv C", "batch_norm N", "relu r", "elu e", "linear L", "max_pool M",
                                        "average_pool A", "global_average_pool G", "dropout D", "response_norm R",
                                        "flatten F", "add +"};
    size_t length = 0;
    for (size_t i = 1; i < net->n_nodes; i++) { /* 0 is the input */
        const char *kind = net->nodes[i]->layer.kind->name, *found = NULL;
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
            if (strncmp(kinds[k], kind, strlen(kind)) == 0 && kinds[k][strlen(kind)] == ' ')
                found = kinds[k];
        assert_non_null(found);
        assert_true(length + 1 < MOST);
        text[length++] = found[strlen(found) - 1];
    }
    text[length] = '\0';
    return text;
}

static void assert_layers(dirac_net *net, dirac_node *logits, const char *expected)
{
    char text[MOST];
    if (logits == NULL)
        fail_msg("%s", dirac_error_message());
    assert_string_equal(letters(net, text), expected);
}

/* A real option of all layers of a kind, in order. */
static void assert_options(const dirac_net *net, const char *kind, const char *option, const double *expected,
                           size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < net->n_nodes; i++) {
        double value = -1;
        if (strcmp(net->nodes[i]->layer.kind->name, kind) != 0)
            continue;
        assert_int_equal(dirac_node_get_float(net->nodes[i], option, &value), DIRAC_OK);
        assert_true(found < count);
        assert_true((float)value == (float)expected[found++]);
    }
    assert_int_equal(found, count);
}

/* An option with a value a dimension, the same in both, of all layers of a kind. */
static void assert_windows(const dirac_net *net, const char *kind, const char *option, const int64_t *expected,
                           size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < net->n_nodes; i++) {
        int64_t values[4] = {-1, -1, -1, -1};
        int32_t n = 0;
        if (strcmp(net->nodes[i]->layer.kind->name, kind) != 0)
            continue;
        assert_int_equal(dirac_node_get_ints(net->nodes[i], option, values, &n), DIRAC_OK);
        assert_true(found < count);
        for (int32_t j = 0; j < n; j++)
            assert_int_equal(values[j], expected[found]);
        found++;
    }
    assert_int_equal(found, count);
}

static void test_vgg16(void **state)
{
    (void)state;
    dirac_node *x;
    dirac_net *net = begin(224, &x);
    assert_layers(net, dirac_model_vgg16_imagenet(net, x, 1000),
                  "CrCrM" "CrCrM" "CrCrCrM" "CrCrCrM" "CrCrCrM" "F" "LrD" "LrD" "L");
    assert_options(net, "dropout", "rate", (const double[]){0.5, 0.5}, 2);
    assert_windows(net, "max_pool", "kernel", (const int64_t[]){2, 2, 2, 2, 2}, 5);
    assert_windows(net, "max_pool", "stride", (const int64_t[]){0, 0, 0, 0, 0}, 5); /* the kernel's */
    dirac_net_destroy(net);

    net = begin(32, &x);
    assert_layers(net, dirac_model_vgg16_cifar(net, x, 10),
                  "CNrCNrM" "CNrCNrM" "CNrCNrCNrM" "CNrCNrCNrM" "CNrCNrCNrM" "F" "LNr" "L");
    dirac_net_destroy(net);
}

static void test_vgg_cnn_s(void **state)
{
    (void)state;
    dirac_node *x;
    dirac_net *net = begin(224, &x);
    assert_layers(net, dirac_model_vgg_cnn_s(net, x, 1000), "CrRM" "CrM" "CrCrCrM" "F" "LrD" "LrD" "L");
    assert_options(net, "dropout", "rate", (const double[]){0.5, 0.5}, 2);
    assert_options(net, "response_norm", "alpha", (const double[]){5e-4}, 1);
    assert_options(net, "response_norm", "beta", (const double[]){0.75}, 1);
    assert_options(net, "response_norm", "k", (const double[]){2}, 1);
    assert_windows(net, "response_norm", "size", (const int64_t[]){5}, 1);
    assert_windows(net, "max_pool", "kernel", (const int64_t[]){3, 2, 3}, 3);
    assert_windows(net, "max_pool", "stride", (const int64_t[]){3, 2, 3}, 3);
    assert_windows(net, "max_pool", "ceil", (const int64_t[]){1, 1, 1}, 3);
    assert_windows(net, "conv", "stride", (const int64_t[]){2, 1, 1, 1, 1}, 5);
    assert_windows(net, "conv", "padding", (const int64_t[]){0, 0, -1, -1, -1}, 5); /* -1: "same", 1 a side */
    dirac_net_destroy(net);
}

static void test_nin(void **state)
{
    (void)state;
    dirac_node *x;
    dirac_net *net = begin(32, &x);
    assert_layers(net, dirac_model_nin(net, x, 10), "CrCrCrMD" "CrCrCrAD" "CrCrCr" "G");
    assert_options(net, "dropout", "rate", (const double[]){0.5, 0.5}, 2);
    assert_windows(net, "max_pool", "kernel", (const int64_t[]){3}, 1);
    assert_windows(net, "max_pool", "stride", (const int64_t[]){2}, 1);
    assert_windows(net, "average_pool", "kernel", (const int64_t[]){3}, 1);
    assert_windows(net, "average_pool", "stride", (const int64_t[]){2}, 1);
    dirac_net_destroy(net);
}

static void test_elu(void **state)
{
    (void)state;
    dirac_node *x;
    dirac_net *net = begin(32, &x);
    assert_layers(net, dirac_model_elu(net, x, 100),
                  "CeM" "CeCeCeCeMD" "CeCeCeCeMD" "CeCeCeMD" "CeCeCeMD" "CeCeD" "Ce" "Ce" "G");
    assert_options(net, "dropout", "rate", (const double[]){0.1, 0.2, 0.3, 0.4, 0.5}, 5);
    dirac_net_destroy(net);
}

static void test_resnets(void **state)
{
    (void)state;
    dirac_node *x;
    dirac_net *net = begin(64, &x);
    /* A ReLU behind every sum; projections with batch norm where the size changes. */
    assert_layers(net, dirac_model_resnet_imagenet(net, x, 18, 0.125, 10, DIRAC_FORM_PLAIN),
                  "CNrM" "CNrCN+r" "CNrCN+r" "CNrCNCN+r" "CNrCN+r" "CNrCNCN+r" "CNrCN+r" "CNrCNCN+r" "CNrCN+r" "GL");
    assert_windows(net, "max_pool", "kernel", (const int64_t[]){3}, 1);
    assert_windows(net, "max_pool", "stride", (const int64_t[]){2}, 1);
    assert_windows(net, "max_pool", "padding", (const int64_t[]){1}, 1);
    dirac_net_destroy(net);

    net = begin(32, &x);
    assert_layers(net, dirac_model_resnet_cifar(net, x, 10, 1, 10, 0, DIRAC_FORM_PLAIN),
                  "C" "NrCNrC+" "NrCNrCC+" "NrCNrCC+" "NrGL");
    dirac_net_destroy(net);

    net = begin(32, &x);
    assert_layers(net, dirac_model_resnet_cifar(net, x, 11, 1, 10, 1, DIRAC_FORM_PLAIN),
                  "C" "NrCNrCNrCC+" "NrCNrCNrCC+" "NrCNrCNrCC+" "NrGL");
    assert_windows(net, "conv", "stride", (const int64_t[]){1, 1, 1, 1, 1, 2, 1, 1, 2, 2, 1, 1, 2}, 13);
    dirac_net_destroy(net);
}

static void test_diracnets(void **state)
{
    (void)state;
    dirac_node *x;
    dirac_net *net = begin(32, &x);
    assert_layers(net, dirac_model_diracnet_cifar(net, x, 10, 1, 10, DIRAC_FORM_NORMALIZED_DELTA),
                  "CN" "rCNrCN" "M" "rCNrCN" "M" "rCNrCN" "rGL");
    assert_windows(net, "max_pool", "kernel", (const int64_t[]){2, 2}, 2);
    dirac_net_destroy(net);

    net = begin(224, &x);
    assert_layers(net, dirac_model_diracnet_imagenet(net, x, 18, 0.125, 10, DIRAC_FORM_NORMALIZED_DELTA),
                  "CNM" "rCNrCNrCNrCN" "M" "rCNrCNrCNrCN" "M" "rCNrCNrCNrCN" "M" "rCNrCNrCNrCN" "rGL");
    assert_windows(net, "max_pool", "kernel", (const int64_t[]){3, 2, 2, 2}, 4);
    assert_windows(net, "max_pool", "padding", (const int64_t[]){1, 0, 0, 0}, 4);
    dirac_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vgg16),   cmocka_unit_test(test_vgg_cnn_s), cmocka_unit_test(test_nin),
        cmocka_unit_test(test_elu),     cmocka_unit_test(test_resnets),   cmocka_unit_test(test_diracnets),
    };
    return cmocka_run_group_tests_name("model_layers", tests, make_context, drop_context);
}
