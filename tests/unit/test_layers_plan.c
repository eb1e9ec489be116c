/* SPDX-License-Identifier: MIT */
/* What the plan functions of layers answer and refuse, and the tables they are in. Output sizes are compared with windows counted
 * one by one, and with sizes that PyTorch 1.13 gives. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirac/status.h>

#include "layers/layer.h"

static dirac__shape vectors(int64_t c)
{
    return (dirac__shape){.c = c, .rank = 0, .size = {1, 1, 1}};
}
static dirac__shape line(int64_t c, int64_t w)
{
    return (dirac__shape){.c = c, .rank = 1, .size = {1, 1, w}};
}
static dirac__shape image(int64_t c, int64_t h, int64_t w)
{
    return (dirac__shape){.c = c, .rank = 2, .size = {1, h, w}};
}

static dirac__layer make(const dirac__kind *kind, int32_t rank)
{
    dirac__layer layer;
    memset(&layer, 0, sizeof layer);
    dirac__layer_defaults(&layer, kind, rank);
    layer.n_inputs = kind->inputs;
    return layer;
}

static void set(dirac__layer *layer, const char *attribute, int64_t value)
{
    assert_int_equal(dirac__layer_set_int(layer, "n", attribute, value), DIRAC_OK);
}

static dirac__layer_plan plan_of(const dirac__layer *layer, const dirac__shape *in)
{
    return (dirac__layer_plan){.layer = layer, .name = "n", .in = in};
}

static void check_refused(const dirac__layer *layer, const dirac__shape *in, int32_t status,
                          const char *message)
{
    dirac__layer_plan plan = plan_of(layer, in);
    assert_int_equal(layer->kind->plan(&plan), status);
    assert_string_equal(dirac_error_message(), message);
}

static dirac__shape shape_out(const dirac__layer *layer, const dirac__shape *in)
{
    dirac__layer_plan plan = plan_of(layer, in);
    if (layer->kind->plan(&plan) != DIRAC_OK)
        fail_msg("%s", dirac_error_message());
    return plan.out;
}

static void check_shape(const dirac__shape *is, const char *text)
{
    char buffer[64];
    assert_string_equal(dirac__shape_text(buffer, is), text);
}

/* ---- shapes ---- */

static void shapes_have_counts_and_texts(void **state)
{
    (void)state;
    const dirac__shape v = vectors(7), l = line(2, 9), i = image(16, 32, 3);
    const dirac__shape d = {.c = 1, .rank = 3, .size = {4, 5, 6}};
    check_shape(&v, "(7)");
    check_shape(&l, "(2, 9)");
    check_shape(&i, "(16, 32, 3)");
    check_shape(&d, "(1, 4, 5, 6)");
    assert_int_equal(dirac__shape_positions(&v), 1);
    assert_int_equal(dirac__shape_count(&i), 16 * 32 * 3);
    assert_int_equal(dirac__shape_count(&d), 120);
    assert_true(dirac__shape_equal(&i, &i));
    const dirac__shape other_rank = {.c = 2, .rank = 2, .size = {1, 1, 9}};
    assert_false(dirac__shape_equal(&l, &other_rank));
    /* as long as a text can be */
    const dirac__shape large = {
        .c = INT64_MAX, .rank = 3, .size = {INT64_MAX, INT64_MAX, INT64_MAX}};
    char text[64];
    assert_true(strlen(dirac__shape_text(text, &large)) < 64);
}

/* ---- convolution ---- */

/* The windows of a padded line, counted one by one. */
static int64_t count_windows(int64_t size, int64_t before, int64_t after, int64_t extent,
                             int64_t stride)
{
    int64_t count = 0;
    for (int64_t p = -before; p + extent - 1 <= size - 1 + after; p += stride)
        count++;
    return count;
}

