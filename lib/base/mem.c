/* SPDX-License-Identifier: MIT */
/* Memory: the host's allocator wants the size back when it frees, so every block carries it in a prefix of one cache
 * line, which also keeps the pointer handed out aligned. */
#define _DEFAULT_SOURCE /* madvise() */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#define HUGE_PAGE ((size_t)2 << 20)
#define LARGE (2 * HUGE_PAGE) /* blocks of huge pages alone: sessions walk through them again and again */

/* Sessions of a deep net read and write hundreds of megabytes a step: with pages of 4 KiB a fifth of the time went into
 * finding pages and into prefetching that stops at each one's end. Advice may be refused; nothing depends on it. */
static void *default_allocate(void *user, size_t size, size_t alignment)
{
    void *pointer = NULL;
    (void)user;
    if (size > SIZE_MAX - HUGE_PAGE)
        return NULL;
    const size_t huge = size >= LARGE ? (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE : 0;
    if (posix_memalign(&pointer, huge > 0 ? HUGE_PAGE : alignment, huge > 0 ? huge : size) != 0)
        return NULL;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (huge > 0)
        (void)madvise(pointer, huge, MADV_HUGEPAGE);
#endif
    return pointer;
}

static void default_release(void *user, void *pointer, size_t size)
{
    (void)user;
    (void)size;
    free(pointer);
}

const dirac__memory dirac__default_memory = {default_allocate, default_release, NULL};

bool dirac__multiply(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

bool dirac__add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

bool dirac__align(size_t size, size_t *out)
{
    if (!dirac__add(size, DIRAC__ALIGNMENT - 1, out))
        return false;
    *out &= ~(DIRAC__ALIGNMENT - 1);
    return true;
}

void *dirac__alloc(const dirac__memory *memory, size_t size)
{
    size_t total;
    if (!dirac__add(size, DIRAC__ALIGNMENT, &total))
        return NULL;
    char *block = memory->allocate(memory->user, total, DIRAC__ALIGNMENT);
    if (block == NULL)
        return NULL;
    memcpy(block, &total, sizeof total);
    return block + DIRAC__ALIGNMENT;
}

void *dirac__alloc_zero(const dirac__memory *memory, size_t count, size_t size)
{
    size_t bytes;
    if (!dirac__multiply(count, size, &bytes))
        return NULL;
    void *pointer = dirac__alloc(memory, bytes);
    if (pointer != NULL)
        memset(pointer, 0, bytes);
    return pointer;
}

void dirac__free(const dirac__memory *memory, void *pointer)
{
    if (pointer == NULL)
        return;
    char *block = (char *)pointer - DIRAC__ALIGNMENT;
    size_t total;
    memcpy(&total, block, sizeof total);
    memory->release(memory->user, block, total);
}

char *dirac__copy_string(const dirac__memory *memory, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = dirac__alloc(memory, size);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

bool dirac__grow(const dirac__memory *memory, void *array_pointer, size_t *capacity, size_t needed,
                 size_t size)
{
    if (needed <= *capacity)
        return true;
    size_t count =
        *capacity < 4 ? 4 : *capacity; /* doubled: the copying stays linear in what is added */
    if (*capacity >= 4 && !dirac__multiply(count, 2, &count))
        return false;
    if (count < needed)
        count = needed;

    void *old, *grown = dirac__alloc_zero(memory, count, size);
    if (grown == NULL)
        return false;
    memcpy(&old, array_pointer, sizeof old); /* a T ** may not be read through a void ** */
    if (old != NULL)
        memcpy(grown, old, *capacity * size);
    memcpy(array_pointer, &grown, sizeof grown);
    *capacity = count;
    dirac__free(memory, old);
    return true;
}

void dirac__buffer_append(dirac__buffer *buffer, const void *data, size_t size)
{
    size_t needed;
    if (buffer->failed)
        return;
    if (!dirac__add(buffer->size, size, &needed) || !dirac__add(needed, 1, &needed) ||
        !dirac__grow(buffer->memory, &buffer->data, &buffer->capacity, needed, 1)) {
        buffer->failed = true;
        return;
    }
    if (size > 0)
        memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    buffer->data[buffer->size] = 0;
}

void dirac__buffer_text(dirac__buffer *buffer, const char *text)
{
    dirac__buffer_append(buffer, text, strlen(text));
}

void dirac__buffer_integer(dirac__buffer *buffer, int64_t value)
{
    char text[20]; /* 2^63 has 19 digits */
    size_t at = sizeof text;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        text[--at] = '-';
    dirac__buffer_append(buffer, text + at, sizeof text - at);
}

void dirac__buffer_release(dirac__buffer *buffer)
{
    dirac__free(buffer->memory, buffer->data);
    buffer->data = NULL;
    buffer->size = buffer->capacity = 0;
    buffer->failed = false;
}
