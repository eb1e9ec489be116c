/* SPDX-License-Identifier: MIT */
/* A program as a user would write it, in what C99, C11 and C++17 have in common: trains a small net, folds it, saves
 * it, reads it back and compares. Prints the release. Usage: consumer MODEL-FILE */
#include <dirac/dirac.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SIDE 8
#define IMAGES 32

static float images[IMAGES * SIDE * SIDE];
static int32_t labels[IMAGES];

static void check(int32_t status, int line)
{
    if (status == DIRAC_OK)
        return;
    fprintf(stderr, "line %d: %s\n", line, dirac_error_message());
    exit(1);
}
#define TRY(call) check(call, __LINE__)

/* Bright on the left (1) or on the right (0), with some noise that every C library draws alike. */
static void make_images(void)
{
    uint32_t state = 1;
    for (int i = 0; i < IMAGES * SIDE * SIDE; i++) {
        state = state * 1664525u + 1013904223u;
        labels[i / (SIDE * SIDE)] = i / (SIDE * SIDE) % 2;
        images[i] = (float)(state >> 8) / 16777216.0f;
        if ((i % SIDE < SIDE / 2) == labels[i / (SIDE * SIDE)])
            images[i] += 1.0f;
    }
}

static dirac_net *make_net(dirac_context *context)
{
    dirac_net *net;
    TRY(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 1, SIDE, SIDE), 8, 3);
    for (int block = 0; block < 2; block++)
        x = dirac_net_batch_norm(net, dirac_net_dirac_conv2d(net, dirac_net_relu(net, x), 8, 3));
    dirac_net_output(net, dirac_net_linear(net, dirac_net_global_average_pool(net, dirac_net_relu(net, x)), 2));
    TRY(dirac_net_build(net));
    return net;
}

static float train(dirac_net *net)
{
    dirac_session *session;
    dirac_sgd *sgd;
    float loss = 0.0f;
    TRY(dirac_session_create(&session, net, DIRAC_TRAIN));
    TRY(dirac_session_set_batch(session, IMAGES));
    TRY(dirac_session_prepare(session));
    TRY(dirac_sgd_create(&sgd, net));
    for (int step = 0; step < 150; step++) {
        TRY(dirac_session_forward(session, images, IMAGES));
        TRY(dirac_session_cross_entropy(session, labels, &loss));
        TRY(dirac_session_backward(session));
        TRY(dirac_sgd_step(sgd, session));
    }
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(session);
    return loss;
}

/* The logits of all images; `logits` has room for two each. */
static void run(dirac_net *net, float *logits)
{
    dirac_session *session;
    const float *values;
    TRY(dirac_session_create(&session, net, DIRAC_INFER));
    TRY(dirac_session_set_batch(session, IMAGES));
    TRY(dirac_session_prepare(session));
    TRY(dirac_session_forward(session, images, IMAGES));
    TRY(dirac_session_output(session, 0, &values, NULL));
    for (int i = 0; i < 2 * IMAGES; i++)
        logits[i] = values[i];
    dirac_session_destroy(session);
}

int main(int argc, char **argv)
{
    static float trained[2 * IMAGES], loaded[2 * IMAGES];
    dirac_context *context;
    dirac_net *folded, *read;
    const char *path = argc > 1 ? argv[1] : "model.safetensors";
    make_images();
    TRY(dirac_context_create(&context));
    dirac_net *net = make_net(context);
    const float loss = train(net);
    TRY(dirac_net_fold(&folded, net));
    TRY(dirac_net_save(folded, path));
    TRY(dirac_net_load(&read, context, path));
    run(net, trained);
    run(read, loaded);
    int right = 0;
    for (int i = 0; i < IMAGES; i++) {
        right += (loaded[2 * i + 1] > loaded[2 * i]) == labels[i];
        /* Folding reorders a few roundings: 1e-4 is a thousand times float's, and a fold gone wrong is far off. */
        if (fabsf(loaded[2 * i] - trained[2 * i]) > 1e-4f * (1.0f + fabsf(trained[2 * i])))
            return fprintf(stderr, "image %d: %g, folded %g\n", i, trained[2 * i], loaded[2 * i]), 1;
    }
    dirac_net_destroy(net);
    dirac_net_destroy(folded);
    dirac_net_destroy(read);
    dirac_context_destroy(context);
    if (!(loss < 0.3f) || right != IMAGES || dirac_abi_version() != DIRAC_ABI_VERSION)
        return fprintf(stderr, "loss %g, %d of %d right\n", loss, right, IMAGES), 1;
    printf("%s\n", dirac_version_string());
    return 0;
}
