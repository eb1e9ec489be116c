/* SPDX-License-Identifier: MIT */
/* What the headers say is refused and no test of a subject meets: one call each, with the status that the header gives
 * and a message that names the place. After each refusal the handles go on as if it had not been. */
#include "support/test_context.h"

/* ---- building ---- */

/* build reports the first mistake of the chain; `net` goes. */
static void build_refused(dirac_net *net, int32_t status, const char *part, const char *other)
{
    refused(dirac_net_build(net), status);
    message_has(part);
    message_has(other);
    dirac_net_destroy(net);
}

static void test_building(void **state)
{
    (void)state;
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_input2d(net, 2, 4, 4), *y;
    assert_null(dirac_net_concat(net, NULL, 2));
    build_refused(net, DIRAC_ERR_ARGUMENT, "concat", "NULL");

    net = new_net(context);
    x = dirac_net_input2d(net, 2, 4, 4);
    assert_null(dirac_net_concat(net, &x, 0)); /* a layer reads at least one value */
    build_refused(net, DIRAC_ERR_ARGUMENT, "concat", "0");

    net = new_net(context);
    x = dirac_net_input2d(net, 2, 4, 4);
    assert_null(dirac_net_concat(net, &x, -1));
    build_refused(net, DIRAC_ERR_ARGUMENT, "concat", "-1");

    dirac_node *many[65];
    net = new_net(context);
    x = dirac_net_input2d(net, 2, 4, 4);
    for (int i = 0; i < 65; i++)
        many[i] = x;
    assert_null(dirac_net_concat(net, many, 65));
    build_refused(net, DIRAC_ERR_ARGUMENT, "concat", "65");

    net = new_net(context);
    y = dirac_net_input2d(net, 2, 4, 4);
    assert_null(dirac_net_dropout(net, y, 1.0f));
    build_refused(net, DIRAC_ERR_ARGUMENT, "rate", "dropout");

    net = new_net(context);
    y = dirac_net_input2d(net, 2, 4, 4);
    assert_null(dirac_net_conv1d(net, y, 0, 3));
    build_refused(net, DIRAC_ERR_ARGUMENT, "channels", "0");

    net = net_of_images(context, 4, 3);
    refused(dirac_net_push_scope(net, "late"), DIRAC_ERR_STATE);
    message_has("built");
    dirac_net_destroy(net);

    net = net_of_images(context, 4, 3);
    assert_null(dirac_net_output(net, dirac_net_find(net, "relu")));
    message_has("built: no output");
    dirac_net_destroy(net);
}

/* Every later call on a net that refused one is refused for the same reason, scopes among them. */
static void test_after_a_mistake(void **state)
{
    (void)state;
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 2, 4, 4), 3, 3);
    assert_null(dirac_net_conv2d(net, x, -5, 3));
    refused(dirac_net_push_scope(net, "in"), DIRAC_ERR_ARGUMENT);
    refused(dirac_net_pop_scope(net), DIRAC_ERR_ARGUMENT);
    refused(dirac_node_set_name(x, "fine"), DIRAC_ERR_ARGUMENT);
    refused(dirac_node_set_int(x, "bias", 0), DIRAC_ERR_ARGUMENT);
    assert_null(dirac_net_output(net, x));
    build_refused(net, DIRAC_ERR_ARGUMENT, "-5", "channels");
}

