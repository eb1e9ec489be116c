/* SPDX-License-Identifier: MIT */
/*
 * What dirac_node_filters() and dirac_node_filter_summary() tell, against the equations in double: What = a I + r with
 * r = W, or b W / max(|W|, 1e-12), and the share |a| / (|a| + |r|). The library's numbers are doubles rounded to float
 * once, so they may differ from the twin's by half a unit of float's last place, 2^-24 of the value; sums of doubles in
 * another order add less than 1e-12.
 */
#include "support/test_context.h"

/* ---- the twin ---- */

enum { MOST = 4096 };

typedef struct filter {
    int one; /* whether I has a one for it */
    double quantity[4];
} filter;

/* Reads parameter `name` of a node into values; false if it has none. */
static int read_parameter(const dirac_net *net, const char *node, const char *name, float *values)
{
    char full[128];
    int64_t dims[DIRAC_MAX_RANK];
    int32_t rank;
    size_t count = 1;
    snprintf(full, sizeof full, "%s.%s", node, name);
    if (dirac_net_tensor_shape(net, full, dims, &rank, NULL) != DIRAC_OK)
        return 0;
    for (int32_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    assert_true(count <= MOST);
    ok(dirac_net_tensor_read(net, full, values, count));
    return 1;
}

/* Filter o of a layer of `out` filters in `groups`, each of `in` channels and `taps` taps. */
static filter twin_filter(const dirac_net *net, const char *node, int64_t form, int64_t o, int64_t out, int64_t groups,
                          int64_t in, int64_t taps)
{
    static float w[MOST], alpha[MOST], beta[MOST];
    double squares = 0, length = 0;
    filter f;
    assert_true(read_parameter(net, node, "weight", w));
    for (int64_t i = 0; i < in * taps; i++)
        squares += (double)w[o * in * taps + i] * (double)w[o * in * taps + i];
    const double norm = sqrt(squares), divisor = norm > 1e-12 ? norm : 1e-12;
    double a = form == DIRAC_FORM_PLAIN ? 0 : 1, b = 1;
    if (form == DIRAC_FORM_DELTA || form == DIRAC_FORM_NORMALIZED_DELTA)
        a = (assert_true(read_parameter(net, node, "alpha", alpha)), (double)alpha[o]);
    if (form == DIRAC_FORM_NORMALIZED_DELTA)
        b = (assert_true(read_parameter(net, node, "beta", beta)), (double)beta[o]);
    for (int64_t i = 0; i < in * taps; i++) {
        const double w_i = (double)w[o * in * taps + i];
        const double r = form == DIRAC_FORM_NORMALIZED_DELTA ? b * w_i / divisor : w_i;
        length += r * r;
    }
    f.one = form != DIRAC_FORM_PLAIN && o % (out / groups) < in;
    a = f.one ? a : 0;
    f.quantity[DIRAC_FILTER_ALPHA] = a;
    f.quantity[DIRAC_FILTER_BETA] = b;
    f.quantity[DIRAC_FILTER_NORM] = norm;
    f.quantity[DIRAC_FILTER_IDENTITY] = a == 0 && length == 0 ? 0 : fabs(a) / (fabs(a) + sqrt(length));
    return f;
}

static void near(double got, double want, double part)
{
    if (!(fabs(got - want) <= part * fabs(want) + 1e-300))
        fail_msg("%.17g, must be %.17g", got, want);
}

/* ---- the net ---- */

typedef struct layer {
    const char *name;
    int64_t out, groups, in, kernel; /* in: channels of a group; kernel 0: linear */
} layer;

/* A chain: square, wider, narrower and grouped convolutions with odd and even kernels, and linear layers. */
static const layer layers[] = {
    {"square", 6, 1, 6, 3},  {"wider", 10, 1, 6, 3}, {"narrower", 4, 1, 10, 2}, {"grouped", 12, 2, 2, 3},
    {"deep", 8, 4, 3, 1},    {"flat", 5, 1, 8, 0},   {"classes", 9, 1, 5, 0},
};
enum { LAYERS = sizeof layers / sizeof *layers };

static dirac_net *make_net(int64_t form)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_input2d(net, 6, 4, 4);
    for (int i = 0; i < LAYERS; i++) {
        const layer *l = &layers[i];
        if (l->kernel == 0 && layers[i - 1].kernel > 0)
            x = dirac_net_global_average_pool(net, x);
        x = l->kernel == 0 ? dirac_net_linear(net, x, l->out) : dirac_net_conv2d(net, x, l->out, l->kernel);
        ok(dirac_node_set_name(x, l->name));
        ok(dirac_node_set_int(x, "form", form));
        if (l->groups > 1)
            ok(dirac_node_set_int(x, "groups", l->groups));
        if (form == DIRAC_FORM_DELTA || form == DIRAC_FORM_NORMALIZED_DELTA)
            ok(dirac_node_set_initializer(x, "alpha", DIRAC_INIT_UNIFORM, -1, 2));
        if (form == DIRAC_FORM_NORMALIZED_DELTA)
            ok(dirac_node_set_initializer(x, "beta", DIRAC_INIT_UNIFORM, -0.5, 0.5));
    }
    dirac_net_output(net, x);
    ok(dirac_net_build(net));
    return net;
}

