/* SPDX-License-Identifier: MIT */
/*
 * The library against PyTorch in float64: layers, losses, optimizer, whole nets, folding. The results are read from
 * files that generate.py made; the argument is their directory. Public interface only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reference_nets.h"

/* The name of the case if note i is its "chain", else NULL; to be freed. */
static char *case_of_chain(const reference_file *file, size_t i)
{
    const char *slash = strrchr(file->notes[i].name, '/');
    if (slash == NULL || strcmp(slash, "/chain") != 0)
        return NULL;
    return strndup(file->notes[i].name, (size_t)(slash - file->notes[i].name));
}

/* Runs `test` on every case of a file of chains. */
static void for_each_case(const char *name, void (*test)(const reference_way *, const reference_file *, const char *),
                          const reference_way *way)
{
    reference_file *file = reference_open(name);
    for (size_t i = 0; i < file->n_notes; i++) {
        char *a_case = case_of_chain(file, i);
        if (a_case != NULL)
            test(way, file, a_case);
        free(a_case);
    }
    reference_close(file);
}

/* Forward of n images of the case's x0, x1, ... */
static void forward_xs(const reference_file *file, const char *a_case, dirac_session *session, int32_t count, int64_t n)
{
    float *xs[8];
    assert_true(count <= 8);
    for (int32_t i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", (int)i);
        const reference_tensor *x = reference_get(file, a_case, name);
        xs[i] = reference_floats(x, 0, x->count);
    }
    must(a_case, dirac_session_forward_inputs(session, (const float *const *)xs, count, n));
    for (int32_t i = 0; i < count; i++)
        free(xs[i]);
}

/* Forward of one batch of the case's "input" (batches, n, C, ...). */
static void forward_batch(const reference_file *file, const char *a_case, dirac_session *session, int64_t batch)
{
    const reference_tensor *x = reference_get(file, a_case, "input");
    size_t size = x->count / (size_t)x->dims[0];
    float *values = reference_floats(x, (size_t)(batch % x->dims[0]) * size, size);
    must(a_case, dirac_session_forward(session, values, x->dims[1]));
    free(values);
}

/* The labels of one batch, to be freed. */
static int32_t *labels_of(const reference_tensor *labels, int64_t batch)
{
    size_t size = labels->rank == 2 ? (size_t)labels->dims[1] : labels->count;
    size_t first = labels->rank == 2 ? (size_t)(batch % labels->dims[0]) * size : 0;
    int32_t *values = calloc(size, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < size; i++)
        values[i] = (int32_t)labels->values[first + i];
    return values;
}

/* ---- single layers --------------------------------------------------------------------------------------------- */

static void check_layer(const reference_way *way, const reference_file *file, const char *a_case)
{
    int64_t n = 0;
    dirac_net *net = reference_chain(way, file, a_case, &n);
    int32_t inputs = dirac_net_input_count(net);

    dirac_session *session = reference_session(way, net, DIRAC_INFER, n, 0);
    forward_xs(file, a_case, session, inputs, n);
    compare_output(way, file, a_case, reference_find(file, a_case, "y_infer") != NULL ? "y_infer" : "y", session);
    dirac_session_destroy(session);

    session = reference_session(way, net, DIRAC_TRAIN, n, 0);
    forward_xs(file, a_case, session, inputs, n);
    compare_output(way, file, a_case, "y", session);
    const reference_tensor *r = reference_get(file, a_case, "r");
    float *values = reference_floats(r, 0, r->count);
    must(a_case, dirac_session_set_output_gradient(session, 0, values, r->count));
    free(values);
    must(a_case, dirac_session_backward(session));
    compare_gradients(way, file, a_case, net, session);
    compare_input_gradients(way, file, a_case, net, session);
    must(a_case, dirac_session_commit_statistics(session));
    compare_net(way, file, a_case, "new", net, 1);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
}

static void layers_of_way(const reference_way *way)
{
    for_each_case("layers.safetensors", check_layer, way);
}

static void layers_match_pytorch(void **state)
{
    (void)state;
    for_each_way(layers_of_way);
    comparisons_end("layers");
}

/* ---- losses ------------------------------------------------------------------------------------------------------ */

