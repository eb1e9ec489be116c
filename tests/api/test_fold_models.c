/* SPDX-License-Identifier: MIT */
/*
 * The fold on every model: trained first where that is feasible, with biases and some negative weights in the batch
 * norms, since a fresh net hides mistakes. Folded weights are compared with the formula in double, logits with those of
 * the net before.
 */
#include "support/nets.h"

/*
 * How far apart logits may be, relative to the largest. A layer's sums of K products in float differ by a few 1e-7 of its
 * largest value when the weights are scaled before instead of after (Winograd: up to 6e-6 in the worst place), and batch
 * norm keeps the size of what is passed on, so that errors of layers add up like a random walk: 34 layers make sqrt(34)
 * 5e-7 = 3e-6, 100 make 5e-6. Up to 100 layers 1e-5 is asked for. Beyond, for chains without skip connections, one
 * may not count on errors being independent and the bound grows with the depth.
 */
static double bound_of(int32_t depth)
{
    return depth <= 100 ? 1e-5 : 1e-5 * depth / 100;
}

static dirac_context *context;

static int make_context(void **state)
{
    (void)state;
    return dirac_context_create(&context);
}

static int drop_context(void **state)
{
    (void)state;
    dirac_context_destroy(context);
    return 0;
}

/* ---- which batch norms must go, from what can be seen of the graph ---- */

static int is_kind(const dirac_node *node, const char *kind)
{
    return strcmp(dirac_node_kind(node), kind) == 0;
}

static int has_weights(const dirac_node *node)
{
    return is_kind(node, "conv") || is_kind(node, "linear");
}

static int is_shared(const dirac_net *net, const dirac_node *node)
{
    char name[256];
    int64_t dims[DIRAC_MAX_RANK];
    snprintf(name, sizeof name, "%s.weight", dirac_node_name(node));
    return dirac_net_tensor_shape(net, name, dims, NULL, NULL) != DIRAC_OK; /* it uses another's */
}

/* The batch norm that a layer with weights takes in, or NULL. `owner_of_others`: a name whose weight is shared. */
static dirac_node *taken_in(const dirac_net *net, const dirac_node *node, const char *owner_of_others)
{
    dirac_node *reader = NULL;
    int readers = 0;
    if (!has_weights(node) || is_shared(net, node) ||
        (owner_of_others != NULL && strcmp(owner_of_others, dirac_node_name(node)) == 0))
        return NULL;
    for (int64_t i = 0; i < dirac_net_node_count(net); i++)
        for (int32_t j = 0; j < dirac_node_input_count(dirac_net_node(net, i)); j++)
            if (dirac_node_input(dirac_net_node(net, i), j) == node) {
                reader = dirac_net_node(net, i);
                readers++;
            }
    for (int32_t i = 0; i < dirac_net_output_count(net); i++)
        readers += dirac_net_output_node(net, i) == node;
    return readers == 1 && is_kind(reader, "batch_norm") ? reader : NULL;
}

/* ---- the formula, in double ---- */

/* A tensor of a node; no numbers if there is none. */
static floats read_of(const dirac_net *net, const dirac_node *node, const char *tensor)
{
    char name[256];
    int64_t dims[DIRAC_MAX_RANK];
    floats x = {NULL, 0};
    snprintf(name, sizeof name, "%s.%s", dirac_node_name(node), tensor);
    if (dirac_net_tensor_shape(net, name, dims, NULL, NULL) == DIRAC_OK)
        append_tensor(&x, net, name);
    return x;
}

/* Where filter `o` has the identity's one among its `per` weights, or -1. */
static int64_t delta_at(const dirac_net *net, const dirac_node *node, int64_t o)
{
    char name[256];
    int64_t dims[DIRAC_MAX_RANK], groups = 1, at;
    int32_t rank;
    snprintf(name, sizeof name, "%s.weight", dirac_node_name(node));
    ok(dirac_net_tensor_shape(net, name, dims, &rank, NULL));
    if (is_kind(node, "conv"))
        ok(dirac_node_get_int(node, "groups", &groups));
    at = o % (dims[0] / groups);
    if (at >= dims[1])
        return -1;
    for (int32_t i = 2; i < rank; i++)
        at = at * dims[i] + dims[i] / 2;
    return at;
}