static void check_summary(const dirac_node *node, int32_t quantity, const filter *twin, int64_t out)
{
    const int all = quantity == DIRAC_FILTER_BETA || quantity == DIRAC_FILTER_NORM;
    double mean, least, largest, sum = 0, low = HUGE_VAL, high = -HUGE_VAL;
    int64_t filters, counted = 0;
    for (int64_t o = 0; o < out; o++) {
        if (!all && !twin[o].one)
            continue;
        counted++;
        sum += twin[o].quantity[quantity];
        low = fmin(low, twin[o].quantity[quantity]);
        high = fmax(high, twin[o].quantity[quantity]);
    }
    ok(dirac_node_filter_summary(node, quantity, &mean, &least, &largest, &filters));
    assert_int_equal(filters, counted);
    if (counted == 0)
        sum = low = high = 0;
    /* a sum of at most 12 numbers of either sign, in double: 12 units of the largest */
    if (!(fabs(mean * (double)(counted > 0 ? counted : 1) - sum) <= 1e-14 * (double)out * fmax(fabs(low), fabs(high))))
        fail_msg("mean %.17g of %d, the sum must be %.17g", mean, (int)counted, sum);
    near(least, low, 1e-12);
    near(largest, high, 1e-12);
}

static void check_layer(const dirac_net *net, const layer *l, int64_t form)
{
    const dirac_node *node = dirac_net_find(net, l->name);
    const int64_t taps = l->kernel == 0 ? 1 : l->kernel * l->kernel;
    filter twin[16];
    float values[16];
    for (int64_t o = 0; o < l->out; o++)
        twin[o] = twin_filter(net, l->name, form, o, l->out, l->groups, l->in, taps);
    for (int32_t quantity = DIRAC_FILTER_ALPHA; quantity <= DIRAC_FILTER_IDENTITY; quantity++) {
        ok(dirac_node_filters(node, quantity, values, (size_t)l->out));
        for (int64_t o = 0; o < l->out; o++)
            near((double)values[o], twin[o].quantity[quantity], 0x1p-24 + 1e-12);
        check_summary(node, quantity, twin, l->out);
    }
}

static void test_every_form(void **state)
{
    (void)state;
    for (int64_t form = DIRAC_FORM_PLAIN; form <= DIRAC_FORM_FIXED_DELTA; form++) {
        dirac_net *net = make_net(form);
        for (int i = 0; i < LAYERS; i++)
            check_layer(net, &layers[i], form);
        dirac_net_destroy(net);
    }
}

/* ---- values at the edges ---- */

/* One Dirac layer of two filters of two inputs. */
static dirac_net *pair(float a, float b, float w)
{
    dirac_net *net;
    const float alpha[2] = {a, a}, beta[2] = {b, b}, weight[4] = {w, 0, 0, w};
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_dirac_linear(net, dirac_net_input(net, 2), 2);
    ok(dirac_node_set_name(x, "layer"));
    dirac_net_output(net, x);
    ok(dirac_net_build(net));
    ok(dirac_net_tensor_write(net, "layer.alpha", alpha, 2));
    ok(dirac_net_tensor_write(net, "layer.beta", beta, 2));
    ok(dirac_net_tensor_write(net, "layer.weight", weight, 4));
    return net;
}

