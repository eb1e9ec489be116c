/* SPDX-License-Identifier: MIT */
/* Max-, average- and global average pooling against the twin, in 1, 2 and 3 dimensions; ties and NaN by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "layers/layer_check.h"
#include "layers/layer_values.h"

/* Zeros mean: not set. */
typedef struct window {
    int64_t channels, size[3], kernel[3], stride[3], padding[3], ceil;
} window;

enum { MAX, AVERAGE, AVERAGE_OF_IMAGE, KINDS };
static const char *const kind_names[] = {"max", "average", "average without padding"};

typedef struct pool {
    const window *w;
    int32_t dimensions;
    int kind;
} pool;

static dirac_node *add_input(dirac_net *net, int64_t channels, const int64_t *size,
                             int32_t dimensions)
{
    if (dimensions == 1)
        return dirac_net_input1d(net, channels, size[0]);
    if (dimensions == 2)
        return dirac_net_input2d(net, channels, size[0], size[1]);
    return dirac_net_input3d(net, channels, size[0], size[1], size[2]);
}

static void build(dirac_net *net, const void *user)
{
    static dirac_node *(*const add[2][3])(dirac_net *, dirac_node *, int64_t) = {
        {dirac_net_max_pool1d, dirac_net_max_pool2d, dirac_net_max_pool3d},
        {dirac_net_average_pool1d, dirac_net_average_pool2d, dirac_net_average_pool3d}};
    const pool *p = user;
    const window *w = p->w;
    dirac_node *x = add_input(net, w->channels, w->size, p->dimensions);
    dirac_node *y = add[p->kind != MAX][p->dimensions - 1](net, x, w->kernel[0]);
    OK(dirac_node_set_ints(y, "kernel", w->kernel, p->dimensions));
    if (w->stride[0])
        OK(dirac_node_set_ints(y, "stride", w->stride, p->dimensions));
    OK(dirac_node_set_ints(y, "padding", w->padding, p->dimensions));
    if (w->ceil)
        OK(dirac_node_set_int(y, "ceil", 1));
    if (p->kind == AVERAGE_OF_IMAGE)
        OK(dirac_node_set_int(y, "count_padding", 0));
    dirac_net_output(net, y);
}

static void check_windows(const window *all, int count, int32_t dimensions)
{
    for (int i = 0; i < count; i++)
        for (int kind = 0; kind < KINDS; kind++) {
            const pool p = {&all[i], dimensions, kind};
            char what[96];
            snprintf(what, sizeof what, "%d-D pooling, window %d, %s", (int)dimensions, i,
                     kind_names[kind]);
            check_layer(&(layer_case){.what = what, .build = build, .user = &p, .n = 2});
        }
}

static void one_dimension(void **state)
{
    static const window all[] = {
        {.channels = 3, .size = {8}, .kernel = {2}},
        {.channels = 2, .size = {7}, .kernel = {3}, .stride = {2}, .padding = {1}},
        {.channels = 5, .size = {8}, .kernel = {3}, .stride = {3}, .ceil = 1},
        {.channels = 1, .size = {9}, .kernel = {4}, .stride = {1}, .padding = {2}, .ceil = 1},
        {.channels = 17, .size = {5}, .kernel = {5}},
        {.channels = 2, .size = {1}, .kernel = {1}},
        {.channels = 2, .size = {6}, .kernel = {2}, .stride = {3}, .padding = {1}, .ceil = 1},
    };
    (void)state;
    check_windows(all, sizeof all / sizeof *all, 1);
}

static void two_dimensions(void **state)
{
    static const window all[] = {
        {.channels = 3, .size = {6, 4}, .kernel = {2, 2}},
        {.channels = 4, .size = {7, 5}, .kernel = {2, 2}},
        {.channels = 2, .size = {7, 6}, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}},
        {.channels = 3, .size = {8, 7}, .kernel = {3, 3}, .stride = {2, 2}, .ceil = 1},
        {.channels = 2,
         .size = {9, 5},
         .kernel = {4, 3},
         .stride = {3, 1},
         .padding = {2, 0},
         .ceil = 1},
        {.channels = 33, .size = {3, 5}, .kernel = {3, 2}, .stride = {1, 2}, .padding = {1, 1}},
        {.channels = 2,
         .size = {5, 6},
         .kernel = {2, 5},
         .stride = {3, 3},
         .padding = {0, 2},
         .ceil = 1},
        {.channels = 16, .size = {4, 4}, .kernel = {2, 2}, .stride = {2, 2}},
        {.channels = 3, .size = {60, 70}, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}},
        {.channels = 130, .size = {4, 3}, .kernel = {2, 3}, .stride = {1, 1}, .padding = {1, 1}},
    };
    (void)state;
    check_windows(all, sizeof all / sizeof *all, 2);
}

