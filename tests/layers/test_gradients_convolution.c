/* SPDX-License-Identifier: MIT */
/* Convolution and linear layers against the twin: every weight form in 1, 2 and 3 dimensions, odd shapes included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "layers/layer_check.h"
#include "layers/layer_values.h"

/* Zeros mean: not set. Numbers for dimensions that there are not are not used. */
typedef struct geometry {
    int64_t in, out, size[3], kernel[3], stride[3], dilation[3], padding[3], groups, bias;
    int32_t pads; /* whether to set padding */
    int64_t n;
} geometry;

typedef struct convolution {
    const geometry *shape;
    int32_t dimensions;
    int32_t form;
} convolution;

static const char *const form_names[] = {"plain", "eq. 4", "eq. 5", "eq. 8"};

static dirac_node *add_input(dirac_net *net, const geometry *g, int32_t dimensions)
{
    if (dimensions == 1)
        return dirac_net_input1d(net, g->in, g->size[0]);
    if (dimensions == 2)
        return dirac_net_input2d(net, g->in, g->size[0], g->size[1]);
    return dirac_net_input3d(net, g->in, g->size[0], g->size[1], g->size[2]);
}

static void build(dirac_net *net, const void *user)
{
    static dirac_node *(*const add[2][3])(dirac_net *, dirac_node *, int64_t, int64_t) = {
        {dirac_net_conv1d, dirac_net_conv2d, dirac_net_conv3d},
        {dirac_net_dirac_conv1d, dirac_net_dirac_conv2d, dirac_net_dirac_conv3d}};
    const convolution *c = user;
    const geometry *g = c->shape;
    const int32_t d = c->dimensions;
    const int dirac = c->form == DIRAC_FORM_NORMALIZED_DELTA;
    dirac_node *y = add[dirac][d - 1](net, add_input(net, g, d), g->out, g->kernel[0]);
    OK(dirac_node_set_ints(y, "kernel", g->kernel, d));
    if (!dirac)
        OK(dirac_node_set_int(y, "form", c->form));
    if (g->stride[0])
        OK(dirac_node_set_ints(y, "stride", g->stride, d));
    if (g->dilation[0])
        OK(dirac_node_set_ints(y, "dilation", g->dilation, d));
    if (g->pads)
        OK(dirac_node_set_ints(y, "padding", g->padding, d));
    if (g->groups)
        OK(dirac_node_set_int(y, "groups", g->groups));
    if (g->bias)
        OK(dirac_node_set_int(y, "bias", 1));
    dirac_net_output(net, y);
}

static void check_forms(const geometry *g, int32_t dimensions, int index)
{
    for (int32_t form = DIRAC_FORM_PLAIN; form <= DIRAC_FORM_FIXED_DELTA; form++) {
        const convolution c = {g, dimensions, form};
        char what[96];
        snprintf(what, sizeof what, "%d-D convolution, geometry %d, %s", (int)dimensions, index,
                 form_names[form]);
        check_layer(&(layer_case){.what = what, .build = build, .user = &c, .n = g->n});
    }
}

static void one_dimension(void **state)
{
    static const geometry all[] = {
        {.in = 3, .out = 3, .size = {9}, .kernel = {3}},
        {.in = 2, .out = 5, .size = {7}, .kernel = {4}, .bias = 1},
        {.in = 5, .out = 2, .size = {17}, .kernel = {5}, .stride = {2}, .dilation = {3}},
        {.in = 4, .out = 6, .size = {11}, .kernel = {2}, .stride = {3}, .groups = 2, .bias = 1},
        {.in = 6, .out = 4, .size = {1}, .kernel = {3}, .groups = 2, .n = 5},
        {.in = 1, .out = 1, .size = {8}, .kernel = {2}, .stride = {2}},
        {.in = 3, .out = 4, .size = {10}, .kernel = {3}, .pads = 1, .padding = {0}},
        {.in = 3, .out = 3, .size = {6}, .kernel = {3}, .pads = 1, .padding = {5}, .dilation = {2}},
        /* Steps that have a divisor in common, steps over what no filter sees, steps past the end. */
        {.in = 2, .out = 3, .size = {23}, .kernel = {3}, .stride = {4}, .dilation = {6}},
        {.in = 2, .out = 3, .size = {13}, .kernel = {2}, .stride = {5}},
        {.in = 2, .out = 3, .size = {3}, .kernel = {3}, .stride = {7}, .bias = 1},
        {.in = 2, .out = 2, .size = {15}, .kernel = {5}, .stride = {2}, .dilation = {2}},
        /* More taps than are gathered at once. */
        {.in = 2, .out = 2, .size = {40}, .kernel = {140}, .n = 1},
        {.in = 1,
         .out = 2,
         .size = {150},
         .kernel = {131},
         .pads = 1,
         .padding = {0},
         .stride = {3},
         .bias = 1,
         .n = 2},
    };
    (void)state;
    for (int i = 0; i < (int)(sizeof all / sizeof *all); i++)
        check_forms(&all[i], 1, i);
}

