/* SPDX-License-Identifier: MIT */
/* Building through the public interface: the sticky error, names and scopes, attributes, sharing, what is refused after
 * build, and the list of named tensors. */
#include "support/test_context.h"

/* build must report what went wrong first: its status, and every one of the (up to three) parts of the message. */
static void build_refused(dirac_net *net, int32_t status, const char *a, const char *b, const char *c)
{
    refused(dirac_net_build(net), status);
    message_has(a);
    message_has(b);
    message_has(c);
    dirac_session *session = NULL;
    dirac_net *copy = NULL;
    refused(dirac_session_create(&session, net, DIRAC_INFER), DIRAC_ERR_STATE);
    assert_null(session);
    refused(dirac_net_clone(&copy, net), DIRAC_ERR_STATE);
    refused(dirac_net_fold(&copy, net), DIRAC_ERR_STATE);
    assert_null(copy);
    refused(dirac_net_build(net), status); /* again, and no better */
    message_has(a);
    dirac_net_destroy(net);
}

/* ---- the sticky error ---- */

static void test_first_mistake_is_reported(void **state)
{
    (void)state;
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_input2d(net, 3, 8, 8);
    dirac_node *good = dirac_net_conv2d(net, x, 4, 3);
    ok(dirac_node_set_name(good, "stem"));
    refused(dirac_node_set_int(good, "groups", 0), DIRAC_ERR_ARGUMENT);
    /* All later calls fail too, and none of them replaces the first mistake. */
    assert_null(dirac_net_relu(net, good));
    assert_null(dirac_net_conv2d(net, NULL, 4, 3));
    assert_null(dirac_net_output(net, good));
    assert_null(dirac_net_input(net, 3));
    assert_null(dirac_net_custom(net, NULL, &x, 1));
    assert_int_not_equal(dirac_net_push_scope(net, "a"), DIRAC_OK);
    assert_int_not_equal(dirac_node_set_name(good, "other"), DIRAC_OK);
    assert_int_not_equal(dirac_node_set_int(good, "stride", 2), DIRAC_OK);
    assert_string_equal(dirac_node_name(good), "stem");
    build_refused(net, DIRAC_ERR_ARGUMENT, "stem", "groups", "0, legal are 1 to");
}

static void test_null_runs_down_the_chain(void **state)
{
    (void)state;
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_input2d(net, 3, 8, 8);
    dirac_node *y = dirac_net_conv2d(net, x, 4, 2000); /* kernels are at most 1024 */
    assert_null(y);
    y = dirac_net_relu(net, dirac_net_batch_norm(net, y));
    y = dirac_net_add(net, y, x);
    y = dirac_net_concat(net, &y, 1);
    y = dirac_net_linear(net, dirac_net_global_average_pool(net, y), 10);
    assert_null(dirac_net_output(net, y));
    refused(dirac_node_set_int(y, "bias", 0), DIRAC_ERR_ARGUMENT); /* NULL */
    build_refused(net, DIRAC_ERR_ARGUMENT, "conv", "kernel", "2000, legal are 1 to 1024");

    net = new_net(context); /* a NULL that no earlier mistake explains is itself the mistake */
    dirac_net_input(net, 3);
    assert_null(dirac_net_relu(net, NULL));
    build_refused(net, DIRAC_ERR_ARGUMENT, "relu", "NULL", "");
}

/* The statement of each case makes one mistake on net with input x (3, 8, 8) and vectors v (7). */
#define MISTAKE(status, a, b, c, statement)                                                        \
    do {                                                                                           \
        dirac_net *net = new_net(context);                                                                \
        dirac_node *x = dirac_net_input2d(net, 3, 8, 8), *v = dirac_net_input(net, 7);             \
        assert_non_null(v);                                                                        \
        dirac_net_output(net, dirac_net_relu(net, x));                                             \
        statement;                                                                                 \
        build_refused(net, status, a, b, c);                                                       \
    } while (0)