static void convolution_sizes(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 3, 7, 17};
    int64_t checked = 0;
    for (int64_t k = 1; k <= 5; k++)
        for (int64_t dilation = 1; dilation <= 3; dilation++)
            for (int64_t stride = 1; stride <= 4; stride++)
                for (int64_t padding = -1; padding <= 3; padding++)
                    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                        dirac__layer conv = make(&dirac__kind_conv, 1);
                        set(&conv, "kernel", k);
                        set(&conv, "dilation", dilation);
                        set(&conv, "stride", stride);
                        set(&conv, "padding", padding);
                        /* "same" as the paper's I wants it: the centre is tap k/2 */
                        const int64_t before = padding >= 0 ? padding : dilation * (k / 2);
                        const int64_t after = padding >= 0 ? padding : dilation * (k - 1 - k / 2);
                        const int64_t want =
                            count_windows(sizes[i], before, after, dilation * (k - 1) + 1, stride);
                        const dirac__shape in = line(3, sizes[i]);
                        dirac__layer_plan plan = plan_of(&conv, &in);
                        assert_int_equal(conv.kind->plan(&plan),
                                         want > 0 ? DIRAC_OK : DIRAC_ERR_SHAPE);
                        if (want > 0)
                            assert_int_equal(plan.out.size[2], want);
                        if (padding == -1 && stride == 1)
                            assert_int_equal(plan.out.size[2], sizes[i]);
                        checked++;
                    }
    assert_int_equal(checked, 5 * 3 * 4 * 5 * 5);
}

static void convolution_shapes_and_cost(void **state)
{
    (void)state;
    /* the stem of the ImageNet nets: 112 x 112 x 64 outputs of 3 x 49 products */
    dirac__layer stem = make(&dirac__kind_conv, 2);
    set(&stem, "channels", 64);
    set(&stem, "kernel", 7);
    set(&stem, "stride", 2);
    set(&stem, "padding", 3);
    const dirac__shape in = image(3, 224, 224);
    dirac__layer_plan plan = plan_of(&stem, &in);
    assert_int_equal(stem.kind->plan(&plan), DIRAC_OK);
    check_shape(&plan.out, "(64, 112, 112)");
    assert_int_equal(plan.multiply_adds, INT64_C(118013952));
    /* groups: each output sees a third of the inputs; 9 x 8 outputs, 6 channels, 2 inputs, 2 x 3 taps */
    dirac__layer grouped = make(&dirac__kind_conv, 2);
    const int64_t kernel[] = {2, 3};
    set(&grouped, "channels", 6);
    set(&grouped, "groups", 3);
    assert_int_equal(dirac__layer_set_ints(&grouped, "n", "kernel", kernel, 2), DIRAC_OK);
    const dirac__shape small = image(6, 9, 8);
    plan = plan_of(&grouped, &small);
    assert_int_equal(grouped.kind->plan(&plan), DIRAC_OK);
    check_shape(&plan.out, "(6, 9, 8)");
    assert_int_equal(plan.multiply_adds, 9 * 8 * 6 * 2 * 6);
    dirac__layer linear = make(&dirac__kind_linear, 0);
    set(&linear, "channels", 1000);
    const dirac__shape vector = vectors(512);
    plan = plan_of(&linear, &vector);
    assert_int_equal(linear.kind->plan(&plan), DIRAC_OK);
    check_shape(&plan.out, "(1000)");
    assert_int_equal(plan.multiply_adds, 512000);
}

static void convolution_refuses(void **state)
{
    (void)state;
    dirac__layer conv = make(&dirac__kind_conv, 2), linear = make(&dirac__kind_linear, 0);
    const dirac__shape vector = vectors(64), square = image(64, 8, 8);
    check_refused(
        &conv, &vector, DIRAC_ERR_SHAPE,
        "layer \"n\": a convolution of 2 dimensions takes (C, height, width), its input is (64)");
    dirac__layer conv1 = make(&dirac__kind_conv, 1);
    check_refused(
        &conv1, &square, DIRAC_ERR_SHAPE,
        "layer \"n\": a convolution of 1 dimension takes (C, length), its input is (64, 8, 8)");
    check_refused(&linear, &square, DIRAC_ERR_SHAPE,
                  "layer \"n\": a linear layer takes vectors, its input is (64, 8, 8); flatten or "
                  "pool it first");
    set(&conv, "channels", 32);
    set(&conv, "groups", 3);
    check_refused(&conv, &square, DIRAC_ERR_SHAPE,
                  "layer \"n\": attribute \"groups\" is 3; it must divide the channels of its "
                  "input (64, 8, 8) and its "
                  "own 32 channels");
    set(&conv, "groups", 64); /* divides the input's only */
    check_refused(&conv, &square, DIRAC_ERR_SHAPE,
                  "layer \"n\": attribute \"groups\" is 64; it must divide the channels of its "
                  "input (64, 8, 8) and its "
                  "own 32 channels");
    set(&conv, "groups", 1);
    set(&conv, "kernel", 5);
    set(&conv, "dilation", 2);
    set(&conv, "padding", 0);
    check_refused(&conv, &square, DIRAC_ERR_SHAPE,
                  "layer \"n\": its kernel spans 9 x 9, more than its input (64, 8, 8) with "
                  "padding; each must fit");
}

