/* SPDX-License-Identifier: MIT */
/* CIFAR and IDX: files made by hand from the formats' descriptions, whole, cut at every byte, foreign and hostile. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <dirac/context.h>
#include <dirac/data.h>
#include <dirac/status.h>

#include "support/counting_memory.h"

#define PIXELS 3072
#define RECORD10 3073
#define RECORD100 3074

static dirac_context *context;
static char folder[] = "/tmp/dirac-data-XXXXXX";
static char path_text[256];

#define assert_status(call, status) assert_int_equal((call), (status))
#define assert_message(part) assert_non_null(strstr(dirac_error_message(), (part)))

static const char *path(const char *name)
{
    snprintf(path_text, sizeof path_text, "%s/%s", folder, name);
    return path_text;
}

static void write_file(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(path(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static const char *const all_files[] = {
    "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
    "data_batch_5.bin", "test_batch.bin", "batches.meta.txt", "train.bin", "test.bin",
    "fine_label_names.txt", "cifar-10-batches-bin/test_batch.bin", "cifar-100-binary/train.bin",
    "images", "labels", "pipe",
};

static void remove_files(void)
{
    for (size_t i = 0; i < sizeof all_files / sizeof all_files[0]; i++)
        unlink(path(all_files[i]));
    rmdir(path("cifar-10-batches-bin"));
    rmdir(path("cifar-100-binary"));
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) ? dirac_context_create(&context) : -1;
}

static int teardown(void **state)
{
    (void)state;
    dirac_context_destroy(context);
    return rmdir(folder);
}

static int clean(void **state)
{
    (void)state;
    remove_files();
    return 0;
}

/* Pixel j of the image with number `id`. */
static uint8_t pixel(unsigned id, unsigned j)
{
    return (uint8_t)(id * 37 + j * 7 + j / 251);
}

/* CIFAR records: image numbers from `first`, label id % classes; CIFAR-100 has a coarse label, id % 20, before it. */
static size_t make_cifar(uint8_t *out, int classes, unsigned first, unsigned count)
{
    uint8_t *at = out;
    for (unsigned id = first; id < first + count; id++) {
        if (classes == 100)
            *at++ = (uint8_t)(id % 20);
        *at++ = (uint8_t)(id % (unsigned)classes);
        for (unsigned j = 0; j < PIXELS; j++)
            *at++ = pixel(id, j);
    }
    return (size_t)(at - out);
}

static void check_images(const dirac_dataset *set, unsigned first, unsigned count, unsigned classes,
                         size_t length)
{
    float *values = malloc(length * sizeof *values);
    assert_int_equal(dirac_dataset_count(set), count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(dirac_dataset_label(set, i), (first + i) % classes);
        assert_status(dirac_dataset_read(set, i, values, length), DIRAC_OK);
        for (unsigned j = 0; j < length; j++)
            assert_true(values[j] == (float)pixel(first + i, j));
    }
    free(values);
}

static void check_shape(const dirac_dataset *set, int64_t c, int64_t h, int64_t w)
{
    int64_t dims[4];
    int32_t rank;
    assert_status(dirac_dataset_shape(set, dims, &rank), DIRAC_OK);
    assert_int_equal(rank, 3);
    assert_true(dims[0] == c && dims[1] == h && dims[2] == w);
}

static void test_cifar_memory(void **state)
{
    (void)state;
    static uint8_t records[3 * RECORD100];
    for (int classes = 10; classes <= 100; classes += 90) {
        size_t size = make_cifar(records, classes, 8, 3);
        dirac_dataset *set;
        assert_status(dirac_dataset_load_cifar_memory(&set, context, records, size, classes),
                      DIRAC_OK);
        memset(records, 0, sizeof records); /* the buffer was copied */
        check_shape(set, 3, 32, 32);
        check_images(set, 8, 3, (unsigned)classes, PIXELS);
        dirac_dataset_destroy(set);
    }
}

