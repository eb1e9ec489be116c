/* SPDX-License-Identifier: MIT */
/* Graph descriptions: what is read is written, and read and written again the same; the net is used. */
#include "graph/describe.h"
#include "use_net.h"

static void write_and_read(dirac_context *context, const dirac_net *net)
{
    dirac__buffer first = {.memory = net->memory}, second = {.memory = net->memory};
    dirac_net *again = NULL;
    dirac__graph_write(net, &first);
    FUZZ_CHECK(!first.failed);
    FUZZ_CHECK(dirac__graph_read(&again, context, &context->memory, first.data, first.size, (uint64_t)1 << 22) == DIRAC_OK);
    dirac__graph_write(again, &second);
    FUZZ_CHECK(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    dirac__buffer_release(&first);
    dirac__buffer_release(&second);
    dirac_net_destroy(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory memory;
    dirac_net *net = NULL;
    dirac_context *context = fuzz_context(&memory, (size_t)1 << 26);
    const int32_t status = dirac__graph_read(&net, context, &context->memory, (const char *)data, size, (uint64_t)1 << 22);
    fuzz_status(status);
    FUZZ_CHECK((net != NULL) == (status == DIRAC_OK));
    if (net != NULL) {
        write_and_read(context, net);
        fuzz_use(net, context);
    }
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    FUZZ_CHECK(memory.blocks == 0 && memory.bytes == 0);
    return 0;
}
