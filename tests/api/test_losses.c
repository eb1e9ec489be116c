/* SPDX-License-Identifier: MIT */
/* Losses, backward and gradients: values against the formulas in double, and what is refused when. The net is one
 * linear layer, or several heads of one, whose gradients can be written down. */
#include "support/test_context.h"

#define N 5
#define CLASSES 4
#define INPUTS 3

/* ---- the nets ---- */

/* Heads "head0", "head1", ... on one input of vectors. */
static dirac_net *make_heads(int heads)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_input(net, INPUTS);
    for (int i = 0; i < heads; i++) {
        char name[16];
        snprintf(name, sizeof name, "head%d", i);
        dirac_node *head = dirac_net_linear(net, x, CLASSES);
        ok(dirac_node_set_name(head, name));
        ok(dirac_node_set_initializer(head, "bias", DIRAC_INIT_NORMAL, 1, 0));
        dirac_net_output(net, head);
    }
    ok(dirac_net_build(net));
    return net;
}

static dirac_session *make_session(dirac_net *net, int32_t mode)
{
    dirac_session *s;
    ok(dirac_session_create(&s, net, mode));
    ok(dirac_session_set_batch(s, N));
    ok(dirac_session_set_input_gradients(s, mode == DIRAC_TRAIN));
    ok(dirac_session_prepare(s));
    return s;
}

/* ---- formulas ---- */

/* A loss as the header defines it. With labels and smoothing e the target of class c is (1 - e)[c = y] + e / C,
 * weighted by w[c]; the divisor is sum w[y] (PyTorch). Soft: -1/n sum w t log p. */
typedef struct formula {
    const int32_t *labels;
    const float *targets, *weights;
    double smoothing;
} formula;

static double loss_of(const formula *f, const float *z, int n, double dz[])
{
    double divisor = 0, loss = 0;
    for (int i = 0; i < n; i++)
        divisor += f->labels == NULL ? 1 : f->weights == NULL ? 1 : (double)f->weights[f->labels[i]];
    for (int i = 0; i < n; i++) {
        double sum = 0, all = 0, t[CLASSES];
        for (int c = 0; c < CLASSES; c++)
            sum += exp((double)z[i * CLASSES + c]);
        for (int c = 0; c < CLASSES; c++) {
            t[c] = f->labels == NULL ? (double)f->targets[i * CLASSES + c]
                                     : (f->labels[i] == c) * (1 - f->smoothing) + f->smoothing / CLASSES;
            t[c] *= f->weights == NULL ? 1 : (double)f->weights[c];
            loss -= t[c] * ((double)z[i * CLASSES + c] - log(sum));
            all += t[c];
        }
        for (int c = 0; c < CLASSES; c++)
            dz[i * CLASSES + c] = (all * exp((double)z[i * CLASSES + c]) / sum - t[c]) / divisor;
    }
    return loss / divisor;
}

/* Sums of at most N or CLASSES products of floats: each rounds once, the partial sums too, on numbers of that size. */
static void near(double got, double want, double scale)
{
    const double bound = 4 * (N + CLASSES) * 0x1p-24 * scale;
    if (!(fabs(got - want) <= bound))
        fail_msg("%.9g, not %.9g within %.3g", got, want, bound);
}

/* The gradients of y = W x + b for dy: dW = dy^T x, db = sum dy, dx = dy W; checked where given. */
static void check_gradients(dirac_session *s, const char *head, const float *x, const double *dy, int n)
{
    char name[32];
    float dw[CLASSES * INPUTS], db[CLASSES];
    snprintf(name, sizeof name, "%s.weight", head);
    ok(dirac_session_gradient_read(s, name, dw, CLASSES * INPUTS));
    snprintf(name, sizeof name, "%s.bias", head);
    ok(dirac_session_gradient_read(s, name, db, CLASSES));
    for (int c = 0; c < CLASSES; c++) {
        double bias = 0, size = 0;
        for (int i = 0; i < n; i++) {
            bias += dy[i * CLASSES + c];
            size += fabs(dy[i * CLASSES + c]);
        }
        near((double)db[c], bias, size);
        for (int k = 0; k < INPUTS; k++) {
            double sum = 0, scale = 0;
            for (int i = 0; i < n; i++) {
                sum += dy[i * CLASSES + c] * (double)x[i * INPUTS + k];
                scale += fabs(dy[i * CLASSES + c] * (double)x[i * INPUTS + k]);
            }
            near((double)dw[c * INPUTS + k], sum, scale);
        }
    }
}

