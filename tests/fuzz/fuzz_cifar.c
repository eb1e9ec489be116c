/* SPDX-License-Identifier: MIT */
/* CIFAR: the first byte says which of the two; the second how often each byte that follows is repeated, so that small
 * inputs make whole records; the third what is cut off the end. */
#include "use_dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory memory;
    dirac_dataset *set = NULL;
    if (size < 3)
        return 0;
    const int32_t classes = data[0] & 1 ? 100 : data[0] & 2 ? 7 : 10;
    const size_t times = (size_t)data[1] * 13 + 1, record = classes == 100 ? 3074 : 3073;
    size_t length = 0, most = (size - 3) * times;
    uint8_t *records = malloc(most + 1);
    FUZZ_CHECK(records != NULL);
    for (; length < most; length++)
        records[length] = data[3 + length / times];
    if (data[2] & 1)
        length -= length % record;
    /* Exactly as large as what is handed over. */
    uint8_t *exact = malloc(length + (length == 0));
    FUZZ_CHECK(exact != NULL);
    memcpy(exact, records, length);
    free(records);
    dirac_context *context = fuzz_context(&memory, (size_t)1 << 25);
    const int32_t status = dirac_dataset_load_cifar_memory(&set, context, exact, length, classes);
    fuzz_status(status);
    FUZZ_CHECK((set != NULL) == (status == DIRAC_OK));
    free(exact);
    fuzz_use_dataset(set);
    dirac_context_destroy(context);
    FUZZ_CHECK(memory.blocks == 0 && memory.bytes == 0);
    return 0;
}
