/* SPDX-License-Identifier: MIT */
/* Safetensors files put together by hand, byte by byte as the format says, so that the reader is not tested by the
 * library's own writer. Public headers only. */
#ifndef SUPPORT_TENSOR_FILE_H
#define SUPPORT_TENSOR_FILE_H

#include "support/nets.h"

typedef struct tensor_file {
    char header[65536]; /* JSON, without the outer braces */
    size_t header_length;
    unsigned char *data;
    size_t size;
    unsigned char *bytes; /* the whole file, after finish_file() */
    size_t total;
} tensor_file;

static inline void put_header(tensor_file *file, const char *text)
{
    const size_t length = strlen(text);
    assert_true(file->header_length + length + 16 < sizeof file->header);
    memcpy(file->header + file->header_length, text, length + 1);
    file->header_length += length;
}

/* `kind`: "F32", "F64", "F16" or "BF16". 16-bit values are cut from floats that fit them exactly. */
static inline size_t put_element(unsigned char *to, float value, const char *kind)
{
    uint32_t bits;
    uint64_t wide;
    size_t size = 4;
    const double exact = (double)value;
    memcpy(&bits, &value, sizeof bits);
    wide = bits;
    if (strcmp(kind, "F64") == 0) {
        memcpy(&wide, &exact, sizeof wide);
        size = 8;
    } else if (strcmp(kind, "BF16") == 0) {
        wide = bits >> 16;
        size = 2;
    } else if (strcmp(kind, "F16") == 0) { /* normal numbers and zero: sign, exponent 127 - 15 less, 10 bits */
        wide = (bits & 0x7FFFFFFFu) == 0 ? bits >> 16
                                         : ((bits >> 16) & 0x8000u) | ((((bits >> 23) & 0xFFu) - 112u) << 10) |
                                               ((bits >> 13) & 0x3FFu);
        size = 2;
    }
    for (size_t i = 0; i < size; i++)
        to[i] = (unsigned char)(wide >> (8 * i));
    return size;
}

static inline void put_tensor(tensor_file *file, const char *name, const char *kind, const int64_t *dims, int32_t rank,
                              const float *values)
{
    char text[512];
    size_t count = 1, length;
    for (int32_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    file->data = realloc(file->data, file->size + 8 * count + 8);
    assert_non_null(file->data);
    const size_t begin = file->size;
    for (size_t i = 0; i < count; i++)
        file->size += put_element(file->data + file->size, values[i], kind);
    length = (size_t)snprintf(text, sizeof text, "%s\"%s\": {\"dtype\": \"%s\", \"shape\": [",
                              file->header_length > 0 ? ", " : "", name, kind);
    for (int32_t i = 0; i < rank; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%d", i > 0 ? ", " : "", (int)dims[i]);
    snprintf(text + length, sizeof text - length, "], \"data_offsets\": [%zu, %zu]}", begin, file->size);
    put_header(file, text);
}

static inline void finish_file(tensor_file *file)
{
    const size_t length = file->header_length + 2;
    file->total = 8 + length + file->size;
    file->bytes = malloc(file->total);
    assert_non_null(file->bytes);
    for (size_t i = 0; i < 8; i++)
        file->bytes[i] = (unsigned char)((uint64_t)length >> (8 * i));
    file->bytes[8] = '{';
    memcpy(file->bytes + 9, file->header, file->header_length);
    file->bytes[8 + length - 1] = '}';
    memcpy(file->bytes + 8 + length, file->data, file->size);
}

static inline void release_file(tensor_file *file)
{
    free(file->data);
    free(file->bytes);
    free(file);
}

static inline tensor_file *new_file(void)
{
    tensor_file *file = calloc(1, sizeof *file);
    assert_non_null(file);
    return file;
}

/* A tensor of a net under another name; `name` NULL: its own. */
static inline void put_from(tensor_file *file, const dirac_net *net, const char *own, const char *name,
                            const char *kind)
{
    int64_t dims[DIRAC_MAX_RANK];
    int32_t rank;
    floats x = {NULL, 0};
    ok(dirac_net_tensor_shape(net, own, dims, &rank, NULL));
    append_tensor(&x, net, own);
    put_tensor(file, name != NULL ? name : own, kind, dims, rank, x.at);
    drop_floats(&x);
}

#endif
