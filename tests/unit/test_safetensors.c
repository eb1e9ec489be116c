/* SPDX-License-Identifier: MIT */
/*
 * The safetensors container. Witnesses: files written out here byte by byte after the format's description, and a plain
 * XXH64 written from its specification.
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "base/mem.h"
#include "io/checksum.h"
#include "io/safetensors.h"
#include "support/probe_memory.h"
#include "support/sanitizers.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define MEMORY (&dirac__default_memory)

/* ---- witnesses ---- */

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static uint64_t little(const unsigned char *bytes, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++) {
        value += (uint64_t)bytes[i] << 8 * i;
    }
    return value;
}

#define P1 UINT64_C(0x9E3779B185EBCA87)
#define P2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define P3 UINT64_C(0x165667B19E3779F9)
#define P4 UINT64_C(0x85EBCA77C2B2AE63)
#define P5 UINT64_C(0x27D4EB2F165667C5)

/* XXH64 with seed 0, as doc/xxhash_spec.md of xxHash puts it. */
static uint64_t twin_xxh64(const unsigned char *data, size_t size)
{
    const unsigned char *end = data + size;
    uint64_t sum = P5;
    if (size >= 32) {
        uint64_t lane[4] = {P1 + P2, P2, 0, 0 - P1};
        for (; end - data >= 32; data += 32) {
            for (int i = 0; i < 4; i++) {
                lane[i] = rotate(lane[i] + little(data + 8 * i, 8) * P2, 31) * P1;
            }
        }
        sum = rotate(lane[0], 1) + rotate(lane[1], 7) + rotate(lane[2], 12) + rotate(lane[3], 18);
        for (int i = 0; i < 4; i++) {
            sum = (sum ^ rotate(lane[i] * P2, 31) * P1) * P1 + P4;
        }
    }
    sum += size;
    for (; end - data >= 8; data += 8) {
        sum = rotate(sum ^ rotate(little(data, 8) * P2, 31) * P1, 27) * P1 + P4;
    }
    if (end - data >= 4) {
        sum = rotate(sum ^ little(data, 4) * P1, 23) * P2 + P3;
        data += 4;
    }
    for (; data < end; data++) {
        sum = rotate(sum ^ *data * P5, 11) * P1;
    }
    sum = (sum ^ sum >> 33) * P2;
    sum = (sum ^ sum >> 29) * P3;
    return sum ^ sum >> 32;
}

/* A file from its header's text and data. */
typedef struct image {
    unsigned char bytes[4096];
    size_t size;
} image;

static void make(image *file, const char *json, const void *data, size_t size)
{
    size_t length = strlen(json);
    assert_true(8 + length + size <= sizeof file->bytes);
    for (int i = 0; i < 8; i++) {
        file->bytes[i] = (unsigned char)(length >> 8 * i);
    }
    memcpy(file->bytes + 8, json, length);
    if (size > 0) {
        memcpy(file->bytes + 8 + length, data, size);
    }
    file->size = 8 + length + size;
}

/* Replaces the 16 zeros behind "xxh64:" by the twin's digits. */
static void sign(image *file)
{
    char digits[17];
    unsigned char *place = file->bytes + 8;
    while (memcmp(place, "xxh64:0000000000000000", 22) != 0) {
        place++;
        assert_true(place < file->bytes + file->size);
    }
    snprintf(digits, sizeof digits, "%016" PRIx64, twin_xxh64(file->bytes, file->size));
    memcpy(place + 6, digits, 16);
}

static dirac__safetensors *read_image(const image *file)
{
    dirac__safetensors *read;
    if (dirac__safetensors_open_memory(&read, MEMORY, file->bytes, file->size, UINT64_MAX) !=
        DIRAC_OK) {
        print_message("%s\n", dirac__fail_text());
        fail();
    }
    return read;
}

/* The buffer is refused with FORMAT and a message that has `reason`. */
static void assert_refused(const image *file, const char *reason)
{
    dirac__safetensors *read = (dirac__safetensors *)&read;
    assert_int_equal(
        dirac__safetensors_open_memory(&read, MEMORY, file->bytes, file->size, UINT64_MAX),
        DIRAC_ERR_FORMAT);
    assert_null(read);
    if (strstr(dirac__fail_text(), reason) == NULL ||
        strstr(dirac__fail_text(), "\"buffer\"") == NULL) {
        print_message("wanted: %s\nfound:  %s\n", reason, dirac__fail_text());
        fail();
    }
}

/* ---- the checksum ---- */

static void test_checksum(void **state)
{
    static const struct {
        const char *text, *digits;
    } published[] = {
        {"", "ef46db3751d8e999"},
        {"a", "d24ec4f1a98c6e5b"},
        {"abc", "44bc2cf5ad770999"},
    };
    unsigned char bytes[300];
    char digits[17], expected[17];
    dirac__checksum sum;
    (void)state;
    for (size_t i = 0; i < COUNT(published); i++) {
        dirac__checksum_begin(&sum);
        dirac__checksum_add(&sum, published[i].text, strlen(published[i].text));
        dirac__checksum_digits(&sum, digits);
        assert_string_equal(digits, published[i].digits);
        assert_int_equal(
            twin_xxh64((const unsigned char *)published[i].text, strlen(published[i].text)),
            strtoull(digits, NULL, 16));
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(i * i + 7 * i);
    }
    for (size_t size = 0; size <= sizeof bytes; size++) {
        for (size_t piece = 1; piece < 70; piece += 11) {
            dirac__checksum_begin(&sum);
            for (size_t at = 0; at < size; at += piece) {
                dirac__checksum_add(&sum, bytes + at, size - at < piece ? size - at : piece);
            }
            dirac__checksum_digits(&sum, digits);
            snprintf(expected, sizeof expected, "%016" PRIx64, twin_xxh64(bytes, size));
            assert_string_equal(digits, expected);
        }
    }
}