static void test_initializers(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 2, 4, 4), 3, 3);
    refused(dirac_node_set_initializer(x, NULL, DIRAC_INIT_ZEROS, 0, 0), DIRAC_ERR_ARGUMENT);
    build_refused(net, DIRAC_ERR_ARGUMENT, "conv", "NULL");

    net = new_net(context);
    x = dirac_net_conv2d(net, dirac_net_input2d(net, 2, 4, 4), 3, 3);
    refused(dirac_node_set_initializer(x, "weight", -1, 0, 0), DIRAC_ERR_ARGUMENT);
    build_refused(net, DIRAC_ERR_ARGUMENT, "conv.weight", "initialiser -1");

    net = new_net(context); /* a layer has at most 8 parameters */
    x = dirac_net_conv2d(net, dirac_net_input2d(net, 2, 4, 4), 3, 3);
    for (int i = 0; i < 8; i++)
        ok(dirac_node_set_initializer(x, names[i], DIRAC_INIT_ZEROS, 0, 0));
    ok(dirac_node_set_initializer(x, names[0], DIRAC_INIT_CONSTANT, 1, 0)); /* one of them anew */
    refused(dirac_node_set_initializer(x, names[8], DIRAC_INIT_ZEROS, 0, 0), DIRAC_ERR_ARGUMENT);
    build_refused(net, DIRAC_ERR_ARGUMENT, "conv", "8");

    net = new_net(context);
    x = dirac_net_conv2d(net, dirac_net_input2d(net, 2, 4, 4), 3, 3);
    ok(dirac_node_set_int(x, "bias", 1));
    ok(dirac_node_set_initializer(x, "bias", DIRAC_INIT_DELTA, 1, 0));
    dirac_net_output(net, x);
    build_refused(net, DIRAC_ERR_ARGUMENT, "conv.bias", "delta");
}

/* Sharing needs equal parameters: the same count, ranks and sizes. */
static void test_sharing(void **state)
{
    (void)state;
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_input2d(net, 2, 8, 8);
    dirac_node *owner = dirac_net_conv2d(net, x, 3, 3), *other = dirac_net_conv2d(net, owner, 3, 3);
    ok(dirac_node_set_name(owner, "owner"));
    ok(dirac_node_set_name(other, "other"));
    ok(dirac_node_share_parameters(other, owner)); /* of 2 channels and of 3 */
    dirac_net_output(net, other);
    build_refused(net, DIRAC_ERR_SHAPE, "other", "owner");

    net = new_net(context);
    x = dirac_net_input2d(net, 3, 8, 8);
    owner = dirac_net_conv2d(net, x, 3, 3), other = dirac_net_conv2d(net, owner, 3, 3);
    ok(dirac_node_set_int(other, "bias", 1));
    ok(dirac_node_share_parameters(other, owner));
    dirac_net_output(net, other);
    refused(dirac_net_build(net), DIRAC_ERR_ARGUMENT); /* an attribute differs */
    message_has("bias");
    dirac_net_destroy(net);

    net = new_net(context);
    dirac_node *flat = dirac_net_input(net, 9), *cube = dirac_net_input1d(net, 9, 5);
    owner = dirac_net_batch_norm(net, flat), other = dirac_net_batch_norm(net, dirac_net_conv1d(net, cube, 8, 1));
    ok(dirac_node_share_parameters(other, owner));
    dirac_net_output(net, owner);
    dirac_net_output(net, other);
    build_refused(net, DIRAC_ERR_SHAPE, "batch_norm", "shapes");
}

/* ---- layers of the host ---- */

typedef struct wish {
    int shape;              /* 1: gives an output shape */
    int parameters;         /* so many, p0, p1, ... */
    const char *name;       /* one more, of this name */
    int rank, init, kept;   /* of it; kept: asks for numbers that no machine has */
    int32_t answer;         /* what the call for it returned */
    int32_t refuses;        /* what setup returns in the end */
} wish;

static int32_t set_up(void *user, dirac_layer *layer)
{
    wish *w = user;
    const int64_t dims[5] = {3, 1, 1, 1, 1};
    int64_t in[4];
    int32_t rank;
    dirac_layer_input_shape(layer, 0, in, &rank);
    for (int i = 0; i < w->parameters; i++) {
        char name[3] = {'p', (char)('0' + i), '\0'};
        if (dirac_layer_add_parameter(layer, name, dims, 1, 0, DIRAC_INIT_ZEROS, 0, 0) != DIRAC_OK)
            return 1;
    }
    if (w->name != NULL)
        w->answer = dirac_layer_add_parameter(layer, w->name, dims, w->rank, 0, w->init, 0, 0);
    if (w->kept)
        dirac_layer_keep(layer, INT64_MAX, INT64_MAX);
    if (w->shape && dirac_layer_set_output_shape(layer, in, rank) != DIRAC_OK)
        return 1;
    return w->refuses;
}

