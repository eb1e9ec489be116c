/* SPDX-License-Identifier: MIT */
/* Around the short blocks of the guide that use a built net: sessions, an optimizer and a batch of 64 images of 1 x 8 x 8
 * in two classes. The message of a call that fails is printed, and the page then has to show it. */
#include <dirac/dirac.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static float images[64 * 64];
static int32_t labels[64];

int main(void)
{
    dirac_context *context = NULL;
    dirac_net *net = NULL;
    dirac_session *training = NULL, *inference = NULL, *fresh = NULL;
    dirac_sgd *sgd = NULL;
    for (int i = 0; i < 64 * 64; i++)
        images[i] = (float)(i * 37 % 101) / 101.0f + ((i % 8 < 4) == (labels[i / 64] = i / 64 % 2) ? 1.0f : 0.0f);
    if (dirac_context_create(&context) != DIRAC_OK || dirac_net_create(&net, context) != DIRAC_OK)
        return 1;
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 1, 8, 8), 8, 3);
    x = dirac_net_batch_norm(net, dirac_net_dirac_conv2d(net, dirac_net_relu(net, x), 8, 3));
    dirac_net_output(net, dirac_net_linear(net, dirac_net_global_average_pool(net, dirac_net_relu(net, x)), 2));
    if (dirac_net_build(net) != DIRAC_OK || dirac_sgd_create(&sgd, net) != DIRAC_OK ||
        dirac_session_create(&training, net, DIRAC_TRAIN) != DIRAC_OK ||
        dirac_session_set_batch(training, 64) != DIRAC_OK || dirac_session_prepare(training) != DIRAC_OK ||
        dirac_session_create(&inference, net, DIRAC_INFER) != DIRAC_OK ||
        dirac_session_prepare(inference) != DIRAC_OK || dirac_session_create(&fresh, net, DIRAC_TRAIN) != DIRAC_OK)
        return 1;
    /* BLOCK */
    if (dirac_error_message()[0] != '\0')
        puts(dirac_error_message());
    dirac_session_destroy(training);
    dirac_session_destroy(inference);
    dirac_session_destroy(fresh);
    dirac_sgd_destroy(sgd);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    return 0;
}