static void sizes_beyond_the_machine_are_refused(void **state)
{
    (void)state;
    const int64_t most = DIRAC__MAX_DIMENSION;
    dirac__layer conv = make(&dirac__kind_conv, 3), linear = make(&dirac__kind_linear, 0);
    const dirac__shape volume = {.c = most, .rank = 3, .size = {1, 1, 1}}, wide = vectors(most);
    set(&conv, "channels", most);
    set(&conv, "kernel", 1024);
    check_refused(&conv, &volume, DIRAC_ERR_LIMIT,
                  "layer \"n\": its weight needs more memory than this machine can address");
    set(&linear, "channels", most);
    check_refused(&linear, &wide, DIRAC_ERR_LIMIT,
                  "layer \"n\": its weight needs more memory than this machine can address");
    dirac__layer ncrelu = make(&dirac__kind_ncrelu, -1), flatten = make(&dirac__kind_flatten, -1);
    check_refused(
        &ncrelu, &wide, DIRAC_ERR_LIMIT,
        "layer \"n\": its output would be (2147483648); each size must be 1 to 1073741824");
    const dirac__shape big = image(1024, 1024, 2048);
    check_refused(
        &flatten, &big, DIRAC_ERR_LIMIT,
        "layer \"n\": its output would be (2147483648); each size must be 1 to 1073741824");
    /* 2^20 x 2^20 outputs of 2^30 products each do not fit 63 bits */
    dirac__layer cost = make(&dirac__kind_conv, 2);
    set(&cost, "kernel", 1024);
    const dirac__shape plane = image(1024, 1 << 20, 1 << 20);
    check_refused(&cost, &plane, DIRAC_ERR_LIMIT,
                  "layer \"n\": one image takes more than 9223372036854775807 multiply-adds");
    const dirac__shape less = image(1024, 1 << 17, 1 << 16); /* 2^33 outputs: 2^63 products */
    check_refused(&cost, &less, DIRAC_ERR_LIMIT,
                  "layer \"n\": one image takes more than 9223372036854775807 multiply-adds");
    /* an image fits, the batch does not */
    dirac__layer relu = make(&dirac__kind_relu, -1);
    dirac__layer_plan plan = plan_of(&relu, &big);
    plan.batch = INT64_C(1) << 40;
    assert_int_equal(relu.kind->plan(&plan), DIRAC_ERR_LIMIT);
    plan.batch = INT64_MAX;
    assert_int_equal(relu.kind->plan(&plan), DIRAC_ERR_LIMIT);
    plan.batch = 1;
    assert_int_equal(relu.kind->plan(&plan), DIRAC_OK);
    dirac__layer input = make(&dirac__kind_input, 2);
    const dirac__shape empty = image(3, 0, 4);
    assert_int_equal(
        input.kind->plan(&(dirac__layer_plan){.layer = &input, .name = "n", .in = &empty}),
        DIRAC_ERR_LIMIT);
}

/* ---- pools ---- */

