/* SPDX-License-Identifier: MIT */
/* The published models, a layer that OpenBLAS multiplies, and acts that train and run them. */
#include "fault/scenario_parts.h"

enum { CLASSES = 5 }; /* labels are below it */

/* Each model as small as it can be. */
static dirac_node *add_model(dirac_net *net, int which)
{
    const int64_t size = which < 9 ? 32 : 80;
    dirac_node *x = dirac_net_input2d(net, 3, size, size);
    switch (which) {
    case 0: return dirac_model_diracnet_cifar(net, x, 16, 0.25, 7, DIRAC_FORM_NORMALIZED_DELTA);
    case 1: return dirac_model_resnet_cifar(net, x, 10, 0.25, 7, 0, DIRAC_FORM_FIXED_DELTA);
    case 2: return dirac_model_resnet_cifar(net, x, 11, 0.25, 7, 1, DIRAC_FORM_PLAIN);
    case 3: return dirac_model_diracnet_imagenet(net, x, 18, 0.0625, 7, DIRAC_FORM_NORMALIZED_DELTA);
    case 4: return dirac_model_resnet_imagenet(net, x, 18, 0.0625, 7, DIRAC_FORM_DELTA);
    case 5: return dirac_model_nin(net, x, 7);
    case 6: return dirac_model_elu(net, x, 7);
    case 7: return dirac_model_vgg16_cifar(net, x, 7);
    case 8: return dirac_model_vgg16_imagenet(net, x, 7);
    default: return dirac_model_vgg_cnn_s(net, x, 7);
    }
}

int32_t make_model(dirac_net **out, dirac_context *context, int which)
{
    const int32_t status = dirac_net_create(out, context);
    if (status != DIRAC_OK)
        return status;
    dirac_net_output(*out, add_model(*out, which));
    return finish_net(out);
}

int32_t with_built_model(handles *base)
{
    const int32_t status = with_context(base);
    return status != DIRAC_OK ? status : make_model(&base->net, base->context, base->which);
}

int32_t with_large_layer(handles *base)
{
    int32_t status = with_context(base);
    if (status == DIRAC_OK)
        status = dirac_net_create(&base->net, base->context);
    if (status != DIRAC_OK)
        return status;
    dirac_net *net = base->net;
    dirac_node *x = dirac_net_dirac_linear(net, dirac_net_input(net, LARGE_IN), LARGE_OUT);
    dirac_net_output(net, dirac_net_linear(net, dirac_net_relu(net, x), CLASSES));
    return finish_net(&base->net);
}

/* A training session and an optimizer, and two steps of them. */
static int32_t train(handles *base, handles *made, int64_t batch)
{
    int32_t labels[LARGE_BATCH];
    float loss;
    for (int i = 0; i < LARGE_BATCH; i++)
        labels[i] = i % CLASSES;
    TRY(dirac_session_create(&made->session, base->net, DIRAC_TRAIN));
    TRY(dirac_session_set_batch(made->session, batch));
    TRY(dirac_session_prepare(made->session));
    TRY(dirac_sgd_create(&made->sgd, base->net));
    TRY(dirac_sgd_set_learning_rate(made->sgd, 1e-4f)); /* few images and no warmup: larger ones diverge */
    for (int i = 0; i < 2; i++) {
        TRY(dirac_session_forward(made->session, noise + i, batch));
        TRY(dirac_session_cross_entropy(made->session, labels, &loss));
        TRY(dirac_session_backward(made->session));
        TRY(dirac_sgd_step(made->sgd, made->session));
        *append(&made->seen, 1) = loss;
    }
    return DIRAC_OK;
}

int32_t train_large(handles *base, handles *made)
{
    return train(base, made, LARGE_BATCH);
}

/* Inference with packed weights, and without. */
static int32_t infer(handles *base, handles *made, int32_t lean)
{
    const float *const inputs[2] = {noise, noise + 2 * 4 * 14 * 13};
    dirac_session_destroy(made->session);
    made->session = NULL;
    TRY(dirac_session_create(&made->session, base->net, DIRAC_INFER));
    TRY(dirac_session_set_batch(made->session, 2));
    TRY(dirac_session_set_lean(made->session, lean));
    TRY(dirac_session_prepare(made->session));
    TRY(dirac_session_forward_inputs(made->session, inputs, dirac_net_input_count(base->net), 2));
    append_output(&made->seen, made->session);
    return DIRAC_OK;
}

int32_t compute_lean(handles *base, handles *made)
{
    return infer(base, made, 1);
}

int32_t train_model(handles *base, handles *made)
{
    int32_t status = train(base, made, 2);
    for (int32_t lean = 0; lean < 2 && status == DIRAC_OK; lean++)
        status = infer(base, made, lean);
    return status;
}
