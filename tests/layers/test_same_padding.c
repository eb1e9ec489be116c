/* SPDX-License-Identifier: MIT */
/* "Same" padding and the delta for kernels of 1 to 5 taps, dilated and grouped, in 1, 2 and 3 dimensions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layers/layer_check.h"
#include "layers/layer_values.h"

typedef struct layer {
    int32_t dimensions, form;
    int64_t in, out, groups, dilation, kernel[3], size[3];
} layer;

static dirac_node *add_layer(dirac_net *net, const layer *l)
{
    const int64_t *s = l->size;
    dirac_node *x = NULL, *y = NULL;
    if (l->dimensions == 1)
        y = dirac_net_conv1d(net, x = dirac_net_input1d(net, l->in, s[0]), l->out, 1);
    else if (l->dimensions == 2)
        y = dirac_net_conv2d(net, x = dirac_net_input2d(net, l->in, s[0], s[1]), l->out, 1);
    else
        y = dirac_net_conv3d(net, x = dirac_net_input3d(net, l->in, s[0], s[1], s[2]), l->out, 1);
    assert_non_null(x);
    OK(dirac_node_set_ints(y, "kernel", l->kernel, l->dimensions));
    OK(dirac_node_set_int(y, "dilation", l->dilation));
    OK(dirac_node_set_int(y, "groups", l->groups));
    OK(dirac_node_set_int(y, "form", l->form));
    OK(dirac_node_set_name(y, "conv"));
    return dirac_net_output(net, y);
}

static void build(dirac_net *net, const void *user)
{
    assert_non_null(add_layer(net, user));
}

static const int64_t usual_size[3][3] = {{11}, {6, 7}, {4, 5, 7}};

static void set_kernel(layer *l, int64_t k)
{
    for (int i = 0; i < 3; i++) {
        l->kernel[i] = k;
        l->size[i] = usual_size[l->dimensions - 1][i];
    }
}

/* ---- same padding: the size stays, and every tap reads where the formula says ---------------- */

static void keeps_the_size(void **state)
{
    (void)state;
    dirac_context *context = NULL;
    OK(dirac_context_create(&context));
    for (int32_t d = 1; d <= 3; d++)
        for (int64_t k = 1; k <= 5; k++)
            for (int64_t dilation = 1; dilation <= 4; dilation++) {
                layer l = {.dimensions = d, .in = 2, .out = 3, .groups = 1, .dilation = dilation};
                set_kernel(&l, k);
                dirac_net *net = NULL;
                int64_t dims[4];
                int32_t rank = 0;
                OK(dirac_net_create(&net, context));
                dirac_node *y = add_layer(net, &l);
                OK(dirac_net_build(net));
                OK(dirac_node_shape(y, dims, &rank));
                assert_int_equal(rank, d + 1);
                for (int32_t i = 0; i < d; i++)
                    assert_int_equal(dims[i + 1], l.size[i]);
                dirac_net_destroy(net);
            }
    dirac_context_destroy(context);
}

static void check_same(int32_t dimensions)
{
    for (int64_t k = 1; k <= 5; k++)
        for (int64_t dilation = 1; dilation <= 3; dilation += 1)
            for (int64_t groups = 1; groups <= 2; groups++) {
                layer l = {.dimensions = dimensions,
                           .form = groups == 1 ? DIRAC_FORM_NORMALIZED_DELTA : DIRAC_FORM_DELTA,
                           .in = 2 * groups,
                           .out = dilation == 2 ? 2 * groups : groups,
                           .groups = groups,
                           .dilation = dilation};
                set_kernel(&l, k);
                char what[96];
                snprintf(what, sizeof what, "%d-D, k %d, dilation %d, groups %d", (int)dimensions,
                         (int)k, (int)dilation, (int)groups);
                check_layer(&(layer_case){.what = what, .build = build, .user = &l, .n = 2});
            }
}

static void same_in_one_dimension(void **state)
{
    (void)state;
    check_same(1);
}

static void same_in_two_dimensions(void **state)
{
    (void)state;
    check_same(2);
}

static void same_in_three_dimensions(void **state)
{
    (void)state;
    check_same(3);
}

/* ---- the delta returns its input ------------------------------------------------------------- */