/* ---- writing ---- */

/* Two small tensors, byte for byte. 1.0f is 3f800000, -2.0f c0000000, 0.5f 3f000000. */
static void test_written_bytes(void **state)
{
    static const char json[] =
        "{\"__metadata__\":{\"format\":\"dirac\",\"dirac.version\":\"1\","
        "\"dirac.checksum\":\"xxh64:0000000000000000\",\"note\":\"a \\\"b\\\"\\n\"},"
        "\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[1,3],\"data_offsets\":[0,12]},"
        "\"n\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[12,13]}}       ";
    static const unsigned char data[] = {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x3f, 0x2a};
    static const float weights[3] = {1.0f, -2.0f, 0.5f};
    static const unsigned char number = 42;
    const dirac__file_tensor tensors[] = {
        {"fc.weight", DIRAC__DTYPE_F32, 2, {1, 3}, weights, 12},
        {"n", DIRAC__DTYPE_U8, 0, {0}, &number, 1},
    };
    const dirac__file_text texts[] = {{"note", "a \"b\"\n"}};
    image expected;
    void *written;
    size_t size;
    (void)state;
    assert_int_equal(strlen(json) % 8, 0);
    make(&expected, json, data, sizeof data);
    sign(&expected);
    assert_int_equal(dirac__safetensors_write_memory(MEMORY, &written, &size, tensors, 2, texts, 1),
                     DIRAC_OK);
    assert_int_equal(size, expected.size);
    assert_memory_equal(written, expected.bytes, size);
    dirac__free(MEMORY, written);
}

/* All types and ranks, empty tensors, difficult names; into memory and a file. */
static void check_round_trip(const dirac__safetensors *read, const dirac__file_tensor *tensors,
                             size_t n_tensors, const dirac__file_text *texts, size_t n_texts)
{
    size_t count;
    const dirac__file_text *found = dirac__safetensors_texts(read, &count);
    assert_int_equal(count, n_texts + 3);
    for (size_t i = 0; i < n_texts; i++) {
        assert_string_equal(found[i + 3].key, texts[i].key);
        assert_string_equal(found[i + 3].value, texts[i].value);
        assert_string_equal(dirac__safetensors_text(read, texts[i].key), texts[i].value);
    }
    assert_string_equal(dirac__safetensors_text(read, "format"), "dirac");
    assert_null(dirac__safetensors_text(read, "no such text"));
    dirac__safetensors_tensors(read, &count);
    assert_int_equal(count, n_tensors);
    for (size_t i = 0; i < n_tensors; i++) {
        const dirac__file_tensor *tensor = dirac__safetensors_find(read, tensors[i].name);
        unsigned char bytes[64];
        assert_non_null(tensor);
        assert_string_equal(tensor->name, tensors[i].name);
        assert_int_equal(tensor->dtype, tensors[i].dtype);
        assert_int_equal(tensor->rank, tensors[i].rank);
        assert_memory_equal(tensor->dims, tensors[i].dims,
                            (size_t)tensor->rank * sizeof tensor->dims[0]);
        assert_int_equal(tensor->bytes, tensors[i].bytes);
        dirac__safetensors_copy(tensor, bytes);
        assert_memory_equal(bytes, tensors[i].data, tensor->bytes);
    }
    assert_null(dirac__safetensors_find(read, "no such tensor"));
    assert_null(dirac__safetensors_find(read, "__metadata__"));
}