static void check_input_gradient(dirac_session *s, dirac_net *net, const char *head, const double *dy, int n)
{
    char name[32];
    const float *dx;
    size_t count;
    floats w = {NULL, 0};
    snprintf(name, sizeof name, "%s.weight", head);
    append_tensor(&w, net, name);
    ok(dirac_session_input_gradient(s, 0, &dx, &count));
    assert_int_equal(count, n * INPUTS);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < INPUTS; k++) {
            double sum = 0, scale = 0;
            for (int c = 0; c < CLASSES; c++) {
                sum += dy[i * CLASSES + c] * (double)w.at[c * INPUTS + k];
                scale += fabs(dy[i * CLASSES + c] * (double)w.at[c * INPUTS + k]);
            }
            near((double)dx[i * INPUTS + k], sum, scale);
        }
    drop_floats(&w);
}

/* ---- losses ---- */

static void test_loss_values(void **state)
{
    (void)state;
    const int32_t labels[N] = {3, 0, 1, 1, 2};
    const float weights[CLASSES] = {0.5f, 2, 0, 1.25f};
    floats x = random_numbers(N * INPUTS, 1, -2, 2), soft = random_numbers(N * CLASSES, 2, 0, 1);
    const formula cases[] = {
        {labels, NULL, NULL, 0}, {labels, NULL, weights, 0}, {labels, NULL, NULL, 0.125},
        {labels, NULL, weights, 0.125}, {labels, NULL, NULL, 1}, {NULL, soft.at, NULL, 0}, {NULL, soft.at, weights, 0},
        {NULL, soft.at, NULL, 0.125}, /* smoothing is for hard labels: no effect on soft ones */
    };
    dirac_net *net = make_heads(1);
    dirac_session *s = make_session(net, DIRAC_TRAIN), *infer = make_session(net, DIRAC_INFER);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int n = 1; n <= N; n += 2) {
            const formula *f = &cases[i];
            double dz[N * CLASSES];
            float loss = NAN, other = NAN;
            dirac_session *const both[2] = {s, infer};
            for (int j = 0; j < 2; j++) {
                ok(dirac_session_set_label_smoothing(both[j], (float)f->smoothing));
                ok(dirac_session_set_class_weights(both[j], f->weights, f->weights == NULL ? 0 : CLASSES));
                ok(dirac_session_forward(both[j], x.at, n));
                ok(f->labels != NULL ? dirac_session_cross_entropy(both[j], f->labels, j ? &other : &loss)
                                     : dirac_session_cross_entropy_soft(both[j], f->targets, j ? &other : &loss));
            }
            const float *z;
            ok(dirac_session_output(s, 0, &z, NULL));
            const double want = loss_of(f, z, n, dz);
            near((double)loss, want, fabs(want) / (4 * (N + CLASSES))); /* in double, rounded once */
            near((double)other, want, 1 + fabs(want));
            ok(dirac_session_clear_gradients(s));
            ok(dirac_session_backward(s));
            check_gradients(s, "head0", x.at, dz, n);
            check_input_gradient(s, net, "head0", dz, n);
        }
    refused(dirac_session_backward(infer), DIRAC_ERR_STATE); /* of the inference session: only the loss */
    drop_floats(&x), drop_floats(&soft);
    dirac_session_destroy(s);
    dirac_session_destroy(infer);
    dirac_net_destroy(net);
}

