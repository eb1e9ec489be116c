/* SPDX-License-Identifier: MIT */
/*
 * Writing safetensors: the header is put together in memory, hashed with the data as they will stand in the file, and
 * both are then sent on. The data themselves are never copied as a whole.
 */
#include "io/safetensors.h"

#include <string.h>

#include "base/fail.h"
#include "base/json.h"
#include "io/atomic_file.h"
#include "io/checksum.h"
#include "base/sort.h"

typedef struct contents {
    const dirac__memory *memory;
    const dirac__file_tensor *tensors;
    size_t n_tensors;
    const dirac__file_text *texts;
    size_t n_texts;
    size_t data_size;
    dirac__buffer header; /* length, JSON, blanks */
    size_t digits;        /* where the checksum's stand in it */
} contents;

/* Takes the next bytes of the file. */
typedef int32_t (*send_fn)(void *to, const void *data, size_t size);

/* ---- what may be written ---- */

/* The reader takes no longer string. `name` is that of the tensor or text. */
static int32_t check_length(const char *string, const char *what, const char *name)
{
    const size_t length = strlen(string);
    if (length <= DIRAC__JSON_MAX_STRING) {
        return DIRAC_OK;
    }
    return dirac__fail(DIRAC_ERR_LIMIT, "%s \"%.*s\" of a file to write has %zu bytes; at most %zu can be read", what,
                       dirac__shown(name), name, length, DIRAC__JSON_MAX_STRING);
}

static int32_t check_tensor(const dirac__file_tensor *tensor, size_t index)
{
    size_t bytes;
    if (tensor->name == NULL || tensor->name[0] == '\0' ||
        strcmp(tensor->name, DIRAC__METADATA) == 0 ||
        !dirac__utf8_valid(tensor->name, strlen(tensor->name))) {
        return dirac__fail(
            DIRAC_ERR_ARGUMENT,
            "tensor %zu of a file to write has no name that a file can hold (UTF-8, not empty, not \"%s\")",
            index, DIRAC__METADATA);
    }
    if (!dirac__file_tensor_bytes(tensor, &bytes) || bytes != tensor->bytes ||
        (bytes > 0 && tensor->data == NULL)) {
        return dirac__fail(
            DIRAC_ERR_ARGUMENT,
            "tensor \"%.*s\" of a file to write: %zu bytes do not fit its dtype and shape",
            dirac__shown(tensor->name), tensor->name, tensor->bytes);
    }
    return check_length(tensor->name, "the name of tensor", tensor->name);
}

static int32_t check_text(const dirac__file_text *text, size_t index)
{
    if (text->key == NULL || text->value == NULL ||
        !dirac__utf8_valid(text->key, strlen(text->key)) ||
        !dirac__utf8_valid(text->value, strlen(text->value))) {
        return dirac__fail(DIRAC_ERR_ARGUMENT, "text %zu of a file to write is not UTF-8", index);
    }
    if (strcmp(text->key, DIRAC__KEY_FORMAT) == 0 || strcmp(text->key, DIRAC__KEY_VERSION) == 0 ||
        strcmp(text->key, DIRAC__KEY_CHECKSUM) == 0) {
        return dirac__fail(DIRAC_ERR_ARGUMENT,
                           "text \"%s\" of a file to write: the name is the file format's own",
                           text->key);
    }
    const int32_t status = check_length(text->key, "the key of text", text->key);
    return status == DIRAC_OK ? check_length(text->value, "text", text->key) : status;
}

static int32_t check_distinct(dirac__name_entry *entries, size_t count, const char *what)
{
    dirac__sort_names(entries, count);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(entries[i - 1].name, entries[i].name) == 0) {
            return dirac__fail(DIRAC_ERR_ARGUMENT, "two %ss of a file to write are called \"%.*s\"",
                               what, dirac__shown(entries[i].name), entries[i].name);
        }
    }
    return DIRAC_OK;
}