static void test_round_trip(void **state)
{
    static const double d[2] = {0.1, -1e300};
    static const float f[6] = {1, 2, 3, NAN, INFINITY, -0.0f};
    static const uint16_t h[3] = {0x3c00, 0xfc00, 1};
    static const int64_t n[1] = {INT64_MIN};
    static const uint8_t u[3] = {0, 255, 7};
    static const dirac__file_tensor tensors[] = {
        {"n", DIRAC__DTYPE_I64, 0, {0}, n, 8},
        {"d", DIRAC__DTYPE_F64, 1, {2}, d, 16},
        {"f", DIRAC__DTYPE_F32, 8, {1, 1, 2, 1, 1, 3, 1, 1}, f, 24},
        {"none", DIRAC__DTYPE_F32, 2, {0, 5}, NULL, 0},
        {"half", DIRAC__DTYPE_F16, 1, {3}, h, 6},
        {"bf", DIRAC__DTYPE_BF16, 3, {1, 3, 1}, h, 6},
        {"u", DIRAC__DTYPE_U8, 1, {3}, u, 3},
        {"a name \"with\" \\ \x01 \xc3\xa9 {}[]:,", DIRAC__DTYPE_U8, 1, {1}, u, 1},
        {"none at the end", DIRAC__DTYPE_I64, 1, {0}, NULL, 0},
        {"dirac.checksum", DIRAC__DTYPE_U8, 1, {1}, u, 1},
    };
    static const dirac__file_text texts[] = {
        {"", "empty key"},
        {"\"dirac.checksum\":\"xxh64:0123456789abcdef\"",
         "\"dirac.checksum\":\"xxh64:0123456789abcdef\""},
        {"empty value", ""},
        {"dirac.graph", "{\"a\":[1,2,{}]}"},
        {"lines", "one\ntwo\ttabs \xf0\x9f\x98\x80"},
    };
    char path[] = "/tmp/dirac-safetensors-XXXXXX";
    dirac__safetensors *read;
    void *written;
    size_t size;
    uint64_t header;
    (void)state;
    assert_int_equal(dirac__safetensors_write_memory(MEMORY, &written, &size, tensors,
                                                     COUNT(tensors), texts, COUNT(texts)),
                     DIRAC_OK);
    header = little(written, 8);
    assert_int_equal(header % 8, 0);
    assert_int_equal(dirac__safetensors_open_memory(&read, MEMORY, written, size, UINT64_MAX),
                     DIRAC_OK);
    check_round_trip(read, tensors, COUNT(tensors), texts, COUNT(texts));
    assert_string_equal(dirac__safetensors_name(read), "buffer");
    dirac__safetensors_close(read);

    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(
        dirac__safetensors_write(MEMORY, path, tensors, COUNT(tensors), texts, COUNT(texts), NULL),
        DIRAC_OK);
    assert_int_equal(dirac__safetensors_open(&read, MEMORY, path, UINT64_MAX, NULL), DIRAC_OK);
    check_round_trip(read, tensors, COUNT(tensors), texts, COUNT(texts));
    assert_string_equal(dirac__safetensors_name(read), path);
    dirac__safetensors_close(read);
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    unsigned char *again = malloc(size + 1);
    assert_int_equal(fread(again, 1, size + 1, stream), size);
    fclose(stream);
    assert_memory_equal(again, written, size);
    free(again);
    unlink(path);
    dirac__free(MEMORY, written);
    dirac__safetensors_close(NULL);
}

static void test_nothing(void **state)
{
    dirac__safetensors *read;
    void *written;
    size_t size, count;
    (void)state;
    assert_int_equal(dirac__safetensors_write_memory(MEMORY, &written, &size, NULL, 0, NULL, 0),
                     DIRAC_OK);
    assert_int_equal(dirac__safetensors_open_memory(&read, MEMORY, written, size, UINT64_MAX),
                     DIRAC_OK);
    dirac__safetensors_tensors(read, &count);
    assert_int_equal(count, 0);
    assert_null(dirac__safetensors_find(read, ""));
    dirac__safetensors_close(read);
    dirac__free(MEMORY, written);
}

static void assert_unwritable(const dirac__file_tensor *tensors, size_t n_tensors,
                              const dirac__file_text *texts, size_t n_texts, const char *reason)
{
    void *written = &written;
    size_t size = 1;
    assert_int_equal(dirac__safetensors_write_memory(MEMORY, &written, &size, tensors, n_tensors,
                                                     texts, n_texts),
                     DIRAC_ERR_ARGUMENT);
    assert_null(written);
    assert_int_equal(size, 0);
    assert_non_null(strstr(dirac__fail_text(), reason));
}

static void test_unwritable(void **state)
{
    static const float f[4] = {0};
    static const dirac__file_tensor bad[] = {
        {"x", DIRAC__DTYPE_F32, 1, {3}, f, 16},
        {"x", DIRAC__DTYPE_F32, 1, {-4}, f, 16},
        {"x", DIRAC__DTYPE_F32, 9, {1, 1, 1, 1, 1, 1, 1, 4}, f, 16},
        {"x", DIRAC__DTYPE_F32, -1, {4}, f, 16},
        {"x", 6, 1, {4}, f, 16},
        {"x", -1, 1, {4}, f, 16},
        {"x", DIRAC__DTYPE_F32, 1, {4}, NULL, 16},
        {"x", DIRAC__DTYPE_F32, 2, {INT64_MAX, 4}, f, 16},
        {"x",
         DIRAC__DTYPE_F32,
         3,
         {INT64_C(1) << 32, INT64_C(1) << 32, 4},
         f,
         0}, /* 0 modulo 2^64 */
    };
    static const dirac__file_tensor unnamed[] = {
        {"", DIRAC__DTYPE_F32, 1, {4}, f, 16},
        {NULL, DIRAC__DTYPE_F32, 1, {4}, f, 16},
        {"__metadata__", DIRAC__DTYPE_F32, 1, {4}, f, 16},
        {"\xff", DIRAC__DTYPE_F32, 1, {4}, f, 16},
    };
    static const dirac__file_tensor twice[] = {
        {"x", DIRAC__DTYPE_F32, 1, {4}, f, 16},
        {"y", DIRAC__DTYPE_F32, 1, {4}, f, 16},
        {"x", DIRAC__DTYPE_F32, 1, {4}, f, 16},
    };
    static const dirac__file_text reserved[] = {
        {"format", "x"}, {"dirac.version", "1"}, {"dirac.checksum", ""}};
    static const dirac__file_text broken[] = {
        {"k", "\xc3"}, {"\x80", "v"}, {NULL, "v"}, {"k", NULL}};
    static const dirac__file_text same[] = {{"k", "1"}, {"k", "2"}};
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_unwritable(&bad[i], 1, NULL, 0, "tensor \"x\"");
    }
    for (size_t i = 0; i < COUNT(unnamed); i++) {
        assert_unwritable(&unnamed[i], 1, NULL, 0, "tensor 0");
    }
    for (size_t i = 0; i < COUNT(reserved); i++) {
        assert_unwritable(NULL, 0, &reserved[i], 1, reserved[i].key);
    }
    for (size_t i = 0; i < COUNT(broken); i++) {
        assert_unwritable(NULL, 0, &broken[i], 1, "text 0");
    }
    assert_unwritable(twice, 3, NULL, 0, "two tensors");
    assert_unwritable(NULL, 0, same, 2, "two texts");
}

