/* SPDX-License-Identifier: MIT */
/* Layers together against the twin: the orders that a plan fuses, computes in place or recomputes, values with several
 * readers, shared parameters, and the blocks that the paper's networks are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "layers/layer_check.h"
#include "layers/layer_values.h"

static dirac_node *conv(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel,
                        int64_t bias)
{
    dirac_node *y = dirac_net_conv2d(net, x, channels, kernel);
    OK(dirac_node_set_int(y, "bias", bias));
    return y;
}

static dirac_node *image(dirac_net *net)
{
    return dirac_net_input2d(net, 3, 6, 5);
}

static void run(const char *what, void (*build)(dirac_net *, const void *))
{
    check_layer(&(layer_case){.what = what, .build = build});
}

/* ---- what comes after a convolution ---------------------------------------------------------- */

static void conv_relu(dirac_net *net, const void *user)
{
    (void)user;
    dirac_net_output(net, dirac_net_relu(net, conv(net, image(net), 5, 3, 1)));
}

static void conv_relu_conv(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_relu(net, conv(net, image(net), 17, 3, 1));
    dirac_net_output(net, conv(net, dirac_net_relu(net, x), 4, 3, 0));
}

static void conv_norm(dirac_net *net, const void *user)
{
    (void)user;
    dirac_net_output(net, dirac_net_batch_norm(net, conv(net, image(net), 5, 3, 0)));
}

static void conv_norm_relu(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_batch_norm(net, conv(net, image(net), 6, 3, 0));
    dirac_net_output(net, dirac_net_relu(net, x));
}

/* A bias before a batch norm: its gradient is 0, and folding takes both. */
static void conv_bias_norm_elu(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = conv(net, image(net), 4, 2, 1);
    OK(dirac_node_set_name(x, "before"));
    dirac_net_output(net, dirac_net_elu(net, dirac_net_batch_norm(net, x)));
}

static void conv_pool_norm(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_max_pool2d(net, conv(net, image(net), 4, 3, 0), 2);
    dirac_net_output(net, dirac_net_batch_norm(net, x));
}

static void conv_norm_pool_relu_conv(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_batch_norm(net, conv(net, image(net), 4, 3, 0));
    x = dirac_net_relu(net, dirac_net_max_pool2d(net, x, 2));
    dirac_net_output(net, conv(net, x, 3, 3, 1));
}

static void conv_norm_ncrelu_conv(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_batch_norm(net, conv(net, image(net), 4, 3, 0));
    dirac_net_output(net, conv(net, dirac_net_ncrelu(net, x), 3, 3, 1));
}

/* An affine layer that no convolution can take in: it reads the input. */
static void norm_relu_conv(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_relu(net, dirac_net_batch_norm(net, image(net)));
    dirac_net_output(net, conv(net, x, 4, 3, 0));
}

static void norm_norm_relu(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_batch_norm(net, conv(net, image(net), 4, 3, 0));
    dirac_net_output(net, dirac_net_relu(net, dirac_net_batch_norm(net, dirac_net_elu(net, x))));
}

static void relu_of_relu(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_relu(net, dirac_net_relu(net, image(net)));
    dirac_net_output(net, conv(net, x, 4, 3, 0));
}

static void after_convolution(void **state)
{
    static const char *const flat[] = {"before.bias", NULL};
    (void)state;
    run("conv, relu", conv_relu);
    run("conv, relu, relu, conv", conv_relu_conv);
    run("conv, norm", conv_norm);
    run("conv, norm, relu", conv_norm_relu);
    check_layer(&(layer_case){
        .what = "conv with bias, norm, elu", .build = conv_bias_norm_elu, .flat = flat});
    run("conv, max pool, norm", conv_pool_norm);
    run("conv, norm, max pool, relu, conv", conv_norm_pool_relu_conv);
    run("conv, norm, ncrelu, conv", conv_norm_ncrelu_conv);
    run("norm, relu, conv", norm_relu_conv);
    run("conv, norm, elu, norm, relu", norm_norm_relu);
    run("relu, relu, conv", relu_of_relu);
}

/* ---- values read twice ----------------------------------------------------------------------- */

static void relu_after_add(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = conv(net, image(net), 4, 3, 0);
    dirac_node *y = dirac_net_batch_norm(net, conv(net, dirac_net_relu(net, x), 4, 3, 0));
    dirac_net_output(net, conv(net, dirac_net_relu(net, dirac_net_add(net, x, y)), 3, 1, 0));
}

/* The value before the ReLU is read again, so it must not be overwritten. */
static void before_and_after_relu(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = conv(net, image(net), 4, 3, 1);
    dirac_net_output(net, dirac_net_add(net, dirac_net_relu(net, x), x));
}

