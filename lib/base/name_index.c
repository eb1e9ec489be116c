/* SPDX-License-Identifier: MIT */
/*
 * Open addressing with linear probing, at most half full: a name is at the slot of its hash or in one of those behind it,
 * without a gap between. The hash begins with the address of the table, which whoever writes a file does not know: nobody can
 * choose names that meet in one slot.
 */
#include "base/name_index.h"

#include <stdint.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define LEAST_ROOM 16

struct dirac__named {
    const char *name; /* NULL: a free slot */
    size_t length, number;
};

static size_t first_slot(const dirac__name_index *index, const char *name, size_t length)
{
    return (size_t)XXH64(name, length, (uintptr_t)index->slots) & (index->room - 1);
}

/* The slot that holds the name, or the free one where it would go. There is always a free one. */
static struct dirac__named *look_up(const dirac__name_index *index, const char *name, size_t length)
{
    size_t i = first_slot(index, name, length);
    for (;; i = (i + 1) & (index->room - 1)) {
        struct dirac__named *slot = &index->slots[i];
        if (slot->name == NULL || (slot->length == length && memcmp(slot->name, name, length) == 0))
            return slot;
    }
}

bool dirac__name_index_reserve(dirac__name_index *index, const dirac__memory *memory, size_t more)
{
    dirac__name_index larger = {.room = index->room == 0 ? LEAST_ROOM : index->room, .count = index->count};
    while (more > larger.room / 2 || index->count > larger.room / 2 - more) {
        if (!dirac__multiply(larger.room, 2, &larger.room))
            return false;
    }
    if (larger.room == index->room)
        return true;
    larger.slots = dirac__alloc_zero(memory, larger.room, sizeof *larger.slots);
    if (larger.slots == NULL)
        return false;
    for (size_t i = 0; i < index->room; i++)
        if (index->slots[i].name != NULL)
            *look_up(&larger, index->slots[i].name, index->slots[i].length) = index->slots[i];
    dirac__free(memory, index->slots);
    *index = larger;
    return true;
}

size_t *dirac__name_index_find(const dirac__name_index *index, const char *name, size_t length)
{
    if (index->count == 0)
        return NULL;
    struct dirac__named *slot = look_up(index, name, length);
    return slot->name == NULL ? NULL : &slot->number;
}

void dirac__name_index_put(dirac__name_index *index, const char *name, size_t number)
{
    const size_t length = strlen(name);
    *look_up(index, name, length) = (struct dirac__named){name, length, number};
    index->count++;
}

/* Names behind the gap move into it, unless their own first slot lies between the gap and them. */
static void close_gap(dirac__name_index *index, size_t gap)
{
    const size_t mask = index->room - 1;
    for (size_t i = (gap + 1) & mask; index->slots[i].name != NULL; i = (i + 1) & mask) {
        const size_t first = first_slot(index, index->slots[i].name, index->slots[i].length);
        if (((i - first) & mask) < ((i - gap) & mask))
            continue;
        index->slots[gap] = index->slots[i];
        gap = i;
    }
    index->slots[gap].name = NULL;
}

void dirac__name_index_remove(dirac__name_index *index, const char *name)
{
    if (index->count == 0)
        return;
    const struct dirac__named *slot = look_up(index, name, strlen(name));
    if (slot->name == NULL)
        return;
    close_gap(index, (size_t)(slot - index->slots));
    index->count--;
}

void dirac__name_index_trim(dirac__name_index *index, const dirac__memory *memory)
{
    if (index->count == 0)
        dirac__name_index_release(index, memory);
}

void dirac__name_index_release(dirac__name_index *index, const dirac__memory *memory)
{
    dirac__free(memory, index->slots);
    *index = (dirac__name_index){NULL, 0, 0};
}
