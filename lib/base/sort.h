/* SPDX-License-Identifier: MIT */
/*
 * Sorting: n log n for every input, those of hostile files too, in place, and (unlike the C library's qsort()) never
 * through malloc().
 */
#ifndef BASE_SORT_H
#define BASE_SORT_H

#include <stddef.h>

/* Sorts `count` items of `size` bytes so that compare(a, b) <= 0 for neighbours. Equal items end in any order. */
void dirac__sort(void *items, size_t count, size_t size,
                 int (*compare)(const void *, const void *));

/* A name and what it stands for; compared as strings of bytes, ties by `item`. */
typedef struct dirac__name_entry {
    const char *name;
    size_t item;
} dirac__name_entry;

void dirac__sort_names(dirac__name_entry *entries, size_t count);
/* The first entry of that name in a sorted list, or NULL. */
const dirac__name_entry *dirac__find_name(const dirac__name_entry *entries, size_t count,
                                          const char *name);

#endif