/* Weights are one a class of the session, which another size of the inputs may give more classes than the net has. */
static void test_weights_of_another_size(void **state)
{
    (void)state;
    const float weights[9] = {1, 1, 1, 1, 1, 1, 1, 1, 2}, x[9] = {0};
    const int32_t label = 8;
    float loss;
    dirac_net *net;
    dirac_session *s;
    ok(dirac_net_create(&net, context));
    dirac_net_output(net, dirac_net_flatten(net, dirac_net_input2d(net, 1, 2, 2)));
    ok(dirac_net_build(net));
    ok(dirac_session_create(&s, net, DIRAC_TRAIN));
    ok(dirac_session_set_class_weights(s, weights, 4));
    ok(dirac_session_set_input_size(s, 0, (const int64_t[2]){3, 3}, 2));
    ok(dirac_session_prepare(s));
    ok(dirac_session_forward(s, x, 1));
    refused(dirac_session_cross_entropy(s, &label, &loss), DIRAC_ERR_SHAPE);
    message_has("4 class weights for 9 classes");
    refused(dirac_session_set_class_weights(s, weights, 4), DIRAC_ERR_SHAPE);
    ok(dirac_session_set_class_weights(s, weights, 9));
    ok(dirac_session_cross_entropy(s, &label, &loss));
    assert_true(fabs((double)loss - log(9)) < 1e-6);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

static void test_refused_losses(void **state)
{
    (void)state;
    const int32_t labels[N] = {3, 0, 1, 1, 2}, high[N] = {3, 0, 4, 1, 2}, low[N] = {3, 0, 1, -1, 2};
    const float none[CLASSES] = {0, 0, 0, 1}, negative[CLASSES] = {1, 1, -1, 1}, nan[CLASSES] = {1, NAN, 1, 1};
    floats x = random_numbers(N * INPUTS, 1, -2, 2);
    float loss = 7;
    int64_t correct = 7;
    dirac_net *net = make_heads(1);
    dirac_session *s = make_session(net, DIRAC_TRAIN);
    ok(dirac_session_forward(s, x.at, N));
    refused(dirac_session_cross_entropy(s, high, &loss), DIRAC_ERR_ARGUMENT);
    message_has("image 2 of the batch is 4, legal are 0 to 3");
    refused(dirac_session_cross_entropy(s, low, &loss), DIRAC_ERR_ARGUMENT);
    message_has("image 3 of the batch is -1");
    refused(dirac_session_count_correct(s, high, &correct), DIRAC_ERR_ARGUMENT);
    assert_true(loss == 7 && correct == 7);
    refused(dirac_session_backward(s), DIRAC_ERR_STATE); /* a refused loss is none */
    message_has("loss");
    ok(dirac_session_cross_entropy(s, labels, NULL)); /* the loss may be left away */
    refused(dirac_session_set_label_smoothing(s, 1.5f), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_set_label_smoothing(s, -0.5f), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_set_label_smoothing(s, NAN), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_set_class_weights(s, none, 3), DIRAC_ERR_SHAPE);
    refused(dirac_session_set_class_weights(s, negative, CLASSES), DIRAC_ERR_ARGUMENT);
    message_has("class 2");
    refused(dirac_session_set_class_weights(s, nan, CLASSES), DIRAC_ERR_ARGUMENT);
    ok(dirac_session_set_class_weights(s, none, CLASSES));
    ok(dirac_session_forward(s, x.at + INPUTS, 2)); /* labels 0 and 1 have no weight */
    refused(dirac_session_cross_entropy(s, labels + 1, &loss), DIRAC_ERR_ARGUMENT);
    message_has("zero");
    dirac_session_destroy(s);
    dirac_net_destroy(net);

    ok(dirac_net_create(&net, context)); /* images are no logits */
    dirac_net_output(net, dirac_net_relu(net, dirac_net_input1d(net, 3, 5)));
    ok(dirac_net_build(net));
    s = open_session(net, DIRAC_TRAIN, 1);
    ok(dirac_session_forward(s, x.at, 1));
    refused(dirac_session_cross_entropy(s, labels, &loss), DIRAC_ERR_SHAPE);
    refused(dirac_session_cross_entropy_soft(s, x.at, &loss), DIRAC_ERR_SHAPE);
    refused(dirac_session_count_correct(s, labels, &correct), DIRAC_ERR_SHAPE);
    message_has("(3, 5)");
    drop_floats(&x);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

/* A loss that is not finite is returned as it is; the step it would lead to is refused by name and changes nothing. */
static void test_not_finite(void **state)
{
    (void)state;
    const int32_t labels[N] = {3, 0, 1, 1, 2};
    floats x = random_numbers(N * INPUTS, 1, -2, 2), before = {NULL, 0}, after = {NULL, 0};
    float loss = 7;
    int64_t correct, steps;
    dirac_net *net = make_heads(1);
    dirac_session *s = make_session(net, DIRAC_TRAIN);
    dirac_sgd *sgd;
    ok(dirac_sgd_create(&sgd, net));
    append_net(&before, net);
    x.at[4] = NAN;
    ok(dirac_session_forward(s, x.at, N));
    ok(dirac_session_cross_entropy(s, labels, &loss));
    assert_true(isnan(loss));
    ok(dirac_session_count_correct(s, labels, &correct));
    ok(dirac_session_backward(s));
    refused(dirac_sgd_step(sgd, s), DIRAC_ERR_NOT_FINITE);
    message_has("input \"input\" is not, in image 1");
    append_net(&after, net);
    same_bits("a refused step", before, after);
    ok(dirac_sgd_steps(sgd, &steps));
    assert_int_equal(steps, 0);
    drop_floats(&x), drop_floats(&before), drop_floats(&after);
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

static void test_count_correct(void **state)
{
    (void)state;
    dirac_net *net = make_heads(1);
    dirac_session *s = make_session(net, DIRAC_INFER);
    floats x = random_numbers(N * INPUTS, 3, -2, 2);
    int32_t labels[N];
    int64_t correct;
    const float *z;
    ok(dirac_session_forward(s, x.at, N));
    ok(dirac_session_output(s, 0, &z, NULL));
    for (int wrong = 0; wrong <= N; wrong++) {
        for (int i = 0; i < N; i++) {
            int best = 0;
            for (int c = 1; c < CLASSES; c++)
                best = z[i * CLASSES + c] > z[i * CLASSES + best] ? c : best;
            labels[i] = i < wrong ? (best + 1) % CLASSES : best;
        }
        ok(dirac_session_count_correct(s, labels, &correct));
        assert_int_equal(correct, N - wrong);
    }
    drop_floats(&x);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

/* ---- backward ---- */

static void test_order_of_calls(void **state)
{
    (void)state;
    const int32_t labels[N] = {3, 0, 1, 1, 2}, others[N] = {0, 0, 0, 0, 0};
    const formula f = {labels, NULL, NULL, 0};
    floats x = random_numbers(N * INPUTS, 1, -2, 2), y = random_numbers(N * CLASSES, 4, -1, 1);
    double dz[N * CLASSES];
    float first, second;
    const float *z;
    dirac_net *net = make_heads(1);
    dirac_session *s = make_session(net, DIRAC_TRAIN);
    refused(dirac_session_backward(s), DIRAC_ERR_STATE);
    ok(dirac_session_forward(s, x.at, N));
    refused(dirac_session_backward(s), DIRAC_ERR_STATE);
    message_has("no loss");
    ok(dirac_session_set_output_gradient(s, 0, y.at, N * CLASSES));
    ok(dirac_session_cross_entropy(s, others, &first));
    ok(dirac_session_cross_entropy(s, labels, &first)); /* the last one counts */
    refused(dirac_session_input_gradient(s, 0, &z, NULL), DIRAC_ERR_STATE);
    ok(dirac_session_backward(s));
    ok(dirac_session_output(s, 0, &z, NULL));
    loss_of(&f, z, N, dz);
    check_gradients(s, "head0", x.at, dz, N);
    ok(dirac_session_cross_entropy(s, labels, &second)); /* the value may be asked for again */
    assert_true(first == second);
    refused(dirac_session_backward(s), DIRAC_ERR_STATE); /* once a forward */
    refused(dirac_session_set_output_gradient(s, 0, y.at, N * CLASSES), DIRAC_ERR_STATE);
    check_gradients(s, "head0", x.at, dz, N);
    ok(dirac_session_forward(s, x.at, N));
    ok(dirac_session_cross_entropy(s, others, NULL));
    ok(dirac_session_forward(s, x.at, N)); /* forgets the loss of the forward before */
    refused(dirac_session_backward(s), DIRAC_ERR_STATE);
    refused(dirac_session_set_output_gradient(s, 1, y.at, N * CLASSES), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_set_output_gradient(s, -1, y.at, N * CLASSES), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_set_output_gradient(s, 0, y.at, N * CLASSES - 1), DIRAC_ERR_SHAPE);
    ok(dirac_session_cross_entropy(s, labels, NULL));
    ok(dirac_net_tensor_write(net, "head0.bias", y.at, CLASSES));
    refused(dirac_session_backward(s), DIRAC_ERR_STATE); /* what forward saw has gone */
    message_has("changed");
    drop_floats(&x), drop_floats(&y);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

/* Backward adds: twice the same is twice the gradient, exactly; clear begins anew. */
static void test_gradients_add_up(void **state)
{
    (void)state;
    const int32_t labels[N] = {3, 0, 1, 1, 2};
    floats x = random_numbers(N * INPUTS, 1, -2, 2), once = {NULL, 0}, twice = {NULL, 0}, sum = {NULL, 0},
            zero = {NULL, 0};
    dirac_net *net = make_heads(1), *copy;
    ok(dirac_net_clone(&copy, net));
    dirac_session *s = make_session(net, DIRAC_TRAIN), *t = make_session(net, DIRAC_TRAIN);
    dirac_session *foreign = make_session(copy, DIRAC_TRAIN), *infer = make_session(net, DIRAC_INFER);
    for (int i = 0; i < 2; i++) {
        ok(dirac_session_forward(s, x.at, N));
        ok(dirac_session_cross_entropy(s, labels, NULL));
        ok(dirac_session_backward(s));
        append_gradients(i ? &twice : &once, s);
    }
    for (size_t i = 0; i < once.count; i++)
        assert_true(twice.at[i] == 2 * once.at[i]);
    ok(dirac_session_add_gradients(t, s));
    ok(dirac_session_add_gradients(t, s));
    append_gradients(&sum, t);
    for (size_t i = 0; i < once.count; i++)
        assert_true(sum.at[i] == 4 * once.at[i]);
    refused(dirac_session_add_gradients(t, t), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_add_gradients(t, foreign), DIRAC_ERR_ARGUMENT);
    refused(dirac_session_add_gradients(t, infer), DIRAC_ERR_STATE);
    ok(dirac_session_clear_gradients(s));
    append_gradients(&zero, s);
    for (size_t i = 0; i < zero.count; i++)
        assert_true(zero.at[i] == 0);
    drop_floats(&x), drop_floats(&once), drop_floats(&twice), drop_floats(&sum), drop_floats(&zero);
    dirac_session_destroy(s), dirac_session_destroy(t), dirac_session_destroy(foreign), dirac_session_destroy(infer);
    dirac_net_destroy(net), dirac_net_destroy(copy);
}

/* The one array is the trained tensors in order; what the host writes there is what the step takes. */
static void test_one_array(void **state)
{
    (void)state;
    const int32_t labels[N] = {3, 0, 1, 1, 2};
    floats x = random_numbers(N * INPUTS, 1, -2, 2), named = {NULL, 0}, all = {NULL, 0}, before = {NULL, 0},
            after = {NULL, 0};
    float *gradients, value[CLASSES];
    size_t count;
    dirac_sgd *sgd;
    dirac_net *net = make_heads(2);
    dirac_session *s = make_session(net, DIRAC_TRAIN);
    ok(dirac_sgd_create(&sgd, net));
    ok(dirac_sgd_set_learning_rate(sgd, 0.5f));
    ok(dirac_session_forward(s, x.at, N));
    ok(dirac_session_cross_entropy(s, labels, NULL));
    ok(dirac_session_backward(s));
    for (int64_t i = 0; i < dirac_net_tensor_count(net); i++) {
        const char *name = dirac_net_tensor_name(net, i);
        const size_t n = tensor_elements(net, name);
        ok(dirac_session_gradient_read(s, name, append(&named, n), n));
    }
    append_gradients(&all, s);
    same_bits("by name", named, all);
    refused(dirac_session_gradient_read(s, "head0.bias", value, 3), DIRAC_ERR_SHAPE);
    refused(dirac_session_gradient_read(s, "head2.bias", value, CLASSES), DIRAC_ERR_NOT_FOUND);
    message_has("head2.bias");
    ok(dirac_session_gradients(s, &gradients, &count));
    assert_int_equal(count, dirac_net_trained_count(net));
    for (size_t i = 0; i < count; i++)
        gradients[i] = (float)i; /* exact in the step: p - i / 2 */
    append_net(&before, net);
    ok(dirac_sgd_step(sgd, s));
    append_net(&after, net);
    for (size_t i = 0; i < count; i++)
        assert_true(after.at[i] == before.at[i] - 0.5f * (float)i);
    refused(dirac_sgd_step(sgd, s), DIRAC_ERR_STATE); /* a step clears */
    drop_floats(&x), drop_floats(&named), drop_floats(&all), drop_floats(&before), drop_floats(&after);
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

static void test_several_heads(void **state)
{
    (void)state;
    const int32_t labels[N] = {3, 0, 1, 1, 2};
    const formula f = {labels, NULL, NULL, 0};
    floats x = random_numbers(N * INPUTS, 1, -2, 2), y = random_numbers(N * CLASSES, 5, -1, 1);
    double dz[N * CLASSES], dy[N * CLASSES], none[N * CLASSES] = {0};
    const float *z;
    dirac_net *net = make_heads(3);
    dirac_session *s = make_session(net, DIRAC_TRAIN);
    for (int i = 0; i < N * CLASSES; i++)
        dy[i] = (double)y.at[i];
    ok(dirac_session_forward(s, x.at, N));
    ok(dirac_session_set_output_gradient(s, 1, y.at, N * CLASSES));
    ok(dirac_session_backward(s));
    check_gradients(s, "head0", x.at, none, N); /* not set: zero */
    check_gradients(s, "head1", x.at, dy, N);
    check_gradients(s, "head2", x.at, none, N);
    check_input_gradient(s, net, "head1", dy, N);
    ok(dirac_session_clear_gradients(s));
    ok(dirac_session_forward(s, x.at, N));
    ok(dirac_session_cross_entropy(s, labels, NULL)); /* a loss of output 0 and a gradient of the host's at output 2 */
    ok(dirac_session_set_output_gradient(s, 2, y.at, N * CLASSES));
    ok(dirac_session_output(s, 0, &z, NULL));
    loss_of(&f, z, N, dz);
    ok(dirac_session_backward(s));
    check_gradients(s, "head0", x.at, dz, N);
    check_gradients(s, "head1", x.at, none, N);
    check_gradients(s, "head2", x.at, dy, N);
    drop_floats(&x), drop_floats(&y);
    dirac_session_destroy(s);
    dirac_net_destroy(net);
}

/* Gradients of inputs have the order of inputs: through a ReLU they are dy where x > 0. */
static void test_input_gradients_of_images(void **state)
{
    (void)state;
    dirac_net *net;
    dirac_session *s, *without;
    const float *dx;
    size_t count;
    ok(dirac_net_create(&net, context));
    dirac_node *a = dirac_net_input2d(net, 3, 4, 5), *b = dirac_net_input2d(net, 3, 4, 5);
    dirac_net_output(net, dirac_net_add(net, dirac_net_relu(net, a), b));
    ok(dirac_net_build(net));
    s = make_session(net, DIRAC_TRAIN);
    without = open_session(net, DIRAC_TRAIN, N);
    floats x = random_numbers(2 * 60, 1, -1, 1), y = random_numbers(2 * 60, 2, -1, 1);
    const float *inputs[2] = {x.at, y.at};
    refused(dirac_session_input_gradient(s, 0, &dx, &count), DIRAC_ERR_STATE); /* no forward */
    ok(dirac_session_forward_inputs(s, inputs, 2, 2));
    ok(dirac_session_set_output_gradient(s, 0, y.at, 120));
    refused(dirac_session_input_gradient(s, 0, &dx, &count), DIRAC_ERR_STATE); /* not yet */
    ok(dirac_session_backward(s));
    ok(dirac_session_input_gradient(s, 0, &dx, &count));
    assert_int_equal(count, 120);
    for (size_t i = 0; i < count; i++)
        assert_true(dx[i] == (x.at[i] > 0 ? y.at[i] : 0));
    ok(dirac_session_input_gradient(s, 1, &dx, NULL));
    assert_memory_equal(dx, y.at, 120 * sizeof(float));
    refused(dirac_session_input_gradient(s, 2, &dx, NULL), DIRAC_ERR_ARGUMENT);
    ok(dirac_session_forward_inputs(s, inputs, 2, 2));
    refused(dirac_session_input_gradient(s, 0, &dx, NULL), DIRAC_ERR_STATE); /* of the forward before */
    ok(dirac_session_forward_inputs(without, inputs, 2, 2));
    ok(dirac_session_set_output_gradient(without, 0, y.at, 120));
    ok(dirac_session_backward(without));
    refused(dirac_session_input_gradient(without, 0, &dx, NULL), DIRAC_ERR_STATE); /* not asked for */
    drop_floats(&x), drop_floats(&y);
    dirac_session_destroy(s), dirac_session_destroy(without);
    dirac_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss_values),
        cmocka_unit_test(test_weights_of_another_size),
        cmocka_unit_test(test_refused_losses),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_count_correct),
        cmocka_unit_test(test_order_of_calls),
        cmocka_unit_test(test_gradients_add_up),
        cmocka_unit_test(test_one_array),
        cmocka_unit_test(test_several_heads),
        cmocka_unit_test(test_input_gradients_of_images),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