static void check_loss(const reference_way *way, const reference_file *file, const char *a_case)
{
    int64_t n = 0;
    dirac_net *net = reference_chain(way, file, a_case, &n);
    dirac_session *session = reference_session(way, net, DIRAC_TRAIN, n, 0);
    const char *text = reference_text(file, a_case, "loss");
    must(a_case, dirac_session_set_label_smoothing(session, (float)reference_number(text, "smoothing", 0)));
    forward_xs(file, a_case, session, 1, n);
    const reference_tensor *weights = reference_find(file, a_case, "class_weights");
    if (weights != NULL) {
        float *values = reference_floats(weights, 0, weights->count);
        must(a_case, dirac_session_set_class_weights(session, values, (int64_t)weights->count));
        free(values);
    }
    float loss = 0;
    if (reference_number(text, "soft", 0) != 0) {
        const reference_tensor *targets = reference_get(file, a_case, "targets");
        float *values = reference_floats(targets, 0, targets->count);
        must(a_case, dirac_session_cross_entropy_soft(session, values, &loss));
        free(values);
    } else {
        int32_t *labels = labels_of(reference_get(file, a_case, "labels"), 0);
        must(a_case, dirac_session_cross_entropy(session, labels, &loss));
        free(labels);
    }
    compare(way, file, a_case, "loss", 0, &loss, 1);
    must(a_case, dirac_session_backward(session));
    compare_gradients(way, file, a_case, net, session);
    compare_input_gradients(way, file, a_case, net, session);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
}

static void losses_of_way(const reference_way *way)
{
    for_each_case("losses.safetensors", check_loss, way);
}

static void losses_match_pytorch(void **state)
{
    (void)state;
    for_each_way(losses_of_way);
    comparisons_end("losses");
}

/* ---- optimizer --------------------------------------------------------------------------------------------------- */

static void compare_momentum(const reference_way *way, const reference_file *file, const char *a_case,
                             const dirac_net *net, const dirac_sgd *sgd)
{
    for (int64_t i = 0; i < dirac_net_tensor_count(net); i++) {
        char name[256];
        const char *own = dirac_net_tensor_name(net, i);
        snprintf(name, sizeof name, "momentum/%s", own);
        const reference_tensor *want = reference_find(file, a_case, name);
        if (want == NULL) /* running statistics */
            continue;
        float *values = calloc(want->count, sizeof *values);
        assert_non_null(values);
        must(own, dirac_sgd_momentum_read(sgd, own, values, want->count));
        compare(way, file, a_case, name, 0, values, want->count);
        free(values);
    }
}

/* One step on batch `step`; the loss before it. */
static float train_step(const reference_file *file, const char *a_case, dirac_session *session, dirac_sgd *sgd,
                        int64_t step)
{
    float loss = 0;
    int32_t *labels = labels_of(reference_get(file, a_case, "labels"), step);
    forward_batch(file, a_case, session, step);
    must(a_case, dirac_session_cross_entropy(session, labels, &loss));
    must(a_case, dirac_session_backward(session));
    must(a_case, dirac_sgd_step(sgd, session));
    free(labels);
    return loss;
}

static void check_trajectory(const reference_way *way, const reference_file *file, const char *a_case)
{
    int64_t n = 0;
    dirac_net *net = reference_chain(way, file, a_case, &n);
    dirac_session *session = reference_session(way, net, DIRAC_TRAIN, n, 0);
    dirac_sgd *sgd = reference_sgd(net, reference_text(file, a_case, "sgd"));
    size_t steps = reference_get(file, a_case, "losses")->count;
    for (size_t step = 0; step < steps; step++) {
        float rate = 0;
        must(a_case, dirac_sgd_learning_rate(sgd, &rate));
        compare(way, file, a_case, "rates", step, &rate, 1);
        float loss = train_step(file, a_case, session, sgd, (int64_t)step);
        compare(way, file, a_case, "losses", step, &loss, 1);
    }
    compare_net(way, file, a_case, "end", net, 0);
    compare_momentum(way, file, a_case, net, sgd);
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
}

static void trajectories_of_way(const reference_way *way)
{
    for_each_case("sgd.safetensors", check_trajectory, way);
}

static void trajectories_match_pytorch(void **state)
{
    (void)state;
    for_each_way(trajectories_of_way);
    comparisons_end("sgd");
}

/* ---- whole nets -------------------------------------------------------------------------------------------------- */

static void check_inference(const reference_way *way, const reference_file *file, const char *a_case, dirac_net *net,
                            int64_t n, const char *name)
{
    for (int32_t keep = 0; keep < 2; keep++) {
        dirac_session *session = reference_session(way, net, DIRAC_INFER, n, keep);
        forward_batch(file, a_case, session, 0);
        compare_output(way, file, a_case, name, session);
        dirac_session_destroy(session);
    }
}