/* A header beyond the format's 100 MB is refused, not written. */
static void test_header_too_long(void **state)
{
    const size_t length = 10000000;
    dirac__file_text texts[10];
    char keys[10][2], *value = malloc(length + 1);
    void *written;
    size_t size;
    (void)state;
    assert_non_null(value);
    memset(value, 'v', length);
    value[length] = '\0';
    for (int i = 0; i < 10; i++) {
        keys[i][0] = (char)('a' + i);
        keys[i][1] = '\0';
        texts[i] = (dirac__file_text){keys[i], value};
    }
    assert_int_equal(dirac__safetensors_write_memory(MEMORY, &written, &size, NULL, 0, texts, 10),
                     DIRAC_ERR_LIMIT);
    assert_null(written);
    free(value);
}

static int32_t write_one(const char *name, const char *key, const char *value)
{
    static const float f = 1;
    const dirac__file_tensor tensor = {name, DIRAC__DTYPE_F32, 0, {0}, &f, sizeof f};
    const dirac__file_text text = {key, value};
    dirac__safetensors *read;
    void *written;
    size_t size;
    const int32_t status = dirac__safetensors_write_memory(MEMORY, &written, &size, &tensor, 1, &text, 1);
    if (status == DIRAC_OK) {
        assert_int_equal(dirac__safetensors_open_memory(&read, MEMORY, written, size, UINT64_MAX), DIRAC_OK);
        assert_non_null(dirac__safetensors_find(read, name));
        assert_string_equal(dirac__safetensors_text(read, key), value);
        dirac__safetensors_close(read);
        dirac__free(MEMORY, written);
    }
    return status;
}

/* What is written can be read: names, keys and texts up to the reader's limit, and no longer ones. */
static void test_longest_strings(void **state)
{
    const size_t most = (size_t)1 << 24;
    char *text = malloc(most + 2);
    (void)state;
    assert_non_null(text);
    memset(text, 't', most + 1);
    for (size_t length = most; length <= most + 1; length++) {
        const int32_t status = length <= most ? DIRAC_OK : DIRAC_ERR_LIMIT;
        text[length] = '\0';
        assert_int_equal(write_one("x", "k", text), status);
        assert_int_equal(write_one("x", text, "v"), status);
        assert_int_equal(write_one(text, "k", "v"), status);
        text[length] = 't';
    }
    assert_non_null(strstr(dirac__fail_text(), "16777217 bytes; at most 16777216"));
    free(text);
}

/* The header's own values are the root, __metadata__ and the three marks. */
static void test_most_texts(void **state)
{
    const size_t most = ((size_t)1 << 21) - 5;
    if (ADDRESS_SANITIZER)
        skip(); /* two million texts take most of a minute there, and nothing that fewer do not */
    dirac__file_text *texts = malloc((most + 1) * sizeof *texts);
    char(*keys)[8] = malloc((most + 1) * sizeof *keys);
    dirac__safetensors *read;
    void *written;
    size_t size, count;
    (void)state;
    assert_non_null(texts);
    assert_non_null(keys);
    for (size_t i = 0; i <= most; i++) {
        snprintf(keys[i], sizeof keys[i], "%06x", (unsigned)i);
        texts[i] = (dirac__file_text){keys[i], ""};
    }
    assert_int_equal(dirac__safetensors_write_memory(MEMORY, &written, &size, NULL, 0, texts, most), DIRAC_OK);
    assert_int_equal(dirac__safetensors_open_memory(&read, MEMORY, written, size, UINT64_MAX), DIRAC_OK);
    dirac__safetensors_texts(read, &count);
    assert_int_equal(count, most + 3);
    dirac__safetensors_close(read);
    dirac__free(MEMORY, written);
    assert_int_equal(dirac__safetensors_write_memory(MEMORY, &written, &size, NULL, 0, texts, most + 1),
                     DIRAC_ERR_LIMIT);
    assert_non_null(strstr(dirac__fail_text(), "at most 2097152"));
    free(texts);
    free(keys);
}

static void test_unwritable_path(void **state)
{
    dirac__safetensors *read;
    (void)state;
    assert_int_equal(dirac__safetensors_write(MEMORY, "/missing/dir/f", NULL, 0, NULL, 0, NULL),
                     DIRAC_ERR_IO);
    assert_non_null(strstr(dirac__fail_text(), "/missing/dir/f"));
    assert_int_equal(dirac__safetensors_open(&read, MEMORY, "/missing/dir/f", UINT64_MAX, NULL),
                     DIRAC_ERR_IO);
    assert_null(read);
    assert_non_null(strstr(dirac__fail_text(), "/missing/dir/f"));
}

/* ---- reading what others wrote ---- */

