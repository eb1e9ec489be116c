/* SPDX-License-Identifier: MIT */
/* The fold's arithmetic against twins in double: what layers with weights make of a weight form and a batch norm. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirac/status.h>

#include "layers/layer.h"
#include "support/compare.h"

enum {
    FOLD_O = 6,
    FOLD_I = 2,
    FOLD_TAPS = 6,
    FILTER = FOLD_I * FOLD_TAPS
}; /* 3 groups, kernel 3 x 2 */

typedef struct fold_case {
    dirac__layer layer, folded;
    float *from[4], weight[FOLD_O * FILTER], bias[FOLD_O];
    double s[FOLD_O], t[FOLD_O], want[FOLD_O * FILTER], want_bias[FOLD_O];
} fold_case;

/* W' = s (alpha I + beta W/|W|), b' = s bias + t; I's one of filter d of a group is at input d and tap (3/2, 2/2). */
static void fold_make(fold_case *f)
{
    const int64_t kernel[] = {3, 2};
    dirac__layer_defaults(&f->layer, &dirac__kind_conv, 2);
    dirac__layer_set_int(&f->layer, "n", "channels", FOLD_O);
    dirac__layer_set_int(&f->layer, "n", "groups", 3);
    dirac__layer_set_int(&f->layer, "n", "bias", 1);
    dirac__layer_set_int(&f->layer, "n", "form", DIRAC_FORM_NORMALIZED_DELTA);
    assert_int_equal(dirac__layer_set_ints(&f->layer, "n", "kernel", kernel, 2), DIRAC_OK);
    f->from[0] = random_floats(FOLD_O * FILTER, 1, -1, 1);
    for (int i = 1; i < 4; i++)
        f->from[i] = random_floats(FOLD_O, (uint64_t)i + 1, 0.5, 2); /* alpha, beta, bias */
    for (int o = 0; o < FOLD_O; o++) {
        double squares = 0;
        f->s[o] = 0.3 + o;
        f->t[o] = 2.0 - o;
        for (int j = 0; j < FILTER; j++)
            squares += (double)f->from[0][o * FILTER + j] * f->from[0][o * FILTER + j];
        for (int j = 0; j < FILTER; j++) {
            const double one = j == o % 2 * FOLD_TAPS + 1 * 2 + 1 ? 1 : 0;
            const double w = f->from[0][o * FILTER + j];
            f->want[o * FILTER + j] =
                f->s[o] * (f->from[1][o] * one + f->from[2][o] * w / sqrt(squares));
        }
        f->want_bias[o] = f->s[o] * f->from[3][o] + f->t[o];
    }
}

static void fold_arithmetic(void **state)
{
    (void)state;
    fold_case f;
    double tolerance[FOLD_O * FILTER], tolerance_bias[FOLD_O];
    const dirac__shape in = {.c = 6, .rank = 2, .size = {1, 5, 5}};
    float *to[2] = {f.weight, f.bias};
    fold_make(&f);
    f.layer.kind->fold_attributes(&f.layer, true, &f.folded);
    dirac__parameter_list list;
    assert_int_equal(f.folded.kind->parameters(&f.folded, &in, &list), DIRAC_OK);
    assert_int_equal(list.count, 2);
    assert_int_equal(f.layer.kind->fold_parameters(&dirac__default_memory, &f.layer, &in, f.from,
                                                   &f.folded, to, f.s, f.t),
                     DIRAC_OK);
    /* all in double, rounded once: half a unit in the last place, and a little for the order of double sums */
    for (int i = 0; i < FOLD_O * FILTER; i++)
        tolerance[i] = (1 + 1e-6) * ROUNDING * fabs(f.want[i]);
    for (int i = 0; i < FOLD_O; i++)
        tolerance_bias[i] = (1 + 1e-6) * ROUNDING * fabs(f.want_bias[i]);
    check_close("folded weight", f.weight, f.want, tolerance, FOLD_O * FILTER);
    check_close("folded bias", f.bias, f.want_bias, tolerance_bias, FOLD_O);
    for (int i = 0; i < 4; i++)
        free(f.from[i]);
}

/* Without a batch norm the bias is kept as it is, and a layer without one gets none. */
static void fold_alone(void **state)
{
    (void)state;
    fold_case f;
    const dirac__shape in = {.c = 6, .rank = 2, .size = {1, 5, 5}};
    float *to[2] = {f.weight, f.bias};
    fold_make(&f);
    f.layer.kind->fold_attributes(&f.layer, false, &f.folded);
    assert_int_equal(f.layer.kind->fold_parameters(&dirac__default_memory, &f.layer, &in, f.from,
                                                   &f.folded, to, NULL, NULL),
                     DIRAC_OK);
    check_bits("bias", f.bias, f.from[3], FOLD_O);
    for (int i = 0; i < FOLD_O * FILTER; i++)
        assert_true(fabs(f.weight[i] - f.want[i] / f.s[i / FILTER]) <=
                    1.001 * ROUNDING * fabs(f.weight[i]));
    dirac__layer_set_int(&f.layer, "n", "bias", 0);
    f.layer.kind->fold_attributes(&f.layer, false, &f.folded);
    dirac__parameter_list list;
    assert_int_equal(f.folded.kind->parameters(&f.folded, &in, &list), DIRAC_OK);
    assert_int_equal(list.count, 1);
    for (int i = 0; i < 4; i++)
        free(f.from[i]);
}

static void *no_memory(void *user, size_t size, size_t alignment)
{
    (void)user;
    (void)size;
    (void)alignment;
    return NULL;
}
static void release_nothing(void *user, void *pointer, size_t size)
{
    (void)user;
    (void)pointer;
    (void)size;
}

static void fold_without_memory(void **state)
{
    (void)state;
    fold_case f;
    const dirac__memory none = {no_memory, release_nothing, NULL};
    const dirac__shape in = {.c = 6, .rank = 2, .size = {1, 5, 5}};
    float *to[2] = {f.weight, f.bias};
    fold_make(&f);
    f.layer.kind->fold_attributes(&f.layer, true, &f.folded);
    assert_int_equal(
        f.layer.kind->fold_parameters(&none, &f.layer, &in, f.from, &f.folded, to, f.s, f.t),
        DIRAC_ERR_MEMORY);
    for (int i = 0; i < 4; i++)
        free(f.from[i]);
}

static void norm_is_affine(void **state)
{
    (void)state;
    dirac__layer layer;
    float weight[] = {2, -1}, bias[] = {0.5f, 3}, mean[] = {4, -2}, var[] = {0.25f, 9};
    float *const parameters[] = {weight, bias, mean, var};
    double s[2], t[2];
    dirac__layer_defaults(&layer, &dirac__kind_batch_norm, -1);
    layer.kind->affine(&layer, parameters, 2, s, t);
    for (int i = 0; i < 2; i++) {
        const double want = weight[i] / sqrt(var[i] + 1e-5);
        assert_true(fabs(s[i] - want) < 1e-14 * fabs(want));
        assert_true(fabs(t[i] - (bias[i] - mean[i] * want)) < 1e-13);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fold_arithmetic),
        cmocka_unit_test(fold_alone),
        cmocka_unit_test(fold_without_memory),
        cmocka_unit_test(norm_is_affine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