static void before_and_after_norm(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = conv(net, image(net), 4, 3, 0);
    dirac_node *y = dirac_net_relu(net, dirac_net_batch_norm(net, x));
    dirac_node *both[2] = {x, y};
    dirac_net_output(net, conv(net, dirac_net_concat(net, both, 2), 3, 3, 0));
}

/* Both normalised and rectified values have readers of their own. */
static void norm_with_two_readers(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_batch_norm(net, conv(net, image(net), 4, 3, 0));
    dirac_node *a = conv(net, dirac_net_relu(net, x), 4, 3, 0);
    dirac_net_output(net, dirac_net_add(net, a, conv(net, x, 4, 1, 1)));
}

static void relu_with_two_readers(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_relu(net, dirac_net_batch_norm(net, conv(net, image(net), 4, 3, 0)));
    dirac_net_output(
        net, dirac_net_add(net, conv(net, x, 4, 3, 0), dirac_net_elu(net, conv(net, x, 4, 1, 0))));
}

static void twice_the_same(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_relu(net, conv(net, image(net), 4, 3, 0));
    dirac_net_output(net, dirac_net_relu(net, dirac_net_add(net, x, x)));
}

/* An output that is read on, and one that is an input's own activation. */
static void output_inside(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_output(net, conv(net, image(net), 4, 3, 0));
    x = dirac_net_output(net, dirac_net_relu(net, dirac_net_batch_norm(net, x)));
    dirac_net_output(net, dirac_net_global_average_pool(net, conv(net, x, 3, 3, 1)));
}

/* Three sums of one value, one of them nested. */
static void skips_over_skips(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = conv(net, image(net), 4, 3, 0);
    dirac_node *y = dirac_net_add(net, x, conv(net, dirac_net_relu(net, x), 4, 3, 0));
    dirac_node *z = dirac_net_add(net, y, conv(net, dirac_net_relu(net, y), 4, 3, 0));
    dirac_net_output(net, dirac_net_add(net, z, dirac_net_add(net, x, z)));
}

static void several_readers(void **state)
{
    (void)state;
    run("relu after add", relu_after_add);
    run("x and relu(x)", before_and_after_relu);
    run("x and relu(norm(x))", before_and_after_norm);
    run("norm(x) and relu(norm(x))", norm_with_two_readers);
    run("relu(x) read twice", relu_with_two_readers);
    run("x + x of a relu", twice_the_same);
    run("outputs inside", output_inside);
    run("skips over skips", skips_over_skips);
}

/* ---- shared parameters ----------------------------------------------------------------------- */

static void shared_dirac(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = conv(net, image(net), 4, 3, 0);
    dirac_node *first = dirac_net_dirac_conv2d(net, dirac_net_elu(net, x), 4, 3);
    OK(dirac_node_set_name(first, "first"));
    dirac_node *second = dirac_net_dirac_conv2d(net, dirac_net_elu(net, first), 4, 3);
    OK(dirac_node_set_name(second, "second"));
    OK(dirac_node_share_parameters(second, first));
    dirac_net_output(net, second);
}

static void shared_linear(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_input(net, 9);
    dirac_node *first = dirac_net_linear(net, x, 9);
    OK(dirac_node_set_name(first, "first"));
    dirac_node *second = dirac_net_linear(net, dirac_net_relu(net, first), 9);
    OK(dirac_node_set_name(second, "second"));
    OK(dirac_node_share_parameters(second, first));
    dirac_node *third = dirac_net_linear(net, x, 9);
    OK(dirac_node_set_name(third, "third"));
    OK(dirac_node_share_parameters(third, first));
    dirac_net_output(net, dirac_net_add(net, second, third));
}

/* A batch norm after a convolution whose weight another layer uses too must not go into it. */
static void shared_then_norm(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = conv(net, image(net), 4, 3, 0);
    dirac_node *first = conv(net, x, 4, 3, 1);
    OK(dirac_node_set_name(first, "first"));
    dirac_node *second = conv(net, dirac_net_relu(net, x), 4, 3, 1);
    OK(dirac_node_set_name(second, "second"));
    OK(dirac_node_share_parameters(second, first));
    dirac_net_output(
        net, dirac_net_add(net, dirac_net_batch_norm(net, first), dirac_net_elu(net, second)));
}