static size_t area_of(const layer *l)
{
    size_t area = 1;
    for (int32_t i = 0; i < l->dimensions; i++)
        area *= (size_t)l->size[i];
    return area;
}

static void write_all(dirac_net *net, const char *name, float value)
{
    size_t count;
    float *values = layer_read(net, name, &count);
    for (size_t i = 0; i < count; i++)
        values[i] = value;
    OK(dirac_net_tensor_write(net, name, values, count));
    free(values);
}

/* Sets the parameters so that What = scale I: in eq. 5 by beta 0 and any W. */
static float make_delta(dirac_net *net, int32_t form)
{
    const float scale = form == DIRAC_FORM_FIXED_DELTA ? 1 : 0.5f;
    layer_fill(net, 5);
    if (form != DIRAC_FORM_NORMALIZED_DELTA)
        write_all(net, "conv.weight", 0);
    else
        write_all(net, "conv.beta", 0);
    if (form != DIRAC_FORM_FIXED_DELTA)
        write_all(net, "conv.alpha", scale);
    return scale;
}

/* y of filter d of a group is scale times input d of the group, or 0 for filters that have no one. Products with 0 and
 * 0.5 and sums with 0 are exact, so every bit is known where products are summed directly. */
static void compare_forward(const layer *l, const float *x, const float *y, float scale, int64_t n)
{
    const size_t area = area_of(l);
    const int64_t in = l->in / l->groups, out = l->out / l->groups;
    for (int64_t image = 0; image < n; image++)
        for (int64_t o = 0; o < l->out; o++)
            for (size_t p = 0; p < area; p++) {
                const int64_t d = o % out, channel = o / out * in + d;
                const float want =
                    d < in ? scale * x[(size_t)(image * l->in + channel) * area + p] : 0;
                const float got = y[(size_t)(image * l->out + o) * area + p];
                if (got != want)
                    fail_msg(
                        "%d-D k %d form %d dilation %d groups %d, %d to %d: y[%d,%zu] %g, want %g",
                        (int)l->dimensions, (int)l->kernel[0], (int)l->form, (int)l->dilation,
                        (int)l->groups, (int)l->in, (int)l->out, (int)o, p, got, want);
            }
}

/* dx = scale dy of the filter whose one is there, and dalpha[o] = sum dy[o] x[d], exactly 0 where there is no one. */
static void compare_backward(const layer *l, const dirac_session *session, const dirac_net *net,
                             const float *x, const float *dy, float scale, int64_t n)
{
    const size_t area = area_of(l);
    const int64_t in = l->in / l->groups, out = l->out / l->groups;
    const float *dx;
    float *dalpha =
        l->form == DIRAC_FORM_FIXED_DELTA ? NULL : layer_gradient(session, net, "conv.alpha", NULL);
    OK(dirac_session_input_gradient(session, 0, &dx, NULL));
    for (int64_t c = 0; c < l->in; c++) {
        const int64_t d = c % in, o = c / in * out + d;
        double sum = 0, size = 0;
        for (int64_t image = 0; image < n; image++)
            for (size_t p = 0; p < area; p++) {
                const size_t at = (size_t)(image * l->in + c) * area + p;
                const float r = d < out ? dy[(size_t)(image * l->out + o) * area + p] : 0;
                assert_true(dx[at] == scale * r);
                sum += (double)r * x[at];
                size += fabs((double)r * x[at]);
            }
        /* A sum of K products rounds each product and each partial sum once. */
        if (dalpha && d < out)
            assert_true(fabs(dalpha[o] - sum) <= (double)(n * (int64_t)area + 1) * 0x1p-24 * size &&
                        size > 0);
    }
    for (int64_t o = 0; dalpha && o < l->out; o++)
        if (o % out >= in)
            assert_true(dalpha[o] == 0);
    free(dalpha);
}

