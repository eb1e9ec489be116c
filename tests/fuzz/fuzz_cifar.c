/* SPDX-License-Identifier: MIT */
/* CIFAR, of memory and of files. The first byte says which of the two (1, 2), which split (4), and whether class names
 * are there (8; 16: as they must be); the second how often each byte that follows is repeated, so that small inputs make
 * whole records; the third what is cut off the end (1) and which file is missing (the upper half). */
#include "disk.h"
#include "use_dataset.h"

static uint8_t *spread(const uint8_t *data, size_t size, size_t times, size_t *length)
{
    uint8_t *records = malloc(size * times + 1);
    FUZZ_CHECK(records != NULL);
    for (*length = 0; *length < size * times; ++*length)
        records[*length] = data[*length / times];
    return records;
}

/* The names of the classes: one a line, or the input itself. */
static void put_names(int32_t classes, int right, const uint8_t *data, size_t size)
{
    const char *name = classes == 100 ? "fine_label_names.txt" : "batches.meta.txt";
    char text[100 * 4];
    size_t length = 0;
    for (int32_t i = 0; i < classes; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "c%d\n", (int)i);
    if (right)
        fuzz_put(name, text, length);
    else
        fuzz_put(name, data, size);
}

/* The same records in each file of the split, but for one that may be missing. */
static void put_records(int32_t classes, int32_t split, uint8_t missing, const uint8_t *records, size_t length)
{
    static const char *const files[2][2][6] = {
        {{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
         {"test_batch.bin"}},
        {{"train.bin"}, {"test.bin"}}};
    const char *const *names = files[classes == 100][split];
    for (size_t i = 0; names[i] != NULL; i++)
        if (i + 1 != missing)
            fuzz_put(names[i], records, length);
}

/* What the folder holds; `set`, of the same records in memory, is a part of it. */
static void load_folder(dirac_context *context, int32_t classes, int32_t split, const dirac_dataset *set)
{
    dirac_dataset *loaded = NULL;
    const char *folder = fuzz_path("");
    const int32_t status = classes == 100 ? dirac_dataset_load_cifar100(&loaded, context, folder, split)
                                          : dirac_dataset_load_cifar10(&loaded, context, folder, split);
    fuzz_status(status);
    FUZZ_CHECK((loaded != NULL) == (status == DIRAC_OK));
    if (loaded != NULL) {
        FUZZ_CHECK(set != NULL);
        FUZZ_CHECK(dirac_dataset_count(loaded) ==
                   dirac_dataset_count(set) * (split == DIRAC_SPLIT_TRAIN && classes == 10 ? 5 : 1));
        if (dirac_dataset_count(loaded) == dirac_dataset_count(set))
            fuzz_same_samples(set, loaded);
    }
    dirac_dataset_destroy(loaded);
    fuzz_empty_folder();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory memory;
    dirac_dataset *set = NULL;
    if (size < 3)
        return 0;
    const int32_t classes = data[0] & 1 ? 100 : data[0] & 2 ? 7 : 10;
    const int32_t split = data[0] & 4 ? DIRAC_SPLIT_TRAIN : DIRAC_SPLIT_TEST;
    const size_t record = classes == 100 ? 3074 : 3073;
    size_t length = 0;
    uint8_t *records = spread(data + 3, size - 3, (size_t)data[1] * 13 + 1, &length);
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
    if (classes != 7) {
        if (data[0] & 8)
            put_names(classes, data[0] & 16, data + 3, size - 3);
        put_records(classes, split, data[2] >> 4, exact, length);
        load_folder(context, classes, split, set);
    }
    free(exact);
    fuzz_use_dataset(set);
    dirac_context_destroy(context);
    FUZZ_CHECK(memory.blocks == 0 && memory.bytes == 0);
    return 0;
}