static void test_cifar_memory_refusals(void **state)
{
    (void)state;
    static uint8_t records[3 * RECORD100];
    dirac_dataset *set;
    size_t size = make_cifar(records, 10, 0, 3);
    const size_t bad[] = {0, 1, RECORD10 - 1, RECORD10 + 1, 3 * RECORD10 - 1};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_status(dirac_dataset_load_cifar_memory(&set, context, records, bad[i], 10),
                      DIRAC_ERR_FORMAT);
        assert_null(set);
    }
    assert_message("record 2");
    records[2 * RECORD10] = 10;
    assert_status(dirac_dataset_load_cifar_memory(&set, context, records, size, 10),
                  DIRAC_ERR_FORMAT);
    assert_message("record 2, byte 6146: label 10, must be 0 to 9");

    size = make_cifar(records, 100, 0, 3);
    records[RECORD100] = 20;
    assert_status(dirac_dataset_load_cifar_memory(&set, context, records, size, 100),
                  DIRAC_ERR_FORMAT);
    assert_message("record 1, byte 3074: label 20, must be 0 to 19");
    records[RECORD100] = 19;
    records[RECORD100 + 1] = 100;
    assert_status(dirac_dataset_load_cifar_memory(&set, context, records, size, 100),
                  DIRAC_ERR_FORMAT);
    assert_message("record 1, byte 3075: label 100, must be 0 to 99");

    assert_status(dirac_dataset_load_cifar_memory(&set, context, records, size, 11),
                  DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_load_cifar_memory(&set, context, NULL, size, 10),
                  DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_load_cifar_memory(NULL, context, records, size, 10),
                  DIRAC_ERR_ARGUMENT);
    records[0] = 0x1f;
    records[1] = 0x8b;
    assert_status(dirac_dataset_load_cifar_memory(&set, context, records, size, 100),
                  DIRAC_ERR_FORMAT);
    assert_message("gzip");
}

/* data_batch_k.bin holds k images, numbered on. */
static void write_cifar10(void)
{
    static uint8_t records[5 * RECORD10];
    unsigned first = 0;
    for (unsigned k = 1; k <= 5; k++) {
        write_file(all_files[k - 1], records, make_cifar(records, 10, first, k));
        first += k;
    }
}

static void test_cifar10_train(void **state)
{
    (void)state;
    const char names[] = "a\nb\r\nc\nd\ne\nf\ng\nh\n\ni\nj";
    dirac_dataset *set;
    write_cifar10();
    assert_status(dirac_dataset_load_cifar10(&set, context, folder, DIRAC_SPLIT_TRAIN), DIRAC_OK);
    check_images(set, 0, 15, 10, PIXELS);
    assert_null(dirac_dataset_class_name(set, 0));
    dirac_dataset_destroy(set);

    write_file("batches.meta.txt", names, sizeof names - 1);
    assert_status(dirac_dataset_load_cifar10(&set, context, folder, DIRAC_SPLIT_TRAIN), DIRAC_OK);
    for (int32_t i = 0; i < 10; i++) {
        const char expected[2] = {(char)('a' + i), 0};
        assert_string_equal(dirac_dataset_class_name(set, i), expected);
    }
    dirac_dataset_destroy(set);
    assert_status(dirac_dataset_load_cifar10(&set, context, folder, DIRAC_SPLIT_TEST),
                  DIRAC_ERR_IO);
    assert_message("test_batch.bin");
    assert_null(set);
}

static void test_cifar10_names_refused(void **state)
{
    (void)state;
    static uint8_t records[RECORD10];
    dirac_dataset *set;
    const struct {
        const char *text;
        size_t size;
    } bad[] = {{"", 0},
               {"\n\n", 2},
               {"a\nb\nc\nd\ne\nf\ng\nh\ni\n", 18},
               {"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk", 21},
               {"a\nb\nc\nd\ne\nf\ng\nh\ni\n\0\n", 20}};
    write_file("test_batch.bin", records, make_cifar(records, 10, 4, 1));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_file("batches.meta.txt", bad[i].text, bad[i].size);
        assert_status(dirac_dataset_load_cifar10(&set, context, folder, DIRAC_SPLIT_TEST),
                      DIRAC_ERR_FORMAT);
        assert_message("batches.meta.txt: ");
        assert_null(set);
    }
}

