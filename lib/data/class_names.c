/* SPDX-License-Identifier: MIT */
/* The names of a data set's classes. Labels usually come in rising order, so insertion is an append; look-up is by
 * bisection. */
#include "data/class_names.h"

#include <string.h>

#include "base/fail.h"

/* The first entry whose label is not below `label`. */
static size_t find(const dirac__class_names *names, int32_t label)
{
    size_t low = 0, high = names->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (names->entries[middle].label < label)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int32_t replace(dirac__class_names *names, const dirac__memory *memory,
                       struct dirac__class_name *entry, char *copy)
{
    if (!dirac__grow(memory, &names->replaced, &names->replaced_capacity, names->replaced_count + 1,
                     sizeof *names->replaced))
        return dirac__fail_memory("class names");
    names->replaced[names->replaced_count++] = entry->text;
    entry->text = copy;
    return DIRAC_OK;
}

static int32_t insert(dirac__class_names *names, const dirac__memory *memory, size_t at,
                      int32_t label, char *copy)
{
    if (!dirac__grow(memory, &names->entries, &names->capacity, names->count + 1,
                     sizeof *names->entries))
        return dirac__fail_memory("class names");
    struct dirac__class_name *entry = names->entries + at;
    memmove(entry + 1, entry, (names->count - at) * sizeof *entry);
    entry->label = label;
    entry->text = copy;
    names->count++;
    return DIRAC_OK;
}

int32_t dirac__class_names_set(dirac__class_names *names, const dirac__memory *memory,
                               int32_t label, const char *text)
{
    char *copy = dirac__copy_string(memory, text);
    if (!copy)
        return dirac__fail_memory("class name");
    size_t at = find(names, label);
    bool known = at < names->count && names->entries[at].label == label;
    int32_t status = known ? replace(names, memory, names->entries + at, copy)
                           : insert(names, memory, at, label, copy);
    if (status != DIRAC_OK)
        dirac__free(memory, copy);
    return status;
}

const char *dirac__class_names_get(const dirac__class_names *names, int32_t label)
{
    size_t at = find(names, label);
    if (at < names->count && names->entries[at].label == label)
        return names->entries[at].text;
    return NULL;
}

void dirac__class_names_release(dirac__class_names *names, const dirac__memory *memory)
{
    for (size_t i = 0; i < names->count; i++)
        dirac__free(memory, names->entries[i].text);
    for (size_t i = 0; i < names->replaced_count; i++)
        dirac__free(memory, names->replaced[i]);
    dirac__free(memory, names->entries);
    dirac__free(memory, names->replaced);
    memset(names, 0, sizeof *names);
}
