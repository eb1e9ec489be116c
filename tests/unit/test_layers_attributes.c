/* SPDX-License-Identifier: MIT */
/* Attributes of layers: defaults, dimensions and what the setters refuse. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirac/status.h>

#include "layers/layer.h"

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

static void check_ints(const dirac__layer *layer, const char *name, int64_t d, int64_t h, int64_t w)
{
    const int32_t index = dirac__attribute_find(layer->kind, name);
    assert_true(index >= 0);
    assert_int_equal(layer->values[index].v[0], d);
    assert_int_equal(layer->values[index].v[1], h);
    assert_int_equal(layer->values[index].v[2], w);
}

static void dimensions_are_right_aligned(void **state)
{
    (void)state;
    const int64_t two[] = {3, 5}, three[] = {2, 3, 4};
    dirac__layer conv = make(&dirac__kind_conv, 2), pool = make(&dirac__kind_max_pool, 1);
    check_ints(&conv, "kernel", 1, 1, 1);
    check_ints(&conv, "stride", 1, 1, 1);
    check_ints(&conv, "padding", 0, -1, -1);
    check_ints(&pool, "stride", 0, 0, 0);
    check_ints(&pool, "padding", 0, 0, 0);
    assert_int_equal(dirac__layer_set_ints(&conv, "n", "kernel", two, 2), DIRAC_OK);
    check_ints(&conv, "kernel", 1, 3, 5);
    set(&conv, "kernel", 7);
    check_ints(&conv, "kernel", 1, 7, 7);
    set(&conv, "padding", 2);
    check_ints(&conv, "padding", 0, 2, 2);
    set(&pool, "kernel", 4);
    check_ints(&pool, "kernel", 1, 1, 4);
    dirac__layer volume = make(&dirac__kind_conv, 3);
    assert_int_equal(dirac__layer_set_ints(&volume, "n", "dilation", three, 3), DIRAC_OK);
    check_ints(&volume, "dilation", 2, 3, 4);
    assert_int_equal(dirac__layer_set_ints(&volume, "n", "dilation", three, 1), DIRAC_OK);
    check_ints(&volume, "dilation", 2, 2, 2);
}

static void defaults_are_those_of_the_header(void **state)
{
    (void)state;
    dirac__layer norm = make(&dirac__kind_batch_norm, -1),
                 lrn = make(&dirac__kind_response_norm, -1);
    assert_true(norm.values[dirac__attribute_find(norm.kind, "epsilon")].f == 1e-5);
    assert_true(norm.values[dirac__attribute_find(norm.kind, "momentum")].f == 0.1);
    assert_int_equal(norm.values[dirac__attribute_find(norm.kind, "frozen")].i, 0);
    assert_true(lrn.values[dirac__attribute_find(lrn.kind, "alpha")].f == 1e-4);
    assert_true(lrn.values[dirac__attribute_find(lrn.kind, "beta")].f == 0.75);
    assert_true(lrn.values[dirac__attribute_find(lrn.kind, "k")].f == 1.0);
    dirac__layer linear = make(&dirac__kind_linear, 0), conv = make(&dirac__kind_conv, 2);
    assert_int_equal(linear.values[dirac__attribute_find(linear.kind, "bias")].i, 1);
    assert_int_equal(conv.values[dirac__attribute_find(conv.kind, "bias")].i, 0);
    assert_int_equal(conv.values[dirac__attribute_find(conv.kind, "form")].i, DIRAC_FORM_PLAIN);
}

static void check_message(int32_t status, const char *message)
{
    assert_int_equal(status, DIRAC_ERR_ARGUMENT);
    assert_string_equal(dirac_error_message(), message);
}

static void integers_out_of_place_are_refused(void **state)
{
    (void)state;
    dirac__layer conv = make(&dirac__kind_conv, 2), relu = make(&dirac__kind_relu, -1);
    const dirac__layer before = conv;
    const int64_t bad[] = {3, 1025};
    check_message(dirac__layer_set_int(&conv, "conv3", "stride", 0),
                  "layer \"conv3\": attribute \"stride\" is 0, legal are 1 to 1024");
    check_message(dirac__layer_set_int(&conv, "conv3", "padding", -2),
                  "layer \"conv3\": attribute \"padding\" is -2, legal are -1 to 1024");
    check_message(dirac__layer_set_ints(&conv, "conv3", "kernel", bad, 2),
                  "layer \"conv3\": attribute \"kernel\" is 1025, legal are 1 to 1024");
    check_message(dirac__layer_set_int(&conv, "c", "channels", INT64_C(1073741825)),
                  "layer \"c\": attribute \"channels\" is 1073741825, legal are 1 to 1073741824");
    check_message(dirac__layer_set_int(&conv, "c", "form", 4),
                  "layer \"c\": attribute \"form\" is 4, legal are 0 to 3");
    check_message(dirac__layer_set_ints(&conv, "c", "kernel", bad, 0),
                  "layer \"c\": attribute \"kernel\" is given 0 values, legal are 1 (for every "
                  "dimension) and 2");
    check_message(dirac__layer_set_ints(&conv, "c", "kernel", bad, 3),
                  "layer \"c\": attribute \"kernel\" is given 3 values, legal are 1 (for every "
                  "dimension) and 2");
    check_message(dirac__layer_set_ints(&conv, "c", "groups", bad, 1),
                  "layer \"c\": attribute \"groups\" takes one integer");
    check_message(dirac__layer_set_float(&conv, "c", "groups", 1.0),
                  "layer \"c\": attribute \"groups\" takes one integer");
    check_message(dirac__layer_set_float(&conv, "c", "kernel", 1.0),
                  "layer \"c\": attribute \"kernel\" takes integers, one a spatial dimension");
    check_message(dirac__layer_set_int(&conv, "c", "strde", 1),
                  "layer \"c\": there is no attribute \"strde\", a layer of kind \"conv\" has "
                  "\"channels\", \"kernel\", "
                  "\"stride\", \"dilation\", \"padding\", \"groups\", \"bias\", \"form\"");
    check_message(
        dirac__layer_set_int(&relu, "r", "slope", 1),
        "layer \"r\": there is no attribute \"slope\", a layer of kind \"relu\" has none");
    assert_memory_equal(&before, &conv, sizeof conv);
}

static void reals_out_of_place_are_refused(void **state)
{
    (void)state;
    dirac__layer norm = make(&dirac__kind_batch_norm, -1), dropout = make(&dirac__kind_dropout, -1);
    const dirac__layer before = norm;
    check_message(dirac__layer_set_float(&norm, "bn", "momentum", 1.5),
                  "layer \"bn\": attribute \"momentum\" is 1.5, legal are 0 to 1");
    check_message(dirac__layer_set_float(&norm, "bn", "momentum", (double)NAN),
                  "layer \"bn\": attribute \"momentum\" is NaN, legal are 0 to 1");
    check_message(dirac__layer_set_float(&norm, "bn", "momentum", (double)INFINITY),
                  "layer \"bn\": attribute \"momentum\" is infinite, legal are 0 to 1");
    check_message(dirac__layer_set_int(&norm, "bn", "momentum", 1),
                  "layer \"bn\": attribute \"momentum\" takes a real number (use set_float)");
    assert_int_equal(dirac__layer_set_float(&norm, "bn", "epsilon", 0.0), DIRAC_ERR_ARGUMENT);
    assert_memory_equal(&before, &norm, sizeof norm);
    assert_int_equal(dirac__layer_set_float(&norm, "bn", "epsilon", 1e-3), DIRAC_OK);
    assert_true(norm.values[0].f == 1e-3);
    /* a rate that would be 1 as a float divides by zero */
    assert_int_equal(dirac__layer_set_float(&dropout, "d", "rate", 0.99999999), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac__layer_set_float(&dropout, "d", "rate", 0.9999999), DIRAC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dimensions_are_right_aligned),
        cmocka_unit_test(defaults_are_those_of_the_header),
        cmocka_unit_test(integers_out_of_place_are_refused),
        cmocka_unit_test(reals_out_of_place_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