static void test_cifar_children(void **state)
{
    (void)state;
    static uint8_t records[2 * RECORD100];
    dirac_dataset *set;
    mkdir(path("cifar-10-batches-bin"), 0700);
    mkdir(path("cifar-100-binary"), 0700);
    write_file("cifar-10-batches-bin/test_batch.bin", records, make_cifar(records, 10, 5, 2));
    write_file("cifar-100-binary/train.bin", records, make_cifar(records, 100, 97, 2));
    assert_status(dirac_dataset_load_cifar10(&set, context, folder, DIRAC_SPLIT_TEST), DIRAC_OK);
    check_images(set, 5, 2, 10, PIXELS);
    dirac_dataset_destroy(set);
    assert_status(dirac_dataset_load_cifar100(&set, context, folder, DIRAC_SPLIT_TRAIN), DIRAC_OK);
    check_images(set, 97, 2, 100, PIXELS);
    assert_int_equal(dirac_dataset_classes(set), 99);
    dirac_dataset_destroy(set);
}

static void test_cifar100_names(void **state)
{
    (void)state;
    static uint8_t records[RECORD100];
    char text[1000] = "", name[32];
    dirac_dataset *set;
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "class%d\n", i);
        strcat(text, name);
    }
    write_file("test.bin", records, make_cifar(records, 100, 3, 1));
    write_file("fine_label_names.txt", text, strlen(text));
    assert_status(dirac_dataset_load_cifar100(&set, context, folder, DIRAC_SPLIT_TEST), DIRAC_OK);
    assert_int_equal(dirac_dataset_classes(set), 100);
    assert_string_equal(dirac_dataset_class_name(set, 99), "class99");
    dirac_dataset_destroy(set);
}

static void test_cifar_bad_files(void **state)
{
    (void)state;
    static uint8_t records[5 * RECORD10];
    dirac_dataset *set;
    assert_status(dirac_dataset_load_cifar10(&set, context, folder, DIRAC_SPLIT_TRAIN),
                  DIRAC_ERR_IO);
    assert_message("cifar-10-batches-bin/data_batch_1.bin");
    assert_status(dirac_dataset_load_cifar10(&set, context, "/nowhere at all", DIRAC_SPLIT_TRAIN),
                  DIRAC_ERR_IO);
    assert_message("/nowhere at all");
    write_cifar10();
    unlink(path("data_batch_4.bin"));
    assert_status(dirac_dataset_load_cifar10(&set, context, folder, DIRAC_SPLIT_TRAIN),
                  DIRAC_ERR_IO);
    assert_message("data_batch_4.bin");
    write_file("data_batch_4.bin", records, make_cifar(records, 10, 0, 4) - 1);
    assert_status(dirac_dataset_load_cifar10(&set, context, folder, DIRAC_SPLIT_TRAIN),
                  DIRAC_ERR_FORMAT);
    assert_message("data_batch_4.bin: ends at byte 12291, inside record 3");
    unlink(path("data_batch_4.bin"));
    assert_int_equal(mkfifo(path("data_batch_4.bin"), 0600), 0); /* must not wait for a writer */
    assert_status(dirac_dataset_load_cifar10(&set, context, folder, DIRAC_SPLIT_TRAIN),
                  DIRAC_ERR_IO);
    assert_message("not a regular file");
    assert_status(dirac_dataset_load_cifar10(&set, context, folder, 2), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_load_cifar10(&set, context, NULL, 0), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_load_cifar100(&set, context, "", 0), DIRAC_ERR_ARGUMENT);
    assert_null(set);
}

/* An IDX file of unsigned bytes: magic, dimensions, elements. */
static size_t make_idx(uint8_t *out, const uint32_t *dims, unsigned rank, int labels)
{
    size_t count = 1;
    uint8_t *at = out;
    *at++ = 0;
    *at++ = 0;
    *at++ = 8;
    *at++ = (uint8_t)rank;
    for (unsigned i = 0; i < rank; i++) {
        count *= dims[i];
        for (int shift = 24; shift >= 0; shift -= 8)
            *at++ = (uint8_t)(dims[i] >> shift);
    }
    for (size_t i = 0; i < count; i++) {
        size_t each = count / dims[0];
        *at++ = labels ? (uint8_t)(i % 7) : pixel((unsigned)(i / each), (unsigned)(i % each));
    }
    return (size_t)(at - out);
}