/* The first forward and backward. Leaves gradients and pending statistics as they were. */
static void check_first_backward(const reference_way *way, const reference_file *file, const char *a_case,
                                 dirac_net *net, int64_t n)
{
    dirac_session *session = reference_session(way, net, DIRAC_TRAIN, n, 0);
    float loss = 0;
    int32_t *labels = labels_of(reference_get(file, a_case, "labels"), 0);
    forward_batch(file, a_case, session, 0);
    compare_output(way, file, a_case, "logits_train", session);
    must(a_case, dirac_session_cross_entropy(session, labels, &loss));
    compare(way, file, a_case, "loss", 0, &loss, 1);
    must(a_case, dirac_session_backward(session));
    if (reference_find(file, a_case, "grad/fc.bias") != NULL)
        compare_gradients(way, file, a_case, net, session);
    compare_input_gradients(way, file, a_case, net, session);
    free(labels);
    dirac_session_destroy(session);
}

static void check_net(const reference_way *way, const char *a_case)
{
    char name[64];
    int64_t n = 0;
    snprintf(name, sizeof name, "%s.safetensors", a_case);
    reference_file *file = reference_open(name);
    dirac_net *net = reference_model(way, file, a_case, &n);
    check_inference(way, file, a_case, net, n, "logits_test");
    check_first_backward(way, file, a_case, net, n);
    const char *settings = reference_text(file, a_case, "sgd");
    if (settings[0] != '\0') {
        dirac_session *session = reference_session(way, net, DIRAC_TRAIN, n, 0);
        dirac_sgd *sgd = reference_sgd(net, settings);
        size_t steps = reference_get(file, a_case, "losses")->count;
        for (size_t step = 0; step < steps; step++) {
            float loss = train_step(file, a_case, session, sgd, (int64_t)step);
            compare(way, file, a_case, "losses", step, &loss, 1);
            if (step == 0)
                compare_net(way, file, a_case, "step1", net, 0);
        }
        compare_net(way, file, a_case, "step5", net, 0);
        check_inference(way, file, a_case, net, n, "logits_test_end");
        dirac_sgd_destroy(sgd);
        dirac_session_destroy(session);
    }
    dirac_net_destroy(net);
    reference_close(file);
}

static void nets_of_way(const reference_way *way)
{
    static const char *const names[] = {"diracnet_cifar",    "plain_cifar",       "dirac_resnet",
                                        "bottleneck_resnet", "diracnet_imagenet", "resnet_imagenet"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_net(way, names[i]);
}

static void nets_match_pytorch(void **state)
{
    (void)state;
    for_each_way(nets_of_way);
    comparisons_end("nets");
}

/* ---- folding ---------------------------------------------------------------------------------------------------- */

/* The logits of the case's eight images. keep: every inner value is kept, so that batch norm is computed by itself. */
static void check_logits(const reference_way *way, const reference_file *file, const char *a_case, dirac_net *net,
                         const char *name, int64_t n, int32_t keep)
{
    const reference_tensor *x = reference_get(file, a_case, "input");
    float *values = reference_floats(x, 0, x->count);
    dirac_session *session = reference_session(way, net, DIRAC_INFER, n, keep);
    must(a_case, dirac_session_forward(session, values, n));
    compare_output(way, file, a_case, name, session);
    dirac_session_destroy(session);
    free(values);
}

/* Each element of the folded tensors within one rounding of the float64 fold. */
static void check_folded_tensors(const reference_way *way, const reference_file *file, const char *a_case,
                                 const dirac_net *folded)
{
    if (reference_find(file, a_case, "folded/fc.weight") != NULL)
        compare_net(way, file, a_case, "folded", folded, 0);
}

static void check_fold(const reference_way *way, const char *a_case)
{
    char name[64];
    int64_t n = 0;
    snprintf(name, sizeof name, "%s.safetensors", a_case);
    reference_file *file = reference_open(name);
    dirac_net *net = reference_model(way, file, a_case, &n), *folded = NULL;
    must(a_case, dirac_net_fold(&folded, net));
    check_logits(way, file, a_case, net, "logits", n, 1);
    check_logits(way, file, a_case, net, "logits", n, 0);
    check_logits(way, file, a_case, folded, "logits_folded", n, 1);
    check_logits(way, file, a_case, folded, "logits_folded", n, 0);
    check_folded_tensors(way, file, a_case, folded);
    dirac_net_destroy(folded);
    dirac_net_destroy(net);
    reference_close(file);
}

static void folds_of_way(const reference_way *way)
{
    static const char *const names[] = {"fold_diracnet_10", "fold_diracnet_16", "fold_dirac_resnet",
                                        "fold_imagenet_18"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_fold(way, names[i]);
}

static void folds_match_pytorch(void **state)
{
    (void)state;
    for_each_way(folds_of_way);
    comparisons_end("fold");
}

int main(int argc, char **argv)
{
    if (argc > 1)
        reference_directory = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_match_pytorch), cmocka_unit_test(losses_match_pytorch),
        cmocka_unit_test(trajectories_match_pytorch), cmocka_unit_test(nets_match_pytorch),
        cmocka_unit_test(folds_match_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
