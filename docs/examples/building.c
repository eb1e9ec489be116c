/* SPDX-License-Identifier: MIT */
/* Around the short blocks of the guide that build a net: an empty net and an input x of 3 x 32 x 32. What cannot be built
 * is printed as a message, which the page then has to show. */
#include <dirac/dirac.h>
#include <stdio.h>

int main(void)
{
    dirac_context *context = NULL;
    dirac_net *net = NULL;
    if (dirac_context_create(&context) != DIRAC_OK || dirac_net_create(&net, context) != DIRAC_OK)
        return 1;
    dirac_node *x = dirac_net_input2d(net, 3, 32, 32);
    /* BLOCK */
    dirac_net_output(net, x);
    if (dirac_net_build(net) != DIRAC_OK)
        puts(dirac_error_message());
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    return 0;
}