/* W' = s What and b' = beta + s (bias - mean) of one layer, as it should be in the folded net. */
static void check_layer(const dirac_net *net, const dirac_net *folded, const dirac_node *node, const dirac_node *norm)
{
    const dirac_node *to = dirac_net_find(folded, dirac_node_name(node));
    assert_non_null(to);
    floats w = read_of(net, node, "weight"), bias = read_of(net, node, "bias"), alpha = read_of(net, node, "alpha");
    floats beta = read_of(net, node, "beta"), got = read_of(folded, to, "weight"), b = read_of(folded, to, "bias");
    floats of[4] = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    static const char *const parts[4] = {"weight", "bias", "running_mean", "running_var"};
    int64_t dims[4], form;
    double epsilon = 0;
    int32_t rank;
    for (int i = 0; i < 4 && norm != NULL; i++)
        of[i] = read_of(net, norm, parts[i]);
    if (norm != NULL)
        ok(dirac_node_get_float(norm, "epsilon", &epsilon));
    ok(dirac_node_get_int(node, "form", &form));
    ok(dirac_node_shape(node, dims, &rank));
    const size_t filters = (size_t)dims[0], per = w.count / filters;
    assert_int_equal(got.count, w.count);
    assert_int_equal(b.count, norm != NULL || bias.count > 0 ? filters : 0);
    for (size_t o = 0; o < filters; o++) {
        const double s = norm == NULL ? 1 : (double)of[0].at[o] / sqrt((double)of[3].at[o] + epsilon);
        const int64_t one = form == DIRAC_FORM_PLAIN ? -1 : delta_at(net, node, (int64_t)o);
        double squares = 0;
        for (size_t i = 0; i < per; i++)
            squares += (double)w.at[o * per + i] * (double)w.at[o * per + i];
        for (size_t i = 0; i < per; i++) {
            double what = (double)w.at[o * per + i];
            if (form == DIRAC_FORM_NORMALIZED_DELTA)
                what *= (double)beta.at[o] / fmax(sqrt(squares), 1e-12);
            if ((int64_t)i == one)
                what += alpha.count > 0 ? (double)alpha.at[o] : 1;
            /* computed in double, rounded once */
            if (!(fabs((double)got.at[o * per + i] - s * what) <= fabs(s * what) * 0x1.01p-24 + 1e-45))
                fail_msg("%s: weight %zu of filter %zu is %.9g, not %.12g", dirac_node_name(node), i, o,
                         (double)got.at[o * per + i], s * what);
        }
        if (b.count == 0)
            continue;
        const double old = bias.count > 0 ? (double)bias.at[o] : 0;
        const double want = norm == NULL ? old : (double)of[1].at[o] + s * (old - (double)of[2].at[o]);
        assert_true(fabs((double)b.at[o] - want) <= fabs(want) * 0x1.01p-24 + 1e-14);
    }
    floats *const lists[] = {&w, &bias, &alpha, &beta, &got, &b, &of[0], &of[1], &of[2], &of[3]};
    for (size_t i = 0; i < 10; i++)
        drop_floats(lists[i]);
}

/* Names and kinds stay; the right batch norms are gone, with every weight form; weights are what the formula says. */
static void check_graph(const dirac_net *net, const dirac_net *folded, const char *owner_of_others)
{
    int64_t gone = 0, form;
    for (int64_t i = 0; i < dirac_net_node_count(net); i++) {
        const dirac_node *node = dirac_net_node(net, i);
        const dirac_node *norm = taken_in(net, node, owner_of_others);
        gone += norm != NULL;
        if (norm != NULL)
            assert_null(dirac_net_find(folded, dirac_node_name(norm)));
        if (has_weights(node) && !is_shared(net, node))
            check_layer(net, folded, node, norm);
    }
    assert_int_equal(dirac_net_node_count(folded), dirac_net_node_count(net) - gone);
    for (int64_t i = 0; i < dirac_net_node_count(folded); i++) {
        const dirac_node *node = dirac_net_node(folded, i);
        const dirac_node *before = dirac_net_find(net, dirac_node_name(node));
        assert_non_null(before);
        assert_string_equal(dirac_node_kind(node), dirac_node_kind(before));
        if (has_weights(node)) {
            ok(dirac_node_get_int(node, "form", &form));
            assert_int_equal(form, DIRAC_FORM_PLAIN);
        }
    }
}

