/* SPDX-License-Identifier: MIT */
/*
 * The safetensors container: named tensors and texts. Nothing here knows nets; the owners of the values hand over lists
 * and read lists. The format, byte by byte, is in docs/file-format.md.
 */
#ifndef IO_SAFETENSORS_H
#define IO_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/progress.h"

#define DIRAC__MAX_FILE_RANK 8
#define DIRAC__MAX_HEADER ((size_t)100000000) /* bytes of JSON; the format's own limit */

/* What the library adds to __metadata__ itself. */
#define DIRAC__METADATA "__metadata__"
#define DIRAC__KEY_FORMAT "format"
#define DIRAC__FORMAT "dirac"
#define DIRAC__KEY_VERSION "dirac.version"
#define DIRAC__VERSION "1"
#define DIRAC__KEY_CHECKSUM "dirac.checksum"
#define DIRAC__CHECKSUM_PREFIX "xxh64:"
#define DIRAC__CHECKSUM_ZEROS "0000000000000000" /* what is hashed in the place of its digits */

/* Element types. Others that the format knows are refused by name when a file is read. */
enum {
    DIRAC__DTYPE_F32 = 0,
    DIRAC__DTYPE_F64 = 1,
    DIRAC__DTYPE_F16 = 2,
    DIRAC__DTYPE_BF16 = 3,
    DIRAC__DTYPE_U8 = 4,
    DIRAC__DTYPE_I64 = 5
};

/* "F32", ...; NULL for what is no dtype. */
const char *dirac__dtype_name(int32_t dtype);
/* Bytes of one element; 0 for what is no dtype. */
size_t dirac__dtype_size(int32_t dtype);
/* The dtype of a name; -1 when it is none of these. */
int32_t dirac__dtype_find(const char *name);

/* A tensor of a file. */
typedef struct dirac__file_tensor {
    const char *name;
    int32_t dtype; /* DIRAC__DTYPE_* */
    int32_t rank;  /* 0: a single element */
    int64_t dims[DIRAC__MAX_FILE_RANK];
    /* To write: in the host's byte order. Read: little-endian, at any address; use the calls below. */
    const void *data;
    size_t bytes; /* dirac__dtype_size() times all dims */
} dirac__file_tensor;

/* A text of the header's __metadata__. */
typedef struct dirac__file_text {
    const char *key, *value;
} dirac__file_text;

/* ---- writing (safetensors_write.c) ---- */

/*
 * Writes tensors, in this order, and texts. "format", "dirac.version" and "dirac.checksum" are added. Data starts at a
 * multiple of 8; a tensor is aligned to its elements if those before it are whole multiples of them, so put wide types
 * first. `path` is replaced atomically. `progress` (bytes written of all) may be NULL.
 * Errors: ARGUMENT (a name twice or empty, one of the three keys, bytes that are not dtype times dims, not UTF-8),
 * IO, LIMIT (the header would pass 100 MB, or has more than reading takes: see json.h), MEMORY, CANCELLED.
 */
int32_t dirac__safetensors_write(const dirac__memory *memory, const char *path,
                                 const dirac__file_tensor *tensors, size_t n_tensors,
                                 const dirac__file_text *texts, size_t n_texts,
                                 const dirac__progress *progress);
/* The same into memory: *data is one allocation to be freed with dirac__free(); NULL on failure. */
int32_t dirac__safetensors_write_memory(const dirac__memory *memory, void **data, size_t *size,
                                        const dirac__file_tensor *tensors, size_t n_tensors,
                                        const dirac__file_text *texts, size_t n_texts);

/* ---- reading (safetensors.c) ---- */

/* A file that was read and checked. All lists and names live until dirac__safetensors_close(). */
typedef struct dirac__safetensors dirac__safetensors;

/*
 * Reads a whole file and checks all of its structure, and the checksum if it has one (a file that says it is ours must
 * have one). `limit` bounds every byte asked for, the file's contents included. `progress` (bytes read) may be NULL.
 * *out is NULL on failure. Errors: CANCELLED, IO, FORMAT (names the file, the tensor and the place), LIMIT, MEMORY.
 */
int32_t dirac__safetensors_open(dirac__safetensors **out, const dirac__memory *memory,
                                const char *path, uint64_t limit,
                                const dirac__progress *progress);
/* The same from memory, which is borrowed until the close and not counted. Messages call it "buffer". */
int32_t dirac__safetensors_open_memory(dirac__safetensors **out, const dirac__memory *memory,
                                       const void *data, size_t size, uint64_t limit);
/* NULL is accepted. */
void dirac__safetensors_close(dirac__safetensors *file);

/* The tensors in the order of their data, and the texts in the order of the header. */
const dirac__file_tensor *dirac__safetensors_tensors(const dirac__safetensors *file, size_t *count);
const dirac__file_text *dirac__safetensors_texts(const dirac__safetensors *file, size_t *count);
/* By name; NULL when there is none. */
const dirac__file_tensor *dirac__safetensors_find(const dirac__safetensors *file, const char *name);
const char *dirac__safetensors_text(const dirac__safetensors *file, const char *key);
/* The path, or "buffer": what messages call the file. */
const char *dirac__safetensors_name(const dirac__safetensors *file);

/*
 * For all else that loading asks for: the allocator the file was opened with, counted against what is left of the file's
 * limit. It goes with the file; a block of it may be kept and given back to that allocator.
 */
const dirac__memory *dirac__safetensors_memory(const dirac__safetensors *file);
/* `status`, but LIMIT in place of MEMORY when it was the limit that refused. */
int32_t dirac__safetensors_judge(const dirac__safetensors *file, int32_t status);

/*
 * The elements of an F32, F64, F16 or BF16 tensor of a file that was read, as floats; F64 is rounded.
 * Errors: FORMAT (another dtype, or a finite F64 value beyond float's range; names file, tensor and element; `out` is
 * then unspecified).
 */
int32_t dirac__safetensors_to_float(const dirac__safetensors *file,
                                    const dirac__file_tensor *tensor, float *out);
/* The bytes of a tensor of any dtype in the host's byte order: tensor->bytes of them. */
void dirac__safetensors_copy(const dirac__file_tensor *tensor, void *out);

/* ---- safetensors_elements.c, for the other two ---- */

/* dirac__dtype_size() times all dims; false on overflow, a negative size, or what is no dtype or rank. */
bool dirac__file_tensor_bytes(const dirac__file_tensor *tensor, size_t *bytes);
/* Copies elements of `size` bytes between little-endian and the host's order, either way. */
void dirac__little_endian_copy(void *out, const void *in, size_t bytes, size_t size);
/* The unsigned number of `size` (at most 8) little-endian bytes. */
uint64_t dirac__load_little_endian(const unsigned char *bytes, size_t size);
/* How many bytes of a name to print in a message ("%.*s"): hostile names may be long. */
int dirac__shown(const char *name);

#endif
