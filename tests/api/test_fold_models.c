/* SPDX-License-Identifier: MIT */
/* The fold on every model: trained first where that is feasible, with biases and some negative weights in the batch
 * norms, since a fresh net hides mistakes. */
#include "support/folding.h"
#include "support/test_context.h"

/*
 * How far apart logits may be, relative to the largest. Before and after the fold a layer rounds the same sums of K
 * products differently, its weights being scaled before instead of after: about sqrt(K) 2^-24 of its values, up to
 * 6e-6 in single places with Winograd. Batch norm keeps the size of what is passed on, so such errors of L layers add
 * up like a random walk, sqrt(L) 5e-7: 3e-6 for 34 layers, 5e-6 for 100. Asked for is 1e-5.
 *
 * From 100 layers on without skip connections, how far a rounding in the first layers grows on its way depends on what
 * the net has learnt. The net itself tells: four times all its parameters and statistics are moved by at most one unit in the last
 * place, as the fold's rounding moves them. Where a few layers decide, a deviation is a normal number times the growth; five
 * times the root mean square of these 20 (4 changes, 5 images) is passed by one of five others once in some hundred nets.
 */
enum { CHANGES = 4 };

/* Each number off by -1, 0 or 1 unit in its last place. */
static dirac_net *one_rounding_off(const dirac_net *net, uint32_t change)
{
    dirac_net *off;
    ok(dirac_net_clone(&off, net));
    for (int64_t i = 0; i < dirac_net_tensor_count(off); i++) {
        const char *name = dirac_net_tensor_name(off, i);
        floats values = {NULL, 0};
        append_tensor(&values, off, name);
        for (size_t j = 0; j < values.count; j++) {
            const uint32_t draw = (((uint32_t)i * 65537 + (uint32_t)j) * CHANGES + change) * 2654435761u >> 16;
            if (draw % 3 != 0)
                values.at[j] = nextafterf(values.at[j], draw % 3 == 1 ? INFINITY : -INFINITY);
        }
        ok(dirac_net_tensor_write(off, name, values.at, values.count));
        drop_floats(&values);
    }
    return off;
}

/* The sum of squares of each image's largest deviation. */
static double squares_of(const floats *a, const floats *b, int64_t n)
{
    const size_t each = a->count / (size_t)n;
    double sum = 0;
    for (size_t i = 0; i < (size_t)n; i++) {
        const floats x = {a->at + i * each, each}, y = {b->at + i * each, each};
        sum += distance(&x, &y) * distance(&x, &y);
    }
    return sum;
}

static double bound_of(dirac_net *net, const floats *images, int32_t depth)
{
    if (depth < 100)
        return 1e-5;
    const int64_t n = (int64_t)(images->count / image_floats(net));
    floats outputs = outputs_of(net, images, n);
    double squares = 0;
    for (uint32_t change = 0; change < CHANGES; change++) {
        dirac_net *off = one_rounding_off(net, change);
        floats others = outputs_of(off, images, n);
        squares += squares_of(&outputs, &others, n);
        drop_floats(&others);
        dirac_net_destroy(off);
    }
    const double grown = 5 * sqrt(squares / (double)(n * CHANGES)) / largest_of(&outputs);
    drop_floats(&outputs);
    return grown > 1e-5 * depth / 100 ? grown : 1e-5 * depth / 100;
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
    {"VGG-16, CIFAR", vgg16_cifar, 16, 1, DIRAC_FORM_PLAIN, 0, 32, 14},
};

static dirac_net *build(const model *m)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    ok(dirac_net_set_seed(net, 5));
    dirac_net_output(net, m->add(net, dirac_net_input2d(net, 3, m->size, m->size), m));
    ok(dirac_net_build(net));
    /* A negative weight mirrors a channel before ReLU cuts it, and the next batch norm stretches what ReLU kept: many
     * of them make a deep chain amplify any error, by 1.2 a layer. */
    stir_batch_norms(net, 9, m->depth > 28 ? 25 : 5);
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
    for (int32_t i = 0; i < (steps >= 50 ? 40 : 2); i++) {
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
        dirac_net *folded = check_fold(models[i].name, net, images, bound_of(net, &images, models[i].depth), NULL);
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
        stir_batch_norms(net, 2, 5);
        settle_statistics(net, 15);
        floats images = random_numbers(image_floats(net), 3, -2, 2);
        dirac_net *folded = check_fold("DiracNet, ImageNet", net, images, bound_of(net, &images, nets[i].depth), NULL);
        check_kinds(folded);
        assert_int_equal(dirac_net_trained_count(net), nets[i].before);
        assert_int_equal(dirac_net_trained_count(folded), nets[i].after);
        drop_floats(&images);
        dirac_net_destroy(net);
        dirac_net_destroy(folded);
    }
}

static dirac_node *without_batch_norm(dirac_net *net, int which)
{
    static const int64_t sizes[4] = {64, 96, 20, 32}; /* smaller than the papers': the fold does not see them */
    dirac_node *x = dirac_net_input2d(net, 3, sizes[which], sizes[which]);
    switch (which) {
    case 0:
        return dirac_model_vgg16_imagenet(net, x, 100);
    case 1:
        return dirac_model_vgg_cnn_s(net, x, 100);
    case 2:
        return dirac_model_nin(net, x, 10);
    default:
        return dirac_model_elu(net, x, 10);
    }
}

/* Nets without batch norm or weight forms: the fold copies, so the bits stay. */
static void test_nothing_to_fold(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        dirac_net *net, *folded;
        floats a = {NULL, 0}, b = {NULL, 0};
        ok(dirac_net_create(&net, context));
        dirac_net_output(net, without_batch_norm(net, i));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trained_models),
        cmocka_unit_test(test_imagenet_diracnets),
        cmocka_unit_test(test_nothing_to_fold),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