/* ---- the logits ---- */

static floats outputs_of(dirac_net *net, const floats *images, int64_t n)
{
    floats all = {NULL, 0};
    dirac_session *session = open_session(net, DIRAC_INFER, n);
    ok(dirac_session_forward(session, images->at, n));
    for (int32_t i = 0; i < dirac_net_output_count(net); i++) {
        const float *values;
        size_t count;
        ok(dirac_session_output(session, i, &values, &count));
        append_copy(&all, values, count);
    }
    dirac_session_destroy(session);
    return all;
}

static double largest_of(const floats *x)
{
    double largest = 0;
    for (size_t i = 0; i < x->count; i++) {
        assert_true(isfinite(x->at[i]));
        largest = fmax(largest, fabs((double)x->at[i]));
    }
    return largest;
}

static double distance(const floats *a, const floats *b)
{
    double most = 0;
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++)
        most = fmax(most, fabs((double)a->at[i] - (double)b->at[i]));
    return most;
}

typedef struct comparison {
    int64_t layers;
    double worst; /* relative to the layer's largest */
    char node[128];
} comparison;

static void note_layer(void *user, const char *node, double difference, double largest)
{
    comparison *c = user;
    c->layers++;
    if (!(difference <= c->worst * largest)) {
        c->worst = difference / largest;
        snprintf(c->node, sizeof c->node, "%s", node);
    }
}

/* Folds a net and checks all that is promised. Returns the folded net. */
static dirac_net *check_fold(const char *what, dirac_net *net, floats images, double bound, const char *owner_of_others)
{
    const int64_t n = (int64_t)(images.count / image_floats(net));
    floats values = {NULL, 0}, now = {NULL, 0};
    floats before = outputs_of(net, &images, n);
    const uint64_t version = dirac_net_version(net);
    const int64_t nodes = dirac_net_node_count(net);
    dirac_net *folded;
    append_net(&values, net);
    ok(dirac_net_fold(&folded, net));
    append_net(&now, net);
    same_bits("the net that was folded", values, now);
    assert_true(dirac_net_version(net) == version && dirac_net_node_count(net) == nodes);
    floats again = outputs_of(net, &images, n), after = outputs_of(folded, &images, n);
    same_bits("its outputs", before, again);
    check_graph(net, folded, owner_of_others);

    const double largest = largest_of(&before), difference = distance(&before, &after);
    double reported;
    comparison c = {0};
    if (!getenv("FOLD_VERBOSE") && !(largest > 1e-3 && difference <= bound * largest))
        fail_msg("%s: folded outputs are off by %.3g of the largest, %.3g", what, difference / largest, largest);
    ok(dirac_net_compare(net, folded, images.at, n, note_layer, &c, &reported));
    if (!(fabs(reported - difference) <= bound * largest / 10))
        fail_msg("%s: dirac_net_compare() reports %.3g, the sessions differ by %.3g", what, reported, difference);
    assert_int_equal(c.layers, dirac_net_node_count(folded));
    if (!getenv("FOLD_VERBOSE") && !(c.worst <= 3 * bound)) /* inner values may differ more than what pooling and the last layer average */
        fail_msg("%s: layer %s is off by %.3g of its largest", what, c.node, c.worst);
    if (getenv("FOLD_VERBOSE"))
        print_message("%-28s logits %.2g off %.2g  inner %.2g (%s)\n", what, largest, difference / largest, c.worst,
                      c.node);
    floats *const lists[] = {&values, &now, &before, &again, &after};
    for (size_t i = 0; i < 5; i++)
        drop_floats(lists[i]);
    return folded;
}

/* ---- small nets that were trained ---- */

typedef struct model {
    const char *name;
    dirac_node *(*add)(dirac_net *net, dirac_node *x, const struct model *m);
    int32_t depth;
    double width;
    int32_t form, bottleneck;
    int64_t size;
    int32_t steps;
} model;

static dirac_node *diracnet(dirac_net *net, dirac_node *x, const model *m)
{
    return dirac_model_diracnet_cifar(net, x, m->depth, m->width, 10, m->form);
}

