/* SPDX-License-Identifier: MIT */
/* One plugin of tests/install/two_versions.sh: says which libdirac it runs on, after having used it. */
#include <dirac/dirac.h>

#include <stdio.h>

/* Writes "release abi" to `text`, or the error. It runs a net, so that more than one function has to be right. */
__attribute__((visibility("default"))) void PLUGIN(char *text, size_t size);

void PLUGIN(char *text, size_t size)
{
    const float input[4] = {1, -2, 3, -4};
    const float *output = NULL;
    dirac_context *context = NULL;
    dirac_net *net = NULL;
    dirac_session *session = NULL;
    int32_t status = dirac_context_create(&context);
    if (status == DIRAC_OK)
        status = dirac_net_create(&net, context);
    if (status == DIRAC_OK) {
        dirac_net_output(net, dirac_net_relu(net, dirac_net_input(net, 4)));
        status = dirac_net_build(net);
    }
    if (status == DIRAC_OK)
        status = dirac_session_create(&session, net, DIRAC_INFER);
    if (status == DIRAC_OK)
        status = dirac_session_prepare(session);
    if (status == DIRAC_OK)
        status = dirac_session_forward(session, input, 1);
    if (status == DIRAC_OK)
        status = dirac_session_output(session, 0, &output, NULL);
    if (status != DIRAC_OK)
        snprintf(text, size, "%s", dirac_error_message());
    else
        snprintf(text, size, "%s %d%s", dirac_version_string(), (int)dirac_abi_version(),
                 output[0] == 1.0f && output[1] == 0.0f && output[2] == 3.0f ? "" : " wrong");
    dirac_session_destroy(session);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}