/* {size, kernel, stride, padding, floor, ceil} of torch.nn.functional.max_pool1d */
static const int64_t torch_pools[][6] = {
    {32, 3, 2, 0, 15, 16}, {33, 3, 2, 0, 16, 16}, {7, 2, 2, 0, 3, 4},  {7, 2, 2, 1, 4, 4},
    {1, 1, 1, 0, 1, 1},    {1, 1, 2, 0, 1, 1},    {1, 3, 1, 1, 1, 1},  {5, 2, 3, 1, 2, 2},
    {4, 2, 3, 1, 2, 2},    {17, 5, 4, 2, 5, 5},   {16, 3, 2, 1, 8, 9}, {8, 3, 5, 1, 2, 2},
    {6, 1, 4, 0, 2, 2},    {2, 2, 7, 1, 1, 1},    {3, 2, 7, 1, 1, 1},
};

static int64_t pool_size(const dirac__kind *kind, int64_t size, int64_t kernel, int64_t stride,
                         int64_t padding, int64_t ceil)
{
    dirac__layer pool = make(kind, 1);
    set(&pool, "kernel", kernel);
    set(&pool, "stride", stride);
    set(&pool, "padding", padding);
    set(&pool, "ceil", ceil);
    const dirac__shape in = line(3, size);
    dirac__layer_plan plan = plan_of(&pool, &in);
    return pool.kind->plan(&plan) == DIRAC_OK ? plan.out.size[2] : 0;
}

/* With "ceil": windows go on until the padded line is covered, but each must start before its back padding. */
static int64_t count_covering(int64_t size, int64_t kernel, int64_t stride, int64_t padding)
{
    int64_t count = 1;
    while ((count - 1) * stride + kernel < size + 2 * padding && count * stride < size + padding)
        count++;
    return count;
}

static void pool_sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof torch_pools / sizeof *torch_pools; i++) {
        const int64_t *t = torch_pools[i];
        assert_int_equal(pool_size(&dirac__kind_max_pool, t[0], t[1], t[2], t[3], 0), t[4]);
        assert_int_equal(pool_size(&dirac__kind_average_pool, t[0], t[1], t[2], t[3], 1), t[5]);
    }
    for (int64_t size = 1; size <= 12; size++)
        for (int64_t kernel = 1; kernel <= 5; kernel++)
            for (int64_t stride = 0; stride <= 6; stride++)
                for (int64_t padding = 0; padding <= kernel / 2; padding++) {
                    const int64_t step = stride > 0 ? stride : kernel;
                    const int64_t floor_ = count_windows(size, padding, padding, kernel, step);
                    const int64_t ceil_ =
                        floor_ > 0 ? count_covering(size, kernel, step, padding) : 0;
                    assert_int_equal(
                        pool_size(&dirac__kind_max_pool, size, kernel, stride, padding, 0), floor_);
                    assert_int_equal(
                        pool_size(&dirac__kind_max_pool, size, kernel, stride, padding, 1), ceil_);
                }
}

static void pools_refuse(void **state)
{
    (void)state;
    dirac__layer pool = make(&dirac__kind_average_pool, 2);
    const dirac__shape in = image(5, 4, 2), vector = vectors(5);
    check_refused(&pool, &vector, DIRAC_ERR_SHAPE,
                  "layer \"n\": a pool of 2 dimensions takes (C, height, width), its input is (5)");
    set(&pool, "kernel", 3);
    check_refused(&pool, &in, DIRAC_ERR_SHAPE,
                  "layer \"n\": its window is 3 x 3, more than its input (5, 4, 2) with padding 0 "
                  "x 0; each must fit");
    set(&pool, "padding", 2);
    check_refused(&pool, &in, DIRAC_ERR_SHAPE,
                  "layer \"n\": its padding is 2 x 2, its kernel 3 x 3; padding must be at most "
                  "half the kernel");
    set(&pool, "padding", 1);
    const dirac__shape out = shape_out(&pool, &in);
    check_shape(&out, "(5, 2, 1)");
}

/* ---- the others ---- */