static dirac_node *resnet(dirac_net *net, dirac_node *x, const model *m)
{
    return dirac_model_resnet_cifar(net, x, m->depth, m->width, 10, m->bottleneck, m->form);
}

static dirac_node *diracnet_imagenet(dirac_net *net, dirac_node *x, const model *m)
{
    return dirac_model_diracnet_imagenet(net, x, m->depth, m->width, 10, m->form);
}

static dirac_node *resnet_imagenet(dirac_net *net, dirac_node *x, const model *m)
{
    return dirac_model_resnet_imagenet(net, x, m->depth, m->width, 10, m->form);
}

static dirac_node *vgg16_cifar(dirac_net *net, dirac_node *x, const model *m)
{
    (void)m;
    return dirac_model_vgg16_cifar(net, x, 10);
}

static dirac_node *nin(dirac_net *net, dirac_node *x, const model *m)
{
    (void)m;
    return dirac_model_nin(net, x, 10);
}

static dirac_node *elu(dirac_net *net, dirac_node *x, const model *m)
{
    (void)m;
    return dirac_model_elu(net, x, 10);
}

static const model models[] = {
    {"DiracNet-10", diracnet, 10, 0.5, DIRAC_FORM_NORMALIZED_DELTA, 0, 16, 120},
    {"DiracNet-16", diracnet, 16, 1, DIRAC_FORM_NORMALIZED_DELTA, 0, 16, 100},
    {"DiracNet-34", diracnet, 34, 0.5, DIRAC_FORM_NORMALIZED_DELTA, 0, 16, 100},
    {"DiracNet-100", diracnet, 100, 0.25, DIRAC_FORM_NORMALIZED_DELTA, 0, 12, 100},
    {"DiracNet-130", diracnet, 130, 0.25, DIRAC_FORM_NORMALIZED_DELTA, 0, 8, 100},
    {"plain 16", diracnet, 16, 0.5, DIRAC_FORM_PLAIN, 0, 16, 100},
    {"plain 34", diracnet, 34, 0.25, DIRAC_FORM_PLAIN, 0, 16, 100},
    {"eq. 4, 16", diracnet, 16, 0.5, DIRAC_FORM_DELTA, 0, 16, 100},
    {"eq. 8, 10", diracnet, 10, 0.7, DIRAC_FORM_FIXED_DELTA, 0, 19, 100},
    {"ResNet-16", resnet, 16, 1, DIRAC_FORM_PLAIN, 0, 16, 100},
    {"Dirac-ResNet-28", resnet, 28, 0.5, DIRAC_FORM_FIXED_DELTA, 0, 16, 100},
    {"bottleneck ResNet-29", resnet, 29, 0.25, DIRAC_FORM_PLAIN, 1, 16, 100},
    {"Dirac-ResNet-20, bottleneck", resnet, 20, 0.5, DIRAC_FORM_NORMALIZED_DELTA, 1, 16, 100},
    {"DiracNet-18, ImageNet", diracnet_imagenet, 18, 0.125, DIRAC_FORM_NORMALIZED_DELTA, 0, 64, 100},
    {"DiracNet-34, ImageNet", diracnet_imagenet, 34, 0.125, DIRAC_FORM_NORMALIZED_DELTA, 0, 64, 100},
    {"ResNet-18, ImageNet", resnet_imagenet, 18, 0.125, DIRAC_FORM_PLAIN, 0, 64, 100},
    {"ResNet-34, ImageNet, eq. 8", resnet_imagenet, 34, 0.125, DIRAC_FORM_FIXED_DELTA, 0, 64, 100},
    {"VGG-16, CIFAR", vgg16_cifar, 16, 1, DIRAC_FORM_PLAIN, 0, 32, 8},
    {"NIN", nin, 9, 1, DIRAC_FORM_PLAIN, 0, 20, 10},
    {"ELU", elu, 18, 1, DIRAC_FORM_PLAIN, 0, 32, 1},
};

static dirac_net *build(const model *m)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    ok(dirac_net_set_seed(net, 5));
    dirac_net_output(net, m->add(net, dirac_net_input2d(net, 3, m->size, m->size), m));
    ok(dirac_net_build(net));
    stir_batch_norms(net, 9);
    return net;
}

enum { IMAGES = 16 };