static int32_t check_contents(contents *file)
{
    size_t most = file->n_tensors > file->n_texts ? file->n_tensors : file->n_texts;
    dirac__name_entry *entries = dirac__alloc_zero(file->memory, most, sizeof *entries);
    int32_t status = entries != NULL ? DIRAC_OK : dirac__fail_memory("names of a file");
    for (size_t i = 0; status == DIRAC_OK && i < file->n_tensors; i++) {
        status = check_tensor(&file->tensors[i], i);
        entries[i].name = file->tensors[i].name;
        const bool counted = dirac__add(file->data_size, file->tensors[i].bytes, &file->data_size);
        const uint64_t wide = file->data_size; /* size_t may have 32 bits */
        if (status == DIRAC_OK && (!counted || wide > INT64_MAX)) {
            status = dirac__fail(DIRAC_ERR_LIMIT, "a file to write would pass 2^63 bytes");
        }
    }
    if (status == DIRAC_OK) {
        status = check_distinct(entries, file->n_tensors, "tensor");
    }
    for (size_t i = 0; status == DIRAC_OK && i < file->n_texts; i++) {
        status = check_text(&file->texts[i], i);
        entries[i].name = file->texts[i].key;
    }
    if (status == DIRAC_OK) {
        status = check_distinct(entries, file->n_texts, "text");
    }
    dirac__free(file->memory, entries);
    return status;
}

/* ---- the header ---- */

static void put_text(dirac__buffer *buffer, const char *key, const char *value)
{
    dirac__json_put_name(buffer, key);
    dirac__json_put_string(buffer, value);
}

static void put_tensor(dirac__buffer *buffer, const dirac__file_tensor *tensor, size_t begin)
{
    dirac__json_put_name(buffer, tensor->name);
    dirac__json_open(buffer, '{');
    put_text(buffer, "dtype", dirac__dtype_name(tensor->dtype));
    dirac__json_put_name(buffer, "shape");
    dirac__json_open(buffer, '[');
    for (int32_t i = 0; i < tensor->rank; i++) {
        dirac__json_put_integer(buffer, tensor->dims[i]);
    }
    dirac__json_close(buffer, ']');
    dirac__json_put_name(buffer, "data_offsets");
    dirac__json_open(buffer, '[');
    dirac__json_put_integer(buffer, (int64_t)begin);
    dirac__json_put_integer(buffer, (int64_t)(begin + tensor->bytes));
    dirac__json_close(buffer, ']');
    dirac__json_close(buffer, '}');
}

static void put_json(contents *file)
{
    dirac__buffer *buffer = &file->header;
    dirac__json_open(buffer, '{');
    dirac__json_put_name(buffer, DIRAC__METADATA);
    dirac__json_open(buffer, '{');
    put_text(buffer, DIRAC__KEY_FORMAT, DIRAC__FORMAT);
    put_text(buffer, DIRAC__KEY_VERSION, DIRAC__VERSION);
    put_text(buffer, DIRAC__KEY_CHECKSUM, DIRAC__CHECKSUM_PREFIX DIRAC__CHECKSUM_ZEROS);
    file->digits = buffer->size - 1 -
                   DIRAC__CHECKSUM_DIGITS; /* before the closing quote; unused when it failed */
    for (size_t i = 0; i < file->n_texts; i++) {
        put_text(buffer, file->texts[i].key, file->texts[i].value);
    }
    dirac__json_close(buffer, '}');
    size_t begin = 0;
    for (size_t i = 0; i < file->n_tensors; i++) {
        put_tensor(buffer, &file->tensors[i], begin);
        begin += file->tensors[i].bytes;
    }
    dirac__json_close(buffer, '}');
}

static int32_t make_header(contents *file)
{
    const size_t prefix = 8;
    /* The length is not known yet. A blank last, so that the JSON writer takes this for no value before its own. */
    dirac__buffer_append(&file->header, "        ", prefix);
    put_json(file);
    while (file->header.size % 8 != 0 && !file->header.failed) {
        dirac__buffer_append(&file->header, " ", 1);
    }
    if (file->header.failed) {
        return dirac__fail_memory("header of a file");
    }
    size_t length = file->header.size - prefix;
    if (length > DIRAC__MAX_HEADER) {
        return dirac__fail(
            DIRAC_ERR_LIMIT,
            "the header of a file to write would have %zu bytes; at most %zu are allowed", length,
            DIRAC__MAX_HEADER);
    }
    int32_t status = dirac__json_check_written(file->header.data + prefix, length, "the header of a file to write");
    if (status != DIRAC_OK) {
        return status;
    }
    for (size_t i = 0; i < prefix; i++) {
        file->header.data[i] = (char)(unsigned char)((uint64_t)length >> 8 * i);
    }
    return DIRAC_OK;
}

/* ---- the bytes ---- */

/* Sends a tensor's data as they stand in a file. */
static int32_t send_tensor(const dirac__file_tensor *tensor, send_fn send, void *to)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    unsigned char piece[4096];
    const unsigned char *from = tensor->data;
    int32_t status = DIRAC_OK;
    for (size_t at = 0; at < tensor->bytes && status == DIRAC_OK; at += sizeof piece) {
        size_t bytes = tensor->bytes - at < sizeof piece ? tensor->bytes - at : sizeof piece;
        dirac__little_endian_copy(piece, from + at, bytes, dirac__dtype_size(tensor->dtype));
        status = send(to, piece, bytes);
    }
    return status;