/* One batch norm's parameters and statistics for two values; the second forward's follow the first's. */
static void shared_norm(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = conv(net, image(net), 4, 3, 0);
    dirac_node *first = dirac_net_batch_norm(net, x);
    OK(dirac_node_set_name(first, "first"));
    dirac_node *second = dirac_net_batch_norm(net, conv(net, dirac_net_relu(net, first), 4, 3, 0));
    OK(dirac_node_set_name(second, "second"));
    OK(dirac_node_share_parameters(second, first));
    dirac_net_output(net, dirac_net_elu(net, second));
}

static void shared_parameters(void **state)
{
    static const char *const two[] = {"second", "first", NULL};
    static const char *const three[] = {"second", "first", "third", "first", NULL};
    (void)state;
    check_layer(
        &(layer_case){.what = "two layers of one weight", .build = shared_dirac, .share = two});
    check_layer(&(layer_case){
        .what = "three linear layers of one weight", .build = shared_linear, .share = three});
    check_layer(
        &(layer_case){.what = "shared, then norm", .build = shared_then_norm, .share = two});
    check_layer(&(layer_case){.what = "shared norm", .build = shared_norm, .share = two});
}

/* ---- the paper's blocks ---------------------------------------------------------------------- */

static void diracnet(dirac_net *net, const void *user)
{
    const int32_t *form = user;
    dirac_node *x = dirac_net_input2d(net, 3, 8, 8);
    x = dirac_net_relu(net, dirac_net_batch_norm(net, conv(net, x, 6, 3, 0)));
    for (int block = 0; block < 3; block++) {
        x = dirac_net_conv2d(net, dirac_net_relu(net, x), block == 1 ? 9 : 6, 3);
        OK(dirac_node_set_int(x, "form", *form));
        x = dirac_net_batch_norm(net, x);
        if (block < 2)
            x = dirac_net_max_pool2d(net, x, 2);
    }
    x = dirac_net_global_average_pool(net, dirac_net_relu(net, x));
    dirac_net_output(net, dirac_net_linear(net, x, 5));
}

static void resnet(dirac_net *net, const void *user)
{
    const int32_t *form = user;
    dirac_node *x = conv(net, dirac_net_input2d(net, 3, 6, 6), 4, 3, 0);
    for (int block = 0; block < 2; block++) {
        dirac_node *before = dirac_net_relu(net, dirac_net_batch_norm(net, x));
        dirac_node *y = conv(net, before, 6, 3, 0);
        OK(dirac_node_set_int(y, "form", *form));
        if (block == 0)
            OK(dirac_node_set_int(y, "stride", 2));
        y = conv(net, dirac_net_relu(net, dirac_net_batch_norm(net, y)), 6, 3, 0);
        if (block == 0) {
            x = conv(net, before, 6, 1, 0);
            OK(dirac_node_set_int(x, "stride", 2));
        }
        x = dirac_net_add(net, x, y);
    }
    x = dirac_net_relu(net, dirac_net_batch_norm(net, x));
    dirac_net_output(net, dirac_net_linear(net, dirac_net_global_average_pool(net, x), 4));
}

static void blocks_of_the_paper(void **state)
{
    static const char *const names[] = {"plain", "eq. 4", "eq. 5", "eq. 8"};
    (void)state;
    for (int32_t form = DIRAC_FORM_PLAIN; form <= DIRAC_FORM_FIXED_DELTA; form++) {
        char what[64];
        snprintf(what, sizeof what, "small DiracNet, %s", names[form]);
        check_layer(&(layer_case){.what = what, .build = diracnet, .user = &form, .n = 4});
        snprintf(what, sizeof what, "small ResNet, %s", names[form]);
        check_layer(&(layer_case){.what = what, .build = resnet, .user = &form, .n = 4});
    }
}

/* Channels and tiles enough for the fastest convolution that there is, around the same fused layers. */
static void wide_block(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = conv(net, dirac_net_input2d(net, 3, 6, 7), 16, 3, 0);
    dirac_node *y = dirac_net_relu(net, dirac_net_batch_norm(net, x));
    y = dirac_net_batch_norm(net, dirac_net_dirac_conv2d(net, y, 16, 3));
    y = dirac_net_relu(net, dirac_net_add(net, dirac_net_relu(net, y), x));
    y = dirac_net_relu(net, conv(net, y, 16, 3, 1));
    dirac_net_output(net, dirac_net_global_average_pool(net, conv(net, y, 16, 3, 0)));
}

static void block_of_sixteen_channels(void **state)
{
    (void)state;
    check_layer(&(layer_case){.what = "block of sixteen channels", .build = wide_block, .n = 4});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_convolution),         cmocka_unit_test(several_readers),
        cmocka_unit_test(shared_parameters),         cmocka_unit_test(blocks_of_the_paper),
        cmocka_unit_test(block_of_sixteen_channels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