static void other_shapes(void **state)
{
    (void)state;
    const dirac__shape in = image(3, 5, 7);
    dirac__layer layer = make(&dirac__kind_flatten, -1);
    dirac__shape out = shape_out(&layer, &in);
    check_shape(&out, "(105)");
    layer = make(&dirac__kind_ncrelu, -1);
    out = shape_out(&layer, &in);
    check_shape(&out, "(6, 5, 7)");
    layer = make(&dirac__kind_global_average_pool, -1);
    out = shape_out(&layer, &in);
    check_shape(&out, "(3)");
    static const dirac__kind *const same[] = {&dirac__kind_input,   &dirac__kind_relu,
                                              &dirac__kind_elu,     &dirac__kind_batch_norm,
                                              &dirac__kind_dropout, &dirac__kind_response_norm,
                                              &dirac__kind_softmax};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        layer = make(same[i], -1);
        out = shape_out(&layer, &in);
        assert_true(dirac__shape_equal(&out, &in));
    }
}

static void several_inputs(void **state)
{
    (void)state;
    const dirac__shape in[] = {image(3, 5, 7), image(4, 5, 7), image(1, 5, 7), image(3, 5, 8)};
    dirac__layer concat = make(&dirac__kind_concat, -1), add = make(&dirac__kind_add, -1);
    concat.n_inputs = 3;
    dirac__shape out = shape_out(&concat, in);
    check_shape(&out, "(8, 5, 7)");
    concat.n_inputs = 4;
    check_refused(&concat, in, DIRAC_ERR_SHAPE,
                  "layer \"n\": it takes values of equal spatial size, its input 0 is (3, 5, 7), "
                  "input 3 is (3, 5, 8)");
    check_refused(
        &add, in, DIRAC_ERR_SHAPE,
        "layer \"n\": it adds values of equal shapes, its inputs are (3, 5, 7) and (4, 5, 7)");
    const dirac__shape equal[] = {in[0], in[0]};
    out = shape_out(&add, equal);
    check_shape(&out, "(3, 5, 7)");
}

/* ---- parameters ---- */

static void check_parameter(const dirac__parameter *is, const char *name, int32_t rank,
                            const int64_t *dims, bool decay, int32_t role, int32_t init, double a)
{
    assert_string_equal(is->name, name);
    assert_int_equal(is->rank, rank);
    for (int32_t i = 0; i < rank; i++)
        assert_int_equal(is->dims[i], dims[i]);
    assert_int_equal(is->decay, decay);
    assert_int_equal(is->role, role);
    assert_int_equal(is->init, init);
    assert_true(fabs(is->a - a) < 1e-15);
}

static void parameters_of_weights(void **state)
{
    (void)state;
    const int64_t weight[] = {6, 2, 2, 3}, vector[] = {6}, kernel[] = {2, 3};
    const dirac__shape in = image(6, 9, 8);
    static const int32_t counts[] = {
        2, 3, 4, 2}; /* weight and bias; with alpha; with alpha and beta; as the first */
    for (int32_t form = DIRAC_FORM_PLAIN; form <= DIRAC_FORM_FIXED_DELTA; form++) {
        dirac__layer conv = make(&dirac__kind_conv, 2);
        dirac__parameter_list list;
        int32_t next = 0;
        set(&conv, "channels", 6);
        set(&conv, "groups", 3);
        set(&conv, "bias", 1);
        set(&conv, "form", form);
        assert_int_equal(dirac__layer_set_ints(&conv, "n", "kernel", kernel, 2), DIRAC_OK);
        assert_int_equal(conv.kind->parameters(&conv, &in, &list), DIRAC_OK);
        assert_int_equal(list.count, counts[form]);
        assert_int_equal(list.items[0].groups, 3);
        check_parameter(&list.items[next++], "weight", 4, weight, true, DIRAC_ROLE_TRAINED,
                        DIRAC_INIT_KAIMING_NORMAL, sqrt(2.0));
        if (form == DIRAC_FORM_DELTA || form == DIRAC_FORM_NORMALIZED_DELTA)
            check_parameter(&list.items[next++], "alpha", 1, vector, false, DIRAC_ROLE_TRAINED,
                            DIRAC_INIT_CONSTANT, 1);
        if (form == DIRAC_FORM_NORMALIZED_DELTA)
            check_parameter(&list.items[next++], "beta", 1, vector, false, DIRAC_ROLE_TRAINED,
                            DIRAC_INIT_CONSTANT, 0.1);
        check_parameter(&list.items[next], "bias", 1, vector, false, DIRAC_ROLE_TRAINED,
                        DIRAC_INIT_ZEROS, 0);
    }
    dirac__layer linear = make(&dirac__kind_linear, 0);
    const dirac__shape features = vectors(5);
    const int64_t matrix[] = {7, 5};
    dirac__parameter_list list;
    set(&linear, "channels", 7);
    set(&linear, "bias", 0);
    assert_int_equal(linear.kind->parameters(&linear, &features, &list), DIRAC_OK);
    assert_int_equal(list.count, 1);
    check_parameter(&list.items[0], "weight", 2, matrix, true, DIRAC_ROLE_TRAINED,
                    DIRAC_INIT_KAIMING_NORMAL, sqrt(2.0));
}

