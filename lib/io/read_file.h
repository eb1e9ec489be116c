/* SPDX-License-Identifier: MIT */
/* Whole files into memory. */
#ifndef IO_READ_FILE_H
#define IO_READ_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/progress.h"

/* Whether there is nothing at `path` (as opposed to something that cannot be read). */
bool dirac__file_missing(const char *path);
/* The size of the regular file at `path`. Errors: IO. */
int32_t dirac__file_size(const char *path, uint64_t *size);
/* Reads the regular file at `path`, at most `limit` bytes; the caller frees *data. `progress` may be NULL.
 * Errors: IO, LIMIT, MEMORY, CANCELLED. */
int32_t dirac__read_file(const dirac__memory *memory, const char *path, uint64_t limit,
                         unsigned char **data, size_t *size, const dirac__progress *progress);
/* Whether the bytes begin as a gzip file does. */
bool dirac__is_gzip(const unsigned char *data, size_t size);

#endif
