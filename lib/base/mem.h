/* SPDX-License-Identifier: MIT */
/* Memory: the context's allocator and overflow-checked sizes. Every byte the library asks for goes through here. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dirac/context.h>

#define DIRAC__ALIGNMENT ((size_t)64)

typedef struct dirac__memory {
    dirac_alloc_fn allocate;
    dirac_free_fn release;
    void *user;
} dirac__memory;

/* The C library's allocator. */
extern const dirac__memory dirac__default_memory;

/* `size` bytes at a multiple of 64, uninitialised; NULL when there are none. A size of 0 gives a valid pointer. */
void *dirac__alloc(const dirac__memory *memory, size_t size);
/* The same for count * size bytes, all zero; NULL also when the product overflows. */
void *dirac__alloc_zero(const dirac__memory *memory, size_t count, size_t size);
/* Frees what the two above gave; NULL is accepted. */
void dirac__free(const dirac__memory *memory, void *pointer);
/* A copy of a string; NULL when there is no memory. */
char *dirac__copy_string(const dirac__memory *memory, const char *text);
/* Grows an array of `*capacity` elements of `size` bytes to hold at least `needed`; false when it cannot. The new part
 * is zero. The array may move. */
bool dirac__grow(const dirac__memory *memory, void *array_pointer, size_t *capacity, size_t needed, size_t size);

/* *out = a * b and *out = a + b; false on overflow (then *out is unspecified). */
bool dirac__multiply(size_t a, size_t b, size_t *out);
bool dirac__add(size_t a, size_t b, size_t *out);
/* *out = size rounded up to a multiple of 64; false on overflow. */
bool dirac__align(size_t size, size_t *out);

/* Text that grows. After a failed append `failed` is set and further appends do nothing: check once, at the end. */
typedef struct dirac__buffer {
    const dirac__memory *memory;
    char *data; /* always ends with a 0 byte that `size` does not count; NULL before the first append */
    size_t size, capacity;
    bool failed;
} dirac__buffer;

void dirac__buffer_append(dirac__buffer *buffer, const void *data, size_t size);
void dirac__buffer_text(dirac__buffer *buffer, const char *text);
void dirac__buffer_integer(dirac__buffer *buffer, int64_t value);
void dirac__buffer_release(dirac__buffer *buffer);

#endif