static int32_t pass_on(void *user, dirac_layer *layer)
{
    (void)user;
    int64_t dims[4];
    int32_t rank;
    size_t count = (size_t)dirac_layer_batch(layer);
    dirac_layer_input_shape(layer, 0, dims, &rank);
    for (int32_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    memcpy(dirac_layer_output(layer), dirac_layer_input(layer, 0), count * sizeof(float));
    return 0;
}

static int32_t pass_back(void *user, dirac_layer *layer)
{
    (void)user, (void)layer;
    return 0;
}

static dirac_layer_kind *new_kind(dirac_context *owner, wish *w)
{
    dirac_layer_kind *kind;
    ok(dirac_layer_kind_create(&kind, owner, "mine", 1));
    ok(dirac_layer_kind_set_user(kind, w, NULL));
    ok(dirac_layer_kind_set_setup(kind, set_up));
    ok(dirac_layer_kind_set_forward(kind, pass_on));
    ok(dirac_layer_kind_set_backward(kind, pass_back));
    ok(dirac_layer_kind_register(kind));
    return kind;
}

/* A net of one layer of the kind, in a context of its own, for the names of kinds are taken once. */
static void check_wish(wish *w, int32_t status, const char *part)
{
    dirac_context *kept = context;
    ok(dirac_context_create(&context));
    dirac_layer_kind *kind = new_kind(context, w);
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_input(net, 3);
    dirac_net_output(net, dirac_net_custom(net, kind, &x, 1));
    refused(dirac_net_build(net), status);
    message_has(part);
    dirac_net_destroy(net);
    dirac_layer_kind_destroy(kind);
    dirac_context_destroy(context);
    context = kept;
}

static void test_setups(void **state)
{
    (void)state;
    char wide[65];
    memset(wide, 'p', 64);
    wide[64] = '\0';
    check_wish(&(wish){.shape = 0}, DIRAC_ERR_CALLBACK, "no output shape");
    check_wish(&(wish){.shape = 1, .parameters = 2, .name = "p1", .rank = 1, .init = DIRAC_INIT_ZEROS},
               DIRAC_ERR_ARGUMENT, "mine.p1");
    wish refusals[] = {
        {.shape = 1, .parameters = 8, .name = "ninth", .rank = 1, .init = DIRAC_INIT_ZEROS},
        {.shape = 1, .name = "a.b", .rank = 1, .init = DIRAC_INIT_ZEROS},
        {.shape = 1, .name = "", .rank = 1, .init = DIRAC_INIT_ZEROS},
        {.shape = 1, .name = "a\nb", .rank = 1, .init = DIRAC_INIT_ZEROS},
        {.shape = 1, .name = "a\x7F", .rank = 1, .init = DIRAC_INIT_ZEROS},
        {.shape = 1, .name = "a\xFF", .rank = 1, .init = DIRAC_INIT_ZEROS},
        {.shape = 1, .name = "\xC0\x80", .rank = 1, .init = DIRAC_INIT_ZEROS},
        {.shape = 1, .name = wide, .rank = 1, .init = DIRAC_INIT_ZEROS},
        {.shape = 1, .name = "p", .rank = 6, .init = DIRAC_INIT_ZEROS},
        {.shape = 1, .name = "p", .rank = 0, .init = DIRAC_INIT_ZEROS},
        {.shape = 1, .name = "p", .rank = 1, .init = DIRAC_INIT_DELTA}, /* I has two dimensions at least */
        {.shape = 1, .name = "p", .rank = 1, .init = DIRAC_INIT_ZEROS - 1},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        /* The call is refused; a setup that does not mind is none the worse for it. */
        check_wish(&refusals[i], DIRAC_OK, "");
        assert_int_equal(refusals[i].answer, DIRAC_ERR_ARGUMENT);
    }
    wish legal = {.shape = 1, .parameters = 7, .name = wide + 1, .rank = 5, .init = DIRAC_INIT_DELTA};
    check_wish(&legal, DIRAC_OK, ""); /* 63 letters, the eighth, of rank 5 */
    assert_int_equal(legal.answer, DIRAC_OK);
    wish foreign = {.shape = 1, .name = "\xCE\xB1 ", .rank = 1, .init = DIRAC_INIT_ZEROS};
    check_wish(&foreign, DIRAC_OK, "");
    assert_int_equal(foreign.answer, DIRAC_OK);
}

/* What is kept from forward to backward is counted when a training session is planned. */
static void test_kept_beyond_memory(void **state)
{
    (void)state;
    wish w = {.shape = 1, .kept = 1};
    dirac_layer_kind *kind = new_kind(context, &w);
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_input(net, 3);
    dirac_net_output(net, dirac_net_custom(net, kind, &x, 1));
    ok(dirac_net_build(net));
    dirac_session *s;
    ok(dirac_session_create(&s, net, DIRAC_TRAIN));
    ok(dirac_session_set_batch(s, 4));
    refused(dirac_session_prepare(s), DIRAC_ERR_LIMIT);
    message_has("mine");
    dirac_session_destroy(s);
    dirac_net_destroy(net);
    dirac_layer_kind_destroy(kind);
}

/* Setup is called more than once, and each call may be the one that fails: the pass says so, and the next one goes on. */
static void test_setups_that_fail_late(void **state)
{
    (void)state;
    wish w = {.shape = 1};
    const float x[3] = {1, 2, 3}, *y;
    dirac_layer_kind *kind = new_kind(context, &w);
    dirac_net *net = new_net(context);
    dirac_node *node = dirac_net_input(net, 3);
    node = dirac_net_custom(net, kind, &node, 1);
    dirac_net_output(net, node);
    ok(dirac_net_build(net));
    dirac_session *s;
    ok(dirac_session_create(&s, net, DIRAC_TRAIN));
    ok(dirac_session_set_input_gradients(s, 1));
    w.refuses = 5;
    refused(dirac_session_prepare(s), DIRAC_ERR_CALLBACK);
    message_has("setup callback of kind \"mine\" returned 5");
    w.refuses = 0;
    ok(dirac_session_prepare(s));
    w.refuses = 6;
    refused(dirac_session_forward(s, x, 1), DIRAC_ERR_CALLBACK);
    message_has("returned 6");
    w.refuses = 0;
    ok(dirac_session_forward(s, x, 1));
    ok(dirac_session_output(s, 0, &y, NULL));
    assert_true(y[0] == 1 && y[1] == 2 && y[2] == 3);
    ok(dirac_session_set_output_gradient(s, 0, x, 3));
    w.refuses = 7;
    refused(dirac_session_backward(s), DIRAC_ERR_CALLBACK);
    message_has("returned 7");
    dirac_session_destroy(s);
    dirac_net_destroy(net);
    dirac_layer_kind_destroy(kind);
}

static void test_kinds_elsewhere(void **state)
{
    (void)state;
    wish w = {.shape = 1};
    dirac_context *elsewhere;
    ok(dirac_context_create(&elsewhere));
    dirac_layer_kind *kind = new_kind(elsewhere, &w), *twin;
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_input(net, 3);
    assert_null(dirac_net_custom(net, kind, &x, 1));
    build_refused(net, DIRAC_ERR_ARGUMENT, "mine", "another context");

    twin = new_kind(context, &w); /* this context's kind of that name is another kind */
    net = new_net(context);
    x = dirac_net_input(net, 3);
    assert_null(dirac_net_custom(net, kind, &x, 1));
    build_refused(net, DIRAC_ERR_ARGUMENT, "mine", "another context");

    net = new_net(context);
    x = dirac_net_input(net, 3);
    assert_null(dirac_net_custom(net, twin, NULL, 1));
    build_refused(net, DIRAC_ERR_ARGUMENT, "dirac_net_custom", "inputs are NULL");
    net = new_net(context);
    dirac_net_input(net, 3);
    assert_null(dirac_net_custom(net, NULL, NULL, 0));
    build_refused(net, DIRAC_ERR_ARGUMENT, "dirac_net_custom", "kind is NULL");
    dirac_layer_kind_destroy(kind);
    dirac_layer_kind_destroy(twin);
    dirac_context_destroy(elsewhere);
}

static void test_callbacks(void **state)
{
    (void)state;
    dirac_layer_kind *kind;
    ok(dirac_layer_kind_create(&kind, context, "mine", 1));
    refused(dirac_layer_kind_set_setup(kind, NULL), DIRAC_ERR_ARGUMENT);
    message_has("mine");
    refused(dirac_layer_kind_set_forward(kind, NULL), DIRAC_ERR_ARGUMENT);
    refused(dirac_layer_kind_set_backward(kind, NULL), DIRAC_ERR_ARGUMENT);
    ok(dirac_layer_kind_set_setup(kind, set_up));
    ok(dirac_layer_kind_set_forward(kind, pass_on));
    ok(dirac_layer_kind_register(kind));
    wish w = {.shape = 1};
    refused(dirac_layer_kind_set_user(kind, &w, NULL), DIRAC_ERR_STATE);
    dirac_layer_kind_destroy(kind);
}

static void test_attributes_of_kinds(void **state)
{
    (void)state;
    dirac_layer_kind *kind;
    ok(dirac_layer_kind_create(&kind, context, "mine", 1));
    refused(dirac_layer_kind_add_float(kind, "two words", 0, 1, 0), DIRAC_ERR_ARGUMENT);
    message_has("two words");
    refused(dirac_layer_kind_add_int(kind, NULL, 0, 1, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_layer_kind_add_float(kind, "a", 0, (double)INFINITY, (double)INFINITY), DIRAC_ERR_ARGUMENT);
    refused(dirac_layer_kind_add_float(kind, "a", (double)NAN, 1, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_layer_kind_add_float(kind, "a", 0, (double)NAN, 0), DIRAC_ERR_ARGUMENT);
    ok(dirac_layer_kind_add_float(kind, "a", 0, (double)INFINITY, 3));
    dirac_layer_kind_destroy(kind);
}

/* ---- sessions ---- */

static void test_looking_at_sessions(void **state)
{
    (void)state;
    dirac_net *net = net_of_images(context, 4, 3), *other = net_of_images(context, 4, 3);
    dirac_session *s;
    const float *values;
    int64_t dims[4], count;
    int32_t rank;
    floats images = random_numbers(2 * 32, 1, -1, 1);
    dirac_node *conv = dirac_net_find(net, "conv"), *relu = dirac_net_find(net, "relu");
    ok(dirac_session_create(&s, net, DIRAC_INFER));
    refused(dirac_session_shape(s, conv, dims, &rank), DIRAC_ERR_STATE);
    message_has("not prepared");
    refused(dirac_session_multiply_adds(s, &count), DIRAC_ERR_STATE);
    message_has("not prepared");
    ok(dirac_session_keep(s, conv));
    ok(dirac_session_set_batch(s, 2));
    ok(dirac_session_prepare(s));
    refused(dirac_session_shape(s, dirac_net_find(other, "conv"), dims, &rank), DIRAC_ERR_ARGUMENT);
    message_has("conv");
    refused(dirac_session_output(s, 0, &values, NULL), DIRAC_ERR_STATE);
    ok(dirac_session_forward(s, images.at, 2));
    refused(dirac_session_output(s, 1, &values, NULL), DIRAC_ERR_ARGUMENT);
    message_has("no output 1");
    refused(dirac_session_output(s, -1, &values, NULL), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_activation(s, relu, &values, NULL), DIRAC_ERR_ARGUMENT);
    message_has("\"relu\" was not kept");
    refused(dirac_session_activation(s, dirac_net_find(other, "conv"), &values, NULL), DIRAC_ERR_ARGUMENT);
    message_has("another net");
    ok(dirac_session_activation(s, conv, &values, NULL));
    ok(dirac_session_shape(s, conv, dims, &rank));
    assert_true(rank == 3 && dims[0] == 3 && dims[1] == 4 && dims[2] == 4);
    dirac_session_destroy(s);
    drop_floats(&images);
    dirac_net_destroy(net), dirac_net_destroy(other);
}

/* States have no gradients. */
static void test_gradient_of_a_state(void **state)
{
    (void)state;
    dirac_net *net = new_net(context);
    dirac_net_output(net, dirac_net_batch_norm(net, dirac_net_input(net, 3)));
    ok(dirac_net_build(net));
    dirac_session *s = open_session(net, DIRAC_TRAIN, 1);
    float values[3];
    ok(dirac_session_gradient_read(s, "batch_norm.weight", values, 3));
    refused(dirac_session_gradient_read(s, "batch_norm.running_mean", values, 3), DIRAC_ERR_NOT_FOUND);
    message_has("batch_norm.running_mean");
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

/* One net a difference to the net that `variant` 0 gives. */
static dirac_net *variant_net(int variant)
{
    dirac_net *net = new_net(context);
    const int64_t size = variant == 8 ? 5 : 4;
    dirac_node *x = dirac_net_input2d(net, 2, size, size), *other = variant == 6 ? dirac_net_input2d(net, 2, 4, 4) : NULL;
    dirac_node *conv = dirac_net_conv2d(net, x, variant == 1 ? 4 : 3, 3);
    if (variant == 2)
        ok(dirac_node_set_name(conv, "else"));
    if (variant == 3)
        ok(dirac_node_set_int(conv, "padding", 0));
    dirac_node *y = variant == 4 ? dirac_net_elu(net, conv) : dirac_net_relu(net, conv);
    if (variant == 4)
        ok(dirac_node_set_name(y, "relu"));
    dirac_node *z = dirac_net_relu(net, variant == 5 ? conv : y);
    dirac_net_output(net, variant == 7 ? y : z);
    if (variant == 7)
        dirac_net_output(net, z);
    if (variant == 6)
        dirac_net_output(net, other);
    ok(dirac_net_build(net));
    return net;
}

static void test_other_nets_for_sessions(void **state)
{
    (void)state;
    dirac_net *net = variant_net(0), *same = variant_net(0);
    dirac_session *s = open_session(net, DIRAC_INFER, 1);
    const float image[32] = {1};
    for (int variant = 1; variant <= 8; variant++) {
        dirac_net *other = variant_net(variant);
        refused(dirac_session_set_net(s, other), DIRAC_ERR_SHAPE);
        message_has("graphs");
        dirac_net_destroy(other);
    }
    dirac_context *kept = context; /* the same graph on another context */
    ok(dirac_context_create(&context));
    dirac_net *far = variant_net(0);
    refused(dirac_session_set_net(s, far), DIRAC_ERR_SHAPE);
    message_has("contexts");
    dirac_net_destroy(far);
    dirac_context_destroy(context);
    context = kept;
    ok(dirac_session_set_net(s, same));
    ok(dirac_session_forward(s, image, 1));
    dirac_session_destroy(s);
    dirac_net_destroy(net), dirac_net_destroy(same);
}

/* ---- two computations side by side ---- */

static void test_comparing(void **state)
{
    (void)state;
    dirac_net *net = net_of_images(context, 4, 3), *wide = net_of_images(context, 4, 4), *folded;
    dirac_net *large = net_of_images(context, 5, 3), *two = net_of_two_inputs(context);
    dirac_net *open = new_net(context), *outputs = new_net(context);
    const float image[2 * 50] = {1};
    double difference = -1;
    ok(dirac_net_fold(&folded, net));
    refused(dirac_net_compare(open, folded, image, 1, NULL, NULL, NULL), DIRAC_ERR_STATE);
    refused(dirac_net_compare(net, open, image, 1, NULL, NULL, NULL), DIRAC_ERR_STATE);
    refused(dirac_net_compare(net, folded, image, 0, NULL, NULL, NULL), DIRAC_ERR_ARGUMENT);
    refused(dirac_net_compare(two, two, image, 1, NULL, NULL, NULL), DIRAC_ERR_ARGUMENT); /* of one input */
    refused(dirac_net_compare(net, wide, image, 1, NULL, NULL, NULL), DIRAC_ERR_SHAPE);
    message_has("linear");
    refused(dirac_net_compare(net, large, image, 1, NULL, NULL, NULL), DIRAC_ERR_SHAPE);
    message_has("input");
    refused(dirac_net_compare(net, two, image, 1, NULL, NULL, NULL), DIRAC_ERR_SHAPE);
    dirac_node *x = dirac_net_input2d(outputs, 2, 4, 4);
    dirac_net_output(outputs, x);
    dirac_net_output(outputs, dirac_net_relu(outputs, x));
    ok(dirac_net_build(outputs));
    refused(dirac_net_compare(net, outputs, image, 1, NULL, NULL, &difference), DIRAC_ERR_SHAPE);
    message_has("1 and 2 outputs");
    assert_true(difference == -1);
    ok(dirac_net_compare(net, folded, image, 2, NULL, NULL, &difference));
    assert_true(difference >= 0 && difference < 1e-4);
    const float broken[32] = {NAN};
    ok(dirac_net_compare(net, folded, broken, 1, NULL, NULL, &difference)); /* never taken for equal */
    assert_true(isnan(difference));
    ok(dirac_net_compare(net, folded, image, 2, NULL, NULL, NULL));
    dirac_net_destroy(net), dirac_net_destroy(wide), dirac_net_destroy(folded), dirac_net_destroy(large);
    dirac_net_destroy(two), dirac_net_destroy(open), dirac_net_destroy(outputs);
}

/* Where no gradient is a number, none is right. */
static void check_all_nan(void)
{
    dirac_net *net = new_net(context);
    dirac_node *x = dirac_net_linear(net, dirac_net_input(net, 3), 2);
    const float image[3] = {NAN, NAN, NAN};
    double worst = 0;
    ok(dirac_node_set_int(x, "bias", 0));
    dirac_net_output(net, x);
    ok(dirac_net_build(net));
    dirac_session *session = open_session(net, DIRAC_TRAIN, 1);
    ok(dirac_session_check_gradients(session, image, 1, 3, 0, &worst));
    assert_true(isnan(worst));
    dirac_session_destroy(session);
    dirac_net_destroy(net);
}

static void test_checking_gradients(void **state)
{
    (void)state;
    dirac_net *net = net_of_images(context, 4, 3), *two = net_of_two_inputs(context);
    const float image[2 * 32] = {1};
    dirac_session *infer = open_session(net, DIRAC_INFER, 2), *train = open_session(net, DIRAC_TRAIN, 2), *raw;
    dirac_session *pair = open_session(two, DIRAC_TRAIN, 2);
    ok(dirac_session_create(&raw, net, DIRAC_TRAIN));
    refused(dirac_session_check_gradients(infer, image, 1, 1, 0, NULL), DIRAC_ERR_STATE);
    refused(dirac_session_check_gradients(raw, image, 1, 1, 0, NULL), DIRAC_ERR_STATE);
    refused(dirac_session_check_gradients(pair, image, 1, 1, 0, NULL), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_check_gradients(train, image, 0, 1, 0, NULL), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_check_gradients(train, image, 3, 1, 0, NULL), DIRAC_ERR_ARGUMENT);
    message_has("1 to 2 images");
    refused(dirac_session_check_gradients(train, image, 1, 0, 0, NULL), DIRAC_ERR_ARGUMENT);
    const double steps[] = {-0.1, (double)NAN, (double)INFINITY};
    for (int i = 0; i < 3; i++)
        refused(dirac_session_check_gradients(train, image, 1, 1, steps[i], NULL), DIRAC_ERR_ARGUMENT);
    ok(dirac_session_check_gradients(train, image, 2, 1, 0, NULL));
    double worst = 0;
    const float broken[32] = {NAN};
    ok(dirac_session_check_gradients(train, broken, 1, 1, 0, &worst)); /* never taken for equal */
    assert_true(isnan(worst));
    check_all_nan();
    dirac_session_destroy(infer), dirac_session_destroy(train), dirac_session_destroy(raw), dirac_session_destroy(pair);
    dirac_net_destroy(net), dirac_net_destroy(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_context(test_building),
        with_context(test_after_a_mistake),
        with_context(test_initializers),
        with_context(test_sharing),
        with_context(test_setups),
        with_context(test_kept_beyond_memory),
        with_context(test_setups_that_fail_late),
        with_context(test_kinds_elsewhere),
        with_context(test_callbacks),
        with_context(test_attributes_of_kinds),
        with_context(test_looking_at_sessions),
        with_context(test_gradient_of_a_state),
        with_context(test_other_nets_for_sessions),
        with_context(test_comparing),
        with_context(test_checking_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