static void test_each_setter_sticks(void **state)
{
    (void)state;
    const int64_t three[3] = {1, 2, 3};
    const int64_t bad[2] = {1, 1025};
    dirac_node *y;
    MISTAKE(DIRAC_ERR_ARGUMENT, "conv", "padding", "-2, legal are -1 to 1024",
            y = dirac_net_conv2d(net, x, 4, 3); refused(dirac_node_set_int(y, "padding", -2), DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_ARGUMENT, "conv", "stride", "3 values",
            y = dirac_net_conv2d(net, x, 4, 3); refused(dirac_node_set_ints(y, "stride", three, 3),
                    DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_ARGUMENT, "conv", "dilation", "1025, legal are 1 to 1024",
            y = dirac_net_conv2d(net, x, 4, 3); refused(dirac_node_set_ints(y, "dilation", bad, 2),
                    DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_ARGUMENT, "conv", "form", "4, legal are 0 to 3",
            y = dirac_net_conv2d(net, x, 4, 3); refused(dirac_node_set_int(y, "form", 4), DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_ARGUMENT, "conv", "colour", "kernel",
            y = dirac_net_conv2d(net, x, 4, 3); refused(dirac_node_set_int(y, "colour", 4), DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_ARGUMENT, "conv", "stride", "integers",
            y = dirac_net_conv2d(net, x, 4, 3); refused(dirac_node_set_float(y, "stride", 1), DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_ARGUMENT, "batch_norm", "epsilon", "real",
            y = dirac_net_batch_norm(net, x); refused(dirac_node_set_int(y, "epsilon", 1), DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_ARGUMENT, "batch_norm", "epsilon", "0, legal",
            y = dirac_net_batch_norm(net, x); refused(dirac_node_set_float(y, "epsilon", 0), DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_ARGUMENT, "batch_norm", "momentum", "NaN",
            y = dirac_net_batch_norm(net, x);
            refused(dirac_node_set_float(y, "momentum", (double)NAN), DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_ARGUMENT, "relu", "has none", "",
            y = dirac_net_relu(net, x); refused(dirac_node_set_int(y, "slope", 1), DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_ARGUMENT, "linear.weight", "initialiser 7", "0 to 6",
            y = dirac_net_linear(net, v, 4);
            refused(dirac_node_set_initializer(y, "weight", 7, 0, 0), DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_ARGUMENT, "linear.weight", "not finite", "",
            y = dirac_net_linear(net, v, 4);
            refused(dirac_node_set_initializer(y, "weight", DIRAC_INIT_CONSTANT, (double)INFINITY, 0),
                    DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_NOT_FOUND, "linear", "gamma", "",
            y = dirac_net_linear(net, v, 4); ok(dirac_node_set_initializer(y, "gamma", DIRAC_INIT_ZEROS, 0, 0)));
    MISTAKE(DIRAC_ERR_ARGUMENT, "linear.bias", "one dimension", "",
            y = dirac_net_linear(net, v, 4); ok(dirac_node_set_initializer(y, "bias", DIRAC_INIT_DELTA, 1, 0)));
}

static void test_each_builder_sticks(void **state)
{
    (void)state;
    dirac_node *many[65];
    dirac_node *mixed[2];
    MISTAKE(DIRAC_ERR_ARGUMENT, "conv", "channels", "0, legal are 1 to", assert_null(dirac_net_conv2d(net, x, 0, 3)));
    MISTAKE(DIRAC_ERR_ARGUMENT, "max_pool", "kernel", "0, legal", assert_null(dirac_net_max_pool2d(net, x, 0)));
    MISTAKE(DIRAC_ERR_ARGUMENT, "dropout", "rate", "1, legal are 0 to", assert_null(dirac_net_dropout(net, x, 1)));
    MISTAKE(DIRAC_ERR_ARGUMENT, "response_norm", "size", "4097", assert_null(dirac_net_local_response_norm(net, x,
            4097)));
    MISTAKE(DIRAC_ERR_ARGUMENT, "input", "(0", "", assert_null(dirac_net_input(net, 0)));
    MISTAKE(DIRAC_ERR_ARGUMENT, "concat", "0", "", assert_null(dirac_net_concat(net, &x, 0)));
    MISTAKE(DIRAC_ERR_ARGUMENT, "concat", "NULL", "", assert_null(dirac_net_concat(net, NULL, 2)));
    for (int i = 0; i < 65; i++)
        many[i] = NULL;
    MISTAKE(DIRAC_ERR_ARGUMENT, "concat", "65", "", assert_null(dirac_net_concat(net, many, 65)));
    MISTAKE(DIRAC_ERR_STATE, "scope", "", "", refused(dirac_net_pop_scope(net), DIRAC_ERR_STATE));
    MISTAKE(DIRAC_ERR_STATE, "inner", "", "", ok(dirac_net_push_scope(net, "inner")));
    /* What only shapes show is found at build, with the node's name and both shapes. */
    MISTAKE(DIRAC_ERR_SHAPE, "linear", "(3, 8, 8)", "vectors", assert_non_null(dirac_net_linear(net, x, 4)));
    MISTAKE(DIRAC_ERR_SHAPE, "conv", "(7)", "height, width", assert_non_null(dirac_net_conv2d(net, v, 4, 3)));
    MISTAKE(DIRAC_ERR_SHAPE, "add", "(3, 8, 8)", "(7)", assert_non_null(dirac_net_add(net, x, v)));
    mixed[0] = mixed[1] = NULL;
    MISTAKE(DIRAC_ERR_SHAPE, "concat", "(3, 8, 8)", "(7)", mixed[0] = x; mixed[1] = v;
            assert_non_null(dirac_net_concat(net, mixed, 2)));
    MISTAKE(DIRAC_ERR_SHAPE, "max_pool", "9", "8", assert_non_null(dirac_net_max_pool2d(net, x, 9)));
    MISTAKE(DIRAC_ERR_SHAPE, "conv", "groups", "2",
            ok(dirac_node_set_int(dirac_net_conv2d(net, x, 4, 3), "groups", 2)));
    MISTAKE(DIRAC_ERR_LIMIT, "linear", "", "",
            dirac_net_linear(net, dirac_net_linear(net, v, INT64_C(1) << 30), INT64_C(1) << 30));
}

static void test_nets_without_ends(void **state)
{
    (void)state;
    dirac_net *net = new_net(context);
    build_refused(net, DIRAC_ERR_STATE, "no input", "", "");
    net = new_net(context);
    dirac_net_input(net, 3);
    build_refused(net, DIRAC_ERR_STATE, "no output", "", "");
    /* An input too large for any machine is refused, not multiplied out. */
    net = new_net(context);
    const int64_t huge = INT64_C(1) << 30;
    dirac_net_output(net, dirac_net_relu(net, dirac_net_input3d(net, huge, huge, huge, huge)));
    build_refused(net, DIRAC_ERR_LIMIT, "input", "", "");
}

static void test_nodes_of_another_net(void **state)
{
    (void)state;
    dirac_net *other = new_net(context);
    dirac_node *theirs = dirac_net_relu(other, dirac_net_input2d(other, 3, 8, 8));
    dirac_net_output(other, theirs);
    MISTAKE(DIRAC_ERR_ARGUMENT, "relu", "another net", "", assert_null(dirac_net_relu(net, theirs)));
    MISTAKE(DIRAC_ERR_ARGUMENT, "output", "this net", "", assert_null(dirac_net_output(net, theirs)));
    MISTAKE(DIRAC_ERR_ARGUMENT, "add", "another net", "", assert_null(dirac_net_add(net, x, theirs)));
    MISTAKE(DIRAC_ERR_ARGUMENT, "relu2", "earlier layer", "",
            refused(dirac_node_share_parameters(dirac_net_relu(net, x), theirs), DIRAC_ERR_ARGUMENT));
    ok(dirac_net_build(other)); /* the other net took no harm */
    dirac_net_destroy(other);
}

/* ---- names ---- */

static void check_name(const dirac_node *node, const char *name)
{
    assert_string_equal(dirac_node_name(node), name);
}

static void test_names(void **state)
{
    (void)state;
    char text[8] = "stem";
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_input2d(net, 3, 8, 8);
    check_name(x, "input");
    dirac_node *a = dirac_net_conv2d(net, x, 3, 3), *b = dirac_net_conv2d(net, a, 3, 3);
    check_name(a, "conv");
    check_name(b, "conv2");
    ok(dirac_node_set_name(a, text));
    text[0] = 'X'; /* copied */
    check_name(a, "stem");
    ok(dirac_net_push_scope(net, "group0"));
    ok(dirac_net_push_scope(net, "block1.part-a"));
    dirac_node *c = dirac_net_conv2d(net, b, 3, 3);
    check_name(c, "group0.block1.part-a.conv");
    ok(dirac_node_set_name(c, "stem")); /* another scope, another name */
    check_name(c, "group0.block1.part-a.stem");
    ok(dirac_net_pop_scope(net));
    dirac_node *d = dirac_net_conv2d(net, c, 3, 3);
    check_name(d, "group0.conv");
    ok(dirac_net_pop_scope(net));
    dirac_net_output(net, d);
    assert_ptr_equal(dirac_net_find(net, "group0.block1.part-a.stem"), c);
    assert_null(dirac_net_find(net, "group0.block1.part-a"));
    ok(dirac_net_build(net));
    assert_string_equal(dirac_net_tensor_name(net, 0), "stem.weight");
    assert_string_equal(dirac_net_tensor_name(net, 2), "group0.block1.part-a.stem.weight");
    refused(dirac_node_set_name(a, "late"), DIRAC_ERR_STATE);
    check_name(a, "stem");
    dirac_net_destroy(net);
}

/* Scopes may make a full name longer than one name may be; copies, folds and files have it all the same. */
static void test_long_full_names(void **state)
{
    (void)state;
    char scope[201], full[412];
    memset(scope, 's', 200);
    scope[200] = '\0';
    snprintf(full, sizeof full, "%s.%s.linear", scope, scope);
    dirac_net *net = new_net(context), *copies[3];
    dirac_node *x = dirac_net_input(net, 3);
    ok(dirac_net_push_scope(net, scope));
    ok(dirac_net_push_scope(net, scope));
    x = dirac_net_linear(net, x, 2);
    ok(dirac_net_pop_scope(net));
    ok(dirac_net_pop_scope(net));
    dirac_net_output(net, x);
    ok(dirac_net_build(net));
    void *data;
    size_t size;
    ok(dirac_net_clone(&copies[0], net));
    ok(dirac_net_fold(&copies[1], net));
    ok(dirac_net_save_memory(net, &data, &size));
    ok(dirac_net_load_memory(&copies[2], context, data, size));
    dirac_buffer_free(context, data, size);
    for (int i = 0; i < 3; i++) {
        assert_non_null(dirac_net_find(copies[i], full));
        dirac_net_destroy(copies[i]);
    }
    dirac_net_destroy(net);
}

static void test_illegal_names(void **state)
{
    (void)state;
    char too_long[202], longest[201];
    memset(too_long, 'a', sizeof too_long);
    memset(longest, 'a', sizeof longest);
    too_long[sizeof too_long - 1] = longest[sizeof longest - 1] = 0;
    dirac_net *named = new_net(context);
    dirac_node *input = dirac_net_input(named, 1);
    ok(dirac_node_set_name(input, longest)); /* 200 characters */
    check_name(input, longest);
    dirac_net_destroy(named);
    const char *const illegal[] = {"", ".a", "a.", "a b", "a/b", "\xc3\xa9", "a\n", too_long};
    for (size_t i = 0; i < sizeof illegal / sizeof illegal[0]; i++) {
        MISTAKE(DIRAC_ERR_ARGUMENT, "name", "letters", "", refused(dirac_node_set_name(x, illegal[i]),
                DIRAC_ERR_ARGUMENT));
        MISTAKE(DIRAC_ERR_ARGUMENT, "name", "letters", "", refused(dirac_net_push_scope(net, illegal[i]),
                DIRAC_ERR_ARGUMENT));
    }
    MISTAKE(DIRAC_ERR_ARGUMENT, "NULL", "", "", refused(dirac_node_set_name(x, NULL), DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_ARGUMENT, "NULL", "", "", refused(dirac_net_push_scope(net, NULL), DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_ARGUMENT, "relu", "taken", "", refused(dirac_node_set_name(x, "relu"), DIRAC_ERR_ARGUMENT));
}

/* ---- attributes ---- */

static void check_ints(const dirac_node *node, const char *name, int32_t count, int64_t a, int64_t b, int64_t c)
{
    int64_t values[3] = {-9, -9, -9}, first = -9;
    int32_t found = -1;
    const int64_t want[3] = {a, b, c};
    ok(dirac_node_get_ints(node, name, values, &found));
    assert_int_equal(found, count);
    for (int32_t i = 0; i < count; i++)
        assert_int_equal(values[i], want[i]);
    ok(dirac_node_get_int(node, name, &first));
    assert_int_equal(first, a);
}

static void test_attributes(void **state)
{
    (void)state;
    const int64_t sizes[3] = {3, 1, 5};
    double real = -1;
    int64_t integer = -1;
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_conv3d(net, dirac_net_input3d(net, 4, 6, 6, 6), 8, 3);
    check_ints(x, "kernel", 3, 3, 3, 3);
    check_ints(x, "padding", 3, -1, -1, -1);
    check_ints(x, "channels", 1, 8, 0, 0);
    ok(dirac_node_set_ints(x, "kernel", sizes, 3));
    check_ints(x, "kernel", 3, 3, 1, 5);
    ok(dirac_node_set_int(x, "stride", 2)); /* one value for every dimension */
    check_ints(x, "stride", 3, 2, 2, 2);
    ok(dirac_node_set_ints(x, "dilation", sizes + 1, 1));
    check_ints(x, "dilation", 3, 1, 1, 1);
    dirac_node *bn = dirac_net_batch_norm(net, x);
    ok(dirac_node_get_float(bn, "epsilon", &real));
    assert_true(real == 1e-5);
    ok(dirac_node_set_float(bn, "epsilon", 0.001));
    ok(dirac_node_get_float(bn, "epsilon", &real));
    assert_true(real == 0.001);
    /* Reading wrongly is refused and, unlike setting, does not stick. */
    refused(dirac_node_get_float(x, "stride", &real), DIRAC_ERR_ARGUMENT);
    refused(dirac_node_get_int(bn, "epsilon", &integer), DIRAC_ERR_ARGUMENT);
    refused(dirac_node_get_int(bn, "stride", &integer), DIRAC_ERR_NOT_FOUND);
    message_has("stride");
    dirac_net_output(net, bn);
    ok(dirac_net_build(net));
    check_ints(x, "stride", 3, 2, 2, 2);
    refused(dirac_node_set_int(x, "stride", 1), DIRAC_ERR_STATE);
    refused(dirac_node_set_ints(x, "stride", sizes, 3), DIRAC_ERR_STATE);
    refused(dirac_node_set_float(bn, "epsilon", 1), DIRAC_ERR_STATE);
    refused(dirac_node_set_initializer(x, "weight", DIRAC_INIT_ZEROS, 0, 0), DIRAC_ERR_STATE);
    refused(dirac_node_share_parameters(bn, bn), DIRAC_ERR_STATE);
    message_has(dirac_node_name(bn));
    check_ints(x, "stride", 3, 2, 2, 2);
    dirac_net_destroy(net);
}

/* ---- sharing ---- */

static void test_sharing(void **state)
{
    (void)state;
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_input2d(net, 4, 5, 5);
    dirac_node *a = dirac_net_dirac_conv2d(net, x, 4, 3), *b = dirac_net_dirac_conv2d(net, a, 4, 3);
    dirac_node *c = dirac_net_dirac_conv2d(net, b, 4, 3);
    ok(dirac_node_share_parameters(b, a));
    ok(dirac_node_share_parameters(c, b)); /* the owner of the owner */
    dirac_net_output(net, c);
    ok(dirac_net_build(net));
    assert_int_equal(dirac_net_tensor_count(net), 3);
    assert_int_equal(dirac_net_trained_count(net), 4 * 4 * 9 + 4 + 4);
    assert_int_equal(dirac_node_trained_count(a), 4 * 4 * 9 + 4 + 4);
    assert_int_equal(dirac_node_trained_count(b), 0);
    assert_int_equal(dirac_node_trained_count(c), 0);
    assert_int_equal(dirac_node_multiply_adds(c), 4 * 4 * 9 * 25);
    refused(dirac_net_tensor_read(net, "conv2.weight", &(float){0}, 1), DIRAC_ERR_NOT_FOUND);
    dirac_net_destroy(net);
}

static void test_refused_sharing(void **state)
{
    (void)state;
    dirac_node *y, *z;
    MISTAKE(DIRAC_ERR_SHAPE, "conv2", "conv", "", y = dirac_net_conv2d(net, x, 4, 3); z = dirac_net_conv2d(net, y,
            4, 3);
            ok(dirac_node_share_parameters(z, y)));
    MISTAKE(DIRAC_ERR_ARGUMENT, "batch_norm", "conv", "", y = dirac_net_conv2d(net, x, 4, 3);
            z = dirac_net_batch_norm(net, y); refused(dirac_node_share_parameters(z, y), DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_ARGUMENT, "conv", "earlier", "", y = dirac_net_conv2d(net, x, 3, 3); z = dirac_net_conv2d(net,
            y, 3, 3);
            refused(dirac_node_share_parameters(y, z), DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_ARGUMENT, "conv", "earlier", "", y = dirac_net_conv2d(net, x, 3, 3);
            refused(dirac_node_share_parameters(y, y), DIRAC_ERR_ARGUMENT));
    MISTAKE(DIRAC_ERR_ARGUMENT, "conv", "earlier", "", y = dirac_net_conv2d(net, x, 3, 3);
            refused(dirac_node_share_parameters(y, NULL), DIRAC_ERR_ARGUMENT));
    /* The same shapes, but not the same attributes. */
    MISTAKE(DIRAC_ERR_ARGUMENT, "conv2", "form", "", y = dirac_net_conv2d(net, x, 3, 3); z = dirac_net_conv2d(net,
            y, 3, 3);
            ok(dirac_node_set_int(z, "form", DIRAC_FORM_FIXED_DELTA)); ok(dirac_node_share_parameters(z, y)));
}

/* ---- ends, and after build ---- */

static void test_outputs_and_inputs(void **state)
{
    (void)state;
    dirac_net *net = new_net(context);
    dirac_node *a = dirac_net_input(net, 3), *b = dirac_net_input1d(net, 2, 5);
    dirac_node *c = dirac_net_relu(net, b);
    assert_ptr_equal(dirac_net_output(net, c), c);
    assert_ptr_equal(dirac_net_output(net, a), a); /* an input may be an output */
    assert_int_equal(dirac_net_input_count(net), 2);
    assert_int_equal(dirac_net_output_count(net), 2);
    assert_ptr_equal(dirac_net_input_node(net, 0), a);
    assert_ptr_equal(dirac_net_input_node(net, 1), b);
    assert_null(dirac_net_input_node(net, 2));
    assert_null(dirac_net_input_node(net, -1));
    assert_ptr_equal(dirac_net_output_node(net, 0), c);
    assert_ptr_equal(dirac_net_output_node(net, 1), a);
    assert_null(dirac_net_output_node(net, 2));
    assert_null(dirac_net_output_node(net, -1));
    assert_int_equal(dirac_net_node_count(net), 3);
    assert_ptr_equal(dirac_net_node(net, 2), c);
    assert_null(dirac_net_node(net, 3));
    assert_null(dirac_net_node(net, -1));
    assert_int_equal(dirac_node_input_count(c), 1);
    assert_ptr_equal(dirac_node_input(c, 0), b);
    assert_null(dirac_node_input(c, 1));
    assert_null(dirac_node_input(c, -1));
    assert_string_equal(dirac_node_kind(c), "relu");
    int64_t dims[4];
    int32_t rank;
    refused(dirac_node_shape(c, dims, &rank), DIRAC_ERR_STATE);
    ok(dirac_net_build(net));
    ok(dirac_node_shape(c, dims, &rank));
    assert_int_equal(rank, 2);
    assert_int_equal(dims[0], 2);
    assert_int_equal(dims[1], 5);
    dirac_net_destroy(net);
}

static void test_refused_outputs(void **state)
{
    (void)state;
    MISTAKE(DIRAC_ERR_ARGUMENT, "relu", "output already", "",
            assert_null(dirac_net_output(net, dirac_net_output_node(net, 0))));
    MISTAKE(DIRAC_ERR_ARGUMENT, "output", "", "", assert_null(dirac_net_output(net, NULL)));
}

static void test_after_build(void **state)
{
    (void)state;
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_input(net, 3);
    dirac_net_output(net, dirac_net_linear(net, x, 2));
    assert_int_equal(dirac_net_tensor_count(net), 0);
    assert_int_equal(dirac_net_trained_count(net), 0);
    assert_int_equal(dirac_net_multiply_adds(net), 0);
    assert_null(dirac_net_tensor_name(net, 0));
    float value[6];
    refused(dirac_net_tensor_read(net, "linear.weight", value, 6), DIRAC_ERR_STATE);
    refused(dirac_net_tensor_write(net, "linear.weight", value, 6), DIRAC_ERR_STATE);
    refused(dirac_net_initialize(net, 1), DIRAC_ERR_STATE);
    refused(dirac_net_set_trainable(net, "*", 0), DIRAC_ERR_STATE);
    ok(dirac_net_set_seed(net, 3));
    ok(dirac_net_build(net));
    refused(dirac_net_build(net), DIRAC_ERR_STATE);
    refused(dirac_net_set_seed(net, 3), DIRAC_ERR_STATE);
    assert_null(dirac_net_relu(net, x));
    assert_null(dirac_net_output(net, x));
    assert_null(dirac_net_input(net, 3));
    assert_int_not_equal(dirac_net_push_scope(net, "a"), DIRAC_OK);
    assert_int_equal(dirac_net_node_count(net), 2);
    assert_int_equal(dirac_net_output_count(net), 1);
    floats logits = {NULL, 0};
    append_logits(&logits, net, 2, 1); /* the net still works */
    assert_int_equal(logits.count, 4);
    drop_floats(&logits);
    dirac_net_destroy(net);
}

/* ---- named tensors ---- */

static void check_tensor(const dirac_net *net, int64_t index, const char *name, int32_t rank, const int64_t *dims,
                         int32_t role)
{
    int64_t found[DIRAC_MAX_RANK];
    int32_t found_rank = -1, found_role = -1;
    assert_string_equal(dirac_net_tensor_name(net, index), name);
    ok(dirac_net_tensor_shape(net, name, found, &found_rank, &found_role));
    assert_int_equal(found_rank, rank);
    assert_int_equal(found_role, role);
    for (int32_t i = 0; i < rank; i++)
        assert_int_equal(found[i], dims[i]);
    ok(dirac_net_tensor_shape(net, name, found, NULL, NULL));
}

static void test_tensors(void **state)
{
    (void)state;
    dirac_net *net = new_net(context);
    dirac_node *conv = dirac_net_dirac_conv3d(net, dirac_net_input3d(net, 4, 3, 3, 3), 6, 3);
    ok(dirac_node_set_int(conv, "groups", 2));
    ok(dirac_node_set_int(conv, "bias", 1));
    ok(dirac_node_set_ints(conv, "kernel", (const int64_t[3]){1, 2, 3}, 3));
    dirac_node *fc = dirac_net_linear(net, dirac_net_global_average_pool(net, dirac_net_batch_norm(net, conv)), 5);
    dirac_net_output(net, fc);
    ok(dirac_net_build(net));
    const int32_t trained = DIRAC_ROLE_TRAINED, is_state = DIRAC_ROLE_STATE;
    const int64_t c[1] = {6}, o[1] = {5};
    assert_int_equal(dirac_net_tensor_count(net), 10);
    check_tensor(net, 0, "conv.weight", 5, (const int64_t[5]){6, 2, 1, 2, 3}, trained);
    check_tensor(net, 1, "conv.alpha", 1, c, trained);
    check_tensor(net, 2, "conv.beta", 1, c, trained);
    check_tensor(net, 3, "conv.bias", 1, c, trained);
    check_tensor(net, 4, "batch_norm.weight", 1, c, trained);
    check_tensor(net, 5, "batch_norm.bias", 1, c, trained);
    check_tensor(net, 6, "batch_norm.running_mean", 1, c, is_state);
    check_tensor(net, 7, "batch_norm.running_var", 1, c, is_state);
    check_tensor(net, 8, "linear.weight", 2, (const int64_t[2]){5, 6}, trained);
    check_tensor(net, 9, "linear.bias", 1, o, trained);
    assert_null(dirac_net_tensor_name(net, 10));
    assert_null(dirac_net_tensor_name(net, -1));
    assert_int_equal(dirac_net_trained_count(net), 72 + 18 + 12 + 35); /* state is not counted */
    assert_int_equal(dirac_node_trained_count(conv), 72 + 18);
    assert_int_equal(dirac_node_multiply_adds(conv), 72 * 27); /* 6 filters of 2 x 6 taps at 27 positions */
    assert_int_equal(dirac_node_multiply_adds(fc), 30);
    assert_int_equal(dirac_net_multiply_adds(net), 72 * 27 + 30);

    float values[6] = {1, 2, 3, 4, 5, 6}, back[6] = {0};
    const uint64_t before = dirac_net_version(net);
    ok(dirac_net_tensor_read(net, "conv.alpha", back, 6));
    assert_true(dirac_net_version(net) == before);
    ok(dirac_net_tensor_write(net, "conv.alpha", values, 6));
    assert_true(dirac_net_version(net) > before);
    ok(dirac_net_tensor_read(net, "conv.alpha", back, 6));
    assert_memory_equal(values, back, sizeof values);
    refused(dirac_net_tensor_read(net, "conv.alpha", back, 5), DIRAC_ERR_SHAPE);
    message_has("6 elements, not 5");
    refused(dirac_net_tensor_write(net, "conv.alpha", values, 7), DIRAC_ERR_SHAPE);
    refused(dirac_net_tensor_read(net, "conv.alpha.", back, 6), DIRAC_ERR_NOT_FOUND);
    message_has("conv.alpha.");
    refused(dirac_net_tensor_shape(net, "", (int64_t[5]){0}, NULL, NULL), DIRAC_ERR_NOT_FOUND);
    dirac_net_destroy(net);
}

/* ---- counts that do not fit ---- */

/* A convolution of one filter, of 2^a times 2^b taps. */
static dirac_node *conv_of(dirac_net *net, dirac_node *x, int a, int b)
{
    x = dirac_net_conv2d(net, x, 1, 1);
    ok(dirac_node_set_ints(x, "kernel", (const int64_t[2]){(int64_t)1 << a, (int64_t)1 << b}, 2));
    ok(dirac_node_set_ints(x, "padding", (const int64_t[2]){0, 0}, 2));
    return x;
}

/* An image of 2^23 x 2^24 under kernels of 2^15 and 2^14 taps: just below 2^62 and 2^61 multiply-adds a layer. */
static dirac_net *costly(int layers, int more)
{
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_input2d(net, 1, (int64_t)1 << 23, (int64_t)1 << 24);
    for (int i = 0; i < layers; i++)
        dirac_net_output(net, conv_of(net, x, 8, 7));
    for (int i = 0; i < more; i++)
        dirac_net_output(net, conv_of(net, x, 7, 7));
    return net;
}

static void test_multiply_adds_beyond_counting(void **state)
{
    (void)state;
    dirac_net *net = costly(2, 0);
    ok(dirac_net_build(net));
    const int64_t one = dirac_node_multiply_adds(dirac_net_output_node(net, 0));
    assert_true(one > INT64_C(1) << 61 && one < INT64_C(1) << 62);
    assert_int_equal(dirac_net_multiply_adds(net), 2 * one);
    dirac_net_destroy(net);
    net = costly(2, 1);
    build_refused(net, DIRAC_ERR_LIMIT, "conv3", "multiply-adds", "9223372036854775807");

    net = new_net(context);
    dirac_node *x = dirac_net_input2d(net, 1, 256, 256);
    for (int i = 0; i < 3; i++)
        dirac_net_output(net, dirac_net_global_average_pool(net, conv_of(net, x, 8, 7)));
    ok(dirac_net_build(net));
    dirac_session *s;
    size_t bytes;
    ok(dirac_session_create(&s, net, DIRAC_INFER));
    ok(dirac_session_set_input_size(s, 0, (const int64_t[2]){INT64_C(1) << 23, INT64_C(1) << 24}, 2));
    refused(dirac_session_bytes(s, &bytes), DIRAC_ERR_LIMIT);
    message_has("conv3");
    message_has("multiply-adds");
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

static void test_notes(void **state)
{
    (void)state;
    dirac_net *net = new_net(context);
    char text[] = "cat\ndog";
    assert_null(dirac_net_note(net, "classes"));
    ok(dirac_net_set_note(net, "classes", text));
    text[0] = 'X';
    assert_string_equal(dirac_net_note(net, "classes"), "cat\ndog");
    ok(dirac_net_set_note(net, "classes", "\xc3\xa9t\xc3\xa9"));
    assert_string_equal(dirac_net_note(net, "classes"), "\xc3\xa9t\xc3\xa9");
    ok(dirac_net_set_note(net, "classes", NULL));
    assert_null(dirac_net_note(net, "classes"));
    ok(dirac_net_set_note(net, "classes", NULL));
    refused(dirac_net_set_note(net, "dirac.graph", "x"), DIRAC_ERR_ARGUMENT);
    refused(dirac_net_set_note(net, "", "x"), DIRAC_ERR_ARGUMENT);
    refused(dirac_net_set_note(net, "format", "x"), DIRAC_ERR_ARGUMENT); /* of the files */
    refused(dirac_net_set_note(net, "mean", "\xff\xfe"), DIRAC_ERR_ARGUMENT); /* not UTF-8 */
    refused(dirac_net_set_note(net, "\xff", "x"), DIRAC_ERR_ARGUMENT);
    assert_null(dirac_net_note(net, "mean"));
    ok(dirac_net_set_note(net, "first", "1"));
    ok(dirac_net_set_note(net, "second", "2"));
    ok(dirac_net_set_note(net, "third", "3"));
    ok(dirac_net_set_note(net, "first", NULL)); /* the others stay, whichever place they have now */
    ok(dirac_net_set_note(net, "third", "4"));
    assert_null(dirac_net_note(net, "first"));
    assert_string_equal(dirac_net_note(net, "second"), "2");
    assert_string_equal(dirac_net_note(net, "third"), "4");
    dirac_net_destroy(net);
}

/* Whole names are compared; '*' stands for any text, none too, however many there are. */
static void test_patterns(void **state)
{
    (void)state;
    static const char *const fitting[] = {"*", "**", "conv.weight", "conv.weight*", "conv.weight**", "*weight", "c*v.*t*"};
    static const char *const others[] = {"conv", "conv.weight*x", "conv.weights", "*.", "weight*", "c**w", ""};
    dirac_net *net = new_net(context);
    dirac_net_output(net, dirac_net_conv2d(net, dirac_net_input2d(net, 3, 8, 8), 3, 3));
    ok(dirac_net_build(net));
    for (size_t i = 0; i < sizeof fitting / sizeof fitting[0]; i++)
        ok(dirac_net_set_trainable(net, fitting[i], 0));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        refused(dirac_net_set_trainable(net, others[i], 0), DIRAC_ERR_NOT_FOUND);
        message_has("like \"conv.weight\"");
    }
    dirac_net_destroy(net);
    net = new_net(context); /* without parameters */
    dirac_net_output(net, dirac_net_relu(net, dirac_net_input(net, 3)));
    ok(dirac_net_build(net));
    refused(dirac_net_set_trainable(net, "*", 0), DIRAC_ERR_NOT_FOUND);
    message_has("no parameter matches");
    dirac_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_mistake_is_reported),
        cmocka_unit_test(test_null_runs_down_the_chain),
        cmocka_unit_test(test_each_setter_sticks),
        cmocka_unit_test(test_each_builder_sticks),
        cmocka_unit_test(test_nets_without_ends),
        cmocka_unit_test(test_nodes_of_another_net),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_full_names),
        cmocka_unit_test(test_illegal_names),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_sharing),
        cmocka_unit_test(test_refused_sharing),
        cmocka_unit_test(test_outputs_and_inputs),
        cmocka_unit_test(test_refused_outputs),
        cmocka_unit_test(test_after_build),
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_multiply_adds_beyond_counting),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
