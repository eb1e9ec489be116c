/* SPDX-License-Identifier: MIT */
/*
 * The elements of safetensors: their types, their byte order, and how they become floats. Data in files is little-endian
 * and may stand at any address, so it is only ever copied.
 */
#include "io/safetensors.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/number.h"
#include "base/utf8.h"
#include "io/half.h"

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [DIRAC__DTYPE_F32] = {"F32", 4}, [DIRAC__DTYPE_F64] = {"F64", 8},
    [DIRAC__DTYPE_F16] = {"F16", 2}, [DIRAC__DTYPE_BF16] = {"BF16", 2},
    [DIRAC__DTYPE_U8] = {"U8", 1},   [DIRAC__DTYPE_I64] = {"I64", 8},
};
#define N_DTYPES ((int32_t)(sizeof dtypes / sizeof dtypes[0]))

const char *dirac__dtype_name(int32_t dtype)
{
    return dtype >= 0 && dtype < N_DTYPES ? dtypes[dtype].name : NULL;
}

size_t dirac__dtype_size(int32_t dtype)
{
    return dtype >= 0 && dtype < N_DTYPES ? dtypes[dtype].size : 0;
}

int32_t dirac__dtype_find(const char *name)
{
    for (int32_t i = 0; i < N_DTYPES; i++) {
        if (strcmp(name, dtypes[i].name) == 0) {
            return i;
        }
    }
    return -1;
}

bool dirac__file_tensor_bytes(const dirac__file_tensor *tensor, size_t *bytes)
{
    *bytes = dirac__dtype_size(tensor->dtype);
    if (*bytes == 0 || tensor->rank < 0 || tensor->rank > DIRAC__MAX_FILE_RANK) {
        return false;
    }
    for (int32_t i = 0; i < tensor->rank; i++) {
        int64_t dim = tensor->dims[i];
        if (dim < 0 || (uint64_t)dim > SIZE_MAX || !dirac__multiply(*bytes, (size_t)dim, bytes)) {
            return false;
        }
    }
    return true;
}

uint64_t dirac__load_little_endian(const unsigned char *bytes, size_t size)
{
    uint64_t value = 0;
    while (size-- > 0) {
        value = value << 8 | bytes[size];
    }
    return value;
}

void dirac__little_endian_copy(void *out, const void *in, size_t bytes, size_t size)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    unsigned char *to = out;
    const unsigned char *from = in;
    for (size_t i = 0; i < bytes; i += size) {
        for (size_t j = 0; j < size; j++) {
            to[i + j] = from[i + size - 1 - j];
        }
    }
#else
    (void)size;
    if (bytes > 0) {
        memcpy(out, in, bytes);
    }
#endif
}

void dirac__safetensors_copy(const dirac__file_tensor *tensor, void *out)
{
    dirac__little_endian_copy(out, tensor->data, tensor->bytes, dirac__dtype_size(tensor->dtype));
}

int32_t dirac__safetensors_to_float(const dirac__safetensors *file,
                                    const dirac__file_tensor *tensor, float *out)
{
    size_t size = dirac__dtype_size(tensor->dtype);
    size_t count = size > 0 ? tensor->bytes / size : 0;
    const unsigned char *in = tensor->data;
    switch (tensor->dtype) {
    case DIRAC__DTYPE_F32:
        dirac__little_endian_copy(out, in, tensor->bytes, size);
        return DIRAC_OK;
    case DIRAC__DTYPE_F16:
        for (size_t i = 0; i < count; i++) {
            out[i] = dirac__half_to_float((uint16_t)dirac__load_little_endian(in + i * size, size));
        }
        return DIRAC_OK;
    case DIRAC__DTYPE_BF16:
        for (size_t i = 0; i < count; i++) {
            out[i] = dirac__bfloat16_to_float(
                (uint16_t)dirac__load_little_endian(in + i * size, size));
        }
        return DIRAC_OK;
    case DIRAC__DTYPE_F64:
        for (size_t i = 0; i < count; i++) {
            double value;
            dirac__little_endian_copy(&value, in + i * size, size, size);
            out[i] = dirac__nearest_float(value);
            if (isinf(out[i]) && !isinf(value)) {
                return dirac__fail(
                    DIRAC_ERR_FORMAT,
                    "\"%s\": element %zu of the F64 tensor \"%.*s\" is beyond the range of float",
                    dirac__safetensors_name(file), i, dirac__shown(tensor->name), tensor->name);
            }
        }
        return DIRAC_OK;
    default:
        return dirac__fail(
            DIRAC_ERR_FORMAT,
            "\"%s\": the tensor \"%.*s\" has dtype %s; F32, F64, F16 and BF16 are read",
            dirac__safetensors_name(file), dirac__shown(tensor->name), tensor->name,
            dirac__dtype_name(tensor->dtype));
    }
}

int dirac__shown(const char *name)
{
    const size_t most = 200;
    size_t length = strlen(name);
    return (int)(length > most ? dirac__utf8_cut(name, most) : length);
}
