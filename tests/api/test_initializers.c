/* SPDX-License-Identifier: MIT */
/* How parameters start: the distribution each initialiser promises, and what a draw depends on (seed and name). */
#include "support/test_context.h"

/* ---- helpers ---- */

/* A built net with one layer "layer" on (inputs) vectors or (inputs, 8, 8) images. */
typedef struct maker {
    int64_t inputs, outputs, kernel, groups; /* kernel 0: linear */
    int32_t init;
    double a, b;
    uint64_t seed;
} maker;

static dirac_net *make(const maker *m)
{
    dirac_net *net;
    dirac_node *x;
    ok(dirac_net_create(&net, context));
    if (m->kernel == 0) {
        x = dirac_net_linear(net, dirac_net_input(net, m->inputs), m->outputs);
    } else {
        x = dirac_net_conv2d(net, dirac_net_input2d(net, m->inputs, 8, 8), m->outputs, m->kernel);
        ok(dirac_node_set_int(x, "groups", m->groups));
    }
    ok(dirac_node_set_name(x, "layer"));
    if (m->init >= 0)
        ok(dirac_node_set_initializer(x, "weight", m->init, m->a, m->b));
    dirac_net_output(net, x);
    ok(dirac_net_set_seed(net, m->seed));
    ok(dirac_net_build(net));
    return net;
}

static floats weight_of(const maker *m)
{
    floats list = {NULL, 0};
    dirac_net *net = make(m);
    append_tensor(&list, net, "layer.weight");
    dirac_net_destroy(net);
    return list;
}

static void moments(floats x, double *mean, double *variance)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < x.count; i++)
        sum += (double)x.at[i];
    *mean = sum / (double)x.count;
    for (size_t i = 0; i < x.count; i++)
        squares += ((double)x.at[i] - *mean) * ((double)x.at[i] - *mean);
    *variance = squares / (double)x.count;
}

/* n draws of mean m, variance v and fourth central moment f: the sample's mean has variance v/n, its variance a
 * variance of about (f - v^2)/n. Six deviations: one draw in 5e8 would fail, and the seed
 * is fixed. */
static void check_moments(floats x, double m, double v, double f)
{
    double mean, variance;
    const double n = (double)x.count;
    moments(x, &mean, &variance);
    assert_true(fabs(mean - m) <= 6 * sqrt(v / n));
    assert_true(fabs(variance - v) <= 6 * sqrt((f - v * v) / n) + 6 * v / n);
}

/* Of a normal law: the shares beyond one and two deviations; and no value beyond seven. */
static void check_normal(floats x, double deviation)
{
    const double share[2] = {0.31731051, 0.04550026};
    const double n = (double)x.count;
    check_moments(x, 0, deviation * deviation, 3 * pow(deviation, 4));
    for (int k = 0; k < 2; k++) {
        double beyond = 0;
        for (size_t i = 0; i < x.count; i++) {
            beyond += fabs((double)x.at[i]) > (k + 1) * deviation;
            assert_true(fabs((double)x.at[i]) < 7 * deviation);
        }
        assert_true(fabs(beyond / n - share[k]) <= 6 * sqrt(share[k] * (1 - share[k]) / n));
    }
}

/* ---- each initialiser ---- */

static void test_constants(void **state)
{
    (void)state;
    maker m = {7, 5, 3, 1, DIRAC_INIT_ZEROS, 0, 0, 1};
    floats x = weight_of(&m);
    m.init = DIRAC_INIT_CONSTANT;
    m.a = -0.75;
    floats y = weight_of(&m);
    assert_int_equal(x.count, 7 * 5 * 9);
    for (size_t i = 0; i < x.count; i++)
        assert_true(x.at[i] == 0 && y.at[i] == -0.75f);
    drop_floats(&x);
    drop_floats(&y);
}

static void test_normal(void **state)
{
    (void)state;
    const maker m = {129, 255, 0, 1, DIRAC_INIT_NORMAL, 0.3, 0, 2};
    floats x = weight_of(&m);
    check_normal(x, 0.3);
    drop_floats(&x);
}

