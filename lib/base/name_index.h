/* SPDX-License-Identifier: MIT */
/* Names to numbers: a hash table of texts that others own and keep while they are in it. */
#ifndef BASE_NAME_INDEX_H
#define BASE_NAME_INDEX_H

#include "mem.h"

/* All zero is an empty one. */
typedef struct dirac__name_index {
    struct dirac__named *slots;
    size_t room, count; /* slots, a power of two, and those in use */
} dirac__name_index;

/* Room for `more` names; false when there is no memory. */
bool dirac__name_index_reserve(dirac__name_index *index, const dirac__memory *memory, size_t more);
/* The number of the name of `length` bytes, to be read or changed; NULL if it is not there. */
size_t *dirac__name_index_find(const dirac__name_index *index, const char *name, size_t length);
/* Adds a name that is not there, after reserve. */
void dirac__name_index_put(dirac__name_index *index, const char *name, size_t number);
/* Takes a name out, if it is there. */
void dirac__name_index_remove(dirac__name_index *index, const char *name);
/* Gives back what was reserved and not used, if nothing is in it. */
void dirac__name_index_trim(dirac__name_index *index, const dirac__memory *memory);
/* Frees the table. */
void dirac__name_index_release(dirac__name_index *index, const dirac__memory *memory);

#endif