static uint8_t images[4096], labels[512];
static size_t images_size, labels_size;

static void make_pair(unsigned rank, uint32_t count)
{
    const uint32_t grey[3] = {count, 5, 3}, colour[4] = {count, 3, 2, 7};
    images_size = make_idx(images, rank == 3 ? grey : colour, rank, 0);
    labels_size = make_idx(labels, &count, 1, 1);
}

static int32_t load_pair(dirac_dataset **set)
{
    return dirac_dataset_load_idx_memory(set, context, images, images_size, labels, labels_size);
}

static void test_idx(void **state)
{
    (void)state;
    char image_path[256];
    dirac_dataset *set;
    for (unsigned rank = 3; rank <= 4; rank++) {
        make_pair(rank, 9);
        assert_status(load_pair(&set), DIRAC_OK);
        check_shape(set, rank == 3 ? 1 : 3, rank == 3 ? 5 : 2, rank == 3 ? 3 : 7);
        check_images(set, 0, 9, 7, rank == 3 ? 15 : 42);
        dirac_dataset_destroy(set);

        write_file("images", images, images_size);
        strcpy(image_path, path("images"));
        write_file("labels", labels, labels_size);
        assert_status(dirac_dataset_load_idx(&set, context, image_path, path("labels")), DIRAC_OK);
        check_images(set, 0, 9, 7, rank == 3 ? 15 : 42);
        dirac_dataset_destroy(set);
    }
    assert_status(dirac_dataset_load_idx(&set, context, image_path, path("none")), DIRAC_ERR_IO);
    assert_message("/none\": ");
    assert_null(set);
    assert_status(dirac_dataset_load_idx(&set, context, folder, path("labels")), DIRAC_ERR_IO);
    assert_status(dirac_dataset_load_idx(&set, context, NULL, path("labels")), DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_load_idx(&set, context, folder, NULL), DIRAC_ERR_ARGUMENT);
}

/* Exact-size copies, so that a sanitizer sees any reading beyond the end. */
static int32_t load_cut(size_t image_bytes, size_t label_bytes)
{
    dirac_dataset *set;
    uint8_t *i = malloc(image_bytes + 1), *l = malloc(label_bytes + 1);
    i = realloc(memcpy(i, images, image_bytes), image_bytes ? image_bytes : 1);
    l = realloc(memcpy(l, labels, label_bytes), label_bytes ? label_bytes : 1);
    int32_t status = dirac_dataset_load_idx_memory(&set, context, i, image_bytes, l, label_bytes);
    if (status != DIRAC_OK)
        assert_null(set);
    dirac_dataset_destroy(set);
    free(i);
    free(l);
    return status;
}

static void test_idx_cut_and_extended(void **state)
{
    (void)state;
    make_pair(4, 2);
    assert_status(load_cut(images_size, labels_size), DIRAC_OK);
    for (size_t size = 0; size <= images_size + 3; size++)
        if (size != images_size)
            assert_status(load_cut(size, labels_size), DIRAC_ERR_FORMAT);
    for (size_t size = 0; size <= labels_size + 3; size++)
        if (size != labels_size)
            assert_status(load_cut(images_size, size), DIRAC_ERR_FORMAT);
}

/* Every value of every header byte but the right one is refused: the sizes no longer fit. */
static void test_idx_corrupt_headers(void **state)
{
    (void)state;
    dirac_dataset *set;
    make_pair(3, 2);
    for (size_t i = 0; i < 16 + 8; i++) {
        uint8_t *byte = i < 16 ? images + i : labels + (i - 16), kept = *byte;
        for (unsigned value = 0; value < 256; value++) {
            *byte = (uint8_t)value;
            assert_status(load_pair(&set), value == kept ? DIRAC_OK : DIRAC_ERR_FORMAT);
            dirac_dataset_destroy(set);
        }
        *byte = kept;
    }
}

