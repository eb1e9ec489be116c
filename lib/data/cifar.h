/* SPDX-License-Identifier: MIT */
/* The binary versions of CIFAR-10 and CIFAR-100. */
#ifndef DATA_CIFAR_H
#define DATA_CIFAR_H

#include <stddef.h>
#include <stdint.h>

#include <dirac/data.h>

/* A set from records in memory; `classes` is 10 or 100. Errors: FORMAT, MEMORY, LIMIT. */
int32_t dirac__cifar_parse(dirac_dataset **out, dirac_context *context, int32_t classes,
                           const void *records, size_t size);
/* A set from the files of a directory. `split` is DIRAC_SPLIT_*. Errors: as above, and IO. */
int32_t dirac__cifar_load(dirac_dataset **out, dirac_context *context, int32_t classes,
                          const char *directory, int32_t split);

#endif
