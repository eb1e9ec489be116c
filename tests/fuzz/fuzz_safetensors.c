/* SPDX-License-Identifier: MIT */
/* Model files: the input as it is, and with the right checksum, is loaded as a net, and as weights of a DiracNet. */
#include "sealed.h"
#include "use_net.h"

static void load_net(dirac_context *context, const void *data, size_t size)
{
    dirac_net *net = NULL;
    const int32_t status = dirac_net_load_memory(&net, context, data, size);
    fuzz_status(status);
    FUZZ_CHECK((net != NULL) == (status == DIRAC_OK));
    if (net != NULL)
        fuzz_use(net, context);
    dirac_net_destroy(net);
}

/* A DiracNet of one block a half group: it has names in every published scheme. */
static dirac_net *small_diracnet(dirac_context *context)
{
    dirac_net *net;
    FUZZ_CHECK(dirac_net_create(&net, context) == DIRAC_OK);
    dirac_node *x = dirac_net_input2d(net, 1, 4, 4);
    dirac_net_output(net, dirac_model_diracnet_cifar(net, x, 10, 0.125, 2, DIRAC_FORM_NORMALIZED_DELTA));
    FUZZ_CHECK(dirac_net_build(net) == DIRAC_OK);
    return net;
}

static void load_weights(dirac_context *context, const void *data, size_t size)
{
    dirac_net *net = small_diracnet(context);
    const uint64_t version = dirac_net_version(net);
    const int32_t strict = dirac_net_load_weights_memory(net, data, size, DIRAC_LOAD_STRICT);
    fuzz_status(strict);
    FUZZ_CHECK((dirac_net_version(net) == version) == (strict != DIRAC_OK));
    FUZZ_CHECK(strict != DIRAC_OK || dirac_net_load_report(net)[0] == '\0');
    const int32_t partial = dirac_net_load_weights_memory(net, data, size, DIRAC_LOAD_PARTIAL);
    fuzz_status(partial);
    FUZZ_CHECK(strict != DIRAC_OK || partial == DIRAC_OK);
    dirac_net_destroy(net);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory memory;
    dirac_context *context = fuzz_context(&memory, (size_t)1 << 26);
    uint8_t *sealed = fuzz_seal(data, size);
    load_net(context, data, size);
    load_weights(context, data, size);
    if (size > 0 && memcmp(data, sealed, size) != 0) {
        load_net(context, sealed, size);
        load_weights(context, sealed, size);
    }
    free(sealed);
    dirac_context_destroy(context);
    FUZZ_CHECK(memory.blocks == 0 && memory.bytes == 0);
    return 0;
}