static void test_idx_messages(void **state)
{
    (void)state;
    dirac_dataset *set;
    make_pair(3, 2);
    images[2] = 0x0d;
    assert_status(load_pair(&set), DIRAC_ERR_FORMAT);
    assert_message("images: byte 0: magic number 0x00000d03, must be 0x00000803 or 0x00000804");
    images[0] = 0x1f;
    images[1] = 0x8b;
    assert_status(load_pair(&set), DIRAC_ERR_FORMAT);
    assert_message("images: is gzip-compressed; decompress it first");
    make_pair(3, 2);
    memset(images + 4, 0xff, 12); /* 2^96 elements */
    assert_status(load_pair(&set), DIRAC_ERR_FORMAT);
    assert_message("beyond the address space");
    make_pair(3, 3);
    labels_size = make_idx(labels, (const uint32_t[]){2}, 1, 1);
    assert_status(load_pair(&set), DIRAC_ERR_FORMAT);
    assert_message("2 labels, but images holds 3 images");
    labels_size = make_idx(labels, (const uint32_t[]){4}, 1, 1);
    assert_status(load_pair(&set), DIRAC_ERR_FORMAT);
    images_size = make_idx(images, (const uint32_t[]){2, 0x10000, 0}, 3, 0);
    assert_status(load_pair(&set), DIRAC_ERR_FORMAT);
    assert_message("byte 12: dimension 2 is 0");
    assert_status(dirac_dataset_load_idx_memory(&set, context, NULL, 0, labels, 1),
                  DIRAC_ERR_ARGUMENT);
    assert_status(dirac_dataset_load_idx_memory(&set, context, images, 1, NULL, 0),
                  DIRAC_ERR_ARGUMENT);
}

/* Names count against the load limit like all else: what the allocator is asked for at one time stays below it. */
static void test_names_and_limit(void **state)
{
    (void)state;
    static char text[10 * 6001];
    counting memory = {0};
    const uint64_t samples = 15 * (PIXELS + 4), limits[2] = {samples + 5 * RECORD10 + 10000, samples + 150000};
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 6001 == 6000 ? '\n' : (char)('a' + i / 6001);
    write_cifar10();
    write_file("batches.meta.txt", text, sizeof text);
    for (int i = 0; i < 2; i++) {
        dirac_context *limited;
        dirac_dataset *set = NULL, *other;
        assert_status(dirac_context_create_with_allocator(&limited, counting_allocate, counting_release, &memory),
                      DIRAC_OK);
        assert_status(dirac_context_set_load_limit(limited, limits[i]), DIRAC_OK);
        assert_status(dirac_dataset_create_images(&other, limited, 1, 1, 1), DIRAC_OK); /* what a first handle makes */
        const size_t before = memory.bytes;
        memory.peak = 0;
        assert_status(dirac_dataset_load_cifar10(&set, limited, folder, 0), i == 0 ? DIRAC_ERR_LIMIT : DIRAC_OK);
        assert_true(memory.peak - before <= limits[i]);
        if (i == 0)
            assert_message("batches.meta.txt");
        dirac_dataset_destroy(set);
        dirac_dataset_destroy(other);
        dirac_context_destroy(limited);
    }
    assert_int_equal(memory.alive, 0);
}