static void test_kaiming(void **state)
{
    (void)state;
    /* Fan in: inputs of one group times taps. */
    maker m = {24, 64, 5, 2, DIRAC_INIT_KAIMING_NORMAL, 1.7, 0, 3};
    floats x = weight_of(&m);
    check_normal(x, 1.7 / sqrt(12.0 * 25));
    drop_floats(&x);
    m.init = -1; /* the default is sqrt(2) */
    x = weight_of(&m);
    check_normal(x, sqrt(2.0 / (12.0 * 25)));
    drop_floats(&x);
    const maker linear = {130, 200, 0, 1, -1, 0, 0, 3};
    x = weight_of(&linear);
    check_normal(x, sqrt(2.0 / 130));
    drop_floats(&x);
}

static void test_uniform(void **state)
{
    (void)state;
    maker m = {131, 201, 0, 1, DIRAC_INIT_UNIFORM, -0.25, 1.5, 4};
    floats x = weight_of(&m);
    const double width = 1.75;
    check_moments(x, 0.625, width * width / 12, pow(width, 4) / 80);
    for (size_t i = 0; i < x.count; i++)
        assert_true(x.at[i] >= -0.25f && x.at[i] < 1.5f);
    drop_floats(&x);
    /* [1, 1 + 2^-23) holds a single float: rounding must not reach the end that is left out. */
    m.a = 1;
    m.b = 1 + 0x1p-23;
    x = weight_of(&m);
    for (size_t i = 0; i < x.count; i++)
        assert_true(x.at[i] == 1);
    drop_floats(&x);
    m.b = 1; /* no interval at all */
    x = weight_of(&m);
    for (size_t i = 0; i < x.count; i++)
        assert_true(x.at[i] == 1);
    drop_floats(&x);
}

/* Rows (or, of a tall matrix, columns) have length gain and are at right angles. Rounding the entries q to float leaves
 * an error of at most 2 sum |q_i q_j| 2^-24 <= gain^2 2^-23 in a product; 1e-5 is what is promised. */
static void check_orthogonal(floats x, size_t rows, double gain)
{
    const size_t columns = x.count / rows;
    const int wide = columns >= rows;
    const size_t vectors = wide ? rows : columns, length = wide ? columns : rows;
    const size_t next = wide ? columns : 1, step = wide ? 1 : columns;
    for (size_t i = 0; i < vectors; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t k = 0; k < length; k++)
                sum += (double)x.at[i * next + k * step] * (double)x.at[j * next + k * step];
            assert_true(fabs(sum - (i == j ? gain * gain : 0)) <= 1e-5);
        }
}

static void test_orthogonal(void **state)
{
    (void)state;
    const maker cases[] = {
        {64, 64, 0, 1, DIRAC_INIT_ORTHOGONAL, 1, 0, 5},   {17, 40, 0, 1, DIRAC_INIT_ORTHOGONAL, 1.4, 0, 5},
        {40, 17, 0, 1, DIRAC_INIT_ORTHOGONAL, 0.5, 0, 5}, {8, 32, 3, 1, DIRAC_INIT_ORTHOGONAL, 1.1, 0, 5},
        {8, 16, 3, 2, DIRAC_INIT_ORTHOGONAL, 1, 0, 5},    {1, 1, 0, 1, DIRAC_INIT_ORTHOGONAL, 1, 0, 5},
        {2, 64, 3, 1, DIRAC_INIT_ORTHOGONAL, 1, 0, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        floats x = weight_of(&cases[i]);
        check_orthogonal(x, (size_t)cases[i].outputs, cases[i].a);
        drop_floats(&x);
    }
    /* Uniform over orthogonal matrices: no entry is special, so each of 64 x 64 has mean 0 and variance 1/64. */
    floats x = weight_of(&cases[0]);
    double mean, variance;
    moments(x, &mean, &variance);
    assert_true(fabs(mean) <= 6 / 64.0 / 8); /* of 4096 nearly independent numbers of deviation 1/8 */
    double trace = 0;
    for (size_t i = 0; i < 64; i++)
        trace += (double)x.at[i * 65];
    assert_true(fabs(trace) < 6); /* the trace of a uniform orthogonal matrix has variance 1 */
    drop_floats(&x);
}

/* ---- delta ---- */

/* a times the identity, written from its definition in the header, for `taps` taps whose centre is number `centre`. */
static void check_delta(floats x, int64_t outputs, int64_t inputs, int64_t groups, int64_t taps, int64_t centre,
        double a)
{
    size_t at = 0;
    assert_int_equal(x.count, outputs * inputs / groups * taps);
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t i = 0; i < inputs / groups; i++)
            for (int64_t t = 0; t < taps; t++) {
                const int64_t d = o % (outputs / groups);
                const int one = d == i && d < inputs / groups && t == centre;
                assert_true((double)x.at[at++] == (one ? a : 0));
            }
}

