/* SPDX-License-Identifier: MIT */
/* IDX: two bytes say how long the first file is, the images; the rest is the labels. Read from memory and from files,
 * with one result. */
#include "disk.h"
#include "use_dataset.h"

/* A copy of exactly that size, so that a sanitizer sees a read beyond it. */
static uint8_t *exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + (size == 0));
    FUZZ_CHECK(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory memory;
    dirac_dataset *set = NULL, *from_files = NULL;
    if (size < 2)
        return 0;
    size_t first = (size_t)data[0] << 8 | data[1];
    first = first < size - 2 ? first : size - 2;
    const size_t second = size - 2 - first;
    dirac_context *context = fuzz_context(&memory, (size_t)1 << 24);
    uint8_t *images = exact(data + 2, first), *labels = exact(data + 2 + first, second);
    const int32_t status = dirac_dataset_load_idx_memory(&set, context, images, first, labels, second);
    fuzz_status(status);
    FUZZ_CHECK((set != NULL) == (status == DIRAC_OK));
    const char *image_file = fuzz_put("a", images, first), *label_file = fuzz_put("b", labels, second);
    FUZZ_CHECK(dirac_dataset_load_idx(&from_files, context, image_file, label_file) == status);
    fuzz_same_samples(set, from_files);
    free(images);
    free(labels);
    fuzz_use_dataset(set);
    dirac_dataset_destroy(from_files);
    dirac_context_destroy(context);
    FUZZ_CHECK(memory.blocks == 0 && memory.bytes == 0);
    return 0;
}
