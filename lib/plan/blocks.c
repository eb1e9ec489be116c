/* SPDX-License-Identifier: MIT */
/* Places blocks in one arena: first those that last, then, for every copy, those with lifetimes: largest first, each at
 * the lowest place free throughout its life. */
#include <string.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "base/sort.h"
#include "plan/session.h"

static int by_size(const void *a, const void *b)
{
    const dirac__block *x = *(dirac__block *const *)a, *y = *(dirac__block *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x < y ? -1 : x > y; /* the index: the sort itself promises no order */
}

/* The lowest offset from `start` on at which `block` overlaps none of the placed ones (sorted by offset) that live with it. */
static size_t find_place(const dirac__block *block, dirac__block *const *placed, size_t count, size_t start)
{
    size_t offset = start;
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

static int32_t too_large(void)
{
    return dirac__fail(DIRAC_ERR_LIMIT, "the arrays of a session do not fit into memory");
}

/* Those that last, one behind the other; `list` receives the others. */
static int32_t place_lasting(dirac__block *blocks, size_t count, dirac__block **list, size_t *others, size_t *end)
{
    *others = 0;
    *end = 0;
    for (size_t i = 0; i < count; i++) {
        if (!dirac__align(blocks[i].bytes, &blocks[i].bytes))
            return too_large();
        blocks[i].offset = *end;
        if (!blocks[i].lasting)
            list[(*others)++] = &blocks[i];
        else if (!dirac__add(*end, blocks[i].bytes, end) || *end > PTRDIFF_MAX)
            return too_large();
    }
    return DIRAC_OK;
}

/* The others, `start` bytes into the arena; *end receives where the first copy of them ends. */
static int32_t place_others(dirac__block **list, dirac__block **placed, size_t count, size_t start, size_t *end)
{
    *end = start;
    dirac__sort(list, count, sizeof *list, by_size);
    for (size_t i = 0; i < count; i++) {
        size_t stop;
        list[i]->offset = find_place(list[i], placed, i, start);
        if (!dirac__add(list[i]->offset, list[i]->bytes, &stop) || stop > PTRDIFF_MAX)
            return too_large();
        if (stop > *end)
            *end = stop;
        insert_by_offset(placed, i, list[i]);
    }
    return DIRAC_OK;
}

int32_t dirac__blocks_place(const dirac__memory *memory, dirac__block *blocks, size_t count, int32_t copies, size_t *copy,
                            size_t *total)
{
    size_t others, start, end, room;
    dirac__block **list = dirac__alloc_zero(memory, 2 * count + 1, sizeof *list);
    if (list == NULL)
        return dirac__fail_memory("the plan of a session");
    int32_t status = place_lasting(blocks, count, list, &others, &start);
    if (status == DIRAC_OK)
        status = place_others(list, list + count, others, start, &end);
    if (status == DIRAC_OK) {
        *copy = end - start;
        if (!dirac__multiply(*copy, (size_t)copies, &room) || !dirac__add(start, room, total) || *total > PTRDIFF_MAX)
            status = too_large();
    }
    dirac__free(memory, list);
    return status;
}
