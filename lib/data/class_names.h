/* SPDX-License-Identifier: MIT */
/* The names of a data set's classes: a list sorted by label, as long as the number of names and not as the largest
 * label. */
#ifndef DATA_CLASS_NAMES_H
#define DATA_CLASS_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct dirac__class_name {
    int32_t label;
    char *text;
};

typedef struct dirac__class_names {
    struct dirac__class_name *entries; /* sorted by label */
    size_t count, capacity;
    char **replaced; /* texts that were replaced: whoever asked for one may still hold it */
    size_t replaced_count, replaced_capacity;
} dirac__class_names;

/* Sets or replaces a name; the text is copied. Errors: MEMORY. */
int32_t dirac__class_names_set(dirac__class_names *names, const dirac__memory *memory,
                               int32_t label, const char *text);
/* The name, or NULL. It lives as long as the list. */
const char *dirac__class_names_get(const dirac__class_names *names, int32_t label);
void dirac__class_names_release(dirac__class_names *names, const dirac__memory *memory);

#endif
