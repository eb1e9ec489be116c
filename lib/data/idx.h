/* SPDX-License-Identifier: MIT */
/* IDX, the file format of MNIST and its kin. */
#ifndef DATA_IDX_H
#define DATA_IDX_H

#include <stddef.h>
#include <stdint.h>

#include <dirac/data.h>

/* A file in memory, and what to call it in messages. */
typedef struct dirac__idx_bytes {
    const char *name;
    const unsigned char *data;
    size_t size;
} dirac__idx_bytes;

/* A set from both files' contents. `held` bytes of them count towards the load limit.
 * Errors: FORMAT, MEMORY, LIMIT. */
int32_t dirac__idx_parse(dirac_dataset **out, dirac_context *context,
                         const dirac__idx_bytes *images, const dirac__idx_bytes *labels,
                         uint64_t held);
/* A set from both files. Errors: as above, and IO. */
int32_t dirac__idx_load(dirac_dataset **out, dirac_context *context, const char *images,
                        const char *labels);

#endif
