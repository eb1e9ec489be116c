/* SPDX-License-Identifier: MIT */
/* Checkpoints: the input, with the right checksum, is restored into training in full swing. All or nothing: after a
 * refusal everything that a checkpoint holds is as it was. */
#include "sealed.h"
#include "training.h"

/* One more step: whatever was accepted can be trained from. */
static void go_on(training *t)
{
    const float *samples;
    const int32_t *labels;
    int64_t n = 0;
    fuzz_status(dirac_batches_next(t->batches, &samples, &labels, &n));
    if (n < 2)
        return;
    fuzz_status(dirac_session_forward(t->session, samples, n));
    fuzz_status(dirac_session_cross_entropy(t->session, labels, NULL));
    fuzz_status(dirac_session_backward(t->session));
    fuzz_status(dirac_sgd_step(t->sgd, t->session));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory memory;
    training t;
    void *before, *after;
    size_t before_size, after_size;
    dirac_context *context = fuzz_context(&memory, (size_t)1 << 26);
    make_training(&t, context);
    uint8_t *sealed = fuzz_seal(data, size);
    FUZZ_CHECK(dirac_checkpoint_save_memory(t.checkpoint, &before, &before_size) == DIRAC_OK);
    const int32_t status = dirac_checkpoint_load_memory(t.checkpoint, sealed, size);
    fuzz_status(status);
    FUZZ_CHECK(dirac_checkpoint_save_memory(t.checkpoint, &after, &after_size) == DIRAC_OK);
    if (status != DIRAC_OK)
        FUZZ_CHECK(before_size == after_size && memcmp(before, after, before_size) == 0);
    else
        FUZZ_CHECK(dirac_checkpoint_load_memory(t.checkpoint, after, after_size) == DIRAC_OK);
    go_on(&t);
    dirac_buffer_free(context, before, before_size);
    dirac_buffer_free(context, after, after_size);
    free(sealed);
    destroy_training(&t);
    dirac_context_destroy(context);
    FUZZ_CHECK(memory.blocks == 0 && memory.bytes == 0);
    return 0;
}