static void test_delta(void **state)
{
    (void)state;
    const maker cases[] = {
        {6, 6, 3, 1, DIRAC_INIT_DELTA, 1, 0, 6},   {6, 9, 3, 3, DIRAC_INIT_DELTA, 2, 0, 6},
        {8, 4, 4, 2, DIRAC_INIT_DELTA, 0.5, 0, 6}, {5, 7, 1, 1, DIRAC_INIT_DELTA, 1, 0, 6},
        {7, 5, 0, 1, DIRAC_INIT_DELTA, 1, 0, 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const maker *m = &cases[i];
        const int64_t k = m->kernel;
        floats x = weight_of(m);
        check_delta(x, m->outputs, m->inputs, m->groups, k == 0 ? 1 : k * k, k == 0 ? 0 : k / 2 * k + k / 2, m->a);
        drop_floats(&x);
    }
}

/* A convolution of delta is the identity: its output is its input, bit for bit. */
static void test_delta_returns_its_input(void **state)
{
    (void)state;
    for (int64_t kernel = 1; kernel <= 4; kernel++) {
        const maker m = {5, 5, kernel, 1, DIRAC_INIT_DELTA, 1, 0, 6};
        dirac_net *net = make(&m);
        dirac_session *session;
        ok(dirac_session_create(&session, net, DIRAC_INFER));
        ok(dirac_session_set_strict(session, 1)); /* a transformed convolution rounds */
        ok(dirac_session_set_batch(session, 2));
        ok(dirac_session_prepare(session));
        floats x = random_numbers(2 * 5 * 64, 9, -1, 1), y = {NULL, 0};
        ok(dirac_session_forward(session, x.at, 2));
        append_output(&y, session);
        same_bits("delta", x, y);
        drop_floats(&x);
        drop_floats(&y);
        dirac_session_destroy(session);
        dirac_net_destroy(net);
    }
}

/* ---- what a draw depends on ---- */

static void same_or_not(floats x, floats y, int same)
{
    assert_int_equal(x.count, y.count);
    assert_int_equal(memcmp(x.at, y.at, x.count * sizeof *x.at) == 0, same);
    /* Different draws are independent: their correlation has deviation 1 / sqrt(n). */
    double xy = 0, xx = 0, yy = 0;
    for (size_t i = 0; i < x.count; i++) {
        xy += (double)x.at[i] * (double)y.at[i];
        xx += (double)x.at[i] * (double)x.at[i];
        yy += (double)y.at[i] * (double)y.at[i];
    }
    if (!same)
        assert_true(fabs(xy) <= 6 * sqrt(xx * yy / (double)x.count));
}

static void test_seeds(void **state)
{
    (void)state;
    maker m = {33, 45, 0, 1, DIRAC_INIT_NORMAL, 1, 0, 7};
    floats a = weight_of(&m), b = weight_of(&m);
    m.seed = 8;
    floats c = weight_of(&m);
    same_or_not(a, b, 1);
    same_or_not(a, c, 0);

    dirac_net *net = make(&m); /* of seed 8; drawn anew from 7 */
    floats d = {NULL, 0}, e = {NULL, 0};
    const uint64_t version = dirac_net_version(net);
    ok(dirac_net_initialize(net, 7));
    assert_true(dirac_net_version(net) > version);
    append_tensor(&d, net, "layer.weight");
    same_bits("drawn anew", a, d);
    dirac_net_destroy(net);

    /* The context's seed is the net's unless it has its own. */
    dirac_context *seeded;
    ok(dirac_context_create(&seeded));
    ok(dirac_context_set_seed(seeded, 7));
    dirac_node *x;
    ok(dirac_net_create(&net, seeded));
    x = dirac_net_linear(net, dirac_net_input(net, 33), 45);
    ok(dirac_node_set_name(x, "layer"));
    ok(dirac_node_set_initializer(x, "weight", DIRAC_INIT_NORMAL, 1, 0));
    dirac_net_output(net, x);
    ok(dirac_net_build(net));
    append_tensor(&e, net, "layer.weight");
    same_bits("the context's seed", a, e);
    dirac_net_destroy(net);
    dirac_context_destroy(seeded);
    drop_floats(&a), drop_floats(&b), drop_floats(&c), drop_floats(&d), drop_floats(&e);
}

/* The draw of a tensor does not know what else is in the net; tensors of one net differ. */
static void test_tensors_are_independent(void **state)
{
    (void)state;
    const maker m = {33, 45, 0, 1, DIRAC_INIT_NORMAL, 1, 0, 7};
    floats alone = weight_of(&m), with = {NULL, 0}, other = {NULL, 0};
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    ok(dirac_net_set_seed(net, 7));
    dirac_node *x = dirac_net_batch_norm(net, dirac_net_input(net, 33));
    dirac_node *first = dirac_net_linear(net, x, 45), *second = dirac_net_linear(net, x, 45);
    ok(dirac_node_set_name(second, "layer"));
    ok(dirac_node_set_initializer(first, "weight", DIRAC_INIT_NORMAL, 1, 0));
    ok(dirac_node_set_initializer(second, "weight", DIRAC_INIT_NORMAL, 1, 0));
    dirac_net_output(net, dirac_net_add(net, first, second));
    ok(dirac_net_build(net));
    append_tensor(&with, net, "layer.weight");
    append_tensor(&other, net, "linear.weight");
    same_or_not(alone, with, 1);
    same_or_not(alone, other, 0);
    dirac_net_destroy(net);
    drop_floats(&alone), drop_floats(&with), drop_floats(&other);
}

static void check_constant(const dirac_net *net, const char *name, float value)
{
    floats x = {NULL, 0};
    append_tensor(&x, net, name);
    for (size_t i = 0; i < x.count; i++)
        assert_true(x.at[i] == value);
    drop_floats(&x);
}

static void check_defaults(const dirac_net *net)
{
    floats gamma = {NULL, 0};
    check_constant(net, "conv.alpha", 1);
    check_constant(net, "conv.beta", 0.1f);
    check_constant(net, "conv.bias", 0);
    check_constant(net, "batch_norm.bias", 0);
    check_constant(net, "batch_norm.running_mean", 0);
    check_constant(net, "batch_norm.running_var", 1);
    append_tensor(&gamma, net, "batch_norm.weight");
    check_moments(gamma, 0.5, 1.0 / 12, 1.0 / 80);
    for (size_t i = 0; i < gamma.count; i++)
        assert_true(gamma.at[i] >= 0 && gamma.at[i] < 1);
    drop_floats(&gamma);
}

/* What the header says each parameter starts from; initialising anew goes back to it, state included. */
static void test_defaults(void **state)
{
    (void)state;
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_dirac_conv2d(net, dirac_net_input2d(net, 3, 6, 6), 600, 3);
    ok(dirac_node_set_int(x, "bias", 1));
    dirac_net_output(net, dirac_net_batch_norm(net, x));
    ok(dirac_net_build(net));
    check_defaults(net);
    for (int64_t i = 0; i < dirac_net_tensor_count(net); i++) {
        const char *name = dirac_net_tensor_name(net, i);
        floats spoilt = random_numbers(tensor_elements(net, name), 1, 2, 3);
        ok(dirac_net_tensor_write(net, name, spoilt.at, spoilt.count));
        drop_floats(&spoilt);
    }
    ok(dirac_net_initialize(net, 99));
    check_defaults(net);
    dirac_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_normal),
        cmocka_unit_test(test_kaiming),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_orthogonal),
        cmocka_unit_test(test_delta),
        cmocka_unit_test(test_delta_returns_its_input),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_tensors_are_independent),
        cmocka_unit_test(test_defaults),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
