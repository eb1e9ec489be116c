/* SPDX-License-Identifier: MIT */
/* Sequences of public calls, see api.h. Whatever the sequence: no crash, a message for every failure, the caller's rounding
 * mode, and when all handles are gone, in whatever order, not a byte is left. */
#include <fenv.h>

#include "api.h"

static size_t count_operations(const operation *list)
{
    size_t count = 0;
    while (list[count] != NULL)
        count++;
    return count;
}

/* One call; the first byte says which family and which of it. */
static void step(machine *m)
{
    static const operation *const families[16] = {
        api_net_operations, api_net_operations, api_net_operations, api_net_operations, api_net_operations, api_node_operations,
        api_node_operations, api_session_operations, api_session_operations, api_session_operations, api_session_operations,
        api_sgd_operations, api_data_operations, api_data_operations, api_file_operations, api_context_operations};
    const uint8_t byte = api_byte(m);
    const operation *family = byte < 240 ? families[byte % 16] : byte < 248 ? api_model_operations : api_disk_operations;
    family[api_byte(m) % count_operations(family)](m);
    FUZZ_CHECK(fegetround() == FE_TONEAREST);
}

static void destroy_work(machine *m)
{
    for (int32_t i = 0; i < 2; i++) {
        dirac_checkpoint_destroy(m->checkpoints[i]);
        dirac_batches_destroy(m->batches[i]);
        dirac_sgd_destroy(m->sgds[i]);
        api_drop_buffer(&m->buffers[i]);
    }
    for (int32_t i = 0; i < SLOTS; i++)
        api_drop_session(&m->sessions[i]);
}

static void destroy_owners(machine *m)
{
    for (int32_t i = 0; i < 2; i++) {
        dirac_dataset_destroy(m->datasets[i]);
        dirac_context_destroy(m->contexts[i]);
        dirac_layer_kind_destroy(m->kinds[i]);
    }
    for (int32_t i = 0; i < SLOTS; i++)
        api_drop_net(&m->nets[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static machine kept; /* large */
    machine *m = &kept;
    memset(m, 0, sizeof *m);
    m->at = data;
    m->left = size;
    m->memory.most = (size_t)1 << 22;
    for (int32_t i = 0; i < NUMBERS; i++) {
        m->numbers[i] = (float)(i * 7919 % 1013) / 512 - 0.5f;
        m->labels[i] = i % 3 == 2 && i > 1024 ? -1 : i % 2;
    }
    FUZZ_CHECK(dirac_context_create_with_allocator(&m->contexts[0], fuzz_allocate, fuzz_release, &m->memory) == DIRAC_OK);
    const bool owners_first = api_byte(m) % 2;
    while (m->left > 0)
        step(m);
    if (owners_first)
        destroy_owners(m);
    destroy_work(m);
    if (!owners_first)
        destroy_owners(m);
    api_clear_disk();
    FUZZ_CHECK(m->memory.blocks == 0 && m->memory.bytes == 0);
    return 0;
}