/*
 * On images of noise with a pattern, so that weights, statistics and batch norms move away from how they start. After
 * that the running statistics settle on those of all images under the last weights: of small, changing batches they
 * would fit so badly that a deep chain blows up its values, and rounding errors with them. Returns the images.
 */
static floats train(dirac_net *net, int32_t steps)
{
    const float mean[3] = {125, 125, 125}, deviation[3] = {60, 60, 60};
    const size_t image = image_floats(net);
    const float *samples;
    const int32_t *labels;
    int64_t dims[4], n;
    int32_t rank;
    dirac_batches *batches;
    dirac_sgd *sgd;
    floats images = {NULL, 0};
    ok(dirac_node_shape(dirac_net_input_node(net, 0), dims, &rank));
    dirac_dataset *set = make_dataset(context, IMAGES, 3, dims[1], 10);
    ok(dirac_batches_create(&batches, set));
    ok(dirac_batches_set_size(batches, IMAGES));
    ok(dirac_batches_set_normalization(batches, mean, deviation, 3));
    ok(dirac_sgd_create(&sgd, net));
    ok(dirac_sgd_set_learning_rate(sgd, 0.01f));
    ok(dirac_sgd_set_momentum(sgd, 0.9f));
    ok(dirac_sgd_set_weight_decay(sgd, 5e-4f));
    ok(dirac_sgd_set_clip_norm(sgd, 10));
    dirac_session *session = open_session(net, DIRAC_TRAIN, IMAGES);
    ok(dirac_batches_next(batches, &samples, &labels, &n));
    for (int32_t step = 0; step < steps; step++) {
        const size_t first = (size_t)step % 4 * (IMAGES / 4);
        ok(dirac_session_forward(session, samples + first * image, IMAGES / 4));
        ok(dirac_session_cross_entropy(session, labels + first, NULL));
        ok(dirac_session_backward(session));
        ok(dirac_sgd_step(sgd, session));
    }
    for (int32_t i = 0; i < (steps >= 50 ? 40 : steps); i++) {
        ok(dirac_session_forward(session, samples, IMAGES));
        ok(dirac_session_commit_statistics(session));
    }
    append_copy(&images, samples, 5 * image);
    dirac_session_destroy(session);
    dirac_sgd_destroy(sgd);
    dirac_batches_destroy(batches);
    dirac_dataset_destroy(set);
    return images;
}

/* Nothing is left of a folded Dirac net but convolution, ReLU, pooling and the classifier. */
static void check_kinds(const dirac_net *folded)
{
    static const char *const left[] = {"input", "conv", "relu", "max_pool", "global_average_pool", "linear"};
    for (int64_t i = 0; i < dirac_net_node_count(folded); i++) {
        int known = 0;
        for (size_t j = 0; j < sizeof left / sizeof *left; j++)
            known += is_kind(dirac_net_node(folded, i), left[j]);
        if (!known)
            fail_msg("a %s is left in a folded net", dirac_node_kind(dirac_net_node(folded, i)));
    }
}

static void test_trained_models(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        dirac_net *net = build(&models[i]);
        floats images = train(net, models[i].steps);
        dirac_net *folded = check_fold(models[i].name, net, images, bound_of(models[i].depth), NULL);
        if (models[i].add == diracnet || models[i].add == diracnet_imagenet)
            check_kinds(folded);
        dirac_net *twice; /* a folded net folds to itself */
        floats a = {NULL, 0}, b = {NULL, 0};
        ok(dirac_net_fold(&twice, folded));
        append_net(&a, folded);
        append_net(&b, twice);
        same_bits("folded twice", a, b);
        drop_floats(&a);
        drop_floats(&b);
        drop_floats(&images);
        dirac_net_destroy(twice);
        dirac_net_destroy(folded);
        dirac_net_destroy(net);
    }
}

/* ---- the large ones ---- */

/* Statistics of their own, from training forwards alone. */
static void settle_statistics(dirac_net *net, int32_t forwards)
{
    dirac_session *session = open_session(net, DIRAC_TRAIN, 2);
    for (int32_t i = 0; i < forwards; i++) {
        floats images = random_numbers(2 * image_floats(net), (uint64_t)i, -2, 2);
        ok(dirac_session_forward(session, images.at, 2));
        ok(dirac_session_commit_statistics(session));
        drop_floats(&images);
    }
    dirac_session_destroy(session);
}