static void test_load_limit(void **state)
{
    (void)state;
    static uint8_t records[5 * RECORD10];
    char image_path[256];
    dirac_context *small, *enough;
    dirac_dataset *set;
    /* 15 images with an int32 label each, and beside them the largest file, of 5 records. */
    const uint64_t needed = 15 * (PIXELS + 4) + 5 * RECORD10;
    assert_status(dirac_context_create(&small), DIRAC_OK);
    assert_status(dirac_context_set_load_limit(small, needed - 1), DIRAC_OK);
    assert_status(dirac_context_create(&enough), DIRAC_OK);
    assert_status(dirac_context_set_load_limit(enough, needed), DIRAC_OK);
    write_cifar10();
    assert_status(dirac_dataset_load_cifar10(&set, small, folder, 0), DIRAC_ERR_LIMIT);
    assert_null(set);
    assert_status(dirac_dataset_load_cifar10(&set, enough, folder, 0), DIRAC_OK);
    dirac_dataset_destroy(set);
    dirac_context_destroy(small);
    dirac_context_destroy(enough);

    assert_status(dirac_context_create(&small), DIRAC_OK);
    assert_status(dirac_context_set_load_limit(small, 4096), DIRAC_OK);
    make_pair(3, 250);
    write_file("images", images, images_size);
    strcpy(image_path, path("images"));
    write_file("labels", labels, labels_size);
    assert_status(dirac_dataset_load_idx(&set, small, image_path, path("labels")), DIRAC_ERR_LIMIT);
    assert_status(dirac_dataset_load_idx_memory(&set, small, images, images_size, labels,
                                                labels_size),
                  DIRAC_ERR_LIMIT);
    assert_status(dirac_dataset_load_cifar_memory(&set, small, records,
                                                  make_cifar(records, 10, 0, 2), 10),
                  DIRAC_ERR_LIMIT);
    assert_null(set);
    dirac_context_destroy(small);
}

/* An allocator that fails from the `left`-th request on, and knows how many blocks are out. */
static struct {
    long left, out;
} faults;

static void *faulty_allocate(void *user, size_t size, size_t alignment)
{
    void *pointer = NULL;
    (void)user;
    if (faults.left-- <= 0 || posix_memalign(&pointer, alignment, size) != 0)
        return NULL;
    faults.out++;
    return pointer;
}

static void faulty_release(void *user, void *pointer, size_t size)
{
    (void)user;
    (void)size;
    faults.out--;
    free(pointer);
}

static void test_every_allocation_of_a_load_fails(void **state)
{
    (void)state;
    const char names[] = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
    char image_path[256];
    int32_t status = DIRAC_ERR_MEMORY;
    write_cifar10();
    write_file("batches.meta.txt", names, sizeof names - 1);
    make_pair(3, 2);
    write_file("images", images, images_size);
    strcpy(image_path, path("images"));
    write_file("labels", labels, labels_size);
    for (long n = 0; status != DIRAC_OK; n++) {
        dirac_context *own;
        dirac_dataset *set = NULL, *idx = NULL;
        faults.left = n;
        faults.out = 0;
        status = dirac_context_create_with_allocator(&own, faulty_allocate, faulty_release, NULL);
        if (status == DIRAC_OK)
            status = dirac_dataset_load_cifar10(&set, own, folder, DIRAC_SPLIT_TRAIN);
        if (status == DIRAC_OK)
            status = dirac_dataset_load_idx(&idx, own, image_path, path("labels"));
        assert_true(status == DIRAC_OK || status == DIRAC_ERR_MEMORY);
        dirac_dataset_destroy(set);
        dirac_dataset_destroy(idx);
        dirac_context_destroy(own);
        assert_int_equal(faults.out, 0);
        assert_true(n < 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cifar_memory),
        cmocka_unit_test(test_cifar_memory_refusals),
        cmocka_unit_test_teardown(test_cifar10_train, clean),
        cmocka_unit_test_teardown(test_cifar10_names_refused, clean),
        cmocka_unit_test_teardown(test_cifar_children, clean),
        cmocka_unit_test_teardown(test_cifar100_names, clean),
        cmocka_unit_test_teardown(test_cifar_bad_files, clean),
        cmocka_unit_test_teardown(test_idx, clean),
        cmocka_unit_test(test_idx_cut_and_extended),
        cmocka_unit_test(test_idx_corrupt_headers),
        cmocka_unit_test(test_idx_messages),
        cmocka_unit_test_teardown(test_load_limit, clean),
        cmocka_unit_test_teardown(test_names_and_limit, clean),
        cmocka_unit_test_teardown(test_every_allocation_of_a_load_fails, clean),
    };
    return cmocka_run_group_tests_name("data_files", tests, setup, teardown);
}
