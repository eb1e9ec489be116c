/* SPDX-License-Identifier: MIT */
/* Places blocks with lifetimes in one arena: largest first, each at the lowest place free throughout its life. */
#include <stdlib.h>
#include <string.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "plan/session.h"

static int by_size(const void *a, const void *b)
{
    const dirac__block *x = *(dirac__block *const *)a, *y = *(dirac__block *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x < y ? -1 : x > y; /* the index: qsort itself promises no order */
}

/* The lowest offset at which `block` overlaps none of the placed ones (sorted by offset) that live with it. */
static size_t find_place(const dirac__block *block, dirac__block *const *placed, size_t count)
{
    size_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        const dirac__block *other = placed[i];
        if (other->last < block->first || other->first > block->last)
            continue;
        if (other->offset >= offset && other->offset - offset >= block->bytes)
            break;
        if (other->offset + other->bytes > offset)
            offset = other->offset + other->bytes;
    }
    return offset;
}

static void insert_by_offset(dirac__block **placed, size_t count, dirac__block *block)
{
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (placed[middle]->offset <= block->offset)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(placed + low + 1, placed + low, (count - low) * sizeof *placed);
    placed[low] = block;
}

int32_t dirac__blocks_place(const dirac__memory *memory, dirac__block *blocks, size_t count, size_t *total)
{
    dirac__block **list = dirac__alloc_zero(memory, 2 * count + 1, sizeof *list);
    if (list == NULL)
        return dirac__fail_memory("the plan of a session");
    dirac__block **placed = list + count;
    int32_t status = DIRAC_OK;
    *total = 0;
    for (size_t i = 0; i < count; i++) {
        list[i] = &blocks[i];
        if (!dirac__align(blocks[i].bytes, &blocks[i].bytes))
            status = dirac__fail(DIRAC_ERR_LIMIT, "the arrays of a session do not fit into memory");
    }
    qsort(list, count, sizeof *list, by_size);
    for (size_t i = 0; i < count && status == DIRAC_OK; i++) {
        list[i]->offset = find_place(list[i], placed, i);
        size_t end;
        if (!dirac__add(list[i]->offset, list[i]->bytes, &end) || end > PTRDIFF_MAX)
            status = dirac__fail(DIRAC_ERR_LIMIT, "the arrays of a session do not fit into memory");
        else if (end > *total)
            *total = end;
        insert_by_offset(placed, i, list[i]);
    }
    dirac__free(memory, list);
    return status;
}