/* No checksum, blanks in the JSON, tensors out of order, data at an odd address. */
static void test_foreign(void **state)
{
    static const char json[] =
        "{ \"b\" : { \"shape\":[2], \"data_offsets\" : [3, 7], \"dtype\":\"BF16\"},\n"
        "\"empty\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[3,3]},"
        "\"a\":{\"dtype\":\"U8\",\"shape\":[3,1],\"data_offsets\":[0,3]}, "
        "\"__metadata__\":{\"format\":\"pt\"} }  ";
    static const unsigned char data[] = {1, 2, 3, 0x80, 0x3f, 0x00, 0xc0};
    static const char *const order[] = {"a", "empty", "b"};
    image file;
    size_t count;
    float values[2];
    (void)state;
    make(&file, json, data, sizeof data);
    dirac__safetensors *read = read_image(&file);
    const dirac__file_tensor *tensors = dirac__safetensors_tensors(read, &count);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(tensors[i].name, order[i]);
    }
    assert_string_equal(dirac__safetensors_text(read, "format"), "pt");
    assert_int_equal(dirac__safetensors_to_float(read, dirac__safetensors_find(read, "b"), values),
                     DIRAC_OK);
    assert_true(values[0] == 1.0f && values[1] == -2.0f);
    dirac__safetensors_close(read);
    make(&file, "{}", NULL, 0);
    read = read_image(&file);
    assert_null(dirac__safetensors_texts(read, &count));
    assert_int_equal(count, 0);
    dirac__safetensors_close(read);
}

/* A checksum of another writer: other blanks, other place, and then damage. */
static void test_foreign_checksum(void **state)
{
    static const char json[] =
        "{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"__metadata__\": "
        "{\"k\":\"dirac.checksum\", \"dirac.checksum\"\n:\t\"xxh64:0000000000000000\" }}";
    image file;
    (void)state;
    make(&file, json, "x", 1);
    assert_refused(&file, "the checksum ");
    assert_refused(&file, "does not match the stored 0000000000000000: the file is damaged");
    sign(&file);
    dirac__safetensors_close(read_image(&file));
    file.bytes[file.size - 1] ^= 1;
    assert_refused(&file, "the file is damaged");
}

static void test_bad_checksums(void **state)
{
    static const char *const values[] = {"",
                                         "xxh64:",
                                         "xxh64:000000000000000",
                                         "xxh64:00000000000000000",
                                         "xxh64:000000000000000G",
                                         "xxh64:ABCDEF0000000000",
                                         "sha256:0000000000000000",
                                         "xxh64:\\u0030000000000000000"};
    image file;
    char json[200];
    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        snprintf(json, sizeof json, "{\"__metadata__\":{\"dirac.checksum\":\"%s\"}}", values[i]);
        make(&file, json, NULL, 0);
        assert_refused(&file, "16 hexadecimal digits");
    }
}

/* Our marks come together, in the version that is read. */
static void test_marks(void **state)
{
    static const struct {
        const char *metadata, *reason;
    } bad[] = {
        {"\"format\":\"dirac\"", "lacks dirac.version"},
        {"\"format\":\"dirac\",\"dirac.version\":\"1\"", "lacks dirac.checksum"},
        {"\"dirac.version\":\"1\",\"dirac.checksum\":\"xxh64:0000000000000000\"",
         "lacks \"format\""},
        {"\"format\":\"pt\",\"dirac.version\":\"1\"", "lacks \"format\""},
        {"\"format\":\"dirac\",\"dirac.version\":\"2\",\"dirac.checksum\":\"xxh64:0000000000000000\"",
         "version \"2\"; this library reads \"1\""},
        {"\"format\":1", "not a string, \"format\""},
        {"\"a\":null", "not a string, \"a\""},
        {"\"a\":{}", "not a string, \"a\""},
    };
    image file;
    char json[200];
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        snprintf(json, sizeof json, "{\"__metadata__\":{%s}}", bad[i].metadata);
        make(&file, json, NULL, 0);
        if (strstr(json, "0000000000000000") != NULL) {
            sign(&file);
        }
        assert_refused(&file, bad[i].reason);
    }
}

/* ---- broken headers ---- */

#define ENTRY(dtype, shape, offsets) \
    "{\"x\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define MEMBER(name, begin, end, count) \
    "\"" name "\":{\"dtype\":\"U8\",\"shape\":[" count "],\"data_offsets\":[" begin "," end "]}"