static double share(float a, float b, float w)
{
    dirac_net *net = pair(a, b, w);
    float values[2];
    double mean, least, largest;
    ok(dirac_node_filters(dirac_net_find(net, "layer"), DIRAC_FILTER_IDENTITY, values, 2));
    ok(dirac_node_filter_summary(dirac_net_find(net, "layer"), DIRAC_FILTER_IDENTITY, &mean, &least, &largest, NULL));
    assert_true(isnan(values[0]) ? isnan(mean) && isnan(least) && isnan(largest)
                                 : fabs(mean - (double)values[0]) <= 0x1p-24 && least == mean && largest == mean);
    dirac_net_destroy(net);
    return (double)values[0];
}

static void test_edges(void **state)
{
    (void)state;
    assert_true(share(1, 0.5f, 3) == (double)(float)(1 / 1.5)); /* W's length does not count in eq. 5 */
    assert_true(share(-1, 0.5f, 3) == (double)(float)(1 / 1.5));
    assert_true(share(0, 0.5f, 3) == 0);
    assert_true(share(2, 0, 3) == 1);
    assert_true(share(0, 0, 3) == 0);
    assert_true(share(1, 0.5f, 0) == 1); /* no direction, nothing beside the identity */
    near(share(1, 1, 1e-13f), 1 / 1.1, 1e-6); /* divided by 1e-12: a tenth of a unit vector */
    assert_true(share(1, 1, 1e30f) == 0.5); /* squares beyond float's range */
    assert_true(isnan(share(NAN, 1, 1)));
    assert_true(isnan(share(1, 1, NAN)));
}

/* The numbers are those of the moment, and of the owner where parameters are shared. */
static void test_follows(void **state)
{
    (void)state;
    const float alpha[3] = {0.25f, -0.5f, 4};
    float values[3];
    dirac_net *net, *folded;
    int64_t filters;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_input2d(net, 3, 4, 4), *first = dirac_net_dirac_conv2d(net, x, 3, 3);
    dirac_node *second = dirac_net_dirac_conv2d(net, first, 3, 3);
    ok(dirac_node_set_name(first, "first"));
    ok(dirac_node_share_parameters(second, first));
    dirac_net_output(net, second);
    refused(dirac_node_filters(first, DIRAC_FILTER_ALPHA, values, 3), DIRAC_ERR_STATE);
    refused(dirac_node_filter_summary(first, DIRAC_FILTER_ALPHA, NULL, NULL, NULL, NULL), DIRAC_ERR_STATE);
    ok(dirac_net_build(net));
    ok(dirac_node_filters(first, DIRAC_FILTER_ALPHA, values, 3));
    assert_true(values[0] == 1 && values[1] == 1 && values[2] == 1);
    ok(dirac_net_tensor_write(net, "first.alpha", alpha, 3));
    ok(dirac_node_filters(second, DIRAC_FILTER_ALPHA, values, 3));
    assert_memory_equal(values, alpha, sizeof alpha);
    ok(dirac_net_fold(&folded, net));
    ok(dirac_node_filter_summary(dirac_net_find(folded, "first"), DIRAC_FILTER_IDENTITY, NULL, NULL, NULL, &filters));
    assert_int_equal(filters, 0); /* plain weights */
    dirac_net_destroy(folded);
    dirac_net_destroy(net);
}

static void test_refused(void **state)
{
    (void)state;
    float values[6];
    dirac_net *net = make_net(DIRAC_FORM_DELTA);
    const dirac_node *node = dirac_net_find(net, "square");
    refused(dirac_node_filters(node, -1, values, 6), DIRAC_ERR_ARGUMENT);
    refused(dirac_node_filters(node, 4, values, 6), DIRAC_ERR_ARGUMENT);
    message_has("0 to 3");
    refused(dirac_node_filters(node, DIRAC_FILTER_NORM, values, 5), DIRAC_ERR_SHAPE);
    message_has("\"square\" has 6 filters, not 5");
    refused(dirac_node_filters(dirac_net_input_node(net, 0), DIRAC_FILTER_NORM, values, 6), DIRAC_ERR_ARGUMENT);
    message_has("\"input\", which has no filters");
    refused(dirac_node_filter_summary(node, 9, NULL, NULL, NULL, NULL), DIRAC_ERR_ARGUMENT);
    dirac_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_follows),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