static void parameters_of_batch_norm(void **state)
{
    (void)state;
    const dirac__shape in = image(6, 9, 8);
    const int64_t vector[] = {6};
    dirac__layer norm = make(&dirac__kind_batch_norm, -1);
    dirac__parameter_list list;
    assert_int_equal(norm.kind->parameters(&norm, &in, &list), DIRAC_OK);
    assert_int_equal(list.count, 4);
    check_parameter(&list.items[0], "weight", 1, vector, false, DIRAC_ROLE_TRAINED,
                    DIRAC_INIT_UNIFORM, 0);
    assert_true(list.items[0].b == 1.0);
    check_parameter(&list.items[1], "bias", 1, vector, false, DIRAC_ROLE_TRAINED, DIRAC_INIT_ZEROS,
                    0);
    check_parameter(&list.items[2], "running_mean", 1, vector, false, DIRAC_ROLE_STATE,
                    DIRAC_INIT_ZEROS, 0);
    check_parameter(&list.items[3], "running_var", 1, vector, false, DIRAC_ROLE_STATE,
                    DIRAC_INIT_CONSTANT, 1);
}

/* ---- the registry ---- */

static void tables_are_complete(void **state)
{
    (void)state;
    int count = 0;
    for (; dirac__kinds[count] != NULL; count++) {
        const dirac__kind *kind = dirac__kinds[count];
        assert_ptr_equal(dirac__kind_find(kind->name), kind); /* so names are unique */
        assert_non_null(kind->plan);
        assert_non_null(kind->forward);
        assert_int_equal(kind->backward == NULL, (kind->traits & DIRAC__IS_INPUT) != 0);
        assert_int_equal(kind->affine != NULL, (kind->traits & DIRAC__CHANNEL_AFFINE) != 0);
        assert_int_equal(kind->fold_parameters != NULL,
                         (kind->traits & DIRAC__ABSORBS_AFFINE) != 0);
        assert_int_equal(kind->fold_attributes != NULL, kind->fold_parameters != NULL);
        assert_true(kind->n_attributes <= DIRAC__MAX_ATTRIBUTES);
        for (int32_t i = 0; i < kind->n_attributes; i++) {
            const dirac__attribute *a = &kind->attributes[i];
            assert_int_equal(dirac__attribute_find(kind, a->name), i);
            assert_true(a->least <= a->value && a->value <= a->most);
        }
    }
    assert_int_equal(count, 16);
    assert_null(dirac__kind_find("dense"));
    assert_null(dirac__kind_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_have_counts_and_texts),
        cmocka_unit_test(convolution_sizes),
        cmocka_unit_test(convolution_shapes_and_cost),
        cmocka_unit_test(convolution_refuses),
        cmocka_unit_test(sizes_beyond_the_machine_are_refused),
        cmocka_unit_test(pool_sizes),
        cmocka_unit_test(pools_refuse),
        cmocka_unit_test(other_shapes),
        cmocka_unit_test(several_inputs),
        cmocka_unit_test(parameters_of_weights),
        cmocka_unit_test(parameters_of_batch_norm),
        cmocka_unit_test(tables_are_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
