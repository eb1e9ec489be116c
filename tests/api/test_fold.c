/* SPDX-License-Identifier: MIT */
/* The fold on graphs made for it: batch norms that have to stay, and layers of one and three dimensions and none. */
#include "support/folding.h"
#include "support/test_context.h"

static dirac_node *named(dirac_node *node, const char *name)
{
    ok(dirac_node_set_name(node, name));
    return node;
}

static dirac_node *norm_of(dirac_net *net, dirac_node *x, const char *name)
{
    return named(dirac_net_batch_norm(net, x), name);
}

static void add_two_readers(dirac_net *net)
{
    dirac_node *x = named(dirac_net_conv2d(net, dirac_net_input2d(net, 3, 9, 9), 6, 3), "conv");
    dirac_net_output(net, dirac_net_add(net, norm_of(net, x, "norm"), dirac_net_relu(net, x)));
}

static void add_two_norms(dirac_net *net)
{
    dirac_node *x = named(dirac_net_dirac_conv2d(net, dirac_net_input2d(net, 3, 9, 9), 6, 3), "conv");
    dirac_net_output(net, dirac_net_add(net, norm_of(net, x, "norm"), norm_of(net, x, "other")));
}

static void add_output(dirac_net *net)
{
    dirac_node *x = named(dirac_net_dirac_conv2d(net, dirac_net_input2d(net, 3, 9, 9), 6, 3), "conv");
    dirac_net_output(net, x);
    dirac_net_output(net, norm_of(net, x, "norm"));
}

static void add_shared(dirac_net *net)
{
    dirac_node *x = named(dirac_net_dirac_conv2d(net, dirac_net_input2d(net, 5, 9, 9), 5, 3), "conv"), *y;
    y = named(dirac_net_dirac_conv2d(net, dirac_net_relu(net, norm_of(net, x, "norm")), 5, 3), "again");
    ok(dirac_node_share_parameters(y, x));
    dirac_net_output(net, norm_of(net, y, "other"));
}

/* What owns the parameters goes into the convolution; those that share them stay. */
static void add_owner_goes(dirac_net *net)
{
    dirac_node *x = named(dirac_net_conv2d(net, dirac_net_input2d(net, 3, 9, 9), 6, 3), "conv");
    dirac_node *goes = norm_of(net, x, "goes");
    x = norm_of(net, dirac_net_relu(net, goes), "norm");
    dirac_node *y = norm_of(net, dirac_net_relu(net, x), "other");
    ok(dirac_node_share_parameters(x, goes));
    ok(dirac_node_share_parameters(y, goes));
    dirac_net_output(net, y);
}

static void add_after_relu(dirac_net *net)
{
    dirac_node *x = named(dirac_net_conv2d(net, dirac_net_input2d(net, 3, 9, 9), 6, 3), "conv");
    x = norm_of(net, dirac_net_relu(net, norm_of(net, x, "goes")), "norm");
    dirac_net_output(net, norm_of(net, x, "other"));
}

static void add_all_go(dirac_net *net)
{
    dirac_node *x = named(dirac_net_dirac_conv3d(net, dirac_net_input3d(net, 4, 5, 6, 7), 6, 3), "cube");
    ok(dirac_node_set_int(x, "groups", 2));
    ok(dirac_node_set_int(x, "bias", 1));
    ok(dirac_node_set_initializer(x, "bias", DIRAC_INIT_UNIFORM, -1, 1));
    x = dirac_net_relu(net, norm_of(net, x, "first"));
    x = norm_of(net, named(dirac_net_dirac_linear(net, dirac_net_flatten(net, x), 20), "dirac"), "second");
    x = named(dirac_net_linear(net, dirac_net_elu(net, x), 8), "head");
    ok(dirac_node_set_initializer(x, "bias", DIRAC_INIT_UNIFORM, -1, 1));
    dirac_net_output(net, norm_of(net, x, "third"));
}

static void add_one_dimension(dirac_net *net)
{
    const int64_t four = 4, two = 2;
    dirac_node *x = named(dirac_net_conv1d(net, dirac_net_input1d(net, 3, 21), 7, 4), "even");
    ok(dirac_node_set_int(x, "form", DIRAC_FORM_DELTA));
    x = named(dirac_net_conv1d(net, norm_of(net, x, "first"), 9, 3), "wide");
    ok(dirac_node_set_ints(x, "dilation", &four, 1));
    ok(dirac_node_set_ints(x, "stride", &two, 1));
    ok(dirac_node_set_int(x, "form", DIRAC_FORM_FIXED_DELTA));
    x = norm_of(net, x, "second");
    ok(dirac_node_set_frozen(x, 1));
    dirac_net_output(net, dirac_net_ncrelu(net, x));
}

static void write_statistics(dirac_net *net)
{
    for (int64_t i = 0; i < dirac_net_tensor_count(net); i++) {
        const char *name = dirac_net_tensor_name(net, i);
        const int var = strstr(name, "running_var") != NULL;
        if (is_trained(net, name))
            continue;
        floats x = random_numbers(tensor_elements(net, name), (uint64_t)i, var ? 0.3 : -1, var ? 3 : 1);
        ok(dirac_net_tensor_write(net, name, x.at, x.count));
        drop_floats(&x);
    }
}

static void test_what_stays(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*add)(dirac_net *net);
        const char *stay[3], *owner_of_others;
    } nets[] = {
        {"two readers", add_two_readers, {"norm"}, NULL},
        {"two batch norms", add_two_norms, {"norm", "other"}, NULL},
        {"an output", add_output, {"norm"}, NULL},
        {"shared", add_shared, {"norm", "other"}, "conv"},
        {"the owner goes", add_owner_goes, {"norm", "other"}, NULL},
        {"after ReLU", add_after_relu, {"norm", "other"}, NULL},
        {"three dimensions and linear", add_all_go, {NULL}, NULL},
        {"one dimension", add_one_dimension, {NULL}, NULL},
    };
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        dirac_net *net;
        int64_t norms = 0, stay = 0;
        ok(dirac_net_create(&net, context));
        nets[i].add(net);
        ok(dirac_net_build(net));
        stir_batch_norms(net, 6, 3);
        write_statistics(net);
        floats images = random_numbers(4 * image_floats(net), 77, -2, 2);
        dirac_net *folded = check_fold(nets[i].name, net, images, 1e-5, nets[i].owner_of_others);
        for (int64_t j = 0; j < dirac_net_node_count(folded); j++)
            norms += is_kind(dirac_net_node(folded, j), "batch_norm");
        for (; nets[i].stay[stay] != NULL; stay++)
            assert_non_null(dirac_net_find(folded, nets[i].stay[stay]));
        assert_int_equal(norms, stay);
        drop_floats(&images);
        dirac_net_destroy(net);
        dirac_net_destroy(folded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_stays),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