static void two_dimensions(void **state)
{
    static const geometry all[] = {
        {.in = 4, .out = 4, .size = {7, 5}, .kernel = {3, 3}},
        {.in = 3, .out = 7, .size = {6, 9}, .kernel = {3, 3}, .bias = 1},
        {.in = 7, .out = 3, .size = {5, 5}, .kernel = {3, 3}, .stride = {2, 2}},
        {.in = 2, .out = 3, .size = {9, 8}, .kernel = {5, 2}, .stride = {3, 1}, .bias = 1},
        {.in = 3, .out = 2, .size = {7, 9}, .kernel = {3, 4}, .dilation = {2, 3}},
        {.in = 6, .out = 4, .size = {5, 4}, .kernel = {3, 3}, .groups = 2, .bias = 1},
        {.in = 4, .out = 8, .size = {5, 3}, .kernel = {3, 3}, .groups = 4},
        {.in = 5, .out = 5, .size = {4, 6}, .kernel = {3, 3}, .groups = 5},
        {.in = 3, .out = 3, .size = {1, 1}, .kernel = {3, 3}, .n = 4},
        {.in = 5, .out = 6, .size = {4, 3}, .kernel = {1, 1}, .bias = 1},
        {.in = 3, .out = 4, .size = {8, 7}, .kernel = {3, 3}, .pads = 1, .padding = {0, 2}},
        {.in = 2,
         .out = 2,
         .size = {6, 6},
         .kernel = {2, 4},
         .pads = 1,
         .padding = {-1, 0},
         .stride = {1, 2}},
        {.in = 2, .out = 3, .size = {13, 11}, .kernel = {7, 7}, .stride = {2, 2}},
    };
    (void)state;
    for (int i = 0; i < (int)(sizeof all / sizeof *all); i++)
        check_forms(&all[i], 2, i);
}

static void three_dimensions(void **state)
{
    static const geometry all[] = {
        {.in = 2, .out = 2, .size = {4, 3, 5}, .kernel = {3, 3, 3}},
        {.in = 2, .out = 3, .size = {3, 4, 3}, .kernel = {2, 3, 1}, .bias = 1},
        {.in = 3, .out = 2, .size = {5, 4, 6}, .kernel = {3, 2, 3}, .stride = {2, 1, 3}},
        {.in = 2,
         .out = 2,
         .size = {5, 5, 4},
         .kernel = {2, 3, 2},
         .dilation = {3, 1, 2},
         .bias = 1},
        {.in = 4, .out = 6, .size = {3, 2, 3}, .kernel = {3, 1, 2}, .groups = 2},
        {.in = 16, .out = 16, .size = {1, 6, 5}, .kernel = {1, 3, 3}, .bias = 1}, /* one plane in, one or three out */
        {.in = 16, .out = 32, .size = {1, 6, 5}, .kernel = {1, 3, 3}, .pads = 1, .padding = {1, 1, 1}},
        {.in = 2,
         .out = 4,
         .size = {4, 3, 3},
         .kernel = {3, 3, 3},
         .pads = 1,
         .padding = {0, 2, 1}},
        {.in = 3, .out = 3, .size = {1, 1, 1}, .kernel = {2, 2, 2}, .n = 4},
        {.in = 1, .out = 2, .size = {5, 4, 6}, .kernel = {5, 4, 7}, .n = 2},
        {.in = 2,
         .out = 2,
         .size = {5, 4, 6},
         .kernel = {3, 2, 3},
         .stride = {2, 4, 3},
         .dilation = {2, 1, 3},
         .n = 2},
    };
    (void)state;
    for (int i = 0; i < (int)(sizeof all / sizeof *all); i++)
        check_forms(&all[i], 3, i);
}

static void check_form(const geometry *g, int32_t dimensions, int32_t form)
{
    const convolution c = {g, dimensions, form};
    char what[96];
    snprintf(what, sizeof what, "%d-D convolution %d to %d, %s", (int)dimensions, (int)g->in,
             (int)g->out, form_names[form]);
    check_layer(&(layer_case){.what = what, .build = build, .user = &c, .n = g->n});
}