static void test_imagenet_diracnets(void **state)
{
    (void)state;
    static const struct {
        int32_t depth;
        int64_t before, after;
    } nets[2] = {{18, 11523368, 11511784}, {34, 21638952, 21616232}};
    for (int i = 0; i < 2; i++) {
        dirac_net *net;
        ok(dirac_net_create(&net, context));
        dirac_net_output(net, dirac_model_diracnet_imagenet(net, dirac_net_input2d(net, 3, 64, 64), nets[i].depth, 1,
                                                            1000, DIRAC_FORM_NORMALIZED_DELTA));
        ok(dirac_net_build(net));
        stir_batch_norms(net, 2);
        settle_statistics(net, 15);
        floats images = random_numbers(image_floats(net), 3, -2, 2);
        dirac_net *folded = check_fold("DiracNet, ImageNet", net, images, bound_of(nets[i].depth), NULL);
        check_kinds(folded);
        assert_int_equal(dirac_net_trained_count(net), nets[i].before);
        assert_int_equal(dirac_net_trained_count(folded), nets[i].after);
        drop_floats(&images);
        dirac_net_destroy(net);
        dirac_net_destroy(folded);
    }
}

/* Nets without batch norm or weight forms: the fold copies, so the bits stay. */
static void test_nothing_to_fold(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        dirac_net *net, *folded;
        floats a = {NULL, 0}, b = {NULL, 0};
        ok(dirac_net_create(&net, context));
        dirac_node *x = dirac_net_input2d(net, 3, i ? 96 : 64, i ? 96 : 64);
        dirac_net_output(net, i ? dirac_model_vgg_cnn_s(net, x, 100) : dirac_model_vgg16_imagenet(net, x, 100));
        ok(dirac_net_build(net));
        ok(dirac_net_fold(&folded, net));
        assert_int_equal(dirac_net_node_count(folded), dirac_net_node_count(net));
        append_logits(&a, net, 1, 5);
        append_logits(&b, folded, 1, 5);
        assert_true(largest_of(&a) > 1e-3);
        same_bits("nothing to fold", a, b);
        drop_floats(&a);
        drop_floats(&b);
        dirac_net_destroy(net);
        dirac_net_destroy(folded);
    }
}

/* ---- batch norms that have to stay, and layers of other ranks ---- */

static dirac_node *named(dirac_node *node, const char *name)
{
    ok(dirac_node_set_name(node, name));
    return node;
}

static dirac_node *norm_of(dirac_net *net, dirac_node *x, const char *name)
{
    return named(dirac_net_batch_norm(net, x), name);
}

static void add_two_readers(dirac_net *net)
{
    dirac_node *x = named(dirac_net_conv2d(net, dirac_net_input2d(net, 3, 9, 9), 6, 3), "conv");
    dirac_net_output(net, dirac_net_add(net, norm_of(net, x, "norm"), dirac_net_relu(net, x)));
}

static void add_two_norms(dirac_net *net)
{
    dirac_node *x = named(dirac_net_dirac_conv2d(net, dirac_net_input2d(net, 3, 9, 9), 6, 3), "conv");
    dirac_net_output(net, dirac_net_add(net, norm_of(net, x, "norm"), norm_of(net, x, "other")));
}

static void add_output(dirac_net *net)
{
    dirac_node *x = named(dirac_net_dirac_conv2d(net, dirac_net_input2d(net, 3, 9, 9), 6, 3), "conv");
    dirac_net_output(net, x);
    dirac_net_output(net, norm_of(net, x, "norm"));
}

static void add_shared(dirac_net *net)
{
    dirac_node *x = named(dirac_net_dirac_conv2d(net, dirac_net_input2d(net, 5, 9, 9), 5, 3), "conv"), *y;
    y = named(dirac_net_dirac_conv2d(net, dirac_net_relu(net, norm_of(net, x, "norm")), 5, 3), "again");
    ok(dirac_node_share_parameters(y, x));
    dirac_net_output(net, norm_of(net, y, "other"));
}