static void test_bad_headers(void **state)
{
    static const struct {
        const char *json;
        size_t data;
        const char *reason;
    } bad[] = {
        {"[]", 0, "not a JSON object"},
        {" {}", 0, "not a JSON object"},
        {"{", 0, "not a JSON object"},
        {"", 0, "not a JSON object"},
        {"{}x", 0, "header"},
        {"{\"x\":}", 0, "header"},
        {"{\"__metadata__\":[]}", 0, "__metadata__ is not an object"},
        {"{\"__metadata__\":null}", 0, "__metadata__ is not an object"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "header"},
        {"{\"x\":1}", 0, "tensor \"x\" is not an object of"},
        {"{\"x\":{}}", 0, "tensor \"x\" is not an object of"},
        {"{\"x\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1],\"more\":1}}", 1,
         "tensor \"x\" is not an object"},
        {"{\"x\":{\"dtype\":\"U8\",\"shape\":[],\"offsets\":[0,1]}}", 1, "data_offsets"},
        {"{\"x\":{\"dtypes\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, "dtype"},
        {"{\"x\":{\"dtype\":\"U8\",\"shapes\":[],\"data_offsets\":[0,1]}}", 1, "shape"},
        {"{\"x\":{\"dtype\":1,\"shape\":[],\"data_offsets\":[0,1]}}", 1, "dtype"},
        {ENTRY("F8_E4M3", "[1]", "[0,1]"), 1, "tensor \"x\" has dtype \"F8_E4M3\"; known are"},
        {ENTRY("f32", "[1]", "[0,4]"), 4, "dtype \"f32\""},
        {ENTRY("", "[1]", "[0,4]"), 4, "dtype \"\""},
        {ENTRY("U8", "[-1]", "[0,1]"), 1, "shape"},
        {ENTRY("U8", "[1.0]", "[0,1]"), 1, "shape"},
        {ENTRY("U8", "[\"1\"]", "[0,1]"), 1, "shape"},
        {ENTRY("U8", "1", "[0,1]"), 1, "shape"},
        {ENTRY("U8", "{\"a\":1}", "[0,1]"), 1, "shape"},
        {ENTRY("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, "at most 8 sizes"},
        {ENTRY("U8", "[9223372036854775808]", "[0,1]"), 1, "shape"},
        {ENTRY("F32", "[4611686018427387905]", "[0,4]"), 4, "more bytes than"},  /* 4 modulo 2^64 */
        {ENTRY("U8", "[4294967296,4294967296]", "[0,0]"), 0, "more bytes than"}, /* 0 modulo 2^64 */
        {ENTRY("U8", "[9223372036854775807,2,9223372036854775807]", "[0,2]"), 2, "more bytes than"},
        {ENTRY("F32", "[2]", "[0,4]"), 4,
         "tensor \"x\" has 4 bytes, data_offsets 0 to 4; its dtype and shape need 8"},
        {ENTRY("F32", "[0]", "[0,4]"), 4, "need 0"},
        {ENTRY("F32", "[]", "[0,0]"), 0, "need 4"},
        {ENTRY("U8", "[1]", "[0]"), 1, "data_offsets"},
        {ENTRY("U8", "[1]", "[0,1,2]"), 1, "data_offsets"},
        {ENTRY("U8", "[1]", "[0,true]"), 1, "data_offsets"},
        {ENTRY("U8", "[1]", "[0.0,1]"), 1, "data_offsets"},
        {ENTRY("U8", "[1]", "1"), 1, "data_offsets"},
        {ENTRY("U8", "[1]", "[0,18446744073709551617]"), 1, "data_offsets"},
        {ENTRY("U8", "[1]", "[-1,0]"), 1, "data_offsets -1 to 0"},
        {ENTRY("U8", "[1]", "[1,0]"), 1,
         "data_offsets 1 to 0; the data of the file are bytes 0 to 1"},
        {ENTRY("U8", "[1]", "[1,2]"), 1, "data_offsets 1 to 2"},
        {ENTRY("U8", "[1]", "[9223372036854775806,9223372036854775807]"), 1,
         "data_offsets 9223372036854775806 to"},
        {ENTRY("U8", "[1]", "[1,2]"), 2,
         "tensor \"x\" at data offset 1 leaves a gap behind what ends at offset 0"},
        {ENTRY("U8", "[1]", "[0,1]"), 2, "1 bytes from data offset 1 on belong to no tensor"},
        {"{}", 1, "1 bytes from data offset 0 on belong to no tensor"},
        {"{" MEMBER("a", "0", "2", "2") "," MEMBER("b", "1", "3", "2") "}", 3,
         "tensor \"b\" at data offset 1 overlaps"},
        {"{" MEMBER("a", "0", "3", "3") "," MEMBER("b", "1", "2", "1") "}", 3,
         "overlaps what goes on to offset 3"},
        {"{" MEMBER("a", "0", "1", "1") "," MEMBER("b", "2", "3", "1") "}", 3,
         "tensor \"b\" at data offset 2 leaves a gap"},
        {"{" MEMBER("a", "0", "2", "2") "," MEMBER("b", "0", "2", "2") "}", 2, "overlaps"},
        {"{" MEMBER("a", "0", "2", "2") "," MEMBER("b", "1", "1", "0") "}", 2, "overlaps"},
        {"{" MEMBER("a", "0", "1", "1") "," MEMBER("a", "1", "2", "1") "}", 2, "header"},
        {"{" MEMBER("a", "0", "1", "1") "," MEMBER("\\u0061", "1", "2", "1") "}", 2, "header"},
        {"{" MEMBER("a\\u0000", "0", "1", "1") "}", 1, "header"},
        {"{" MEMBER("\xff", "0", "1", "1") "}", 1, "header"},
    };
    static const unsigned char data[16] = {0};
    image file;
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        make(&file, bad[i].json, data, bad[i].data);
        assert_refused(&file, bad[i].reason);
    }
}

static void test_header_lengths(void **state)
{
    static const uint64_t lengths[] = {
        0, 1, 3, 100, 100000000, 100000001, INT64_MAX, UINT64_MAX - 7, UINT64_MAX};
    image file;
    (void)state;
    make(&file, "{}", NULL, 0);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        for (int j = 0; j < 8; j++) {
            file.bytes[j] = (unsigned char)(lengths[i] >> 8 * j);
        }
        assert_refused(&file, lengths[i] < 2 ? "not a JSON object" : "announce");
    }
    for (file.size = 0; file.size < 8; file.size++) {
        assert_refused(&file, "too few");
    }
}

static void test_deep(void **state)
{
    image file;
    char json[1000] = "{\"x\":";
    dirac__safetensors *read;
    (void)state;
    memset(json + 5, '[', 900);
    make(&file, json, NULL, 0);
    int32_t status = dirac__safetensors_open_memory(&read, MEMORY, file.bytes, file.size,
                                                    UINT64_MAX);
    assert_true(status == DIRAC_ERR_FORMAT || status == DIRAC_ERR_LIMIT);
    assert_null(read);
}

/* The message stays readable whatever a hostile name looks like. */
static void test_long_names(void **state)
{
    image file;
    char json[2000] = "{\"";
    (void)state;
    for (int i = 0; i < 700; i++) {
        memcpy(json + 2 + 2 * i, "\xc3\xa9", 2);
    }
    strcpy(json + 2 + 1400, "\":1}");
    make(&file, json, NULL, 0);
    assert_refused(&file, "is not an object of dtype, shape and data_offsets");
}

/* ---- damage ---- */

/* A file of ours with everything in it, small enough to break at every byte. */
static void small_file(image *file)
{
    static const float f[3] = {1.5f, -2, 3e-3f};
    static const uint8_t u[2] = {1, 2};
    static const dirac__file_tensor tensors[] = {
        {"a.weight", DIRAC__DTYPE_F32, 1, {3}, f, 12},
        {"b", DIRAC__DTYPE_U8, 2, {2, 1}, u, 2},
    };
    static const dirac__file_text texts[] = {{"k", "v"}};
    void *written;
    assert_int_equal(
        dirac__safetensors_write_memory(MEMORY, &written, &file->size, tensors, 2, texts, 1),
        DIRAC_OK);
    assert_true(file->size <= sizeof file->bytes);
    memcpy(file->bytes, written, file->size);
    dirac__free(MEMORY, written);
}

/* Each prefix is refused. A copy of exactly its size lets tools see reads behind the end. */
static void test_truncated(void **state)
{
    image file;
    (void)state;
    small_file(&file);
    dirac__safetensors_close(read_image(&file));
    for (size_t size = 0; size < file.size; size++) {
        dirac__safetensors *read;
        unsigned char *cut = malloc(size + (size == 0));
        assert_non_null(cut);
        memcpy(cut, file.bytes, size);
        assert_int_equal(dirac__safetensors_open_memory(&read, MEMORY, cut, size, UINT64_MAX),
                         DIRAC_ERR_FORMAT);
        assert_null(read);
        free(cut);
    }
    char lengths[80];
    snprintf(lengths, sizeof lengths, "is cut off: it has %zu bytes, its header tells of %zu", file.size - 5, file.size);
    file.size -= 5;
    assert_refused(&file, lengths);
    file.size += 5;
    file.bytes[file.size++] = 0;
    assert_refused(&file, "damaged");
}

/* Each byte, replaced by each other value, is refused. */
static void test_flipped(void **state)
{
    image file;
    (void)state;
    small_file(&file);
    for (size_t at = 0; at < file.size; at++) {
        unsigned char right = file.bytes[at];
        for (int change = 1; change < 256; change++) {
            dirac__safetensors *read;
            file.bytes[at] = (unsigned char)(right ^ change);
            int32_t status = dirac__safetensors_open_memory(&read, MEMORY, file.bytes, file.size,
                                                            UINT64_MAX);
            if (status != DIRAC_ERR_FORMAT) {
                print_message("byte %zu as %02x: status %d\n", at, file.bytes[at], (int)status);
                fail();
            }
        }
        file.bytes[at] = right;
    }
    dirac__safetensors_close(read_image(&file));
}

/* ---- limits and memory ---- */

/* Below some limit it is refused with LIMIT, from there on read; never anything else, and never more than the limit. */
static void test_limit(void **state)
{
    image file;
    probe p;
    const dirac__memory memory = probe_memory(&p);
    char path[] = "/tmp/dirac-safetensors-XXXXXX";
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    small_file(&file);
    assert_int_equal(write(fd, file.bytes, file.size), file.size);
    close(fd);
    for (int from_file = 0; from_file <= 1; from_file++) {
        bool was_read = false;
        for (uint64_t limit = 0; limit < 8192; limit++) {
            dirac__safetensors *read;
            int32_t status = from_file ? dirac__safetensors_open(&read, &memory, path, limit, NULL)
                                       : dirac__safetensors_open_memory(&read, &memory, file.bytes,
                                                                        file.size, limit);
            assert_int_equal(status, status == DIRAC_OK || was_read ? DIRAC_OK : DIRAC_ERR_LIMIT);
            was_read = status == DIRAC_OK;
            assert_true((read != NULL) == was_read);
            assert_true(p.bytes <= limit || !was_read);
            dirac__safetensors_close(read);
            assert_int_equal(p.alive, 0);
        }
        assert_true(was_read);
    }
    assert_int_equal(p.wrong, 0);
    unlink(path);
}

/* Every allocation fails once, in reading and writing. */
static void test_no_memory(void **state)
{
    static const float f[2] = {1, 2};
    const dirac__file_tensor tensor = {"x", DIRAC__DTYPE_F32, 1, {2}, f, 8};
    const dirac__file_text text = {"k", "v"};
    probe p;
    const dirac__memory memory = probe_memory(&p);
    char path[] = "/tmp/dirac-safetensors-XXXXXX";
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    close(fd);
    for (int what = 0; what < 3; what++) {
        int32_t status = DIRAC_ERR_MEMORY;
        for (size_t n = 1; status == DIRAC_ERR_MEMORY; n++) {
            dirac__safetensors *read = NULL;
            void *written = NULL;
            size_t size;
            p.requests = 0;
            p.refuse_at = n;
            if (what == 0) {
                status = dirac__safetensors_write_memory(&memory, &written, &size, &tensor, 1,
                                                         &text, 1);
            } else if (what == 1) {
                status = dirac__safetensors_write(&memory, path, &tensor, 1, &text, 1, NULL);
            } else {
                status = dirac__safetensors_open(&read, &memory, path, UINT64_MAX, NULL);
            }
            assert_true((status == DIRAC_OK) == (p.requests < n));
            dirac__safetensors_close(read);
            dirac__free(&memory, written);
            assert_int_equal(p.alive, 0);
        }
        assert_int_equal(status, DIRAC_OK);
    }
    assert_int_equal(p.wrong, 0);
    unlink(path);
}

/* ---- floats ---- */

/* Known bit patterns of each type; see IEEE 754 for the 64-bit ones. */
static void test_to_float(void **state)
{
    static const char json[] =
        "{\"u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
        "\"d\":{\"dtype\":\"F64\",\"shape\":[4],\"data_offsets\":[1,33]},"
        "\"h\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[33,39]},"
        "\"b\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[39,43]},"
        "\"f\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[43,51]},"
        "\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[51,59]},"
        "\"big\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[59,75]}}";
    static const unsigned char data[] = {
        7,    0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f, /* 0.1 */
        0,    0,    0,    0,    0,    0,    0xf0, 0xff,       /* -infinity */
        0,    0,    0,    0,    0,    0,    0xf8, 0x7f,       /* NaN */
        0,    0,    0,    0xe0, 0xff, 0xff, 0xef, 0x47,       /* FLT_MAX */
        0x00, 0x3c, 0x01, 0x00, 0xff, 0xfb,                   /* 1, 2^-24, -65504 */
        0x80, 0x3f, 0x49, 0xc0,                               /* 1, -3.140625 */
        0,    0,    0x80, 0x3f, 0x01, 0,    0,    0x80,       /* 1, -2^-149 */
        1,    2,    3,    4,    5,    6,    7,    0x88,       /* an int64_t */
        0,    0,    0,    0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0xf0, 0x47, /* 0, 2^128 */
    };
    float out[4];
    int64_t number;
    image file;
    (void)state;
    make(&file, json, data, sizeof data);
    dirac__safetensors *read = read_image(&file);
    assert_int_equal(dirac__safetensors_to_float(read, dirac__safetensors_find(read, "d"), out),
                     DIRAC_OK);
    assert_true(out[0] == 0.1f && out[1] == -INFINITY && isnan(out[2]) && out[3] == FLT_MAX);
    assert_int_equal(dirac__safetensors_to_float(read, dirac__safetensors_find(read, "h"), out),
                     DIRAC_OK);
    assert_true(out[0] == 1 && out[1] == 0x1p-24f && out[2] == -65504);
    assert_int_equal(dirac__safetensors_to_float(read, dirac__safetensors_find(read, "b"), out),
                     DIRAC_OK);
    assert_true(out[0] == 1 && out[1] == -3.140625f);
    assert_int_equal(dirac__safetensors_to_float(read, dirac__safetensors_find(read, "f"), out),
                     DIRAC_OK);
    assert_true(out[0] == 1 && out[1] == -0x1p-149f);
    dirac__safetensors_copy(dirac__safetensors_find(read, "n"), &number);
    assert_true(number == -INT64_C(0x77f8f9fafbfcfdff));
    assert_int_equal(dirac__safetensors_to_float(read, dirac__safetensors_find(read, "u"), out),
                     DIRAC_ERR_FORMAT);
    assert_non_null(strstr(dirac__fail_text(), "tensor \"u\" has dtype U8"));
    assert_int_equal(dirac__safetensors_to_float(read, dirac__safetensors_find(read, "n"), out),
                     DIRAC_ERR_FORMAT);
    assert_int_equal(dirac__safetensors_to_float(read, dirac__safetensors_find(read, "big"), out),
                     DIRAC_ERR_FORMAT);
    assert_non_null(strstr(dirac__fail_text(), "element 1 of the F64 tensor \"big\""));
    dirac__safetensors_close(read);
}

static void test_dtypes(void **state)
{
    static const char *const names[] = {"F32", "F64", "F16", "BF16", "U8", "I64"};
    static const size_t sizes[] = {4, 8, 2, 2, 1, 8};
    (void)state;
    for (int32_t i = 0; i < 6; i++) {
        assert_string_equal(dirac__dtype_name(i), names[i]);
        assert_int_equal(dirac__dtype_size(i), sizes[i]);
        assert_int_equal(dirac__dtype_find(names[i]), i);
    }
    assert_null(dirac__dtype_name(6));
    assert_null(dirac__dtype_name(-1));
    assert_int_equal(dirac__dtype_size(6), 0);
    assert_int_equal(dirac__dtype_find("BOOL"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_written_bytes),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_header_too_long),
        cmocka_unit_test(test_longest_strings),
        cmocka_unit_test(test_most_texts),
        cmocka_unit_test(test_unwritable_path),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_foreign_checksum),
        cmocka_unit_test(test_bad_checksums),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_header_lengths),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_to_float),
        cmocka_unit_test(test_dtypes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