/* Images of enough tiles for transformed convolution, of whole tiles and with every rest at the edges. */
static void tiles(void **state)
{
    static const geometry all[] = {
        {.in = 16, .out = 32, .size = {5, 6}, .kernel = {3, 3}, .n = 4, .bias = 1},
        {.in = 32, .out = 16, .size = {4, 8}, .kernel = {3, 3}, .n = 8},
        {.in = 16, .out = 16, .size = {3, 13}, .kernel = {3, 3}, .n = 4},
        {.in = 16, .out = 16, .size = {1, 1}, .kernel = {3, 3}, .n = 17, .bias = 1},
        {.in = 16,
         .out = 16,
         .size = {7, 6},
         .kernel = {3, 3},
         .n = 4,
         .pads = 1,
         .padding = {0, 2}},
        {.in = 16,
         .out = 16,
         .size = {8, 7},
         .kernel = {3, 3},
         .n = 5,
         .pads = 1,
         .padding = {2, 0}},
        {.in = 16,
         .out = 16,
         .size = {3, 3},
         .kernel = {3, 3},
         .n = 16,
         .pads = 1,
         .padding = {3, 0}},
    };
    (void)state;
    for (int i = 0; i < (int)(sizeof all / sizeof *all); i++)
        check_form(&all[i], 2, i % 4);
}

/* More channels than a vector holds. */
static void wide(void **state)
{
    static const geometry all[] = {
        {.in = 17, .out = 33, .size = {5, 6}, .kernel = {3, 3}, .n = 4},
        {.in = 33, .out = 16, .size = {9, 5}, .kernel = {3, 3}, .n = 3, .bias = 1},
        {.in = 32, .out = 32, .size = {9, 8}, .kernel = {3, 3}, .n = 3},
        {.in = 40, .out = 24, .size = {5, 5}, .kernel = {3, 3}, .groups = 2, .n = 3},
        {.in = 35, .out = 19, .size = {6, 5}, .kernel = {1, 1}, .n = 3, .bias = 1},
        {.in = 16, .out = 32, .size = {9, 9}, .kernel = {3, 3}, .stride = {2, 2}, .n = 2},
    };
    static const geometry line = {.in = 17, .out = 18, .size = {21}, .kernel = {3}, .n = 2};
    static const geometry cube = {
        .in = 17, .out = 16, .size = {3, 4, 5}, .kernel = {3, 3, 3}, .n = 1};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        check_form(&all[i], 2, DIRAC_FORM_PLAIN);
        check_form(&all[i], 2, DIRAC_FORM_NORMALIZED_DELTA);
    }
    check_form(&all[0], 2, DIRAC_FORM_DELTA);
    check_form(&all[1], 2, DIRAC_FORM_FIXED_DELTA);
    check_form(&line, 1, DIRAC_FORM_NORMALIZED_DELTA);
    check_form(&cube, 3, DIRAC_FORM_NORMALIZED_DELTA);
}

typedef struct dense {
    int64_t in, out;
    int32_t form, bias;
} dense;

static void build_linear(dirac_net *net, const void *user)
{
    const dense *d = user;
    dirac_node *x = dirac_net_input(net, d->in);
    const int dirac = d->form == DIRAC_FORM_NORMALIZED_DELTA;
    dirac_node *y =
        dirac ? dirac_net_dirac_linear(net, x, d->out) : dirac_net_linear(net, x, d->out);
    if (!dirac)
        OK(dirac_node_set_int(y, "form", d->form));
    OK(dirac_node_set_int(y, "bias", d->bias));
    dirac_net_output(net, y);
}

static void linear(void **state)
{
    static const int64_t shapes[][3] = {{1, 1, 1}, {5, 5, 3},   {3, 8, 4},
                                        {8, 3, 1}, {37, 41, 5}, {65, 10, 7}};
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int32_t form = DIRAC_FORM_PLAIN; form <= DIRAC_FORM_FIXED_DELTA; form++)
            for (int32_t bias = 0; bias <= 1; bias++) {
                const dense d = {shapes[i][0], shapes[i][1], form, bias};
                /* One number has a direction, +1 or -1, that its length does not change. */
                static const char *const flat[] = {"linear.weight", NULL};
                const int one = d.in == 1 && form == DIRAC_FORM_NORMALIZED_DELTA;
                char what[96];
                snprintf(what, sizeof what, "linear %d to %d, %s, bias %d", (int)d.in, (int)d.out,
                         form_names[form], (int)bias);
                check_layer(&(layer_case){.what = what,
                                          .build = build_linear,
                                          .user = &d,
                                          .n = shapes[i][2],
                                          .flat = one ? flat : NULL});
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_dimension),
        cmocka_unit_test(two_dimensions),
        cmocka_unit_test(three_dimensions),
        cmocka_unit_test(tiles),
        cmocka_unit_test(wide),
        cmocka_unit_test(linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
