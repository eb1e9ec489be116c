/* SPDX-License-Identifier: MIT */
/* Heap sort, and sorted lists of names. */
#include "base/sort.h"

#include <string.h>

typedef int (*compare_fn)(const void *, const void *);

static void swap_items(unsigned char *a, unsigned char *b, size_t size)
{
    unsigned char piece[64];
    while (size > 0) {
        size_t n = size < sizeof piece ? size : sizeof piece;
        memcpy(piece, a, n);
        memcpy(a, b, n);
        memcpy(b, piece, n);
        a += n;
        b += n;
        size -= n;
    }
}

/* Lets the item at `at` sink until no child is larger; the heap has `count` items. */
static void sink(unsigned char *items, size_t at, size_t count, size_t size, compare_fn compare)
{
    while (at < count / 2) { /* it has a child */
        size_t child = 2 * at + 1;
        if (child + 1 < count && compare(items + child * size, items + (child + 1) * size) < 0) {
            child++;
        }
        if (compare(items + at * size, items + child * size) >= 0) {
            return;
        }
        swap_items(items + at * size, items + child * size, size);
        at = child;
    }
}

void dirac__sort(void *items, size_t count, size_t size, compare_fn compare)
{
    unsigned char *bytes = items;
    for (size_t i = count / 2; i-- > 0;) {
        sink(bytes, i, count, size, compare);
    }
    for (size_t end = count; end > 1; end--) {
        swap_items(bytes, bytes + (end - 1) * size, size);
        sink(bytes, 0, end - 1, size, compare);
    }
}

static int compare_entries(const void *a, const void *b)
{
    const dirac__name_entry *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->item > y->item) - (x->item < y->item);
}

void dirac__sort_names(dirac__name_entry *entries, size_t count)
{
    dirac__sort(entries, count, sizeof *entries, compare_entries);
}

const dirac__name_entry *dirac__find_name(const dirac__name_entry *entries, size_t count,
                                          const char *name)
{
    size_t low = 0, high = count; /* all before low are smaller, all from high on are not */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(entries[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && strcmp(entries[low].name, name) == 0 ? &entries[low] : NULL;
}