#else
    return tensor->bytes > 0 ? send(to, tensor->data, tensor->bytes) : DIRAC_OK;
#endif
}

static int32_t send_all(const contents *file, send_fn send, void *to)
{
    int32_t status = send(to, file->header.data, file->header.size);
    for (size_t i = 0; i < file->n_tensors && status == DIRAC_OK; i++) {
        status = send_tensor(&file->tensors[i], send, to);
    }
    return status;
}

static int32_t send_to_hash(void *to, const void *data, size_t size)
{
    dirac__checksum_add(to, data, size);
    return DIRAC_OK;
}

/* A file being written, and how far it is. */
typedef struct destination {
    dirac__atomic_file *file;
    const dirac__progress *progress;
    uint64_t done, total;
} destination;

#define PIECE ((size_t)1 << 22) /* how often progress is told, in bytes */

static int32_t send_to_file(void *to, const void *data, size_t size)
{
    destination *target = to;
    const unsigned char *bytes = data;
    int32_t status = DIRAC_OK;
    for (size_t at = 0; at < size && status == DIRAC_OK; at += PIECE) {
        const size_t piece = size - at < PIECE ? size - at : PIECE;
        status = dirac__atomic_write(target->file, bytes + at, piece);
        target->done += piece;
        if (status == DIRAC_OK) {
            status = dirac__progress_report(target->progress, "saving", target->done, target->total);
        }
    }
    return status;
}

static int32_t send_to_memory(void *to, const void *data, size_t size)
{
    unsigned char **end = to;
    memcpy(*end, data, size);
    *end += size;
    return DIRAC_OK;
}

/* Checks the lists, makes the header and writes the checksum's digits over its zeros. Release file->header after. */
static int32_t prepare(contents *file)
{
    int32_t status = check_contents(file);
    if (status == DIRAC_OK) {
        status = make_header(file);
    }
    if (status == DIRAC_OK) {
        char digits[DIRAC__CHECKSUM_DIGITS + 1];
        dirac__checksum sum;
        dirac__checksum_begin(&sum);
        send_all(file, send_to_hash, &sum);
        dirac__checksum_digits(&sum, digits);
        memcpy(file->header.data + file->digits, digits, DIRAC__CHECKSUM_DIGITS);
    }
    return status;
}

int32_t dirac__safetensors_write(const dirac__memory *memory, const char *path,
                                 const dirac__file_tensor *tensors, size_t n_tensors,
                                 const dirac__file_text *texts, size_t n_texts, const dirac__progress *progress)
{
    contents file = {.memory = memory,
                     .tensors = tensors,
                     .n_tensors = n_tensors,
                     .texts = texts,
                     .n_texts = n_texts,
                     .header = {.memory = memory}};
    dirac__atomic_file *target = NULL;
    int32_t status = prepare(&file);
    if (status == DIRAC_OK) {
        status = dirac__atomic_open(&target, memory, path);
    }
    if (status == DIRAC_OK) {
        destination to = {target, progress, 0, (uint64_t)file.header.size + file.data_size};
        status = send_all(&file, send_to_file, &to);
        if (status == DIRAC_OK) {
            status = dirac__atomic_commit(target);
        } else {
            dirac__atomic_abandon(target);
        }
    }
    dirac__buffer_release(&file.header);
    return status;
}

int32_t dirac__safetensors_write_memory(const dirac__memory *memory, void **data, size_t *size,
                                        const dirac__file_tensor *tensors, size_t n_tensors,
                                        const dirac__file_text *texts, size_t n_texts)
{
    contents file = {.memory = memory,
                     .tensors = tensors,
                     .n_tensors = n_tensors,
                     .texts = texts,
                     .n_texts = n_texts,
                     .header = {.memory = memory}};
    size_t bytes = 0;
    *data = NULL;
    *size = 0;
    int32_t status = prepare(&file);
    if (status == DIRAC_OK) {
        void *block = NULL;
        if (dirac__add(file.header.size, file.data_size, &bytes)) {
            block = dirac__alloc(memory, bytes);
        }
        if (block != NULL) {
            unsigned char *end = block;
            send_all(&file, send_to_memory, &end);
            *data = block;
            *size = bytes;
        } else {
            status = dirac__fail_memory("file in memory");
        }
    }
    dirac__buffer_release(&file.header);
    return status;
}