static void three_dimensions(void **state)
{
    static const window all[] = {
        {.channels = 2, .size = {4, 4, 2}, .kernel = {2, 2, 2}},
        {.channels = 3,
         .size = {5, 3, 4},
         .kernel = {3, 2, 2},
         .stride = {2, 1, 3},
         .padding = {1, 1, 0}},
        {.channels = 1, .size = {4, 6, 5}, .kernel = {3, 3, 3}, .stride = {2, 2, 2}, .ceil = 1},
        {.channels = 2,
         .size = {3, 5, 4},
         .kernel = {2, 4, 3},
         .stride = {2, 3, 2},
         .padding = {1, 2, 1},
         .ceil = 1},
        {.channels = 18, .size = {2, 2, 3}, .kernel = {1, 2, 2}},
    };
    (void)state;
    check_windows(all, sizeof all / sizeof *all, 3);
}

static void build_global(dirac_net *net, const void *user)
{
    const pool *p = user;
    dirac_net_output(net, dirac_net_global_average_pool(
                              net, add_input(net, p->w->channels, p->w->size, p->dimensions)));
}

static void global_average(void **state)
{
    static const window all[] = {{.channels = 3, .size = {7, 5, 3}},
                                 {.channels = 35, .size = {1, 2, 3}}};
    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (int32_t d = 1; d <= 3; d++) {
            const pool p = {&all[i], d, 0};
            check_layer(&(layer_case){.what = "global average", .build = build_global, .user = &p});
        }
}

/* ---- by hand: 1 x 4, windows of 2 of stride 1 ------------------------------------------------ */

static void max_of_four(const float x[4], const float r[3], float y[3], float dx[4])
{
    static const window w = {.channels = 1, .size = {4}, .kernel = {2}, .stride = {1}};
    const pool p = {&w, 1, MAX};
    dirac_context *context = NULL;
    dirac_net *net = NULL;
    dirac_session *session = NULL;
    const float *values;
    OK(dirac_context_create(&context));
    OK(dirac_net_create(&net, context));
    build(net, &p);
    OK(dirac_net_build(net));
    OK(dirac_session_create(&session, net, DIRAC_TRAIN));
    OK(dirac_session_set_input_gradients(session, 1));
    OK(dirac_session_prepare(session));
    OK(dirac_session_forward(session, x, 1));
    OK(dirac_session_output(session, 0, &values, NULL));
    for (int i = 0; i < 3; i++)
        y[i] = values[i];
    OK(dirac_session_set_output_gradient(session, 0, r, 3));
    OK(dirac_session_backward(session));
    OK(dirac_session_input_gradient(session, 0, &values, NULL));
    for (int i = 0; i < 4; i++)
        dx[i] = values[i];
    dirac_session_destroy(session);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}

static void ties_go_to_the_first(void **state)
{
    static const float x[4] = {2, 2, 1, 1}, r[3] = {10, 20, 40}, want[4] = {10, 20, 40, 0};
    float y[3], dx[4];
    (void)state;
    max_of_four(x, r, y, dx);
    assert_true(y[0] == 2 && y[1] == 2 && y[2] == 1);
    layer_same_bits("dx", dx, want, 4);
}

static void nan_wins(void **state)
{
    static const float r[3] = {10, 20, 40}, want[4] = {10, 60, 0, 0};
    const float x[4] = {1, 0, NAN, 5};
    const float minus[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
    float y[3], dx[4];
    (void)state;
    max_of_four(x, r, y, dx);
    assert_true(y[0] == 1 && isnan(y[1]) && isnan(y[2]));
    assert_true(dx[0] == want[0] && dx[2] == want[1]);
    max_of_four(minus, r, y, dx);
    assert_true(y[0] == -INFINITY && y[1] == -INFINITY && y[2] == -INFINITY);
    assert_true(dx[0] == 10 && dx[1] == 20 && dx[2] == 40 && dx[3] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_dimension),        cmocka_unit_test(two_dimensions),
        cmocka_unit_test(three_dimensions),     cmocka_unit_test(global_average),
        cmocka_unit_test(ties_go_to_the_first), cmocka_unit_test(nan_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