static void check_delta(const layer *l)
{
    const int64_t n = 2;
    dirac_context *context = NULL;
    dirac_net *net = NULL;
    dirac_session *session = NULL;
    const float *y;
    OK(dirac_context_create(&context));
    OK(dirac_net_create(&net, context));
    add_layer(net, l);
    OK(dirac_net_build(net));
    const float scale = make_delta(net, l->form);
    const size_t in = (size_t)(n * l->in) * area_of(l), out = (size_t)(n * l->out) * area_of(l);
    float *x = layer_random(in, 1, "x", -1, 1), *dy = layer_random(out, 2, "dy", -1, 1);

    OK(dirac_session_create(&session, net, DIRAC_TRAIN));
    OK(dirac_session_set_batch(session, n));
    OK(dirac_session_set_strict(session, 1));
    OK(dirac_session_set_input_gradients(session, 1));
    OK(dirac_session_prepare(session));
    OK(dirac_session_forward(session, x, n));
    OK(dirac_session_output(session, 0, &y, NULL));
    compare_forward(l, x, y, scale, n);
    OK(dirac_session_set_output_gradient(session, 0, dy, out));
    OK(dirac_session_backward(session));
    compare_backward(l, session, net, x, dy, scale, n);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    free(x);
    free(dy);
}

static void delta_returns_its_input(void **state)
{
    static const int64_t channels[][3] = {{3, 3, 1}, {2, 5, 1}, {5, 2, 1},  {4, 4, 2},
                                          {4, 6, 2}, {6, 2, 2}, {17, 19, 1}};
    (void)state;
    for (int32_t d = 1; d <= 3; d++)
        for (int32_t form = DIRAC_FORM_DELTA; form <= DIRAC_FORM_FIXED_DELTA; form++)
            for (int64_t k = 1; k <= 5; k++)
                for (int64_t dilation = 1; dilation <= 3; dilation++)
                    for (size_t c = 0; c < sizeof channels / sizeof *channels; c++) {
                        layer l = {.dimensions = d,
                                   .form = form,
                                   .in = channels[c][0],
                                   .out = channels[c][1],
                                   .groups = channels[c][2],
                                   .dilation = dilation};
                        set_kernel(&l, k);
                        check_delta(&l);
                    }
}

/* Kernels of unlike sides: the one sits at k/2 of each. */
static void delta_of_unlike_sides(void **state)
{
    static const int64_t kernels[][3] = {{1, 2, 3}, {4, 1, 5}, {2, 5, 4}, {3, 4, 1}};
    (void)state;
    for (int32_t d = 2; d <= 3; d++)
        for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
            layer l = {.dimensions = d,
                       .form = DIRAC_FORM_DELTA,
                       .in = 4,
                       .out = 6,
                       .groups = 2,
                       .dilation = 1};
            set_kernel(&l, 1);
            memcpy(l.kernel, kernels[i], sizeof l.kernel);
            check_delta(&l);
        }
}

/* A plain layer whose weight starts as the delta is the delta too. */
static void delta_as_initializer(void **state)
{
    (void)state;
    for (int32_t d = 1; d <= 3; d++)
        for (int64_t k = 1; k <= 5; k++) {
            layer l = {.dimensions = d,
                       .form = DIRAC_FORM_PLAIN,
                       .in = 4,
                       .out = 6,
                       .groups = 2,
                       .dilation = 2};
            set_kernel(&l, k);
            dirac_context *context = NULL;
            dirac_net *net = NULL;
            dirac_session *session = NULL;
            const float *y;
            OK(dirac_context_create(&context));
            OK(dirac_net_create(&net, context));
            OK(dirac_node_set_initializer(add_layer(net, &l), "weight", DIRAC_INIT_DELTA, 0.5, 0));
            OK(dirac_net_build(net));
            OK(dirac_session_create(&session, net, DIRAC_INFER));
            OK(dirac_session_set_strict(session, 1));
            OK(dirac_session_prepare(session));
            float *x = layer_random((size_t)l.in * area_of(&l), 3, "x", -1, 1);
            OK(dirac_session_forward(session, x, 1));
            OK(dirac_session_output(session, 0, &y, NULL));
            compare_forward(&l, x, y, 0.5f, 1);
            free(x);
            dirac_session_destroy(session);
            dirac_net_destroy(net);
            dirac_context_destroy(context);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_size),          cmocka_unit_test(same_in_one_dimension),
        cmocka_unit_test(same_in_two_dimensions),  cmocka_unit_test(same_in_three_dimensions),
        cmocka_unit_test(delta_returns_its_input), cmocka_unit_test(delta_of_unlike_sides),
        cmocka_unit_test(delta_as_initializer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