static void add_after_relu(dirac_net *net)
{
    dirac_node *x = named(dirac_net_conv2d(net, dirac_net_input2d(net, 3, 9, 9), 6, 3), "conv");
    x = norm_of(net, dirac_net_relu(net, norm_of(net, x, "goes")), "norm");
    dirac_net_output(net, norm_of(net, x, "other"));
}

static void add_all_go(dirac_net *net)
{
    dirac_node *x = named(dirac_net_dirac_conv3d(net, dirac_net_input3d(net, 4, 5, 6, 7), 6, 3), "cube");
    ok(dirac_node_set_int(x, "groups", 2));
    ok(dirac_node_set_int(x, "bias", 1));
    ok(dirac_node_set_initializer(x, "bias", DIRAC_INIT_UNIFORM, -1, 1));
    x = dirac_net_relu(net, norm_of(net, x, "first"));
    x = norm_of(net, named(dirac_net_dirac_linear(net, dirac_net_flatten(net, x), 20), "dirac"), "second");
    x = named(dirac_net_linear(net, dirac_net_elu(net, x), 8), "head");
    ok(dirac_node_set_initializer(x, "bias", DIRAC_INIT_UNIFORM, -1, 1));
    dirac_net_output(net, norm_of(net, x, "third"));
}

static void add_one_dimension(dirac_net *net)
{
    const int64_t four = 4, two = 2;
    dirac_node *x = named(dirac_net_conv1d(net, dirac_net_input1d(net, 3, 21), 7, 4), "even");
    ok(dirac_node_set_int(x, "form", DIRAC_FORM_DELTA));
    x = named(dirac_net_conv1d(net, norm_of(net, x, "first"), 9, 3), "wide");
    ok(dirac_node_set_ints(x, "dilation", &four, 1));
    ok(dirac_node_set_ints(x, "stride", &two, 1));
    ok(dirac_node_set_int(x, "form", DIRAC_FORM_FIXED_DELTA));
    x = norm_of(net, x, "second");
    ok(dirac_node_set_frozen(x, 1));
    dirac_net_output(net, dirac_net_ncrelu(net, x));
}

static void write_statistics(dirac_net *net)
{
    for (int64_t i = 0; i < dirac_net_tensor_count(net); i++) {
        const char *name = dirac_net_tensor_name(net, i);
        const int var = strstr(name, "running_var") != NULL;
        if (is_trained(net, name))
            continue;
        floats x = random_numbers(tensor_elements(net, name), (uint64_t)i, var ? 0.3 : -1, var ? 3 : 1);
        ok(dirac_net_tensor_write(net, name, x.at, x.count));
        drop_floats(&x);
    }
}

static void test_what_stays(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*add)(dirac_net *net);
        const char *stay[3], *owner_of_others;
    } nets[] = {
        {"two readers", add_two_readers, {"norm"}, NULL},
        {"two batch norms", add_two_norms, {"norm", "other"}, NULL},
        {"an output", add_output, {"norm"}, NULL},
        {"shared", add_shared, {"norm", "other"}, "conv"},
        {"after ReLU", add_after_relu, {"norm", "other"}, NULL},
        {"three dimensions and linear", add_all_go, {NULL}, NULL},
        {"one dimension", add_one_dimension, {NULL}, NULL},
    };
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        dirac_net *net;
        int64_t norms = 0, stay = 0;
        ok(dirac_net_create(&net, context));
        nets[i].add(net);
        ok(dirac_net_build(net));
        stir_batch_norms(net, 6);
        write_statistics(net);
        floats images = random_numbers(4 * image_floats(net), 77, -2, 2);
        dirac_net *folded = check_fold(nets[i].name, net, images, 1e-5, nets[i].owner_of_others);
        for (int64_t j = 0; j < dirac_net_node_count(folded); j++)
            norms += is_kind(dirac_net_node(folded, j), "batch_norm");
        for (; nets[i].stay[stay] != NULL; stay++)
            assert_non_null(dirac_net_find(folded, nets[i].stay[stay]));
        assert_int_equal(norms, stay);
        drop_floats(&images);
        dirac_net_destroy(net);
        dirac_net_destroy(folded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_stays),
        cmocka_unit_test(test_trained_models),
        cmocka_unit_test(test_imagenet_diracnets),
        cmocka_unit_test(test_nothing_to_fold),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
